"""Programs that XLA has compiled, kept in a folder for the next process.

The folder is `.jax_cache` beside the runs, and may be deleted at any time. It holds machine code
that JAX runs as it finds it, so it is used only where nobody but its owner can enter it.
"""

import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

FOLDER = ".jax_cache"
_DAMAGED = "Error (reading|writing) persistent compilation cache entry"


@contextmanager
def kept_programs(run: Path) -> Iterator[None]:
    """Keeps what the block compiles in `.jax_cache` beside a run, or takes it from there.

    Small programs are kept too. A cache that the user chose (`JAX_COMPILATION_CACHE_DIR`, or
    `jax.config`) is left as it is and used instead. Processes may share the folder; an entry that
    cannot be read, such as one cut short by a kill, is compiled anew, and all entries make way.

    Args:
      run: a run directory. Where the folder beside it cannot be made, or is not the user's own and
        closed to others, a warning says so and nothing is kept.
    """
    folder = run.resolve().parent / FOLDER
    options = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in options}
    if before["jax_compilation_cache_dir"] is not None:
        yield
        return
    obstacle = _obstacle(folder)
    if obstacle:
        warnings.warn(f"compiled programs are not kept in {folder}: {obstacle}", stacklevel=3)
        yield
        return
    show = warnings.showwarning

    def heal(message: Warning | str, *details: Any, **more: Any) -> None:
        if not re.match(_DAMAGED, str(message)):
            show(message, *details, **more)
            return
        for entry in folder.glob("*-cache"):  # JAX never writes over an entry.
            entry.unlink(missing_ok=True)

    reset_cache()  # JAX looks for a cache once, at the first program that it compiles.
    try:
        for name, value in options.items():
            jax.config.update(name, value)
        with warnings.catch_warnings():
            warnings.filterwarnings("always", _DAMAGED)
            warnings.showwarning = heal
            yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        reset_cache()


@contextmanager
def written_if(kept: bool) -> Iterator[None]:
    """Whether programs that the block compiles are written to a cache; JAX warns of those that
    cannot be. Programs that other threads compile meanwhile are not written either."""
    if kept:
        yield
        return
    name = "jax_persistent_cache_min_compile_time_secs"
    least = getattr(jax.config, name)
    jax.config.update(name, float("inf"))
    try:
        yield
    finally:
        jax.config.update(name, least)


def _obstacle(folder: Path) -> str:
    """Makes the folder if need be; returns why it must not be used, or an empty string."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a directory"
    if found.st_uid != os.getuid():
        return "it belongs to another user"
    if stat.S_IMODE(found.st_mode) & 0o077:
        return "other users can enter it (chmod 700)"
    return ""
