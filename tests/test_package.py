"""What the package promises as a whole: light imports, docstrings. `make lint` holds its layers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxgan

ROOT = Path(jaxgan.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
HEAVY = {"tensorflow", "tensorflow_datasets", "matplotlib", "sklearn"}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = [name for file in FILES if (name := module_name(file))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: module_name(file) or "jaxgan")
def test_every_module_says_what_it_is(file):
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    assert docstring
    assert docstring.splitlines()[0][-1] in ".:"


@pytest.mark.parametrize("file", FILES, ids=lambda file: module_name(file) or "jaxgan")
def test_imports_are_absolute(file):
    imports = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.ImportFrom)]
    assert all(node.level == 0 for node in imports)


def imported_by(code: str) -> set[str]:
    """The modules that a new process has imported after some code."""
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_is_light():
    """All modules in one process: none of them brings a heavy one in."""
    code = "; ".join(f"import jaxgan.{name}" for name in MODULES)
    assert imported_by(code) & HEAVY == set()


def test_the_door_opens_when_it_is_first_asked_for():
    """`import jaxgan` gives the functions of arrays alone: all of a run takes seconds to import."""
    needed_by_runs = {"orbax", "tyro", "jaxgan.training", "jaxgan.experiment"}
    assert imported_by("import jaxgan") & needed_by_runs == set()
    assert imported_by("from jaxgan import load") >= needed_by_runs - {"tyro"}
    assert {"load", "resume", "train"} <= set(dir(jaxgan))
    with pytest.raises(AttributeError, match="no attribute 'unload'"):
        jaxgan.unload  # noqa: B018


def test_a_command_is_found_without_what_the_others_need():
    """`jaxgan --help` answers at once."""
    assert imported_by("import jaxgan.cli.main") & (HEAVY | {"orbax", "flax", "optax"}) == set()


UNINSTALLED = """
import importlib.metadata
version = importlib.metadata.version
def of_others(name):
    if name == "jaxgan":
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = of_others
from jaxgan.runs.record import environment
print(environment()["versions"]["jaxgan"])
"""


@pytest.mark.parametrize("code", [["-c", UNINSTALLED], ["-m", "jaxgan", "--version"]])
def test_a_checkout_on_the_path_need_not_be_installed(code):
    command = [sys.executable, *code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{jaxgan.__version__}\n"


def test_one_version_is_told_everywhere():
    citation = (ROOT.parent / "CITATION.cff").read_text()
    assert f"\nversion: {jaxgan.__version__}\n" in citation
