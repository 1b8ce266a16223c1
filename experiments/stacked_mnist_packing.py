"""Stacked MNIST by PacDCGAN2 (Lin 2018): `stacked_mnist_dcgan.py`, packed in pairs.

    jaxgan data prepare mnist
    jaxgan train stacked_mnist_packing

It gave 887 of 1,000 modes at a KL of 1.10, one seed on one core: in 2.5 epochs packing has not
helped yet.

A discriminator that judges two samples at once sees when they are alike. The batch stays at 64
samples, which makes 32 pairs. Width and schedule are cut as in `stacked_mnist_dcgan.py`.
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
