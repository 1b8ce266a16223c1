"""Settings that hold for every test.

Most of the time is compiling. XLA optimises nothing, which takes a fifth of that time: what a test
compiles runs for milliseconds. Nor does it generate a program's code in many parts, each of which
costs what has nothing to do with the program. Who sets the level, as `make test-slow` does, has
XLA as it is used. Programs that still take long to compile are kept for the whole session, for both
workers and for the processes that tests start: JAX looks for them in a folder that goes with the
session.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

FLAGS = "XLA_FLAGS"
FASTER = ["--xla_backend_optimization_level=0"]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):  # XLA ends at a flag it lacks.
    FASTER += ["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"]
if "optimization_level" not in os.environ.get(FLAGS, ""):  # XLA reads it once, when JAX starts.
    os.environ[FLAGS] = " ".join([*os.environ.get(FLAGS, "").split(), *FASTER])

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_debug_key_reuse", True)

CACHE = "JAX_COMPILATION_CACHE_DIR"
WORTH_KEEPING = "0.1"
"""Seconds of compiling, from which on reading a program back costs less."""


def pytest_configure(config: pytest.Config) -> None:
    """Makes the session's folder, in the process that starts the workers."""
    if CACHE in os.environ:  # Of this session's first process, or the user's own.
        return
    config.stash[_made] = tempfile.mkdtemp(prefix="jaxgan-programs-")
    os.environ[CACHE] = config.stash[_made]
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = WORTH_KEEPING
    for name, value in (
        ("jax_compilation_cache_dir", config.stash[_made]),
        ("jax_persistent_cache_min_compile_time_secs", float(WORTH_KEEPING)),
    ):
        jax.config.update(name, value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole programs first, so that no worker is left alone with a long file at the end."""
    items.sort(key=lambda item: item.path.parent.name not in ("devices", "systems", "training"))


def pytest_collection_finish() -> None:
    """What is imported stays: the collector need not look at it again and again."""
    gc.freeze()


@pytest.fixture(scope="module")
def optimised() -> Iterator[None]:
    """XLA's first level, for train steps that are compared to the bit with other programs.

    Programs that compute the same in loops of other lengths agree to the bit where XLA optimises
    as it does for users, and not where it optimises nothing.
    """
    compile_ = jax.stages.Lowered.compile

    def optimising(lowered: jax.stages.Lowered, options: Any = None) -> jax.stages.Compiled:
        return compile_(lowered, dict(options or {}) | {"xla_backend_optimization_level": "1"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax.stages.Lowered, "compile", optimising)
        yield


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Runs end without a drawing of their curves, which takes as long as many a run.

    In its place are the numbers that it would show.
    """

    def leave(directory: Path) -> bool:
        (directory / "curves.png").write_bytes((directory / "metrics.jsonl").read_bytes())
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgan.training.loop.draw_curves", leave)
        yield


def pytest_unconfigure(config: pytest.Config) -> None:
    if _made in config.stash:
        shutil.rmtree(config.stash[_made], ignore_errors=True)


_made = pytest.StashKey[str]()
