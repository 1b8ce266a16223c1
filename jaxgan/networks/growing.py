"""Generator and discriminator that grow from 4x4 pixels to the size of the data (Karras 2018).

Images are `[B, H, W, C]`, squares of 4, 8, 16, ... pixels a side. Each size has two convolutions
and a 1x1 one to the image (in the discriminator from it). The networks of a size hold those of all
smaller sizes under the same names, so a phase takes over what the one before it learnt. Layers to
and from images of smaller sizes are held too, and run only while images fade in.

While they do, the new size is mixed into the old by α, which rises from 0 to 1:

    G = (1 - α) upsample(old image) + α new image
    D's features = (1 - α) from_image(average_pool(image)) + α average_pool(new features)

α is how many steps of the fading are done, a counter in the state that `games.fading` sets, over
how many there are. With none, nothing of the mixing is in the program.

Channels are `width` at small sizes and halve with each size from where `16 * width / 2**stage` is
smaller, stage 1 at 4x4: 512 channels up to 32x32 and 16 at 1024x1024, with the paper's 512. With
three channels and latents of 512 the networks of 1024 pixels have the 23,079,115 and 23,087,249
parameters of the authors' code.

The paper's learning rate suits its width. Weights are N(0, 1) and scaled by √(2 / fan_in), and Adam
moves each by about the rate, so a layer's output moves by about rate x √fan_in a step. At another
width, take 1e-3 x √(512 / width): at 1e-3, networks of width 16 learn six times more slowly.

Images end without tanh, as there: what lies beyond [-1, 1] is cut off where they are shown.

References:
  Karras, Aila, Laine and Lehtinen, Progressive Growing of GANs for Improved Quality, Stability, and
  Variation, 2018 (arXiv:1710.10196), appendix A.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.equalized import ROOT2, EqualizedConv, EqualizedDense
from jaxgan.layers.minibatch_deviation import minibatch_deviation
from jaxgan.layers.normalization import pixel_norm
from jaxgan.layers.resample import average_pool, upsample_nearest
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.labels import append_label, project_label
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.options import AtLeast
from jaxgan.types import Array

Shape: TypeAlias = tuple[int, ...]
SMALLEST = 4
COLLECTION = "fading"
"""The collection of a network's state that counts the fading steps done so far."""


@dataclass(frozen=True)
class GrowingGeneratorOptions:
    """The generator and its latents."""

    width: Annotated[int, AtLeast(1)] = 512
    """Channels of small maps; from 64 pixels on they halve with each size."""
    spectral_norm: bool = False
    """Divide every weight matrix by its largest singular value."""
    latent_size: Annotated[int, AtLeast(1)] = 512
    """Numbers in a latent."""
    latent_distribution: Literal["normal", "uniform"] = "normal"
    """Standard normal, or uniform in [-1, 1]; either is brought to the same length."""
    orthogonal_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the penalty on kernels whose outputs are not orthogonal."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the layers' computation; weights, losses and penalties are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


@dataclass(frozen=True)
class GrowingDiscriminatorOptions:
    """The discriminator."""

    width: Annotated[int, AtLeast(1)] = 512
    """Channels of small maps; from 64 pixels on they halve with each size."""
    spectral_norm: bool = False
    """Divide every weight matrix by its largest singular value."""
    clip: Annotated[float, AtLeast(0)] = 0.0
    """Clip every weight to [-clip, clip] after each update (WGAN: 0.01); 0: do not."""
    orthogonal_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the penalty on kernels whose outputs are not orthogonal."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the layers' computation; weights, losses and penalties are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


class GrowingGenerator(nn.Module):
    """Latents to images of one size, and of all sizes below it.

    Attributes:
      shape: shape of one image, `(H, W, C)`.
      width: channels of the small sizes.
      fade_steps: steps in which this size fades in; 0: it does not.
      num_classes: number of classes of a conditional generator; 0 for none.
      label_features: size of the label's embedding, which is concatenated to the latent.
      dtype: dtype of the computation; parameters and images are float32.

    Raises:
      ValueError: for a size that is none, or a fading of the smallest size.
    """

    shape: tuple[int, ...]
    width: int = 512
    fade_steps: int = 0
    num_classes: int = 0
    label_features: int = 32
    dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        _check(self.shape, self.fade_steps)

    @nn.compact
    def __call__(self, latents: Array, labels: Array | None = None, *, train: bool) -> Array:
        """Latents `[B, L]`, labels int32 `[B]` -> images `[B, H, W, C]`, float32."""
        del train  # Nothing here knows a difference.
        latents = append_label(
            latents, labels, num_classes=self.num_classes, features=self.label_features
        )
        # Where parameters are made, all images are, so that each has its layer.
        all_sizes = sizes(self.shape)
        shown = all_sizes if self.is_initializing() else _shown(all_sizes, self)
        images = {}
        x = pixel_norm(latents)
        for size in all_sizes:
            features = channels(self.width, size)
            if size == SMALLEST:
                first = (SMALLEST, SMALLEST, features)
                dense = EqualizedDense(first, ROOT2 / 4, self.dtype, name="dense")
                x = _activate(dense(x))
            else:
                conv = EqualizedConv(features, dtype=self.dtype, name=f"conv_{size}_0")
                x = _activate(conv(upsample_nearest(x)))
            x = _activate(EqualizedConv(features, dtype=self.dtype, name=f"conv_{size}_1")(x))
            if size in shown:
                to_image = EqualizedConv(
                    self.shape[-1], 1, 1.0, dtype=self.dtype, name=f"to_image_{size}"
                )
                images[size] = to_image(x).astype(jnp.float32)
        largest = self.shape[0]
        if not self.fade_steps:
            return images[largest]
        old = upsample_nearest(images[largest // 2])
        return old + _alpha(self) * (images[largest] - old)


class GrowingDiscriminator(nn.Module):
    """Images of one size to logits.

    Attributes:
      width: channels of the small sizes.
      fade_steps: steps in which the size of the images fades in; 0: it does not.
      num_classes: number of classes of a conditional discriminator; 0 for none.
      group: samples of which the standard deviation is taken.
      with_features: give a dict of `logits` and `features`, what the last layer reads.
      dtype: dtype of the computation; parameters and logits are float32.

    Raises:
      ValueError: later, as the generator.
    """

    width: int = 512
    fade_steps: int = 0
    num_classes: int = 0
    group: int = 4
    with_features: bool = False
    dtype: DTypeLike = jnp.float32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool
    ) -> Array | dict[str, Array]:
        """Images `[B, H, W, C]`, labels int32 `[B]` -> logits `[B]`, float32."""
        del train
        _check(images.shape[1:], self.fade_steps)
        all_sizes = sizes(images.shape[1:])
        largest = all_sizes[-1]
        seen, shown = {}, all_sizes if self.is_initializing() else _shown(all_sizes, self)
        for size in reversed(shown):
            images = images if size == largest else average_pool(images)
            seen[size] = self._from_image(images)
        x = seen[largest]
        for size in reversed(all_sizes[1:]):
            outer, inner = channels(self.width, size), channels(self.width, size // 2)
            conv = EqualizedConv(outer, dtype=self.dtype, name=f"conv_{size}_0")
            x = nn.leaky_relu(conv(x), 0.2)
            conv = EqualizedConv(inner, dtype=self.dtype, name=f"conv_{size}_1")
            x = average_pool(nn.leaky_relu(conv(x), 0.2))
            if size == largest and self.fade_steps:
                old = seen[size // 2]
                x = old + _alpha(self).astype(x.dtype) * (x - old)
        x = minibatch_deviation(x, self.group)
        features = channels(self.width, SMALLEST)
        conv = EqualizedConv(features, dtype=self.dtype, name=f"conv_{SMALLEST}_0")
        x = nn.leaky_relu(conv(x), 0.2).reshape(len(x), -1)
        x = nn.leaky_relu(EqualizedDense((self.width,), dtype=self.dtype, name="dense")(x), 0.2)
        hidden = x.astype(jnp.float32)
        logits = EqualizedDense((1,), 1.0, name="logits")(hidden)[:, 0]
        logits += project_label(hidden, labels, num_classes=self.num_classes)
        return {"logits": logits, "features": hidden} if self.with_features else logits

    def _from_image(self, images: Array) -> Array:
        size = images.shape[1]
        features = channels(self.width, size)
        conv = EqualizedConv(features, 1, dtype=self.dtype, name=f"from_image_{size}")
        return nn.leaky_relu(conv(images), 0.2)


def sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """4, 8, 16, ... up to the side of the image."""
    return tuple(SMALLEST << i for i in range((shape[0] // SMALLEST).bit_length()))


def channels(width: int, size: int) -> int:
    """Channels of the maps of this size: `width`, or fewer at large sizes."""
    stage = size.bit_length() - 2  # 1 at 4x4
    return max(min(16 * width >> stage, width), 1)


def _shown(
    all_sizes: tuple[int, ...], module: GrowingGenerator | GrowingDiscriminator
) -> tuple[int, ...]:
    """The sizes of which there are images: the largest, and the one before while it fades in."""
    return all_sizes[-2:] if module.fade_steps else all_sizes[-1:]


def _activate(x: Array) -> Array:
    return pixel_norm(nn.leaky_relu(x, 0.2))


def _alpha(module: GrowingGenerator | GrowingDiscriminator) -> Array:
    """The share of the fading that is done."""
    done = module.variable(COLLECTION, "steps", jnp.zeros, (), jnp.int32)
    return done.value / jnp.float32(module.fade_steps)


def _check(shape: tuple[int, ...], fade_steps: int) -> None:
    height, width, _ = shape
    if height != width or height < SMALLEST or height & (height - 1):
        raise ValueError(
            f"networks that grow make squares of 4, 8, 16, ... pixels a side, not {height}x{width}:"
            " set image_size to one of these"
        )
    if fade_steps and height == SMALLEST:
        raise ValueError(f"the smallest size, {SMALLEST} pixels, cannot fade in")


def make_generator(
    options: GrowingGeneratorOptions, shape: Shape, num_classes: int = 0, fade_steps: int = 0
) -> Network:
    """The generator of one size, by its options."""
    module = GrowingGenerator(
        shape, options.width, fade_steps, num_classes, dtype=jnp.dtype(options.dtype)
    )
    return from_linen(module, remat=options.remat)


def make_discriminator(
    options: GrowingDiscriminatorOptions,
    shape: Shape,
    num_classes: int = 0,
    fade_steps: int = 0,
    *,
    with_features: bool = False,
) -> Network:
    """The discriminator of one size, by its options."""
    _check(shape, fade_steps)
    module = GrowingDiscriminator(
        *(options.width, fade_steps, num_classes),
        dtype=jnp.dtype(options.dtype),
        with_features=with_features,
    )
    return from_linen(module, remat=options.remat)
