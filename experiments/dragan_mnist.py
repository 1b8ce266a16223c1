"""DRAGAN (Kodali 2017): the gradient penalty around real images, on a non-saturating DCGAN.

    jaxgan data prepare mnist
    jaxgan train dragan_mnist

Not measured here: it was not trained to its end, and the tests check its shapes.
"""

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="dragan_mnist",
    data="mnist",
    steps=5000,
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64, normalization="none"),
    penalty="dragan",
    penalty_weight=10.0,
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
