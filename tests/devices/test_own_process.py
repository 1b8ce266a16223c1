"""JAX counts its devices once a process: the tests of eight devices run in one of their own."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LEAN = {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""No plugins, of which it needs none."""


def test_on_eight_devices():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", FOLDER / "test_mesh.py"],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8", **LEAN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=FOLDER.parent.parent,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
