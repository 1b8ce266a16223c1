"""Memory that is freed and taken again, in processes of their own."""

import subprocess
import sys

import pytest

KEPT = """
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
GIVEN_BACK = """
import ctypes
from jaxgan.devices.allocator import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
blocks = [libc.malloc(ctypes.c_size_t(100_000)) for _ in range(1000)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
for block in blocks[:-1]:  # The last one keeps the heap from shrinking by itself.
    libc.free(ctypes.c_void_p(block))

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))

before = resident()
keep_freed_memory()
print(before - resident())
"""
glibc = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")


def number(program: str, **environment: str) -> int:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    return int(done.stdout)


def faults(**environment: str) -> int:
    """Pages that the second of two equal blocks had to be given."""
    return number(KEPT, **environment)


@glibc
@pytest.mark.parametrize(
    "environment", [{}, {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}], ids=["plain", "huge pages"]
)
def test_what_is_freed_is_kept(environment):
    assert faults(**environment) < 100


@glibc
def test_what_was_freed_before_is_given_back():
    assert number(GIVEN_BACK) > 80_000  # kB, of 100,000.


@glibc
@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_ARENA_MAX": "8"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=9"}],
)
def test_an_allocator_that_the_user_set_up_stays_as_it_is(environment):
    assert faults(**environment) >= (48 << 20) // 4096
