"""The Python door: training a run, and a finished run as an object.

from jaxgan import load, train
run = train(experiment, out="runs/mine")      # the same as the command: same bits, same files
run = load("runs/mine", best=True)            # anywhere, at any time
images = run.sample(16, label=3)              # uint8 [16, H, W, C]
"""

import dataclasses
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan.devices.compilation import kept_programs
from jaxgan.devices.distributed import from_first, is_first, together
from jaxgan.evaluation import FeatureChoice
from jaxgan.experiment.base import BaseExperiment, check, check_seed
from jaxgan.experiment.folders import make_translator
from jaxgan.experiment.inputs import Inputs, refuse_undrawn, refuse_unread
from jaxgan.experiment.sampling import make_sampler
from jaxgan.files import expanded
from jaxgan.games import Game
from jaxgan.networks import Variables, parameter_count
from jaxgan.options import differences, to_dict
from jaxgan.runs import record
from jaxgan.runs.data import (
    Known,
    check_data,
    identities_of,
    recorded_identities,
    refuse_inside,
    refuse_other,
    to_record,
)
from jaxgan.runs.evaluations import make_record
from jaxgan.runs.log import read_digests, read_metrics
from jaxgan.training import loop
from jaxgan.training.checkpoints import Checkpoints, Expected
from jaxgan.training.program import abstract_state
from jaxgan.training.progress import Display
from jaxgan.training.state import TrainingState
from jaxgan.training.trainer import Trainer, make_trainer, places_of

MAY_CHANGE = ("steps", "steps_per_call", "shard_parameters")
"""Options that a resumed run may change, besides where its data lie (`BaseExperiment.places`)."""


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
    """

    directory: Path
    experiment: BaseExperiment
    spec: Any
    game: Game
    step: int
    variables: Variables
    averaged: bool = True
    data: Known = None

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
        """All that the run logged, the lines of metrics.jsonl."""
        return read_metrics(self.directory)

    def draw(self, count: int, seed: int = 0, choices: Any = None) -> tuple[Any, ...]:
        """What samples are made of, by seed; sample i has the same whatever the count.

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
            return make_translator(self.game)(self.variables, images, *reading.extra)

    def evaluate(
        self,
        features: FeatureChoice | None = None,
        *,
        on_protocol: Callable[[dict[str, Any]], None] = lambda protocol: None,
    ) -> dict[str, Any]:
        """All metrics that fit the data, with the record of how they were taken.

        Args:
          features: as `evaluation.make_evaluator` takes them.
          on_protocol: told of the protocol before anything is measured; may refuse it.

        Returns:
          `metrics` and what `real` data score by name, the `protocol`, and what the numbers depend
          on besides (see `runs.evaluations`).

        Raises:
          ValueError: where there is no measure, or the data are not there or others.
        """
        source, key = self.experiment.open_source(), jax.random.key(self.experiment.seed)
        refuse_other(self.directory, self.data, *identities_of([source]))
        with kept_programs(self.directory):
            evaluator = self.experiment.evaluator(
                source, self.game, key, thorough=True, features=features
            )
            if evaluator is None:
                raise ValueError(
                    f"{self.directory} cannot be evaluated: there is no measure of a run of "
                    f"{type(self.experiment).__name__}"
                )
            on_protocol(evaluator.protocol)
            metrics, real = evaluator.measure(self.variables), evaluator.real()
        return make_record(
            *(self.experiment, source.name, self.step, self.averaged),
            *(metrics, real, evaluator.protocol),
        )

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
            raise ValueError(f"{self.directory} must be told {missing}") from error

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
      directory: a run directory, wherever it lies now.
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
    experiment, recorded = record.read(directory)
    check(experiment)
    folder = directory / "checkpoints"
    if not folder.is_dir():
        raise ValueError(f"{directory} has no checkpoint yet")
    phases, places = experiment.phases(), places_of(experiment)
    specs = record.recorded_specs(directory, recorded)
    if len(specs) != len(phases):
        raise ValueError(
            f"{directory} records {len(specs)} specs, and its experiment has {len(phases)} phases"
        )

    with record.fitting(directory, experiment):
        higher = experiment.metric_names(specs[-1]).get(experiment.best_metric or "") == "higher"
        parts = [
            (phase.experiment, spec, phase.experiment.make_game(spec))
            for phase, spec in zip(phases, specs, strict=True)
        ]

    def phase_of(step: int) -> int:
        return next((p.number for p in places if step <= p.last), len(places) - 1)

    @cache
    def state_of(phase: int) -> TrainingState:
        own, spec, game = parts[phase]
        return abstract_state(own, game, spec)

    def expected(step: int) -> Expected:
        return Expected(phase_of(step), state_of(phase_of(step)))

    with Checkpoints(folder, expected, higher_is_better=higher, read_only=True) as checkpoints:
        chosen = checkpoints.best_step() if best else step
        if best and chosen is None:
            raise ValueError(
                f"{directory} ranked no checkpoint: it ran without best_metric; leave out best for "
                "the newest, or name a step"
            )
        found: tuple[int, Variables] | None = None
        if averaged:
            found = checkpoints.restore_averaged(chosen)
        elif whole := checkpoints.restore(chosen):
            game = parts[phase_of(whole[0])][2]
            found = whole[0], whole[1].sides[game.averaged].variables
    if found is None:
        raise ValueError(f"{directory} has no checkpoint yet")
    step, variables = found
    known = dict(enumerate(recorded_identities(directory, recorded)))
    phase = phase_of(step)
    return Run(directory, *parts[phase], step, variables, averaged, known.get(phase))


def train(
    experiment: BaseExperiment,
    out: str | Path | None = None,
    *,
    reporter: loop.Reporter | None = None,
) -> Run:
    """Trains an experiment into a run directory, as `jaxgan train` does.

    Args:
      experiment: what to run.
      out: the directory to make; by default runs/<name>/<time>.
      reporter: told of progress; by default a bar in a terminal or notebook, lines elsewhere.

    Returns:
      The run, by its newest checkpoint.

    Raises:
      ValueError: when options, data and networks do not fit, or the directory is occupied; nothing
        is written then.
      Halted: when training cannot go on; `Diverged` where a number is not finite.
    """
    directory, _, _ = start(experiment, out, reporter)
    return load(directory)


def resume(
    directory: str | Path,
    *,
    reporter: loop.Reporter | None = None,
    **changes: Any,
) -> Run:
    """Resumes a run from its newest checkpoint, as `jaxgan resume` does.

    Args:
      directory: of the run.
      reporter: as `train`.
      **changes: new values of options; only `MAY_CHANGE` may differ, and for the same data where
        they lie now, such as `data="/new/photos"`.

    Raises:
      ValueError: for other changes, and for a run that is done.
      Halted: when training cannot go on.
    """
    directory = Path(directory)
    recorded, _ = record.read(directory)
    go_on(directory, dataclasses.replace(recorded, **changes), reporter)
    return load(directory)


def start(
    experiment: BaseExperiment, out: str | Path | None, reporter: loop.Reporter | None = None
) -> tuple[Path, Trainer, TrainingState]:
    """What `train` does before it loads the run: the directory, the trainer and the last state."""
    experiment = experiment.resolved()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    directory = expanded(out) if out is not None else Path("runs") / experiment.name / stamp
    # Runs that begin in one second ask for one name: they are told apart when they make it.
    if out is None:
        from_first(lambda: record.refuse_unwritable(directory))
    else:
        from_first(lambda: record.refuse_occupied(directory))
    trainer = together(lambda: make_trainer(experiment))
    sources = [program.source for program in trainer.programs]
    data = together(lambda: identities_of(sources))
    from_first(lambda: refuse_inside(directory, data))
    specs = [source.spec for source in sources]

    def create() -> str:
        known = to_record(data)
        return str(record.create(directory, experiment, specs, known, or_next=out is None))

    directory = Path(from_first(create))  # Of one clock.
    return directory, trainer, _run(trainer, directory, reporter, lambda step: None)


def go_on(
    directory: Path, experiment: BaseExperiment, reporter: loop.Reporter | None = None
) -> tuple[Trainer, TrainingState]:
    """What `resume` does before it loads the run: the trainer and the last state."""
    experiment = experiment.resolved()
    refuse_changes(directory, experiment)
    trainer = together(lambda: make_trainer(experiment))
    sources, (_, kept) = [program.source for program in trainer.programs], record.read(directory)
    data = to_record(together(lambda: check_data(directory, kept, sources)))
    state = _run(
        trainer,
        directory,
        reporter,
        lambda step: record.prolong(directory, experiment, data),
    )
    return trainer, state


def refuse_changes(directory: Path, experiment: BaseExperiment) -> None:
    """Refuses to resume a run that is done, damaged, or asked to be another experiment.

    Warns where versions or devices are others than when it began.

    Raises:
      ValueError: naming what differs.
    """
    recorded, kept = record.read(directory)
    # Data are known by their identity wherever they lie; those of earlier versions by their path.
    known = recorded_identities(directory, kept)
    may_change = (*MAY_CHANGE, *(experiment.places if known and all(known) else ()))
    changed = [
        f"{name} was {old!r}, asked {new!r}"
        for name, old, new in differences(to_dict(recorded), to_dict(experiment))
        if name not in may_change
    ]
    if changed:
        raise ValueError(
            f"{directory} cannot be resumed with a changed experiment: {'; '.join(changed)}"
        )
    done = record.newest_step(directory)
    if done >= experiment.steps:
        raise ValueError(
            f"{directory} has done {done} of {experiment.steps} steps; ask for more with --steps"
        )
    read_metrics(directory)  # What is damaged is refused before anything is written.
    read_digests(directory)
    now = record.environment()
    for name, old, new in differences({name: kept.get(name) for name in now}, now):
        warnings.warn(
            f"{directory} ran with {name} {old}, now {new}: bits may differ", stacklevel=2
        )


def _run(
    trainer: Trainer,
    directory: Path,
    reporter: loop.Reporter | None,
    on_restored: Callable[[int], None],
) -> TrainingState:
    with kept_programs(directory):
        if reporter is not None:
            return loop.train(trainer, directory, reporter, on_restored)
        with Display(trainer.experiment.steps) as display:

            def begin(step: int) -> None:  # Nothing is said, or written, of a run that is refused.
                on_restored(step)
                display.writer = tensorboard(directory, step)
                display.say(opening(trainer, directory))

            return loop.train(trainer, directory, display, begin)


def opening(trainer: Trainer, directory: Path) -> str:
    """The first line of a run: where it lies, its data, and the size of every side."""
    program = trainer.programs[-1]
    sizes = [
        f"{name} {parameter_count(params):,} parameters"
        for name, params in program.abstract.params.items()
    ]
    return f"{directory}: {amount(program.source)}, {', '.join(sizes)}"


def amount(source: Any) -> str:
    """How much data a source holds, in words."""
    return getattr(source, "amount", None) or f"{len(source):,} samples"


def tensorboard(directory: Path, step: int) -> Any:
    """A writer of TensorBoard logs where the extra `tensorboard` is installed, else None.

    Args:
      directory: of the run.
      step: where it goes on; what was logged beyond it is hidden, as it is written again.
    """
    if not is_first():
        return None
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1)
