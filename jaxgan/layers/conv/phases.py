"""Transposed convolutions as one plain convolution an output phase."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxgan.layers.conv.trilinear import Padding
from jaxgan.types import Array


def conv_transpose_by_phases(
    x: Array, kernel: Array, strides: Sequence[int], padding: Padding
) -> Array:
    """`lax.conv_transpose(x, kernel, strides, padding)` as one convolution an output phase.

    Output pixels `s * q + r` of one phase r see only every s-th tap of the kernel, so each phase is
    a plain stride-1 convolution with a smaller kernel, and the result is the phases interleaved: a
    4x4 kernel of stride 2 becomes four 2x2 kernels.

    Args:
      x: images `[B, H, W, in]`.
      kernel: `[kernel_h, kernel_w, in, out]`, at least as large as the strides.
      strides: factor by which height and width grow.
      padding: zeros around the dilated image, along each side `kernel + stride - 2` together.

    Returns:
      Images `[B, H * strides[0], W * strides[1], out]`.
    """
    rows, columns = (
        [_phase(size, stride, before, r) for r in range(stride)]
        for size, stride, (before, _) in zip(kernel.shape[:2], strides, padding, strict=True)
    )

    def phase(row: _Phase, column: _Phase) -> Array:
        return lax.conv_general_dilated(
            x,
            kernel[row.taps, column.taps],
            window_strides=(1, 1),
            padding=(row.padding, column.padding),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    # [B, H, stride_h, W, stride_w, out]
    y = jnp.stack(
        [jnp.stack([phase(row, column) for column in columns], axis=3) for row in rows], axis=2
    )
    batch, height, _, width, _, features = y.shape
    return y.reshape(batch, height * strides[0], width * strides[1], features)


class _Phase(NamedTuple):
    taps: slice
    padding: tuple[int, int]


def _phase(size: int, stride: int, before: int, r: int) -> _Phase:
    """The taps that output pixels `stride * q + r` see, and the padding of x for them.

    With `before` zeros of padding in front of the dilated input, output pixel o meets input pixel i
    at tap j where `o + j - before = stride * i`.
    """
    first = (before - r) % stride
    taps = len(range(first, size, stride))
    offset = (r + first - before) // stride  # the input pixel at tap `first` when q = 0
    return _Phase(slice(first, None, stride), (-offset, taps - 1 + offset))
