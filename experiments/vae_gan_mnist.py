"""A VAE-GAN of MNIST (Larsen 2016): a VAE that compares images by what a discriminator sees.

    jaxgan data prepare mnist
    jaxgan train vae_gan_mnist

The same networks gave a Fréchet distance of 48.9 ± .5 (three seeds) after four minutes on one core
in `benchmarks/blur.py`, beside an autoencoder, a VAE (64.7) and a GAN (11.2) of as many minutes.

Not of the paper: group normalisation in the encoder and in the discriminator, and a small R1
penalty.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    GeneratorOptions,
    OptimizerOptions,
    VAEGANExperiment,
)

adam = OptimizerOptions(learning_rate=1e-3, beta1=0.0, beta2=0.99)

experiment = VAEGANExperiment(
    name="vae_gan_mnist",
    data="mnist",
    steps=5000,
    encoder=DiscriminatorOptions(width=32, normalization="group"),
    decoder=GeneratorOptions(width=32, latent_size=64),
    discriminator=DiscriminatorOptions(width=32, normalization="group"),
    penalty="r1",
    penalty_weight=0.05,
    optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
