"""Files of a run, written whole and by the first of several processes.

A power cut may leave a file empty that was being written by an earlier version, or on a disk that
does not keep its word. So every checkpoint holds copies of the small files without which a run
cannot go on.
"""

import json
import warnings
from pathlib import Path
from typing import Any

from jaxgan.devices.distributed import is_first
from jaxgan.files import whole_file


def write_json(path: Path, value: Any) -> None:
    """Writes a whole file or none."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a whole file or none, which then outlasts a power cut."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """As `write_text`."""
    if not is_first():
        return
    with whole_file(path, lasting=True) as file:
        file.write(data)


EXPERIMENT = "experiment.json"
DIGESTS = "digests.json"
COPIED = (EXPERIMENT, DIGESTS)
"""Files that every checkpoint's record holds copies of, under `files`."""


def copies(directory: Path) -> dict[str, str]:
    """The texts of the files that a checkpoint holds copies of, those that are there."""
    paths = [directory / name for name in COPIED]
    return {path.name: path.read_text() for path in paths if path.is_file()}


def read_text(path: Path) -> str | None:
    """The text of one of `COPIED`; where it is empty, the copy in the newest checkpoint.

    Returns:
      The text, or None where there is no such file.

    Warns:
      Where a copy is taken.
    """
    if not path.is_file():
        return None
    text = path.read_text()
    if text.strip():
        return text
    saved = [found for found in (path.parent / "checkpoints").glob("*") if found.name.isdigit()]
    for checkpoint in sorted(saved, key=lambda found: -int(found.name)):
        try:
            record = json.loads((checkpoint / "record" / "metadata").read_text())
            copy = record["files"][path.name]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # It has none, or is damaged.
        warnings.warn(
            f"{path} is empty, as after a power cut: its copy in {checkpoint} is taken",
            stacklevel=3,
        )
        return copy
    return text
