"""SRGAN's networks (Ledig 2017): small images to large ones, and large ones to logits.

Images are `[B, H, W, C]` in [-1, 1], those that go in too; in the paper small ones are in [0, 1].
The generator, SRResNet, works at the size of what goes in: residual blocks, then a 3x3 convolution
and `jaxgan.layers.resample.pixel_shuffle` for each doubling. It takes images of any height and
width, also of others than it was trained on.

Every convolution has a bias, also before a batch normalization, which takes it away again, and
each PReLU has one slope for all channels, which starts at .25, as in PyTorch. With these the
generator by 4 has 1.549 million parameters, as is quoted for it. The paper does not say whether
the last layer is bounded, and code bases differ: some end in tanh, some in a clipped range, many
in nothing. Here it is linear unless `bounded` is set; what makes pictures of it clips.

Kernels start as normal numbers, truncated, of variance 2 / fan-in (He 2015), which keeps the size
of activations through the layers, so that the generator learns by a loss of pixels alone. On a
smooth picture of 16x16 pixels, by 2 with 6 blocks without normalization, 60 steps of Adam at 1e-3
leave a squared error of .002, and .04 from kernels of N(0, .02²). Two kinds are smaller. The last
layer starts at a tenth of that deviation, so the first images are nearly grey. And without
normalization so does the second convolution of each block; otherwise each block would multiply
activations, and 16 of them by hundreds.

References:
  Ledig et al., Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
  Network, 2017 (arXiv:1609.04802), section 2.1 and figure 4.
  He et al., Delving Deep into Rectifiers, 2015 (arXiv:1502.01852), for PReLU and the kernels.
  Wang et al., ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, 2018
  (arXiv:1809.00219), for blocks without normalization that start small.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.conv import Conv
from jaxgan.layers.normalization import Normalization, named_norm
from jaxgan.layers.resample import pixel_shuffle
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.options import AtLeast, AtMost
from jaxgan.types import Array

DType = Literal["float32", "bfloat16"]
FACTORS = (2, 4, 8)
SMALLEST = 16
"""Pixels a side from which the discriminator's four halvings leave any."""

_init = nn.initializers.he_normal()
_small_init = nn.initializers.variance_scaling(0.02, "fan_in", "truncated_normal")


@dataclass(frozen=True)
class SuperResolutionOptions:
    """The generator, which enlarges."""

    factor: Literal[2, 4, 8] = 4
    """By which height and width grow."""
    blocks: Annotated[int, AtMost(100)] = 16
    """Residual blocks."""
    width: Annotated[int, AtLeast(1)] = 64
    """Channels of every layer."""
    normalization: Literal["batch", "none"] = "batch"
    """In the blocks and after them. "none" leaves contrast and colour of an image alone."""
    bounded: bool = False
    """End in tanh."""
    dtype: DType = "float32"
    """Type of the layers' computation; weights, statistics, losses and images are float32."""


@dataclass(frozen=True)
class SRGANDiscriminatorOptions:
    """The discriminator of large images."""

    width: Annotated[int, AtLeast(1)] = 64
    """Channels of the first two layers; eight times as many in the last two."""
    hidden: Annotated[int, AtLeast(1)] = 1024
    """Units of the dense layer before the logit."""
    normalization: Normalization = "batch"
    """Between the convolutions, before each activation but the first."""
    dtype: DType = "float32"
    """Type of the layers' computation; weights, statistics, losses and logits are float32."""


def make_sr_resnet(options: SuperResolutionOptions, channels: int) -> Network:
    """The generator that the options describe, for images with this number of channels."""
    return from_linen(
        SRResNet(
            *(channels, options.factor, options.blocks, options.width, options.normalization),
            bounded=options.bounded,
            dtype=jnp.dtype(options.dtype),
        )
    )


def make_srgan_discriminator(
    options: SRGANDiscriminatorOptions, with_features: bool = False
) -> Network:
    """The discriminator that the options describe.

    With features it gives a dict of `logits` and `features`, see `SRGANDiscriminator`.
    """
    dtype = jnp.dtype(options.dtype)
    return from_linen(
        SRGANDiscriminator(
            options.width, options.hidden, options.normalization, dtype, with_features
        )
    )


class SRResNet(nn.Module):
    """Images to images whose sides are `factor` times as long.

    A 9x9 convolution and PReLU; `blocks` times x + norm(conv(prelu(norm(conv(x))))) with 3x3
    convolutions; one more and a normalization, to which the output of the first PReLU is added; for
    each doubling a 3x3 convolution to four times the channels, the pixel shuffle and PReLU; a 9x9
    convolution to the image.

    Attributes:
      channels: C of the images that come out.
      factor: 2, 4 or 8.
      blocks: number of residual blocks.
      width: channels of every layer.
      normalization: as `layers.normalization.named_norm` takes it.
      bounded: end in tanh; otherwise images are whatever the last layer gives.
      dtype: dtype of the computation; parameters, statistics and images are float32.

    Raises:
      ValueError: if an attribute is out of its range.
    """

    channels: int
    factor: int = 4
    blocks: int = 16
    width: int = 64
    normalization: Normalization = "batch"
    bounded: bool = False
    dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        if self.factor not in FACTORS:
            raise ValueError(f"SRResNet has factor={self.factor}; allowed are 2, 4 and 8.")

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> Array:
        """Images `[B, h, w, *]` -> images `[B, factor * h, factor * w, C]`, float32."""
        if images.ndim != 4:
            raise ValueError(f"images must have shape [B, H, W, C], not {images.shape}.")
        width, dtype = self.width, self.dtype
        conv = partial(Conv, kernel_size=(3, 3), dtype=dtype, kernel_init=_init)
        norm = partial(named_norm, kind=self.normalization, train=train, dtype=dtype)
        prelu = partial(nn.PReLU, negative_slope_init=0.25)
        last_init = _small_init if self.normalization == "none" else _init

        first = x = prelu()(conv(width, kernel_size=(9, 9))(images))
        for _ in range(self.blocks):
            y = prelu()(norm(conv(width)(x)))
            x = x + norm(conv(width, kernel_init=last_init)(y))
        x = first + norm(conv(width)(x))
        for _ in range(self.factor.bit_length() - 1):
            x = prelu()(pixel_shuffle(conv(4 * width)(x)))
        x = conv(self.channels, kernel_size=(9, 9), kernel_init=_small_init)(x)
        x = x.astype(jnp.float32)
        return jnp.tanh(x) if self.bounded else x


class SRGANDiscriminator(nn.Module):
    """Images to logits: 3x3 convolutions in pairs, of which the second halves the image.

    Channels are `width` times 1, 1, 2, 2, 4, 4, 8, 8 with stride 1 and 2 in turn, LeakyReLU of
    slope .2 after each and normalization before all but the first; then a dense layer, LeakyReLU
    and another to the logit. The dense layer reads all pixels, so weights fit images of one size:
    the paper's crops have 96 pixels. The paper ends in a sigmoid, which is left to the loss here.

    Attributes:
      width: channels of the first two layers.
      hidden: units of the dense layer.
      normalization: as `layers.normalization.named_norm` takes it.
      dtype: dtype of the computation; parameters, statistics and the last layer are float32.
      with_features: give a dict of `logits` and `features`, a list of what each convolution gives
        after its LeakyReLU, the first one's first.

    Raises:
      ValueError: if an attribute is out of its range, or later the size of the images.
    """

    width: int = 64
    hidden: int = 1024
    normalization: Normalization = "batch"
    dtype: DTypeLike = jnp.float32
    with_features: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        if self.hidden < 1:
            raise ValueError(f"SRGANDiscriminator has hidden={self.hidden}; allowed is 1 or more.")

    @nn.compact
    def __call__(self, images: Array, *, train: bool) -> Array | dict[str, Any]:
        """Images `[B, H, W, C]` of 16 pixels a side or more -> logits `[B]`, float32."""
        if images.ndim != 4:
            raise ValueError(f"images must have shape [B, H, W, C], not {images.shape}.")
        height, width = images.shape[1:3]
        if min(height, width) < SMALLEST:
            raise ValueError(
                f"SRGANDiscriminator takes images of {SMALLEST} pixels a side or more, not "
                f"{height}x{width}; image_size resizes them."
            )
        x, hidden = images, []
        for i in range(8):
            features, stride = self.width * 2 ** (i // 2), 1 + i % 2
            x = Conv(features, (3, 3), stride, dtype=self.dtype, kernel_init=_init)(x)
            if i:
                x = named_norm(x, self.normalization, train=train, dtype=self.dtype)
            x = nn.leaky_relu(x, 0.2)
            hidden.append(x)
        x = nn.Dense(self.hidden, dtype=self.dtype, kernel_init=_init)(x.reshape(len(x), -1))
        logits = nn.Dense(1)(nn.leaky_relu(x, 0.2).astype(jnp.float32))[:, 0]
        if not self.with_features:
            return logits
        return {"logits": logits, "features": [layer.astype(jnp.float32) for layer in hidden]}
