"""The library's growing networks on digits: 4 pixels, 8 pixels that fade in, and 8 pixels."""

from jaxgan.experiment import DiscriminatorOptions, GeneratorOptions, GrowingExperiment

OWN = {"family": "growing", "width": 4, "normalization": "none"}
experiment = GrowingExperiment(
    name="progressive",
    image_size=8,
    train_images=64,
    fade_images=16,
    batch_sizes=(16, 8),
    generator=GeneratorOptions(**OWN, latent_size=4),
    discriminator=DiscriminatorOptions(**OWN),
)
