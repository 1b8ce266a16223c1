"""Stacked MNIST by PacDCGAN2 (Lin 2018): `stacked_mnist_dcgan.py`, packed in pairs.

A discriminator that judges two samples at once sees when they are alike. The batch stays at 64
samples, which makes 32 pairs. Width and schedule are cut as there.
"""

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="stacked_mnist_packing",
    data="stacked_mnist",
    steps=5000,
    packing=2,
    generator=GeneratorOptions(width=32, latent_distribution="uniform"),
    discriminator=DiscriminatorOptions(width=32),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="kl",
)
