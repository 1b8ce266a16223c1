"""Weights as matrices: which axes of a parameter are outputs, and which only number matrices."""

from collections.abc import Callable
from math import prod
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp

from jaxgan.arrays import wide
from jaxgan.types import Array


class Axes(NamedTuple):
    """How an array is a matrix, or a stack of them.

    Attributes:
      outputs: the axes that W's outputs lie on; negative ones count from the last.
      stacked: the axes that number matrices of their own, such as the first one of `nn.scan`.
    """

    outputs: tuple[int, ...]
    stacked: tuple[int, ...] = ()


Rule: TypeAlias = Callable[[tuple[str, ...], Array], Axes | None]
"""`(names from the root to the parameter, parameter) -> Axes`, or None for what is no weight. Only
the parameter's shape and type may be read."""

_LAST, _FIRST = Axes((-1,)), Axes((0,))


def usual_axes(path: tuple[str, ...], weight: Array) -> Axes | None:
    """The axes of weights by the names that Flax, Haiku and Equinox give them.

    Parameters of rank 0 and 1, and those named `bias` or `scale`, are no weights. Every other of
    rank 2 is a matrix as it stands. Of a higher rank are known: `kernel` and `w` of 2-D
    convolutions, with their outputs last; `weight`, with its outputs first (Equinox, PyTorch);
    `DenseGeneral` of one input axis; and the projections of attention in Flax, `query`, `key`,
    `value` `[in, heads, size]` and `out` `[heads, size, out]`, each one matrix. A kernel of a
    transposed convolution that keeps its outputs before its inputs (`transpose_kernel`) is taken
    for one that does not.

    Args:
      path: the names of the parameter from the root, such as `("Dense_0", "kernel")`.
      weight: the parameter.

    Returns:
      Its axes, or None.

    Raises:
      ValueError: for any other array of rank 3 and more. A `kernel` of rank 3 may be one of a 1-D
        convolution or a stack of matrices that `nn.scan` made.
    """
    *layers, name = path or ("",)
    if weight.ndim < 2 or name in ("bias", "scale"):
        return None
    if weight.ndim == 2:
        return _LAST
    if name == "weight":
        return _FIRST
    if name == "kernel" and weight.ndim == 3 and layers:
        if layers[-1] in ("query", "key", "value"):
            return Axes((1, 2))
        if layers[-1] == "out":
            return _LAST
    if name == "kernel" and layers and layers[-1].startswith("DenseGeneral"):
        return Axes(tuple(range(1, weight.ndim)))
    if name in ("kernel", "w") and weight.ndim == 4:
        return _LAST
    raise ValueError(
        f"which axes of {'/'.join(path)!r} {weight.shape} are outputs is not known: give `axes`, a "
        "function of (path, weight) that says so, such as Axes((-1,)) for the last one, or None to "
        "leave the weight out"
    )


def names(path: tuple) -> tuple[str, ...]:
    """The names of a path of `tree_map_with_path`, as rules are given them."""
    return tuple(
        str(getattr(part, "key", getattr(part, "name", getattr(part, "idx", part))))
        for part in path
    )


def order(axes: Axes, ndim: int) -> tuple[list[int], list[int], list[int]]:
    """The axes of the stack, of W's inputs and of its outputs."""
    stacked, outputs = ([axis % ndim for axis in group] for group in (axes.stacked, axes.outputs))
    inputs = [axis for axis in range(ndim) if axis not in stacked and axis not in outputs]
    return stacked, inputs, outputs


def matrices(weight: Array, axes: Axes) -> Array:
    """The weight as `[stack..., in, out]` in float32 at least.

    Raises:
      ValueError: for axes that it does not have, or has twice, and for no outputs.
    """
    every = [*axes.stacked, *axes.outputs]
    known = {axis % weight.ndim for axis in every if -weight.ndim <= axis < weight.ndim}
    if not axes.outputs or len(known) != len(every):
        raise ValueError(
            f"the axes of a weight of shape {weight.shape} must be different ones of its "
            f"{weight.ndim}, at least one of them an output, not {axes}"
        )
    stacked, inputs, outputs = order(axes, weight.ndim)
    stack = [weight.shape[axis] for axis in stacked]
    out = prod(weight.shape[axis] for axis in outputs)
    return wide(jnp.transpose(weight, stacked + inputs + outputs).reshape(*stack, -1, out))
