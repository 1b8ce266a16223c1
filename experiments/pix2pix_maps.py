"""pix2pix from aerial photographs to maps, as in the paper (Isola 2017): 200 epochs of one image.

    jaxgan train experiments/pix2pix_maps.py --data maps

A folder of that name holds train/ and val/ with photograph and map side by side; `--direction
b-to-a` paints photographs of maps. Meant for an accelerator. A shorter run at 128 pixels:

    jaxgan train experiments/pix2pix_maps.py --data maps --image-size 128 --load-size 142 \\
        --generator.width 32 --discriminator.width 32 --batch-size 4 --steps 4000

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
