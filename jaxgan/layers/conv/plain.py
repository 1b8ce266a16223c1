"""Convolutions by XLA's plain forms, in the three maps of `jaxgan.layers.conv.trilinear`.

The library that computes them on a CPU decides which form of a map is fast (`jaxgan.compiler`), as
`benchmarks/convolutions.py` measures it. `xla` has lax's own.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.layers.conv.folding import fold_kernel, unfold
from jaxgan.layers.conv.patches import gram
from jaxgan.layers.conv.phases import conv_transpose_by_phases
from jaxgan.layers.conv.trilinear import (
    Convolution,
    Geometry,
    convolution,
    of_stride_one,
    pad,
)
from jaxgan.layers.conv.winograd import winograd_conv
from jaxgan.types import Array

NHWC = ("NHWC", "HWIO", "NHWC")
NO_PADDING = ((0, 0), (0, 0))
FEW = 8
"""Images of a batch; fewer are few."""
PIXELS = 2048
"""Output pixels of a batch from which Winograd's transforms beat phases in one map."""


def _lax_value(x: Array, kernel: Array, *, geometry: Geometry) -> Array:
    return lax.conv_general_dilated(
        x, kernel, geometry.strides, geometry.padding, dimension_numbers=NHWC
    )


def _lax_images(z: Array, kernel: Array, *, geometry: Geometry) -> Array:
    # Of z's kind, which under `shard_map` says that it varies: the transpose would add a sum.
    x = jax.typeof(z).update(shape=(len(z), *geometry.size, kernel.shape[2]))
    return jax.linear_transpose(lambda x: _lax_value(x, kernel, geometry=geometry), x)(z)[0]


def _has_phases(geometry: Geometry) -> bool:
    """Whether the images' map makes strides x strides phases of one size."""
    size, taps, strides, _ = geometry
    grows = size == tuple(n * stride for n, stride in zip(geometry.out, strides, strict=True))
    return grows and max(strides) > 1 and min(taps) >= max(strides)


def _phase_images(z: Array, kernel: Array, *, geometry: Geometry) -> Array:
    _, taps, strides, padding = geometry
    before = [n - 1 - pads[0] for n, pads in zip(taps, padding, strict=True)]
    after = [n + s - 2 - b for n, s, b in zip(taps, strides, before, strict=True)]
    around = (before[0], after[0]), (before[1], after[1])
    return conv_transpose_by_phases(z, kernel[::-1, ::-1].swapaxes(2, 3), strides, around)


def _lax_kernel(x: Array, z: Array, *, geometry: Geometry) -> Array:
    kernel = jax.typeof(x).update(shape=(*geometry.taps, x.shape[-1], z.shape[-1]))
    return jax.linear_transpose(lambda k: _lax_value(x, k, geometry=geometry), kernel)(z)[0]


def _standard_kernel(x: Array, z: Array, *, geometry: Geometry) -> Array:
    """The kernel's map of stride 1 as a convolution of the one form that XLA runs fast.

    Channels take the place of the batch, and the batch that of channels. The side with fewer
    channels is convolved with the other. Lax leaves the axes where they are and names them in
    another order, which a CPU runs slowly inside a loop.
    """
    (rows, columns), ((top, bottom), (left, right)) = geometry.taps, geometry.padding
    if x.shape[-1] <= z.shape[-1]:
        x, z = pad(x, geometry.padding).transpose(3, 1, 2, 0), z.transpose(1, 2, 0, 3)
        kernel = lax.conv_general_dilated(x, z, (1, 1), "VALID", dimension_numbers=NHWC)
        return kernel.transpose(1, 2, 0, 3)
    # The gradient at tap i sums x[p] z[p + top - i]: x over z, the taps in reverse.
    around = (rows - 1 - top, rows - 1 - bottom), (columns - 1 - left, columns - 1 - right)
    z, x = pad(z, around).transpose(3, 1, 2, 0), x.transpose(1, 2, 0, 3)
    kernel = lax.conv_general_dilated(z, x, (1, 1), "VALID", dimension_numbers=NHWC)
    return kernel[:, ::-1, ::-1].transpose(1, 2, 3, 0)


def _onednn_images(z: Array, kernel: Array, *, geometry: Geometry) -> Array:
    """oneDNN takes no dilated images; phases of few channels lose to XLA's own form."""
    few = min(kernel.shape[2:]) < 16
    images = _phase_images if _has_phases(geometry) and not few else _lax_images
    return images(z, kernel, geometry=geometry)


def _eigen_images(z: Array, kernel: Array, *, geometry: Geometry) -> Array:
    """Eigen convolves dilated images, zeros and all."""
    channels, pixels = min(kernel.shape[2:]), z.size // z.shape[-1]
    if channels < 64 or not _has_phases(geometry):
        return _lax_images(z, kernel, geometry=geometry)
    if pixels >= PIXELS and _folds(geometry):
        return _folded_images(z, kernel, geometry=geometry)
    return _phase_images(z, kernel, geometry=geometry)


def _folds(geometry: Geometry) -> bool:
    """Whether folding pixels into channels leaves a kernel for Winograd."""
    size, taps, strides, padding = geometry
    whole = [(n + sum(pads)) % s for n, pads, s in zip(size, padding, strides, strict=True)]
    left = [divmod(n, s) for n, s in zip(taps, strides, strict=True)]
    return not any(whole) and left[0] == left[1] and left[0] in ((2, 0), (3, 0), (4, 0))


def _folded_images(z: Array, kernel: Array, *, geometry: Geometry) -> Array:
    size, taps, strides, padding = geometry
    height, width = (
        (n + sum(pads)) // s for n, pads, s in zip(size, padding, strides, strict=True)
    )
    rows, columns = (n // s for n, s in zip(taps, strides, strict=True))
    folded = Geometry((height, width), (rows, columns), (1, 1), NO_PADDING)
    x = unfold(winograd_conv.images(z, fold_kernel(kernel, strides), geometry=folded), strides)
    (top, bottom), (left, right) = padding
    return pad(x, ((-top, -bottom), (-left, -right)))


def _eigen_kernel(x: Array, z: Array, *, geometry: Geometry) -> Array:
    """Eigen takes the batch for channels, and is slow where there are few: then tap by tap."""
    if len(x) >= FEW:
        return _lax_kernel(x, z, geometry=geometry)
    x = pad(x, geometry.padding)
    (height, width), (s, t) = geometry.out, geometry.strides
    products = [
        gram(x[:, i::s][:, :height, j::t][:, :, :width], z)
        for i in range(geometry.taps[0])
        for j in range(geometry.taps[1])
    ]
    return jnp.stack(products).reshape(*geometry.taps, x.shape[-1], z.shape[-1])


xla = convolution("plain_conv", Convolution(_lax_value, _lax_images, _lax_kernel))
onednn = convolution("plain_conv", Convolution(_lax_value, _onednn_images, _lax_kernel))
eigen = convolution("plain_conv", Convolution(_lax_value, _eigen_images, _eigen_kernel))
stride_one = of_stride_one("plain_conv", _lax_value, _standard_kernel)
