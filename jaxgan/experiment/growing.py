"""The description of a run whose networks grow with their images (Karras 2018)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Self

from jaxgan.data import Source, Spec
from jaxgan.evaluation import Evaluator, FeatureChoice
from jaxgan.experiment.adversarial import LossName, PenaltyName
from jaxgan.experiment.base import Phase, Preview
from jaxgan.experiment.generation import Experiment
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.games import Game
from jaxgan.games.fading import fading
from jaxgan.layers.resample import upsample_nearest
from jaxgan.networks import Network, growing
from jaxgan.networks.growing import GrowingDiscriminatorOptions, GrowingGeneratorOptions
from jaxgan.options import Above, AtLeast
from jaxgan.types import Array, Key, PyTree

ADAM = OptimizerOptions(learning_rate=1e-3, beta1=0.0, beta2=0.99)


@dataclass(frozen=True)
class GrowingExperiment(Experiment):
    """A run that starts with small images and doubles them, described completely.

    Each size after the first fades in, and then trains by itself; each is a phase. Lengths are in
    real images shown, and `scale` shortens them all. `steps` may be left out: `resolved` counts
    those of the whole schedule. Fewer end it early, and more go on at the last size.
    """

    superseded: ClassVar[Mapping[str, tuple[str, ...]]] = {"lr": ("learning_rates",)}

    steps: Annotated[int, AtLeast(0)] = 0
    """Train steps; 0: what the schedule takes. Fewer end it early, more go on at the last size."""
    batch_size: Annotated[int, AtLeast(1)] = 128
    """Samples in a minibatch at most; batch_sizes has fewer of large images."""
    image_size: int | None = 64
    """Pixels a side in the end: a power of two."""
    start_size: Annotated[int, AtLeast(4)] = 4
    """Pixels a side at first: a power of two."""
    train_images: Annotated[int, AtLeast(1)] = 600_000
    """Images shown at each size once it has faded in."""
    fade_images: Annotated[int, AtLeast(1)] = 600_000
    """Images shown while a size fades in."""
    final_images: Annotated[int, AtLeast(0)] = 0
    """Images shown at the last size once it has faded in; 0: train_images."""
    scale: Annotated[float, Above(0)] = 1.0
    """Multiplies these three numbers."""
    batch_sizes: tuple[int, ...] = (128, 128, 128, 64, 32, 16, 8, 4, 4)
    """Samples in a minibatch at 4, 8, 16, ... pixels (the paper's, one device)."""
    learning_rates: tuple[float, ...] = ()
    """Both sides' learning rate at 4, 8, 16, ... pixels; empty: the optimisers' own (the paper)."""

    # A kind's own options, where a plain Experiment has those of a family.
    generator: GrowingGeneratorOptions = field(  # type: ignore[assignment]
        default_factory=GrowingGeneratorOptions
    )
    discriminator: GrowingDiscriminatorOptions = field(  # type: ignore[assignment]
        default_factory=GrowingDiscriminatorOptions
    )
    generator_optimizer: OptimizerOptions = ADAM
    discriminator_optimizer: OptimizerOptions = ADAM
    loss: LossName = "wasserstein"
    """Adversarial loss, from jaxgan.losses."""
    penalty: PenaltyName = "gradient_penalty"
    """Gradient penalty on the discriminator, from jaxgan.penalties."""
    drift_weight: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of E D(x)^2, which keeps logits from drifting off."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for sizes and tables that make no schedule."""
        super().check(prefix)
        for name, size in (("image_size", self.image_size), ("start_size", self.start_size)):
            if size is None or size < growing.SMALLEST or size & (size - 1):
                raise ValueError(f"{name} of a growing run must be 4, 8, 16, ..., not {size}")
        assert self.image_size is not None
        if self.start_size > self.image_size:
            raise ValueError(
                f"start_size {self.start_size} must be image_size {self.image_size} or less"
            )
        for name, table in self._tables().items():
            if len(table) < len(growing.sizes((self.image_size,))):
                raise ValueError(
                    f"{name} has {len(table)} numbers, and 4 to {self.image_size} pixels are "
                    f"{len(growing.sizes((self.image_size,)))} sizes"
                )
            if min(table) <= 0:
                raise ValueError(f"{name} must be above 0, not {min(table)}")

    def _check_that_inputs_count(self) -> None:
        """Nothing here normalizes latents away."""

    def _tables(self) -> dict[str, tuple[int, ...] | tuple[float, ...]]:
        tables: dict[str, tuple[int, ...] | tuple[float, ...]] = {"batch_sizes": self.batch_sizes}
        return tables | ({"learning_rates": self.learning_rates} if self.learning_rates else {})

    def resolved(self) -> Self:
        return self if self.steps else replace(self, steps=sum(s for _, _, s in self._schedule()))

    def phases(self) -> tuple[Phase, ...]:
        """A size fading in, the size by itself, the next one fading in, and so on."""
        found, first = [], 0
        schedule = list(self._schedule())
        for number, (size, fades, planned) in enumerate(schedule):
            left = self.steps - first
            steps = left if number == len(schedule) - 1 else min(planned, left)
            if steps <= 0:
                break
            experiment = self._at(size, first, planned if fades else 0)
            # What a size has learnt while it faded in goes on; a new size starts its own.
            new = number > 0 and size != schedule[number - 1][0]
            found.append(Phase(steps, replace(experiment, steps=steps), restart=new))
            first += steps
        return tuple(found)

    def _schedule(self) -> Iterator[tuple[int, bool, int]]:
        """Size, whether it fades in, and steps, of each phase."""
        assert self.image_size is not None
        for size in growing.sizes((self.image_size,)):
            final = self.final_images if size == self.image_size else 0
            for fades, images in ((True, self.fade_images), (False, final or self.train_images)):
                if size > self.start_size or (size == self.start_size and not fades):
                    shown = self._batch(size) * self.discriminator_steps
                    yield size, fades, max(round(images * self.scale / shown), 1)

    def _batch(self, size: int) -> int:
        return min(self.batch_sizes[growing.sizes((size,)).index(size)], self.batch_size)

    def _at(self, size: int, first: int, fade_steps: int) -> "GrowingPhase":
        """The experiment of one size."""
        assert self.image_size is not None
        changed = {"image_size": size, "batch_size": self._batch(size)}
        if self.learning_rates:
            rate = self.learning_rates[growing.sizes((size,)).index(size)]
            for name in ("generator_optimizer", "discriminator_optimizer"):
                changed[name] = replace(getattr(self, name), learning_rate=rate)
        mine = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        shown = {"shown_size": self.image_size, "fade_start": first, "fade_steps": fade_steps}
        kind: Any = type(self)
        return _phase_of(kind)(**(mine | changed | shown))

    def _fading(self) -> int:
        """Steps in which the size of the networks fades in; a whole run as one has none."""
        return 0

    def make_generator(self, spec: Spec) -> Network:
        classes = self._classes(spec)
        return growing.make_generator(self.generator, spec.shape, classes, self._fading())

    def make_discriminator(self, spec: Spec) -> Network:
        return growing.make_discriminator(
            *(self.discriminator, spec.shape, self._projected(spec), self._fading()),
            with_features=bool(self._head_sizes(self._classes(spec))),
        )


@dataclass(frozen=True)
class GrowingPhase(GrowingExperiment):
    """One size of a growing run. Its samples are shown and measured at the size of the last."""

    shown_size: int = 0
    """Pixels a side that samples are enlarged to."""
    fade_start: int = 0
    """Step of the run at which the phase begins."""
    fade_steps: int = 0
    """Steps in which the size fades in; 0: it does not."""

    def make_game(self, spec: Spec) -> Game:
        game = super().make_game(spec)
        if self.fade_steps:
            game = fading(game, self.fade_start, self.fade_steps)
        small, factor = game.sample, self.shown_size // spec.shape[0]

        def sample(*inputs: PyTree) -> Array:
            return upsample_nearest(small(*inputs), factor)

        return game._replace(sample=sample)

    def preview(self, source: Source, game: Game, root_key: Key) -> Preview:
        return super().preview(self._shown_of(source), game, root_key)

    def evaluator(
        self,
        source: Source,
        game: Game,
        root_key: Key,
        *,
        thorough: bool = False,
        features: FeatureChoice | None = None,
    ) -> Evaluator | None:
        return super(GrowingPhase, self._at_shown_size()).evaluator(
            self._shown_of(source), game, root_key, thorough=thorough, features=features
        )

    def _at_shown_size(self) -> Self:
        """The experiment whose data are of the last size."""
        return replace(self, image_size=self.shown_size)

    def _shown_of(self, source: Source) -> Source:
        """The phase's data at the size of the last."""
        own = self.image_size == self.shown_size
        return source if own else self._at_shown_size().open_source()

    def _fading(self) -> int:
        return self.fade_steps


@cache
def _phase_of(kind: type[GrowingExperiment]) -> type[GrowingPhase]:
    """The phases' class of a growing run's, with what that adds and overrides."""
    if kind is GrowingExperiment:
        return GrowingPhase
    return dataclass(frozen=True)(type(kind.__name__, (GrowingPhase, kind), {}))
