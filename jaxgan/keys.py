"""Where every random draw comes from: a wide tree of keys, never a chain.

A draw belongs to a root key, a step and a purpose, and to nothing else. Nothing random is kept
between steps, so a resumed run draws what an uninterrupted one would have drawn, and a new
purpose never shifts the draws of an old one.
"""

import math
import zlib

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl, threefry2x32_p, threefry_prng_impl

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


def key_of_rows(key: Key, part: Array | int) -> Key:
    """A key whose draws are rows of the plain key's, for one of the equal parts of a batch.

    Under `pmap` and `shard_map` a step sees its device's part of the batch, and with this key for
    `jax.lax.axis_index(axis_name)` it draws what a step over the whole batch draws for these rows:
    `normal(key_of_rows(key, p), (n, ...))` is `normal(key, (parts * n, ...))[p * n : (p + 1) * n]`
    to the bit. That holds for what draws a word an element with the batch in front, as all of
    JAX's `bits`, `uniform`, `normal`, `bernoulli` and `randint` do, and for every key folded or
    split off it; a scalar is the same in all parts.

    Args:
      key: a typed Threefry key, consumed.
      part: number of the part, from 0, traced or not.
    """
    part = jnp.asarray(part, jnp.uint32)
    data = jnp.concatenate([jax.random.key_data(key), part[None]])
    return jax.random.wrap_key_data(data, impl=_ROWS)


def own_rows(key: Key, count: int) -> tuple[Key, Array]:
    """The plain key and the numbers `[count]` of the rows that a key is for: 0, 1, ... of a plain
    one."""
    numbers = jnp.arange(count, dtype=jnp.uint32)
    if jax.random.key_impl(key) != _ROWS:
        return key, numbers
    data = jax.random.key_data(key)
    return jax.random.wrap_key_data(data[:2]), data[2] * count + numbers


def _rows_split(key: Array, shape: tuple[int, ...]) -> Array:
    split = threefry_prng_impl.split(key[:2], shape)
    return jnp.concatenate([split, jnp.broadcast_to(key[2:], (*shape, 1))], axis=-1)


def _rows_fold_in(key: Array, data: Array | int) -> Array:
    return jnp.concatenate([threefry_prng_impl.fold_in(key[:2], data), key[2:]])


def _rows_bits(key: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    """Threefry of the places that the elements have in the draw of all rows, below 2**32."""
    size = math.prod(shape)
    first = key[2] * jnp.uint32(size) if shape else jnp.uint32(0)
    places = jax.lax.iota(jnp.uint32, size) + first
    high, low = threefry2x32_p.bind(key[0], key[1], places * 0, places)
    if bit_width == 64:
        words = high.astype(jnp.uint64) << 32 | low.astype(jnp.uint64)
    else:
        words = (high ^ low).astype(f"uint{bit_width}")
    return words.reshape(shape)


_ROWS = define_prng_impl(
    key_shape=(3,),
    seed=lambda seed: jnp.concatenate([threefry_prng_impl.seed(seed), jnp.zeros(1, jnp.uint32)]),
    split=_rows_split,
    random_bits=_rows_bits,
    fold_in=_rows_fold_in,
    name="threefry_rows",
    tag="rows",
)
