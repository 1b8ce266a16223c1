"""A run's logged scalars as curves."""

from pathlib import Path

from jaxgan.devices.distributed import is_first
from jaxgan.imaging import save_curves
from jaxgan.runs.log import SEEN, read_metrics

HIDDEN = ("images_seen", "diverged")
"""Logged, and no curves."""


def draw_curves(directory: Path, path: Path | None = None) -> bool:
    """Draws all of metrics.jsonl over the steps; False when nothing is logged.

    Args:
      directory: of the run.
      path: the picture; by default curves.png in the directory.
    """
    if not is_first():
        return False
    lines = read_metrics(directory, SEEN)
    names = dict.fromkeys(name for line in lines for name in line if name not in HIDDEN)
    if len(names) < 2:
        return False
    columns = {name: [line.get(name) for line in lines] for name in names}
    save_curves(path or directory / "curves.png", columns)
    return True
