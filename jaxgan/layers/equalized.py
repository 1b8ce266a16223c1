"""Layers with an equalized learning rate (Karras 2018).

Weights start as N(0, 1), and each pass multiplies them by gain / √fan_in, as He's initializer does
once. Adam, whose steps do not depend on the size of a gradient, then moves the weights of all
layers at the same rate relative to their size.
"""

import math

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.conv import conv
from jaxgan.types import Array

ROOT2 = math.sqrt(2)
"""The gain before a ReLU, which lets half of the variance through."""
_init = nn.initializers.normal(1.0)


class EqualizedConv(nn.Module):
    """A convolution of stride 1, "SAME".

    Attributes:
      features: channels of the output.
      size: taps along height and along width.
      gain: √2 before an activation, 1 where nothing follows.
      dtype: dtype of the computation; parameters are float32.
    """

    features: int
    size: int = 3
    gain: float = ROOT2
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, in]` -> `[B, H, W, features]`."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", _init, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape[-1:], jnp.float32)
        kernel = kernel * (self.gain / math.sqrt(math.prod(shape[:-1])))
        y = conv(x.astype(self.dtype), kernel.astype(self.dtype), (1, 1))
        return y + bias.astype(self.dtype)


class EqualizedDense(nn.Module):
    """A dense layer.

    Attributes:
      features: shape of the output; the bias is one a channel, its last entry.
      gain: √2 before an activation, 1 where nothing follows.
      dtype: dtype of the computation; parameters are float32.
    """

    features: tuple[int, ...]
    gain: float = ROOT2
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, in]` -> `[B, *features]`."""
        shape = (x.shape[-1], *self.features)
        kernel = self.param("kernel", _init, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape[-1:], jnp.float32)
        kernel = kernel * (self.gain / math.sqrt(shape[0]))
        y = jnp.tensordot(x.astype(self.dtype), kernel.astype(self.dtype), 1)
        return y + bias.astype(self.dtype)
