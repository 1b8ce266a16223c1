"""Decoded images, kept as .npy files so that they are decoded once.

An entry is one file an array, `<stem>.<array>.<CRC-32>.npy`. The stem holds a fingerprint of
everything that the arrays depend on, so an entry is never out of date, only unused; the whole
directory may be deleted at any time. A file whose contents do not have its checksum is as good
as absent.

Pixels are kept as they are, uint8 one after the other: any batch is then read at the speed of the
disk, at no cost to the cores that train. Compressed without loss they would take a third to a half
of the room (WebP), and a core about 1 ms for an image of 256 pixels, again at every step.

A file's checksum is taken as it is written. What it was then, its size, time of change and inode,
stands in a stamp beside it, `<file>.verified`, and while the file still is that it is opened
without reading it. Any difference, and a stamp that is missing or damaged, leads to a whole check
again; so does a file that changed within the clock tick of its stamp, where a later change would
not show. What no stamp shows is a disk that damages bytes by itself. A stamp that cannot be
written costs time, at the next opening, and nothing else.
"""

import atexit
import errno
import functools
import hashlib
import math
import os
import re
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxgan.data.source import let_go
from jaxgan.files import expanded, whole_file
from jaxgan.working import working

Layout = dict[str, tuple[tuple[int, ...], type]]
"""Shape and type of every array of an entry."""

_CHUNK = 1 << 24  # bytes
_SCRATCH = ".new-"
"""How the name of a folder begins in which an entry is written."""
_PASSING: list[Path] = []
"""Temporary folders of this process."""


def cache_dir() -> Path:
    """`$JAXGAN_CACHE`, else `$XDG_CACHE_HOME/jaxgan`, else `~/.cache/jaxgan`.

    Where there is no home folder, a temporary one that goes away with the process.

    Raises:
      ValueError: for a variable that begins with a `~` of no home folder.
    """
    if own := os.environ.get("JAXGAN_CACHE"):
        return expanded(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return expanded(shared) / "jaxgan"
    try:
        return expanded("~/.cache/jaxgan")
    except ValueError:
        return _passing_folder("there is no home folder")


def _writable() -> Path:
    """The cache, or where it may not be written to, such as another user's, a temporary folder."""
    folder = cache_dir()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder).cleanup()
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return _passing_folder(f"{folder} cannot be written to ({error.strerror})")
    return folder


@functools.cache
def _passing_folder(obstacle: str) -> Path:
    """A folder of a new name each time: others could have prepared one of a known name."""
    folder = Path(tempfile.mkdtemp(prefix="jaxgan-"))
    _PASSING.append(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    warnings.warn(
        f"{obstacle}, so decoded images are kept for this process alone; set JAXGAN_CACHE to a "
        "directory to keep them",
        stacklevel=2,
    )
    return folder


def stem(name: str, *depends_on: object) -> str:
    """A file name that differs whenever anything in `depends_on` does."""
    digest = hashlib.sha256(repr(depends_on).encode()).hexdigest()[:16]
    return re.sub(r"[^\w\-]+", "-", name)[:64] + "-" + digest


def _checksum(array: np.ndarray, start: int) -> int:
    rows = array.reshape(-1).view(np.uint8)
    for i in range(0, len(rows), _CHUNK):
        start = zlib.crc32(rows[i : i + _CHUNK].data, start)
        let_go(array)  # Or all of a memory map would count as this process's memory.
    return start


def _header_checksum(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return zlib.crc32(repr((shape, dtype.str)).encode())


def _stamp_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _stamp(stat: os.stat_result) -> bytes:
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}\n".encode()


def _is_verified(path: Path, stat: os.stat_result) -> bool:
    """Whether the file was whole when it last was as `stat` says."""
    stamp = _stamp_file(path)
    try:
        later = stamp.stat().st_mtime_ns > stat.st_mtime_ns
        return later and stamp.read_bytes() == _stamp(stat)
    except OSError:
        return False


def _open(path: Path) -> np.ndarray | None:
    """A memory map of a file, or None unless it has its checksum."""
    try:
        stat = path.stat()  # Before the check, so that a change during it differs from the stamp.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if _is_verified(path, stat):
        return array
    with working("checking decoded images"):
        checksum = _checksum(array, _header_checksum(array.shape, array.dtype))
    if not path.name.endswith(f".{checksum:08x}.npy"):
        return None
    _vouch_for(path, stat)
    return array


def _vouch_for(path: Path, stat: os.stat_result) -> None:
    """Writes the stamp of a file that was found whole when it was as `stat` says."""
    with suppress(OSError), whole_file(_stamp_file(path)) as file:
        file.write(_stamp(stat))


def find(
    stem: str, names: Iterable[str], folder: Path | None = None
) -> dict[str, np.ndarray] | None:
    """Memory maps of an entry's arrays, or None unless all are there and intact.

    Files are read, at about a gigabyte a second, where their stamps do not vouch for them.

    Args:
      stem: of this module's `stem`.
      names: of the arrays.
      folder: where they lie; by default in the cache, or in what had to do for it.
    """
    folders, arrays = [folder] if folder else [cache_dir(), *_PASSING], {}
    for name in names:
        paths = [path for each in folders for path in sorted(each.glob(f"{stem}.{name}.*.npy"))]
        array = next((array for array in map(_open, paths) if array is not None), None)
        if array is None:
            return None
        arrays[name] = array
    return arrays


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder within the cache that is gone after the block.

    What a killed process left of its own is deleted first: it may be many gigabytes. Every writer
    holds a lock, which the system frees however a process ends, so nobody writes there any more.
    """
    import portalocker  # Slow to import, and few processes decode.

    with ExitStack() as stack:
        with suppress(OSError, portalocker.LockException):  # Another user's, or there are no locks.
            lock = stack.enter_context((folder / ".writing").open("ab"))
            with suppress(portalocker.LockException):  # Somebody writes.
                portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
                for left in folder.glob(f"{_SCRATCH}*"):
                    shutil.rmtree(left, ignore_errors=True)
            portalocker.lock(lock, portalocker.LOCK_SH)
        yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder)))


def _refuse_without_room(folder: Path, layout: Layout) -> None:
    needed = sum(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in layout.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"Decoded images take {needed / 1e9:,.1f} GB, and {folder} has room for "
            f"{free / 1e9:,.1f} GB; set $JAXGAN_CACHE to a directory with more room, or take a "
            "smaller image_size."
        )


def store(
    stem: str,
    layout: Layout,
    blocks: Iterable[dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Writes an entry block by block, so that it need not fit in memory, and opens it.

    Nothing stands under an entry's name before it is complete, and nothing is written unless there
    is room for all of it. It is stamped at once: its checksum is of what was written, and the disk
    has it.

    Args:
      stem: of this module's `stem`.
      layout: its arrays.
      blocks: consecutive rows of every array.

    Returns:
      The arrays, as memory maps.

    Raises:
      ValueError: there is no room for it.
    """
    folder = cache_dir()
    try:
        folder = _writable()
        with _scratch(folder) as scratch, ExitStack() as open_files:
            _refuse_without_room(folder, layout)
            files: dict[str, BinaryIO] = {}
            checksums: dict[str, int] = {}
            for name, (shape, dtype) in layout.items():
                files[name] = open_files.enter_context(open(scratch / name, "wb"))
                header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(files[name], header)
                checksums[name] = _header_checksum(shape, np.dtype(dtype))
            for block in blocks:
                for name, rows in block.items():
                    rows = np.ascontiguousarray(rows, layout[name][1])
                    checksums[name] = _checksum(rows, checksums[name])
                    files[name].write(rows.data)
            for name, file in files.items():
                file.flush()
                os.fsync(file.fileno())
                final = folder / f"{stem}.{name}.{checksums[name]:08x}.npy"
                os.replace(scratch / name, final)
                _vouch_for(final, final.stat())
    except OSError as error:
        raise ValueError(
            f"Decoded images cannot be cached in {folder} ({error.strerror or error}); set "
            "$JAXGAN_CACHE to a directory with room for them."
        ) from error
    arrays = find(stem, layout, folder)
    if arrays is None:
        raise ValueError(f"The decoded images just cached in {folder} cannot be read back.")
    return arrays
