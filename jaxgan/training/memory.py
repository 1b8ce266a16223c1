"""What a run takes at least, and whether the machine has it."""

import math

import jax

from jaxgan.data.source import device_memory
from jaxgan.experiment.base import BaseExperiment
from jaxgan.options import flat, to_dict
from jaxgan.training.state import TrainingState
from jaxgan.types import PyTree


def refuse_what_fits_nowhere(
    experiment: BaseExperiment, state: TrainingState, averaged: str, example: PyTree, classes: int
) -> None:
    """Refuses a state or a step's samples that alone are larger than the memory.

    A bound from below, to catch slips of the keyboard before XLA tries for minutes: gradients and
    activations come on top, and whether they fit is seen when training starts.

    Args:
      experiment: of the phase.
      state: shapes and shardings.
      averaged: the side that is averaged.
      example: shapes of a step's samples.
      classes: of the data.

    Raises:
      ValueError: naming the option that is the largest of those at fault.
    """
    parts: dict[str, tuple[PyTree, tuple[str, ...]]] = {
        f"the {name}, its average and its optimiser"
        if name == averaged
        else (f"the {name} and its optimiser"): (
            (side, state.ema) if name == averaged else side,
            (f"{name}.", "image_size"),
        )
        for name, side in state.sides.items()
    }
    parts["what the game remembers"] = (state.carry, ("pool_size", "batch_size", "image_size"))
    parts["the samples of a step"] = (
        example,
        ("batch_size", "discriminator_steps", "image_size"),
    )
    takes = {part: _bytes(tree) for part, (tree, _) in parts.items()}
    total, memory = sum(takes.values()), device_memory()
    if total <= memory:
        return
    part = max(takes, key=lambda part: takes[part])
    values = flat(to_dict(experiment))
    suspects = {
        name: value
        for name, value in values.items()
        if name.startswith(parts[part][1]) and type(value) is int
    }
    if values.get("conditional"):
        suspects["the number of classes"] = classes
    name = max(suspects, key=lambda name: suspects[name], default="")
    blame = f"{name} {suspects[name]} is too large: " if name else ""
    raise ValueError(
        f"{blame}a run takes {_amount(total)} at least, above all for {part}, and there are "
        f"{_amount(memory)} of memory"
    )


def _bytes(tree: PyTree) -> int:
    """Bytes on one device."""

    def own(leaf: jax.ShapeDtypeStruct) -> int:
        shape = leaf.sharding.shard_shape(leaf.shape) if leaf.sharding else leaf.shape
        return math.prod(shape) * leaf.dtype.itemsize

    return sum(map(own, jax.tree.leaves(tree)))


def _amount(count: int) -> str:
    return f"{count / 1e9:,.0f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
