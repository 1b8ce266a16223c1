"""What the package promises as a whole: light imports, docstrings. `make lint` holds its layers."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def test_prose_is_plain():
    """No docstring begins in mid-sentence, and none has words that no engineer would say."""
    stiff = re.compile(r'^\s*"""Of |\bso many\b|\bdear\b|\bwhoever\b|\bone\'s own\b', re.I | re.M)
    checkout = ROOT.parent
    texts = [*FILES, *(checkout / "experiments").rglob("*.py"), *checkout.glob("benchmarks/*.py")]
    texts += [*checkout.glob("*.md"), *checkout.glob("docs/*.md")]
    found = {file.name: stiff.findall(file.read_text()) for file in texts}
    assert {name: words for name, words in found.items() if words} == {}


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


def test_completion_reaches_the_packages():
    """`jaxgan.<TAB>` names them, and each is imported when asked for."""
    packages = {"data", "games", "layers", "metrics", "networks", "training"}
    assert packages <= set(dir(jaxgan))
    assert all(getattr(jaxgan, name).__name__ == f"jaxgan.{name}" for name in packages)
    assert packages & {name.partition(".")[2] for name in imported_by("import jaxgan")} == set()
    assert "jaxgan.games.adversarial" in imported_by("import jaxgan; jaxgan.games.adversarial")


@pytest.mark.parametrize("name", ["consistency", "latent", "losses", "penalties"])
def test_a_module_of_functions_shows_its_own_alone(name):
    module = getattr(jaxgan, name)
    shown = {each: getattr(module, each) for each in dir(module)}
    functions = {
        each
        for each, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and each[0] != "_"
    }
    assert functions <= set(shown)
    assert not {"Any", "jax", "jnp", "partial"} & set(shown)
    assert all(shown[each].__doc__ for each in functions)


def test_a_command_is_found_without_what_the_others_need():
    """`jaxgan --help` answers at once."""
    assert imported_by("import jaxgan.cli.main") & (HEAVY | {"orbax", "flax", "optax"}) == set()


LIGHT = """
import sys
class Missing:  # All that the extra `train` brings.
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {
            "flax", "optax", "orbax", "tensorstore", "tensorflow_datasets", "sklearn", "matplotlib",
            "rich", "tyro", "PIL", "portalocker", "etils", "dm_pix", "importlib_resources",
        }:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
USED = """
import jax, jax.numpy as jnp
from jaxgan import augment, consistency, latent, losses, metrics, penalties
from jaxgan.layers import spectral_norm
logits = jnp.ones(4)
assert losses.hinge.discriminator(logits, logits) == 2
assert penalties.r1_penalty(lambda x: x.sum(1), jnp.ones([4, 3])) == 3
print(metrics.frechet_distance(jnp.eye(3), jnp.eye(3) + 1))
"""


def vendored(tmp_path: Path, code: str) -> subprocess.CompletedProcess:
    """Runs code with a bare copy of the package, and JAX, NumPy and SciPy alone."""
    if not (tmp_path / "jaxgan").exists():
        shutil.copytree(ROOT, tmp_path / "jaxgan", ignore=shutil.ignore_patterns("__pycache__"))
    return subprocess.run(
        [sys.executable, "-P", "-c", LIGHT + code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pure_functions_need_jax_and_numpy_alone_also_in_a_vendored_copy(tmp_path):
    done = vendored(tmp_path, USED)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(3, abs=1e-5)  # The means are (1, 1, 1) apart.


def test_what_needs_the_extra_says_so(tmp_path):
    sentence = "which comes with the extra `train`: pip install 'jaxgan[train]'"
    done = vendored(tmp_path, "from jaxgan.__main__ import main; sys.exit(main())")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("jaxgan: the command line needs ")
    assert done.stderr.endswith(f"{sentence}\n")
    done = vendored(tmp_path, "from jaxgan import load")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: jaxgan.load needs ")
    assert last.endswith(sentence)


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


def needed(names: list[str], known: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Packages and extras (or "") that requirements lead to, in the running environment."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    for requirement in map(Requirement, names):
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) in known:
                continue
            known.add((name, extra))
            if name == "jaxgan":  # As it is written, which may not be installed yet.
                options = project["optional-dependencies"]
                needed(options[extra] if extra else project["dependencies"], known)
                continue
            lines = [line for line in requires(name) or [] if holds(line, extra)]
            needed(lines, known)
    return known


def holds(line: str, extra: str) -> bool:
    """Whether a line of a package's metadata applies here, and because of the extra if any."""
    marker = Requirement(line).marker
    if marker is None:
        return not extra
    return marker.evaluate({"extra": extra}) and not (extra and marker.evaluate({"extra": ""}))


def pinned(version: str) -> list[str]:
    """The packages in constraints.txt that are for one Python."""
    lines = (ROOT.parent / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    here = [
        pin for pin in pins if not pin.marker or pin.marker.evaluate({"python_version": version})
    ]
    return [canonicalize_name(pin.name) for pin in here]


def test_what_the_tests_need_is_pinned_and_nothing_else():
    packages = {name for name, _ in needed(["jaxgan[test]"], set())} - {"jaxgan"}
    assert set(pinned("{}.{}".format(*sys.version_info))) == packages


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_each_python_has_one_version_of_every_package(version):
    names = pinned(version)
    assert len(names) == len(set(names))
    assert set(names) == {name for each in ("3.11", "3.12", "3.13") for name in pinned(each)}


def test_one_version_is_told_everywhere():
    citation = (ROOT.parent / "CITATION.cff").read_text()
    assert f"\nversion: {jaxgan.__version__}\n" in citation
