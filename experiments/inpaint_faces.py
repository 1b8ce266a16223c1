"""Inpainting: a U-Net fills the middle of faces of 64x64 pixels, a hole of 32x32.

    python -m benchmarks.held_out faces64.npz faces --test 500
    jaxgan train inpaint_faces
    jaxgan translate RUN --input photos --mask masks --output filled

It gave LPIPS .050 and 27.2 dB on held-out faces (two seeds), in 14 minutes on one core. The same
network without a discriminator, `--adversarial-weight 0`, fills holes with a blur: .093 and 28.0
dB.

`faces` may be any folder of images with sub-folders train and test.
"""

from jaxgan.experiment import InpaintingExperiment, OptimizerOptions, PatchOptions, UNetOptions

adam = OptimizerOptions(learning_rate=2e-4, beta1=0.5, decay_start=750, decay_end=1_500)

experiment = InpaintingExperiment(
    name="inpaint_faces",
    data="faces",
    image_size=64,
    steps=1_500,
    batch_size=16,
    flip=True,
    unet=UNetOptions(width=32, dropout=0.0),
    discriminator=PatchOptions(width=16, normalization="batch", inner_bias=False),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=500,
)
