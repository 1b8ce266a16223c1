"""The description of a run that translates images between two domains without pairs (CycleGAN)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import optax

from jaxgan import losses
from jaxgan.data import PairSource, PairSpec, open_domain
from jaxgan.data.minibatch import prepare_pair
from jaxgan.experiment.adversarial import AdversarialExperiment
from jaxgan.experiment.base import Preview
from jaxgan.experiment.folders import make_panel
from jaxgan.experiment.inputs import Inputs, Reading
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.games import Game, cyclegan
from jaxgan.networks.cyclegan import (
    PatchOptions,
    TranslatorOptions,
    make_patch_discriminator,
    make_translator,
)
from jaxgan.options import AtLeast
from jaxgan.types import Batch, Key


@dataclass(frozen=True)
class DirectionChoice:
    """What must be chosen about a translation."""

    direction: Literal["x-to-y", "y-to-x"]
    """From the run's first domain to its second, or back."""


@dataclass(frozen=True)
class UnpairedExperiment(AdversarialExperiment):
    """A translation between the domains x and y, described completely.

    A run's length and its optimisers' decay are numbers of steps. `epochs` and `decay_epochs` say
    them in passes over the data; `resolved` turns them into steps, so that a record holds steps.
    """

    places: ClassVar[tuple[str, ...]] = ("data_x", "data_y", "data_dir")
    superseded: ClassVar[Mapping[str, tuple[str, ...]]] = {"steps": ("epochs", "decay_epochs")}

    batch_size: Annotated[int, AtLeast(1)] = 1
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
    epochs: Annotated[int, AtLeast(0)] = 0
    """Train this many epochs instead of `steps`; 0: `steps` counts."""
    decay_epochs: Annotated[int, AtLeast(0)] = 0
    """Let both learning rates fall linearly to 0 over this many epochs at the end."""

    generator: TranslatorOptions = field(default_factory=TranslatorOptions)
    discriminator: PatchOptions = field(default_factory=PatchOptions)
    loss: Literal[
        "least_squares", "non_saturating", "hinge", "relativistic_pairing", "relativistic_average"
    ] = "least_squares"
    """Adversarial loss, from jaxgan.losses; those that need no penalty."""
    cycle_weight: Annotated[float, AtLeast(0)] = 10.0
    """Weight of the cycle consistency, each way (the authors' 10 is 5 here: games.cyclegan)."""
    identity_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the identity loss, each way; the paper's option is half the cycle's weight."""
    pool_size: Annotated[int, AtLeast(0)] = 50
    """Fakes remembered for each discriminator; 0: none."""

    def open_source(self, split: str = "train") -> PairSource:
        """Both domains."""
        one = self.data_y is None
        opened = partial(
            open_domain,
            data_dir=self.data_dir,
            split=split,
            image_size=self.image_size,
            transparency=self.transparency,
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

    def indices(self, source: PairSource, images_seen: int) -> np.ndarray:
        return source.indices(self.seed, images_seen, self.batch_size)

    def prepare(self, batch: Batch, key: Key) -> Batch:
        return prepare_pair(batch, key, load_size=self.load_size, flip=self.flip)

    def make_game(self, spec: PairSpec) -> Game:
        """The game over domains of these specs."""
        return cyclegan(
            make_translator(self.generator, spec.y.shape[-1]),
            make_translator(self.generator, spec.x.shape[-1]),
            make_patch_discriminator(self.discriminator),
            make_patch_discriminator(self.discriminator),
            losses.ADVERSARIAL[self.loss],
            cycle_weight=self.cycle_weight,
            identity_weight=self.identity_weight,
            pool_size=self.pool_size,
            discriminator_steps=self.discriminator_steps,
        )

    def inputs(self, spec: PairSpec) -> Inputs:
        def read(choice: DirectionChoice) -> Reading:
            there = choice.direction.replace("-", "_")
            if there.startswith("x"):
                return Reading(spec.x, self.margin_x, (there,))
            return Reading(spec.y, self.margin_y, (there,))

        return Inputs(DirectionChoice, read=read)

    def preview(self, source: PairSource, game: Game, root_key: Key) -> Preview:
        return make_panel(source, game)

    def make_optimizers(self) -> dict[str, optax.GradientTransformation]:
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
