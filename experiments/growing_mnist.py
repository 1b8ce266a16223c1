"""Networks that grow from 4x4 to 32x32 pixels on MNIST (Karras 2018).

    jaxgan data prepare mnist
    jaxgan train experiments/growing_mnist.py

500 steps a size and a fading, and 1,000 at the last size; all numbers but these, the width and the
latents are the paper's. The same networks at full size from the start: `--start-size 32`.
"""

from jaxgan.experiment import (
    GrowingDiscriminatorOptions,
    GrowingExperiment,
    GrowingGeneratorOptions,
)

experiment = GrowingExperiment(
    name="growing_mnist",
    data="mnist",
    image_size=32,
    batch_size=64,
    steps=4_000,
    train_images=32_000,
    fade_images=32_000,
    generator=GrowingGeneratorOptions(width=32, latent_size=64),
    discriminator=GrowingDiscriminatorOptions(width=32),
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=500,
)
