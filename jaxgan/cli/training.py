"""`jaxgan train`, `resume` and `verify`."""

import dataclasses
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxgan.cli.arguments import complain, leading_path, parse, read_file

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.data import PairSource, PairSpec, Source, Spec
    from jaxgan.experiment.generation import BaseExperiment
    from jaxgan.training.trainer import Trainer


def train(args: list[str]) -> int:
    """`jaxgan train [EXPERIMENT.py] [--out RUN] [options of the experiment]`."""
    from jaxgan.devices.distributed import from_first
    from jaxgan.experiment.generation import DIGITS
    from jaxgan.runs import record as run

    file = leading_path(args)
    default = read_file(file) if file else DIGITS
    where = "Run directory to make; by default runs/<name>/<time>."
    fields: list[Any] = [
        (
            "experiment",
            Annotated[type(default), tyro.conf.arg(name="")],
            dataclasses.field(default=default),
        ),
        (
            "out",
            Annotated[Path | None, tyro.conf.arg(help=where)],
            dataclasses.field(default=None),
        ),
    ]
    options = parse(
        dataclasses.make_dataclass("Train", fields),
        args,
        "train [EXPERIMENT.py]",
        "Trains the experiment of a Python file, or without one the embedded digits.",
    )
    experiment = options.experiment.resolved()
    directory = options.out or Path("runs") / experiment.name / time.strftime("%Y%m%d-%H%M%S")
    directory = Path(from_first(lambda: str(directory)))  # Of one clock.
    from_first(lambda: run.refuse_occupied(directory))
    return _train(experiment, directory, lambda spec: run.create(directory, experiment, file, spec))


def resume(args: list[str]) -> int:
    """`jaxgan resume RUN [EXPERIMENT.py] [options]`: options may prolong the run, not change it."""
    from jaxgan.experiment.generation import Experiment
    from jaxgan.options import differences, to_dict
    from jaxgan.runs import record as run

    directory = leading_path(args)
    if directory is None and not {"-h", "--help"} & set(args):
        raise ValueError("resume needs a run directory first: jaxgan resume RUN")
    recorded, record = run.load(directory) if directory else (Experiment(), {})
    file = leading_path(args)
    asked = read_file(file) if file else recorded
    experiment = parse(
        type(asked),
        args,
        "resume RUN [EXPERIMENT.py]",
        "Resumes a run. --steps may prolong it, --steps-per-call and --shard-parameters change.",
        default=asked,
    )
    assert directory is not None
    experiment = experiment.resolved()
    changed = [
        f"{name} was {old!r}, asked {new!r}"
        for name, old, new in differences(to_dict(recorded), to_dict(experiment))
        if name not in ("steps", "steps_per_call", "shard_parameters")
    ]
    if changed:
        raise ValueError(
            f"{directory} cannot be resumed with a changed experiment: {'; '.join(changed)}"
        )
    done = run.newest_step(directory)
    if done >= experiment.steps:
        raise ValueError(
            f"{directory} has done {done} of {experiment.steps} steps; ask for more with --steps"
        )
    run.read_metrics(directory)  # What is damaged is refused before anything is written.
    run.read_digests(directory)
    now = run.environment()
    for name, old, new in differences({name: record.get(name) for name in now}, now):
        warnings.warn(
            f"{directory} ran with {name} {old}, now {new}: bits may differ", stacklevel=1
        )
    return _train(experiment, directory, lambda spec: run.prolong(directory, experiment))


def _train(
    experiment: "BaseExperiment",
    directory: Path,
    write_record: Callable[["Spec | PairSpec"], None],
) -> int:
    from rich.console import Console

    from jaxgan.devices.compilation import kept_programs
    from jaxgan.devices.distributed import from_first, is_first, together
    from jaxgan.networks import parameter_count
    from jaxgan.runs.record import read_metrics
    from jaxgan.runs.summary import course
    from jaxgan.training.checkpoints import refuse_unreadable
    from jaxgan.training.loop import Halted, Lost
    from jaxgan.training.loop import train as run_loop
    from jaxgan.training.progress import Display
    from jaxgan.training.trainer import make_trainer

    trainer = together(lambda: make_trainer(experiment))
    together(lambda: refuse_unreadable(directory / "checkpoints", trainer.abstract))
    from_first(lambda: write_record(trainer.source.spec))
    sizes = [
        f"{side} {parameter_count(state.variables.params):,} parameters"
        for side, state in (
            ("generator", trainer.abstract.generator),
            ("discriminator", trainer.abstract.discriminator),
        )
    ]
    images_per_step = experiment.batch_size * experiment.discriminator_steps
    try:
        writer = _tensorboard(directory) if is_first() else None
        with Display(experiment.steps, images_per_step, Console(), writer) as display:
            display.say(f"{directory}: {_amount(trainer.source)}, {', '.join(sizes)}")
            with kept_programs(directory):
                state = run_loop(experiment, trainer, directory, display)
    except Lost as error:
        return complain(
            f"another process is gone ({error}); what was saved is whole, go on with all of them: "
            f"jaxgan resume {directory}",
            1,
        )
    except Halted as error:
        return complain(str(error), 1)
    if state.step == experiment.steps:
        print(f"done after {experiment.steps:,} steps: {directory}")
        if sentence := course(experiment, trainer.source.spec, read_metrics(directory)):
            print(sentence)
    return 0


def _amount(source: "Source | PairSource") -> str:
    from jaxgan.data import PairSource

    if isinstance(source, PairSource):
        return f"{len(source.x):,} and {len(source.y):,} images"
    return f"{len(source):,} samples"


def _tensorboard(directory: Path) -> Any:
    """A writer of TensorBoard logs where the extra `tensorboard` is installed, else None."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory / "tensorboard"))


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    steps: int = 100
    """Repeat at most so many steps."""


def verify(args: list[str]) -> int:
    """`jaxgan verify RUN`: exit code 0 when all digests agree, 1 when one differs."""
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.options import differences
    from jaxgan.runs import record as run
    from jaxgan.training.trainer import make_trainer

    options = parse(
        VerifyOptions,
        args,
        "verify",
        "Repeats a run's first steps from its key. Exit code 1: the parameters differ.",
    )
    experiment, record = run.load(options.run)
    recorded = {int(step): digest for step, digest in run.read_digests(options.run).items()}
    chosen = sorted(step for step in recorded if step <= options.steps)
    if not chosen:
        raise ValueError(
            f"{options.run} recorded no digest within {options.steps} steps; it has digests "
            f"after steps: {sorted(recorded) or 'none'}"
        )
    trainer = make_trainer(experiment)
    with kept_programs(options.run):
        differs = _first_difference(trainer, {step: recorded[step] for step in chosen})
    if differs is not None:
        now = run.environment()
        changed = differences({name: record.get(name) for name in now}, now)
        reasons = [f"{name} was {old}, is {new}" for name, old, new in changed]
        print(f"parameters differ after step {differs}; {'; '.join(reasons) or 'same device'}")
        return 1
    print(f"parameters agree to the bit after steps {', '.join(map(str, chosen))}")
    return 0


def _first_difference(trainer: "Trainer", digests: dict[int, str]) -> int | None:
    """Trains from the start; the first step after which the parameters' digest is another."""
    from jaxgan.runs.record import digest
    from jaxgan.training.loop import params_of

    trainer.compile(True)
    state = trainer.init()
    for step in range(max(digests)):
        state, _ = trainer.steps(state, trainer.indices(step)[None])
        if step + 1 in digests and digest(params_of(state)) != digests[step + 1]:
            return step + 1
    return None
