"""BigGAN at 128 pixels on ImageNet (Brock 2019): the paper's recipe, for many accelerators.

    jaxgan train biggan_imagenet128

Not measured here: it needs ImageNet and many accelerators. The tests check its shapes: 70,433,988
and 87,982,370 parameters. TFDS prepares `imagenet2012` from archives that you download yourself.
The batch is that of all devices together.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

experiment = Experiment(
    name="biggan_imagenet128",
    data="imagenet2012",
    image_size=128,
    steps=150_000,
    batch_size=2048,
    flip=True,
    conditional=True,
    generator=GeneratorOptions(
        family="biggan",
        width=96,
        latent_size=120,
        attention=64,
        spectral_norm=True,
        orthogonal_weight=1e-4,
        remat=True,
    ),
    discriminator=DiscriminatorOptions(
        family="biggan", width=96, normalization="none", attention=64, spectral_norm=True
    ),
    loss="hinge",
    discriminator_steps=2,
    generator_optimizer=OptimizerOptions(learning_rate=5e-5, beta1=0.0),
    discriminator_optimizer=OptimizerOptions(learning_rate=2e-4, beta1=0.0),
    ema_decay=0.9999,
    ema_start=20_000,
    log_every=100,
    sample_every=2_500,
    checkpoint_every=2_500,
    evaluate_every=5_000,
)
