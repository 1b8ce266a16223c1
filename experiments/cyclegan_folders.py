"""CycleGAN between two folders of your own images, without pairs, at 128 pixels.

    jaxgan train cyclegan_folders --data-x photos --data-y paintings [--image-size 256]
    jaxgan train cyclegan_folders --data-x both        # which holds trainA and trainB
    jaxgan translate RUN --input more --output painted --direction x-to-y

Not measured here: what it gives depends on the images.

A folder with sub-folders train and test is known by its own; of one with trainA and trainB, testA
and testB are held out. The whole network is `--generator.width 64 --generator.blocks 9
--discriminator.width 64 --image-size 256`, for a GPU.
"""

from jaxgan.experiment import PatchOptions, TranslatorOptions, UnpairedExperiment

experiment = UnpairedExperiment(
    data_x="photos",
    image_size=128,
    flip=True,
    epochs=200,
    decay_epochs=100,
    generator=TranslatorOptions(width=32, blocks=6),
    discriminator=PatchOptions(width=32, layers=3),
    cycle_weight=5.0,
    sample_every=500,
    checkpoint_every=500,
)
