"""Convolutions whose values and gradients are fast on a CPU too.

A layer here has exactly the parameters of its Linen namesake (names, shapes, initial values), so a
checkpoint fits both; only the way it is computed differs. Images are `[B, H, W, C]`, kernels
`[kernel_h, kernel_w, in, out]`.

XLA on a CPU runs a plain convolution at half the speed of oneDNN or better, its gradients up to ten
times slower than that, and any convolution inside a loop slower still. Hence `impl`:

- "lax": XLA's own, always right, and the choice on accelerators;
- "phase": a transposed convolution as one plain convolution an output phase;
- "adjoint": by XLA's plain forms in every derivative, see `jaxgan.layers.conv.trilinear`; lax's own
  rules lead to forms that take up to 25 times as long, for the kernels of transposed convolutions
  and in second derivatives, and 40 times inside a loop. On a CPU by the forms that are fast in
  programs with `compiler.options("cpu", convolutions=True)`;
- "winograd": by `jaxgan.layers.conv.winograd`, for square 2x2 to 4x4 kernels;
- "patches": by `jaxgan.layers.conv.patches`, meant for small kernels with few channels on one side;
- "auto": on a CPU the fastest of these by `benchmarks/convolutions.py`, and 1x1 kernels as matrix
  products; lax elsewhere.

Winograd and patches are for kernels of stride 1. Where strides divide sizes and kernel, pixels are
folded into channels until it is one: 4x4 of stride 2 is 2x2 on four times the channels.
"""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from jaxgan.compiler import offers_onednn
from jaxgan.layers.conv import plain
from jaxgan.layers.conv.folding import fold, fold_kernel, unfold
from jaxgan.layers.conv.patches import patch_conv
from jaxgan.layers.conv.phases import conv_transpose_by_phases
from jaxgan.layers.conv.plain import NHWC, NO_PADDING
from jaxgan.layers.conv.trilinear import Convolution, Geometry, Padding, pad
from jaxgan.layers.conv.winograd import products, winograd_conv
from jaxgan.types import Array

ConvImpl: TypeAlias = Literal["auto", "lax", "phase", "winograd", "patches", "adjoint"]

Lengths: TypeAlias = int | Sequence[int]

LARGE = 8192
"""Output pixels of a batch from which Winograd's transforms pay with 64 channels on a CPU."""


class Conv(nn.Module):
    """Convolution of images: `nn.Conv` with the attributes that networks here need.

    Attributes:
      features: channels of the output.
      kernel_size: taps along height and width.
      strides: factor by which height and width shrink.
      padding: "SAME", "VALID", or `((top, bottom), (left, right))` zeros.
      use_bias: whether a bias is added.
      dtype: dtype of the computation; parameters are float32.
      kernel_init: initializer of the kernel `[*kernel_size, in, features]`.
      impl: see the module, except "phase". What the others cannot do, lax does.
    """

    features: int
    kernel_size: Sequence[int]
    strides: Lengths = 1
    padding: str | Padding = "SAME"
    use_bias: bool = True
    dtype: DTypeLike | None = None
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    impl: ConvImpl = "auto"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, in]` -> `[B, H / strides[0], W / strides[1], features]` for "SAME"."""
        _check("Conv", self.impl, [impl for impl in get_args(ConvImpl) if impl != "phase"])
        x, kernel, bias = _operands(self, x)
        y = conv(x, kernel, _pair(self.strides), self.padding, self.impl)
        return y if bias is None else y + bias


class ConvTranspose(nn.Module):
    """Transposed convolution of images: `nn.ConvTranspose`.

    XLA expresses a transposed convolution of stride s as a convolution of the input with zeros
    put between its pixels. On a CPU the gradient of that form with respect to the kernel is ten
    to thirty times slower than that of a plain convolution. There this is the adjoint of the
    convolution with strides that leads back, whose derivatives are plain convolutions, or where
    it was measured to be faster one of stride 1 that makes all output phases as channels. Values
    and gradients equal the dilated form's up to rounding.

    Attributes:
      features: channels of the output.
      kernel_size: taps along height and width.
      strides: factor by which height and width grow.
      padding: "SAME", "VALID", or `((top, bottom), (left, right))` zeros around the image with
        zeros between its pixels, as `lax.conv_transpose` takes it. "SAME" puts the odd zero of an
        odd kernel of stride 2 before the image, and PyTorch after it: its `padding=p` and
        `output_padding=o` are `(k - 1 - p, k - 1 - p + o)` here, (1, 2) where k = 3 and p = o = 1.
        That is what leads back from a convolution padded by (1, 1); "SAME" shifts by a pixel.
      use_bias: whether a bias is added.
      dtype: dtype of the computation; parameters are float32.
      kernel_init: initializer of the kernel `[*kernel_size, in, features]`.
      impl: see the module. What the others cannot do, such as strides of 1 and strides larger
        than the kernel, lax does; winograd and patches are for 4x4 kernels of stride 2, "SAME".
    """

    features: int
    kernel_size: Sequence[int] = (4, 4)
    strides: Lengths = 2
    padding: str | Padding = "SAME"
    use_bias: bool = True
    dtype: DTypeLike | None = None
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    impl: ConvImpl = "auto"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, in]` -> `[B, H * strides[0], W * strides[1], features]` for "SAME"."""
        _check("ConvTranspose", self.impl, get_args(ConvImpl))
        x, kernel, bias = _operands(self, x)
        y = conv_transpose(x, kernel, _pair(self.strides), self.padding, self.impl)
        return y if bias is None else y + bias


def _operands(module: Conv | ConvTranspose, x: Array) -> tuple[Array, Array, Array | None]:
    """A layer's input and parameters, in the dtype of the computation."""
    shape = (*_pair(module.kernel_size), x.shape[-1], module.features)
    kernel = module.param("kernel", module.kernel_init, shape, jnp.float32)
    bias = None
    if module.use_bias:
        zeros = nn.initializers.zeros_init()
        bias = module.param("bias", zeros, (module.features,), jnp.float32)
    x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=module.dtype)
    return x, kernel, bias


def _pair(lengths: Lengths) -> tuple[int, int]:
    height, width = (lengths, lengths) if isinstance(lengths, int) else lengths
    return height, width


def _check(layer: str, impl: str, allowed: Sequence[str]) -> None:
    if impl not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise ValueError(f"{layer}'s impl is {impl!r}; allowed are {choices}.")


def conv(
    x: Array,
    kernel: Array,
    strides: tuple[int, int] = (1, 1),
    padding: str | Padding = "SAME",
    impl: ConvImpl = "auto",
) -> Array:
    """Convolution of images `[B, H, W, in]` with a kernel `[kernel_h, kernel_w, in, out]`."""
    if isinstance(padding, str):
        rows, columns = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
        pads: Padding = (rows[0], rows[1]), (columns[0], columns[1])
    else:  # Perhaps lists, and a form's geometry is hashed.
        (top, bottom), (left, right) = padding
        pads = (top, bottom), (left, right)
    cpu, taps = impl == "auto" and _on_cpu(x), kernel.shape[:2]
    own = _own(x, kernel, strides, pads, impl)
    if own is not None:
        if strides != (1, 1):
            x = fold(pad(x, pads), strides)
            kernel, pads = fold_kernel(kernel, strides), NO_PADDING
        return _by(own, x, kernel, pads)
    if cpu and taps == strides == (1, 1) and pads == NO_PADDING:
        return x @ kernel[0, 0]
    if impl == "adjoint" or cpu:
        return _by(_plain(x, strides), x, kernel, pads, strides)
    return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=NHWC)


def conv_transpose(
    x: Array,
    kernel: Array,
    strides: tuple[int, int] = (2, 2),
    padding: str | Padding = "SAME",
    impl: ConvImpl = "auto",
) -> Array:
    """`lax.conv_transpose(x, kernel, strides, padding)`, see `ConvTranspose`."""
    cpu = impl == "auto" and _on_cpu(x)
    taps, (inputs, outputs) = kernel.shape[:2], kernel.shape[2:]
    pads = _transposed_pads(padding, (taps[0], taps[1]), strides)
    if taps == (4, 4) and strides == (2, 2) and pads == ((2, 2), (2, 2)) and x.size:
        height, width = x.shape[1] + 1, x.shape[2] + 1
        fits = 4 * height * width >= 2 * products(2, height, width)
        large = _folding_pays(len(x) * x.shape[1] * x.shape[2], min(inputs, outputs))
        if impl == "patches" or (cpu and _lopsided(inputs, 4 * outputs)):
            return _transpose_by_folding(patch_conv, x, kernel)
        if impl == "winograd" or (cpu and fits and large):
            return _transpose_by_folding(winograd_conv, x, kernel)
    if max(strides) > 1 and all(n >= stride for n, stride in zip(taps, strides, strict=True)):
        grows = all(  # By the strides exactly, so that all phases are of one size.
            sum(pair) == n + stride - 2 for pair, n, stride in zip(pads, taps, strides, strict=True)
        )
        if impl == "phase" and grows:
            return conv_transpose_by_phases(x, kernel, strides, pads)
        if impl == "adjoint" or cpu:
            return _transpose_by_adjoint(x, kernel, strides, pads)
    return lax.conv_transpose(x, kernel, strides, pads)


def _transposed_pads(
    padding: str | Padding, taps: tuple[int, int], strides: tuple[int, int]
) -> Padding:
    """Zeros before and after the dilated image, by lax's rules for names."""
    if not isinstance(padding, str):
        (top, bottom), (left, right) = padding
        return (top, bottom), (left, right)
    if padding not in ("SAME", "VALID"):
        raise ValueError(
            f"ConvTranspose's padding is {padding!r}; allowed are 'SAME', 'VALID' and "
            "((top, bottom), (left, right))."
        )
    rows, columns = (
        _named_pads(padding, size, stride) for size, stride in zip(taps, strides, strict=True)
    )
    return rows, columns


def _named_pads(name: str, size: int, stride: int) -> tuple[int, int]:
    total = size + stride - 2 + (max(size - stride, 0) if name == "VALID" else 0)
    before = size - 1 if name == "VALID" or stride > size - 1 else -(-total // 2)
    return before, total - before


def _on_cpu(x: Array) -> bool:
    """Whether the rewrites for a CPU apply: its products of bfloat16 matrices are slow."""
    return jax.default_backend() == "cpu" and x.dtype in (jnp.float32, jnp.float64)


def _lopsided(inputs: int, outputs: int) -> bool:
    """Whether one side of a kernel has so few channels that its taps belong on that side."""
    return min(inputs, outputs) <= 16 and 4 * min(inputs, outputs) <= max(inputs, outputs)


def _own(
    x: Array, kernel: Array, strides: tuple[int, int], pads: Padding, impl: ConvImpl
) -> Convolution | None:
    """The convolution of stride 1 by which to compute one, perhaps folded, or None for lax."""
    sizes = [size + sum(pad) for size, pad in zip(x.shape[1:3], pads, strict=True)]
    if x.size == 0 or impl == "lax" or (impl == "auto" and not _on_cpu(x)):
        return None
    for size, stride, taps in zip(sizes, strides, kernel.shape, strict=False):
        if taps % stride or size < taps or (size % stride and strides != (1, 1)):
            return None
    r, s = (taps // stride for taps, stride in zip(kernel.shape, strides, strict=False))
    square = r == s and 2 <= r <= 4
    if impl != "auto":
        return {"patches": patch_conv, "winograd": winograd_conv if square else None}.get(impl)
    inputs, outputs = kernel.shape[2:]
    if 1 < max(r, s) <= 4 and _lopsided(inputs * strides[0] * strides[1], outputs):
        return patch_conv
    height, width = (
        size // stride - taps + 1 for size, stride, taps in zip(sizes, strides, (r, s), strict=True)
    )
    pays = _transforming_pays if strides == (1, 1) else _folding_pays
    return winograd_conv if square and pays(len(x) * height * width, min(inputs, outputs)) else None


def _transforming_pays(pixels: int, channels: int) -> bool:
    """Whether fewer products pay Winograd's transforms of kernel and images back."""
    return pixels >= LARGE // 16 if channels >= 128 else channels >= 64 and pixels >= LARGE // 2


def _folding_pays(pixels: int, channels: int) -> bool:
    """Whether the same holds where pixels are folded into channels for strides first."""
    return pixels >= LARGE // 2 if channels >= 128 else channels >= 64 and pixels >= LARGE


def _by(
    form: Convolution,
    x: Array,
    kernel: Array,
    padding: Padding,
    strides: tuple[int, int] = (1, 1),
) -> Array:
    """The convolution by one of its forms."""
    size, taps = (x.shape[1], x.shape[2]), (kernel.shape[0], kernel.shape[1])
    return form.value(x, kernel, geometry=Geometry(size, taps, strides, padding))


def _plain(x: Array, strides: tuple[int, int]) -> Convolution:
    """The plain forms that the compiler runs fast."""
    if max(strides) == 1:
        return plain.stride_one
    if not _on_cpu(x):
        return plain.xla
    return plain.onednn if offers_onednn() else plain.eigen


def _transpose_by_folding(form: Convolution, x: Array, kernel: Array) -> Array:
    """4x4, stride 2: a 2x2 convolution makes the four phases as channels, unfolded and cropped."""
    # The convolution of stride 2 whose input gradient this is, on images folded by 2.
    folded = fold_kernel(kernel[::-1, ::-1].swapaxes(2, 3), (2, 2))
    y = _by(form, x, folded[::-1, ::-1].swapaxes(2, 3), ((1, 1), (1, 1)))
    return unfold(y, (2, 2))[:, 1:-1, 1:-1]


def _transpose_by_adjoint(
    x: Array, kernel: Array, strides: tuple[int, int], pads: Padding
) -> Array:
    """As the images' map of a convolution with strides, which takes the result back to x's size."""
    height, width = (
        (size - 1) * stride + 2 + sum(pair) - taps
        for size, stride, pair, taps in zip(x.shape[1:3], strides, pads, kernel.shape, strict=False)
    )
    rows, columns = (
        (taps - 1 - before, taps - 1 - after)
        for taps, (before, after) in zip(kernel.shape, pads, strict=False)
    )
    geometry = Geometry(
        size=(height, width),
        taps=(kernel.shape[0], kernel.shape[1]),
        strides=strides,
        padding=(rows, columns),
    )
    return _plain(x, strides).images(x, kernel[::-1, ::-1].swapaxes(2, 3), geometry=geometry)
