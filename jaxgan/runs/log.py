"""What a run logs: metrics.jsonl, and the digests of its parameters.

Of several processes the first one writes.
"""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from jaxgan.devices.distributed import is_first
from jaxgan.devices.sharding import local
from jaxgan.files import sync
from jaxgan.runs.writing import DIGESTS, read_text, write_json, write_text
from jaxgan.types import PyTree

SEEN = 20_000
"""Lines of scalars that are enough for curves, a report and a diagnosis."""


def read_metrics(directory: Path, most: int | None = None) -> list[dict[str, float]]:
    """The lines of metrics.jsonl; a last line cut short by a kill is left out.

    Args:
      directory: of the run.
      most: where there are more lines of scalars, evenly spaced ones of them are read, up to the
        last, so that a million take seconds; lines of samples and evaluations are all read.

    Raises:
      ValueError: naming a line that is damaged.
    """
    count = sum(map(_is_of_scalars, _texts(directory))) if most else 0
    every, chosen, number = max(1, -(-count // (most or 1))), [], 0
    for line, text in enumerate(_texts(directory), 1):
        if _is_of_scalars(text):
            number += 1
            if (count - number) % every:
                continue
        chosen.append(_parsed(directory, line, text))
    return chosen


def check_metrics(directory: Path) -> None:
    """Raises a ValueError that names a damaged line, where there is one."""
    for _ in _metrics_lines(directory):
        pass


def append_metrics(directory: Path, line: dict[str, float]) -> None:
    """Adds a line to metrics.jsonl."""
    if not is_first():
        return
    with (directory / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def sync_metrics(directory: Path) -> None:
    """Waits until all lines are on the disk, so that they outlast a power cut."""
    path = directory / "metrics.jsonl"
    if is_first() and path.exists():
        sync(path)
        sync(directory)


def lost_lines(directory: Path, step: int, intervals: Sequence[tuple[int, int]]) -> list[int]:
    """The steps up to a given one whose scalars should be logged and are not.

    Args:
      directory: of the run.
      step: the last one looked at.
      intervals: `(step after which it holds, log_every)`, rising.
    """
    logged = {line["step"] for line, _ in _metrics_lines(directory) if "images_seen" in line}
    ends = [*(after for after, _ in intervals[1:]), step]
    due = [
        number
        for (after, every), end in zip(intervals, ends, strict=True)
        for number in range((after // every + 1) * every, min(end, step) + 1, every)
    ]
    return [number for number in due if number not in logged]


def has_line(directory: Path, step: int, names: Collection[str]) -> bool:
    """Whether a line of a step holds any of these names."""
    return any(
        line["step"] == step and not line.keys().isdisjoint(names)
        for line, _ in _metrics_lines(directory)
    )


def truncate_metrics(
    directory: Path,
    step: int,
    drop: Callable[[dict[str, float]], bool] = lambda line: False,
) -> None:
    """Drops the lines that lie beyond a step, as a resumed run writes them again.

    Args:
      directory: of the run.
      step: the last that stays.
      drop: says which other lines go.

    Raises:
      ValueError: naming a line that is damaged.
    """
    kept = [
        text
        for values, text in _metrics_lines(directory)
        if values["step"] <= step and not drop(values)
    ]
    write_text(directory / "metrics.jsonl", "".join(kept))


def _metrics_lines(directory: Path) -> Iterator[tuple[dict[str, float], str]]:
    for number, text in enumerate(_texts(directory), 1):
        yield _parsed(directory, number, text), text


def _texts(directory: Path) -> Iterator[str]:
    """The lines that are whole, each with its end."""
    path = directory / "metrics.jsonl"
    if path.exists():
        with path.open(errors="replace", newline="\n") as file:
            yield from (line for line in file if line.endswith("\n"))


def _is_of_scalars(text: str) -> bool:
    return '"images_seen"' in text


def _parsed(directory: Path, number: int, text: str) -> dict[str, float]:
    try:
        values = json.loads(text)
        largest = max(abs(value) for value in values.values())  # All must be numbers.
        if type(values["step"]) is not int or 1e300 < largest < math.inf:
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        path = directory / "metrics.jsonl"
        raise ValueError(f"line {number} of {path} is damaged: {text[:60].rstrip()!r}") from None
    return values


def record_digest(directory: Path, step: int, params: PyTree) -> None:
    """Notes the digest of the parameters after a step in digests.json."""
    write_json(directory / DIGESTS, read_digests(directory) | {str(step): digest(params)})


def read_digests(directory: Path) -> dict[str, str]:
    """Digest by step, as far as the run recorded any."""
    path = directory / DIGESTS
    try:
        text = read_text(path)
        digests = {} if text is None else json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(digests, dict) or not all(step.isdecimal() for step in digests):
        raise ValueError(f"{path} is damaged: it holds no digests by step")
    return digests


def digest(tree: PyTree) -> str:
    """SHA-256 over the paths, types, shapes and bytes of all leaves, wherever they lie."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(local(leaf))
        sha.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
