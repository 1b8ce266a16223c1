"""`jaxgan resume`: a run goes on."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import tyro

from jaxgan.cli.arguments import leading_path, parse_both, read_file
from jaxgan.cli.train import finish

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.experiment.base import BaseExperiment


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    from_start: bool = False
    """Begin anew, from the same key, where no checkpoint was saved yet."""


def resume(args: list[str]) -> int:
    """`jaxgan resume RUN [EXPERIMENT.py] [options]`: options may prolong the run, not change it."""
    from jaxgan.experiment import Experiment
    from jaxgan.runs.record import read
    from jaxgan.training import launch

    helps = {"-h", "--help"} & set(args)
    directory = leading_path(args)
    if directory is None and not helps:
        raise ValueError("resume needs a run directory first: jaxgan resume RUN")
    recorded = read(directory)[0] if directory else Experiment()
    file = leading_path(args)
    asked = read_file(file) if file else recorded
    options, experiment = parse_both(
        ResumeOptions,
        changeable(asked) if helps else asked,
        args,
        "resume RUN [EXPERIMENT.py]",
        "Resumes a run. It can be prolonged, and what it writes can change; its data may lie "
        "elsewhere. For all else, begin a new run with its weights: jaxgan train --from RUN.",
    )
    assert directory is not None
    return finish(
        lambda: (directory, *launch.go_on(directory, experiment, from_start=options.from_start))
    )


def changeable(experiment: "BaseExperiment") -> Any:
    """The experiment as a class whose help shows what a resumed run may change, and no more."""
    from jaxgan.training.launch import MAY_CHANGE

    kind, shown = type(experiment), (*MAY_CHANGE, *experiment.places)
    hints = get_type_hints(kind, include_extras=True)
    values = {entry.name: getattr(experiment, entry.name) for entry in dataclasses.fields(kind)}
    hide: Any = tyro.conf.Suppress
    hidden: list[Any] = [
        (name, hide[hints[name]], dataclasses.field(default=value))
        for name, value in values.items()
        if name not in shown
    ]
    return dataclasses.make_dataclass(kind.__name__, hidden, bases=(kind,), frozen=True)(**values)
