"""The library's growing networks on digits: 4 pixels, 8 pixels that fade in, and 8 pixels."""

from jaxgan.experiment import (
    GrowingDiscriminatorOptions,
    GrowingExperiment,
    GrowingGeneratorOptions,
)

experiment = GrowingExperiment(
    name="progressive",
    image_size=8,
    train_images=64,
    fade_images=16,
    batch_sizes=(16, 8),
    generator=GrowingGeneratorOptions(width=4, latent_size=4),
    discriminator=GrowingDiscriminatorOptions(width=4),
)
