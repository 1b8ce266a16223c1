"""LSGAN (Mao 2017): the DCGAN of `dcgan_mnist.py` with the least-squares loss.

    jaxgan data prepare mnist
    jaxgan train lsgan_mnist

Not measured here: it was not trained to its end, and the tests check its shapes.
"""

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="lsgan_mnist",
    data="mnist",
    steps=5000,
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64),
    loss="least_squares",
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
