"""Convolutions of stride 1 with few channels on one side, fast in every derivative on a CPU.

Where images meet a network, one side of a kernel has 1 or 3 channels and the other dozens. Such a
convolution is little arithmetic, but XLA's CPU kernels are laid out for many channels. Here each
of the three maps (see `jaxgan.layers.conv.trilinear`) is one matrix product over pixels, with the
taps on the side of the few channels. With more than 4x4 taps, moving them costs more than it saves.

- from few channels: patches of the images [pixels, taps * few] times the kernel;
- to few channels: the images times the kernel [many, taps * few], whose taps are then shifted to
  where they belong and added;
- the kernel's gradient: patches of the side with few channels times the other side.
"""

import jax.numpy as jnp

from jaxgan.layers.conv.trilinear import Geometry, Padding, of_stride_one, pad
from jaxgan.types import Array


def _patches(x: Array, taps: tuple[int, int], padding: Padding) -> Array:
    """Images [B, H, W, C] to what a kernel sees at each output pixel [B, H', W', taps * C]."""
    x = pad(x, padding)
    height, width = (size - n + 1 for size, n in zip(x.shape[1:3], taps, strict=True))
    shifted = [x[:, i : i + height, j : j + width] for i in range(taps[0]) for j in range(taps[1])]
    return jnp.concatenate(shifted, axis=-1)


def _value(x: Array, kernel: Array, *, geometry: Geometry) -> Array:
    padding = geometry.padding
    rows, columns, inputs, outputs = kernel.shape
    if inputs <= outputs:
        return _patches(x, (rows, columns), padding) @ kernel.reshape(-1, outputs)
    spread = pad(x @ kernel.transpose(2, 0, 1, 3).reshape(inputs, -1), padding)
    height, width = spread.shape[1] - rows + 1, spread.shape[2] - columns + 1
    spread = spread.reshape(*spread.shape[:3], rows, columns, outputs)
    shifted = [
        spread[:, i : i + height, j : j + width, i, j] for i in range(rows) for j in range(columns)
    ]
    return jnp.stack(shifted).sum(0)


def _kernel(x: Array, z: Array, *, geometry: Geometry) -> Array:
    inputs, outputs = x.shape[-1], z.shape[-1]
    (rows, columns), padding = geometry.taps, geometry.padding
    (top, bottom), (left, right) = padding
    if inputs <= outputs:
        products = gram(_patches(x, (rows, columns), padding), z)
        return products.reshape(rows, columns, inputs, outputs)
    # The gradient at tap i sums x[p] z[p + top - i]: patches of z, their taps in reverse.
    around = (
        (rows - 1 - top, rows - 1 - bottom),
        (columns - 1 - left, columns - 1 - right),
    )
    products = gram(_patches(z, (rows, columns), around), x)
    return products.reshape(rows, columns, outputs, inputs)[::-1, ::-1].swapaxes(2, 3)


def gram(few: Array, many: Array) -> Array:
    """[B, H, W, m] and [B, H, W, n] to their products summed over pixels [m, n]."""
    return few.reshape(-1, few.shape[-1]).T @ many.reshape(-1, many.shape[-1])


patch_conv = of_stride_one("patch_conv", _value, _kernel)
"""Convolutions of stride 1; any kernel will do, one with few channels on one side profits."""
