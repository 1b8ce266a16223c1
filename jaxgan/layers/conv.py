"""Convolutions whose gradients are fast on a CPU too.

A layer here has exactly the parameters of its Linen namesake (names, shapes, initial values), so a
checkpoint fits both; only the way it is computed differs. Images are `[B, H, W, C]`, kernels
`[kernel_h, kernel_w, in, out]`, padding is always "SAME".

`nn.Conv` is used as it is: on a CPU each first-order gradient of a 4x4 convolution of stride 2
costs about as much as its forward pass, and a space-to-depth form is slower.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from jaxgan.types import Array

ConvImpl: TypeAlias = Literal["auto", "lax", "phase"]


class ConvTranspose(nn.Module):
    """Transposed convolution of images: `nn.ConvTranspose` with padding "SAME", computed by phases.

    XLA expresses a transposed convolution of stride s as a convolution of the input with zeros
    put between its pixels. On a CPU the gradient of that form with respect to the kernel is ten
    to thirty times slower than that of a plain convolution. Output pixels `s * q + r` of one
    phase r see only every s-th tap of the kernel, so each phase is a plain stride-1 convolution
    with a smaller kernel, and the result is the phases interleaved: a 4x4 kernel of stride 2
    becomes four 2x2 kernels. Values and gradients equal the dilated form's up to rounding.

    Attributes:
      features: channels of the output.
      kernel_size: taps along height and width.
      strides: factor by which height and width grow.
      use_bias: whether a bias is added.
      dtype: dtype of the computation; parameters are float32.
      kernel_init: initializer of the kernel `[*kernel_size, in, features]`.
      impl: "phase", "lax" (the dilated form), or "auto": phases on a CPU, lax elsewhere. Strides of
        1 and strides larger than the kernel are computed by lax in any case.
    """

    features: int
    kernel_size: Sequence[int] = (4, 4)
    strides: Sequence[int] = (2, 2)
    use_bias: bool = True
    dtype: DTypeLike | None = None
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    impl: ConvImpl = "auto"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, in]` -> `[B, H * strides[0], W * strides[1], features]`."""
        if self.impl not in get_args(ConvImpl):
            allowed = ", ".join(map(repr, get_args(ConvImpl)))
            raise ValueError(f"ConvTranspose's impl is {self.impl!r}; allowed are {allowed}.")
        kernel_shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, kernel_shape, jnp.float32)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        phase = self.impl == "phase" or (self.impl == "auto" and jax.default_backend() == "cpu")
        if phase and _has_phases(self.kernel_size, self.strides):
            y = conv_transpose_by_phases(x, kernel, self.strides)
        else:
            y = lax.conv_transpose(x, kernel, self.strides, "SAME")
        return y if bias is None else y + bias


def _has_phases(kernel_size: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether there is more than one phase, and a tap of the kernel for each of them."""
    return max(strides) > 1 and all(k >= s for k, s in zip(kernel_size, strides, strict=True))


def conv_transpose_by_phases(x: Array, kernel: Array, strides: Sequence[int]) -> Array:
    """`lax.conv_transpose(x, kernel, strides, "SAME")` as one convolution an output phase.

    Args:
      x: images `[B, H, W, in]`.
      kernel: `[kernel_h, kernel_w, in, out]`, at least as large as the strides.
      strides: factor by which height and width grow.

    Returns:
      Images `[B, H * strides[0], W * strides[1], out]`.
    """
    rows, columns = (
        [_phase(size, stride, r) for r in range(stride)]
        for size, stride in zip(kernel.shape[:2], strides, strict=True)
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


def _phase(size: int, stride: int, r: int) -> _Phase:
    """The taps that output pixels `stride * q + r` see, and the padding of x for them.

    With `before` zeros of padding in front of the dilated input, output pixel o meets input pixel i
    at tap j where `o + j - before = stride * i`.
    """
    before = -(-(size + stride - 2) // 2)  # lax's padding for "SAME", sizes not below the stride
    first = (before - r) % stride
    taps = len(range(first, size, stride))
    offset = (r + first - before) // stride  # the input pixel at tap `first` when q = 0
    return _Phase(slice(first, None, stride), (-offset, taps - 1 + offset))
