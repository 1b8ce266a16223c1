"""CycleGAN's networks (Zhu 2017): images to images, and images to the logits of their patches.

Images are `[B, H, W, C]` in [-1, 1]. In the paper both networks normalize each channel of each
image by itself (`instance_norm`, nothing learnt), so they do the same in training and in use;
`train` is for other normalizations. Weights start as N(0, .02²).

Every convolution has a bias, also before an instance normalization, which takes it away again: so
has the authors' PyTorch code (before a batch normalization it has none: `inner_bias=False`), and
the parameter counts that are quoted for it, 11.378 million for the generator of 9 blocks and 2.765
million for the 70x70 discriminator, include them. The paper says that it pads by reflection; its
code does so around the 7x7 convolutions and in the residual blocks, while the strided ones see
zeros. The transposed ones have their odd zero after the image, as PyTorch's: so what "down" takes
in at a pixel, "up" gives out there.

References:
  Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, 2017
  (arXiv:1703.10593), appendix.
  Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017
  (arXiv:1611.07004), for the discriminator.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.conv import Conv, ConvTranspose
from jaxgan.layers.normalization import Normalization, named_norm
from jaxgan.layers.resample import reflect_pad
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.options import AtLeast, AtMost
from jaxgan.types import Array

DType = Literal["float32", "bfloat16"]
_init = nn.initializers.normal(0.02)


@dataclass(frozen=True)
class TranslatorOptions:
    """Both generators, which translate."""

    width: Annotated[int, AtLeast(1)] = 64
    """Channels at full resolution; four times as many in the blocks."""
    blocks: Annotated[int, AtMost(100)] = 9
    """Residual blocks; the paper has 6 for images of 128 pixels and 9 for 256."""
    normalization: Normalization = "instance"
    """Between the layers. "instance" makes thick and thin strokes alike; "batch" does not."""
    dtype: DType = "float32"
    """Type of the layers' computation; weights, statistics, losses and images are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


@dataclass(frozen=True)
class PatchOptions:
    """Both discriminators, which score overlapping patches."""

    width: Annotated[int, AtLeast(1)] = 64
    """Channels of the first layer."""
    layers: Annotated[int, AtMost(100)] = 3
    """Layers of stride 2: patches are of 70 pixels with 3, of 34 with 2, of 16 with 1."""
    normalization: Normalization = "instance"
    """Between the layers."""
    dtype: DType = "float32"
    """Type of the layers' computation; weights, statistics, losses and logits are float32."""
    inner_bias: bool = True
    """Biases before a normalization; pix2pix, with "batch", has none."""


def make_translator(options: TranslatorOptions, channels: int) -> Network:
    """The generator that the options describe, for images with this number of channels."""
    return from_linen(
        TranslationGenerator(
            channels,
            options.width,
            options.blocks,
            options.normalization,
            dtype=jnp.dtype(options.dtype),
            remat=options.remat,
        )
    )


def make_patch_discriminator(options: PatchOptions, with_features: bool = False) -> Network:
    """The discriminator that the options describe.

    With features it gives a dict of `logits` and `features`, see `PatchDiscriminator`.
    """
    dtype = jnp.dtype(options.dtype)
    return from_linen(
        PatchDiscriminator(
            *(options.width, options.layers, options.normalization, dtype),
            inner_bias=options.inner_bias,
            with_features=with_features,
        )
    )


class Stage(nn.Module):
    """A convolution, instance normalization, ReLU.

    Attributes:
      features: channels of the output.
      kind: "outer" (7x7, padded by reflection), "down" (3x3 of stride 2) or "up" (3x3, transposed,
        of stride 2).
      normalization: as `layers.normalization.named_norm` takes it.
      train: whether statistics of a batch are this one's.
      dtype: dtype of the computation; parameters and statistics are float32.
      bias: whether the convolution has one.
    """

    features: int
    kind: Literal["outer", "down", "up"]
    normalization: Normalization = "instance"
    train: bool = False
    dtype: DTypeLike = jnp.float32
    bias: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        conv = partial(Conv, self.features, use_bias=self.bias, dtype=self.dtype, kernel_init=_init)
        match self.kind:
            case "outer":
                x = conv((7, 7), padding="VALID")(reflect_pad(x, 3))
            case "down":
                x = conv((3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))(x)
            case "up":
                up = partial(ConvTranspose, self.features, (3, 3), padding=((1, 2), (1, 2)))
                x = up(use_bias=self.bias, dtype=self.dtype, kernel_init=_init)(x)
        return nn.relu(named_norm(x, self.normalization, train=self.train, dtype=self.dtype))


class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))) with 3x3 convolutions, padded by reflection.

    Attributes:
      normalization: as `layers.normalization.named_norm` takes it.
      train: whether statistics of a batch are this one's.
      dtype: dtype of the computation; parameters and statistics are float32.
      bias: whether the convolution has one.
    """

    normalization: Normalization = "instance"
    train: bool = False
    dtype: DTypeLike = jnp.float32
    bias: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        options: dict[str, Any] = {"use_bias": self.bias, "dtype": self.dtype, "kernel_init": _init}
        conv = partial(Conv, x.shape[-1], (3, 3), padding="VALID", **options)
        norm = partial(named_norm, kind=self.normalization, train=self.train, dtype=self.dtype)
        y = nn.relu(norm(conv()(reflect_pad(x, 1))))
        return x + norm(conv()(reflect_pad(y, 1)))


class TranslationGenerator(nn.Module):
    """Images to images by residual blocks at a quarter of the resolution.

    In the paper's notation c7s1-64, d128, d256, R256 for each block, u128, u64, c7s1-C, then tanh.
    The paper has 6 blocks for 128x128 images and 9 from 256x256 on.

    Attributes:
      channels: C of the images that come out.
      width: channels at full resolution; twice and four times as many further in.
      blocks: number of residual blocks.
      normalization: "instance" in the paper, of one image a batch.
      dtype: dtype of the computation; parameters, statistics and images are float32.
      remat: keep only what enters a stage or block and compute it again for its gradient.
      inner_bias: biases before a normalization.

    Raises:
      ValueError: if an attribute is out of its range, or later the size of the images.
    """

    channels: int
    width: int = 64
    blocks: int = 9
    normalization: Normalization = "instance"
    dtype: DTypeLike = jnp.float32
    remat: bool = False
    inner_bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Images `[B, H, W, *]`, H and W multiples of 4 from 8 on -> images `[B, H, W, C]`."""
        height, width = _size(images)
        if height % 4 or width % 4 or min(height, width) < 8:
            raise ValueError(
                "TranslationGenerator takes images whose height and width are multiples of 4, 8 or "
                f"more, not {height}x{width}; image_size resizes them."
            )
        # All with names, for `nn.remat` changes those that Linen gives.
        stage = partial(
            nn.remat(Stage) if self.remat else Stage,
            normalization=self.normalization,
            train=train,
            dtype=self.dtype,
            bias=self.inner_bias,
        )
        block = partial(
            nn.remat(ResidualBlock) if self.remat else ResidualBlock,
            self.normalization,
            train,
            self.dtype,
            self.inner_bias,
        )
        x = stage(self.width, "outer", name="Stage_0")(images)
        x = stage(self.width * 2, "down", name="Stage_1")(x)
        x = stage(self.width * 4, "down", name="Stage_2")(x)
        for i in range(self.blocks):
            x = block(name=f"ResidualBlock_{i}")(x)
        x = stage(self.width * 2, "up", name="Stage_3")(x)
        x = stage(self.width, "up", name="Stage_4")(x)
        x = Conv(self.channels, (7, 7), padding="VALID", dtype=self.dtype, kernel_init=_init)(
            reflect_pad(x, 3)
        )
        return jnp.tanh(x.astype(jnp.float32))


class PatchDiscriminator(nn.Module):
    """Images to a logit for each of their overlapping patches: 70x70 pixels with three layers.

    4x4 convolutions with LeakyReLU of slope .2: `layers` of stride 2 from `width` channels on,
    which double up to eight widths, one more of stride 1, and one of stride 1 to the logits. The
    first and the last are not normalized. Patches are 16x16 pixels with one layer of stride 2,
    34x34 with two, 70x70 with three.

    Attributes:
      width: channels of the first layer.
      layers: number of layers of stride 2.
      normalization: as for the generator.
      dtype: dtype of the computation; parameters, statistics and the last layer are float32.
      inner_bias: biases before a normalization.
      with_features: give a dict of `logits` and `features`, a list of what each hidden layer gives
        after its LeakyReLU, the first layer's first, as a feature matching loss compares them.

    Raises:
      ValueError: if an attribute is out of its range, or later the size of the images.
    """

    width: int = 64
    layers: int = 3
    normalization: Normalization = "instance"
    dtype: DTypeLike = jnp.float32
    inner_bias: bool = True
    with_features: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> Array | dict[str, Any]:
        """Images `[B, H, W, C]` -> logits `[B, h, w, 1]`, float32, h = H // 2**layers - 2."""
        height, width = _size(images)
        least = 3 << self.layers
        if min(height, width) < least:
            raise ValueError(
                f"PatchDiscriminator with {self.layers} layers takes images of {least} pixels a "
                f"side or more, not {height}x{width}; take fewer layers or a larger image_size."
            )
        conv = partial(Conv, kernel_size=(4, 4), padding=((1, 1), (1, 1)), kernel_init=_init)
        x, hidden = images, []
        for i in range(self.layers + 1):
            stride = 2 if i < self.layers else 1
            features = self.width * 2 ** min(i, 3)
            bias = self.inner_bias or i == 0
            x = conv(features, strides=(stride, stride), use_bias=bias, dtype=self.dtype)(x)
            if i:
                x = named_norm(x, self.normalization, train=train, dtype=self.dtype)
            x = nn.leaky_relu(x, 0.2)
            hidden.append(x)
        logits = conv(1, dtype=jnp.float32)(x.astype(jnp.float32))
        if not self.with_features:
            return logits
        return {"logits": logits, "features": [layer.astype(jnp.float32) for layer in hidden]}


def _size(images: Array) -> tuple[int, int]:
    if images.ndim != 4:
        raise ValueError(f"images must have shape [B, H, W, C], not {images.shape}.")
    return images.shape[1], images.shape[2]
