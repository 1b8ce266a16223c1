"""The residual generator and discriminator of BigGAN (Brock 2019).

Images are `[B, H, W, C]` in [-1, 1], squares of 32, 64, 128 or 256 pixels a side. Channels are
multiples of `width`, more of them in the middle, see `GENERATOR` and `DISCRIMINATOR`. Blocks are
those of `jaxgan.networks.resnet`, with the shortcut computed at the lower resolution, and
self-attention may follow the block that gives maps of a chosen size.

The latent is hierarchical: it is cut into equal chunks, of which the first makes the map of 4x4 and
each block has one more. A block's two batch normalizations take their gains and biases from the
class, embedded once for all blocks, and from the block's chunk. The discriminator takes the sum
over positions and projects the class on it.

Kernels and embeddings start orthogonal, biases at 0. The 128-pixel networks of width 96 for 1,000
classes have the 70,433,988 and 87,982,370 parameters of the authors' PyTorch code.

Where that code differs: it drops what is left of a latent that its chunks do not divide, which is
refused here. It puts attention after every block whose map has the size, and takes all maps of the
discriminator for 32 pixels to have 16. Its biases start as PyTorch's do, and the scale of its last
batch normalization at 1, where that of this library is from N(1, .02²).

With spectral normalization that code divides all matrices, those of the conditional norms and the
discriminator's embedding too, but not the generator's embedding.
`layers.spectral_norm.spectrally_normalized` divides every one, and leaves that embedding out by

    def axes(path, weight):
        return None if path[0] == "Embed_0" else usual_axes(path, weight)

References:
  Brock, Donahue and Simonyan, Large Scale GAN Training for High Fidelity Natural Image Synthesis,
  2019 (arXiv:1809.11096), appendix B.
  Miyato and Koyama, cGANs with Projection Discriminator, 2018 (arXiv:1802.05637).
"""

from functools import partial
from typing import TYPE_CHECKING

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from jaxgan.layers.attention import SelfAttention
from jaxgan.layers.conditional_norm import ConditionalBatchNorm
from jaxgan.layers.conv import Conv
from jaxgan.layers.normalization import BatchNorm, Normalization
from jaxgan.layers.resample import upsample_nearest
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.labels import check_labels, embed_label
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.networks.resnet import Resample, ResidualBlock
from jaxgan.types import Array, PyTree

if TYPE_CHECKING:  # Options are of all families, and so above each.
    from jaxgan.networks.families import DiscriminatorOptions, GeneratorOptions

GENERATOR = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
"""Channels by the size of images, in widths: of the map of 4x4, then of what each block gives."""
DISCRIMINATOR = {
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}
"""Channels that each block gives, by the size of images, in widths."""

_init = nn.initializers.orthogonal()


class UpBlock(nn.Module):
    """A block of the generator: `[B, H, W, in]`, c `[B, D]` or None -> `[B, 2 H, 2 W, features]`.

    Attributes:
      features: channels of the output.
      train: whether batch statistics are of this batch.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters are float32.
      kernel_init: initializer of all kernels.
    """

    features: int
    train: bool
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    kernel_init: Initializer = _init

    @nn.compact
    def __call__(self, x: Array, condition: Array | None) -> Array:
        y = upsample_nearest(self._activate(x, condition))
        y = self._activate(_conv(self, 3, "first")(y), condition)
        y = _conv(self, 3, "second")(y)
        return upsample_nearest(_conv(self, 1, "shortcut")(x)) + y

    def _activate(self, x: Array, condition: Array | None) -> Array:
        if condition is None:
            return nn.relu(BatchNorm(self.axis_name, self.dtype)(x, train=self.train))
        norm = ConditionalBatchNorm(self.axis_name, self.dtype, self.kernel_init)
        return nn.relu(norm(x, condition, train=self.train))


class DownBlock(ResidualBlock):
    """A block of the discriminator: a residual block whose kernels start by `kernel_init`."""

    kernel_init: Initializer = _init

    def _conv(self, size: int, name: str) -> Conv:
        return _conv(self, size, name)


def _conv(block: UpBlock | DownBlock, size: int, name: str) -> Conv:
    init, dtype = block.kernel_init, block.dtype
    return Conv(block.features, (size, size), dtype=dtype, kernel_init=init, name=name)


class BigGANGenerator(nn.Module):
    """Latents to images: a dense layer to 4x4 pixels, up blocks, a convolution, tanh.

    Attributes:
      shape: shape of one image, `(H, W, C)`.
      width: the unit of channels.
      normalization: "batch" alone: gains and biases are those of a batch normalization.
      num_classes: number of classes of a conditional generator; 0 for none. Blocks are then
        conditioned on the latent alone, and have a plain batch normalization where that is not
        hierarchical.
      attention: pixels a side of the map that self-attention follows; 0: none.
      hierarchical: give each block a chunk of the latent. Otherwise all of it makes the map of 4x4.
      shared_size: size of the label's embedding.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters and images are float32.
      remat: keep only what enters a block and compute the block again for its gradient.
      bounded: end in tanh; otherwise images are whatever the last layer gives.
      kernel_init: initializer of all kernels and of the embedding.

    Raises:
      ValueError: if an attribute is out of its range, above all the size of the image, or later the
        size of the latents.
    """

    shape: tuple[int, ...]
    width: int = 96
    normalization: Normalization = "batch"
    num_classes: int = 0
    attention: int = 0
    hierarchical: bool = True
    shared_size: int = 128
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    remat: bool = False
    bounded: bool = True
    kernel_init: Initializer = _init

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        if self.normalization != "batch":
            raise ValueError(
                f"BigGANGenerator has normalization={self.normalization!r}; allowed is 'batch', "
                "whose gains and biases its classes and latents give."
            )
        _check_attention(self.attention, generator_sizes(self.shape))

    @nn.compact
    def __call__(self, latents: Array, labels: Array | None = None, *, train: bool) -> Array:
        """Latents `[B, L]`, labels int32 `[B]` -> images `[B, H, W, C]`, float32 in [-1, 1]."""
        sizes = generator_sizes(self.shape)
        first, *rest = (self.width * multiple for multiple in GENERATOR[sizes[-1]])
        check_labels(labels, self.num_classes, len(latents))
        shared = []
        if labels is not None:
            size = self.shared_size
            shared = [embed_label(labels, self.num_classes, size, self.kernel_init)]
        chunks = [latents]
        if self.hierarchical:
            check_latent_size(latents.shape[1], self.shape)
            chunks = jnp.split(latents, len(sizes) + 1, axis=1)
        block = partial(
            nn.remat(UpBlock) if self.remat else UpBlock,
            train=train,
            axis_name=self.axis_name,
            dtype=self.dtype,
            kernel_init=self.kernel_init,
        )
        x = nn.DenseGeneral((4, 4, first), dtype=self.dtype, kernel_init=self.kernel_init)(
            chunks[0]
        )
        for i, features in enumerate(rest):
            parts = [*shared, *chunks[i + 1 : i + 2]]
            condition = jnp.concatenate(parts, axis=1) if parts else None
            x = block(features, name=f"UpBlock_{i}")(x, condition)
            if sizes[i] == self.attention:
                x = SelfAttention(self.dtype, kernel_init=self.kernel_init)(x)
        x = nn.relu(BatchNorm(self.axis_name, self.dtype)(x, train=train))
        x = Conv(self.shape[-1], (3, 3), dtype=self.dtype, kernel_init=self.kernel_init)(x)
        x = x.astype(jnp.float32)
        return jnp.tanh(x) if self.bounded else x


class BigGANDiscriminator(nn.Module):
    """Images to logits: residual blocks, ReLU, the sum over positions, a dense layer.

    Blocks halve the image to 4x4, and one more keeps its size; at 32x32 two halve it to 8x8 and two
    keep its size.

    Attributes:
      width: the unit of channels.
      normalization: "none", "batch" or "group", before each ReLU of the blocks but the first.
      dropout: probability of dropping an activation after a block while training (rng "dropout").
      num_classes: number of classes of a conditional discriminator; 0 for none.
      attention: pixels a side of the map that self-attention follows, the first of that size; 0:
        none.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters, the sum over positions and logits are float32.
      remat: keep only what enters a block and compute the block again for its gradient.
      groups: of group normalization; 0: chosen. 1 is layer normalization.
      outputs: numbers an image in place of a logit, as an encoder gives them; 0: a logit.
      with_features: give a dict of `logits` and `features`, of which the sum is taken.
      kernel_init: initializer of all kernels and of the embedding.

    Raises:
      ValueError: if an attribute is out of its range, or later the size of the images.
    """

    width: int = 96
    normalization: Normalization = "none"
    dropout: float = 0.0
    num_classes: int = 0
    attention: int = 0
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    remat: bool = False
    groups: int = 0
    outputs: int = 0
    with_features: bool = False
    kernel_init: Initializer = _init

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool
    ) -> Array | dict[str, Array]:
        """Images `[B, H, W, C]`, labels int32 `[B]` -> logits `[B]`, or `[B, outputs]`, float32."""
        sizes = discriminator_sizes(images.shape[1:])
        _check_attention(self.attention, sizes)
        block = partial(
            nn.remat(DownBlock) if self.remat else DownBlock,
            train=train,
            normalization=self.normalization,
            groups=self.groups,
            dropout=self.dropout,
            axis_name=self.axis_name,
            dtype=self.dtype,
            kernel_init=self.kernel_init,
        )
        x = images
        for i, multiple in enumerate(DISCRIMINATOR[images.shape[1]]):
            resample: Resample = "down" if sizes[i] < x.shape[1] else "none"
            features = self.width * multiple
            x = block(features, resample=resample, on_pixels=i == 0, name=f"DownBlock_{i}")(x)
            if sizes.index(sizes[i]) == i and sizes[i] == self.attention:
                x = SelfAttention(self.dtype, kernel_init=self.kernel_init)(x)
        hidden = nn.relu(x).astype(jnp.float32)
        x = jnp.sum(hidden, axis=(1, 2))
        if self.outputs:
            return nn.Dense(self.outputs, kernel_init=self.kernel_init)(x)
        logits = nn.Dense(1, kernel_init=self.kernel_init)(x)[:, 0]
        check_labels(labels, self.num_classes, len(x))
        if labels is not None:
            embedding = embed_label(labels, self.num_classes, x.shape[-1], self.kernel_init)
            logits += jnp.sum(embedding * x, axis=-1)
        return {"logits": logits, "features": hidden} if self.with_features else logits


def generator_sizes(shape: tuple[int, ...]) -> list[int]:
    """Pixels a side of what each block of the generator gives, for images `(H, W, C)`.

    Raises:
      ValueError: for images of another size.
    """
    size = _image_size(shape)
    return [4 << i for i in range(1, len(GENERATOR[size]))]


def discriminator_sizes(shape: tuple[int, ...]) -> list[int]:
    """Pixels a side of what each block of the discriminator gives, for images `(H, W, C)`.

    Raises:
      ValueError: for images of another size.
    """
    size = _image_size(shape)
    least = 8 if size == 32 else 4
    return [max(least, size >> i + 1) for i in range(len(DISCRIMINATOR[size]))]


def check_latent_size(latent_size: int, shape: tuple[int, ...]) -> None:
    """Raises a ValueError unless a hierarchical latent has equal chunks for images `(H, W, C)`."""
    slots = len(generator_sizes(shape)) + 1
    if latent_size % slots:
        below, above = latent_size // slots * slots, -(-latent_size // slots) * slots
        nearest = f"are {below} and {above}" if below else f"is {above}"
        raise ValueError(
            f"hierarchical latents for {shape[0]}x{shape[1]} pixels are cut into {slots} equal "
            f"chunks, which a latent of {latent_size} numbers (latent_size and codes) is not a "
            f"multiple of; the nearest allowed {nearest}."
        )


def latent_kernel(params: PyTree, latent_size: int) -> Array:
    """The weights that a hierarchical latent meets first, `[latent_size, n]`.

    A chunk's rows are those of the dense layer, or of its block's gains and biases, in columns of
    their own, where those of other chunks are 0: what one chunk changes, no other does. So
    directions found in them lie each in one chunk.

    Args:
      params: of a `BigGANGenerator` with hierarchical latents.
      latent_size: L, a multiple of the number of chunks.
    """
    dense = params["DenseGeneral_0"]["kernel"]
    size = len(dense)
    rows = [dense.reshape(size, -1)]
    for i in range(latent_size // size - 1):
        block = params[f"UpBlock_{i}"]
        kernels = [
            block[f"ConditionalBatchNorm_{norm}"][name]["kernel"][-size:]  # after the class
            for norm in (0, 1)
            for name in ("gain", "bias")
        ]
        rows.append(jnp.concatenate(kernels, axis=1))
    return jax.scipy.linalg.block_diag(*rows)


def _image_size(shape: tuple[int, ...]) -> int:
    size = shape[0]
    if len(shape) != 3 or shape[1] != size or size not in GENERATOR:
        *smaller, largest = (f"{allowed}x{allowed}" for allowed in GENERATOR)
        raise ValueError(
            f"BigGAN images (H, W, C) have {', '.join(smaller)} or {largest} pixels, but these are "
            f"of shape {tuple(shape)} (image_size resizes images)."
        )
    return size


def _check_attention(attention: int, sizes: list[int]) -> None:
    if attention and attention not in sizes:
        allowed = ", ".join(map(str, sorted(set(sizes))))
        raise ValueError(
            f"attention={attention}, and blocks give maps of {allowed} pixels a side; "
            "allowed are these, and 0 for none."
        )


def make_generator(
    options: "GeneratorOptions",
    shape: tuple[int, ...],
    num_classes: int = 0,
    bounded: bool = True,
) -> Network:
    """The family's generator, by the experiment's options; it recomputes block by block."""
    if options.hierarchical:
        check_latent_size(options.latent_size, shape)
    module = BigGANGenerator(
        *(shape, options.width, options.normalization, num_classes),
        attention=options.attention,
        hierarchical=options.hierarchical,
        shared_size=options.shared_size,
        dtype=jnp.dtype(options.dtype),
        remat=options.remat,
        bounded=bounded,
    )
    return from_linen(module)


def make_discriminator(
    options: "DiscriminatorOptions",
    shape: tuple[int, ...],
    num_classes: int = 0,
    outputs: int = 0,
    with_features: bool = False,
) -> Network:
    """The family's discriminator, by the experiment's options; it recomputes block by block."""
    _check_attention(options.attention, discriminator_sizes(shape))
    module = BigGANDiscriminator(
        *(options.width, options.normalization, options.dropout, num_classes),
        attention=options.attention,
        dtype=jnp.dtype(options.dtype),
        remat=options.remat,
        outputs=outputs,
        with_features=with_features,
    )
    return from_linen(module)
