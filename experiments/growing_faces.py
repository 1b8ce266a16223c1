"""Networks that grow from 4x4 to 64x64 pixels on grey faces (Karras 2018).

    python -m benchmarks.held_out faces64.npz faces --test 500
    jaxgan train experiments/growing_faces.py

The same networks at full size from the start: `--start-size 64`. `faces` may be any folder of
images with sub-folders train and test.
"""

from jaxgan.experiment import (
    GrowingDiscriminatorOptions,
    GrowingExperiment,
    GrowingGeneratorOptions,
)

experiment = GrowingExperiment(
    name="growing_faces",
    data="faces",
    image_size=64,
    batch_size=64,
    flip=True,
    steps=3_500,
    train_images=16_000,
    fade_images=16_000,
    generator=GrowingGeneratorOptions(width=32, latent_size=128),
    discriminator=GrowingDiscriminatorOptions(width=32),
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=500,
)
