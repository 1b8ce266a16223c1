"""Experiments on noise: the speed of a step does not depend on what the images show."""

from dataclasses import dataclass, replace

import numpy as np

from jaxgan.data.source import ArraySource
from jaxgan.experiment import (
    DIGITS,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)


@dataclass(frozen=True)
class Synthetic(Experiment):
    """A DCGAN of the default options, on images of any shape."""

    name: str = "synthetic"
    shape: tuple[int, ...] = (28, 28, 1)

    def open_source(self, split: str = "train") -> ArraySource:
        rng = np.random.default_rng(0)
        return ArraySource(self.name, rng.integers(0, 256, (1024, *self.shape), np.uint8))


def experiments(dtype: str) -> dict[str, Experiment]:
    """The adversarial rows of `benchmarks.train_step` by name."""
    gulrajani = OptimizerOptions(learning_rate=1e-4, beta1=0.0, beta2=0.9)
    adams = {"generator_optimizer": gulrajani, "discriminator_optimizer": gulrajani}
    wgan_gp = {"loss": "wasserstein", "penalty": "gradient_penalty", **adams}
    plain = DiscriminatorOptions(normalization="none")
    found = {
        "mlp": Synthetic(
            generator=GeneratorOptions(family="mlp", width=256, normalization="none"),
            discriminator=DiscriminatorOptions(family="mlp", width=256, normalization="none"),
        ),
        "digits": DIGITS,
        "dcgan": Synthetic(),
        "dcgan reuse_fakes": Synthetic(reuse_fakes=True),
        "dcgan wgan-gp 1": Synthetic(discriminator=plain, **wgan_gp),
        "dcgan wgan-gp 5": Synthetic(discriminator=plain, discriminator_steps=5, **wgan_gp),
        "dcgan pairing r1+r2": Synthetic(
            discriminator=plain, loss="relativistic_pairing", penalty="r1_r2", penalty_weight=0.1
        ),
        "resnet wgan-gp 5": Synthetic(
            shape=(32, 32, 3),
            generator=GeneratorOptions(family="resnet"),
            discriminator=replace(plain, family="resnet"),
            discriminator_steps=5,
            **wgan_gp,
        ),
    }
    return {name: in_dtype(experiment, dtype) for name, experiment in found.items()}


def in_dtype(experiment: Experiment, dtype: str) -> Experiment:
    """The experiment with the layers of both networks in a type."""
    return replace(
        experiment,
        generator=replace(experiment.generator, dtype=dtype),
        discriminator=replace(experiment.discriminator, dtype=dtype),
    )
