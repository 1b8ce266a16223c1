"""What tests of the program share: two runs, trained once a session, to copy and to damage."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from small_runs import SMALL, Trained

from jaxgan.cli.main import main


def train(folder: Path, options: str) -> Trained:
    """Trains in a folder, into `run`."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.chdir(folder)
        assert main(f"train {SMALL} {options} --out run".split()) == 0
    return Trained(folder / "run", said.getvalue())


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run of the digits, conditional and without a best checkpoint."""
    return train(tmp_path_factory.mktemp("digits"), "--conditional --best-metric None")


@pytest.fixture(scope="session")
def points(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run of two-dimensional points that are gone since, ranked by the generator's loss."""
    folder = tmp_path_factory.mktemp("points")
    np.savez(folder / "points.npz", points=np.random.default_rng(0).normal(size=(20, 2)))
    trained = train(folder, "--data points.npz --best-metric generator_loss")
    (folder / "points.npz").unlink()
    return trained


@pytest.fixture
def no_cache_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """JAX as a user's command finds it, without the tests' own cache of programs."""
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    jax.config.update("jax_compilation_cache_dir", None)
    reset_cache()
    yield
    jax.config.update("jax_compilation_cache_dir", before)
    reset_cache()
