"""A run that was trained, as an object.

from jaxgan import load
run = load("runs/mine", best=True)            # anywhere, at any time
images = run.sample(16, label=3)              # uint8 [16, H, W, C]
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.devices.compilation import kept_programs
from jaxgan.evaluation import FeatureChoice
from jaxgan.experiment.base import BaseExperiment, check, check_seed
from jaxgan.experiment.folders import passed
from jaxgan.experiment.inputs import Inputs, refuse_undrawn, refuse_unread
from jaxgan.experiment.sampling import make_sampler
from jaxgan.games import Game
from jaxgan.imaging import grid, picture
from jaxgan.networks import Variables
from jaxgan.networks.standing import standing_statistics
from jaxgan.runs import exports, record
from jaxgan.runs.data import (
    Known,
    identities_of,
    pointed_to,
    recorded_identities,
    refuse_other,
)
from jaxgan.runs.evaluations import make_record
from jaxgan.runs.log import read_metrics
from jaxgan.training import exported, portable
from jaxgan.training.checkpoints import Checkpoints, Expected
from jaxgan.training.program import abstract_state
from jaxgan.training.state import TrainingState
from jaxgan.training.trainer import places_of
from jaxgan.types import Key


@dataclass(frozen=True)
class Run:
    """What a run has learnt, as of one checkpoint.

    Attributes:
      directory: of the run.
      experiment: of the phase that the checkpoint was saved in.
      spec: of its data.
      game: what was played.
      step: of the checkpoint.
      variables: the averaged side, or where asked for the one in training.
      averaged: which of the two.
      data: who the run's data were; None where it recorded none.
      standing: batches of which its batch statistics are; 0: those that training left.
    """

    directory: Path
    experiment: BaseExperiment
    spec: Any
    game: Game
    step: int
    variables: Variables
    averaged: bool = True
    data: Known = None
    standing: int = 0

    @property
    def inputs(self) -> Inputs:
        """What `sample` takes, and what may be chosen about it."""
        return self.experiment.inputs(self.spec)

    @property
    def generator(self) -> tuple[Callable[..., Any], Variables]:
        """`(apply, variables)`: the pure function `apply(variables, *inputs)` and its arrays."""
        return self.game.sample, self.variables

    @property
    def metrics(self) -> list[dict[str, float]]:
        """Everything the run logged: the lines of metrics.jsonl."""
        return read_metrics(self.directory)

    def _repr_png_(self) -> bytes | None:
        """A grid of samples, by which a notebook shows the run; None where there are no images."""
        if self.inputs.draw is None or not self.spec.is_image:
            return None
        return picture(grid(self.sample()))._repr_png_()

    def draw(self, count: int, seed: int = 0, choices: Any = None) -> tuple[Any, ...]:
        """The inputs that samples are made from; those of sample i do not depend on the count.

        Args:
          count: how many, 1 or more.
          seed: from 0 to 2**32 - 1.
          choices: an instance of `inputs.choices`; by default its defaults.

        Raises:
          ValueError: for a run that draws nothing, and for what is out of range.
        """
        check_seed("seed", seed)
        if count < 1:
            raise ValueError(f"count must be 1 or more, not {count}")
        inputs = self.inputs
        refuse_undrawn(inputs, self.directory)
        assert inputs.draw is not None
        return inputs.draw(jax.random.key(seed), count, choices or inputs.choices())

    def sample(self, count: int = 64, *, seed: int = 0, **choices: Any) -> np.ndarray:
        """Samples uint8 [count, H, W, C], or float32 [count, D] of points.

        Args:
          count: how many.
          seed: of the latents; sample i is the same whatever the count.
          **choices: of the kind of run, such as `label=3`.

        Raises:
          ValueError: for a run that draws nothing, and for what cannot be chosen.
        """
        drawn = self.draw(count, seed, self._choices(choices))
        with kept_programs(self.directory):
            return make_sampler(self.game)(self.variables, *drawn)

    def translate(self, images: np.ndarray, **choices: Any) -> np.ndarray:
        """Images uint8 [N, H, W, C] translated, by a run that takes images.

        Args:
          images: of the run's number of channels.
          **choices: of the kind of run, such as `direction="x-to-y"`.

        Raises:
          ValueError: for a run that takes no images, and for what cannot be chosen.
        """
        read = self.inputs.read
        refuse_unread(self.inputs, self.directory)
        assert read is not None
        reading = read(self._choices(choices))
        with kept_programs(self.directory):
            return passed(self.game, self.variables, reading)(images)

    def evaluate(
        self,
        features: FeatureChoice | None = None,
        *,
        on_protocol: Callable[[dict[str, Any]], None] = lambda protocol: None,
        **places: str | None,
    ) -> dict[str, Any]:
        """All metrics that fit the data, with the record of how they were taken.

        Args:
          features: as `evaluation.make_evaluator` takes them.
          on_protocol: told of the protocol before anything is measured; may refuse it.
          **places: where the same data lie now, such as `data="/new/photos"`.

        Returns:
          `metrics` and what `real` data score by name, the `protocol`, and what the numbers depend
          on besides (see `runs.evaluations`).

        Raises:
          ValueError: where there is no measure, or the data are not there or others.
        """
        experiment = pointed_to(self.directory, self.experiment, self.data, places)
        source, key = experiment.open_source(), jax.random.key(experiment.seed)
        refuse_other(self.directory, self.data, *identities_of([source]))
        with kept_programs(self.directory):
            evaluator = experiment.evaluator(
                source, self.game, key, thorough=True, features=features
            )
            if evaluator is None:
                raise ValueError(
                    f"{self.directory} cannot be evaluated: there is no measure of a run of "
                    f"{type(experiment).__name__}"
                )
            on_protocol(evaluator.protocol)
            metrics, real = evaluator.measure(self.variables), evaluator.real()
        return make_record(
            *(experiment, source.name, self.step, self.averaged, self.standing),
            *(metrics, real, evaluator.protocol),
        )

    def export(self, path: str | Path) -> None:
        """Writes the generator as one file that `load` reads anywhere, without the run.

        Args:
          path: ends in .safetensors or .npz: the arrays, the options, who the data were and the
            versions, without a path of this machine and without code. Or ends in .stablehlo: the
            sampling itself, weights included, for those who have JAX and not this library
            (`training.portable`); `load` does not read that.

        Raises:
          ValueError: for another suffix, for arrays of a run of a class of your own, which is
            code, and for the sampling of a run that draws nothing.
        """
        path = Path(path)
        if path.suffix == portable.SUFFIX:
            portable.write(path, self.game, self.variables, self.draw(1))
        elif path.suffix in exports.SUFFIXES:
            exported.write(path, self.directory, self.variables, self.step, self.averaged)
        else:
            allowed = f"{', '.join(exports.SUFFIXES)} or {portable.SUFFIX}"
            raise ValueError(f"an exported model must end in {allowed}, not {path.name!r}")

    def state(self) -> TrainingState:
        """The whole training state of the checkpoint, in arrays of one device.

        Raises:
          ValueError: when it cannot be read any more.
        """
        with _open(self.directory) as (_, _, checkpoints):
            found = checkpoints.restore(self.step)
        assert found is not None  # A step that is asked for is there, or refused.
        return found[1]

    def with_standing(self, batches: int = 100, choices: Any = None) -> "Run":
        """The run with batch statistics of many batches of 64 samples, see `networks.standing`.

        Args:
          batches: 2 or more.
          choices: an instance of `inputs.choices`, such as a truncation. A label is left out: what
            is remembered is of all classes.

        Raises:
          ValueError: for fewer batches, and for a run whose generator keeps no batch statistics or
            draws no inputs.
        """
        inputs, network = self.inputs, self.game.network
        if inputs.draw is None or network is None:
            raise ValueError(
                f"standing statistics are of a generator's batches, and {self.directory} has none"
            )
        choices, drawn = choices or inputs.choices(), inputs.draw
        if getattr(choices, "label", None) is not None:
            choices = dataclasses.replace(choices, label=None)

        def draw(key: Key) -> tuple[Any, ...]:
            return drawn(key, 64, choices)

        with kept_programs(self.directory):
            variables = standing_statistics(
                network, self.variables, draw, jax.random.key(0), batches
            )
        return dataclasses.replace(self, variables=variables, standing=batches)

    def _choices(self, given: dict[str, Any]) -> Any:
        kind = self.inputs.choices
        known = [entry.name for entry in dataclasses.fields(kind)]
        unknown = next((name for name in given if name not in known), None)
        if unknown is not None:
            allowed = f"it knows {', '.join(known)}" if known else "there is nothing to choose"
            raise ValueError(f"{self.directory} knows no choice {unknown!r}: {allowed}")
        try:
            return kind(**given)
        except TypeError as error:  # One that must be made was not.
            missing = ", ".join(known)
            raise ValueError(f"{self.directory} needs {missing}") from error

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r}, {type(self.experiment).__name__}, step {self.step})"


def load(
    directory: str | Path,
    *,
    step: int | None = None,
    best: bool = False,
    averaged: bool = True,
) -> Run:
    """A run's generator, from a checkpoint; data need not be there.

    Args:
      directory: a run directory, wherever it lies now, or a file that `Run.export` wrote.
      step: of the checkpoint; the newest by default.
      best: take the best checkpoint.
      averaged: take the averaged side, of which alone the checkpoint's arrays are then read; False:
        the one in training.

    Raises:
      ValueError: when the directory is no run or has no such checkpoint, or what it holds cannot be
        read.
    """
    directory = Path(directory)
    if best and step is not None:
        raise ValueError(f"best and step {step} ask for two checkpoints; take one")
    if directory.is_file():
        if best or step is not None or not averaged:
            raise ValueError(
                f"{directory} holds one checkpoint's generator: there is nothing to choose"
            )
        return _load_exported(directory)
    with _open(directory) as (parts, phase_of, checkpoints):
        chosen = checkpoints.best_step() if best else step
        if best and chosen is None:
            raise ValueError(
                f"{directory} ranked no checkpoint: it ran without best_metric, or without the "
                "evaluations that measure it; leave out best for the newest, or name a step"
            )
        found: tuple[int, Variables] | None = None
        if averaged:
            found = checkpoints.restore_averaged(chosen)
        elif whole := checkpoints.restore(chosen):
            game = parts[phase_of(whole[0])].game
            found = whole[0], whole[1].sides[game.averaged].variables
    if found is None:
        raise ValueError(f"{directory} has no checkpoint yet")
    step, variables = found
    part = parts[phase_of(step)]
    return Run(
        directory, part.experiment, part.spec, part.game, step, variables, averaged, part.data
    )


def _load_exported(path: Path) -> Run:
    """The generator that `Run.export` wrote."""
    found = exported.read(path)
    _, parts, phase_of = _described(path)
    part = parts[phase_of(found.step)]
    abstract = abstract_state(part.experiment, part.game, part.spec)
    side = abstract.ema if found.averaged else abstract.sides[part.game.averaged].variables
    variables = exported.fill(path, side, found.arrays)
    described = part.experiment, part.spec, part.game
    return Run(path, *described, found.step, variables, found.averaged, part.data)


class _Part(NamedTuple):
    """A phase as it was recorded."""

    experiment: BaseExperiment
    spec: Any
    game: Game
    data: Known


def _described(
    directory: Path,
) -> tuple[BaseExperiment, list[_Part], Callable[[int], int]]:
    """A run's experiment, its phases and `step -> phase`, without its data."""
    experiment, recorded = record.read(directory)
    check(experiment)
    phases, places = experiment.phases(), places_of(experiment)
    specs = record.recorded_specs(directory, recorded)
    if len(specs) != len(phases):
        raise ValueError(
            f"{directory} records {len(specs)} specs, and its experiment has {len(phases)} phases"
        )
    data = dict(enumerate(recorded_identities(directory, recorded)))
    with record.fitting(directory, experiment):
        parts = [
            _Part(phase.experiment, spec, phase.experiment.make_game(spec), data.get(number))
            for number, (phase, spec) in enumerate(zip(phases, specs, strict=True))
        ]

    def phase_of(step: int) -> int:
        return next((p.number for p in places if step <= p.last), len(places) - 1)

    return experiment, parts, phase_of


@contextmanager
def _open(directory: Path) -> Iterator[tuple[list[_Part], Callable[[int], int], Checkpoints]]:
    """A run's phases, `step -> phase` and its checkpoints, without its data."""
    experiment, parts, phase_of = _described(directory)
    folder = directory / "checkpoints"
    if not folder.is_dir():
        raise ValueError(f"{directory} has no checkpoint yet")
    measured = experiment.metric_names(parts[-1].spec)
    higher = measured.get(experiment.best_metric or "") == "higher"

    @cache
    def state_of(phase: int) -> TrainingState:
        part = parts[phase]
        return abstract_state(part.experiment, part.game, part.spec)

    def expected(step: int) -> Expected:
        return Expected(phase_of(step), state_of(phase_of(step)))

    with Checkpoints(folder, expected, higher_is_better=higher, read_only=True) as checkpoints:
        yield parts, phase_of, checkpoints
