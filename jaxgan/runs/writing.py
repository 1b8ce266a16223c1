"""Files of a run, written whole and by the first of several processes."""

import json
from pathlib import Path
from typing import Any

from jaxgan.devices.distributed import is_first
from jaxgan.files import whole_file


def write_json(path: Path, value: Any) -> None:
    """Writes a whole file or none."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a whole file or none."""
    if not is_first():
        return
    with whole_file(path) as file:
        file.write(text.encode())
