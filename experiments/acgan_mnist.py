"""AC-GAN on MNIST (Odena 2017): the discriminator names the digit, and the generator helps it.

    jaxgan data prepare mnist
    jaxgan train experiments/acgan_mnist.py

Beside it, with the same networks: `--label-use projection` (the discriminator is given the label,
projected on its features) and `--label-use channels` (as channels beside the image).
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

experiment = Experiment(
    name="acgan_mnist",
    data="mnist",
    steps=3000,
    conditional=True,
    label_use="classifier",
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64),
    generator_optimizer=OptimizerOptions(learning_rate=2e-4, beta1=0.5),
    discriminator_optimizer=OptimizerOptions(learning_rate=2e-4, beta1=0.5),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
