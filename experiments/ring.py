"""Eight Gaussians on a circle: the classic picture of mode collapse, and its cure by R1."""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

experiment = Experiment(
    name="ring",
    data="ring",
    steps=5000,
    batch_size=256,
    generator=GeneratorOptions(family="mlp", width=128, depth=2, normalization="none"),
    discriminator=DiscriminatorOptions(family="mlp", width=128, depth=2, normalization="none"),
    penalty="r1",
    penalty_weight=0.1,
    generator_optimizer=OptimizerOptions(learning_rate=1e-3),
    discriminator_optimizer=OptimizerOptions(learning_rate=1e-3),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="kl",
)
