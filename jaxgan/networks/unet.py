"""The U-Net of pix2pix (Isola 2017): images to images, with what is fine carried past what is deep.

Images are `[B, H, W, C]` in [-1, 1]. Layers of 4x4 convolutions of stride 2 lead down, as many
transposed ones lead up again. Each layer up but the first also reads what came out of the layer
down of its own resolution. So the innermost layers need to say only what is where, and edges stay
where they are. `width` counts the channels next to the image; they double inwards, up to
`8 * width`. In the paper's notation C64-C128-C256-C512-C512-C512-C512-C512 and then
CD512-CD512-CD512-C512-C256-C128-C64 at depth 8, for images of 256 pixels.

The first and the innermost layer down and the last layer up are not normalized. A batch of one
image would be all zeros after normalizing its innermost pixel, as the paper says of its first
version. Dropout is the network's only noise, and it is off where `train` is False, while the paper
keeps dropout and the statistics of the batch in use too.

Where other code differs: the authors' own is in Torch, and there every layer has a bias. Their
PyTorch code has none but in the last layer, and neither has this network where it normalizes
anything. That gives the count which is quoted for 256 pixels, 54.414 million. Dropout follows the
paper and the Torch code: it is in the first three layers up, as far as they have `8 * width`
channels, so in none of a network of depth 4 or less. The PyTorch code has it one layer further
out, and in one layer less for 128 pixels. Torch puts what came up before what was carried, as
here, and PyTorch the other way round.

References:
  Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017
  (arXiv:1611.07004), appendix.
  Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation,
  2015 (arXiv:1505.04597), for the form.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.conv import Conv, ConvTranspose
from jaxgan.layers.normalization import Normalization, named_norm
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.options import AtLeast, AtMost, Within
from jaxgan.types import Array

DEEPEST = 8
"""Layers down, at most: to a pixel at 256x256."""
_DROPPING = 3  # of the layers up
_init = nn.initializers.normal(0.02)


@dataclass(frozen=True)
class UNetOptions:
    """The generator, which translates."""

    width: Annotated[int, AtLeast(1)] = 64
    """Channels next to the image; they double inwards, up to eight times as many."""
    depth: Annotated[int, AtLeast(0), AtMost(DEEPEST)] = 0
    """Layers down, 2 or more; 0: as many as the image can be halved, at most 8."""
    dropout: Annotated[float, Within(0, 1)] = 0.5
    """Share of activations dropped in training, in the innermost layers up."""
    normalization: Normalization = "batch"
    """Between the layers. "instance" for batches of one image."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the layers' computation; weights, statistics, losses and images are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


def make_unet(options: UNetOptions, shape: tuple[int, ...]) -> Network:
    """The generator that the options describe.

    Args:
      options: of the generator.
      shape: of an image that comes out, `(H, W, C)`.

    Raises:
      ValueError: for a size that cannot be halved so often; it names the nearest that can.
    """
    depth = depth_of(shape, options.depth)
    module = UNet(
        *(shape[-1], options.width, depth, options.dropout, options.normalization),
        dtype=jnp.dtype(options.dtype),
    )
    return from_linen(module, remat=options.remat)


def depth_of(shape: tuple[int, ...], depth: int = 0) -> int:
    """How many layers lead down from images `(H, W, C)`.

    Args:
      shape: of one image.
      depth: as it is wished, from 2 to 8; 0: as often as both sides can be halved, at most 8.

    Raises:
      ValueError: for another depth, or where a side is no multiple of `2**depth`.
    """
    if len(shape) != 3:
        raise ValueError(f"UNet needs images (H, W, C), but got samples of shape {shape}.")
    height, width, _ = shape
    deepest = _halvings(height, width)
    _check_size(height, width, _check_depth(depth or max(deepest, 2)))
    return depth or deepest


class UNet(nn.Module):
    """Images to images, see the module.

    Attributes:
      channels: C of the images that come out.
      width: channels of the layer next to the image.
      depth: number of layers down, and of layers up.
      dropout: probability of dropping an activation while training (rng "dropout").
      normalization: as `layers.normalization.named_norm` takes it.
      dtype: dtype of the computation; parameters, statistics and images are float32.

    Raises:
      ValueError: if an attribute is out of its range, or later the size of the images.
    """

    channels: int
    width: int = 64
    depth: int = 8
    dropout: float = 0.5
    normalization: Normalization = "batch"
    dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        _check_depth(self.depth)

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Images `[B, H, W, *]`, H and W multiples of 2**depth -> images `[B, H, W, C]`."""
        if images.ndim != 4:
            raise ValueError(f"images must have shape [B, H, W, C], not {images.shape}.")
        height, width = images.shape[1:3]
        _check_size(height, width, self.depth)
        bias = self.normalization == "none"
        down = partial(Conv, kernel_size=(4, 4), strides=2, dtype=self.dtype, kernel_init=_init)
        up = partial(ConvTranspose, dtype=self.dtype, kernel_init=_init)
        norm = partial(named_norm, kind=self.normalization, train=train, dtype=self.dtype)
        widths = [self.width * 2 ** min(i, 3) for i in range(self.depth)]

        x = images
        carried = []
        for i, features in enumerate(widths):
            x = down(features, use_bias=bias)(x if i == 0 else nn.leaky_relu(x, 0.2))
            if 0 < i < self.depth - 1:
                x = norm(x)
            carried.append(x)
        x = nn.relu(carried.pop())
        for i, features in enumerate(reversed(widths[:-1])):
            x = norm(up(features, use_bias=bias)(x))
            if i < _DROPPING and features == 8 * self.width:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
            x = nn.relu(jnp.concatenate([x, carried.pop()], axis=-1))
        return jnp.tanh(up(self.channels)(x).astype(jnp.float32))


def _halvings(height: int, width: int) -> int:
    """How often both sides can be halved, at most `DEEPEST` times."""
    common = math.gcd(height, width)
    return min(DEEPEST, (common & -common).bit_length() - 1)


def _check_depth(depth: int) -> int:
    if not 2 <= depth <= DEEPEST:
        raise ValueError(f"UNet has depth={depth}; allowed is from 2 to {DEEPEST}.")
    return depth


def _check_size(height: int, width: int, depth: int) -> None:
    unit = 1 << depth
    if height % unit == 0 and width % unit == 0 and min(height, width) > 0:
        return
    below, above = (
        "x".join(str(max((side + more) // unit, 1) * unit) for side in (height, width))
        for more in (0, unit - 1)
    )
    nearest = f"is {above}" if below == above else f"are {below} and {above}"
    deepest = _halvings(height, width)
    less = f", and this size allows a depth of {deepest}" if 2 <= deepest < depth else ""
    raise ValueError(
        f"UNet of depth {depth} takes images whose height and width are multiples of {unit}, not "
        f"{height}x{width}; the nearest allowed {nearest}{less} (image_size resizes images)."
    )
