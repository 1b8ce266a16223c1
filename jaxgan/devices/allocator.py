"""Memory that a CPU's programs use again and again.

Every call of a program allocates its intermediate arrays as one block and frees it. Glibc gives
blocks of more than 32 MB back to the system at once, so that the next call has each page made and
zeroed anew: a fifth of the time of a step with a gradient penalty. Blocks of more than 64 MB it
gives back in any case, for XLA's threads take them and a thread's heap is no larger.
"""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Glibc's numbers, of malloc.h."""
LARGEST = 2**31 - 1
HEAP = 64 << 20
"""The largest heap of a thread; one that is empty stays where as much may stay unused."""


def keep_freed_memory() -> None:
    """From now on this process keeps the memory that it frees, and takes it for what comes next.

    What was freed before, such as a compiler's hundreds of MB, is given back. The process needs
    hardly more at its peak. Where the allocator is not glibc's, or the user has chosen one
    of these settings by `MALLOC_...` or `GLIBC_TUNABLES`, nothing changes.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    chosen = any(name in tunables for name in ("mmap_max", "trim_threshold", "top_pad"))
    if chosen or any(name.startswith("MALLOC_") for name in os.environ) or sys.platform != "linux":
        return
    glibc = ctypes.CDLL(None)
    if not hasattr(glibc, "mallopt"):  # Musl has none.
        return
    glibc.malloc_trim(0)
    glibc.mallopt(M_MMAP_MAX, 0)
    glibc.mallopt(M_TRIM_THRESHOLD, LARGEST)
    glibc.mallopt(M_TOP_PAD, HEAP)
