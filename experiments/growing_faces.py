"""Networks that grow from 4x4 to 64x64 pixels on grey faces (Karras 2018).

    python -m benchmarks.held_out faces64.npz faces --test 500
    jaxgan train growing_faces

It gave a Fréchet distance of 8.19 (one seed) in 5.0 minutes of steps on two CPU cores. The same
networks at full size from the start, for as many images, `--start-size 64 --steps 1680`: 7.58 in
11.5 minutes.

80 steps a size and a fading up to 32 pixels; 160 of fading and 400 more, of 32 images, at 64. The
learning rate is the paper's 1e-3 times √(512 / 16), since the layers are that much narrower
(networks/growing.py). `faces` may be any folder of images with sub-folders train and test.
"""

from jaxgan.experiment import (
    GrowingDiscriminatorOptions,
    GrowingExperiment,
    GrowingGeneratorOptions,
    OptimizerOptions,
)

ADAM = OptimizerOptions(learning_rate=6e-3, beta1=0.0, beta2=0.99)

experiment = GrowingExperiment(
    name="growing_faces",
    data="faces",
    image_size=64,
    batch_size=64,
    flip=True,
    train_images=5_120,
    fade_images=5_120,
    final_images=12_800,
    generator=GrowingGeneratorOptions(width=16, latent_size=128),
    discriminator=GrowingDiscriminatorOptions(width=16),
    generator_optimizer=ADAM,
    discriminator_optimizer=ADAM,
    sample_every=80,
    checkpoint_every=80,
    evaluate_every=80,
)
