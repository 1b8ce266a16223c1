"""Convolutions of stride 1 by Winograd's minimal filtering, fast in every derivative on a CPU.

All three maps of `conv.trilinear` are computed on tiles of m x m output pixels (Lavin &
Gray 2016): the n x n input pixels that a tile sees, n = m + r - 1, go through a linear map to n x n
numbers, in which the convolution is n² products of matrices [tiles, in] x [in, out], and a second
linear map leads back. That is 4 times less arithmetic than the definition for 3x3 kernels and 2.6
times less for 2x2, and all of it is matrix products, which XLA runs well on a CPU, in loops too.

The price is rounding. With the interpolation points chosen here the error of a float32 result is
2 to 3 times that of a direct sum, against 5 times with the usual integer points.

References:
  Winograd, Arithmetic Complexity of Computations, 1980.
  Lavin & Gray, Fast Algorithms for Convolutional Neural Networks, 2016 (arXiv:1509.09308).
  Barabasz et al., Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
  Networks, 2020 (arXiv:1803.10986), on the choice of points.
"""

from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from jaxgan.layers.conv.trilinear import Geometry, Padding, of_stride_one
from jaxgan.types import Array

POINTS = {
    4: (0, 1, -1),
    5: (0, 1, -0.5, -2),
    6: (0, 2**-0.5, -(2**-0.5), 2**0.5, -(2**0.5)),
}
"""Finite interpolation points by n; infinity is one more."""

CHUNK_BYTES = 5 << 20
"""Transformed images handled at once: what exceeds the cache costs twice the time."""


def products(r: int, height: int, width: int) -> int:
    """Multiplications an image and pair of channels; by definition `r² height width`."""
    return _products(r, height, width, _tile(r, height, width))


def _products(r: int, height: int, width: int, tile: int) -> int:
    return -(-height // tile) * -(-width // tile) * (tile + r - 1) ** 2


def _tile(r: int, height: int, width: int) -> int:
    """The m that takes the fewest multiplications: few tiles, filled well."""
    tiles = [n - r + 1 for n in POINTS if n > r]
    return min(tiles, key=lambda tile: _products(r, height, width, tile))


@cache
def _transforms(r: int, tile: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps of image tiles [n², n²], of kernels [n², r²] and back to outputs [m², n²].

    In one dimension an output tile is y = Aᵀ((G k) * (Bᵀ x)). A and G evaluate polynomials at the
    points, B is the inverse of the evaluation; rows are scaled so that G's and B's are alike.
    """
    n = tile + r - 1

    def evaluate(terms: int) -> np.ndarray:
        at_infinity = [[0.0] * (terms - 1) + [1.0]]
        return np.array([[p**i for i in range(terms)] for p in POINTS[n]] + at_infinity)

    kernels, outputs = evaluate(r), evaluate(tile).T
    images = np.linalg.inv(evaluate(n)).T
    scale = np.sqrt(np.abs(kernels).sum(1) / np.abs(images).sum(1))[:, None]
    images, kernels = images * scale, kernels / scale
    return np.kron(images, images), np.kron(kernels, kernels), np.kron(outputs, outputs)


class _Tiling(NamedTuple):
    """How outputs [B, height, width, C] are cut: `rows` x `columns` tiles of `tile` pixels a side.

    `to_images` [n², n²], `to_kernel` [n², r²] and `to_outputs` [m², n²] are the transforms.
    """

    r: int
    height: int
    width: int
    tile: int
    rows: int
    columns: int
    to_images: Array
    to_kernel: Array
    to_outputs: Array


def _tiling(x: tuple[int, ...], r: int, padding: Padding, dtype: DTypeLike) -> _Tiling:
    (top, bottom), (left, right) = padding
    height, width = x[1] + top + bottom - r + 1, x[2] + left + right - r + 1
    tile = _tile(r, height, width)
    maps = (jnp.asarray(m, dtype) for m in _transforms(r, tile))
    return _Tiling(r, height, width, tile, -(-height // tile), -(-width // tile), *maps)


def _image_tiles(x: Array, cut: _Tiling, padding: Padding) -> Array:
    """Images [B, H, W, C] to transformed overlapping tiles [n², tiles, C]."""
    n, tile, rows, columns = cut.tile + cut.r - 1, cut.tile, cut.rows, cut.columns
    blocks = -(-n // tile)  # A tile sees its own block of pixels and the next ones.
    config = [(0, 0, 0)] * 4
    for axis, (before, _), count in ((1, padding[0], rows), (2, padding[1], columns)):
        whole = (count + blocks - 1) * tile
        config[axis] = (before, whole - before - x.shape[axis], 0)
    x = lax.pad(x, jnp.zeros((), x.dtype), config)
    batch, _, wide, channels = x.shape
    x = x.reshape(batch, rows + blocks - 1, tile, wide, channels)
    x = jnp.stack([x[:, i // tile : rows + i // tile, i % tile] for i in range(n)])
    x = x.reshape(n, batch, rows, columns + blocks - 1, tile, channels)
    shifted = [x[:, :, :, j // tile : columns + j // tile, j % tile] for j in range(n)]
    tiles = jnp.stack(shifted, axis=1).reshape(n * n, -1)
    return (cut.to_images @ tiles).reshape(n * n, -1, channels)


def _output_tiles(z: Array, cut: _Tiling) -> Array:
    """Cotangents of outputs [B, height, width, C] to transformed tiles [n², tiles, C]."""
    tile, rows, columns = cut.tile, cut.rows, cut.columns
    below, right = rows * tile - cut.height, columns * tile - cut.width
    z = jnp.pad(z, ((0, 0), (0, below), (0, right), (0, 0)))
    z = z.reshape(len(z), rows, tile, columns, tile, -1).transpose(2, 4, 0, 1, 3, 5)
    tiles = cut.to_outputs.T @ z.reshape(tile * tile, -1)
    return tiles.reshape(len(tiles), -1, z.shape[-1])


def _from_tiles(tiles: Array, cut: _Tiling, batch: int) -> Array:
    """Products [n², tiles, C] to outputs [B, height, width, C]."""
    tile, rows, columns = cut.tile, cut.rows, cut.columns
    y = cut.to_outputs @ tiles.reshape(len(tiles), -1)
    y = y.reshape(tile, tile, batch, rows, columns, -1).transpose(2, 3, 0, 4, 1, 5)
    return y.reshape(batch, rows * tile, columns * tile, -1)[:, : cut.height, : cut.width]


def _chunks(x: Array, cut: _Tiling, channels: int) -> int:
    """Into how many equal parts the batch is cut, so that each part's tiles fit in the cache."""
    values = cut.rows * cut.columns * (cut.tile + cut.r - 1) ** 2 * channels
    image_bytes, batch = values * x.dtype.itemsize, len(x)
    fitting = (
        parts
        for parts in range(1, batch)
        if batch % parts == 0 and batch // parts * image_bytes <= CHUNK_BYTES
    )
    return next(fitting, batch)


def _split(x: Array, parts: int) -> Array:
    """[B, ...] to [B / parts, parts, ...]: chunk j is every `parts`-th image, on every device."""
    return x.reshape(len(x) // parts, parts, *x.shape[1:])


def _value(x: Array, kernel: Array, *, geometry: Geometry) -> Array:
    r, _, inputs, outputs = kernel.shape
    padding = geometry.padding
    cut = _tiling(x.shape, r, padding, x.dtype)
    factors = (cut.to_kernel @ kernel.reshape(r * r, -1)).reshape(-1, inputs, outputs)

    def of(x: Array) -> Array:
        return _from_tiles(jnp.matmul(_image_tiles(x, cut, padding), factors), cut, len(x))

    parts = _chunks(x, cut, max(inputs, outputs))
    if parts == 1:
        return of(x)
    chunks = _split(x, parts)

    def one(index: Array, y: Array) -> Array:
        chunk = lax.dynamic_index_in_dim(chunks, index, 1, keepdims=False)
        return lax.dynamic_update_index_in_dim(y, of(chunk), index, 1)

    empty = jnp.zeros((*chunks.shape[:2], cut.height, cut.width, outputs), x.dtype)
    y = lax.fori_loop(0, parts, one, empty)
    return y.reshape(len(x), cut.height, cut.width, outputs)


def _kernel(x: Array, z: Array, *, geometry: Geometry) -> Array:
    r, padding = geometry.taps[0], geometry.padding
    inputs, outputs = x.shape[-1], z.shape[-1]
    cut = _tiling(x.shape, r, padding, x.dtype)

    def of(x: Array, z: Array) -> Array:
        over_tiles = (((1,), (1,)), ((0,), (0,)))
        return lax.dot_general(_image_tiles(x, cut, padding), _output_tiles(z, cut), over_tiles)

    parts = _chunks(x, cut, max(inputs, outputs))
    if parts == 1:
        factors = of(x, z)
    else:
        split = _split(x, parts), _split(z, parts)

        def one(index: Array, total: Array) -> Array:
            chunks = (lax.dynamic_index_in_dim(a, index, 1, keepdims=False) for a in split)
            return total + of(*chunks)

        empty = jnp.zeros((len(cut.to_images), inputs, outputs), x.dtype)
        factors = lax.fori_loop(0, parts, one, empty)
    kernel = cut.to_kernel.T @ factors.reshape(len(factors), -1)
    return kernel.reshape(r, r, inputs, outputs)


winograd_conv = of_stride_one("winograd_conv", _value, _kernel)
"""Convolutions of stride 1 with 2x2, 3x3 and 4x4 kernels, float32 or float64."""
