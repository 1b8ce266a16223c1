"""DCGAN (Radford 2016) on MNIST: 7x7 to 14x14 to 28x28, Adam 2e-4 with beta1 .5."""

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="dcgan_mnist",
    data="mnist",
    steps=5000,
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
