"""InfoGAN on MNIST (Chen 2016): a code of ten categories and two numbers, without any label.

    jaxgan data prepare mnist
    jaxgan train infogan_mnist
    jaxgan sample RUN --sweep category --out categories.png
    jaxgan sample RUN --sweep number-1 --out slant.png

It gave categories that the best assignment to digits gets wrong for 19, 24 and 30 % of the samples,
and Fréchet distances of 3.46, 3.43 and 2.69 (three seeds), in 11 to 13 minutes on one core.

Latents, weights of the codes and rates are the paper's; its networks have 1,024 hidden units and
twice the width. Without a hidden layer categories are styles as much as digits; with one in the
generator alone, it ignores its noise.
"""

from jaxgan.experiment import (
    CodeOptions,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

experiment = Experiment(
    name="infogan_mnist",
    data="mnist",
    steps=5000,
    codes=CodeOptions(categorical=(10,), continuous=2),
    generator=GeneratorOptions(width=32, hidden=256, latent_size=62),
    discriminator=DiscriminatorOptions(width=32, hidden=256),
    generator_optimizer=OptimizerOptions(learning_rate=1e-3, beta1=0.5),
    discriminator_optimizer=OptimizerOptions(learning_rate=2e-4, beta1=0.5),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
