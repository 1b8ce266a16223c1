"""The loop around the train step: indices in; scalars, pictures and checkpoints out.

The loop owns no mathematics and prints nothing: what it has to say goes to a `Reporter`. All that
it writes is a function of the experiment, so a killed and resumed run leaves the same files.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import run
from jaxgan.evaluation import Evaluator, make_evaluator
from jaxgan.experiment import Experiment
from jaxgan.imaging import save_curves
from jaxgan.sampling import make_preview
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.state import GANState
from jaxgan.training.trainer import Trainer
from jaxgan.types import Array, PyTree

DIGEST_STEPS = (1, 10, 100)
"""After these steps a digest of both sides' parameters is recorded, for `verify`."""


class Reporter(Protocol):
    """Where the loop's news go."""

    def step(self, step: int) -> None:
        """So many steps were started; called after each."""

    def log(self, step: int, scalars: dict[str, float]) -> None:
        """The scalars of a finished step, at each log interval."""

    def say(self, message: str) -> None:
        """A sentence for the person who waits."""


class Diverged(RuntimeError):
    """Training met a number that is not finite."""


def train(
    experiment: Experiment, trainer: Trainer, directory: Path, reporter: Reporter
) -> GANState:
    """Trains until `experiment.steps`, from the newest checkpoint if there is one.

    SIGINT and SIGTERM let the step under way finish, save a checkpoint and end the loop.

    Args:
      experiment: what to run.
      trainer: made from the experiment.
      directory: a run directory (`run.create`).
      reporter: told of progress.

    Returns:
      The last state.

    Raises:
      Diverged: on the first scalar or array that is not finite. Such a state is never saved.
    """
    preview = make_preview(experiment, trainer.source.spec, trainer.game, trainer.root_key)
    evaluator: Evaluator | None = None
    with (
        Checkpoints(directory / "checkpoints", trainer.abstract) as checkpoints,
        _stop_signals() as stopped,
    ):
        step, state = checkpoints.restore() or (0, trainer.init())
        if step:
            reporter.say(f"resuming {directory} from step {step}")
        run.truncate_metrics(directory, step)
        pending: tuple[int, Array] | None = None

        def settle() -> dict[str, float]:
            """Fetches the pending scalars, logs them when due and stops at a bad one."""
            if pending is None:
                return {}
            done, vector = pending
            values = np.asarray(vector).tolist()
            scalars = dict(zip(trainer.scalar_names, values, strict=True))
            bad = next((name for name, value in scalars.items() if not np.isfinite(value)), None)
            if bad is not None:
                raise Diverged(_account(done, f"{bad} is {scalars[bad]}", state, checkpoints))
            if done % experiment.log_every == 0:
                images_seen = done * experiment.batch_size * experiment.discriminator_steps
                line = {"step": done, "images_seen": images_seen, **scalars}
                run.append_metrics(directory, line)
                reporter.log(done, scalars)
            return scalars

        while step < experiment.steps:
            state, vector = trainer.step(state, trainer.indices(step))
            settle()  # The step before, while this one runs.
            step, pending = step + 1, (step + 1, vector)
            reporter.step(step)
            last = step == experiment.steps or stopped()
            sampling = step % experiment.sample_every == 0
            saving = last or step % experiment.checkpoint_every == 0
            evaluating = bool(experiment.evaluate_every) and step % experiment.evaluate_every == 0
            if step in DIGEST_STEPS:
                run.record_digest(directory, step, params_of(state))
            if not (sampling or saving or evaluating):
                continue
            scalars = settle()
            pending = None
            if not all_finite(state):
                raise Diverged(_account(step, "the update is not finite", state, checkpoints))
            if sampling:
                preview(state.ema, directory / "samples" / f"step_{step:06d}.png")
            if evaluating:
                if evaluator is None:  # Not earlier: it may have to fit a classifier first.
                    evaluator = make_evaluator(
                        experiment, trainer.source, trainer.game, trainer.root_key
                    )
                quality = evaluator.measure(state.ema)
                run.append_metrics(directory, {"step": step, **quality})
                reporter.say(f"step {step}: " + describe(quality))
                scalars |= quality
            if saving:
                on_schedule = step % experiment.checkpoint_every == 0
                value = scalars.get(experiment.best_metric or "") if on_schedule else None
                checkpoints.save(step, state, value)
            if last:
                break
        draw_curves(directory)
        if step < experiment.steps:
            reporter.say(
                f"stopped at step {step} of {experiment.steps} and saved; "
                f"go on with: jaxgan resume {directory}"
            )
    return state


def draw_curves(directory: Path) -> None:
    """Draws all of metrics.jsonl over the steps as curves.png."""
    lines = run.read_metrics(directory)
    names = dict.fromkeys(name for line in lines for name in line if name != "images_seen")
    if lines:
        columns = {name: [line.get(name) for line in lines] for name in names}
        save_curves(directory / "curves.png", columns)


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


def _account(step: int, what: str, state: GANState, checkpoints: Checkpoints) -> str:
    bad = next(
        (
            jax.tree_util.keystr(path)
            for path, leaf in jax.tree_util.tree_leaves_with_path(state)
            if not np.isfinite(np.asarray(leaf)).all()
        ),
        "none yet",
    )
    saved = checkpoints.steps()
    good = f"{checkpoints.directory / str(saved[-1])}" if saved else "none"
    return (
        f"training diverged at step {step}: {what}; first array that is not finite: {bad}; "
        f"last good checkpoint: {good}"
    )


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Turns the first SIGINT or SIGTERM into a question; a second one acts as it always does."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
