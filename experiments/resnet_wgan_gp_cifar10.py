"""WGAN-GP's ResNet (Gulrajani 2017): width 128, Adam 2e-4 (0, .9) falling to 0 over 100,000 steps.

    jaxgan data prepare cifar10
    jaxgan train resnet_wgan_gp_cifar10

Not measured here: it needs a GPU, and the tests check its shapes.

The authors' code gives the generator's update a batch twice as large, and the published score is
that of a conditional model with an auxiliary classifier; neither is done here.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

experiment = Experiment(
    name="resnet_wgan_gp_cifar10",
    data="cifar10",
    steps=100_000,
    batch_size=64,
    generator=GeneratorOptions(family="resnet", width=128, latent_size=128),
    discriminator=DiscriminatorOptions(family="resnet", width=128, normalization="none"),
    loss="wasserstein",
    penalty="gradient_penalty",
    penalty_weight=10.0,
    discriminator_steps=5,
    generator_optimizer=OptimizerOptions(beta1=0.0, beta2=0.9, decay_end=100_000),
    discriminator_optimizer=OptimizerOptions(beta1=0.0, beta2=0.9, decay_end=500_000),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=5000,
    best_metric="frechet",
)
