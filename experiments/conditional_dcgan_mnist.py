"""DCGAN on MNIST with labels: embedded beside the latent, projected in the discriminator.

    jaxgan data prepare mnist
    jaxgan train conditional_dcgan_mnist
    jaxgan sample RUN --label 3 --out threes.png

It gave a Fréchet distance of 4.1 (one seed), and 99.5 % of the samples are read as the digit that
was asked for; 9.6 minutes on two CPU cores beside other work.
"""

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
