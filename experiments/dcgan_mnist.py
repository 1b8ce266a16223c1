"""DCGAN (Radford 2016) on MNIST: 7x7 to 14x14 to 28x28.

    jaxgan data prepare mnist
    jaxgan train dcgan_mnist

It gave a Fréchet distance of 6.95 (one seed), in 11.6 minutes on two CPU cores beside other work;
at width 32, 9.6 ± .3 (three seeds).

Two things are not of 2016: the discriminator has group normalisation and a small R1 penalty. With
batch normalisation and Adam 2e-4 (.5), as in the paper, it wins by far, many samples are no digits,
and the distance is 28.4.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

adam = OptimizerOptions(learning_rate=1e-3, beta1=0.0, beta2=0.99)

experiment = Experiment(
    name="dcgan_mnist",
    data="mnist",
    steps=5000,
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64, normalization="group"),
    penalty="r1",
    penalty_weight=0.05,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
