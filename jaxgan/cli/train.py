"""`jaxgan train`: a new run of an experiment."""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxgan.cli.arguments import complain, leading_path, parse, read_file
from jaxgan.cli.choosing import GeneratorChoice, load_chosen

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from collections.abc import Callable

    from jaxgan.experiment.base import BaseExperiment
    from jaxgan.training.state import TrainingState
    from jaxgan.training.trained import Run
    from jaxgan.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    out: Path | None = None
    """Run directory to make; by default runs/<name>/<time>."""
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Run whose weights to begin with; without EXPERIMENT.py its options are taken over too."""
    step: int | None = None
    """Checkpoint of that run to take; the newest by default."""
    best: bool = False
    """Take its best checkpoint."""
    optimizer_states: bool = False
    """Take over the states of its optimisers too."""


def train(args: list[str]) -> int:
    """`jaxgan train [EXPERIMENT.py] [--from RUN] [--out RUN] [options of the experiment]`."""
    from jaxgan.experiment import DIGITS
    from jaxgan.training import launch

    file = leading_path(args)
    default = read_file(file) if file else _options_of(args) or DIGITS
    fields: list[Any] = [
        ("options", Annotated[TrainOptions, tyro.conf.arg(name="")]),
        (
            "experiment",
            Annotated[type(default), tyro.conf.arg(name="")],
            dataclasses.field(default=default),
        ),
    ]
    both = parse(
        dataclasses.make_dataclass("Train", fields),
        args,
        "train [EXPERIMENT.py]",
        "Trains the experiment of a Python file, or without one the embedded digits. --from RUN "
        "begins with the weights of another run.",
    )
    options, experiment = both.options, both.experiment
    run = _run_to_start_from(options)
    states = options.optimizer_states
    return finish(lambda: launch.start(experiment, options.out, None, run, states))


def _options_of(args: list[str]) -> "BaseExperiment | None":
    """The experiment of the run that `--from` names."""
    from jaxgan.runs.record import read

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--from", dest="run", type=Path)
    try:
        run = parser.parse_known_args(args)[0].run
    except argparse.ArgumentError:
        return None  # Nothing follows, which is refused with all the others.
    return read(run)[0] if run else None


def _run_to_start_from(options: TrainOptions) -> "Run | None":
    if options.start_from is not None:
        step, best = options.step, options.best
        return load_chosen(GeneratorChoice(run=options.start_from, step=step, best=best))
    for name in ("step", "best", "optimizer_states"):
        if getattr(options, name) is not getattr(TrainOptions(), name):
            raise ValueError(f"--{name.replace('_', '-')} goes with --from RUN")
    return None


def finish(work: "Callable[[], tuple[Path, Trainer, TrainingState]]") -> int:
    """Does the training, and says how it ended."""
    from jaxgan.runs.log import SEEN, read_metrics
    from jaxgan.runs.summary import course
    from jaxgan.training.loop import Halted, Lost
    from jaxgan.training.output import lasting_output

    with lasting_output():
        try:
            directory, trainer, state = work()
        except Lost as error:
            return complain(
                f"another process is gone ({error}); what was saved is whole, go on with all of "
                "them: jaxgan resume RUN",
                1,
            )
        except Halted as error:
            return complain(str(error), 1)
        experiment = trainer.experiment
        if state.step == experiment.steps:
            print(f"done after {experiment.steps:,} steps: {directory}")
            spec = trainer.programs[-1].source.spec
            if sentence := course(experiment, spec, read_metrics(directory, SEEN)):
                print(sentence)
    return 0
