"""Self-attention over the positions of images `[B, H, W, C]` (Zhang 2019).

Every position asks every other for what it holds, however far away: a convolution sees the pixels
next to it alone. There is one head, queries and keys are not divided by the square root of their
size, and what is found is added to the input with a learnt weight that starts at 0. So a network
begins as one without attention, and no position knows where it is: without pooling, positions that
are permuted come out permuted.

Where code differs: in the paper keys and values come from every position. In its authors' code, and
in BigGAN, they are the maxima of squares of 2x2, a quarter as many and a quarter of the work.

References:
  Zhang et al., Self-Attention Generative Adversarial Networks, 2019 (arXiv:1805.08318).
  Brock, Donahue and Simonyan, Large Scale GAN Training for High Fidelity Natural Image Synthesis,
  2019 (arXiv:1809.11096).
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from jaxgan.arrays import wide_type
from jaxgan.types import Array


class SelfAttention(nn.Module):
    """x + scale · W_o Σ_j softmax_j(q_i · k_j) v_j at each position i, `[B, H, W, C]` -> the same.

    q and k have C / 8 channels and v has C / 2, at least one each; all are products of x and a
    matrix, without a bias.

    Attributes:
      dtype: dtype of the computation and the result, else that of `x` or of the parameters,
        whichever is wider; the softmax is float32 at least, and parameters are float32.
      pool: take keys and values as the maxima of squares of 2x2, as BigGAN does.
      kernel_init: initializer of the four matrices `[in, out]`.

    Raises:
      ValueError: when called, with pooling, for an odd height or width.
    """

    dtype: DTypeLike | None = None
    pool: bool = True
    kernel_init: Initializer = nn.initializers.orthogonal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Activations `[B, H, W, C]` -> `[B, H, W, C]`."""
        batch, height, width, channels = x.shape
        if self.pool and (height % 2 or width % 2):
            raise ValueError(
                "attention with pooled keys needs an even height and width, "
                f"not {height}x{width} (pool=False takes any)."
            )
        matrix = partial(nn.Dense, use_bias=False, dtype=self.dtype, kernel_init=self.kernel_init)
        query = matrix(max(1, channels // 8), name="query")(x)
        key = matrix(max(1, channels // 8), name="key")(x)
        value = matrix(max(1, channels // 2), name="value")(x)
        if self.pool:
            key, value = _max_pool(key), _max_pool(value)
        query, key, value = (y.reshape(batch, -1, y.shape[-1]) for y in (query, key, value))
        wide = wide_type(query.dtype)
        products = jnp.einsum("bqc,bkc->bqk", query, key, preferred_element_type=wide)
        weights = jax.nn.softmax(products, axis=-1).astype(value.dtype)
        found = jnp.einsum("bqk,bkc->bqc", weights, value).reshape(batch, height, width, -1)
        found = matrix(channels, name="out")(found)
        scale = self.param("scale", nn.initializers.zeros, (), jnp.float32)
        return x.astype(found.dtype) + scale.astype(found.dtype) * found


def _max_pool(x: Array) -> Array:
    """The maxima of squares of 2x2. A reshape, whose gradient has a gradient too."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))
