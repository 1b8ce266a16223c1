"""CycleGAN as published (Zhu 2017): horses and zebras at 256 pixels, 200 epochs, for a GPU.

    jaxgan data prepare cycle_gan/horse2zebra
    jaxgan train cyclegan_horse2zebra

or from a folder with trainA, trainB, testA and testB: `--data-x ./horse2zebra`.

Not measured here: it needs a GPU. Its first steps ran on two CPU cores, at 5.8 s each; 266,800 of
them would take 18 days.

The cycle's weight is 5 where the authors have 10: their generators' adversarial loss is not halved,
and ours is (see `jaxgan.games.cyclegan`). The paper does not average the generators, whose average
makes the samples here.
"""

from jaxgan.experiment import PatchOptions, TranslatorOptions, UnpairedExperiment

experiment = UnpairedExperiment(
    name="cyclegan_horse2zebra",
    data_x="cycle_gan/horse2zebra",
    image_size=256,
    load_size=286,
    flip=True,
    batch_size=1,
    epochs=200,
    decay_epochs=100,
    generator=TranslatorOptions(width=64, blocks=9),
    discriminator=PatchOptions(width=64, layers=3),
    cycle_weight=5.0,
    pool_size=50,
    simultaneous=True,
    log_every=100,
    sample_every=1000,
    checkpoint_every=5000,
)
