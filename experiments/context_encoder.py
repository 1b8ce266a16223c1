"""A context encoder (Pathak 2016): an encoder and a decoder that guess the middle of a face.

    python -m benchmarks.held_out faces64.npz faces --test 500
    jaxgan train context_encoder

Not measured here: its first steps ran, and the tests check its shapes.

As in the paper the discriminator sees the hole alone, the reconstruction is the squared error, ten
times as heavy at the border of the hole, and fooling weighs a thousandth of it.
"""

from jaxgan.experiment import (
    ContextEncoderOptions,
    InpaintingExperiment,
    OptimizerOptions,
    PatchOptions,
)

experiment = InpaintingExperiment(
    name="context_encoder",
    data="faces",
    image_size=64,
    steps=4_000,
    batch_size=32,
    flip=True,
    network="context_encoder",
    context_encoder=ContextEncoderOptions(width=32),
    discriminator=PatchOptions(width=32, layers=2, normalization="batch", inner_bias=False),
    judge_hole=True,
    border_weight=10.0,
    reconstruction="l2",
    reconstruction_weight=0.999,
    adversarial_weight=0.001,
    generator_optimizer=OptimizerOptions(learning_rate=2e-3, beta1=0.5),
    discriminator_optimizer=OptimizerOptions(learning_rate=2e-4, beta1=0.5),
    sample_every=1_000,
    checkpoint_every=1_000,
    evaluate_every=1_000,
)
