"""Memory that is freed and taken again, in processes of their own."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource
from jaxgan.devices.allocator import keep_freed_memory

def fill():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    block = libc.malloc(ctypes.c_size_t(48 << 20))
    ctypes.memset(block, 1, 48 << 20)
    libc.free(ctypes.c_void_p(block))

keep_freed_memory()
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
glibc = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")


def faults(**environment: str) -> int:
    """Pages that the second of two equal blocks had to be given."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True
    )
    return int(done.stdout)


@glibc
@pytest.mark.parametrize(
    "environment", [{}, {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}], ids=["plain", "huge pages"]
)
def test_what_is_freed_is_kept(environment):
    assert faults(**environment) < 100


@glibc
@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_ARENA_MAX": "8"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=9"}],
)
def test_an_allocator_that_the_user_set_up_stays_as_it_is(environment):
    assert faults(**environment) >= (48 << 20) // 4096
