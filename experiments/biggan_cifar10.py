"""BigGAN on CIFAR-10 (Brock 2019), as its authors' PyTorch code runs it, but narrow and short.

    jaxgan data prepare cifar10
    jaxgan train biggan_cifar10
    jaxgan sample RUN --truncation 0.5 --out likely.png

It gave Fréchet distances of 2.34 and 2.79 (two seeds, 20,000 training images), in 29 minutes on one
core. A DCGAN of as many minutes, `dcgan_cifar10.py`, has 30.0 and 25.1.

The whole network is `--generator.width 64 --discriminator.width 64 --discriminator-steps 4
--steps 125000`, for an accelerator, with rates of 2e-4 and the average from step 1,000. Batches are
of 50 there too.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

adam = OptimizerOptions(learning_rate=5e-4, beta1=0.0)

experiment = Experiment(
    name="biggan_cifar10",
    data="cifar10",
    steps=3_000,
    batch_size=50,
    flip=True,
    conditional=True,
    generator=GeneratorOptions(
        family="biggan", width=8, latent_size=128, spectral_norm=True, orthogonal_weight=1e-4
    ),
    discriminator=DiscriminatorOptions(
        family="biggan", width=8, normalization="none", spectral_norm=True
    ),
    loss="hinge",
    discriminator_steps=2,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    ema_start=1_000,
    sample_every=1_000,
    checkpoint_every=1_000,
    evaluate_every=1_000,
    best_metric="frechet",
)
