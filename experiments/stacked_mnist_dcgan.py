"""Stacked MNIST, 1,000 modes, by a plain DCGAN: the baseline that collapses in PacGAN's table.

    jaxgan data prepare mnist
    jaxgan train stacked_mnist_dcgan

It gave 939 of 1,000 modes at a KL of .82, one seed on one core: not yet the collapse that PacGAN
reports after twenty times the epochs.

PacGAN's setting: latents of 100 uniform numbers, batch 64, Adam 2e-4 (.5), batch normalisation on
both sides. For two CPU cores it is cut to width 32 and 5,000 steps, 2.5 epochs; theirs are
`--generator.width 64 --discriminator.width 64 --steps 100000`, 50 epochs. Two more things differ:
their networks go down to 2x2 pixels in four stages, ours to 7x7 in two; and their generator is
updated twice a step, ours once. Evaluated with 26,000 samples; `--stacked-protocol unrolled` takes
25,600.
"""

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="stacked_mnist_dcgan",
    data="stacked_mnist",
    steps=5000,
    generator=GeneratorOptions(width=32, latent_distribution="uniform"),
    discriminator=DiscriminatorOptions(width=32),
    sample_every=1000,
    checkpoint_every=1000,
    evaluate_every=1000,
    best_metric="kl",
)
