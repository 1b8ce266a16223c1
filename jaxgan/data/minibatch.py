"""What happens to a minibatch inside the jitted step: scaling and random mirroring."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.keys import derive
from jaxgan.types import Array, Batch, Key


def to_float(samples: Array) -> Array:
    """Images uint8 [B, H, W, C] to float32 in [-1, 1]; points pass as they are."""
    return samples.astype(jnp.float32) / 127.5 - 1 if samples.dtype == jnp.uint8 else samples


def random_flip(images: Array, key: Key) -> Array:
    """Mirrors each image of [B, H, W, C] left to right with probability one half."""
    mirrored = jax.random.bernoulli(key, jnp.float32(0.5), (len(images), 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def prepare_batch(batch: Batch, key: Key, *, flip: bool = False) -> Batch:
    """A raw minibatch as games take it; labels stay. The key is consumed."""
    real = to_float(batch["real"])
    return batch | {"real": random_flip(real, derive(key, "flip")) if flip else real}


def jitter(images: Array, key: Key, load_size: int) -> Array:
    """Enlarges images of [B, H, W, C] and cuts a random part of their own size out of each.

    The shorter side becomes `load_size`, by Pillow's bicubic kernel, as when CycleGAN's and
    pix2pix's authors load images at 286 pixels and crop them to 256. The key is consumed.

    Raises:
      ValueError: if `load_size` is smaller than the shorter side.
    """
    count, height, width, channels = images.shape
    side = min(height, width)
    if load_size < side:
        raise ValueError(f"load_size {load_size} is smaller than the images' {side} pixels")
    larger = (round(height * load_size / side), round(width * load_size / side))
    resized = jax.image.resize(images, (count, *larger, channels), "cubic")
    resized = jnp.clip(resized, -1, 1)  # The kernel overshoots at edges.
    room = jnp.array([larger[0] - height + 1, larger[1] - width + 1])
    offsets = jax.random.randint(key, (count, 2), 0, room, jnp.int32)

    def crop(image: Array, offset: Array) -> Array:
        return jax.lax.dynamic_slice(image, (offset[0], offset[1], 0), (height, width, channels))

    return jax.vmap(crop)(resized, offsets)


def random_quarter_turn(images: Array, key: Key) -> Array:
    """Turns each of the square images [B, S, S, C] by 0, 90, 180 or 270 degrees. Consumes the key.

    Raises:
      ValueError: if the images are not square.
    """
    if images.shape[1] != images.shape[2]:
        raise ValueError(f"only square images can be turned, not {list(images.shape[1:3])}")
    turns = jax.random.randint(key, (len(images), 1, 1, 1), 0, 4, jnp.int32)
    turned = [jnp.rot90(images, quarter, axes=(1, 2)) for quarter in range(4)]
    return jnp.select([turns == quarter for quarter in range(4)], turned)


def prepare_together(
    batch: Batch,
    key: Key,
    *,
    load_size: int | None = None,
    flip: bool = False,
    rotate: bool = False,
) -> Batch:
    """Float images of one height and width, all of a row cropped, mirrored and turned alike.

    Args:
      batch: `[B, H, W, C]` each, in [-1, 1].
      key: consumed.
      load_size: as `jitter`; None: images stay whole.
      flip: mirror half of the rows.
      rotate: turn rows by multiples of 90 degrees.
    """
    names = sorted(batch)
    ends = np.cumsum([batch[name].shape[-1] for name in names])[:-1]
    whole = jnp.concatenate([batch[name] for name in names], axis=-1)
    if load_size is not None:
        whole = jitter(whole, derive(key, "crop"), load_size)
    if flip:
        whole = random_flip(whole, derive(key, "flip"))
    if rotate:
        whole = random_quarter_turn(whole, derive(key, "turn"))
    return dict(zip(names, jnp.split(whole, ends, axis=-1), strict=True))


def prepare_pair(
    batch: Batch, key: Key, *, load_size: int | None = None, flip: bool = False
) -> Batch:
    """A raw minibatch of two domains as games take it, each with draws of its own.

    The key is consumed.
    """

    def prepared(name: str, images: Array) -> Array:
        images = to_float(images)
        if load_size is not None:
            images = jitter(images, derive(key, name, "crop"), load_size)
        return random_flip(images, derive(key, name, "flip")) if flip else images

    return {name: prepared(name, images) for name, images in batch.items()}
