"""pix2pix on drawings: the edges of an emoji become the emoji (64x64 pixels).

    python -m benchmarks.held_out emoji64.npz emoji --test 200
    jaxgan train edges_to_emoji
    jaxgan translate RUN --input drawings --output emoji

It gave LPIPS .298 and 14.0 dB on held-out emoji (one seed), in 7 to 11 minutes on one core. The
same network without a discriminator, `--adversarial-weight 0`, gave .312 and 15.0 dB, half as
sharp.

`emoji` may be any folder of images with sub-folders train and test: edges are found inside the
step.
"""

from jaxgan.experiment import OptimizerOptions, PairedExperiment, PatchOptions, UNetOptions

adam = OptimizerOptions(learning_rate=2e-4, beta1=0.5, decay_start=2_250, decay_end=4_500)

experiment = PairedExperiment(
    name="edges_to_emoji",
    data="emoji",
    image_size=64,
    degrade="edges",
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
