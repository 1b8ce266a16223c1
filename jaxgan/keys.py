"""Where every random draw comes from: a wide tree of keys, never a chain.

A draw belongs to a root key, a step and a purpose, and to nothing else. Nothing random is kept
between steps, so a resumed run draws what an uninterrupted one would have drawn, and a new
purpose never shifts the draws of an old one.
"""

import zlib

import jax

from jaxgan.types import Array, Key


def derive(key: Key, *path: int | str | Array) -> Key:
    """Folds a path into a key: numbers as they are, names by their CRC-32.

    `derive(root, step, "generator")` is the key of one player's turn at one step, and
    `derive(turn_key, "latent")` that turn's latents.

    Args:
      key: a typed key.
      *path: steps, indices (32-bit, traced or not) and purposes.

    Returns:
      A typed key. Equal arguments give equal keys, on every machine and device count.
    """
    for part in path:
        data = zlib.crc32(part.encode()) if isinstance(part, str) else part
        key = jax.random.fold_in(key, data)
    return key
