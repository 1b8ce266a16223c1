"""`jaxgan sweep`: an experiment with several seeds and values of options, and their table."""

import argparse
import itertools
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxgan.cli.arguments import HELP, leading_path
from jaxgan.cli.compare import compare
from jaxgan.cli.train import begin, finish, parse_train

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from collections.abc import Callable

    from jaxgan.cli.train import TrainOptions
    from jaxgan.experiment.base import BaseExperiment
    from jaxgan.training.progress import Display
    from jaxgan.training.state import TrainingState
    from jaxgan.training.trainer import Trainer

SECONDS_BETWEEN_LOOKS = 0.1
"""At processes that train."""
USAGE = """usage: jaxgan sweep [EXPERIMENT] --out FOLDER [--seeds 0-4] [--set OPTION=A,B] ...

Trains an experiment with every seed and every combination of values and ends in the table of
`jaxgan compare`. The same command again goes on where it was stopped; runs that are done stay as
they are.

  --out FOLDER        where the runs go, a folder each (required)
  --seeds SEEDS       such as 0-4 or 0,3,7; by default the experiment's own
  --set OPTION=A,B    values of an option, such as loss=hinge,wasserstein or generator.width=32,64
  --jobs N            runs at a time, each a process, on a GPU of its own where there are enough;
                      FOLDER/<run>.log has what it says (default: 1, here)
  OPTIONS             of jaxgan train, for all runs
"""


def sweep(args: list[str]) -> int:
    """`jaxgan sweep [EXPERIMENT] --out FOLDER [--seeds 0-4] [--set loss=hinge,wasserstein]`."""
    if HELP & set(args):
        print(USAGE, end="")
        raise SystemExit(0)  # As tyro, whose commands all others are.
    runs, jobs = arguments_of(args)
    members = [Member(*parse_train(one), alone) for one, alone in runs]
    if jobs > 1:
        import jax

        jax.config.update("jax_platforms", "cpu")  # The devices are for the runs.
    _check(members)
    worst = (_one_by_one if jobs == 1 else partial(_side_by_side, jobs=jobs))(members)
    if all(member.is_over for member in members):
        if len(members) > 1:
            compare([str(member.folder) for member in members])
    elif not worst or any(member.state == "stopped" for member in members):
        print(f"go on with the same command: jaxgan sweep {shlex.join(args)}")
    return worst


class Member(NamedTuple):
    """A run of a sweep.

    Attributes:
      options: what `parse_train` made of its arguments.
      experiment: what it made of the others.
      alone: arguments of `jaxgan sweep` for this run alone.
    """

    options: "TrainOptions"
    experiment: "BaseExperiment"
    alone: list[str]

    @property
    def folder(self) -> Path:
        assert self.options.out is not None
        return self.options.out

    @property
    def log(self) -> Path:
        """What it says where it has a process of its own."""
        return self.folder.with_name(f"{self.folder.name}.log")

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
    """Trains several runs at a time, each a sweep of its own in a process that writes to a file.

    A signal to this process is passed on to them, once: they save and end. Returns the worst exit
    code.
    """
    from jaxgan.training.signals import stop_signals

    waiting = [(number, one) for number, one in enumerate(members, 1) if not one.is_over]
    running: dict[int, tuple[str, Member, subprocess.Popen[bytes]]] = {}
    worst, told, where = 0, False, environments(jobs)
    with stop_signals() as stop:
        while waiting or running:
            if stop() and not told:
                told = True
                for _, _, process in running.values():
                    process.terminate()
            if told:
                waiting.clear()
            for place in set(range(jobs)) - running.keys():
                if waiting:
                    number, member = waiting.pop(0)
                    title = f"run {number} of {len(members)}"
                    print(f"{title}: {member.folder}, {member.log}", flush=True)
                    running[place] = title, member, _begun(member, where[place])
            time.sleep(SECONDS_BETWEEN_LOOKS)
            for place, (title, member, process) in list(running.items()):
                code = process.poll()
                if code is None:
                    continue
                del running[place]
                if told and code == -signal.SIGTERM:  # It had not begun.
                    code = 0
                worst = max(worst, code if code >= 0 else 128 - code)  # As a shell has it.
                if not member.is_over:
                    waiting.clear()
                state = member.state or ("failed" if code else "not begun")
                print(f"{title} {state}: {member.log}", flush=True)
    return worst


def _begun(member: Member, where: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A process that trains a run, or goes on with it, apart from the terminal's signals.

    Args:
      member: the run.
      where: the environment, which names its GPU.
    """
    member.log.parent.mkdir(parents=True, exist_ok=True)
    with member.log.open("a") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "jaxgan", "sweep", *member.alone],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=where,
        )


def environments(jobs: int) -> list[dict[str, str]]:
    """The environment of each place: with a GPU of its own, or a share where they are too few."""
    gpus, mine = _gpus(), dict(os.environ)
    if not gpus:
        return [mine] * jobs
    share = math.ceil(jobs / len(gpus))
    if share > 1:  # JAX takes three quarters of the memory for a process.
        mine.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{0.9 / share:.2f}")
    return [mine | {"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} for place in range(jobs)]


def _gpus() -> list[str]:
    """The GPUs that may be seen, as CUDA_VISIBLE_DEVICES names them."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is not None:
        return [each for each in seen.split(",") if each]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    except OSError:
        return []
    return [str(number) for number in range(len(re.findall(r"^GPU \d", listed, re.MULTILINE)))]


def _go_on(
    options: "TrainOptions", experiment: "BaseExperiment", display: "Callable[[int], Display]"
) -> "tuple[Path, Trainer, TrainingState]":
    from jaxgan.training import launch

    folder = options.out
    assert folder is not None
    log = options.log or None  # Where it was logged before.
    return folder, *launch.go_on(folder, experiment, from_start=True, display=display, log=log)


def arguments_of(args: list[str]) -> tuple[list[tuple[list[str], list[str]]], int]:
    """The arguments of `jaxgan train` and of a sweep of its own for every run; how many at a time.

    Raises:
      ValueError: naming what is wrong with --out, --seeds, --set or --jobs.
    """
    args = list(args)
    file = leading_path(args)
    try:
        found, rest = own_options().parse_known_args(args)
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
        train = [*begins, *options, "--out", str(found.out / name.replace("/", "_"))]
        alone = [part for name, value in chosen for part in ("--set", f"{name}={value}")]
        runs.append((train, [*begins, *alone, "--out", str(found.out)]))
    return runs, found.jobs


def own_options() -> argparse.ArgumentParser:
    """What a sweep has besides the options of `jaxgan train`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    return parser


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
