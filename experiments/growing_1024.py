"""Networks that grow from 4x4 to 1024x1024 pixels: the paper's schedule (Karras 2018).

    jaxgan train growing_1024 --data photos

Not measured here: it needs a GPU, 58 hours of an H100 on paper (benchmarks/README.md). A step at
full size took 13.2 s on two CPU cores.

`photos` is any folder of images. Each size decodes them once into the cache (3 MB an image at 1024
pixels), and sets too large for the device are read from there as they are needed. 12 million images
are shown on the way. Minibatches are the paper's for one device; its eight take four times as many
of the large images.
"""

from jaxgan.experiment import GrowingExperiment

experiment = GrowingExperiment(
    name="growing_1024",
    data="photos",
    channels=3,
    image_size=1024,
    final_images=2_400_000,
    flip=True,
    sample_every=5_000,
    checkpoint_every=5_000,
)
