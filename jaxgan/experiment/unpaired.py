"""The description of a run that translates images between two domains without pairs (CycleGAN)."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, Self

import jax.numpy as jnp
import numpy as np

from jaxgan import losses
from jaxgan.data import PairSource, PairSpec, Spec, open_domain
from jaxgan.data.minibatch import prepare_pair
from jaxgan.experiment.generation import BaseExperiment, OptimizerOptions
from jaxgan.games import Game, cyclegan
from jaxgan.layers.normalization import Normalization
from jaxgan.networks import Network, from_linen
from jaxgan.networks.cyclegan import PatchDiscriminator, TranslationGenerator
from jaxgan.training.state import Optimizers
from jaxgan.types import Batch, Key

DType = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class TranslatorOptions:
    """Both generators, which translate."""

    width: int = 64
    """Channels at full resolution; four times as many in the blocks."""
    blocks: int = 9
    """Residual blocks; the paper has 6 for images of 128 pixels and 9 for 256."""
    normalization: Normalization = "instance"
    """Between the layers. "instance" makes thick and thin strokes alike; "batch" does not."""
    dtype: DType = "float32"
    """Of the layers' computation; weights, statistics, losses and images are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


@dataclass(frozen=True)
class PatchOptions:
    """Both discriminators, which judge overlapping patches."""

    width: int = 64
    """Channels of the first layer."""
    layers: int = 3
    """Layers of stride 2: patches are of 70 pixels with 3, of 34 with 2, of 16 with 1."""
    normalization: Normalization = "instance"
    """Between the layers."""
    dtype: DType = "float32"
    """Of the layers' computation; weights, statistics, losses and logits are float32."""


@dataclass(frozen=True)
class UnpairedExperiment(BaseExperiment):
    """A translation between the domains x and y, described completely.

    A run's length and its optimisers' decay are numbers of steps. `epochs` and `decay_epochs` say
    them in passes over the data; `resolved` turns them into steps, so that a record holds steps.
    """

    name: str = "translation"
    """Names the run's folder: runs/<name>/..."""
    batch_size: int = 1
    """Images of each domain in a minibatch."""

    data_x: str = "cycle_gan/horse2zebra"
    """First domain: a TFDS name, an .npz file or a folder of images; or without data_y, what holds
    both: a folder or a TFDS set of trainA and trainB."""
    data_y: str | None = None
    """Second domain."""
    class_x: str | None = None
    """Take the images of this class of data_x only, by its name or number."""
    class_y: str | None = None
    """Take the images of this class of data_y only."""
    channels_x: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images of the first domain."""
    channels_y: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images of the second domain."""
    margin_x: int = 0
    """Black pixels on each side of the first domain's images, inside image_size: brings objects to
    the scale that they have in the other domain."""
    margin_y: int = 0
    """The same of the second domain's images."""
    load_size: int | None = None
    """Enlarge images to this many pixels and cut image_size out of them at random (paper: 286)."""
    epoch: Literal["longer", "shorter"] = "longer"
    """Which domain is passed through once in an epoch; the other is repeated, or used in part."""
    epochs: int = 0
    """Train so many epochs instead of `steps`; 0: `steps` counts."""
    decay_epochs: int = 0
    """Let both learning rates fall linearly to 0 over the last so many of the epochs."""

    generator: TranslatorOptions = field(default_factory=TranslatorOptions)
    discriminator: PatchOptions = field(default_factory=PatchOptions)
    loss: Literal[
        "least_squares", "non_saturating", "hinge", "relativistic_pairing", "relativistic_average"
    ] = "least_squares"
    """Adversarial loss, from jaxgan.losses; those that need no penalty."""
    cycle_weight: float = 10.0
    """Of the cycle consistency, each way (the authors' 10 is 5 here: games.cyclegan)."""
    identity_weight: float = 0.0
    """Of the identity loss, each way; the paper's option is half the cycle's weight."""
    pool_size: int = 50
    """Fakes remembered for each discriminator; 0: none."""

    def open_source(self, split: str = "train") -> PairSource:
        """Both domains."""
        one = self.data_y is None
        opened = partial(
            open_domain, data_dir=self.data_dir, split=split, image_size=self.image_size
        )
        x = opened(
            self.data_x,
            "A" if one else None,
            channels=self.channels_x,
            class_name=self.class_x,
            margin=self.margin_x,
        )
        y = opened(
            self.data_y or self.data_x,
            "B" if one else None,
            channels=self.channels_y,
            class_name=self.class_y,
            margin=self.margin_y,
        )
        return PairSource(x, y, self.epoch)

    def check_source(self, source: PairSource) -> None:
        for name, domain in (("data_x", source.x), ("data_y", source.y)):
            if self.batch_size > len(domain):
                raise ValueError(
                    f"batch_size {self.batch_size} is larger than {name} {domain.name!r} with its "
                    f"{len(domain)} images"
                )
        side = min(source.x.spec.shape[:2])
        if self.load_size is not None and self.load_size < side:
            raise ValueError(
                f"load_size {self.load_size} is smaller than the {side} pixels that are cut out "
                "(image_size)"
            )

    def indices(self, source: PairSource, number: int) -> np.ndarray:
        return source.indices(self.seed, number, self.batch_size)

    def prepare(self, batch: Batch, key: Key) -> Batch:
        return prepare_pair(batch, key, load_size=self.load_size, flip=self.flip)

    def make_game(self, spec: PairSpec) -> Game:
        """The game over domains of these specs."""
        generator, discriminator = self.generator, self.discriminator

        def translator(target: Spec) -> Network:
            return from_linen(
                TranslationGenerator(
                    target.shape[-1],
                    generator.width,
                    generator.blocks,
                    generator.normalization,
                    dtype=jnp.dtype(generator.dtype),
                    remat=generator.remat,
                )
            )

        def judge() -> Network:
            dtype = jnp.dtype(discriminator.dtype)
            return from_linen(
                PatchDiscriminator(
                    discriminator.width, discriminator.layers, discriminator.normalization, dtype
                )
            )

        return cyclegan(
            translator(spec.y),
            translator(spec.x),
            judge(),
            judge(),
            losses.ADVERSARIAL[self.loss],
            cycle_weight=self.cycle_weight,
            identity_weight=self.identity_weight,
            pool_size=self.pool_size,
        )

    def make_optimizers(self) -> Optimizers:
        """One optimiser a side.

        Raises:
          ValueError: when the length of the run still is in epochs.
        """
        if self.epochs:
            raise ValueError(f"epochs {self.epochs} must be turned into steps first: `resolved()`")
        return super().make_optimizers()

    def resolved(self) -> Self:
        """The experiment in steps: opens the data, if its length is in epochs, to count them.

        Raises:
          ValueError: when the epochs do not fit each other.
        """
        if not self.epochs:
            if self.decay_epochs:
                raise ValueError(
                    f"decay_epochs {self.decay_epochs} needs epochs; in steps, give the "
                    "optimisers' decay_start and decay_end"
                )
            return self
        if self.decay_epochs > self.epochs:
            raise ValueError(
                f"decay_epochs {self.decay_epochs} is more than the {self.epochs} epochs"
            )
        source = self.open_source()
        self.check_source(source)
        images = self.batch_size * self.discriminator_steps

        def steps(epochs: int) -> int:
            return -(-epochs * len(source) // images)  # The last epoch is whole.

        def decaying(options: OptimizerOptions, updates: int) -> OptimizerOptions:
            if not self.decay_epochs:
                return options
            start, end = steps(self.epochs - self.decay_epochs), steps(self.epochs)
            return replace(options, decay_start=start * updates, decay_end=end * updates)

        return replace(
            self,
            steps=steps(self.epochs),
            epochs=0,
            decay_epochs=0,
            generator_optimizer=decaying(self.generator_optimizer, 1),
            discriminator_optimizer=decaying(
                self.discriminator_optimizer, self.discriminator_steps
            ),
        )
