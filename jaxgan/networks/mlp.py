"""Multilayer perceptrons like those of the first GAN (Goodfellow 2014), for images and for points.

Latents are `[B, L]`, samples images `[B, H, W, C]` in [-1, 1] or points `[B, D]` of any range.
Weights start as Linen's dense layers do, truncated normal of variance 1 / inputs. The paper's
discriminator had maxout units with dropout; LeakyReLU with optional dropout takes their place.

References:
  Goodfellow et al., Generative Adversarial Nets, 2014.
"""

import math
from typing import TYPE_CHECKING

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgan.layers.normalization import Normalization, named_norm
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.labels import append_label, project_label
from jaxgan.networks.network import Network
from jaxgan.networks.options import check_options
from jaxgan.types import Array

if TYPE_CHECKING:  # Options are of all families, and so above each.
    from jaxgan.networks.families import DiscriminatorOptions, GeneratorOptions


class MLPGenerator(nn.Module):
    """Latents to samples by hidden layers with ReLU.

    Attributes:
      shape: shape of one sample: `(H, W, C)`, which ends in tanh, or `(D,)`, which is linear.
      width: units of a hidden layer.
      depth: number of hidden layers.
      normalization: "none", "batch" or "group", before each ReLU.
      num_classes: number of classes of a conditional generator; 0 for none.
      label_features: size of the label's embedding, which is concatenated to the latent.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters are float32.
      bounded: end in tanh where samples are images.
    """

    shape: tuple[int, ...]
    width: int = 256
    depth: int = 2
    normalization: Normalization = "none"
    num_classes: int = 0
    label_features: int = 32
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    bounded: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)

    @nn.compact
    def __call__(self, latents: Array, labels: Array | None = None, *, train: bool) -> Array:
        """Latents `[B, L]`, labels int32 `[B]` -> samples `[B, *shape]`, float32."""
        x = append_label(
            latents, labels, num_classes=self.num_classes, features=self.label_features
        )
        for _ in range(self.depth):
            x = nn.Dense(self.width, dtype=self.dtype)(x)
            x = named_norm(
                x, self.normalization, train=train, axis_name=self.axis_name, dtype=self.dtype
            )
            x = nn.relu(x)
        x = nn.Dense(math.prod(self.shape), dtype=self.dtype)(x)
        x = x.reshape(-1, *self.shape).astype(jnp.float32)
        return jnp.tanh(x) if self.bounded and len(self.shape) == 3 else x


class MLPDiscriminator(nn.Module):
    """Samples to logits by hidden layers with LeakyReLU of slope .2.

    Attributes:
      width: units of a hidden layer.
      depth: number of hidden layers.
      normalization: "none", "batch" or "group", before each LeakyReLU but the first.
      dropout: probability of dropping an activation while training (rng "dropout").
      num_classes: number of classes of a conditional discriminator; 0 for none.
      axis_name: mapped axis of batch statistics under `pmap` or `shard_map`.
      dtype: dtype of the computation; parameters and logits are float32.
      outputs: numbers a sample in place of a logit, as an encoder gives them; 0: a logit.
      with_features: give a dict of `logits` and `features`, what the last layer reads.
    """

    width: int = 256
    depth: int = 2
    normalization: Normalization = "none"
    dropout: float = 0.0
    num_classes: int = 0
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    outputs: int = 0
    with_features: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)

    @nn.compact
    def __call__(
        self, images: Array, labels: Array | None = None, *, train: bool
    ) -> Array | dict[str, Array]:
        """Samples `[B, ...]`, labels int32 `[B]` -> logits `[B]`, or `[B, outputs]`, float32."""
        x = images.reshape(images.shape[0], -1)
        for i in range(self.depth):
            x = nn.Dense(self.width, dtype=self.dtype)(x)
            if i > 0:
                x = named_norm(
                    x, self.normalization, train=train, axis_name=self.axis_name, dtype=self.dtype
                )
            x = nn.leaky_relu(x, 0.2)
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = hidden = x.astype(jnp.float32)
        if self.outputs:
            return nn.Dense(self.outputs)(x)
        logits = nn.Dense(1)(x)[:, 0]
        logits += project_label(x, labels, num_classes=self.num_classes)
        return {"logits": logits, "features": hidden} if self.with_features else logits


def _check(network: MLPGenerator | MLPDiscriminator) -> None:
    check_options(network)
    if "instance" in network.normalization:
        raise ValueError(
            f"{type(network).__name__} has normalization={network.normalization!r}, which averages "
            "over the pixels of images; allowed are 'batch', 'group', 'none'."
        )


def make_generator(
    options: "GeneratorOptions",
    shape: tuple[int, ...],
    num_classes: int = 0,
    bounded: bool = True,
) -> Network:
    """The family's generator, by the experiment's options."""
    width, depth, dtype = options.width, options.depth, jnp.dtype(options.dtype)
    module = MLPGenerator(
        *(shape, width, depth, options.normalization, num_classes), dtype=dtype, bounded=bounded
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
    width, depth, dtype = options.width, options.depth, jnp.dtype(options.dtype)
    module = MLPDiscriminator(
        *(width, depth, options.normalization, options.dropout, num_classes),
        dtype=dtype,
        outputs=outputs,
        with_features=with_features,
    )
    return from_linen(module, remat=options.remat)
