"""Runs side by side: the runs in a folder, and the figures of several over their seeds.

Records are read as they are written: no class of an experiment is imported.
"""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.evaluation import better
from jaxgan.imaging import Curve, save_panels
from jaxgan.options import flat
from jaxgan.runs.log import read_metrics
from jaxgan.runs.record import FILE, contents, is_held, newest_step
from jaxgan.runs.summary import Summary, summarize

ASIDE = (
    *("seed", "name", "data_dir", "steps_per_call", "shard_parameters"),
    *("log_every", "sample_every", "checkpoint_every", "evaluate_every", "best_metric"),
)
"""Options in which the runs of one group may differ: they change the draw, or what is written."""
SAMPLED = ("step", "diversity", "duplicate_rate")
"""What is logged of every grid of samples, and sums up no run."""


class State(NamedTuple):
    """What is said about a run in one line.

    Attributes:
      directory: of the run.
      name: the experiment's.
      seed: of its key.
      step: of its newest checkpoint.
      steps: that it is to do.
      state: "done", "running", "stopped", "diverged", or what is wrong with it.
      figure: the course of its metric, where it has one that was measured.
    """

    directory: Path
    name: str
    seed: int | None
    step: int
    steps: int
    state: str
    figure: Summary | None


class Group(NamedTuple):
    """Runs that differ in their seed alone.

    Attributes:
      options: those in which the groups differ, by dotted name.
      runs: their directories.
      seeds: of its runs.
      metrics: by name, the value that each run measured last, NaN where it did not.
      curves: by name, the steps and values of every run.
    """

    options: dict[str, Any]
    runs: list[Path]
    seeds: list[int]
    metrics: dict[str, list[float]]
    curves: dict[str, list[tuple[list[int], list[float]]]]


def runs_in(folder: Path) -> list[Path]:
    """The runs in a folder and in its sub-folders, those of one name together, oldest first.

    Raises:
      ValueError: when there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = [path.parent for depth in ("", "*/", "*/*/") for path in folder.glob(depth + FILE)]
    return sorted(path for path in found if not path.is_symlink())


def state_of(directory: Path) -> State:
    """What is said about a run, even a damaged one."""
    try:
        options, lines = contents(directory)["experiment"], read_metrics(directory)
        step, steps = newest_step(directory), int(options.get("steps", 0))
    except (ValueError, OSError) as error:
        return State(directory, directory.parent.name, None, 0, 0, str(error), None)
    if is_held(directory):
        state = "running"
    elif any("diverged" in line for line in lines):
        state = "diverged"
    else:
        state = "done" if step >= steps else "stopped"
    figure = None
    if metric := options.get("best_metric") or _first_measured(lines):
        higher = better(metric) == "higher"
        figure = summarize(lines, metric, higher_is_better=higher)
    return State(directory, options["name"], options["seed"], step, steps, state, figure)


def groups_of(directories: Sequence[Path]) -> list[Group]:
    """The runs grouped by their options, and the figures of each group.

    Raises:
      ValueError: for fewer than 2 runs, or one that cannot be read.
    """
    if len(directories) < 2:
        raise ValueError("to compare takes 2 runs or more")
    options, lines = {}, {}
    for directory in directories:
        record = contents(directory)
        kind = {"class": str(record["class"]).partition(":")[2]}
        options[directory] = kind | flat(record["experiment"])
        lines[directory] = [line for line in read_metrics(directory) if _is_measured(line)]
    names = dict.fromkeys(name for values in options.values() for name in values)
    differ = [
        name
        for name in names
        if name not in ASIDE and len({_text(values.get(name)) for values in options.values()}) > 1
    ]
    members: dict[tuple[str, ...], list[Path]] = {}
    for directory, values in options.items():
        members.setdefault(tuple(_text(values.get(name)) for name in differ), []).append(directory)
    metrics = dict.fromkeys(
        name for found in lines.values() for line in found for name in line if name != "step"
    )
    return [
        Group(
            {name: options[runs[0]].get(name) for name in differ},
            runs,
            [options[run]["seed"] for run in runs],
            {name: [_last(lines[run], name) for run in runs] for name in metrics},
            {name: [_curve(lines[run], name) for run in runs] for name in metrics},
        )
        for runs in members.values()
    ]


def rows_of(groups: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """A table's head and rows: options, seeds, and every metric's mean ± standard deviation."""
    head = [*groups[0].options, "seeds", *groups[0].metrics]
    rows = [
        [
            *(_text(value) for value in group.options.values()),
            ", ".join(map(str, group.seeds)),
            *(spread(values) for values in group.metrics.values()),
        ]
        for group in groups
    ]
    return head, rows


def draw(groups: Sequence[Group], path: Path) -> None:
    """Curves of every metric over the steps as PNG, a colour a group."""
    panels = {}
    for metric in groups[0].metrics:
        panels[metric] = [
            Curve("" if later else label_of(group), number, np.array(steps), np.array(values))
            for number, group in enumerate(groups)
            for later, (steps, values) in enumerate(group.curves[metric])
        ]
    save_panels(path, panels)


def label_of(group: Group) -> str:
    """What sets a group apart, in words."""
    parts = [f"{name} {_text(value)}" for name, value in group.options.items()]
    return ", ".join(parts) or f"seeds {', '.join(map(str, group.seeds))}"


def spread(values: Iterable[float]) -> str:
    """Mean ± standard deviation (of the sample); one value by itself, and none as nothing."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    mean = f"{statistics.fmean(finite):.4g}"
    return mean if len(finite) < 2 else f"{mean} ± {statistics.stdev(finite):.2g}"


def _is_measured(line: Mapping[str, float]) -> bool:
    """Whether a line is of samples or an evaluation, not of losses."""
    return "images_seen" not in line and "diverged" not in line


def _first_measured(lines: Iterable[Mapping[str, float]]) -> str | None:
    names = dict.fromkeys(name for line in lines if _is_measured(line) for name in line)
    return next((name for name in names if name not in SAMPLED), None)


def _curve(lines: Iterable[Mapping[str, float]], name: str) -> tuple[list[int], list[float]]:
    known = [line for line in lines if name in line]
    return [int(line["step"]) for line in known], [line[name] for line in known]


def _last(lines: Iterable[Mapping[str, float]], name: str) -> float:
    return [math.nan, *_curve(lines, name)[1]][-1]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
