"""CycleGAN in colour at 32 pixels: two classes of CIFAR-10, horses and deer.

    jaxgan data prepare cifar10
    jaxgan train cyclegan_horse2deer_cifar10

Not measured here: it was not trained to its end, and the tests check its shapes.
"""

from jaxgan.experiment import OptimizerOptions, PatchOptions, TranslatorOptions, UnpairedExperiment

STEPS = 5000
adam = OptimizerOptions(learning_rate=2e-4, decay_start=STEPS // 2, decay_end=STEPS)

experiment = UnpairedExperiment(
    name="cyclegan_horse2deer_cifar10",
    data_x="cifar10",
    data_y="cifar10",
    class_x="horse",
    class_y="deer",
    flip=True,
    batch_size=8,
    steps=STEPS,
    generator=TranslatorOptions(width=24, blocks=4),
    discriminator=PatchOptions(width=32, layers=2),
    identity_weight=2.5,
    cycle_weight=5.0,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=500,
    checkpoint_every=1000,
)
