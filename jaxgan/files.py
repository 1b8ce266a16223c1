"""Writing a file whole or not at all, and paths that begin in the home folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, lasting: bool = False) -> Iterator[BinaryIO]:
    """Opens a file for writing that gets its name only when the block has ended well.

    A reader never sees half of it, and a failure leaves what was there before. Processes that
    write one file at once do not disturb each other: the last one stays.

    Args:
      path: of the file.
      lasting: wait until it is on the disk, so that it outlasts a power cut.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
        if lasting:
            sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk, where the system can do it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # Some network file systems cannot, of folders.
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_undecodable(path: str | Path) -> None:
    """Raises a ValueError for a name that is not UTF-8: checkpoints and records cannot hold it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{str(path)!r} is not UTF-8: give it, or its folder, another name"
        ) from None


def expanded(path: str | Path) -> Path:
    """A path with the home folder in place of a leading `~`, as a shell has it.

    Raises:
      ValueError: for a path that is not UTF-8, and where there is no such home folder, as for a
        service without HOME and without an entry in the list of users. Python leaves the `~` then,
        and a folder of that name would be made in the working directory.
    """
    refuse_undecodable(path)
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise ValueError(
            f"{path} begins with {found.partition(os.sep)[0]}, and there is no such home folder: "
            "set HOME, or give the whole path"
        )
    return Path(found)
