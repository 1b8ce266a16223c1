"""A run directory's record, experiment.json: what was run, and how it is found again.

Of several processes the first one writes.

experiment.json   the resolved experiment and its class, its data's spec and identity, versions and
                  the device
metrics.jsonl     scalars, the diversity of samples, evaluations: of the key alone, so without times
digests.json      digests of the parameters after the first steps, for `verify`
checkpoints/      the latest three, the latest of every phase and the best
ranks.json        by step, what ranks checkpoints that were saved before they were evaluated
start/            of a warm start: the weights that it began with
samples/          step_000500.png ...: the same latents every time
.lock             empty; who trains holds it, and the system frees it however a process ends
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shlex
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import portalocker

from jaxgan import __version__
from jaxgan.experiment.base import BaseExperiment
from jaxgan.files import refuse_undecodable
from jaxgan.options import check_values, from_dict, to_dict
from jaxgan.runs import exports
from jaxgan.runs.writing import EXPERIMENT, read_text, write_json

PACKAGES = ("jaxgan", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
FILE = EXPERIMENT
LOCK = ".lock"
LATEST = "latest"
"""Beside the folders of runs: a link to the one that began last."""


def load_file(path: Path) -> BaseExperiment:
    """The `experiment` that a Python file defines.

    Raises:
      ValueError: when the file is missing, does not run, or defines no `experiment`.
    """
    experiment = getattr(_run_file(path), "experiment", None)
    if not isinstance(experiment, BaseExperiment):
        found = "no such name" if experiment is None else f"a {type(experiment).__name__}"
        raise ValueError(f"{path} must define `experiment = Experiment(...)`; it has {found}")
    return experiment


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ValueError(f"there is no experiment file {path}")
    spec = importlib.util.spec_from_file_location(_module_name(path), path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is not a Python file: experiment files end in .py")
    changed = path.stat().st_mtime_ns
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Where dataclasses look up the names in their annotations.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # It leaves no file behind.
    try:
        spec.loader.exec_module(module)
        spec.loader_state = changed
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} does not run: {type(error).__name__}: {error}") from error
    finally:
        sys.dont_write_bytecode = before
    return module


def _module_of(path: Path) -> ModuleType:
    """A file's module as it stands; it runs anew only where it has changed.

    The classes that one record names in one file are then of one module.
    """
    module = sys.modules.get(_module_name(path))
    spec = getattr(module, "__spec__", None)
    if module and spec and path.is_file() and spec.loader_state == path.stat().st_mtime_ns:
        return module
    return _run_file(path)


def _module_name(path: Path) -> str:
    return f"experiment_{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}"


def environment() -> dict[str, Any]:
    """What the bits of a run depend on besides its experiment."""
    device = jax.devices()[0]
    return {
        "versions": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "device": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
    }


def _version(package: str) -> str:
    """A package's version; jaxgan's is in its code, since a checkout need not be installed."""
    return __version__ if package == "jaxgan" else importlib.metadata.version(package)


def create(
    directory: Path,
    experiment: BaseExperiment,
    specs: Sequence[Any],
    data: Sequence[Any] = (),
    start: dict[str, Any] | None = None,
    *,
    or_next: bool = False,
) -> Path:
    """Starts a run directory.

    Args:
      directory: must not exist or be empty.
      experiment: the resolved experiment.
      specs: of its data, one a phase, with which samples can be drawn where the data are not.
      data: who they are, as `runs.data.to_record` has it.
      start: of a warm start, as `training.warm` has it.
      or_next: where there is such a directory take the next name, `<directory>-2`, `-3`, ...

    Returns:
      The directory.

    Raises:
      ValueError: when the directory holds a run or anything else, or the experiment's class is
        neither the library's nor of a file.
    """
    record = {
        **_place_of(type(experiment)),
        "experiment": to_dict(experiment),
        "specs": [{**_place_of(type(spec)), "values": spec.to_record()} for spec in specs],
        "data": list(data),
        **({"start": start} if start else {}),
    }
    if or_next:
        directory = _make_next(directory)
    refuse_occupied(directory)
    try:
        (directory / "samples").mkdir(parents=True)  # Of two processes one makes it.
    except FileExistsError:
        raise ValueError(f"another process has just begun a run in {directory}") from None
    write_json(directory / FILE, record | environment())
    return directory


def mark_latest(directory: Path) -> None:
    """Lets `runs/latest` lead to `runs/<name>/<time>`, where the file system has links.

    A folder of that name, such as of an experiment that is called so, stays.
    """
    link = directory.parent.parent / LATEST
    if link.exists() and not link.is_symlink():
        return
    new = link.with_name(f".{LATEST}-{os.getpid()}")
    with suppress(OSError):
        new.symlink_to(directory.relative_to(link.parent), target_is_directory=True)
        new.replace(link)  # At once: of two runs that begin together, one or the other.


def _make_next(directory: Path) -> Path:
    """Makes the first directory of `<directory>`, `<directory>-2`, ... that nobody has made."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    found, number = directory, 1
    while True:
        try:
            found.mkdir()
            return found
        except FileExistsError:
            number += 1
            found = directory.with_name(f"{directory.name}-{number}")


def _place_of(kind: type) -> dict[str, str | None]:
    """Where a class is defined: `module:Class`, and its file where it is not the library's."""
    module, name = kind.__module__, kind.__qualname__
    if module.partition(".")[0] == "jaxgan":
        return {"class": f"{module}:{name}", "file": None}
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module == "__main__" or "." in name:
        raise ValueError(
            f"the class {name} is defined in {module}, and a run must be able to find it again: "
            "define it at the top of a Python file and import it from there"
        )
    return {"class": f"{Path(file).stem}:{name}", "file": str(Path(file).resolve())}


def newest_step(directory: Path) -> int:
    """The step of the newest checkpoint; 0 when there is none."""
    names = [path.name for path in (directory / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdigit()), default=0)


def log_intervals(record: Mapping[str, Any]) -> list[tuple[int, int]]:
    """`(step after which it holds, log_every)` of a run, which resuming may have changed."""
    found = record.get("log_every") or [(0, record["experiment"]["log_every"])]
    return [(after, every) for after, every in found]


def prolong(
    directory: Path, experiment: BaseExperiment, data: Sequence[Any] = (), step: int = 0
) -> None:
    """Records what a resumed run is asked for, and where it goes on; under its lock.

    Args:
      directory: of the run.
      experiment: with the options and the paths of its data that hold now.
      data: who they are, as `create` takes it; empty: as recorded.
      step: where it goes on.
    """
    _, record = read(directory)
    before = [(after, every) for after, every in log_intervals(record) if after < step]
    if not before or before[-1][1] != experiment.log_every:
        before.append((step, experiment.log_every))
    if len(before) > 1:
        record["log_every"] = before
    else:
        record.pop("log_every", None)
    record["experiment"] = to_dict(experiment)
    if data:
        record["data"] = list(data)
    write_json(directory / FILE, record | environment())


@contextmanager
def lock(directory: Path, *, shared: bool = False) -> Iterator[None]:
    """Keeps other processes from writing to a run; the system frees it however a process ends.

    Args:
      directory: of the run.
      shared: let others hold it so too, to look at a run and not to write.

    Raises:
      ValueError: when another process holds it.
      OSError: when the lock's file cannot be opened; `shared`, also where nobody has ever trained.
    """
    # A file of its own, which nothing replaces and nobody reads: some systems cannot lock folders,
    # or keep others from reading what is locked. Looking at a run makes none.
    mode, flag = ("rb", portalocker.LOCK_SH) if shared else ("ab", portalocker.LOCK_EX)
    with (directory / LOCK).open(mode) as file:
        try:
            portalocker.lock(file, flag | portalocker.LOCK_NB)
        except portalocker.AlreadyLocked:
            raise ValueError(f"another process is training in {directory}") from None
        except portalocker.LockException:
            pass  # A file system without locks.
        yield


def is_held(directory: Path) -> bool:
    """Whether a process trains in the directory; False where that cannot be known."""
    try:
        with lock(directory, shared=True):
            return False
    except ValueError:
        return True
    except OSError:
        return False


def refuse_occupied(directory: Path) -> None:
    """Raises a ValueError unless a run may start in the directory."""
    if (directory / FILE).exists():
        raise ValueError(
            f"{directory} already holds a run; resume it with "
            f"`jaxgan resume {shlex.quote(str(directory))}` or choose another --out"
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ValueError(f"{directory} is not an empty directory; choose another --out")
    if directory.is_symlink() and not directory.exists():
        raise ValueError(f"{directory} is a link that leads nowhere; choose another --out")
    refuse_unwritable(directory)


def refuse_unwritable(directory: Path) -> None:
    """Raises a ValueError unless a directory is there or can be made."""
    refuse_undecodable(directory.absolute())
    # `exists` knows nothing below a file; what is neither there nor missing is in the way.
    around = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not around.is_dir() or not os.access(around, os.W_OK):
        raise ValueError(f"{directory} cannot be made: {around} is no folder to write to")


def contents(directory: Path) -> dict[str, Any]:
    """A run's record as it is written; no class of an experiment is looked up.

    Args:
      directory: of the run, or a file that `jaxgan export` made of it.

    Raises:
      ValueError: when the directory is no run, or its record cannot be read or was written by a
        version before 0.2.
    """
    path = directory / FILE
    if directory.suffix in exports.SUFFIXES and directory.is_file():
        return _exported_record(directory)
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if text is None:
        raise ValueError(f"{directory} is not a run directory: it has no {FILE}")
    if not text.strip():
        raise ValueError(
            f"{path} is empty, and no checkpoint holds a copy: put back one of your own, or train "
            "anew in another directory"
        )
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("experiment"), dict):
        raise ValueError(f"{path} is damaged: it holds no experiment")
    if "class" not in record and isinstance(record.get("versions"), dict):
        raise ValueError(
            f"{directory} was written by jaxgan {record['versions'].get('jaxgan', '0.1')}, whose "
            "runs this version cannot read: use that version, or train anew"
        )
    return record


def _exported_record(path: Path) -> dict[str, Any]:
    """The record in a file of `training.exported`."""
    known = exports.read_texts(path)
    try:
        record = json.loads(known["record"]) if known.get("format") == "jaxgan" else None
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("experiment"), dict):
        raise ValueError(f"{path} was not made by `jaxgan export`")
    return record


def read(directory: Path) -> tuple[BaseExperiment, dict[str, Any]]:
    """The experiment of a run, and the whole record it was read from.

    Raises:
      ValueError: as `contents`, and when the record names a file of its class that is not an
        absolute path outside the run. That file is run.
    """
    record, path = contents(directory), directory / FILE
    kind = _class_of(directory, record, BaseExperiment)
    try:
        experiment = from_dict(kind, record["experiment"])
        check_values(experiment)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    return experiment, record


def recorded_specs(directory: Path, record: dict[str, Any]) -> list[Any]:
    """The specs of a run's data, one a phase; a ValueError where they are damaged."""
    specs = record.get("specs")
    sound = isinstance(specs, list) and all(
        isinstance(spec, dict) and isinstance(spec.get("values"), dict) for spec in specs
    )
    if not sound or not specs:
        raise ValueError(f"{directory / FILE} is damaged: it holds no specs of the data")
    found = [_class_of(directory, spec, object) for spec in specs]
    return [kind.from_record(spec["values"]) for kind, spec in zip(found, specs, strict=True)]


@contextmanager
def fitting(directory: Path, experiment: BaseExperiment) -> Iterator[None]:
    """A block that uses recorded specs: those of another kind of run are refused."""
    try:
        yield
    except AttributeError as error:
        raise ValueError(
            f"the specs in {directory / FILE} are not those of a run of {type(experiment).__name__}"
        ) from error


def _class_of(directory: Path, record: dict[str, Any], wanted: type) -> Any:
    """The class that a record names. A run brings no code of its own: its file lies elsewhere."""
    place, file = record.get("class"), record.get("file")
    module, _, name = str(place).partition(":")
    if file is None:
        if module.partition(".")[0] != "jaxgan" or not name:
            raise ValueError(
                f"{directory / FILE} names the class {place!r} and no file that has it"
            )
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ImportError:
            found = None
    else:
        path = Path(str(file))
        if not path.is_absolute() or path.resolve().is_relative_to(directory.resolve()):
            raise ValueError(
                f"{directory / FILE} names the class file {file!r}, which would be run "
                "and must be an absolute path outside the run directory"
            )
        found = getattr(_module_of(path), name, None)
    if not (isinstance(found, type) and issubclass(found, wanted)) or (
        wanted is object and not hasattr(found, "from_record")
    ):
        where = f" of {file}" if file else ""
        raise ValueError(f"{directory / FILE} names the class {place!r}{where}, which is none")
    return found
