"""Blocks of steps, timed, the memory of this process, and processes that compile nothing."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

Run = Callable[[int], None]
"""Takes that many steps and waits for the last."""


def seconds(run: Run, steps: int) -> float:
    """Seconds of one step."""
    start = time.perf_counter()
    run(steps)
    return (time.perf_counter() - start) / steps


def block_size(run: Run) -> int:
    """Steps that take a second, 5 or more; also warms up."""
    run(3)
    return max(5, math.ceil(1 / seconds(run, 3)))


def resident(what: str) -> int:
    """Bytes of this process in memory, now (VmRSS) or at most so far (VmHWM), on Linux.

    `getrusage` does not serve: a new process inherits its parent's maximum.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(what))) * 1024


def cached_in(folder: str) -> dict[str, str]:
    """The environment of a process that keeps every program it compiles in a folder."""
    return os.environ | {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
