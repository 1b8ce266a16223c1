"""A folder of your own images: DCGAN at 64 pixels, and from 32 to 128 by `--image-size`.

    jaxgan data photos
    jaxgan train images_folder --data photos [--image-size 128]

300 emoji of food and objects, as photographs of many sizes, gave a Fréchet distance of 6.5 after
3,000 steps (one seed), in about 20 minutes on one core: coloured things without detail. With
spectral normalisation and rates of 2e-4 instead it is 10.9.

Sub-folders train and test hold images out for the evaluation; sub-folders of these, or of the
folder itself, are classes, which `--conditional` uses.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

adam = OptimizerOptions(learning_rate=1e-3, beta1=0.0, beta2=0.99)

experiment = Experiment(
    data="photos",
    image_size=64,
    channels=3,
    steps=5_000,
    batch_size=32,
    flip=True,
    generator=GeneratorOptions(width=32),
    discriminator=DiscriminatorOptions(width=32, normalization="group"),
    penalty="r1",
    penalty_weight=0.05,
    lecam_weight=0.3,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=1_000,
    best_metric="frechet",
)
