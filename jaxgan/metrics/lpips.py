"""Learned perceptual image patch similarity: how far apart two images look.

A network that was trained on ImageNet sees both images. In five of its layers the distance between
its features is weighed by channels, with weights that were fitted to people's judgments of which of
two distortions is the smaller. The distance is 0 for equal images and, in practice, below 1.

The network is of `networks.pretrained`, which says where its arrays come from; it needs the extra
`train`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgan.types import Array

if TYPE_CHECKING:  # The folder of networks imports Flax, which figures of merit do without.
    from jaxgan.networks.pretrained import Pretrained, Weights

_BLOCK = 2**17  # pixels of a set of images at a time; VGG16 takes half a gigabyte for as many
_EPSILON = 1e-10  # beside the length of a pixel's features
_ROUNDING = 1e-4  # beyond [-1, 1]: of means and interpolations whose weights do not quite sum to 1


def lpips(
    images_a: ArrayLike,
    images_b: ArrayLike,
    *,
    network: "Pretrained" = "alex",
    weights: "Weights | str | os.PathLike[str] | None" = None,
) -> Array:
    """The distance between the images of each pair, LPIPS version 0.1.

    "alex" is what its authors report distances by and call the best at telling which image is
    closer; "vgg" is what they advise for training, and what most tables of image synthesis mean.
    The two have no scale in common: name the network beside the figure. Code that hands in images
    of [0, 1], as the authors' does unless `normalize=True`, gets smaller distances.

    Pairs go through the network in blocks, so that any number of them fits into memory.

    Args:
      images_a: `[N, H, W, C]`, uint8 or floats in [-1, 1], C 1 or 3; at least 31 pixels along a
        side for "alex" and 16 for "vgg".
      images_b: of the same shape and type.
      network: "alex" or "vgg".
      weights: of `networks.pretrained.load_weights`, which spares reading them again, or the path
        of a file. The default is the file of the installed package.

    Returns:
      float32 `[N]`, 0 or more.

    Raises:
      ValueError: if the images are not as said or do not fit each other, or the weights are not
        there, cannot be read, or are of the other network.

    References:
      Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018
      (arXiv:1801.03924), equation 1.
    """
    from jaxgan.networks import pretrained

    a, b = _pair(images_a, images_b)
    if not isinstance(weights, pretrained.Weights):
        weights = pretrained.load_weights(network, weights)
    if pretrained.network_of(weights.params) != network:
        raise ValueError(
            f"weights must be those of network={network!r}, not of "
            f"{pretrained.network_of(weights.params)!r}"
        )
    block = max(1, _BLOCK // max(1, a.shape[1] * a.shape[2]))
    starts = range(0, max(1, len(a)), block)
    return jnp.concatenate(
        [_compiled(*weights, a[i : i + block], b[i : i + block]) for i in starts]
    )


def lpips_from(
    params: Mapping[str, Mapping[str, Array]], heads: Mapping[str, Array], a: Array, b: Array
) -> Array:
    """The distance as a pure function of all its arrays, for `jax.jit` and as a loss.

    Σ_l mean_hw Σ_c head_lc (â_lhwc - b̂_lhwc)², where features have unit length in every pixel.
    The gradient is finite where all features of a pixel are 0, as it is not in the authors' code.
    Products are taken in full float32 on every device.

    Args:
      params: of the network, as in `pretrained.Weights`.
      heads: of the same, whose names say which layers are compared.
      a: floats `[B, H, W, C]` in [-1, 1].
      b: of the same shape.

    Returns:
      float32 `[B]`; heads of the authors are not negative, and so the distance is not.

    Raises:
      ValueError: if the shapes differ or are not as `pretrained.vgg16_features` takes them.
    """
    from jaxgan.networks import pretrained

    if a.shape != b.shape:
        raise ValueError(f"a and b must have one shape, not {list(a.shape)} and {list(b.shape)}")
    vgg = pretrained.network_of(params) == "vgg"
    features_of = pretrained.vgg16_features if vgg else pretrained.alexnet_features
    with jax.default_matmul_precision("highest"):
        features = features_of(params, jnp.concatenate([a, b]), tuple(heads))
    distance = jnp.zeros(len(a), features[next(iter(heads))].dtype)
    for layer, head in heads.items():
        of_a, of_b = jnp.split(_unit(features[layer]), 2)
        distance += jnp.sum(jnp.mean(jnp.square(of_a - of_b), axis=(1, 2)) * head[None], axis=-1)
    return distance


_compiled = jax.jit(lpips_from)


def _unit(features: Array) -> Array:
    """Features of length 1 in every pixel, or of 0 where all are 0."""
    squares = jnp.sum(jnp.square(features), axis=-1, keepdims=True)
    nothing = squares == 0  # The root has no gradient there.
    length = jnp.where(nothing, 0, jnp.sqrt(jnp.where(nothing, 1, squares)))
    return features / (length + _EPSILON)


def _pair(images_a: ArrayLike, images_b: ArrayLike) -> tuple[Array, Array]:
    """Both sets of images, float32 in [-1, 1]."""
    a, b = jnp.asarray(images_a), jnp.asarray(images_b)
    if a.shape != b.shape or a.dtype != b.dtype or a.ndim != 4:
        raise ValueError(
            "images must be two sets of one shape [N, H, W, C] and one type, "
            f"not {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}"
        )
    return _floats(a), _floats(b)


def _floats(images: Array) -> Array:
    if images.dtype == jnp.uint8:
        return images.astype(jnp.float32) / 127.5 - 1
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(f"images must be uint8 or floats in [-1, 1], not {images.dtype}")
    images = images.astype(jnp.float32)
    if images.size and not isinstance(images, jax.core.Tracer):
        # By NumPy: XLA's least and largest of many numbers on a CPU pass over NaN.
        numbers = np.asarray(images)
        low, high = float(numbers.min()), float(numbers.max())
        if not -1 - _ROUNDING <= low <= high <= 1 + _ROUNDING:  # Of NaN no comparison is true.
            raise ValueError(
                f"images must be uint8 or floats in [-1, 1], not floats from {low:.4g} to "
                f"{high:.4g}"
            )
    return images
