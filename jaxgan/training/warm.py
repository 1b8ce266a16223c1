"""Warm starts: a new run that begins with the weights of another.

That is the way to train on with another learning rate, other data or other classes, which resuming
refuses. The new run counts its steps from 0, and its optimisers' schedules begin anew. What a game
remembers between its turns is not taken over.

The weights are kept in the new run's own folder `start`: it is resumed and verified to the bit
whatever becomes of the other one. Its record says where they came from, and what did not fit.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.devices import sharding
from jaxgan.runs.log import digest
from jaxgan.training.checkpoints import Checkpoints, shapes
from jaxgan.training.state import Side, TrainingState, inherit
from jaxgan.training.trained import Run
from jaxgan.training.trainer import Trainer
from jaxgan.types import PyTree

FOLDER = "start"
NAMED = 3
"""How many of the arrays that start afresh the warning names; the record names all."""


class Start(NamedTuple):
    """What a run begins with.

    Attributes:
      run: whose checkpoint it is.
      optimizer_states: whether those are taken over.
      digest: of that run's state.
      fresh: the arrays that start afresh, as `generator.params['Dense_0']['kernel']`.
      state: of the new run before its first step.
    """

    run: Run
    optimizer_states: bool
    digest: str
    fresh: list[str]
    state: TrainingState

    def to_record(self) -> dict[str, Any]:
        """What a run's record holds under `start`."""
        return {
            "run": str(self.run.directory.resolve()),
            "step": self.run.step,
            "optimizer_states": self.optimizer_states,
            "digest": self.digest,
            "fresh": self.fresh,
        }


def begin(trainer: Trainer, run: Run, optimizer_states: bool) -> Start:
    """A run's first state, with all of another run's weights that fit; nothing is written.

    Weights fit where their side, path, shape and type agree. Those that do not are named in a
    warning and start as initialised: an embedding of other classes, say.

    Args:
      trainer: of the new run.
      run: whose weights are taken, of its checkpoint.
      optimizer_states: take over those of the optimisers too, but for the counts of schedules.

    Raises:
      ValueError: when no kernel fits, or the checkpoint cannot be read.
    """
    program, other = trainer.programs[0], run.state()
    fresh = _differences(program.abstract, other, optimizer_states)
    named = "; ".join(f"{name} is {why}" for name, why in list(fresh.items())[:NAMED])
    more = f"; and {len(fresh) - NAMED} more" if len(fresh) > NAMED else ""
    if not _kernels(program.abstract) - set(fresh):
        raise ValueError(f"no kernel of {run.directory} fits the new run: {named}{more}")
    if fresh:
        warnings.warn(
            f"of {run.directory} these do not fit and start afresh: {named}{more}", stacklevel=2
        )
    start = program.start(None)
    placed = _placed(other, program.abstract)
    merged = inherit(start, placed, restart=not optimizer_states)
    sides = {
        name: replace(side, opt_state=_schedules_anew(side.opt_state))
        for name, side in merged.sides.items()
    }
    state = replace(merged, step=start.step, sides=sides, carry=start.carry)
    return Start(run, optimizer_states, digest(other), list(fresh), state)


def keep(directory: Path, trainer: Trainer, start: Start) -> None:
    """Writes a start into the new run's directory.

    Raises:
      OSError: when it cannot be written.
    """
    with Checkpoints(directory / FOLDER, trainer.expected) as checkpoints:
        checkpoints.save(0, start.state)


def restore(directory: Path, record: dict[str, Any], trainer: Trainer) -> TrainingState | None:
    """The state that a run began with; None where it began with nothing.

    Args:
      directory: of the run.
      record: of `runs.record.read`.
      trainer: of the run.

    Raises:
      ValueError: when it cannot be read any more.
    """
    origin = record.get("start")
    if origin is None:
        return None
    if not isinstance(origin, dict) or not {"run", "step"} <= origin.keys():
        raise ValueError(f"{directory} is damaged: its record says {origin!r} of its start")
    folder = directory / FOLDER
    if not folder.is_dir():
        raise ValueError(
            f"{directory} began with the weights of {origin['run']}, and the folder {FOLDER} that "
            "holds them is missing"
        )
    with Checkpoints(folder, trainer.expected, read_only=True) as checkpoints:
        found = checkpoints.restore(0)
    assert found is not None  # A step that is asked for is there, or refused.
    return found[1]


def _differences(
    abstract: TrainingState, other: TrainingState, optimizer_states: bool
) -> dict[str, str]:
    """The new run's arrays that differ from the other's, by name, and how."""
    found = {}
    for name, side in abstract.sides.items():
        theirs = other.sides.get(name)
        here, there = (_named(each, optimizer_states) for each in (side, theirs))
        for path, shape in here.items():
            if there.get(path) != shape:
                why = f"{shape} here and {there.get(path, 'missing')} there"
                found[f"{name}.{path}"] = why
    return found


def _kernels(state: TrainingState) -> set[str]:
    """Names of the trained arrays that are more than biases and gains."""
    return {
        f"{name}.params{jax.tree_util.keystr(path)}"
        for name, params in state.params.items()
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
        if leaf.ndim > 1
    }


def _named(side: Side | None, optimizer_states: bool) -> dict[str, str]:
    """Type and shape of what a warm start takes of a side, by name."""
    if side is None:
        return {}
    parts = {"params": side.variables.params, "state": side.variables.state}
    if optimizer_states:
        parts["optimizer"] = _unscheduled(side.opt_state)
    return {
        f"{part}{path}": shape
        for part, tree in parts.items()
        for path, shape in shapes(tree).items()
    }


def _placed(other: TrainingState, abstract: TrainingState) -> TrainingState:
    """What fits into the new state, on the devices where it lies there."""
    own = dict(jax.tree_util.tree_leaves_with_path(abstract))

    def put(path: tuple, leaf: jax.Array) -> jax.Array:
        match = own.get(path)
        if match is None or (match.shape, match.dtype) != (leaf.shape, leaf.dtype):
            return leaf
        return sharding.place(leaf, match.sharding)

    return jax.tree_util.tree_map_with_path(put, other)


def _schedules_anew(opt_state: PyTree) -> PyTree:
    """Sets the counts of learning rate schedules to 0: those of the other run are over."""
    return _scheduled(opt_state, lambda own: own._replace(count=jnp.zeros_like(own.count)))


def _unscheduled(opt_state: PyTree) -> PyTree:
    return _scheduled(opt_state, lambda own: optax.EmptyState())


def _scheduled(opt_state: PyTree, change: Callable[[optax.ScaleByScheduleState], PyTree]) -> PyTree:
    def is_schedule(node: PyTree) -> bool:
        return isinstance(node, optax.ScaleByScheduleState)

    return jax.tree.map(
        lambda node: change(node) if is_schedule(node) else node, opt_state, is_leaf=is_schedule
    )
