"""Normalization of activations `[B, ..., C]`, with statistics in float32.

Of E x² - (E x)² nothing is left in float32 where the mean is large against the spread: at 1,000 to
1 outputs are off by 4 to 30 %. So batch and group statistics are those of x less a value among its
own, from which the mean is about as far as the spread. The result does not depend on that value,
nor does a gradient of any order.

`named_norm` gives the kinds that networks take by name, with parameters of their own;
`instance_norm` has none and is a plain function.
"""

from typing import Literal, TypeAlias, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.arrays import wide, wide_type
from jaxgan.types import Array, Key

Normalization: TypeAlias = Literal["batch", "group", "instance", "affine_instance", "none"]


def check_normalization(kind: str) -> None:
    """Raises a ValueError unless `kind` names a normalization."""
    if kind not in get_args(Normalization):
        allowed = ", ".join(map(repr, get_args(Normalization)))
        raise ValueError(f"normalization is {kind!r}; allowed are {allowed}.")


def named_norm(
    x: Array,
    kind: str,
    *,
    train: bool,
    groups: int = 0,
    axis_name: str | None = None,
    dtype: DTypeLike | None = None,
) -> Array:
    """Normalizes `x` with a Linen layer that becomes a submodule of the calling module.

    Call it inside an `nn.compact` method. "batch" is batch normalization with DCGAN's momentum .9,
    ε 1e-5 and scales drawn from N(1, .02²); its running averages are in the collection
    "batch_stats" and change only with `train=True`. "group" is group normalization, independent of
    the other samples of the batch, which a gradient penalty needs. "instance" is `instance_norm`,
    without parameters, and "affine_instance" the same with a scale and a bias per channel,
    as PyTorch's with `affine=True`. "none" returns `x`.

    Args:
      x: activations `[B, ..., C]`.
      kind: "batch", "group", "instance", "affine_instance" or "none".
      train: whether batch statistics are of this batch (and remembered) or the remembered ones.
      groups: of group normalization, which divide the channels; 0: as `num_groups` has it. 1 is
        layer normalization over height, width and channels.
      axis_name: mapped axis over which batch statistics are averaged, under `pmap` or `shard_map`;
        under `jit` they are those of the global batch without it.
      dtype: dtype of the result; statistics are computed and kept in float32.

    Returns:
      The normalized activations `[B, ..., C]`.

    Raises:
      ValueError: if `kind` is none of the allowed names, or the groups do not divide the channels.
    """
    check_normalization(kind)
    if kind == "batch":
        return BatchNorm(axis_name=axis_name, dtype=dtype)(x, train=train)
    if kind == "group":
        groups = groups or num_groups(x.shape[-1])
        if groups < 0 or x.shape[-1] % groups:
            raise ValueError(f"{groups} groups do not divide {x.shape[-1]} channels.")
        dtype = wide_type(x.dtype) if dtype is None else dtype
        return nn.GroupNorm(num_groups=groups, epsilon=1e-5, dtype=dtype)(_shifted(x, groups))
    if kind == "affine_instance":
        return AffineInstanceNorm()(x)
    return instance_norm(x) if kind == "instance" else x


class BatchNorm(nn.Module):
    """Batch normalization scale (x - mean) / sqrt(var + ε) + bias of each channel, ε = 1e-5.

    Mean and variance (biased) are over all axes but the last: of this batch while training, else
    the running averages, of momentum .9. These are Linen's `BatchNorm` but for the shift, see
    above, and have its names.

    Attributes:
      axis_name: mapped axis over which statistics are averaged. The shift is then the mean of
        theirs, so that their means and squares are about one number.
      dtype: dtype of the result, else that of `x` or float32, whichever is wider.
      use_scale: whether there is a scale; 1 without.
      use_bias: whether there is a bias; 0 without.

    References:
      Ioffe and Szegedy, Batch Normalization, 2015 (arXiv:1502.03167).
    """

    axis_name: str | None = None
    dtype: DTypeLike | None = None
    use_scale: bool = True
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Activations `[B, ..., C]` -> `[B, ..., C]`."""
        channels = x.shape[-1:]
        old_mean = self.variable("batch_stats", "mean", jnp.zeros, channels, jnp.float32)
        old_variance = self.variable("batch_stats", "var", jnp.ones, channels, jnp.float32)
        scale: Array | float = 1.0
        bias: Array | float = 0.0
        if self.use_scale:
            scale = self.param("scale", _scale_init, channels, jnp.float32)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, channels, jnp.float32)
        dtype = wide_type(x.dtype)
        if train:
            axis_name = None if self.is_initializing() else self.axis_name
            # A pixel of every sample: that of one would gather the batch of several devices.
            pixels = x[:, *[0] * (x.ndim - 2)].astype(dtype)
            shift = jax.lax.stop_gradient(pixels.mean(0))
            if axis_name is not None:
                shift = jax.lax.pmean(shift, axis_name)
            near = x.astype(dtype) - shift
            axes = tuple(range(x.ndim - 1))
            moments = jnp.stack([near.mean(axes), jnp.square(near).mean(axes)])
            if axis_name is not None:
                moments = jax.lax.pmean(moments, axis_name)
            mean = moments[0] + shift
            variance = jnp.maximum(moments[1] - jnp.square(moments[0]), 0)
            if not self.is_initializing():
                old_mean.value = 0.9 * old_mean.value + 0.1 * mean
                old_variance.value = 0.9 * old_variance.value + 0.1 * variance
        else:
            mean, variance = old_mean.value, old_variance.value
        y = (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * scale) + bias
        return y.astype(dtype if self.dtype is None else self.dtype)


class AffineInstanceNorm(nn.Module):
    """`instance_norm`, and then a learnt scale and bias per channel, which start at 1 and 0."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Activations `[B, ..., C]` -> `[B, ..., C]`, of the dtype of `x`."""
        channels = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, channels, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, channels, jnp.float32)
        return (instance_norm(wide(x)) * scale + bias).astype(x.dtype)


def _shifted(x: Array, groups: int) -> Array:
    """`x` in float32 or wider, less the first number of each group of channels of each sample."""
    x = wide(x)
    first = x.reshape(len(x), -1, x.shape[-1])[:, 0, :: x.shape[-1] // groups]
    first = jnp.repeat(jax.lax.stop_gradient(first), x.shape[-1] // groups, axis=1)
    return x - first.reshape(len(x), *[1] * (x.ndim - 2), x.shape[-1])


def instance_norm(x: Array, *, epsilon: float = 1e-5) -> Array:
    """Instance normalization (x - mean) / sqrt(var + ε) of each channel of each sample, no affine.

    Mean and variance (biased) are over all axes between the first and the last, computed in
    float32 in two passes. This is PyTorch's `InstanceNorm2d` with its defaults; TF code and the
    paper that introduced it learn a scale and a shift on top. What a bias adds before it, it takes
    away again.

    Args:
      x: activations `[B, ..., C]` of rank 3 or more. With a single pixel a channel all are 0.
      epsilon: ε.

    Returns:
      The normalized activations `[B, ..., C]`, of the dtype of `x`.

    Raises:
      ValueError: if `x` has no axis to normalize over.

    References:
      Ulyanov, Vedaldi and Lempitsky, Instance Normalization: The Missing Ingredient for Fast
      Stylization, 2016 (arXiv:1607.08022).
    """
    if x.ndim < 3:
        raise ValueError(f"instance_norm needs activations [B, ..., C] of rank 3, not {x.shape}.")
    axes = tuple(range(1, x.ndim - 1))
    centered = wide(x)
    centered = centered - jnp.mean(centered, axes, keepdims=True)
    variance = jnp.mean(jnp.square(centered), axes, keepdims=True)
    return (centered * jax.lax.rsqrt(variance + epsilon)).astype(x.dtype)


def pixel_norm(x: Array, *, epsilon: float = 1e-8) -> Array:
    """Every pixel's vector of channels divided by its root mean square: x / √(mean x² + ε).

    Progressive growing normalizes its latents and every layer of the generator so; nothing is
    learnt, and no statistics are kept.

    Args:
      x: `[B, ..., C]`.
      epsilon: ε.

    Returns:
      The same shape and dtype; the mean of squares is computed in float32.

    References:
      Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation,
      2018 (arXiv:1710.10196), section 4.2.
    """
    squares = jnp.square(wide(x)).mean(-1, keepdims=True)
    return (wide(x) * jax.lax.rsqrt(squares + epsilon)).astype(x.dtype)


def num_groups(channels: int) -> int:
    """The most groups, up to 32, that divide the channels and leave at least 4 in a group."""
    most = max(1, min(32, channels // 4))
    return max(g for g in range(1, most + 1) if channels % g == 0)


def _scale_init(key: Key, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    return 1.0 + 0.02 * jax.random.normal(key, shape, dtype)
