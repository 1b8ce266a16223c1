"""The modern baseline (R3GAN, Huang 2024): relativistic pairing with R1 and R2 of gamma 1."""

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions, OptimizerOptions

experiment = Experiment(
    name="r3gan_mnist",
    data="mnist",
    steps=5000,
    generator=GeneratorOptions(width=64),
    discriminator=DiscriminatorOptions(width=64, normalization="none"),
    loss="relativistic_pairing",
    penalty="r1_r2",
    penalty_weight=0.5,
    generator_optimizer=OptimizerOptions(beta1=0.0, beta2=0.99),
    discriminator_optimizer=OptimizerOptions(beta1=0.0, beta2=0.99),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="frechet",
)
