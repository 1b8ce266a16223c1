"""Stacked MNIST by WGAN-GP (Gulrajani 2017): width 32, Adam 1e-4 (.5, .9).

    jaxgan data prepare mnist
    jaxgan train stacked_mnist_wgan_gp

Not measured here: it was not trained to its end, and the tests check its shapes.

Five discriminator steps to one of the generator: 5,000 generator steps see 25,000 batches of real
images, 12.5 epochs. Latents and batch are those of `stacked_mnist_dcgan.py`.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

adam = OptimizerOptions(learning_rate=1e-4, beta1=0.5, beta2=0.9)

experiment = Experiment(
    name="stacked_mnist_wgan_gp",
    data="stacked_mnist",
    steps=5000,
    generator=GeneratorOptions(width=32, latent_distribution="uniform"),
    discriminator=DiscriminatorOptions(width=32, normalization="none"),
    loss="wasserstein",
    penalty="gradient_penalty",
    penalty_weight=10.0,
    discriminator_steps=5,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="kl",
)
