"""DCGAN on MNIST with labels: embedded beside the latent, projected in the discriminator."""

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="conditional_dcgan_mnist",
    data="mnist",
    conditional=True,
    steps=5000,
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
