"""Losses, penalties and the other pure functions under JAX's flags: the same values and types."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FLAGS = {
    "x64": {"JAX_ENABLE_X64": "1"},
    "strict types": {"JAX_NUMPY_DTYPE_PROMOTION": "strict"},
    "strict ranks": {"JAX_NUMPY_RANK_PROMOTION": "raise"},
}


def run(flags: dict[str, str]) -> dict:
    program = Path(__file__).with_name("pure_functions.py")
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, **flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def plain() -> dict:
    return run({})


@pytest.mark.slow
@pytest.mark.parametrize("name", FLAGS)
def test_flags_change_no_value_and_no_type(name, plain):
    found = run(FLAGS[name])
    assert found.keys() == plain.keys()
    for call, expected in plain.items():
        for (dtype, values), (wanted_type, wanted) in zip(found[call], expected, strict=True):
            # What NumPy computed is float64 by itself; JAX makes it float32 without x64.
            host = name == "x64" and (dtype, wanted_type) in NUMPY
            assert dtype == wanted_type or host, call
            np.testing.assert_allclose(values, wanted, rtol=2e-6, atol=1e-7, err_msg=call)


NUMPY = (("float64", "float32"), ("int64", "int32"))
