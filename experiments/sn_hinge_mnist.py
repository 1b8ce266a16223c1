"""Spectral normalisation with the hinge loss (Miyato 2018), on a DCGAN.

    jaxgan data prepare mnist
    jaxgan train sn_hinge_mnist

Not measured here: it was not trained to its end, and the tests check its shapes.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

experiment = Experiment(
    name="sn_hinge_mnist",
    data="mnist",
    steps=5000,
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64, normalization="none", spectral_norm=True),
    loss="hinge",
    generator_optimizer=OptimizerOptions(beta1=0.0, beta2=0.9),
    discriminator_optimizer=OptimizerOptions(beta1=0.0, beta2=0.9),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
