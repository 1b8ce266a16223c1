"""`jaxgan experiments`: the experiments that come with the package."""

import textwrap
from dataclasses import dataclass
from typing import Annotated

import tyro

from jaxgan.cli.arguments import parse


@dataclass(frozen=True, kw_only=True)
class ExperimentsOptions:
    name: Annotated[str, tyro.conf.Positional] = ""
    """Print this experiment's file, to be changed: jaxgan experiments dcgan_mnist > mine.py."""


def experiments(args: list[str]) -> int:
    """`jaxgan experiments` and `jaxgan experiments NAME`."""
    from jaxgan.runs.record import load_file
    from jaxgan.runs.shipped import find, shipped, summary

    options = parse(
        ExperimentsOptions,
        args,
        "experiments",
        "Lists the experiments that come with jaxgan; `jaxgan train NAME` trains one.",
    )
    if options.name:
        print(find(options.name).read_text(), end="")
        return 0
    for path in shipped():
        experiment = load_file(path)
        places = (getattr(experiment, place) for place in experiment.places[:-1])
        print(f"{path.stem} ({', '.join(dict.fromkeys(filter(None, places)))})")
        for paragraph in filter(None, summary(path)):
            print(textwrap.indent(textwrap.fill(paragraph, 76), "    "))
    return 0
