"""CycleGAN between MNIST and USPS digits, without pairs or labels.

USPS comes as an .npz file, `images` uint8 [N, 16, 16, 1] and, for the measurement, `labels` [N]:

    jaxgan data prepare mnist
    jaxgan train cyclegan_mnist_usps --data-y usps_train.npz

A classifier of MNIST alone reads .950 ± .006 of the translated USPS test digits correctly, one of
USPS alone .895 ± .013 of MNIST's (three seeds); 10 to 50 minutes gave this on one CPU core.

USPS's digits fill their frames; MNIST's lie in the middle of theirs, 20 pixels of 28. So USPS's are
made that small (`margin_y`), since convolutions do not learn to scale. Three more things are not
the paper's: batch and group normalization, since instance normalization makes a thick 1 and a thin
one alike; a cycle weight of 1 instead of 10, which keeps digits legible to the way back rather than
to a reader; and a batch of 16. experiments/README.md has what else was tried.
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
