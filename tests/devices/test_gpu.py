"""What only a GPU can show: `python -m pytest -m slow tests/devices/test_gpu.py`."""

import os
import subprocess
import sys

import jax
import pytest

pytestmark = pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU")


@pytest.mark.slow
def test_the_same_key_gives_the_same_bits_in_every_process(tmp_path):
    """Algorithms are chosen by their time, and some add up in whatever order threads come."""
    for name in ("a", "b"):
        options = "--data digits --steps 100 --evaluate-every 0 --best-metric None"
        subprocess.run(
            [sys.executable, "-m", "jaxgan", "train", *options.split(), "--out", tmp_path / name],
            env=os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
            check=True,
        )
    first, second = ((tmp_path / name / "digests.json").read_text() for name in ("a", "b"))
    assert first == second
