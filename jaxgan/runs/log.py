"""What a run logs: metrics.jsonl, and the digests of its parameters.

Of several processes the first one writes.
"""

import hashlib
import json
import math
from pathlib import Path

import jax
import numpy as np

from jaxgan.devices.distributed import is_first
from jaxgan.devices.sharding import local
from jaxgan.runs.writing import write_json, write_text
from jaxgan.types import PyTree


def read_metrics(directory: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl; a last line cut short by a kill is left out.

    Raises:
      ValueError: naming a line that is damaged.
    """
    return [values for values, _ in _metrics_lines(directory)]


def append_metrics(directory: Path, line: dict[str, float]) -> None:
    """Adds a line to metrics.jsonl."""
    if not is_first():
        return
    with (directory / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def truncate_metrics(directory: Path, step: int) -> None:
    """Drops the lines that lie beyond a step, as a resumed run writes them again.

    Raises:
      ValueError: naming a line that is damaged.
    """
    kept = [text for values, text in _metrics_lines(directory) if values["step"] <= step]
    write_text(directory / "metrics.jsonl", "".join(kept))


def _metrics_lines(directory: Path) -> list[tuple[dict[str, float], str]]:
    path = directory / "metrics.jsonl"
    text = path.read_text(errors="replace") if path.exists() else ""
    parsed = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            values = json.loads(line)
            largest = max(abs(value) for value in values.values())  # All must be numbers.
            if type(values["step"]) is not int or 1e300 < largest < math.inf:
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError(f"line {number} of {path} is damaged: {line[:60]!r}") from None
        parsed.append((values, line + "\n"))
    return parsed


def record_digest(directory: Path, step: int, params: PyTree) -> None:
    """Notes the digest of the parameters after a step in digests.json."""
    write_json(directory / "digests.json", read_digests(directory) | {str(step): digest(params)})


def read_digests(directory: Path) -> dict[str, str]:
    """Digest by step, as far as the run recorded any."""
    path = directory / "digests.json"
    try:
        digests = json.loads(path.read_text()) if path.exists() else {}
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
