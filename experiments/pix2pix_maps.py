"""pix2pix from aerial photographs to maps, as in the paper (Isola 2017): 200 epochs of one image.

    jaxgan train pix2pix_maps --data maps

A folder of that name holds train/ and val/ with photograph and map side by side; `--direction
b-to-a` paints photographs of maps.

Not measured here: the whole needs a GPU, at 2.2 s a step five and a half days of two CPU cores.

A shorter run at 64 pixels,

    jaxgan train pix2pix_maps --data maps --image-size 64 --load-size 71 \\
        --generator.width 32 --generator.depth 4 --discriminator.width 32 \\
        --discriminator.layers 2 \\
        --generator-optimizer.learning-rate 5e-4 --discriminator-optimizer.learning-rate 5e-4 \\
        --batch-size 4 --steps 4000 --evaluate-every 1000 --checkpoint-every 1000

gave L1 .076, 25.9 dB and LPIPS .339 on held-out photographs (one seed), in eight minutes on one
core.

The authors' batch is of one image, which batch normalization in the innermost layer would turn
into zeros: instance normalization here is what theirs comes to, and that layer has none.
"""

from jaxgan.experiment import OptimizerOptions, PairedExperiment, PatchOptions, UNetOptions

adam = OptimizerOptions(learning_rate=2e-4, beta1=0.5)

experiment = PairedExperiment(
    name="pix2pix_maps",
    data="maps",
    image_size=256,
    steps=200 * 1096,
    batch_size=1,
    load_size=286,
    flip=True,
    generator=UNetOptions(normalization="instance"),
    discriminator=PatchOptions(normalization="instance", inner_bias=False),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    log_every=100,
    sample_every=5_480,
    checkpoint_every=5_480,
    evaluate_every=10_960,
)
