"""What losses and penalties ask of the arrays they are given, and how they take means."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.types import Array


def is_traced(value: Any) -> bool:
    """Whether a number is known only when the program runs, so that its range cannot be checked."""
    return isinstance(value, jax.core.Tracer)


def floating(array: Any, name: str) -> Array:
    """The array, in its own type.

    Raises:
      ValueError: if it is not of floating point, or a container of arrays.
    """
    if isinstance(array, (list, tuple, dict)):
        raise ValueError(
            f"{name} must be one array, not a {type(array).__name__}: one call takes one entry of "
            "it (of losses, multi_scale(loss) takes the logits of several scales)"
        )
    array = jnp.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must be floating point, not {array.dtype}")
    return array


def wide_type(*dtypes: DTypeLike) -> jnp.dtype:
    """The type in which losses and penalties are computed: float64 where one is, else float32."""
    return jnp.dtype(jnp.float64 if any(d == jnp.float64 for d in dtypes) else jnp.float32)


def wide(array: Array) -> Array:
    """The array in its `wide_type`."""
    return array.astype(wide_type(array.dtype))


def as_logits(logits: Any, name: str) -> Array:
    """Logits in float32 at least.

    Raises:
      ValueError: if they are not one array of floating point, or none at all.
    """
    logits = floating(logits, name)
    if logits.size == 0:
        raise ValueError(f"{name} of shape {logits.shape} hold nothing to take the mean of")
    return wide(logits)


def check_weights(weights: Array, values: Array, name: str, of: str) -> Array:
    """Weights that broadcast against the values they weigh, in the values' type.

    Args:
      weights: `[B]`, one a sample, or of the values' shape. Integers and booleans are taken.
      values: `[B, ...]`, of floating point.
      name: of the weights in an error.
      of: of the values in an error.

    Raises:
      ValueError: for other shapes, and complex numbers.
    """
    weights = jnp.asarray(weights)
    if weights.shape not in (values.shape[:1], values.shape) or jnp.iscomplexobj(weights):
        raise ValueError(
            f"{name} must be real numbers of shape {values.shape[:1]}, one a sample, or "
            f"{values.shape}, that of {of}, not {weights.dtype} of {weights.shape}"
        )
    weights = weights.astype(values.dtype)
    return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))


def weighted_mean(values: Array, weights: Array | None) -> Array:
    """Σ w v / Σ w over everything: the mean where there are no weights, 0 where all are 0.

    Args:
      values: of any shape.
      weights: broadcastable to the values, or None.
    """
    if weights is None:
        return jnp.mean(values)
    weights = jnp.broadcast_to(weights, values.shape)
    total = jnp.sum(weights)
    weighted = jnp.sum(weights * jnp.where(weights == 0, 0, values))  # 0 of NaN is 0
    return jnp.where(total == 0, 0, weighted / jnp.where(total == 0, 1, total))
