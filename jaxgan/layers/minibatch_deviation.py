"""Minibatch standard deviation (Karras 2018): a discriminator sees how varied samples are."""

import jax.numpy as jnp

from jaxgan.arrays import wide
from jaxgan.types import Array

GROUP = 4


def minibatch_deviation(x: Array, group: int = GROUP) -> Array:
    """Appends a map that says how much the samples of a group differ.

    The standard deviation over the group of every number, biased, with 1e-8 under the root; its
    mean over the numbers fills the map, which all samples of the group share.

    A group is of neighbours in the batch, so that it lies on one device where each has whole
    groups. The authors' code takes samples that lie a quarter of the batch apart.

    Args:
      x: activations `[B, H, W, C]`.
      group: samples in a group, or the next smaller number that divides B.

    Returns:
      `[B, H, W, C + 1]`.

    Raises:
      ValueError: for another rank, or a group below 1.

    References:
      Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation,
      2018 (arXiv:1710.10196), section 3.
    """
    if x.ndim != 4:
        raise ValueError(f"activations must be [B, H, W, C], not of shape {list(x.shape)}")
    if group < 1:
        raise ValueError(f"a group has 1 sample or more, not {group}")
    batch, height, width, _ = x.shape
    group = next(size for size in range(min(group, batch), 0, -1) if batch % size == 0)
    groups = wide(x).reshape(batch // group, group, -1)
    centred = groups - groups.mean(1, keepdims=True)
    deviation = jnp.sqrt(jnp.square(centred).mean(1) + 1e-8).mean(-1)
    shown = jnp.repeat(deviation, group).astype(x.dtype)[:, None, None, None]
    return jnp.concatenate([x, jnp.broadcast_to(shown, (batch, height, width, 1))], axis=-1)
