"""What the package promises as a whole: light imports, layers, docstrings."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jaxgan

ROOT = Path(jaxgan.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
HEAVY = {"tensorflow", "tensorflow_datasets", "matplotlib", "sklearn"}

# Layers from the inside out. A module may import those of its own rank and below.
LAYERS = [
    ["types", "keys", "sharding", "distributed", "files", "options", "compilation"],
    ["losses", "consistency", "penalties", "augment", "latent"],
    ["layers", "metrics"],
    ["networks"],
    ["games"],
    ["training.state", "training.step", "training"],
    ["data", "imaging"],
    ["experiment", "translation"],
    [
        "run",
        "sampling",
        "evaluation",
        "records",
        "summary",
        "advice",
        "diagnosis",
        "report",
        "translating",
        "progress",
    ],
    ["training.checkpoints", "training.trainer", "training.loop"],
    ["commands.arguments", "commands.loading"],
    ["commands"],
    ["cli"],
]
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = [name for file in FILES if (name := module_name(file))]


def rank(module: str) -> int:
    """The rank of `training.step`, or of the package that a module lies in."""
    return RANKS[module if module in RANKS else module.split(".")[0]]


def imported(file: Path) -> Iterator[str]:
    """The modules of jaxgan that a file imports anywhere when it runs."""

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (
                name if name.partition(".")[2] in MODULES else node.module for name in whole
            )
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    for name in visit(ast.parse(file.read_text())):
        if name.startswith("jaxgan."):
            yield name.removeprefix("jaxgan.")


@pytest.mark.parametrize("file", FILES, ids=lambda file: module_name(file) or "jaxgan")
def test_no_inner_layer_imports_an_outer_one(file):
    name = module_name(file)
    if not name:
        return  # `import jaxgan` gathers what its users take first.
    outer = {other for other in imported(file) if rank(other) > rank(name)}
    assert not outer, f"{name} imports {outer}"


def test_what_is_imported_is_found():
    assert "training.step" in set(imported(ROOT / "training" / "__init__.py"))
    assert "run" in set(
        imported(ROOT / "commands" / "training.py")
    )  # Inside a function, as `from jaxgan import run`


@pytest.mark.parametrize("file", FILES, ids=lambda file: module_name(file) or "jaxgan")
def test_every_module_says_what_it_is(file):
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    assert docstring
    assert docstring.splitlines()[0][-1] in ".:"


def test_importing_is_light():
    """All modules in one process: none of them brings a heavy one in."""
    code = "; ".join(f"import jaxgan.{name}" for name in MODULES)
    code += f"; import sys; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
