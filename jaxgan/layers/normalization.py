"""Normalization of activations `[B, ..., C]` by name, with statistics in float32."""

from typing import Literal, TypeAlias, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.types import Array, Key

Normalization: TypeAlias = Literal["batch", "group", "none"]


def check_normalization(kind: str) -> None:
    """Raises a ValueError unless `kind` names a normalization."""
    if kind not in get_args(Normalization):
        allowed = ", ".join(map(repr, get_args(Normalization)))
        raise ValueError(f"normalization is {kind!r}; allowed are {allowed}.")


def normalize(
    x: Array,
    kind: str,
    *,
    train: bool,
    axis_name: str | None = None,
    dtype: DTypeLike | None = None,
) -> Array:
    """Normalizes `x` with a Linen layer that becomes a submodule of the calling module.

    Call it inside an `nn.compact` method. "batch" is batch normalization with DCGAN's momentum .9,
    ε 1e-5 and scales drawn from N(1, .02²); its running averages are in the collection
    "batch_stats" and change only with `train=True`. "group" is group normalization, independent of
    the other samples of the batch, which a gradient penalty needs. "none" returns `x`.

    Args:
      x: activations `[B, ..., C]`.
      kind: "batch", "group" or "none".
      train: whether batch statistics are of this batch (and remembered) or the remembered ones.
      axis_name: mapped axis over which batch statistics are averaged, under `pmap` or `shard_map`;
        under `jit` they are those of the global batch without it.
      dtype: dtype of the result; statistics are computed and kept in float32.

    Returns:
      The normalized activations `[B, ..., C]`.

    Raises:
      ValueError: if `kind` is none of the allowed names.
    """
    check_normalization(kind)
    if kind == "batch":
        return nn.BatchNorm(
            use_running_average=not train,
            momentum=0.9,
            epsilon=1e-5,
            scale_init=_scale_init,
            axis_name=axis_name,
            dtype=dtype,
        )(x)
    if kind == "group":
        return nn.GroupNorm(
            num_groups=num_groups(x.shape[-1]),
            epsilon=1e-5,
            dtype=dtype,
        )(x)
    return x


def num_groups(channels: int) -> int:
    """The most groups, up to 32, that divide the channels and leave at least 4 in a group."""
    most = max(1, min(32, channels // 4))
    return max(g for g in range(1, most + 1) if channels % g == 0)


def _scale_init(key: Key, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    return 1.0 + 0.02 * jax.random.normal(key, shape, dtype)
