"""What every kind of run has, and what a kind gives to the loop and to the commands.

An experiment is plain data: every field is an option of the command line and a line of
`experiment.json`. A kind of run is a subclass, in a file of the user's like in ours. As a frozen
dataclass it may have fields of its own: bool, int, float, str, None, Literal, tuple[..., ...],
Annotated with a range of `jaxgan.options`, and dataclasses of these. The loop and the commands
never ask what kind they have: they call the methods below.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
import optax

from jaxgan.data import batch_indices
from jaxgan.data.images import Transparency
from jaxgan.data.minibatch import prepare_batch
from jaxgan.evaluation import Better, Evaluator, FeatureChoice, metric_names
from jaxgan.experiment.inputs import Inputs
from jaxgan.experiment.sampling import evaluate_samples, grid_preview, save_samples
from jaxgan.files import expanded
from jaxgan.games import Game
from jaxgan.networks import Variables
from jaxgan.options import AtLeast, Whole32, Within, check_range, check_values
from jaxgan.types import Batch, Key, PyTree

Experiment = TypeVar("Experiment", bound="BaseExperiment")
Preview: TypeAlias = Callable[[Variables, Path | None], dict[str, float]]
"""`(averaged variables, file or None) -> scalars`: draws a picture, and measures it where the kind
does. None: another process draws, and this one only measures."""
EVERY_RULE = (
    "divergence",
    "late collapse",
    "discriminator too strong",
    "mode collapse",
    "oscillation",
)


class Phase(NamedTuple):
    """A part of a run, with networks, data and sizes of its own.

    A phase is described by an experiment: everything that the loop needs of it, from the source to
    the optimisers, is what that experiment gives. Its own `phases` are not asked for.

    Attributes:
      steps: how many train steps it takes.
      experiment: what is trained in it.
      restart: let the optimisers start afresh, instead of taking over the phase before.
    """

    steps: int
    experiment: "BaseExperiment"
    restart: bool = False


@dataclass(frozen=True)
class BaseExperiment:
    """What every kind of run has: a key, a length, data, and what it writes."""

    rules: ClassVar[tuple[str, ...]] = ("divergence",)
    """What `jaxgan diagnose` looks for, by the names in `runs.diagnosis.RULES`."""
    places: ClassVar[tuple[str, ...]] = ("data_dir",)
    """Options that say where the data lie: a resumed run may change them, for the same data."""

    superseded: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By option of the command line, a file's options that no longer count where it is given."""

    name: str = ""
    """Names the run's folder, runs/<name>/...; by default after the data."""
    seed: Annotated[int, Whole32()] = 0
    """Seed of the run's key, from which every draw derives."""
    steps: Annotated[int, AtLeast(1)] = 3000
    """Train steps: one generator update and the discriminator updates before it."""
    batch_size: Annotated[int, AtLeast(1)] = 64
    """Samples in a minibatch."""
    data_dir: str | None = None
    """Where prepared TFDS data lie; by default $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    image_size: int | None = None
    """Resize and crop images to this many pixels a side."""
    transparency: Transparency = "white"
    """What transparent pixels of image files are laid on: white, black, or their image's mean."""
    flip: bool = False
    """Mirror every real image left to right with probability one half."""

    ema_decay: Annotated[float, Within(0, 1)] = 0.999
    """Decay of the generator's average, which is what gets sampled."""

    steps_per_call: Annotated[int, AtLeast(0)] = 0
    """Most steps in one call of the device; 0: chosen. Changes the speed, no bit."""
    shard_parameters: bool = False
    """Split parameters and optimiser states over the devices instead of giving each all of them."""
    log_every: Annotated[int, AtLeast(1)] = 50
    """Steps between two lines of metrics.jsonl."""
    sample_every: Annotated[int, AtLeast(1)] = 500
    """Steps between two sample grids, whose diversity is logged; there is one at the end too."""
    checkpoint_every: Annotated[int, AtLeast(1)] = 500
    """Steps between two checkpoints."""
    evaluate_every: Annotated[int, AtLeast(0)] = 0
    """Steps between two evaluations of the samples, beside the one at the end; 0: none at all."""
    best_metric: str | None = None
    """Logged or evaluated scalar whose best value marks the best checkpoint."""

    def open_source(self, split: str = "train") -> Any:
        """The data."""
        raise undefined(self, "open_source")

    def check_source(self, source: Any) -> None:
        """Raises a ValueError for options that do not fit the data."""
        if self.batch_size > len(source):
            raise ValueError(
                f"batch_size {self.batch_size} is larger than the data set {source.name!r} "
                f"with its {len(source)} samples"
            )

    def remarks(self, source: Any) -> list[str]:
        """What one should know before training on these data, a sentence each."""
        return []

    def check_length(self) -> None:
        """Raises a ValueError where the steps go on when nothing is learnt any more."""

    def indices(self, source: Any, images_seen: int) -> np.ndarray:
        """The samples of the minibatch that follows `images_seen` samples, a row a sample."""
        return batch_indices(self.seed, images_seen, self.batch_size, len(source))

    def prepare(self, batch: Batch, key: Key) -> Batch:
        """A raw minibatch as the game takes it; runs inside the jitted step. Consumes the key."""
        return prepare_batch(batch, key, flip=self.flip)

    def make_game(self, spec: Any) -> Game:
        """The game over data of this spec."""
        raise undefined(self, "make_game")

    def make_optimizers(self) -> dict[str, optax.GradientTransformation]:
        """One optimiser for each side that a loss trains."""
        return {}

    def make_constraints(self) -> Mapping[str, Callable[[PyTree], PyTree]]:
        """What is done to each side's params after each of its updates, by side."""
        return {}

    def make_step_options(self) -> dict[str, Any]:
        """What else `training.make_train_step` is given."""
        return {"ema_decay": self.ema_decay}

    def resolved(self) -> Self:
        """The experiment with everything that depends on its data turned into plain numbers."""
        return self

    def phases(self) -> tuple[Phase, ...]:
        """The parts of the run, one after the other; their steps add up to `steps`."""
        return (Phase(self.steps, self),)

    def inputs(self, spec: Any) -> Inputs:
        """What `sample` takes: nothing can be asked for, unless a kind says so."""
        return Inputs()

    def save_samples(
        self, path: Path, samples: np.ndarray, row_labels: list[str] | None = None
    ) -> None:
        """Shows samples as a picture."""
        save_samples(path, samples, row_labels)

    def preview(self, source: Any, game: Game, root_key: Key) -> Preview:
        """What is shown and measured at each sample interval: samples, where they are drawn."""
        if self.inputs(source.spec).draw is None:
            return lambda variables, path: {}
        return grid_preview(self, source, game, root_key)

    def evaluator(
        self,
        source: Any,
        game: Game,
        root_key: Key,
        *,
        thorough: bool = False,
        features: FeatureChoice | None = None,
    ) -> Evaluator | None:
        """What samples are measured by, where they are drawn; None: nothing can be measured."""
        if self.inputs(source.spec).draw is None:
            return None
        return evaluate_samples(self, source, game, root_key, thorough=thorough, features=features)

    def metric_names(self, spec: Any) -> Mapping[str, Better]:
        """What `evaluator` measures during training, each with its better direction."""
        return {} if self.inputs(spec).draw is None else metric_names(spec)


def check(experiment: BaseExperiment) -> None:
    """Refuses values that no run can use. Options of networks and data are checked where used.

    Raises:
      ValueError: naming the option, its value and what is allowed.
    """
    check_values(experiment)
    name = experiment.name
    if name == ".." or PurePath(name).name != name:
        raise ValueError(f"name must be that of one folder, without slashes, not {name!r}")
    if "\0" in name or len(os.fsencode(name)) > 255:
        raise ValueError(f"name must be that of a folder, of at most 255 bytes, not {name!r}")


def named(experiment: Experiment) -> Experiment:
    """The experiment with a name: that of its data, where it has none."""
    if experiment.name:
        return experiment
    data = getattr(experiment, experiment.places[0])
    return replace(experiment, name=name_of_data(data or "") or type(experiment).__name__)


def name_of_data(data: str) -> str:
    """What data are called by themselves: a folder's name, a file's stem, a TFDS set's name."""
    path = Path(os.path.abspath(expanded(data)))
    return path.stem if path.suffix == ".npz" else path.name.partition(":")[0]


def check_seed(name: str, seed: int) -> None:
    """Raises a ValueError for a seed beyond 32 bits, of which JAX would drop bits."""
    check_range(name, seed, (Whole32(),))


def undefined(experiment: BaseExperiment, method: str) -> ValueError:
    """The error of a method that a kind of run must define and does not."""
    return ValueError(f"{type(experiment).__name__} is not a whole kind of run: it has no {method}")
