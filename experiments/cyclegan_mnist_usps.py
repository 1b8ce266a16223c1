"""CycleGAN between MNIST and USPS digits, without pairs or labels, on two CPU cores.

USPS comes as an .npz file, `images` uint8 [N, 16, 16, 1] and for the measurement `labels` [N]:

    jaxgan train experiments/cyclegan_mnist_usps.py --data-y usps_train.npz

Both are brought to 28x28 pixels. MNIST's digits lie in the middle of a frame that USPS's fill.
"""

from jaxgan.experiment import OptimizerOptions
from jaxgan.translation import PatchOptions, TranslationExperiment, TranslatorOptions

STEPS = 2000
adam = OptimizerOptions(learning_rate=2e-4, decay_start=STEPS // 2, decay_end=STEPS)

experiment = TranslationExperiment(
    name="cyclegan_mnist_usps",
    data_x="mnist",
    data_y="usps_train.npz",
    image_size=28,
    batch_size=16,
    steps=STEPS,
    generator=TranslatorOptions(width=16, blocks=3),
    discriminator=PatchOptions(width=32, layers=2),
    cycle_weight=1.0,  # The paper's 10 keeps digits legible to the way back, not to a judge.
    identity_weight=1.0,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    sample_every=500,
    checkpoint_every=500,
)
