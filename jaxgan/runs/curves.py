"""A run's logged scalars as curves: a picture, and the figures of its page."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from jaxgan.devices.distributed import is_first
from jaxgan.evaluation import better
from jaxgan.imaging import save_curves
from jaxgan.runs.comparison import SAMPLED
from jaxgan.runs.log import SEEN, read_metrics

HIDDEN = ("step", "images_seen", "diverged")
"""Logged, and no curves."""
POINTS = 2_000
"""Points of a curve on a page, about, at most."""

Records: TypeAlias = Sequence[Mapping[str, float]]


def draw_curves(directory: Path, path: Path | None = None) -> bool:
    """Draws all of metrics.jsonl over the steps; False when nothing is logged.

    Args:
      directory: of the run.
      path: the picture; by default curves.png in the directory.
    """
    if not is_first():
        return False
    lines = read_metrics(directory, SEEN)
    names = _names(lines)
    if not names:
        return False
    columns = {name: [line.get(name) for line in lines] for name in ("step", *names)}
    save_curves(path or directory / "curves.png", columns)
    return True


def figures(records: Records, real: Mapping[str, float]) -> list[dict[str, Any]]:
    """A run's curves for `page.js`: what was measured first, then the scalars of the training.

    Metrics whose names begin with the same word share a figure, and scalars whose names end in one.

    Args:
      records: the lines of metrics.jsonl.
      real: by metric, what real data score.

    Returns:
      Of each figure its `section`, "metrics" or "training", its `title` and its `curves`; of a
      curve its `name`, steps `x`, values `y`, None where one is not finite, and where there is such
      a thing `best`, a step and a value, and `real`.
    """
    panels: dict[tuple[bool, str], list[str]] = {}
    scalars = _scalars(records)
    for name in _names(records):
        words = name.split("_")
        key = (True, words[-1]) if name in scalars else (False, words[0])
        panels.setdefault(key, []).append(name)
    return [
        {
            "section": "training" if scalar else "metrics",
            "title": _shared(names, from_end=scalar),
            "curves": [_curve(records, name, name, not scalar, real.get(name)) for name in names],
        }
        for (scalar, _), names in sorted(panels.items(), key=lambda item: item[0][0])
    ]


def figures_over(runs: Mapping[str, Records]) -> list[dict[str, Any]]:
    """Curves of several runs over one another, a figure a name, as `figures` has them."""
    scalars = {name for records in runs.values() for name in _scalars(records)}
    names = dict.fromkeys(name for records in runs.values() for name in _names(records))
    return [
        {
            "section": "training" if name in scalars else "metrics",
            "title": name.replace("_", " "),
            "curves": [
                _curve(records, name, label, name not in scalars)
                for label, records in runs.items()
                if any(name in line for line in records)
            ],
        }
        for name in sorted(names, key=lambda name: name in scalars)
    ]


def _names(records: Iterable[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for line in records for name in line if name not in HIDDEN))


def _scalars(records: Records) -> set[str]:
    """What is logged of the training itself, not measured of samples."""
    return {name for line in records if "images_seen" in line for name in line}


def _shared(names: Sequence[str], from_end: bool) -> str:
    """The words that names begin or end with, all of them."""
    way = -1 if from_end else 1
    places = zip(*(name.split("_")[::way] for name in names), strict=False)
    shared = [words[0] for words in itertools.takewhile(lambda words: len({*words}) == 1, places)]
    return " ".join(shared[::way])


def _curve(
    records: Records, name: str, label: str, measured: bool, real: float | None = None
) -> dict[str, Any]:
    lines = [line for line in records if name in line]
    values = np.array([line[name] for line in lines], np.float64)
    kept = _thinned(values)
    curve: dict[str, Any] = {
        "name": label,
        "x": [int(lines[index]["step"]) for index in kept],
        "y": [_short(values[index]) for index in kept],
    }
    way = better(name)
    if measured and way and name not in SAMPLED and np.isfinite(values).any():
        best = int(_worst_last(values if way == "lower" else -values).argmin())
        curve["best"] = [int(lines[best]["step"]), _short(values[best])]
    if real is not None:
        curve["real"] = _short(real)
    return curve


def _thinned(values: np.ndarray) -> list[int]:
    """Indices: all, or of every stretch the smallest, the largest and the first that is no number.

    The first and the last value stay.
    """
    if len(values) <= POINTS:
        return list(range(len(values)))
    edges = np.linspace(0, len(values), POINTS // 2 + 1).astype(int).tolist()
    kept = {0, len(values) - 1}
    for start, end in itertools.pairwise(edges):
        part = values[start:end]
        finite = np.isfinite(part)
        kept |= {start + int(_worst_last(part).argmin()), start + int(_worst_last(-part).argmin())}
        if not finite.all():
            kept.add(start + int(finite.argmin()))
    return sorted(kept)


def _worst_last(values: np.ndarray) -> np.ndarray:
    """What is not finite as the largest number."""
    return np.where(np.isfinite(values), values, np.inf)


def _short(value: float) -> float | None:
    """Six digits, as JSON has it."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
