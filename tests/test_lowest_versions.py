"""What pyproject.toml promises: the lowest versions that it allows work.

They are installed into an environment of their own, from pip's index, under the running Python.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
TOOLS = ["pytest", "hypothesis", "chex"]  # Of the tests, at any version that fits the others.
SELECTED = [
    "tests/test_losses.py",
    "tests/test_penalties.py",
    "tests/games/test_adversarial.py",
    "tests/layers/test_spectral_norm.py",
    "tests/metrics/test_frechet.py",
    "tests/networks/test_dcgan.py",
    "tests/training/test_checkpoints.py",
    "tests/training/test_step.py",
    "tests/cli/test_exported.py",
]
COMMANDS = [
    "train --steps 20 --checkpoint-every 10 --out run",
    "resume run --steps 30",
    "verify run",
    "sample run --out samples.png",
    "report run",
    "export run --out model.safetensors",
    "sample model.safetensors --out again.png",
]


def requirements() -> list[Requirement]:
    """What the library and the extra `train` need on this system."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["train"]
    return [Requirement(line) for line in lines]


def floor(requirement: Requirement) -> str:
    """The lowest version that a requirement allows."""
    (version,) = [each.version for each in requirement.specifier if each.operator == ">="]
    return version


@pytest.mark.parametrize("requirement", requirements(), ids=lambda each: each.name)
def test_every_requirement_has_a_lowest_version(requirement):
    assert floor(requirement)


@pytest.fixture(scope="module")
def lowest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the lowest versions."""
    folder = tmp_path_factory.mktemp("lowest")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pins = [f"{each.name}=={floor(each)}" for each in requirements()]
    wheels = ",".join(each.name for each in requirements())  # What has none fails at once.
    install = ["-m", "pip", "install", "--quiet", "--only-binary", wheels]
    command = [folder / "bin/python", *install, f"{ROOT}[train]", *pins, *TOOLS]
    subprocess.run(command, check=True)
    return folder / "bin"


def check(command: list[str | Path], folder: Path) -> None:
    """Runs a program without the settings of this session, which has other versions."""
    ours = ("PYTHONPATH", "JAX_", "XLA_FLAGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


@pytest.mark.slow
def test_the_tests_pass_with_the_lowest_versions(lowest):
    # An old Matplotlib calls names of pyparsing by which newer ones no longer go.
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning"]
    check([lowest / "python", "-m", "pytest", *options, *SELECTED], ROOT)


@pytest.mark.slow
def test_a_run_passes_with_the_lowest_versions(lowest, tmp_path):
    for command in COMMANDS:
        check([lowest / "jaxgan", *command.split()], tmp_path)
