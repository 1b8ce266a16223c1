"""SRResNet by 4 on the 91 photographs that the field's first networks learnt from (T91).

    jaxgan train srresnet_t91 --data t91
    python -m benchmarks.super_resolution set5 set14 --run RUN

It gave 30.57 dB on Set5 and 27.46 on Set14 (bicubic: 28.42 and 26.00; one seed), in 36 minutes on
one core.

A folder of that name holds the images as they are. The network is half as wide as the paper's and
has six blocks of its sixteen, without batch normalization, to fit that time.
"""

from jaxgan.experiment import OptimizerOptions, SuperResolutionExperiment, SuperResolutionOptions

experiment = SuperResolutionExperiment(
    name="srresnet_t91",
    data="t91",
    steps=10_000,
    batch_size=8,
    patch_size=72,
    patch_stride=18,
    flip=True,
    rotate=True,
    generator=SuperResolutionOptions(width=32, blocks=6, normalization="none"),
    generator_optimizer=OptimizerOptions(
        learning_rate=1e-3, beta1=0.9, decay_start=4_000, decay_end=10_000
    ),
    adversarial_weight=0.0,
    sample_every=1_000,
    checkpoint_every=1_000,
    evaluate_every=1_000,
)
