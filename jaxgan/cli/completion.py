"""`jaxgan completion SHELL`: a script that completes commands, options and experiments."""

import argparse
import dataclasses
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import tyro

from jaxgan.cli.arguments import parse
from jaxgan.cli.compare import CompareOptions, ListOptions
from jaxgan.cli.data import LookOptions
from jaxgan.cli.diagnose import DiagnoseOptions
from jaxgan.cli.directions import DirectionsOptions, EditOptions
from jaxgan.cli.evaluate import EvaluateOptions
from jaxgan.cli.experiments import ExperimentsOptions
from jaxgan.cli.export import ExportOptions
from jaxgan.cli.interpolate import InterpolateOptions
from jaxgan.cli.project import ProjectOptions
from jaxgan.cli.report import ReportOptions
from jaxgan.cli.resume import ResumeOptions
from jaxgan.cli.sample import SampleOptions
from jaxgan.cli.train import TrainOptions
from jaxgan.cli.translate import TranslateOptions
from jaxgan.cli.verify import VerifyOptions
from jaxgan.cli.watch import WatchOptions

Shell: TypeAlias = Literal["bash", "zsh", "tcsh"]


@dataclass(frozen=True, kw_only=True)
class CompletionOptions:
    shell: Annotated[Shell, tyro.conf.Positional]
    """Shell that the script is for."""


def completion(args: list[str]) -> int:
    """`jaxgan completion bash`, to be evaluated by the shell."""
    import shtab

    options = parse(
        CompletionOptions,
        args,
        "completion",
        "Prints a script that completes jaxgan's commands, options and experiments.",
    )
    print(shtab.complete(parser(), options.shell))
    return 0


def options_by_command() -> dict[str, tuple[type, ...]]:
    """The options of each command, where a run does not say otherwise."""
    from jaxgan.experiment import Experiment, LabelChoice
    from jaxgan.experiment.unpaired import DirectionChoice

    return {
        "train": (TrainOptions, Experiment),
        "resume": (ResumeOptions, Experiment),
        "sample": (SampleOptions, LabelChoice),
        "interpolate": (InterpolateOptions, LabelChoice),
        "directions": (DirectionsOptions, LabelChoice),
        "edit": (EditOptions, LabelChoice),
        "project": (ProjectOptions, LabelChoice),
        "translate": (TranslateOptions, DirectionChoice),
        "reconstruct": (TranslateOptions,),
        "evaluate": (EvaluateOptions,),
        "sweep": (TrainOptions, Experiment),
        "list": (ListOptions,),
        "compare": (CompareOptions,),
        "diagnose": (DiagnoseOptions,),
        "report": (ReportOptions,),
        "watch": (WatchOptions,),
        "export": (ExportOptions,),
        "verify": (VerifyOptions,),
        "data": (LookOptions,),
        "experiments": (ExperimentsOptions,),
        "completion": (CompletionOptions,),
    }


def parser() -> argparse.ArgumentParser:
    """All commands with their options, as shtab takes them."""
    import shtab

    from jaxgan.cli.main import USAGE
    from jaxgan.cli.sweep import own_options
    from jaxgan.runs.shipped import shipped

    says = dict(re.findall(r"^  (\w+).*?  +(.*)$", USAGE, re.MULTILINE))
    whole = argparse.ArgumentParser("jaxgan")
    commands = whole.add_subparsers(dest="command")
    experiments = [path.stem for path in shipped()]
    choices = {"train": experiments, "sweep": experiments, "experiments": experiments}
    choices["completion"] = list(get_args(Shell))
    for command, kinds in options_by_command().items():
        own = [own_options()] if command == "sweep" else []
        one = commands.add_parser(command, help=says[command], parents=own)
        one.add_argument("--help-all", action="store_true", help="list all options")
        for kind in kinds:
            _add(one, kind)
        where: Any = one.add_argument("what", nargs="*", choices=choices.get(command))
        if not where.choices:
            where.complete = shtab.FILE
    return whole


def _add(target: argparse.ArgumentParser, kind: Any, prefix: str = "") -> None:
    """The options of a class, without those that a command has already."""
    import shtab

    hints = get_type_hints(kind, include_extras=True)
    for entry in dataclasses.fields(kind):
        notes = getattr(hints[entry.name], "__metadata__", ())
        bare = hints[entry.name].__origin__ if notes else hints[entry.name]
        renamed = next((note.name for note in notes if getattr(note, "name", None)), None)
        name = renamed or entry.name.replace("_", "-")
        if dataclasses.is_dataclass(bare):
            _add(target, bare, f"{prefix}{name}.")
        elif tyro.conf.Positional not in notes:
            options = [f"--{prefix}{name}"] + ([f"--{prefix}no-{name}"] if bare is bool else [])
            with suppress(argparse.ArgumentError):  # Two classes have it.
                added: Any = target.add_argument(*options, nargs="?", choices=_choices(bare))
                if not added.choices:
                    added.complete = shtab.FILE


def _choices(hint: Any) -> list[Any] | None:
    """What a `Literal` allows, also as one of several types."""
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    found = [choice for part in get_args(hint) for choice in _choices(part) or ()]
    return found or None
