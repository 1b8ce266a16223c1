"""Writing a file whole or not at all, and paths that begin in the home folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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


def expanded(path: str | Path) -> Path:
    """A path with the home folder in place of a leading `~`, as a shell has it.

    Raises:
      ValueError: where there is no such home folder, as for a service without HOME and without an
        entry in the list of users. Python leaves the `~` then, and a folder of that name would be
        made in the working directory.
    """
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise ValueError(
            f"{path} begins with {found.partition(os.sep)[0]}, and there is no such home folder: "
            "set HOME, or give the whole path"
        )
    return Path(found)
