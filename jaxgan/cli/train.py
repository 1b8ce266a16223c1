"""`jaxgan train`: a new run of an experiment."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxgan.cli.arguments import complain, leading_path, parse, read_file

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from collections.abc import Callable

    from jaxgan.training.state import TrainingState
    from jaxgan.training.trainer import Trainer


def train(args: list[str]) -> int:
    """`jaxgan train [EXPERIMENT.py] [--out RUN] [options of the experiment]`."""
    from jaxgan.experiment import DIGITS
    from jaxgan.training import trained

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
    return finish(lambda: trained.start(options.experiment, options.out))


def finish(work: "Callable[[], tuple[Path, Trainer, TrainingState]]") -> int:
    """Does the training, and says how it ended."""
    from jaxgan.runs.log import read_metrics
    from jaxgan.runs.summary import course
    from jaxgan.training.loop import Halted, Lost

    try:
        directory, trainer, state = work()
    except Lost as error:
        return complain(
            f"another process is gone ({error}); what was saved is whole, go on with all of them: "
            "jaxgan resume RUN",
            1,
        )
    except Halted as error:
        return complain(str(error), 1)
    experiment = trainer.experiment
    if state.step == experiment.steps:
        print(f"done after {experiment.steps:,} steps: {directory}")
        spec = trainer.programs[-1].source.spec
        if sentence := course(experiment, spec, read_metrics(directory)):
            print(sentence)
    return 0
