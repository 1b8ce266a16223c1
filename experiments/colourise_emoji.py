"""Colourisation by pix2pix: grey emoji become coloured (64x64 pixels).

    python -m benchmarks.held_out emoji64.npz emoji --test 200
    jaxgan train colourise_emoji
    jaxgan translate RUN --input grey --output coloured

It gave LPIPS .209 and 17.4 dB on held-out emoji (one seed), in 7 to 11 minutes on one core. The
same network without a discriminator, `--adversarial-weight 0`, gave .205 and 18.6 dB, browner.

`emoji` may be any folder of colour images with sub-folders train and test: they are made grey
inside the step.
"""

from jaxgan.experiment import OptimizerOptions, PairedExperiment, PatchOptions, UNetOptions

adam = OptimizerOptions(learning_rate=2e-4, beta1=0.5, decay_start=2_250, decay_end=4_500)

experiment = PairedExperiment(
    name="colourise_emoji",
    data="emoji",
    image_size=64,
    degrade="grey",
    steps=4_500,
    batch_size=4,
    load_size=72,
    flip=True,
    generator=UNetOptions(width=32, depth=4, dropout=0.0),
    discriminator=PatchOptions(width=16, normalization="batch", inner_bias=False),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=1_500,
    checkpoint_every=1_500,
    evaluate_every=1_500,
)
