"""The loop around the train step: indices in; scalars, pictures and checkpoints out.

The loop owns no mathematics and prints nothing: what it has to say goes to a `Reporter`. All that
it writes is a function of the experiment, so a killed and resumed run leaves the same files.
"""

import shlex
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.stages import Compiled

from jaxgan.devices import distributed
from jaxgan.devices.sharding import local
from jaxgan.evaluation import Evaluator
from jaxgan.experiment.base import BaseExperiment, Preview
from jaxgan.imaging import NotFinite
from jaxgan.runs import record
from jaxgan.runs.curves import draw_curves
from jaxgan.runs.log import (
    append_metrics,
    has_line,
    lost_lines,
    read_digests,
    record_digest,
    sync_metrics,
    truncate_metrics,
)
from jaxgan.runs.writing import DIGESTS, write_json
from jaxgan.training import warm
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.program import Program
from jaxgan.training.signals import Interrupted, Stop, stop_signals
from jaxgan.training.state import TrainingState
from jaxgan.training.trainer import Trainer
from jaxgan.types import Array, PyTree
from jaxgan.working import working

DIGEST_STEPS = (1, 10, 100)
"""After these steps a digest of all sides' parameters is recorded, for `verify`."""


class Reporter(Protocol):
    """Where the loop's news go."""

    def step(self, step: int) -> None:
        """This many steps were started; called after each call of the device."""

    def log(self, step: int, scalars: dict[str, float]) -> None:
        """The scalars of a finished step with its `images_seen`, at each log interval."""

    def say(self, message: str) -> None:
        """A sentence for the person who waits."""


class Halted(RuntimeError):
    """Training cannot go on. What was saved before is whole, and the run can be resumed."""


class Diverged(Halted):
    """Training met a number that is not finite.

    Args:
      step: after which it was met.
      reason: what is not finite.
    """

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"training diverged at step {step}: {reason}")
        self.step, self.reason = step, reason


class Lost(RuntimeError):
    """A step failed because another process is gone; nothing that all do together can end."""


def train(
    trainer: Trainer,
    directory: Path,
    reporter: Reporter,
    on_restored: Callable[[int], None] = lambda step: None,
) -> TrainingState:
    """Trains until `experiment.steps`, from the newest checkpoint if there is one.

    The first SIGINT, SIGTERM or SIGHUP lets the call under way finish, saves a checkpoint and ends
    the loop as if it were done; a second one acts as it would without this function. What is saved
    or evaluated off schedule is never ranked, so that the run goes on as if it had not been
    stopped. What is due after a step is saved before it is evaluated; of one process the first
    signal also ends an evaluation, which a resumed run then begins with.

    The last step is followed by a picture, and by an evaluation unless `evaluate_every` is 0, on
    schedule or not. Where not, a run that is prolonged takes them back.

    Args:
      trainer: made from the experiment.
      directory: a run directory (`record.create`).
      reporter: told of progress.
      on_restored: told by the first process, under the run's lock, of the step to go on from, once
        what is there was read and before anything is written.

    Returns:
      The last state.

    Raises:
      Diverged: on the first scalar or array that is not finite. Such a state is never saved.
      Halted: when a file cannot be written or read any more, such as on a full disk.
      Lost: when another process is gone.
      ValueError: when another process trains in the directory, or what it holds cannot be read.
    """
    experiment = trainer.experiment
    with ExitStack() as stack:
        distributed.from_first(lambda: stack.enter_context(record.lock(directory)))
        stop = stack.enter_context(stop_signals())
        checkpoints = stack.enter_context(
            Checkpoints(
                directory / "checkpoints",
                trainer.expected,
                higher_is_better=trainer.higher_is_better,
            )
        )
        run = _Run(trainer, directory, reporter, checkpoints)
        recorded, kept = record.read(directory)
        step, state = checkpoints.restore() or (0, warm.restore(directory, kept, trainer))
        distributed.from_first(lambda: on_restored(step))
        if lost := lost_lines(directory, step, record.log_intervals(kept)):
            warnings.warn(
                f"{directory / 'metrics.jsonl'} has no line of step {_some(lost)}: lost, as in a "
                "power cut; the run itself goes on unharmed",
                stacklevel=2,
            )
        if step:
            reporter.say(f"resuming {directory} from step {step}")
        elif state is not None:
            origin = kept["start"]
            reporter.say(f"begins with the weights of {origin['run']}, step {origin['step']}")
        distributed.from_first(lambda: _take_up(directory, step, recorded, trainer))
        if (directory / DIGESTS).exists():  # It may be empty, and a copy of it be known.
            write_json(directory / DIGESTS, read_digests(directory))
        try:
            step, state = _play(run, step, state, stop)
            with working("drawing curves"):
                draw_curves(directory)
            with working("saving the last checkpoint"):
                checkpoints.wait()
        except (Diverged, NotFinite) as found:
            at = run.step
            error = found if isinstance(found, Diverged) else Diverged(at, f"samples: {found}")
            checkpoints.wait()
            append_metrics(directory, {"step": error.step, "diverged": 1})
            reason = f"{error.reason}; {_whereabouts(run.state, checkpoints)}"
            raise Diverged(error.step, reason) from None
        except jax.errors.JaxRuntimeError as error:
            if jax.process_count() == 1:
                raise
            raise Lost(str(error).strip().splitlines()[0]) from error
        except OSError as error:
            if jax.process_count() == 1:  # Others may wait for this one's next step.
                with suppress(OSError):  # The save under way may still succeed.
                    checkpoints.wait()
            raise Halted(_stopped_by(error, run.step, directory)) from error
    if rest := unfinished(directory, experiment.steps, step, run.owes_evaluation):
        reporter.say(rest)
    return state


def unfinished(directory: Path, steps: int, step: int, owes_evaluation: bool) -> str:
    """What is said of a run that was stopped before its end; empty of one that was not."""
    if step >= steps and not owes_evaluation:
        return ""
    left = "; its evaluation is left" if owes_evaluation else ""
    return (
        f"stopped at step {step} of {steps} and saved{left}; "
        f"go on with: jaxgan resume {shlex.quote(str(directory))}"
    )


def _take_up(directory: Path, step: int, recorded: BaseExperiment, trainer: Trainer) -> None:
    """Drops what a run wrote beyond a step, and where it ended there and is prolonged, its end.

    What an end adds to the schedule, a run that was never stopped there has not.
    """
    ended = step == recorded.steps < trainer.experiment.steps
    every = recorded.evaluate_every
    sampled, evaluated = step % recorded.sample_every == 0, every and step % every == 0

    def at_the_end(line: dict[str, float]) -> bool:
        if line["step"] != step or "images_seen" in line or not ended:
            return False
        return not (sampled if line.keys().isdisjoint(trainer.evaluated) else evaluated)

    truncate_metrics(directory, step, at_the_end)
    if ended and not sampled:
        picture_of(directory, step).unlink(missing_ok=True)


def picture_of(directory: Path, step: int) -> Path:
    """Where the samples of a step are drawn."""
    return directory / "samples" / f"step_{step:06d}.png"


def owes_evaluation(directory: Path, experiment: BaseExperiment, spec: Any, step: int) -> bool:
    """Whether a run was stopped before the evaluation that was due after a step.

    Args:
      directory: of the run.
      experiment: of the run.
      spec: of its data.
      step: of its newest checkpoint.
    """
    if not step or not _evaluates(experiment, step):
        return False
    names = set(experiment.metric_names(spec))
    return bool(names) and not has_line(directory, step, names)


def _evaluates(experiment: BaseExperiment, step: int) -> bool:
    """Whether an evaluation is due after a step: at its interval, and after the last step."""
    every = experiment.evaluate_every
    return bool(every) and (step % every == 0 or step == experiment.steps)


class _Run:
    """A run under way: what its steps and its events share.

    Attributes:
      step: steps done, as far as the device has been called.
      state: after them.
      owes_evaluation: a signal came before the evaluation of this step was done.
    """

    def __init__(
        self, trainer: Trainer, directory: Path, reporter: Reporter, checkpoints: Checkpoints
    ) -> None:
        self.trainer, self.directory = trainer, directory
        self.reporter, self.checkpoints = reporter, checkpoints
        self.step = 0
        self.state: TrainingState | None = None
        self.owes_evaluation = False
        self.log = _Log(trainer.experiment, directory, reporter)
        # Both are made when first asked for: they compile, and one may have to fit a classifier.
        self.preview = cache(self._preview)
        self.evaluator = cache(self._evaluator)

    def _preview(self, phase: int) -> Preview:
        program = self.trainer.programs[phase]
        return program.experiment.preview(program.source, program.game, self.trainer.root_key)

    def _evaluator(self, phase: int) -> Evaluator:
        program = self.trainer.programs[phase]
        evaluator = program.experiment.evaluator(
            program.source, program.game, self.trainer.root_key
        )
        assert evaluator is not None  # `make_trainer` refused it.
        return evaluator


def _play(
    run: _Run, step: int, state: TrainingState | None, stop: Stop
) -> tuple[int, TrainingState]:
    """Plays the phases that are left; the steps done and the last state."""
    trainer, experiment = run.trainer, run.trainer.experiment
    vote, last = distributed.make_vote(trainer.mesh), step >= experiment.steps
    if state is not None and step:
        run.step, run.state, program = step, state, trainer.after(step)
        spec = program.source.spec
        owed = owes_evaluation(run.directory, experiment, spec, step)
        if distributed.as_first(owed):
            last = not _evaluate(run, program, stop) or last
    with ThreadPoolExecutor(1) as compiler:
        ahead: Future[Compiled] | None = None
        while not last:
            program = trainer.at(step)
            entering = step == program.place.first
            with working("compiling"):
                if ahead is not None:
                    ahead.result()
                program.compile(entering)
            if program is not trainer.programs[-1]:  # While this one trains.
                following = trainer.programs[program.place.number + 1]
                ahead = compiler.submit(following.compile, True)
            if entering and (step or state is None):  # A warm start is entered with its state.
                state = program.start(state)
            assert state is not None  # Restored, where a phase is not entered.
            while step < program.place.last and not last:
                count = min(program.steps_per_call, _until_event(experiment, program, step))
                state, vectors = program.steps(state, step, count)
                run.state = state  # The one before was donated.
                run.log.settle()  # The call before, while this one runs.
                run.log.pending = program, step, count, vectors
                step += count
                run.step = step
                run.reporter.step(step)
                last = vote(stop()) or step >= experiment.steps
                last = not _after(run, program, last, stop) or last
    if state is None:
        raise ValueError(f"{run.directory} has no checkpoint, and no step is left to train")
    return step, state


def _after(run: _Run, program: Program, last: bool, stop: Stop) -> bool:
    """What is due after a call: a digest, a picture, a checkpoint, an evaluation.

    Returns:
      Whether all of it was done; a signal may have ended the evaluation.
    """
    experiment, directory, step, state = run.trainer.experiment, run.directory, run.step, run.state
    assert state is not None
    if step in DIGEST_STEPS:
        record_digest(directory, step, state.params)
    sampling = step % experiment.sample_every == 0 or step == experiment.steps
    on_schedule = step % experiment.checkpoint_every == 0
    evaluating = _evaluates(experiment, step)
    if not (last or sampling or on_schedule or evaluating):
        return True
    scalars = run.log.settle()
    if not all_finite(state):
        raise Diverged(step, "the update is not finite")
    # All processes do the same, so that none waits at the others' next step for long.
    if sampling:
        picture = picture_of(directory, step)
        with working("drawing samples"):
            variety = run.preview(program.place.number)(
                local(state.ema), picture if distributed.is_first() else None
            )
        if variety:
            append_metrics(directory, {"step": step, **variety})
    if last or on_schedule:
        sync_metrics(directory)
        value = scalars.get(experiment.best_metric or "") if on_schedule else None
        with working("saving a checkpoint"):
            run.checkpoints.save(step, state, value)
    if not evaluating:
        return True
    done = _evaluate(run, program, stop)
    if not done and not (last or on_schedule):
        sync_metrics(directory)
        run.checkpoints.save(step, state)
    return done


def _evaluate(run: _Run, program: Program, stop: Stop) -> bool:
    """Evaluates the state, logs that and ranks its checkpoint; False: a signal ended it first."""
    experiment, directory, step, state = run.trainer.experiment, run.directory, run.step, run.state
    assert state is not None
    alone = jax.process_count() == 1  # Of several, the others would wait for this one.
    try:
        with working("evaluating"), stop.interrupts() if alone else nullcontext():
            quality = run.evaluator(program.place.number).measure(local(state.ema))
    except Interrupted:
        run.owes_evaluation = True
        return False
    quality = distributed.as_first(quality)
    value = quality.get(experiment.best_metric or "")
    on_schedule = step % experiment.evaluate_every == step % experiment.checkpoint_every == 0
    if value is not None and on_schedule:
        run.checkpoints.rank(step, value)
    append_metrics(directory, {"step": step, **quality})  # After the rank, which it vouches for.
    run.reporter.say(f"step {step}: " + describe(quality))
    return True


def _until_event(experiment: BaseExperiment, program: Program, step: int) -> int:
    """Steps up to and with the next after which the loop has something to do."""
    intervals = (
        experiment.log_every,
        experiment.sample_every,
        experiment.checkpoint_every,
        experiment.evaluate_every,
    )
    ends = [program.place.last, *(end for end in DIGEST_STEPS if end > step)]
    return min(*(end - step for end in ends), *(n - step % n for n in intervals if n))


class _Log:
    """Scalars, fetched one call late so that the device has the next one to work on.

    Attributes:
      pending: the program of a call, the step before it, its number of steps and their scalars, not
        fetched yet.
    """

    def __init__(self, experiment: BaseExperiment, directory: Path, reporter: Reporter) -> None:
        self.pending: tuple[Program, int, int, Array] | None = None
        self._directory, self._reporter = directory, reporter
        self._every = experiment.log_every

    def settle(self) -> dict[str, float]:
        """Fetches the pending scalars, stops at a bad one, and logs the last step's when due."""
        if self.pending is None:
            return {}
        (program, step, count, vectors), self.pending = self.pending, None
        names, rows = program.scalar_names, np.asarray(vectors)[:count]
        for row, column in np.argwhere(~np.isfinite(rows)):  # The first of them ends the run.
            raise Diverged(int(step + row + 1), f"{names[column]} is {rows[row, column]}")
        step += count
        scalars = dict(zip(names, rows[-1].tolist(), strict=True))
        if step % self._every == 0:
            line = {"step": step, "images_seen": program.images_seen(step), **scalars}
            append_metrics(self._directory, line)
            self._reporter.log(step, {name: line[name] for name in line if name != "step"})
        return scalars


def _some(steps: list[int]) -> str:
    """The first few names, in words."""
    first = ", ".join(map(str, steps[:3]))
    return first if len(steps) <= 3 else f"{first} and {len(steps) - 3} more"


def describe(scalars: dict[str, float]) -> str:
    """`name value, ...` for a person."""
    return ", ".join(f"{name} {value:.4g}" for name, value in scalars.items())


@jax.jit
def all_finite(tree: PyTree) -> Array:
    """Whether every number in a pytree is finite."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _stopped_by(error: OSError, step: int, directory: Path) -> str:
    where = f"{error.filename}: " if error.filename else ""
    saved = record.newest_step(directory)
    kept = f"step {saved} is saved" if saved else "nothing was saved before"
    return (
        f"stopped after step {step}: {where}{error.strerror or error}; {kept}, "
        f"go on with: jaxgan resume {shlex.quote(str(directory))}"
    )


def _whereabouts(state: TrainingState | None, checkpoints: Checkpoints) -> str:
    bad = next(
        (
            jax.tree_util.keystr(path).lstrip(".")
            for path, leaf in jax.tree_util.tree_leaves_with_path(state)
            if not np.isfinite(np.asarray(leaf)).all()
        ),
        "none yet",
    )
    saved = checkpoints.steps()
    good = checkpoints.directory / str(saved[-1]) if saved else "none"
    return f"first array that is not finite: {bad}; last good checkpoint: {good}"
