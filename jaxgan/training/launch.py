"""Starting runs and resuming them: what the Python door and the command line both do."""

import dataclasses
import shlex
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jaxgan.devices.compilation import kept_programs
from jaxgan.devices.distributed import from_first, together
from jaxgan.devices.sharding import described
from jaxgan.experiment.base import BaseExperiment, named
from jaxgan.files import expanded
from jaxgan.networks import parameter_count
from jaxgan.options import differences, to_dict
from jaxgan.runs import record
from jaxgan.runs.data import (
    check_data,
    identities_of,
    recorded_identities,
    refuse_inside,
    to_record,
)
from jaxgan.runs.log import check_metrics, read_digests
from jaxgan.training import loop, reporters, warm
from jaxgan.training.output import lasting_output
from jaxgan.training.progress import Display
from jaxgan.training.state import TrainingState
from jaxgan.training.trained import Run, load
from jaxgan.training.trainer import Trainer, make_trainer
from jaxgan.working import working

MAY_CHANGE = (
    "steps",
    "steps_per_call",
    "shard_parameters",
    "log_every",
    "sample_every",
    "checkpoint_every",
    "evaluate_every",
)
"""Options that a resumed run may change, besides where its data lie (`BaseExperiment.places`)."""


def train(
    experiment: BaseExperiment,
    out: str | Path | None = None,
    *,
    start_from: Run | None = None,
    optimizer_states: bool = False,
    reporter: loop.Reporter | None = None,
    log: Sequence[str] = (),
) -> Run:
    """Trains an experiment into a run directory, as `jaxgan train` does.

    Args:
      experiment: what to run.
      out: the directory to make; by default runs/<name>/<time>.
      start_from: a run whose weights, and their average, the new one begins with (`training.warm`):
        `load("runs/mine")`, or of another checkpoint `load("runs/mine", best=True)`. What does not
        fit starts afresh, with a warning that names it.
      optimizer_states: take over those of its optimisers too.
      reporter: told of progress; by default a bar in a terminal or notebook, lines elsewhere.
      log: where to log besides the directory, such as `("tensorboard", "wandb")`, each by the extra
        of its name. It changes nothing of the run.

    Returns:
      The run, by its newest checkpoint.

    Raises:
      ValueError: when options, data and networks do not fit, a learning rate reaches 0 before the
        end, the directory is occupied, nothing of `start_from` fits, or a log cannot be written;
        nothing is written then.
      Halted: when training cannot go on; `Diverged` where a number is not finite.
    """
    if optimizer_states and start_from is None:
        raise ValueError("optimizer_states are those of a run: name it by start_from")
    directory, _, _ = start(experiment, out, reporter, start_from, optimizer_states, log=log)
    return load(directory)


def resume(
    directory: str | Path,
    *,
    reporter: loop.Reporter | None = None,
    from_start: bool = False,
    log: Sequence[str] | None = None,
    **changes: Any,
) -> Run:
    """Resumes a run from its newest checkpoint, as `jaxgan resume` does.

    Args:
      directory: of the run.
      reporter: as `train`.
      from_start: begin anew, from the same key, where no checkpoint was saved yet.
      log: as `train`; by default where the run was logged before.
      **changes: new values of options; only `MAY_CHANGE` may differ, and for the same data where
        they lie now, such as `data="/new/photos"`.

    Raises:
      ValueError: for other changes, for a run that is done, and for one without a checkpoint.
      Halted: when training cannot go on.
    """
    directory = Path(directory)
    recorded, _ = record.read(directory)
    experiment = dataclasses.replace(recorded, **changes)
    go_on(directory, experiment, reporter, from_start=from_start, log=log)
    return load(directory)


def start(
    experiment: BaseExperiment,
    out: str | Path | None,
    reporter: loop.Reporter | None = None,
    start_from: Run | None = None,
    optimizer_states: bool = False,
    display: Callable[[int], Display] = Display,
    log: Sequence[str] = (),
) -> tuple[Path, Trainer, TrainingState]:
    """What `train` does before it loads the run: the directory, the trainer and the last state."""
    experiment = named(experiment.resolved())
    stamp = time.strftime("%Y%m%d-%H%M%S")
    directory = expanded(out) if out is not None else Path("runs") / experiment.name / stamp
    # Runs that begin in one second ask for one name, and get different ones when they make it.
    if out is None:
        from_first(lambda: record.refuse_unwritable(directory))
    else:
        from_first(lambda: record.refuse_occupied(directory))
    from_first(lambda: reporters.check(log))
    with working("preparing data and networks"):
        trainer = together(lambda: make_trainer(experiment))
    experiment.check_length()
    sources = [program.source for program in trainer.programs]
    data = together(lambda: identities_of(sources))
    from_first(lambda: refuse_inside(directory, data))
    specs = [source.spec for source in sources]

    begun = None
    if start_from is not None:
        begun = together(lambda: warm.begin(trainer, start_from, optimizer_states))

    def create() -> str:
        origin = begun and begun.to_record()
        made = record.create(
            *(directory, experiment, specs, to_record(data), origin), or_next=out is None
        )
        return str(made)

    directory = Path(from_first(create))  # Of one clock.
    if out is None:
        from_first(lambda: record.mark_latest(directory))
    if begun is not None:
        warm.keep(directory, trainer, begun)
    return directory, trainer, _run(trainer, directory, reporter, display, log, lambda step: None)


def go_on(
    directory: Path,
    experiment: BaseExperiment,
    reporter: loop.Reporter | None = None,
    *,
    from_start: bool = False,
    display: Callable[[int], Display] = Display,
    log: Sequence[str] | None = None,
) -> tuple[Trainer, TrainingState]:
    """What `resume` does before it loads the run: the trainer and the last state."""
    experiment = named(experiment.resolved())
    kept = refuse_changes(directory, experiment)
    folder = directory / "checkpoints"
    if not from_start and not record.newest_step(directory) and not folder.is_file():
        raise ValueError(
            f"{directory} has no checkpoint to go on from; begin it anew, from the same key, with "
            "--from-start"
        )
    logs = reporters.logged_before(directory) if log is None else log
    from_first(lambda: reporters.check(logs))
    with working("preparing data and networks"):
        trainer = together(lambda: make_trainer(experiment))
    sources = [program.source for program in trainer.programs]
    data = to_record(together(lambda: check_data(directory, kept, sources)))
    state = _run(
        trainer,
        directory,
        reporter,
        display,
        logs,
        lambda step: record.prolong(directory, experiment, data, step),
    )
    return trainer, state


def refuse_changes(directory: Path, experiment: BaseExperiment) -> dict[str, Any]:
    """Refuses to resume a run that is done, damaged, or asked to be another experiment.

    Warns where versions or devices are others than when it began.

    Returns:
      The run's record.

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
            f"{directory} cannot be resumed with a changed experiment: {'; '.join(changed)}; a new "
            f"run can begin with its weights: jaxgan train --from {shlex.quote(str(directory))}"
        )
    done, spec = record.newest_step(directory), record.recorded_specs(directory, kept)[-1]
    if done >= experiment.steps and not loop.owes_evaluation(directory, experiment, spec, done):
        raise ValueError(
            f"{directory} has done {done} of {experiment.steps} steps; ask for more with --steps"
        )
    try:
        experiment.check_length()
    except ValueError as error:
        raise ValueError(
            f"{directory} cannot go on to step {experiment.steps}: {error}; or begin a new run "
            f"with its weights: jaxgan train --from {shlex.quote(str(directory))}"
        ) from None
    check_metrics(directory)  # What is damaged is refused before anything is written.
    read_digests(directory)
    now = record.environment()
    for name, old, new in differences({name: kept.get(name) for name in now}, now):
        warnings.warn(
            f"{directory} ran with {name} {old}, now {new}: bits may differ", stacklevel=2
        )
    return kept


def _run(
    trainer: Trainer,
    directory: Path,
    reporter: loop.Reporter | None,
    display: Callable[[int], Display],
    log: Sequence[str],
    on_restored: Callable[[int], None],
) -> TrainingState:
    experiment = trainer.experiment
    with kept_programs(directory), ExitStack() as stack:
        shown = None
        if reporter is None:
            stack.enter_context(lasting_output())
            reporter = shown = stack.enter_context(display(experiment.steps))
        logs = stack.enter_context(reporters.Logs(reporter, directory))

        def begin(step: int) -> None:  # Nothing is said, or written, of a run that is refused.
            on_restored(step)
            if shown is not None:
                shown.say(described(trainer.mesh))
                shown.say(opening(trainer, directory))
            logs.begin(log, experiment, step)

        return loop.train(trainer, directory, logs, begin)


def opening(trainer: Trainer, directory: Path) -> str:
    """The first lines of a run: where it lies, its data, and the size of every side."""
    program, experiment = trainer.programs[-1], trainer.experiment
    source = program.source
    seen = program.images_seen(experiment.steps) / len(source)
    data = f"{amount(source)}, each seen {seen:,.{0 if seen >= 10 else 1}f} times"
    if experiment.image_size and getattr(source.spec, "is_image", False):
        data += ", the middle square of each at that size"
    sizes = [
        f"{name} {parameter_count(params):,} parameters"
        for name, params in program.abstract.params.items()
    ]
    return "\n".join([f"{directory}: {data}", ", ".join(sizes), *experiment.remarks(source)])


def amount(source: Any) -> str:
    """How much data a source holds, in words."""
    return getattr(source, "amount", None) or f"{len(source):,} samples"
