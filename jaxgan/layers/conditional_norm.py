"""Batch normalization whose gains and biases depend on a class, a latent, or both.

References:
  de Vries et al., Modulating Early Visual Processing by Language, 2017 (arXiv:1707.00683).
  Miyato and Koyama, cGANs with Projection Discriminator, 2018 (arXiv:1802.05637).
  Brock, Donahue and Simonyan, Large Scale GAN Training for High Fidelity Natural Image Synthesis,
  2019 (arXiv:1809.11096).
"""

import flax.linen as nn
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from jaxgan.arrays import wide_type
from jaxgan.layers.normalization import BatchNorm
from jaxgan.types import Array


class ConditionalBatchNorm(nn.Module):
    """(1 + W_g c) · (x - mean) / sqrt(var + ε) + W_b c, of each channel and sample.

    Statistics, running averages and ε are those of `layers.normalization.BatchNorm`, without its
    scale and bias. W_g and W_b, the kernels of "gain" and "bias", have no bias of their own: of
    c = 0 the gain is 1.

    In BigGAN c is an embedding of the class that all layers share, and a part of the latent beside
    it. De Vries 2017 and Miyato 2018 look up a gain and a bias per class instead, which is the case
    of a one-hot c: a row of W_g for each class.

    Attributes:
      axis_name: mapped axis over which statistics are averaged, under `pmap` or `shard_map`.
      dtype: dtype of the result, else that of `x` or float32, whichever is wider; statistics,
        gains and biases are float32.
      kernel_init: initializer of W_g and W_b `[D, C]`.

    Raises:
      ValueError: when called, unless there is one c a sample.
    """

    axis_name: str | None = None
    dtype: DTypeLike | None = None
    kernel_init: Initializer = nn.initializers.orthogonal()

    @nn.compact
    def __call__(self, x: Array, condition: Array, *, train: bool) -> Array:
        """Activations `[B, ..., C]`, c `[B, D]` -> activations `[B, ..., C]`."""
        if condition.ndim != 2 or len(condition) != len(x):
            raise ValueError(
                f"what a norm of {len(x)} samples is conditioned on must have shape "
                f"({len(x)}, D), not {condition.shape}."
            )

        def per_channel(name: str) -> Array:
            layer = nn.Dense(x.shape[-1], use_bias=False, kernel_init=self.kernel_init, name=name)
            return layer(condition).reshape(len(x), *[1] * (x.ndim - 2), -1)

        norm = BatchNorm(self.axis_name, use_scale=False, use_bias=False)
        y = norm(x, train=train) * (1 + per_channel("gain")) + per_channel("bias")
        dtype = wide_type(x.dtype) if self.dtype is None else self.dtype
        return y.astype(dtype)
