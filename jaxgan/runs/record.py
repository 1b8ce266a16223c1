"""The run directory: what a run leaves on disk, and how it is found again.

Of several processes the first one writes.

experiment.json   the resolved experiment, package versions and the device
metrics.jsonl     scalars, the diversity of samples, evaluations: of the key alone, so without times
digests.json      digests of the parameters after the first steps, for `verify`
checkpoints/      the latest three and the best
samples/          step_000500.png ...: the same latents every time
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan.data import PairSpec, Spec
from jaxgan.devices.distributed import is_first
from jaxgan.devices.sharding import local
from jaxgan.experiment.generation import BaseExperiment, Experiment
from jaxgan.experiment.unpaired import UnpairedExperiment
from jaxgan.files import whole_file
from jaxgan.options import check_types, from_dict, to_dict
from jaxgan.types import PyTree

KINDS = {kind.__name__: kind for kind in (Experiment, UnpairedExperiment)}
"""The library's own kinds of experiment, by the name in a run's record."""
PACKAGES = ("jaxgan", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def load_file(path: Path) -> BaseExperiment:
    """The `experiment` that a Python file defines.

    Raises:
      ValueError: when the file is missing, does not run, or defines no `experiment`.
    """
    if not path.is_file():
        raise ValueError(f"there is no experiment file {path}")
    spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a Python file: experiment files end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Where dataclasses look up the names in their annotations.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # It leaves no file behind.
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} does not run: {type(error).__name__}: {error}") from error
    finally:
        sys.dont_write_bytecode = before
    experiment = getattr(module, "experiment", None)
    if not isinstance(experiment, BaseExperiment):
        found = "no such name" if experiment is None else f"a {type(experiment).__name__}"
        raise ValueError(f"{path} must define `experiment = Experiment(...)`; it has {found}")
    return experiment


def environment() -> dict[str, Any]:
    """What the bits of a run depend on besides its experiment."""
    device = jax.devices()[0]
    return {
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "device": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
    }


def create(
    directory: Path,
    experiment: BaseExperiment,
    file: Path | None = None,
    spec: Spec | PairSpec | None = None,
) -> None:
    """Starts a run directory.

    Args:
      directory: must not exist or be empty.
      experiment: the resolved experiment.
      file: where its class is defined, when that is not the library's own.
      spec: of its data, with which samples can be drawn where the data are not.

    Raises:
      ValueError: when the directory holds a run or anything else.
    """
    refuse_occupied(directory)
    (directory / "samples").mkdir(parents=True)
    own_class = type(experiment) not in KINDS.values()
    record = {
        "kind": type(experiment).__name__,
        "experiment": to_dict(experiment),
        "file": str(file.resolve()) if own_class and file else None,
        "spec": spec and _spec_record(spec),
    }
    write_json(directory / "experiment.json", record | environment())


def _spec_record(spec: Spec | PairSpec) -> dict[str, Any]:
    if isinstance(spec, PairSpec):
        return {domain: part._asdict() for domain, part in spec._asdict().items()}
    return spec._asdict()


def newest_step(directory: Path) -> int:
    """The step of the newest checkpoint; 0 when there is none."""
    names = [path.name for path in (directory / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdigit()), default=0)


def prolong(directory: Path, experiment: BaseExperiment) -> None:
    """Records the steps that a resumed run is to reach, and where it goes on."""
    with lock(directory):
        _, record = load(directory)
        record["experiment"] = to_dict(experiment)
        write_json(directory / "experiment.json", record | environment())


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Keeps other processes from writing to a run; the system frees it however a process ends.

    Raises:
      ValueError: when another process holds it.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another process is training in {directory}") from None
        except OSError:
            pass  # A file system without locks.
        yield
    finally:
        os.close(descriptor)


def refuse_occupied(directory: Path) -> None:
    """Raises a ValueError unless a run may start in the directory."""
    if (directory / "experiment.json").exists():
        raise ValueError(
            f"{directory} already holds a run; resume it with `jaxgan resume {directory}` "
            "or choose another --out"
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ValueError(f"{directory} is not an empty directory; choose another --out")
    if directory.is_symlink() and not directory.exists():
        raise ValueError(f"{directory} is a link that leads nowhere; choose another --out")
    # `exists` knows nothing below a file; what is neither there nor missing is in the way.
    around = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not around.is_dir() or not os.access(around, os.W_OK):
        raise ValueError(f"{directory} cannot be made: {around} is no folder to write to")


def load(directory: Path) -> tuple[BaseExperiment, dict[str, Any]]:
    """The experiment of a run, and the whole record it was read from.

    Raises:
      ValueError: when the directory is no run, its record cannot be read, or the record names a
        file of its class that is not an absolute path outside the run. That file is run.
    """
    path = directory / "experiment.json"
    if not path.is_file():
        raise ValueError(f"{directory} is not a run directory: it has no experiment.json")
    try:
        record = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("experiment"), dict):
        raise ValueError(f"{path} is damaged: it holds no experiment")
    kind = _recorded_kind(directory, record)
    try:
        experiment = from_dict(kind, record["experiment"])
        check_types(experiment)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    return experiment, record


def _recorded_kind(directory: Path, record: dict[str, Any]) -> type[BaseExperiment]:
    """The class of a run's experiment. A run brings no code of its own: its file lies elsewhere."""
    # Runs from before there were kinds are of the first.
    name, file = record.get("kind", "Experiment"), record.get("file")
    if file is None:
        if name not in KINDS:
            raise ValueError(
                f"{directory / 'experiment.json'} names the kind {name!r} and no file that has it"
            )
        return KINDS[name]
    path = Path(str(file))
    if not path.is_absolute() or path.resolve().is_relative_to(directory.resolve()):
        raise ValueError(
            f"{directory / 'experiment.json'} names the class file {file!r}, which would be run "
            "and must be an absolute path outside the run directory"
        )
    return type(load_file(path))


def recorded_spec(record: dict[str, Any]) -> Spec | PairSpec | None:
    """The spec of a run's data, as its record holds it."""

    def read(spec: dict[str, Any]) -> Spec:
        shape, classes = tuple(spec["shape"]), spec["num_classes"]
        if not all(type(number) is int and number >= 0 for number in (*shape, classes)):
            raise ValueError
        return Spec(shape, classes, tuple(spec["class_names"]))

    spec = record.get("spec")
    try:
        if not spec:
            return None
        return PairSpec(read(spec["x"]), read(spec["y"])) if "x" in spec else read(spec)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the spec in experiment.json is damaged: {spec!r}") from error


def write_json(path: Path, value: Any) -> None:
    """Writes a whole file or none."""
    _write_text(path, json.dumps(value, indent=2) + "\n")


def _write_text(path: Path, text: str) -> None:
    if not is_first():
        return
    with whole_file(path) as file:
        file.write(text.encode())


def read_metrics(directory: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl; a last line cut short by a kill is left out.

    Raises:
      ValueError: naming a line that is damaged.
    """
    return [values for values, _ in _metrics_lines(directory)]


def append_metrics(directory: Path, line: dict[str, float]) -> None:
    """Adds a line to metrics.jsonl."""
    if not is_first():
        return
    with (directory / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def truncate_metrics(directory: Path, step: int) -> None:
    """Drops the lines that lie beyond a step, as a resumed run writes them again.

    Raises:
      ValueError: naming a line that is damaged.
    """
    kept = [text for values, text in _metrics_lines(directory) if values["step"] <= step]
    _write_text(directory / "metrics.jsonl", "".join(kept))


def _metrics_lines(directory: Path) -> list[tuple[dict[str, float], str]]:
    path = directory / "metrics.jsonl"
    text = path.read_text(errors="replace") if path.exists() else ""
    parsed = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            values = json.loads(line)
            largest = max(abs(value) for value in values.values())  # All must be numbers.
            if type(values["step"]) is not int or 1e300 < largest < math.inf:
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError(f"line {number} of {path} is damaged: {line[:60]!r}") from None
        parsed.append((values, line + "\n"))
    return parsed


def record_digest(directory: Path, step: int, params: PyTree) -> None:
    """Notes the digest of the parameters after a step in digests.json."""
    write_json(directory / "digests.json", read_digests(directory) | {str(step): digest(params)})


def read_digests(directory: Path) -> dict[str, str]:
    """Digest by step, as far as the run recorded any."""
    path = directory / "digests.json"
    try:
        digests = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(digests, dict) or not all(step.isdecimal() for step in digests):
        raise ValueError(f"{path} is damaged: it holds no digests by step")
    return digests


def digest(tree: PyTree) -> str:
    """SHA-256 over the paths, types, shapes and bytes of all leaves, wherever they lie."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(local(leaf))
        sha.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
