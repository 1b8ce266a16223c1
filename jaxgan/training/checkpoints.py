"""Checkpoints: Orbax behind one module.

Saving is asynchronous; a checkpoint exists once its folder has its final name, which it gets when
it is complete. It holds three items: `averaged`, all that sampling reads; `state`, the rest
of the training state, and `record`: digests of both, because neither Orbax nor TensorStore notices
flipped bits, shapes, the phase, the value that ranks it where it was known, and copies of the run's
small files. What is measured only after a save ranks it in the run's `ranks.json`.
"""

import contextlib
import errno
import gc
import io
import json
import logging
import math
import os
import re
import shutil
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, LatestN

from jaxgan.devices import distributed, sharding
from jaxgan.networks import Variables
from jaxgan.runs.log import digest
from jaxgan.runs.writing import copies, write_json
from jaxgan.training.state import TrainingState
from jaxgan.types import PyTree

KEPT = 3
RANKS = "ranks.json"


class Expected(NamedTuple):
    """What a checkpoint must hold.

    Attributes:
      phase: number of the phase that it was saved in.
      abstract: the state's shapes and types (`jax.eval_shape`), and its shardings, whatever they
        were when it was saved; without them, one device's.
    """

    phase: int
    abstract: TrainingState


class Checkpoints:
    """The checkpoints of one run, as a context manager: leaving it waits for pending saves.

    The latest three, the latest of every phase and the best are kept.

    Args:
      directory: the folder that holds one folder a step; made when missing.
      expected: `step -> Expected`.
      higher_is_better: the largest value marks the best checkpoint, instead of the smallest.
      read_only: never write, move or clean anything up.
    """

    def __init__(
        self,
        directory: Path,
        expected: Callable[[int], Expected],
        *,
        higher_is_better: bool = False,
        read_only: bool = False,
    ) -> None:
        for name in ("absl", "asyncio"):  # Orbax narrates every save, and each part of a failure.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        _hush_abandoned()
        if directory.exists() and not directory.is_dir():
            raise ValueError(f"{directory} is not a folder of checkpoints")
        self.directory = directory.resolve()
        self._run = self.directory.parent
        self._expected = expected
        self._sign = -1 if higher_is_better else 1
        self._read_only = read_only
        self._manager = self._open()
        several = jax.process_count() > 1
        self._reader = self._open(alone=True) if several else self._manager
        self._values: dict[int, float | None] = {}
        ranks = self._ranks()
        for step in self.steps():
            with contextlib.suppress(Exception):  # Damaged; `restore` deals with it.
                self._values[step] = ranks.get(str(step), self._record(step)["value"])

    def _open(self, *, alone: bool = False) -> ocp.CheckpointManager:
        """Orbax's manager, for all processes together or for this one to read with."""
        read_only, processes = self._read_only or alone, ocp.options.MultiprocessingOptions()
        if alone:
            # Where one finds a checkpoint damaged, the others must not wait for it.
            own = jax.process_index()
            processes = ocp.options.MultiprocessingOptions(own, {own}, f"reader_{own}")
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy([LatestN(KEPT), _Marked(self)]),
            cleanup_tmp_directories=not read_only,
            create=not read_only,
            read_only=read_only,
            multiprocessing_options=processes,
        )
        try:
            return ocp.CheckpointManager(self.directory, options=options)
        except KeyError as error:  # Of `pwd` or `grp`, asked where a checkpoint lacks its times.
            if "not found" not in str(error):
                raise
            raise ValueError(
                f"a checkpoint in {self.directory} lacks its _CHECKPOINT_METADATA, and its owner "
                f"has no name on this machine ({error.args[0]}): chown it to a user that has one"
            ) from error

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            _write(self._manager.close)
        elif jax.process_count() == 1:  # Others, for whom it would wait, may be gone.
            with contextlib.suppress(OSError):  # The first error is the one to tell of.
                _write(self._manager.close)

    def save(self, step: int, state: TrainingState, value: float | None = None) -> None:
        """Starts saving a state.

        The state may be donated to the next step at once: where Orbax still reads a buffer, JAX
        copies instead of overwriting it.

        Args:
          step: later than that of every checkpoint there is.
          state: what to save.
          value: ranks the checkpoint; None and what is not finite rank nowhere. See `rank`.

        Raises:
          OSError: when the disk has no room for it, or the save before could not be written. All
            older ones stay.
        """
        self.wait()
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        free = shutil.disk_usage(self.directory).free
        if not distributed.all_agree(size < free):  # Found out in the middle it is a noisy affair.
            reason = f"it takes {size:,} bytes, and {free:,} are free"
            raise OSError(f"a checkpoint cannot be written to {self.directory}: {reason}")
        value = _ranking(value)
        self._values[step] = value
        items = _split(state)
        record = {
            "step": step,
            "digests": {name: digest(item) for name, item in items.items()},
            "shapes": {name: shapes(item) for name, item in items.items()},
            "phase": self._expected(step).phase,
            "value": value,
            "files": copies(self._run),
        }
        args = ocp.args.Composite(
            **{name: ocp.args.StandardSave(item) for name, item in items.items()},
            record=ocp.args.JsonSave(record | {"checksum": _checksum(record)}),
        )
        _write(lambda: self._manager.save(step, args=args))

    def rank(self, step: int, value: float) -> None:
        """Ranks a checkpoint by what was measured after it was saved."""
        self._values[step] = _ranking(value)
        known = {str(step) for step in self.steps()} | {str(step)}
        ranks = {name: value for name, value in self._ranks().items() if name in known}
        write_json(self._run / RANKS, ranks | {str(step): _ranking(value)})

    def _ranks(self) -> dict[str, float | None]:
        try:
            found = json.loads((self._run / RANKS).read_text())
            return {str(step): _ranking(value) for step, value in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            warnings.warn(
                f"{self._run / RANKS} is damaged: checkpoints are ranked without it", stacklevel=4
            )
            return {}

    def wait(self) -> None:
        """Returns when every save is on disk; an OSError when one cannot be."""
        _write(self._manager.wait_until_finished)

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, rising."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """The step of the best checkpoint, the latest of equals; None when none is ranked."""
        existing = set(self.steps())
        ranked = [(s, v) for s, v in self._values.items() if v is not None and s in existing]
        values = [(self._sign * value, -step) for step, value in ranked]
        return -min(values)[1] if values else None

    def last_steps(self) -> list[int]:
        """The step of the latest checkpoint of every phase that has one."""
        return list({self._expected(step).phase: step for step in self.steps()}.values())

    def restore(self, step: int | None = None) -> tuple[int, TrainingState] | None:
        """The newest readable checkpoint, or that of one step.

        A damaged checkpoint is passed over with a warning that names it. Once one before it was
        read, and unless read-only, it is moved aside, so that its step can be saved again. One
        that cannot be read at all, such as another user's, may be whole: it is refused.

        Returns:
          The step and the state, or None when there is no checkpoint yet.

        Raises:
          ValueError: when the asked step has no checkpoint, no checkpoint can be read, or one
            holds a state of another experiment.
          OSError: when the system does not let a checkpoint be read; nothing is moved.
        """
        found = self._newest(step, ("averaged", "state"))
        if found is None:
            return None
        step, items = found
        state = _joined(items)
        return step, self._place(state, self._expected(step).abstract)

    def restore_averaged(self, step: int | None = None) -> tuple[int, Variables] | None:
        """As `restore`, reading nothing but the averaged variables, which it gives."""
        found = self._newest(step, ("averaged",))
        if found is None:
            return None
        step, items = found
        return step, self._place(items["averaged"], self._expected(step).abstract.ema)

    def _newest(
        self, step: int | None, names: tuple[str, ...]
    ) -> tuple[int, dict[str, PyTree]] | None:
        """Items of the newest readable checkpoint, or of one step, in arrays of the host."""
        steps = self.steps()
        if step is not None and step not in steps:
            known = ", ".join(map(str, steps)) or "none"
            raise ValueError(f"{self.directory} has no checkpoint of step {step}; it has: {known}")
        damaged: list[int] = []
        for candidate in [step] if step is not None else steps[::-1]:
            items, reason, refusal = None, "another process cannot read it", None
            expected = self._expected(candidate)
            try:
                items = self._read(candidate, names, expected)
            except _DoesNotFitError as error:
                raise ValueError(str(error)) from None
            except Exception as error:
                # Whatever a damaged file makes Orbax raise, the checkpoint before it may be fine.
                reason = _reason(error)
                refusal = _refusal(self.directory / str(candidate), error)
            if distributed.all_agree(items is not None):
                assert items is not None
                if not self._read_only:
                    self._set_aside(damaged)
                return candidate, items
            if not distributed.all_agree(refusal is None):
                raise OSError(
                    f"checkpoint {self.directory / str(candidate)} cannot be read: "
                    f"{refusal or reason}; it may be whole, and nothing was changed"
                )
            warnings.warn(
                f"checkpoint {self.directory / str(candidate)} is damaged and passed over "
                f"({reason})",
                stacklevel=2,
            )
            damaged.append(candidate)
        if damaged:
            raise ValueError(f"no checkpoint in {self.directory} can be read")
        return None

    def _read(self, step: int, names: tuple[str, ...], expected: Expected) -> dict[str, PyTree]:
        """Items in arrays of the host, whatever devices they were saved from."""
        record, (phase, abstract) = self._record(step), expected
        path, wanted = self.directory / str(step), _split(abstract)
        if record["phase"] != phase:
            raise _DoesNotFitError(
                f"checkpoint {path} does not fit the experiment: it was saved in phase "
                f"{record['phase']}, and the experiment is in phase {phase} then"
            )
        for item in names:
            here, there = shapes(wanted[item]), record["shapes"][item]
            for name in sorted(here | there):
                if there.get(name) != here.get(name):
                    raise _DoesNotFitError(
                        f"checkpoint {path} does not fit the experiment: {name} is "
                        f"{there.get(name, 'missing')} in the checkpoint and "
                        f"{here.get(name, 'missing')} in the experiment"
                    )
        args = ocp.args.Composite(
            **{name: ocp.args.StandardRestore(_on_host(wanted[name])) for name in names}
        )
        found = _quietly(lambda: self._reader.restore(step, args=args))
        items = {name: found[name] for name in names}
        for name, item in items.items():
            if digest(item) != record["digests"][name]:
                raise ValueError("its arrays are not those that were saved")
        return items

    def _place(self, state: PyTree, abstract: PyTree) -> Any:
        shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract)
        if None in jax.tree.leaves(shardings, is_leaf=lambda leaf: leaf is None):
            return jax.device_put(state)
        return sharding.place(state, shardings)

    def _record(self, step: int) -> dict[str, Any]:
        args = ocp.args.Composite(record=ocp.args.JsonRestore())
        record = self._reader.restore(step, args=args)["record"]
        if record.pop("checksum") != _checksum(record):
            raise ValueError("its record is not the one that was saved")
        if record["step"] != step:
            raise ValueError(f"it is that of step {record['step']}")
        return record

    def _set_aside(self, steps: list[int]) -> None:
        aside = self._run / "damaged"

        def move() -> None:
            for step in steps:
                aside.mkdir(exist_ok=True)
                shutil.rmtree(aside / str(step), ignore_errors=True)
                (self.directory / str(step)).rename(aside / str(step))

        distributed.from_first(move)
        for step in steps:
            self._values.pop(step, None)
        self._manager.reload()


class _DoesNotFitError(Exception):
    """A checkpoint that is sound, but holds the state of another experiment."""


class _Marked:
    """Tells Orbax what to keep: the best checkpoint, and the latest of every phase."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        marked = {self._checkpoints.best_step(), *self._checkpoints.last_steps()}
        return [checkpoint.step in marked for checkpoint in checkpoints]


def _split(state: TrainingState) -> dict[str, PyTree]:
    """The items of a state, by name."""
    return {"averaged": state.ema, "state": replace(state, ema=Variables({}, {}))}


def _joined(items: dict[str, PyTree]) -> TrainingState:
    return replace(items["state"], ema=items["averaged"])


def _on_host(abstract: PyTree) -> PyTree:
    """Arrays of the host of these shapes, which take no memory."""
    return jax.tree.map(
        lambda leaf: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape), abstract
    )


def shapes(tree: PyTree) -> dict[str, str]:
    """Type and shape by path, as in `float32[3, 64]`."""
    return {
        jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _ranking(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _checksum(record: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(record, sort_keys=True).encode())


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _write(act: Callable[[], Any]) -> None:
    """Calls a function of Orbax that writes; whatever it fails with becomes an OSError."""
    try:
        _quietly(act)
    except ValueError as error:
        code = _code(error)
        reason = os.strerror(code) if code else _reason(error)
        raise OSError(f"a checkpoint cannot be written: {reason}") from None


def _code(error: Exception) -> int:
    """The system's number of an error that Orbax or TensorStore report, or 0."""
    found = re.search(r"(?:os_error_code='|\[Errno )(\d+)", str(error))
    return int(found[1]) if found else 0


def _refusal(path: Path, error: Exception) -> str | None:
    """Why the system refuses to read a checkpoint; None if it does not: the files are damaged."""
    if (code := _code(error)) not in (0, errno.ENOENT):
        return os.strerror(code)

    def refuse(error: OSError) -> None:
        raise error

    try:
        for folder, _, names in os.walk(path, onerror=refuse):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    while file.read(1 << 24):
                        pass
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return None


def _quietly(read: Callable[[], Any]) -> Any:
    """Calls a function of Orbax; when it fails, raises a ValueError and hides all other noise.

    After one read or write fails, TensorStore prints a traceback for each of the others that Orbax
    then abandons, from threads that end a little later, and so does Python when it collects them.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return read()
            except Exception as error:
                reason = str(error)  # Not the error: it keeps alive what is to be collected.
            time.sleep(0.2)
            gc.collect()
    finally:
        sys.unraisablehook = hook
    raise ValueError(reason)


@cache
def _hush_abandoned() -> None:
    """From now on, keeps quiet about what ends after its event loop was closed.

    When a save fails, in threads of Orbax and TensorStore, so do the writes that were under way:
    a traceback each, before this module knows of the failure, which it reports itself.
    """
    hook = sys.unraisablehook  # What TensorStore's threads call.

    def selective(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            hook(unraisable)

    sys.unraisablehook = selective
