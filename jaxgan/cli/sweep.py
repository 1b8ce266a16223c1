"""`jaxgan sweep`: an experiment with several seeds and values of options, and their table."""

import argparse
import itertools
import os
import queue
import re
import shlex
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxgan.cli.arguments import leading_path
from jaxgan.cli.compare import compare
from jaxgan.cli.train import begin, finish, parse_train

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from collections.abc import Callable

    from jaxgan.cli.train import TrainOptions
    from jaxgan.experiment.base import BaseExperiment
    from jaxgan.training.progress import Display
    from jaxgan.training.state import TrainingState
    from jaxgan.training.trainer import Trainer

USAGE = """usage: jaxgan sweep [EXPERIMENT] --out FOLDER [--seeds 0-4] [--set OPTION=A,B] ...

Trains an experiment with every seed and every combination of values and ends in the table of
`jaxgan compare`. The same command again goes on where it was stopped; runs that are done stay as
they are.

  --out FOLDER        where the runs go, a folder each (required)
  --seeds SEEDS       such as 0-4 or 0,3,7; by default the experiment's own
  --set OPTION=A,B    values of an option, such as loss=hinge,wasserstein or generator.width=32,64
  --jobs N            runs at a time, each a process, on a GPU of its own where there are GPUs;
                      FOLDER/<run>.log has what it says (default: 1, here)
  OPTIONS             of jaxgan train, for all runs
"""


def sweep(args: list[str]) -> int:
    """`jaxgan sweep [EXPERIMENT] --out FOLDER [--seeds 0-4] [--set loss=hinge,wasserstein]`."""
    if {"-h", "--help"} & set(args):
        print(USAGE, end="")
        raise SystemExit(0)  # As tyro, whose commands all others are.
    runs, jobs = arguments_of(args)
    members = [Member(*parse_train(one), one) for one in runs]
    if jobs > 1:
        import jax

        jax.config.update("jax_platforms", "cpu")  # The devices are for the runs.
    _check(members)
    worst = (_one_by_one if jobs == 1 else partial(_side_by_side, jobs=jobs))(members)
    if any(member.state == "stopped" for member in members):
        print(f"go on with the same command: jaxgan sweep {shlex.join(args)}")
    elif len(members) > 1:
        compare([str(member.folder) for member in members])
    return worst


class Member(NamedTuple):
    """A run of a sweep: what `parse_train` made of its arguments, and these."""

    options: "TrainOptions"
    experiment: "BaseExperiment"
    arguments: list[str]

    @property
    def folder(self) -> Path:
        assert self.options.out is not None
        return self.options.out

    @property
    def state(self) -> str:
        """As `jaxgan list` has it; empty before the run has begun."""
        from jaxgan.runs.comparison import state_of
        from jaxgan.runs.record import FILE

        return state_of(self.folder).state if (self.folder / FILE).exists() else ""

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "diverged")


def _check(members: list[Member]) -> None:
    """Refuses what cannot be trained before the first run begins."""
    from jaxgan.training.trainer import make_trainer

    for member in members:
        if member.experiment.seed == members[0].experiment.seed:
            make_trainer(member.experiment.resolved())


def _one_by_one(members: list[Member]) -> int:
    """Trains in this process; ends with a run that is stopped. Returns the worst exit code."""
    worst = 0
    for number, member in enumerate(members, 1):
        if member.is_over:
            continue
        print(f"run {number} of {len(members)}: {member.folder}", flush=True)
        work = partial(begin, member.options, member.experiment)
        if member.state:
            work = partial(_go_on, member.options, member.experiment)
        code = finish(work, member.options, then=False)
        worst = max(worst, code)
        if member.state == "stopped":
            break
    return worst


def _side_by_side(members: list[Member], jobs: int) -> int:
    """Trains several runs at a time, each in a process that says what it says into a file."""
    places: queue.SimpleQueue[int] = queue.SimpleQueue()
    for place in range(jobs):
        places.put(place)
    stopping = threading.Event()

    def train(number: int, member: Member) -> int:
        if member.is_over or stopping.is_set():
            return 0
        place, log = places.get(), member.folder.with_name(f"{member.folder.name}.log")
        print(f"run {number} of {len(members)}: {member.folder}, {log}", flush=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        steps = str(member.experiment.resolved().steps)
        goes_on = ["resume", str(member.folder), "--from-start", "--steps", steps]
        goes_on += ["--log", *member.options.log] if member.options.log else []
        command = goes_on if member.state else ["train", *member.arguments]
        with log.open("a") as file:
            code = subprocess.run(
                [sys.executable, "-m", "jaxgan", *command],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | {"CUDA_VISIBLE_DEVICES": _device(place)},
            ).returncode
        places.put(place)
        if not member.is_over:
            stopping.set()
        print(f"run {number} of {len(members)} {member.state or 'failed'}: {log}", flush=True)
        return code

    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(train, number, one) for number, one in enumerate(members, 1)]
        try:
            return max(each.result() for each in running)
        except KeyboardInterrupt:  # A terminal tells all its processes, which save and end.
            stopping.set()
            return max(each.result() for each in running)


def _device(place: int) -> str:
    """The GPU of a place, among those that may be seen."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = [each for each in seen.split(",") if each]
    return devices[place % len(devices)] if devices else str(place)


def _go_on(
    options: "TrainOptions", experiment: "BaseExperiment", display: "Callable[[int], Display]"
) -> "tuple[Path, Trainer, TrainingState]":
    from jaxgan.training import launch

    folder = options.out
    assert folder is not None
    log = options.log or None  # Where it was logged before.
    return folder, *launch.go_on(folder, experiment, from_start=True, display=display, log=log)


def arguments_of(args: list[str]) -> tuple[list[list[str]], int]:
    """The arguments of `jaxgan train` of every run, and how many run at a time.

    Raises:
      ValueError: naming what is wrong with --out, --seeds, --set or --jobs.
    """
    args = list(args)
    file = leading_path(args)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    try:
        found, rest = parser.parse_known_args(args)
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    if found.out is None:
        raise ValueError("a sweep needs a folder for its runs: --out FOLDER")
    if found.jobs < 1:
        raise ValueError(f"--jobs must be 1 or more, not {found.jobs}")
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
    return runs, found.jobs


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
