"""`jaxgan sweep`: an experiment with several seeds and values of options, and their table."""

import argparse
import itertools
import re
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgan.cli.arguments import leading_path
from jaxgan.cli.compare import compare
from jaxgan.cli.train import begin, finish, parse_train

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.experiment.base import BaseExperiment
    from jaxgan.training.state import TrainingState
    from jaxgan.training.trainer import Trainer

USAGE = """usage: jaxgan sweep [EXPERIMENT.py] --out FOLDER [--seeds 0-4] [--set OPTION=A,B] ...

Trains an experiment with every seed and every combination of values, one run after the other, and
ends in the table of `jaxgan compare`. The same command again goes on where it was stopped; runs
that are done stay as they are.

  --out FOLDER        where the runs go, a folder each (required)
  --seeds SEEDS       such as 0-4 or 0,3,7; by default the experiment's own
  --set OPTION=A,B    values of an option, such as loss=hinge,wasserstein or generator.width=32,64
  OPTIONS             of jaxgan train, for all runs
"""


def sweep(args: list[str]) -> int:
    """`jaxgan sweep [EXPERIMENT.py] --out FOLDER [--seeds 0-4] [--set loss=hinge,wasserstein]`."""
    from jaxgan.runs.comparison import state_of
    from jaxgan.runs.record import FILE
    from jaxgan.training.trainer import make_trainer

    if {"-h", "--help"} & set(args):
        print(USAGE, end="")
        raise SystemExit(0)  # As tyro, whose commands all others are.
    members = [parse_train(one) for one in arguments_of(args)]
    for _, experiment in members:  # What cannot be is refused before the first run begins.
        if experiment.seed == members[0][1].seed:
            make_trainer(experiment.resolved())
    worst = 0
    for number, (options, experiment) in enumerate(members, 1):
        folder = options.out
        assert folder is not None
        begun = (folder / FILE).exists()
        if begun and state_of(folder).state in ("done", "diverged"):
            continue
        print(f"run {number} of {len(members)}: {folder}", flush=True)
        if begun:
            code = finish(partial(_go_on, folder, experiment))
        else:
            code = finish(partial(begin, options, experiment))
        worst = max(worst, code)
        if state_of(folder).state == "stopped":
            print(f"go on with the same command: jaxgan sweep {shlex.join(args)}")
            return worst
    if len(members) > 1:
        compare([str(options.out) for options, _ in members])
    return worst


def _go_on(folder: Path, experiment: "BaseExperiment") -> "tuple[Path, Trainer, TrainingState]":
    from jaxgan.training import launch

    return folder, *launch.go_on(folder, experiment, from_start=True)


def arguments_of(args: list[str]) -> list[list[str]]:
    """The arguments of `jaxgan train` of every run.

    Raises:
      ValueError: naming what is wrong with --out, --seeds or --set.
    """
    args = list(args)
    file = leading_path(args)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds")
    parser.add_argument("--set", action="append", default=[])
    try:
        found, rest = parser.parse_known_args(args)
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    if found.out is None:
        raise ValueError("a sweep needs a folder for its runs: --out FOLDER")
    axes = [axis_of(text) for text in found.set]
    if found.seeds is not None:
        axes.append(("seed", seeds_of(found.seeds)))
    begins = [*([str(file)] if file else []), *rest]
    runs = []
    for values in itertools.product(*(several for _, several in axes)):
        chosen = [(name, value) for (name, _), value in zip(axes, values, strict=True)]
        name = ",".join(f"{name}={value}" for name, value in chosen) or "run"
        options = [part for name, value in chosen for part in option_of(name, value)]
        runs.append([*begins, *options, "--out", str(found.out / name.replace("/", "_"))])
    return runs


def option_of(name: str, value: str) -> list[str]:
    """An option with its value as the command line takes it, which has `--no-` for False."""
    if value in ("True", "true"):
        return [f"--{name}"]
    if value in ("False", "false"):
        *groups, last = name.split(".")
        return [f"--{'.'.join([*groups, f'no-{last}'])}"]
    return [f"--{name}", value]


def axis_of(text: str) -> tuple[str, list[str]]:
    """`loss=hinge,wasserstein` as an option's name and its values."""
    name, _, values = text.partition("=")
    several = values.split(",")
    if not name or not all(several):
        raise ValueError(f"--set {text} must be like loss=hinge,wasserstein")
    return name.removeprefix("--").replace("_", "-"), several


def seeds_of(text: str) -> list[str]:
    """`0-4` or `0,3,7` as seeds."""
    if match := re.fullmatch(r"(\d+)-(\d+)", text):
        first, last = int(match[1]), int(match[2])
        if first <= last < first + 10_000:
            return [str(seed) for seed in range(first, last + 1)]
    elif re.fullmatch(r"\d+(,\d+)*", text):
        return text.split(",")
    raise ValueError(f"--seeds {text} must be like 0-4 or 0,3,7")
