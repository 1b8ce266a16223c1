"""SRGAN by 4 on the 91 photographs (T91), from the weights of `srresnet_t91.py`.

    jaxgan train srresnet_t91 --data t91
    jaxgan train srgan_t91 --data t91 --from RUN
    python -m benchmarks.super_resolution set5 set14 --run RUN

It gave LPIPS .146 on Set5 where SRResNet has .203, and 29.58 dB where that has 30.57 (one seed), in
23 minutes on one core after the 36 of SRResNet.

A folder of that name holds the images as they are. Or one run makes both: `--pretrain-steps 10000
--steps 12000`. The authors weigh what a VGG network sees against the discriminator; here pixels are
weighed, since such weights are a package of their own: with it, `--perceptual-weight 1
--perceptual-layer relu2_2 --reconstruction-weight 0.1`.
"""

from jaxgan.experiment import (
    OptimizerOptions,
    SRGANDiscriminatorOptions,
    SuperResolutionExperiment,
    SuperResolutionOptions,
)

adam = OptimizerOptions(learning_rate=1e-4, beta1=0.9)

experiment = SuperResolutionExperiment(
    name="srgan_t91",
    data="t91",
    steps=2_000,
    batch_size=8,
    patch_size=72,
    patch_stride=18,
    flip=True,
    rotate=True,
    generator=SuperResolutionOptions(width=32, blocks=6, normalization="none"),
    discriminator=SRGANDiscriminatorOptions(width=32, hidden=256),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    adversarial_weight=0.01,
    ema_decay=0.99,
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=500,
)
