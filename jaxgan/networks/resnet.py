"""The residual generator and discriminator of WGAN-GP (Gulrajani 2017, for CIFAR-10).

Images are `[B, H, W, C]` in [-1, 1], of the sizes that a DCGAN takes: `m * 2**k` pixels a side with
m from 4 to 7. All layers are `width` channels wide. A block is

    shortcut(x) + conv(relu(norm(conv(relu(norm(x))))))

with 3x3 convolutions. An up block repeats pixels before its first convolution, a down block
averages squares of 2x2 after its second; the shortcut is then a 1x1 convolution and the same
resizing, and x itself otherwise. The two of them may change places, so the shortcut is computed at
the lower resolution: the paper's values at a quarter of the work. For the same reason the paper's
"optimised" first block of the discriminator differs from a down block only in that it has no
normalization, and no ReLU on the pixels.

Weights start as in the authors' code: uniform, of variance 4 / (fan_in + fan_out) in the 3x3
convolutions of blocks and half of that elsewhere; biases, also before a normalization, are 0.

Where other code differs: Miyato 2018 *sums* over positions at the end of the discriminator, where
the mean is taken here as in the paper, and doubles the channels of later blocks for larger images.
The authors' discriminator can have layer normalization, which is "group" with one group. Their
conditional form has class-conditional batch normalization and an auxiliary classifier; this one
appends the label to the latent and projects it on the features, as `jaxgan.networks.dcgan` does.

References:
  Gulrajani et al., Improved Training of Wasserstein GANs, 2017 (arXiv:1704.00028), appendix.
  Miyato et al., Spectral Normalization for GANs, 2018 (arXiv:1802.05957).
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.conv import Conv
from jaxgan.layers.normalization import Normalization, named_norm
from jaxgan.layers.resample import average_pool, upsample_nearest
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.dcgan import doublings
from jaxgan.networks.labels import append_label, project_label
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.types import Array

if TYPE_CHECKING:  # Options are of all families, and so above each.
    from jaxgan.networks.families import DiscriminatorOptions, GeneratorOptions

Resample: TypeAlias = Literal["up", "down", "none"]

_init = nn.initializers.glorot_uniform()
_he_init = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")


class ResidualBlock(nn.Module):
    """One block, `[B, H, W, in]` -> `[B, H', W', features]`, see the module.

    Attributes:
      features: channels of the output.
      train: whether batch statistics are of this batch, and activations are dropped.
      resample: "up" doubles height and width, "down" halves them, "none" keeps them.
      on_pixels: leave out normalizations and the first ReLU: the first block of a discriminator.
      normalization: "batch", "group" or "none", before each ReLU.
      dropout: probability of dropping an activation of the output while training (rng "dropout").
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters are float32.
      groups: of group normalization; 0: chosen.
    """

    features: int
    train: bool
    resample: Resample = "none"
    on_pixels: bool = False
    normalization: Normalization = "none"
    dropout: float = 0.0
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    groups: int = 0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = x if self.on_pixels else self._activate(x)
        if self.resample == "up":
            y = upsample_nearest(y)
        y = self._activate(self._conv(3, "first")(y))
        y = self._conv(3, "second")(y)
        if self.resample == "down":
            x, y = average_pool(x), average_pool(y)
        if self.resample != "none" or x.shape[-1] != self.features:
            x = self._conv(1, "shortcut")(x)
        if self.resample == "up":
            x = upsample_nearest(x)
        return nn.Dropout(self.dropout, deterministic=not self.train)(x + y)

    def _conv(self, size: int, name: str) -> Conv:
        init = _init if size == 1 else _he_init
        return Conv(self.features, (size, size), dtype=self.dtype, kernel_init=init, name=name)

    def _activate(self, x: Array) -> Array:
        kind = "none" if self.on_pixels else self.normalization
        options: dict[str, Any] = {"axis_name": self.axis_name, "dtype": self.dtype}
        x = named_norm(x, kind, train=self.train, groups=self.groups, **options)
        return nn.relu(x)


class ResNetGenerator(nn.Module):
    """Latents to images: a dense layer to 4 to 7 pixels a side, up blocks, a convolution, tanh.

    Attributes:
      shape: shape of one image, `(H, W, C)`.
      width: channels of every layer.
      normalization: "batch", "group" or "none", before each ReLU.
      num_classes: number of classes of a conditional generator; 0 for none.
      label_features: size of the label's embedding, which is concatenated to the latent.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters and images are float32.
      remat: keep only what enters a block and compute the block again for its gradient.
      groups: of group normalization; 0: chosen. 1 is layer normalization.
      bounded: end in tanh; otherwise images are whatever the last layer gives.

    Raises:
      ValueError: if an attribute is out of its range, above all the size of the image.
    """

    shape: tuple[int, ...]
    width: int = 128
    normalization: Normalization = "batch"
    num_classes: int = 0
    label_features: int = 32
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    remat: bool = False
    groups: int = 0
    bounded: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        doublings(self.shape, "ResNet")

    @nn.compact
    def __call__(self, latents: Array, labels: Array | None = None, *, train: bool) -> Array:
        """Latents `[B, L]`, labels int32 `[B]` -> images `[B, H, W, C]`, float32 in [-1, 1]."""
        height, width, channels = self.shape
        k = doublings(self.shape, "ResNet")
        block = partial(
            nn.remat(ResidualBlock) if self.remat else ResidualBlock,
            self.width,
            train,
            "up",
            normalization=self.normalization,
            groups=self.groups,
            axis_name=self.axis_name,
            dtype=self.dtype,
        )
        x = append_label(
            latents, labels, num_classes=self.num_classes, features=self.label_features
        )
        base = (height >> k, width >> k, self.width)
        x = nn.DenseGeneral(base, dtype=self.dtype, kernel_init=_init)(x)
        for i in range(k):
            x = block(name=f"ResidualBlock_{i}")(x)  # named, for `nn.remat` changes the default
        x = named_norm(
            x,
            self.normalization,
            train=train,
            groups=self.groups,
            axis_name=self.axis_name,
            dtype=self.dtype,
        )
        x = Conv(channels, (3, 3), dtype=self.dtype, kernel_init=_init)(nn.relu(x))
        x = x.astype(jnp.float32)
        return jnp.tanh(x) if self.bounded else x


class ResNetDiscriminator(nn.Module):
    """Images to logits: down blocks, two plain blocks, ReLU, mean over positions, a dense layer.

    Down blocks halve the shorter side until it is nearest to 8 pixels, at least once: two of them
    at 32x32, as in the paper.

    Batch normalization makes the logit of an image depend on the batch it is in, against which a
    gradient penalty has no meaning: take "group" or "none" there.

    Attributes:
      width: channels of every layer.
      normalization: "none", "batch" or "group", before each ReLU of the blocks but the first.
      dropout: probability of dropping an activation after a block while training (rng "dropout").
      num_classes: number of classes of a conditional discriminator; 0 for none.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters, the mean over positions and logits are float32.
      remat: keep only what enters a block and compute the block again for its gradient.
      groups: of group normalization; 0: chosen. 1 is layer normalization.
      outputs: numbers an image in place of a logit, as an encoder gives them; 0: a logit.
      with_features: give a dict of `logits` and `features`, of which the mean is taken.

    Raises:
      ValueError: if an attribute is out of its range, or later the size of the images.
    """

    width: int = 128
    normalization: Normalization = "none"
    dropout: float = 0.0
    num_classes: int = 0
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    remat: bool = False
    groups: int = 0
    outputs: int = 0
    with_features: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool
    ) -> Array | dict[str, Array]:
        """Images `[B, H, W, C]`, labels int32 `[B]` -> logits `[B]`, or `[B, outputs]`, float32."""
        block = partial(
            nn.remat(ResidualBlock) if self.remat else ResidualBlock,
            self.width,
            train,
            normalization=self.normalization,
            groups=self.groups,
            dropout=self.dropout,
            axis_name=self.axis_name,
            dtype=self.dtype,
        )
        x = images
        down = down_blocks(images.shape[1:])
        for i in range(down + 2):
            resample: Resample = "down" if i < down else "none"
            x = block(resample, on_pixels=i == 0, name=f"ResidualBlock_{i}")(x)
        hidden = nn.relu(x).astype(jnp.float32)
        x = jnp.mean(hidden, axis=(1, 2))
        if self.outputs:
            return nn.Dense(self.outputs, kernel_init=_init)(x)
        logits = nn.Dense(1, kernel_init=_init)(x)[:, 0]
        logits += project_label(x, labels, num_classes=self.num_classes)
        return {"logits": logits, "features": hidden} if self.with_features else logits


def down_blocks(shape: tuple[int, ...]) -> int:
    """How often a discriminator halves images `(H, W, C)`: to about 8 pixels, at least once.

    Raises:
      ValueError: see `jaxgan.networks.dcgan.doublings`.
    """
    k = doublings(shape, "ResNet")
    shorter = min(shape[:2]) >> k  # 4 to 7, twice which is 8 to 14
    return max(1, k - 1) if shorter <= 5 else k


def make_generator(
    options: "GeneratorOptions",
    shape: tuple[int, ...],
    num_classes: int = 0,
    bounded: bool = True,
) -> Network:
    """The family's generator, by the experiment's options; it recomputes block by block."""
    width, dtype = options.width, jnp.dtype(options.dtype)
    return from_linen(
        ResNetGenerator(
            *(shape, width, options.normalization, num_classes),
            dtype=dtype,
            remat=options.remat,
            bounded=bounded,
        )
    )


def make_discriminator(
    options: "DiscriminatorOptions",
    shape: tuple[int, ...],
    num_classes: int = 0,
    outputs: int = 0,
    with_features: bool = False,
) -> Network:
    """The family's discriminator, by the experiment's options; it recomputes block by block."""
    width, dtype = options.width, jnp.dtype(options.dtype)
    module = ResNetDiscriminator(
        width,
        options.normalization,
        options.dropout,
        num_classes,
        dtype=dtype,
        remat=options.remat,
        outputs=outputs,
        with_features=with_features,
    )
    return from_linen(module)
