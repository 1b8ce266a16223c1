"""What happens to a minibatch inside the jitted step: scaling and random mirroring."""

import jax
import jax.numpy as jnp

from jaxgan.keys import derive
from jaxgan.types import Array, Batch, Key


def normalize(samples: Array) -> Array:
    """Images uint8 [B, H, W, C] to float32 in [-1, 1]; points pass as they are."""
    return samples.astype(jnp.float32) / 127.5 - 1 if samples.dtype == jnp.uint8 else samples


def random_flip(images: Array, key: Key) -> Array:
    """Mirrors each image of [B, H, W, C] left to right with probability one half."""
    mirrored = jax.random.bernoulli(key, 0.5, (len(images), 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def prepare(batch: Batch, key: Key, *, flip: bool = False) -> Batch:
    """A raw minibatch as games take it; labels stay. The key is consumed."""
    real = normalize(batch["real"])
    return batch | {"real": random_flip(real, derive(key, "flip")) if flip else real}
