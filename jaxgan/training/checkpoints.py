"""Checkpoints: Orbax behind one module.

Saving is asynchronous; a checkpoint exists once its folder has its final name, which it gets when
it is complete. Beside the state it holds a record: the state's digest, because neither Orbax nor
TensorStore notices flipped bits, its shapes, and the value that ranks it.
"""

import contextlib
import gc
import io
import json
import logging
import math
import shutil
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, LatestN

from jaxgan import run
from jaxgan.training.state import GANState
from jaxgan.types import PyTree

KEPT = 3


class Checkpoints:
    """The checkpoints of one run, as a context manager: leaving it waits for pending saves.

    The latest three and the best are kept.

    Args:
      directory: the folder that holds one folder a step; made when missing.
      abstract: the state's shapes and types (`jax.eval_shape`), which a checkpoint must fit.
      read_only: never write, move or clean anything up.
    """

    def __init__(self, directory: Path, abstract: GANState, *, read_only: bool = False) -> None:
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax narrates every save.
        self.directory = directory.resolve()
        self._abstract = abstract
        self._read_only = read_only
        self._manager = ocp.CheckpointManager(
            self.directory,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=AnyPreservationPolicy([LatestN(KEPT), _Best(self)]),
                cleanup_tmp_directories=not read_only,
                create=not read_only,
                read_only=read_only,
            ),
        )
        self._values: dict[int, float | None] = {}
        for step in self.steps():
            with contextlib.suppress(Exception):  # Damaged; `restore` deals with it.
                self._values[step] = self._record(step)["value"]

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._manager.close()

    def save(self, step: int, state: GANState, value: float | None = None) -> None:
        """Starts saving a state.

        The state may be donated to the next step at once: where Orbax still reads a buffer, JAX
        copies instead of overwriting it.

        Args:
          step: later than that of every checkpoint there is.
          state: what to save.
          value: ranks the checkpoint, smaller is better; None and what is not finite rank nowhere.
        """
        if value is not None and not math.isfinite(value):
            value = None
        self._values[step] = value
        record = {"digest": run.digest(state), "shapes": _shapes(state), "value": value}
        args = ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            record=ocp.args.JsonSave(record | {"checksum": _checksum(record)}),
        )
        self._manager.save(step, args=args)

    def wait(self) -> None:
        """Returns when every save is on disk."""
        self._manager.wait_until_finished()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, rising."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """The step of the best checkpoint, the latest of equals; None when none is ranked."""
        existing = set(self.steps())
        values = [(v, -s) for s, v in self._values.items() if v is not None and s in existing]
        return -min(values)[1] if values else None

    def restore(self, step: int | None = None) -> tuple[int, GANState] | None:
        """The newest readable checkpoint, or that of one step.

        A damaged checkpoint is passed over with a warning that names it. Once one before it was
        read, and unless read-only, it is moved aside, so that its step can be saved again.

        Returns:
          The step and the state, or None when there is no checkpoint yet.

        Raises:
          ValueError: when the asked step has no checkpoint, no checkpoint can be read, or one
            holds a state of another experiment.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            known = ", ".join(map(str, steps)) or "none"
            raise ValueError(f"{self.directory} has no checkpoint of step {step}; it has: {known}")
        damaged: list[int] = []
        for candidate in [step] if step is not None else steps[::-1]:
            try:
                state = self._read(candidate)
            except _DoesNotFitError as error:
                raise ValueError(str(error)) from None
            except Exception as error:
                # Whatever a damaged file makes Orbax raise, the checkpoint before it may be fine.
                warnings.warn(
                    f"checkpoint {self.directory / str(candidate)} is damaged and passed over "
                    f"({_reason(error)})",
                    stacklevel=2,
                )
                damaged.append(candidate)
            else:
                if not self._read_only:
                    self._set_aside(damaged)
                return candidate, state
        if damaged:
            raise ValueError(f"no checkpoint in {self.directory} can be read")
        return None

    def _read(self, step: int) -> GANState:
        record = self._record(step)
        wanted = _shapes(self._abstract)
        for name in sorted(wanted | record["shapes"]):
            there, here = record["shapes"].get(name, "missing"), wanted.get(name, "missing")
            if there != here:
                raise _DoesNotFitError(
                    f"checkpoint {self.directory / str(step)} does not fit the experiment: "
                    f"{name} is {there} in the checkpoint and {here} in the experiment"
                )
        args = ocp.args.Composite(state=ocp.args.StandardRestore(self._abstract))
        state = _quietly(lambda: self._manager.restore(step, args=args)["state"])
        if run.digest(state) != record["digest"]:
            raise ValueError("its arrays are not those that were saved")
        return state

    def _record(self, step: int) -> dict[str, Any]:
        args = ocp.args.Composite(record=ocp.args.JsonRestore())
        record = self._manager.restore(step, args=args)["record"]
        if record.pop("checksum") != _checksum(record):
            raise ValueError("its record is not the one that was saved")
        return record

    def _set_aside(self, steps: list[int]) -> None:
        aside = self.directory.parent / "damaged"
        for step in steps:
            aside.mkdir(exist_ok=True)
            shutil.rmtree(aside / str(step), ignore_errors=True)
            (self.directory / str(step)).rename(aside / str(step))
            self._values.pop(step, None)
        self._manager.reload()


def refuse_unreadable(directory: Path, abstract: GANState) -> None:
    """Raises a ValueError as `Checkpoints.restore` does, and writes nothing.

    A folder that is missing or holds no checkpoint is none to refuse.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ValueError(f"{directory} is not a folder of checkpoints")
    with (
        warnings.catch_warnings(),  # They come when it is restored.
        Checkpoints(directory, abstract, read_only=True) as checkpoints,
    ):
        warnings.simplefilter("ignore")
        checkpoints.restore()


class _DoesNotFitError(Exception):
    """A checkpoint is sound and holds another experiment's state."""


class _Best:
    """Orbax's question of what to keep, answered with the best checkpoint."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        best = self._checkpoints.best_step()
        return [checkpoint.step == best for checkpoint in checkpoints]


def _shapes(tree: PyTree) -> dict[str, str]:
    """Type and shape by path, as in `float32[3, 64]`."""
    return {
        jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _checksum(record: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(record, sort_keys=True).encode())


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _quietly(read: Callable[[], Any]) -> Any:
    """Calls a function of Orbax; when it fails, raises a ValueError and hides all other noise.

    After a read that fails, TensorStore prints a traceback for each of the reads that Orbax then
    abandons, from threads that end a little later, and so does Python when it collects them.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return read()
            except Exception as error:
                reason = _reason(error)  # Not the error: it keeps alive what is to be collected.
            time.sleep(0.2)
            gc.collect()
    finally:
        sys.unraisablehook = hook
    raise ValueError(reason)
