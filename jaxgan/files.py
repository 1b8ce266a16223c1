"""Paths as users write them, and writing a file whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def expanded(path: str | Path) -> Path:
    """The path with a home directory in place of a leading `~` or `~user`.

    Raises:
      ValueError: when there is no such user, for which pathlib has a RuntimeError.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"the home directory in {path} is not known") from error


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that gets its name only when the block has ended well.

    A reader never sees half of it, and a failure leaves what was there before. Processes that
    write one file at once do not disturb each other: the last one stays.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
