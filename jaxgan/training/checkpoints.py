"""Checkpoints: Orbax behind one module.

Saving is asynchronous; a checkpoint exists once its folder has its final name. The latest three
and the best are kept.
"""

import logging
import shutil
import warnings
from pathlib import Path
from types import TracebackType

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from jaxgan.training.state import GANState

KEPT = 3


def _badness(metrics: dict[str, float]) -> float:
    return -metrics["value"]  # Orbax ranks upwards, our metrics are better when smaller.


class Checkpoints:
    """The checkpoints of one run, as a context manager: leaving it waits for pending saves.

    Args:
      directory: the folder that holds one folder a step; made when missing.
      abstract: the state's shapes and types (`jax.eval_shape`), which a checkpoint must fit.
      read_only: never write or clean anything up.
    """

    def __init__(self, directory: Path, abstract: GANState, *, read_only: bool = False) -> None:
        logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax narrates every save.
        self.directory = directory.resolve()
        self._abstract = abstract
        self._read_only = read_only
        best = BestN(get_metric_fn=_badness, n=1, keep_checkpoints_without_metrics=False)
        self._manager = ocp.CheckpointManager(
            self.directory,
            options=ocp.CheckpointManagerOptions(
                best_fn=_badness,
                preservation_policy=AnyPreservationPolicy([LatestN(KEPT), best]),
                cleanup_tmp_directories=not read_only,
                create=not read_only,
                read_only=read_only,
            ),
        )

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
        """Starts saving a state; `value` ranks it among the best (smaller is better)."""
        metrics = None if value is None else {"value": value}
        self._manager.save(step, args=ocp.args.StandardSave(state), metrics=metrics)

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, rising."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """The step of the best checkpoint; None when no checkpoint was ranked."""
        best = self._manager.best_step()
        return best if best is not None and self._manager.metrics(best) else None

    def restore(self, step: int | None = None) -> tuple[int, GANState] | None:
        """The newest readable checkpoint, or that of one step.

        A damaged checkpoint is passed over with a warning that names it, and unless read-only
        moved aside, so that its step can be saved again.

        Returns:
          The step and the state, or None when there is no checkpoint yet.

        Raises:
          ValueError: when the asked step has no checkpoint, or no checkpoint can be read.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            known = ", ".join(map(str, steps)) or "none"
            raise ValueError(f"{self.directory} has no checkpoint of step {step}; it has: {known}")
        candidates = [step] if step is not None else steps[::-1]
        for candidate in candidates:
            try:
                args = ocp.args.StandardRestore(self._abstract)
                state = self._manager.restore(candidate, args=args)
                return candidate, jax.block_until_ready(state)
            except Exception as error:
                # Whatever a damaged file makes Orbax raise, the checkpoint before it may be fine.
                reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
                warnings.warn(
                    f"checkpoint {self.directory / str(candidate)} is damaged and passed over "
                    f"({reason})",
                    stacklevel=2,
                )
                if not self._read_only:
                    self._set_aside(candidate)
        if candidates:
            raise ValueError(f"no checkpoint in {self.directory} can be read")
        return None

    def _set_aside(self, step: int) -> None:
        aside = self.directory.parent / "damaged"
        aside.mkdir(exist_ok=True)
        target = aside / str(step)
        shutil.rmtree(target, ignore_errors=True)
        (self.directory / str(step)).rename(target)
        self._manager.reload()
