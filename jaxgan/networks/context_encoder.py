"""The context encoder (Pathak 2016): an image with a hole to the whole of it, through one vector.

Images are `[B, S, S, C]` in [-1, 1], with S a power of two. 4x4 convolutions of stride 2 with
LeakyReLU of slope .2 lead down to 4x4 pixels, a layer that reads all of them makes the bottleneck,
another makes 4x4 pixels of it, and transposed convolutions with ReLU lead up again, to tanh. What
surrounds a hole reaches it through the bottleneck alone, so it is filled with what the network
takes to be there and not with copies of its border: the opposite of `jaxgan.networks.unet`.

`width` counts the channels next to the image; they double inwards, up to `8 * width` at 4x4. What
an image has of halvings beyond the four of 64 pixels keeps `width`: 64-64-128-256-512 at 128
pixels. Weights start as N(0, .02²). A layer that is normalized has no bias of its own; the first
and the last are not normalized.

For holes in the middle the paper decodes the hole alone, 64x64 pixels of 128x128, which is `hole`
here. For holes anywhere the authors' code decodes the whole image, which is what happens without:
the caller takes the hole out of it. Their convolutions have biases, which are set to 0 before every
step. A bottleneck of 4000 is what they train with, and 100 their code's default. The network by
which the paper learns features is another one: AlexNet's layers and then one that is fully
connected within each channel.

References:
  Pathak et al., Context Encoders: Feature Learning by Inpainting, 2016 (arXiv:1604.07379),
  supplementary material.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.conv import Conv, ConvTranspose
from jaxgan.layers.normalization import named_norm
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.options import AtLeast
from jaxgan.types import Array

Normalization = Literal["batch", "group", "none"]
_BASE = 4  # pixels a side next to the bottleneck
_init = nn.initializers.normal(0.02)


@dataclass(frozen=True)
class ContextEncoderOptions:
    """The generator, which fills holes."""

    width: Annotated[int, AtLeast(1)] = 64
    """Channels next to the image; they double inwards, up to eight times as many."""
    bottleneck: Annotated[int, AtLeast(1)] = 4000
    """How many numbers the image is squeezed into."""
    normalization: Normalization = "batch"
    """Before each activation but the first."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the layers' computation; weights, statistics, losses and images are float32."""


def make_context_encoder(
    options: ContextEncoderOptions, shape: tuple[int, ...], hole: int | None = None
) -> Network:
    """The generator that the options describe.

    Args:
      options: of the generator.
      shape: of an image that goes in, `(S, S, C)`, and comes out unless there is a hole.
      hole: pixels a side of what comes out, a power of two from 8 to S; None: S.

    Raises:
      ValueError: if the image is not square, or a side no such power of two.
    """
    if len(shape) != 3:
        raise ValueError(f"ContextEncoder needs images (H, W, C), but got samples of {shape}.")
    size = _check_image(*shape[:2])
    if hole is not None and hole > size:
        raise ValueError(f"the hole has {hole} pixels a side; allowed is {size} or less.")
    return from_linen(
        ContextEncoder(
            *(size if hole is None else hole, shape[2], options.width, options.bottleneck),
            normalization=options.normalization,
            dtype=jnp.dtype(options.dtype),
        )
    )


class ContextEncoder(nn.Module):
    """Images to images or their holes, see the module.

    Batch normalization in training takes two images or more: of one, the bottleneck's numbers are
    their own means, and nothing would be left of them.

    Attributes:
      size: pixels a side of the images that come out, a power of two from 8 on.
      channels: C of the images that come out.
      width: channels of the layers next to the images.
      bottleneck: units of the bottleneck.
      normalization: "batch", "group" or "none", before each activation but the first.
      dtype: dtype of the computation; parameters, statistics and images are float32.

    Raises:
      ValueError: if an attribute is out of its range, or later the images' size or number.
    """

    size: int
    channels: int
    width: int = 64
    bottleneck: int = 4000
    normalization: Normalization = "batch"
    dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        if "instance" in self.normalization:
            raise ValueError(
                f"ContextEncoder has normalization={self.normalization!r}, which averages over "
                "pixels, of which the bottleneck has one; allowed are 'batch', 'group', 'none'."
            )
        if self.bottleneck < 1:
            raise ValueError(
                f"ContextEncoder has bottleneck={self.bottleneck}; allowed is 1 or more."
            )
        if self.size < 2 * _BASE or self.size.bit_count() != 1:
            raise ValueError(
                f"ContextEncoder gives images of {self.size} pixels a side; allowed are powers of "
                f"two from {2 * _BASE} on."
            )

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Images `[B, S, S, *]`, S a power of two from 16 on -> images `[B, size, size, C]`."""
        if images.ndim != 4:
            raise ValueError(f"images must have shape [B, H, W, C], not {images.shape}.")
        size = _check_image(*images.shape[1:3])
        if train and self.normalization == "batch" and len(images) == 1:
            raise ValueError(
                "ContextEncoder with batch normalization trains on batches of 2 images or more, "
                "not 1; take normalization 'group' or 'none'."
            )
        bias = self.normalization == "none"
        down = partial(Conv, kernel_size=(4, 4), strides=2, dtype=self.dtype, kernel_init=_init)
        up = partial(ConvTranspose, dtype=self.dtype, kernel_init=_init)
        dense = partial(nn.DenseGeneral, dtype=self.dtype, use_bias=bias, kernel_init=_init)
        norm = partial(named_norm, kind=self.normalization, train=train, dtype=self.dtype)

        x = images
        for i, features in enumerate(stage_widths(self.width, size)):
            x = down(features, use_bias=i == 0 or bias)(x)
            x = nn.leaky_relu(norm(x) if i else x, 0.2)
        # A convolution that reads all of its pixels is a dense layer, and so is what leads back.
        x = nn.leaky_relu(norm(dense(self.bottleneck, axis=(1, 2, 3))(x)), 0.2)
        *outer, inner = stage_widths(self.width, self.size)
        x = nn.relu(norm(dense((_BASE, _BASE, inner))(x)))
        for features in reversed(outer):
            x = nn.relu(norm(up(features, use_bias=bias)(x)))
        return jnp.tanh(up(self.channels)(x).astype(jnp.float32))


def stage_widths(width: int, size: int) -> list[int]:
    """Channels of the stages between images of `size` pixels and 4x4, next to the image first."""
    k = (size // _BASE).bit_length() - 1
    return [width * 2 ** max(0, i - max(0, k - 4)) for i in range(k)]


def _check_image(height: int, width: int) -> int:
    """The side of a square image."""
    if height != width or height < 4 * _BASE or height.bit_count() != 1:
        shorter = min(height, width)
        below = max(4 * _BASE, 1 << max(shorter.bit_length() - 1, 0))
        raise ValueError(
            "ContextEncoder takes square images whose side is a power of two, 16 or more, not "
            f"{height}x{width}; image_size {below} makes such squares."
        )
    return height
