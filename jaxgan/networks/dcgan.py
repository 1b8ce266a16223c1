"""Deep convolutional generator and discriminator (Radford 2016).

Images are `[B, H, W, C]` in [-1, 1]. Height and width are `m * 2**k` pixels with m from 4 to 7 and
the same k >= 1 (8, 16, 28, 32, 48, 64, 128, ...): k transposed 4x4 convolutions of stride 2 lead
from the base of m pixels a side to the image, k strided ones lead back. With k = 1 (8 to 14 pixels)
both networks get a 3x3 convolution of stride 1 more, next to the image; without it the Fréchet
distance to the 8x8 digits is four times as large, or more.

`width` counts the channels next to the image; they double inwards, up to `8 * width`. Weights start
as N(0, .02²). A layer that is normalized has no bias of its own, for the normalization adds one.
The paper's kernels are 5x5; 4x4, a multiple of the stride, lets every output pixel of a transposed
convolution see as many taps as its neighbours, and is what most code has taken since.

References:
  Radford, Metz and Chintala, Unsupervised Representation Learning with Deep Convolutional
  Generative Adversarial Networks, 2016.
"""

import warnings
from typing import TYPE_CHECKING

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.conv import Conv, ConvImpl, ConvTranspose
from jaxgan.layers.normalization import Normalization, named_norm
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.labels import append_label, project_label
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.types import Array

LARGEST = 128
"""Pixels a side up to which the family is known to train."""

if TYPE_CHECKING:  # Options are of all families, and so above each.
    from jaxgan.networks.families import DiscriminatorOptions, GeneratorOptions

_init = nn.initializers.normal(0.02)


class DCGANGenerator(nn.Module):
    """Latents to images: a dense layer, transposed convolutions with ReLU, tanh at the end.

    Attributes:
      shape: shape of one image, `(H, W, C)`.
      width: channels of the layer next to the image.
      normalization: as `layers.normalization.named_norm` takes it, before each ReLU but not at the
        end.
      groups: of group normalization; 0: chosen.
      bias: biases where nothing is normalized, next to the image. PyTorch's example has none.
      num_classes: number of classes of a conditional generator; 0 for none.
      label_features: size of the label's embedding, which is concatenated to the latent.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      impl: how transposed convolutions are computed, see `ConvTranspose`.
      dtype: dtype of the computation; parameters and images are float32.
      bounded: end in tanh; otherwise images are whatever the last layer gives.
      hidden: units of a dense layer before the first map, normalized and with ReLU as the others;
        0: none. InfoGAN has 1024, without which codes can only add to the first map.

    Raises:
      ValueError: if an attribute is out of its range, above all the size of the image.
    """

    shape: tuple[int, ...]
    width: int = 64
    normalization: Normalization = "batch"
    num_classes: int = 0
    label_features: int = 32
    axis_name: str | None = None
    impl: ConvImpl = "auto"
    dtype: DTypeLike = jnp.float32
    groups: int = 0
    bias: bool = True
    bounded: bool = True
    hidden: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        doublings(self.shape)

    @nn.compact
    def __call__(self, latents: Array, labels: Array | None = None, *, train: bool) -> Array:
        """Latents `[B, L]`, labels int32 `[B]` -> images `[B, H, W, C]`, float32 in [-1, 1]."""
        height, width, channels = self.shape
        k = doublings(self.shape)
        *outer, inner = stage_widths(self.width, k)
        inner_bias = self.normalization == "none" and self.bias

        def activate(x: Array) -> Array:
            x = named_norm(
                x,
                self.normalization,
                train=train,
                groups=self.groups,
                axis_name=self.axis_name,
                dtype=self.dtype,
            )
            return nn.relu(x)

        def upsample(x: Array, features: int, *, use_bias: bool) -> Array:
            return ConvTranspose(
                features, use_bias=use_bias, dtype=self.dtype, kernel_init=_init, impl=self.impl
            )(x)

        x = append_label(
            latents, labels, num_classes=self.num_classes, features=self.label_features
        )
        if self.hidden:
            dense = nn.Dense(self.hidden, use_bias=inner_bias, dtype=self.dtype, kernel_init=_init)
            x = activate(dense(x))
        base = (height >> k, width >> k, inner)
        x = nn.DenseGeneral(base, use_bias=inner_bias, dtype=self.dtype, kernel_init=_init)(x)
        x = activate(x)
        for features in reversed(outer):
            x = activate(upsample(x, features, use_bias=inner_bias))
        if k == 1:
            bias = self.bias
            x = Conv(channels, (3, 3), use_bias=bias, dtype=self.dtype, kernel_init=_init)(x)
        else:
            x = upsample(x, channels, use_bias=self.bias)
        x = x.astype(jnp.float32)
        return jnp.tanh(x) if self.bounded else x


class DCGANDiscriminator(nn.Module):
    """Images to logits: strided convolutions with LeakyReLU of slope .2, a dense layer at the end.

    Batch normalization makes the logit of an image depend on the batch it is in, against which a
    gradient penalty has no meaning: take "group" or "none" there.

    Attributes:
      width: channels of the layer next to the image.
      normalization: as `layers.normalization.named_norm` takes it, before each LeakyReLU but the
        first.
      groups: of group normalization; 0: chosen.
      bias: biases where nothing is normalized, next to the image and the logit. PyTorch's
        example has none.
      dropout: probability of dropping an activation while training (rng "dropout").
      num_classes: number of classes of a conditional discriminator; 0 for none.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters and logits are float32.
      outputs: numbers an image in place of a logit, as an encoder gives them; 0: a logit.
      with_features: give a dict of `logits` and `features`, what the last layer reads.
      hidden: units of a dense layer after the last map, normalized as those before; 0: none.
        InfoGAN has 1024.

    Raises:
      ValueError: if an attribute is out of its range, or later the size of the images.
    """

    width: int = 64
    normalization: Normalization = "batch"
    dropout: float = 0.0
    num_classes: int = 0
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    groups: int = 0
    bias: bool = True
    outputs: int = 0
    with_features: bool = False
    hidden: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool
    ) -> Array | dict[str, Array]:
        """Images `[B, H, W, C]`, labels int32 `[B]` -> logits `[B]`, or `[B, outputs]`, float32."""
        k = doublings(images.shape[1:])
        x = images

        def activate(x: Array, normalized: bool) -> Array:
            if normalized:
                x = named_norm(
                    x,
                    self.normalization,
                    train=train,
                    groups=self.groups,
                    axis_name=self.axis_name,
                    dtype=self.dtype,
                )
            x = nn.leaky_relu(x, 0.2)
            return nn.Dropout(self.dropout, deterministic=not train)(x)

        for i, features in enumerate(stage_widths(self.width, k)):
            normalized = i > 0 and self.normalization != "none"
            size, stride = (3, 1) if i == 0 and k == 1 else (4, 2)
            x = Conv(
                features,
                (size, size),
                (stride, stride),
                use_bias=not normalized and self.bias,
                dtype=self.dtype,
                kernel_init=_init,
            )(x)
            x = activate(x, normalized)
        if self.hidden:
            normalized = self.normalization != "none"
            dense = nn.Dense(
                self.hidden,
                use_bias=not normalized and self.bias,
                dtype=self.dtype,
                kernel_init=_init,
            )
            x = activate(dense(x.reshape(len(x), -1)), normalized)
        hidden = x.astype(jnp.float32)
        x = hidden.reshape(len(x), -1)
        if self.outputs:
            return nn.Dense(self.outputs, kernel_init=_init)(x)
        logits = nn.Dense(1, use_bias=self.bias, kernel_init=_init)(x)[:, 0]
        logits += project_label(x, labels, num_classes=self.num_classes)
        return {"logits": logits, "features": hidden} if self.with_features else logits


def stage_widths(width: int, k: int) -> list[int]:
    """Channels of the hidden stages for k doublings, the one next to the image first."""
    return [width * 2 ** min(i, 3) for i in range(max(k, 2))]


def doublings(shape: tuple[int, ...], family: str = "DCGAN") -> int:
    """The k of an image `(H, W, C)` of `m * 2**k` by `n * 2**k` pixels, m and n from 4 to 7.

    Args:
      shape: of one image.
      family: whose images these are, for the message.

    Raises:
      ValueError: if there is no such k >= 1; it names the nearest sizes for which there is.
    """
    if len(shape) != 3:
        raise ValueError(f"{family} needs images (H, W, C), but got samples of shape {shape}.")
    for side, size in zip(("height", "width"), shape, strict=False):
        if not _allowed(size):
            below = next((s for s in range(size, 7, -1) if _allowed(s)), None)
            above = next(s for s in range(max(size, 8), 2 * size + 9) if _allowed(s))
            nearest = f"is {above}" if below is None else f"are {below} and {above}"
            raise ValueError(
                f"{family} images have a {side} of m * 2**k pixels with m from 4 to 7 and k >= 1, "
                f"which {size} is not; the nearest allowed {nearest} (image_size resizes images)."
            )
    height, width, _ = shape
    k = _doublings(height)
    if k != _doublings(width):
        allowed = ", ".join(str(m << k) for m in range(4, 8))
        raise ValueError(
            f"{family} images of {height}x{width} pixels need {k} doublings of the height and "
            f"{_doublings(width)} of the width; the widths allowed with this height are {allowed} "
            f"(image_size {min(height, width)} makes squares)."
        )
    return k


def _doublings(size: int) -> int:
    """The one k for which `size / 2**k` is at least 4 and less than 8."""
    return size.bit_length() - 3


def _allowed(size: int) -> bool:
    return size >= 8 and size % (1 << _doublings(size)) == 0


def make_generator(
    options: "GeneratorOptions",
    shape: tuple[int, ...],
    num_classes: int = 0,
    bounded: bool = True,
) -> Network:
    """The family's generator, by the experiment's options."""
    if max(shape[:2]) > LARGEST:
        warnings.warn(
            f"the networks of DCGAN are known for images of 8 to {LARGEST} pixels, and these have "
            f"{shape[0]}x{shape[1]}: larger ones rarely train; image_size makes them smaller",
            stacklevel=2,
        )
    width, dtype = options.width, jnp.dtype(options.dtype)
    module = DCGANGenerator(
        *(shape, width, options.normalization, num_classes),
        dtype=dtype,
        bounded=bounded,
        hidden=options.hidden,
    )
    return from_linen(module, remat=options.remat)


def make_discriminator(
    options: "DiscriminatorOptions",
    shape: tuple[int, ...],
    num_classes: int = 0,
    outputs: int = 0,
    with_features: bool = False,
) -> Network:
    """The family's discriminator, by the experiment's options."""
    width, dtype = options.width, jnp.dtype(options.dtype)
    module = DCGANDiscriminator(
        *(width, options.normalization, options.dropout, num_classes),
        dtype=dtype,
        outputs=outputs,
        with_features=with_features,
        hidden=options.hidden,
    )
    return from_linen(module, remat=options.remat)
