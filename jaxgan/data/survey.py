"""What a folder of images holds, told before it is trained on: no pixel is decoded for it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from jaxgan.data import images
from jaxgan.data.files import Scan, scan_splits

SIDES = (64, 32)
"""Sizes to begin with: a CPU trains them in minutes."""


class Survey(NamedTuple):
    """A folder's images, split by split.

    Attributes:
      scans: by split, its files and classes.
      headers: by file that can be read.
      unreadable: a sentence for each other file.
    """

    scans: dict[str, Scan]
    headers: dict[Path, images.Header]
    unreadable: list[str]


def survey(folder: Path) -> Survey:
    """Reads the headers of all images of a folder that `open_folder` would take.

    Raises:
      ValueError: as `open_folder`, but for images that cannot be read, which are listed.
    """
    scans = scan_splits(folder)
    headers: dict[Path, images.Header] = {}
    unreadable = []
    for path in (path for found in scans.values() for path in found.files):
        try:
            headers[path] = images.probe(path)
        except ValueError as error:
            unreadable.append(str(error))
    return Survey(scans, headers, unreadable)


def sentences(found: Survey, transparency: images.Transparency) -> list[str]:
    """What a survey found, a line each; empty where no image can be read."""
    headers = list(found.headers.values())
    lines = [
        f"{split}: {len(files):,} image{'s' * (len(files) != 1)}{of_classes(labels, names)}"
        for split, (files, labels, names) in found.scans.items()
    ]
    if not headers:
        return lines
    sizes = Counter((header.height, header.width) for header in headers)
    if len(sizes) == 1:
        lines.append("sizes: all {} x {} (height x width)".format(*next(iter(sizes))))
    else:
        by_side = sorted(sizes, key=lambda size: (min(size), size))
        lines.append(
            "sizes: {} different ones from {} x {} to {} x {} (height x width), the shorter side "
            "{:.0f} in the median".format(
                f"{len(sizes):,}", *by_side[0], *by_side[-1], median(map(_shorter, headers))
            )
        )
    kinds = Counter(path.suffix.lower().removeprefix(".") for path in found.headers)
    line = "kinds: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    if grey := sum(header.grey for header in headers):
        line += "; all grey" if grey == len(headers) else f"; {grey:,} grey"
    if clear := sum(header.transparent for header in headers):
        line += f"; {clear:,} with transparency, laid on {transparency}"
    return [*lines, line]


def of_classes(labels: np.ndarray | None, names: Sequence[str]) -> str:
    """` in 2 classes (cat: 100, dog: 90)`, or nothing where there are no labels."""
    if labels is None:
        return ""
    counts = np.bincount(labels, minlength=len(names))
    shown = [f"{name}: {count:,}" for name, count in zip(names, counts, strict=True)][:12]
    more = ["..."] if len(names) > 12 else []
    return f" in {len(names):,} classes ({', '.join([*shown, *more])})"


def fitting_size(found: Survey) -> int:
    """The largest of `SIDES` that half of the images have at least on their shorter side."""
    side = median(map(_shorter, found.headers.values()))
    return next((size for size in SIDES if size <= side), SIDES[-1])


def _shorter(header: images.Header) -> int:
    return min(header.height, header.width)
