"""`jaxgan completion SHELL`: a script that completes commands, options and experiments."""

import argparse
import dataclasses
import re
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import tyro

from jaxgan.cli.arguments import parse

OPTIONS = {
    "train": ("cli.train:TrainOptions", "experiment:Experiment"),
    "resume": ("cli.resume:ResumeOptions", "experiment:Experiment"),
    "sample": ("cli.sample:SampleOptions", "experiment:LabelChoice"),
    "interpolate": ("cli.interpolate:InterpolateOptions", "experiment:LabelChoice"),
    "directions": ("cli.directions:DirectionsOptions", "experiment:LabelChoice"),
    "edit": ("cli.directions:EditOptions", "experiment:LabelChoice"),
    "project": ("cli.project:ProjectOptions", "experiment:LabelChoice"),
    "translate": ("cli.translate:TranslateOptions", "experiment.unpaired:DirectionChoice"),
    "reconstruct": ("cli.translate:TranslateOptions",),
    "evaluate": ("cli.evaluate:EvaluateOptions",),
    "sweep": ("cli.train:TrainOptions", "experiment:Experiment"),
    "list": ("cli.compare:ListOptions",),
    "compare": ("cli.compare:CompareOptions",),
    "diagnose": ("cli.diagnose:DiagnoseOptions",),
    "report": ("cli.report:ReportOptions",),
    "watch": ("cli.watch:WatchOptions",),
    "export": ("cli.export:ExportOptions",),
    "verify": ("cli.verify:VerifyOptions",),
    "data": ("cli.data:LookOptions",),
    "experiments": ("cli.experiments:ExperimentsOptions",),
    "completion": ("cli.completion:CompletionOptions",),
}
"""The options of each command, where a run does not say otherwise."""


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
    for command, kinds in OPTIONS.items():
        own = [own_options()] if command == "sweep" else []
        one = commands.add_parser(command, help=says[command], parents=own)
        one.add_argument("--help-all", action="store_true", help="list all options")
        for kind in kinds:
            _add(one, _class(kind))
        where: Any = one.add_argument("what", nargs="*", choices=choices.get(command))
        if not where.choices:
            where.complete = shtab.FILE
    return whole


def _class(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"jaxgan.{module}"), name)


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
