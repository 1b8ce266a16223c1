"""CycleGAN between MNIST and USPS digits, without pairs or labels, on two CPU cores.

USPS comes as an .npz file, `images` uint8 [N, 16, 16, 1] and for the measurement `labels` [N]:

    jaxgan train experiments/cyclegan_mnist_usps.py --data-y usps_train.npz

USPS's digits fill their frames, MNIST's lie in the middle of theirs, 20 pixels of 28: USPS's are
made that small (`margin_y`), since convolutions do not learn to scale. Three more things are not
the paper's: batch and group normalization, since instance normalization makes a thick 1 and a thin
one alike; a cycle weight of 1 instead of 10, which keeps digits legible to the way back rather than
to a reader; and a batch of 16. experiments/README.md has the figures.
"""

from jaxgan.experiment import OptimizerOptions, PatchOptions, TranslatorOptions, UnpairedExperiment

STEPS = 2000
adam = OptimizerOptions(learning_rate=4e-4, decay_start=STEPS // 2, decay_end=STEPS)

experiment = UnpairedExperiment(
    name="cyclegan_mnist_usps",
    data_x="mnist",
    data_y="usps_train.npz",
    image_size=28,
    margin_y=4,
    batch_size=16,
    steps=STEPS,
    generator=TranslatorOptions(width=16, blocks=3, normalization="batch"),
    discriminator=PatchOptions(width=32, layers=2, normalization="group"),
    cycle_weight=1.0,
    identity_weight=1.0,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=500,
    checkpoint_every=500,
)
