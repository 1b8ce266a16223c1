"""A folder of your own images: DCGAN at 64 pixels, and from 32 to 128 by `--image-size`.

    jaxgan data photos
    jaxgan train images_folder --data photos [--image-size 128]

Not measured here: what it gives depends on the images.

Sub-folders train and test hold images out for the evaluation; sub-folders of these, or of the
folder itself, are classes, which `--conditional` uses.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

adam = OptimizerOptions(learning_rate=2e-4, beta1=0.5)

experiment = Experiment(
    data="photos",
    image_size=64,
    channels=3,
    steps=5_000,
    batch_size=32,
    flip=True,
    generator=GeneratorOptions(width=32),
    discriminator=DiscriminatorOptions(width=32, normalization="none", spectral_norm=True),
    lecam_weight=0.3,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=1_000,
    best_metric="frechet",
)
