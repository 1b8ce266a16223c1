"""Changes to the images that a discriminator sees, real and fake alike.

Every function is pure, takes images `[B, ...]` of floating point and a key that it consumes, and
passes gradients through, so that the generator learns behind it.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgan.arrays import floating
from jaxgan.types import Array, Key, Number


def instance_noise(images: Array, key: Key, sigma: ArrayLike) -> Array:
    """Adds N(0, sigma²) to every element, so that real and fake distributions overlap.

    It belongs on real *and* fake images, each with its own key, in both players' losses, with sigma
    annealed to 0 (`annealed`). The sum is not clipped: clipping would tell the two apart again.

    Args:
      images: `[B, ...]`.
      key: consumed.
      sigma: standard deviation in the units of the images, a scalar or `[B]`, one a sample; may be
        traced.

    Returns:
      The noisy images, shape and type as given.

    Raises:
      ValueError: if the images are not floating point, or sigma is of another shape.

    References:
      Sønderby et al., Amortised MAP Inference for Image Super-resolution, 2017 (arXiv:1610.04490).
      Arjovsky & Bottou, Towards Principled Methods for Training GANs, 2017 (arXiv:1701.04862).
    """
    images = floating(images, "images")
    sigma = jnp.asarray(sigma, images.dtype)
    if sigma.shape not in ((), images.shape[:1]):
        raise ValueError(
            f"sigma must be a scalar or of shape {images.shape[:1]}, one a sample, "
            f"not of {sigma.shape}"
        )
    noise = jax.random.normal(key, images.shape, images.dtype)
    return images + sigma.reshape(sigma.shape + (1,) * (images.ndim - sigma.ndim)) * noise


def annealed(initial: Number, step: ArrayLike, steps: int) -> Array:
    """A number that falls linearly from `initial` at step 0 to 0 at step `steps`, and stays there.

    Args:
      initial: the value at step 0.
      step: the step under way; may be traced.
      steps: how long it takes, positive.

    Returns:
      A float32 scalar.

    Raises:
      ValueError: if `steps` is not positive.
    """
    if steps <= 0:
        raise ValueError(f"annealing takes a positive number of steps, not {steps}")
    return jnp.asarray(initial, jnp.float32) * jnp.clip(
        1 - jnp.asarray(step, jnp.float32) / steps, 0, 1
    )


def pack(images: Array, count: int) -> Array:
    """Joins every `count` samples along their channels, as PacGAN shows them to a discriminator.

    A discriminator that sees several samples at once sees when they are all alike, which is what
    mode collapse looks like. Packing images before they are scored serves any discriminator and
    any penalty: one pack is one sample to both.

    Args:
      images: `[B, H, W, C]` or points `[B, D]`.
      count: samples a pack; divides B. 1 changes nothing.

    Returns:
      `[B / count, H, W, count * C]` or `[B / count, count * D]`; samples that follow each other
      share a pack.

    Raises:
      ValueError: if `count` does not divide the batch.

    References:
      Lin et al., PacGAN: The Power of Two Samples in Generative Adversarial Networks, 2018
      (arXiv:1712.04086).
    """
    if count < 1 or len(images) % count:
        raise ValueError(f"a batch of {len(images)} samples does not divide into packs of {count}")
    packs = images.reshape(-1, count, *images.shape[1:])
    return jnp.concatenate([packs[:, index] for index in range(count)], axis=-1)
