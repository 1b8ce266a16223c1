"""A pool of earlier fakes, as arrays: what a discriminator sees is not only what was just made.

A pool is a pytree of two arrays, so it lives in a game's carry, inside jit and in checkpoints.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import DTypeLike

from jaxgan.keys import derive
from jaxgan.types import Array, Key


@struct.dataclass
class ImagePool:
    """Images that were made before.

    Attributes:
      images: `[S, H, W, C]`, of which the first `count` are there and the others 0.
      count: int32 scalar, from 0 to S.
    """

    images: Array
    count: Array


def init_pool(size: int, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> ImagePool:
    """An empty pool.

    Args:
      size: S, 0 or more; the paper has 50.
      shape: of one image, such as (H, W, C).
      dtype: of the images.

    Raises:
      ValueError: for a negative size.
    """
    if size < 0:
        raise ValueError(f"an image pool's size must be 0 or more, not {size}")
    return ImagePool(jnp.zeros((size, *shape), dtype), jnp.zeros((), jnp.int32))


def query(pool: ImagePool, images: Array, key: Key) -> tuple[ImagePool, Array]:
    """Gives each new image or, half of the time, an old one whose place the new one takes.

    As long as the pool has room, an image is stored and given itself. From then on, with
    probability one half, a random image of the pool is given and the new one stored in its place;
    else the new one is given and not stored. The images of a minibatch come one after the other,
    so a later one may get an earlier one.

    Args:
      pool: of images of the same shape; one of size 0 gives the images themselves.
      images: `[B, H, W, C]`.
      key: consumed.

    Returns:
      The new pool, and images `[B, H, W, C]`.

    Raises:
      ValueError: if images and pool do not fit.

    References:
      Shrivastava et al., Learning from Simulated and Unsupervised Images through Adversarial
      Training, 2017 (arXiv:1612.07828), section 2.3, which replaces half of a minibatch.
      Zhu et al., 2017 (arXiv:1703.10593), whose code does it image by image, as here.
    """
    if images.shape[1:] != pool.images.shape[1:]:
        raise ValueError(
            f"a pool of images of shape {list(pool.images.shape[1:])} cannot take images of shape "
            f"{list(images.shape[1:])}"
        )
    size = len(pool.images)
    if size == 0:
        return pool, images
    slots = jax.random.randint(derive(key, "slot"), (len(images),), 0, size, jnp.int32)
    swaps = jax.random.bernoulli(derive(key, "swap"), jnp.float32(0.5), (len(images),))

    def one(pool: ImagePool, inputs: tuple[Array, Array, Array]) -> tuple[ImagePool, Array]:
        image, slot, swap = inputs
        full = pool.count == size
        slot = jnp.where(full, slot, pool.count)
        old = pool.images[slot]
        stored = jnp.where(swap | ~full, image, old)
        given = jnp.where(swap & full, old, image)
        count = jnp.minimum(pool.count + 1, size)
        return ImagePool(pool.images.at[slot].set(stored), count), given

    return jax.lax.scan(one, pool, (images.astype(pool.images.dtype), slots, swaps))
