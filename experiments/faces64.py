"""DCGAN on grey faces of 64x64 pixels, whose latent directions are then edited.

    python -m benchmarks.held_out faces64.npz faces --test 500
    jaxgan train faces64
    python -m benchmarks.directions RUN faces64.npz faces64_male.npz --csv attributes.csv
    jaxgan directions RUN --labels attributes.csv
    jaxgan edit RUN --direction smiling male --out edited.png

50 minutes on one core (one seed) gave directions that a classifier sees: smiles go from .02 of the
samples at -3 to all of them at 3.

`faces` may be any folder of aligned faces with sub-folders train and test.
"""

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)

adam = OptimizerOptions(learning_rate=2e-4, beta1=0.5)

experiment = Experiment(
    name="faces64",
    data="faces",
    steps=5_000,
    batch_size=32,
    flip=True,
    generator=GeneratorOptions(width=32),
    discriminator=DiscriminatorOptions(width=32),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=1_000,
)
