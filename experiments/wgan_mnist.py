"""WGAN (Arjovsky 2017): weights clipped to 0.01, RMSProp 5e-5, five discriminator steps.

    jaxgan data prepare mnist
    jaxgan train wgan_mnist

It gave a Fréchet distance of 68, still falling (one seed, one core).
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

experiment = Experiment(
    name="wgan_mnist",
    data="mnist",
    steps=5000,
    generator=GeneratorOptions(width=32),
    discriminator=DiscriminatorOptions(width=32, clip=0.01),
    loss="wasserstein",
    discriminator_steps=5,
    generator_optimizer=OptimizerOptions(name="rmsprop", learning_rate=5e-5, beta2=0.99),
    discriminator_optimizer=OptimizerOptions(name="rmsprop", learning_rate=5e-5, beta2=0.99),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
