"""The loop around the train step: indices in; scalars, pictures and checkpoints out.

The loop owns no mathematics and prints nothing: what it has to say goes to a `Reporter`. All that
it writes is a function of the experiment, so a killed and resumed run leaves the same files.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data import PairSource
from jaxgan.devices import distributed
from jaxgan.devices.sharding import local
from jaxgan.evaluation.evaluator import Evaluator, make_evaluator
from jaxgan.experiment.folders import make_panel
from jaxgan.experiment.generation import BaseExperiment, Experiment
from jaxgan.experiment.sampling import make_preview, measure_diversity
from jaxgan.imaging import NotFinite, save_curves
from jaxgan.networks import Variables
from jaxgan.runs import record as run
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.state import GANState
from jaxgan.training.trainer import Trainer
from jaxgan.types import Array, PyTree

DIGEST_STEPS = (1, 10, 100)
"""After these steps a digest of both sides' parameters is recorded, for `verify`."""


class Reporter(Protocol):
    """Where the loop's news go."""

    def step(self, step: int) -> None:
        """So many steps were started; called after each call of the device."""

    def log(self, step: int, scalars: dict[str, float]) -> None:
        """The scalars of a finished step, at each log interval."""

    def say(self, message: str) -> None:
        """A sentence for the person who waits."""


class Halted(RuntimeError):
    """Training cannot go on. All that was saved before is whole, and a run can be resumed."""


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
    experiment: BaseExperiment, trainer: Trainer, directory: Path, reporter: Reporter
) -> GANState:
    """Trains until `experiment.steps`, from the newest checkpoint if there is one.

    The first SIGINT or SIGTERM lets the call under way finish, saves a checkpoint and ends the
    loop as if it were done; a second one acts as it would without this function. A checkpoint
    saved off schedule is never ranked, so that the run goes on as if it had not been stopped.

    Args:
      experiment: what to run.
      trainer: made from the experiment.
      directory: a run directory (`run.create`).
      reporter: told of progress.

    Returns:
      The last state.

    Raises:
      Diverged: on the first scalar or array that is not finite. Such a state is never saved.
      Halted: when a file cannot be written or read any more, such as on a full disk.
      Lost: when another process is gone.
      ValueError: when another process trains in the directory, or what it holds cannot be read.
    """
    # Both are made when first asked for: they compile, and one may have to fit a classifier.
    preview = cache(lambda: _preview(experiment, trainer))
    evaluator = cache(lambda: _evaluator(experiment, trainer))
    log = _Log(experiment, trainer.scalar_names, directory, reporter)
    with ExitStack() as stack:
        distributed.from_first(lambda: stack.enter_context(run.lock(directory)))
        stopped = stack.enter_context(_stop_signals())
        checkpoints = stack.enter_context(Checkpoints(directory / "checkpoints", trainer.abstract))
        vote = distributed.make_vote(trainer.mesh)
        step, restored = checkpoints.restore() or (0, None)
        if restored is not None:
            reporter.say(f"resuming {directory} from step {step}")
        distributed.from_first(lambda: run.truncate_metrics(directory, step))
        last = step >= experiment.steps
        if not last:
            start = time.perf_counter()
            trainer.compile(restored is None)
            reporter.say(f"compiled in {time.perf_counter() - start:.1f} s")
        state = trainer.init() if restored is None else restored
        try:
            while not last:
                count = min(trainer.steps_per_call, _until_event(experiment, step))
                indices = np.stack([trainer.indices(step + index) for index in range(count)])
                state, vectors = trainer.steps(state, indices)
                log.settle()  # The call before, while this one runs.
                log.pending = step, count, vectors
                step += count
                reporter.step(step)
                if step in DIGEST_STEPS:
                    run.record_digest(directory, step, params_of(state))
                last = vote(stopped()) or step >= experiment.steps
                sampling = step % experiment.sample_every == 0
                on_schedule = step % experiment.checkpoint_every == 0
                every = experiment.evaluation_interval
                evaluating = every and step % every == 0
                if not (last or sampling or on_schedule or evaluating):
                    continue
                scalars = log.settle()
                if not all_finite(state):
                    raise Diverged(step, "the update is not finite")
                # All processes do the same, so that none waits at the others' next step for long.
                if sampling:
                    picture = directory / "samples" / f"step_{step:06d}.png"
                    variety = preview()(
                        local(state.ema), picture if distributed.is_first() else None
                    )
                    if variety:
                        run.append_metrics(directory, {"step": step, **variety})
                if evaluating:
                    quality = evaluator().measure(local(state.ema))
                    quality = distributed.as_first(quality)
                    run.append_metrics(directory, {"step": step, **quality})
                    reporter.say(f"step {step}: " + describe(quality))
                    scalars |= quality
                if last or on_schedule:
                    value = scalars.get(experiment.best_metric or "") if on_schedule else None
                    checkpoints.save(step, state, value)
            draw_curves(directory)
            checkpoints.wait()
        except (Diverged, NotFinite) as found:
            error = found if isinstance(found, Diverged) else Diverged(step, f"samples: {found}")
            checkpoints.wait()
            run.append_metrics(directory, {"step": error.step, "diverged": 1})
            reason = f"{error.reason}; {_whereabouts(state, checkpoints)}"
            raise Diverged(error.step, reason) from None
        except jax.errors.JaxRuntimeError as error:
            if jax.process_count() == 1:
                raise
            raise Lost(str(error).strip().splitlines()[0]) from error
        except OSError as error:
            if jax.process_count() == 1:  # Others may wait for this one's next step.
                with suppress(OSError):  # The save under way may still succeed.
                    checkpoints.wait()
            raise Halted(_stopped_by(error, step, directory)) from error
    if step < experiment.steps:
        reporter.say(
            f"stopped at step {step} of {experiment.steps} and saved; "
            f"go on with: jaxgan resume {directory}"
        )
    return state


def _stopped_by(error: OSError, step: int, directory: Path) -> str:
    where = f"{error.filename}: " if error.filename else ""
    saved = run.newest_step(directory)
    kept = f"step {saved} is saved" if saved else "nothing was saved before"
    return (
        f"stopped after step {step}: {where}{error.strerror or error}; {kept}, "
        f"go on with: jaxgan resume {directory}"
    )


def _preview(
    experiment: BaseExperiment, trainer: Trainer
) -> Callable[[Variables, Path | None], dict[str, float]]:
    """Draws samples, and measures how varied they are where they come from latents."""
    source = trainer.source
    if isinstance(source, PairSource):
        panel = make_panel(source, trainer.game)

        def draw(variables: Variables, path: Path | None) -> dict[str, float]:
            if path is not None:
                panel(variables, path)
            return {}

        return draw
    assert isinstance(experiment, Experiment)
    preview = make_preview(experiment, source.spec, trainer.game, trainer.root_key)
    return lambda variables, path: measure_diversity(preview(variables, path), source)


def _evaluator(experiment: BaseExperiment, trainer: Trainer) -> Evaluator:
    source = trainer.source
    assert isinstance(experiment, Experiment)
    assert not isinstance(source, PairSource)
    return make_evaluator(experiment, source, trainer.game, trainer.root_key)


def _until_event(experiment: BaseExperiment, step: int) -> int:
    """Steps up to and with the next after which the loop has something to do."""
    intervals = (
        experiment.log_every,
        experiment.sample_every,
        experiment.checkpoint_every,
        experiment.evaluation_interval,
    )
    ends = [experiment.steps, *(end for end in DIGEST_STEPS if end > step)]
    return min(*(end - step for end in ends), *(n - step % n for n in intervals if n))


class _Log:
    """Scalars, fetched one call late so that the device has the next one to work on.

    Attributes:
      pending: the step before a call, its number of steps and their scalars, not fetched yet.
    """

    def __init__(
        self, experiment: BaseExperiment, names: list[str], directory: Path, reporter: Reporter
    ) -> None:
        self.pending: tuple[int, int, Array] | None = None
        self._names, self._directory, self._reporter = names, directory, reporter
        self._every = experiment.log_every
        self._images_per_step = experiment.batch_size * experiment.discriminator_steps

    def settle(self) -> dict[str, float]:
        """Fetches the pending scalars, stops at a bad one, and logs the last step's when due."""
        if self.pending is None:
            return {}
        (step, count, vectors), self.pending = self.pending, None
        rows = np.asarray(vectors)[:count]
        for row, column in np.argwhere(~np.isfinite(rows)):  # The first of them ends the run.
            raise Diverged(int(step + row + 1), f"{self._names[column]} is {rows[row, column]}")
        step += count
        scalars = dict(zip(self._names, rows[-1].tolist(), strict=True))
        if step % self._every == 0:
            line = {"step": step, "images_seen": step * self._images_per_step, **scalars}
            run.append_metrics(self._directory, line)
            self._reporter.log(step, scalars)
        return scalars


def draw_curves(directory: Path) -> bool:
    """Draws all of metrics.jsonl over the steps as curves.png; False when nothing is logged."""
    if not distributed.is_first():
        return False
    lines = run.read_metrics(directory)
    hidden = ("images_seen", "diverged")
    names = dict.fromkeys(name for line in lines for name in line if name not in hidden)
    if len(names) < 2:
        return False
    columns = {name: [line.get(name) for line in lines] for name in names}
    save_curves(directory / "curves.png", columns)
    return True


def params_of(state: GANState) -> PyTree:
    """Both sides' trained parameters: what digests are taken of."""
    return {
        "generator": state.generator.variables.params,
        "discriminator": state.discriminator.variables.params,
    }


def describe(scalars: dict[str, float]) -> str:
    """`name value, ...` for a person."""
    return ", ".join(f"{name} {value:.4g}" for name, value in scalars.items())


@jax.jit
def all_finite(tree: PyTree) -> Array:
    """Whether every number in a pytree is finite."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _whereabouts(state: GANState, checkpoints: Checkpoints) -> str:
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


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Turns the first SIGINT or SIGTERM into a question; the next one acts as it always does."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()

    before = {n: signal.signal(n, remember) for n in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield lambda: bool(received)
    finally:
        restore()
