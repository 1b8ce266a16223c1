"""DCGAN on CIFAR-10 with labels, as many minutes as `biggan_cifar10.py`: five times the steps.

    jaxgan data prepare cifar10
    jaxgan train dcgan_cifar10

It gave Fréchet distances of 30.0 and 25.1 (two seeds, 20,000 training images), in 27 minutes on one
core. With batch normalisation in the discriminator (`--discriminator.normalization batch
--discriminator.no-spectral-norm`) classes collapse to one image each, at 65.2.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

adam = OptimizerOptions(learning_rate=2e-4, beta1=0.5)

experiment = Experiment(
    name="dcgan_cifar10",
    data="cifar10",
    steps=15_000,
    flip=True,
    conditional=True,
    generator=GeneratorOptions(width=32),
    discriminator=DiscriminatorOptions(width=32, normalization="none", spectral_norm=True),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=1_500,
    checkpoint_every=1_500,
    evaluate_every=7_500,
    best_metric="frechet",
)
