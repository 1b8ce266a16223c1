"""How far images are from what they should be: pixel by pixel, or in what a network sees of them.

Losses of translation, reconstruction and inpainting, arrays in, scalar out. Images are
`[B, H, W, C]` in [-1, 1], but any two arrays of one shape will do. The weights (λ in the papers)
are the caller's.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgan.arrays import is_traced, weighted_mean, wide_type
from jaxgan.types import Array, Number, PyTree

__all__ = [
    "Difference",
    "cycle_consistency_loss",
    "feature_matching_loss",
    "identity_loss",
    "perceptual_loss",
    "reconstruction_loss",
]


def __dir__() -> list[str]:
    return __all__


Difference: TypeAlias = Literal["l1", "l2", "charbonnier"]

_LEAST_EPSILON = 1e-18


def cycle_consistency_loss(images: ArrayLike, reconstructed: ArrayLike) -> Array:
    """How far images are from themselves after a way there and back: E|reconstructed - images|.

    The mean over everything of one direction's absolute differences; the paper's loss is the sum
    over both directions, with λ = 10. Where the adversarial loss is `losses.least_squares`, whose
    generator's part has a ½ that the authors' lacks, their ratio is λ = 5. TF-GAN averages the two
    directions, so that its 10 is half of ours.

    Args:
      images: `[B, ...]`, of floating point.
      reconstructed: `[B, ...]`, the images translated to the other domain and back.

    Returns:
      A float32 scalar, 0 or more.

    Raises:
      ValueError: if the shapes differ or there are no numbers in them.

    References:
      Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
      2017 (arXiv:1703.10593), equation 2.
    """
    return _mean_absolute("images", images, "reconstructed", reconstructed)


def identity_loss(images: ArrayLike, mapped: ArrayLike) -> Array:
    """How far a generator changes images that are of its target domain already: E|mapped - images|.

    Keeps a generator from changing what need not be changed, such as tints. The paper has half the
    weight of its cycle loss on it, where it is used at all (its section 5.2, photographs from
    paintings). Both domains must have the same shape.

    Args:
      images: `[B, ...]`, of the domain that the generator translates to.
      mapped: `[B, ...]`, what the generator makes of them.

    Returns:
      A float32 scalar, 0 or more.

    Raises:
      ValueError: if the shapes differ or there are no numbers in them.

    References:
      Taigman et al., Unsupervised Cross-Domain Image Generation, 2017 (arXiv:1611.02200).
    """
    return _mean_absolute("images", images, "mapped", mapped)


def reconstruction_loss(
    images: ArrayLike,
    targets: ArrayLike,
    kind: Difference = "l1",
    *,
    epsilon: Number = 1e-3,
    weights: ArrayLike | None = None,
) -> Array:
    """How far images are from known right ones, pixel by pixel: the mean of ρ(image - target).

    ρ(d) is |d| for "l1", d² for "l2", and √(d² + ε²) for "charbonnier", which is smooth where l1
    has its corner. Its least value is ε and not 0.

    Means are over everything. A squared error that other code sums over an image is `H * W * C`
    times as large; and pixels are in [-1, 1], where l1 is twice and l2 four times that of [0, 1].

    Args:
      images: `[B, ...]`, of floating point.
      targets: the same shape.
      kind: "l1", "l2" or "charbonnier".
      epsilon: ε of "charbonnier", at least 1e-18, in units of pixels; may be traced. LapSRN's is
        1e-3.
      weights: of as many axes as the images, each of their length or of 1: `[B, H, W, 1]` weighs
        pixels, such as those of a hole. The mean is Σ w ρ / Σ w, and 0 where all weights are 0, so
        that a small hole counts as much as a large one. Code of inpainting mostly divides by all
        pixels, and what it masks counts the less the smaller it is.

    Returns:
      A float32 scalar, 0 or more where the weights are.

    Raises:
      ValueError: for another kind or ε, if the shapes differ or there are no numbers in them, or
        the weights do not fit.

    References:
      Pathak et al., Context Encoders: Feature Learning by Inpainting, 2016 (arXiv:1604.07379), of
      "l2" within a hole.
      Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017
      (arXiv:1611.07004), of "l1", with λ = 100.
      Lai et al., Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution, 2017
      (arXiv:1704.03915), of "charbonnier".
    """
    _check_kind(kind, get_args(Difference))
    if not is_traced(epsilon) and not _LEAST_EPSILON <= float(epsilon) < float("inf"):
        raise ValueError(
            f"epsilon of a Charbonnier loss must be finite and at least {_LEAST_EPSILON}, whose "
            f"square float32 still holds, not {epsilon}"
        )
    difference = _difference("images", images, "targets", targets)
    weights = _pixel_weights(weights, difference)
    if weights is not None:  # Here and not in the mean alone: 0 of NaN has no gradient then either.
        difference = jnp.where(weights == 0, 0, difference)
    if kind == "l1":
        values = _absolute(difference)
    elif kind == "l2":
        values = jnp.square(difference)
    else:
        values = jnp.sqrt(
            jnp.square(difference) + jnp.square(jnp.asarray(epsilon, difference.dtype))
        )
    return weighted_mean(values, weights)


def perceptual_loss(
    features: Callable[[Array], PyTree],
    images: ArrayLike,
    targets: ArrayLike,
    kind: Literal["l1", "l2"] = "l2",
) -> Array:
    """How far images are from known right ones in what a trained network sees of them.

    A layer's part is the mean of its features' squared differences ("l2") or absolute ones ("l1");
    the loss is the mean over layers, so that λ means the same for one as for several. Other code
    sums them, which is their number times as much. Layers are weighed by scaling what `features`
    gives::

        see = lambda x: vgg16_features(params, x, ["relu2_2", "relu3_3"])
        loss = perceptual_loss(see, images, targets)

    Johnson et al. take "l2" of one layer of VGG16. SRGAN has "l2" and features divided by 12.75, of
    VGG19 after the last activation; ESRGAN has "l1" before it. pix2pixHD's is a sum of "l1" over
    five layers with weights 1/32, 1/16, 1/8, 1/4 and 1. `networks.pretrained` has VGG16.

    Args:
      features: images to a pytree of arrays, the features of one layer a leaf.
      images: `[B, H, W, C]`; the gradient is theirs.
      targets: the same shape. Neither they nor their features take a gradient.
      kind: "l2" or "l1".

    Returns:
      A float32 scalar, 0 or more.

    Raises:
      ValueError: for another kind, if the shapes differ or there are no numbers in them, or there
        are no features or complex ones.

    References:
      Johnson et al., Perceptual Losses for Real-Time Style Transfer and Super-Resolution, 2016
      (arXiv:1603.08155), section 3.2.
      Ledig et al., Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
      Network, 2017 (arXiv:1609.04802), equation 5.
    """
    _check_kind(kind, ("l1", "l2"))
    images, targets = jnp.asarray(images), jnp.asarray(targets)
    _difference("images", images, "targets", targets)
    wanted = jax.lax.stop_gradient(features(jax.lax.stop_gradient(targets)))
    found = features(images)
    return _mean_over_layers(kind, "features of images", found, "features of targets", wanted)


def feature_matching_loss(real_features: PyTree, fake_features: PyTree) -> Array:
    """How far a discriminator's hidden layers tell fakes from the truth: a loss for generators.

    The mean over layers of each layer's mean absolute difference. Real and fake samples are pairs
    here, such as a photograph and what is made of its labels; where they are not, the loss of this
    name is one of means over the batch (Salimans et al., 2016) and another function.

    pix2pixHD's code weighs a discriminator's n + 1 hidden layers by 4 / (n + 1), sums over them and
    averages over discriminators; the logits are no layer. It is four times ours, so that its λ = 10
    is 40 here. The paper's equation sums over layers, and over discriminators too. Features of
    discriminators of several scales are one pytree; each layer of each counts alike.

    Args:
      real_features: a pytree of arrays, the features of one layer a leaf, of real samples. They
        take no gradient.
      fake_features: the same of the samples that a generator made in their place.

    Returns:
      A float32 scalar, 0 or more.

    Raises:
      ValueError: if the structures or the shapes differ, or there are no numbers in them, or
        complex ones.

    References:
      Wang et al., High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs,
      2018 (arXiv:1711.11585), equation 4.
    """
    real_features = jax.lax.stop_gradient(real_features)
    return _mean_over_layers("l1", "real_features", real_features, "fake_features", fake_features)


def _mean_over_layers(kind: str, name: str, tree: PyTree, other_name: str, other: PyTree) -> Array:
    """The mean over leaves of the mean difference, absolute or squared."""
    leaves, others = _leaves(tree), _leaves(other)
    alone = sorted(leaves.keys() ^ others.keys())
    if alone:
        raise ValueError(
            f"{name} and {other_name} must have one structure, but {alone[0] or 'an array itself'} "
            f"is in the {'first' if alone[0] in leaves else 'second'} alone"
        )
    if not leaves:
        raise ValueError(f"{name} and {other_name} must hold at least one array, not none")
    parts = []
    for path, leaf in leaves.items():
        difference = _difference(f"{name}{path}", leaf, f"{other_name}{path}", others[path])
        parts.append(jnp.mean(_absolute(difference) if kind == "l1" else jnp.square(difference)))
    return jnp.stack(parts).mean()


def _leaves(tree: PyTree) -> dict[str, ArrayLike]:
    """The leaves of a pytree by their paths."""
    return {
        jax.tree_util.keystr(path): leaf
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    }


def _pixel_weights(weights: ArrayLike | None, values: Array) -> Array | None:
    """The weights in the values' type; a ValueError unless they have their axes and broadcast."""
    if weights is None:
        return None
    weights = jnp.asarray(weights)
    fit = weights.ndim == values.ndim and all(
        mine in (1, theirs) for mine, theirs in zip(weights.shape, values.shape, strict=True)
    )
    if not fit or jnp.iscomplexobj(weights):
        raise ValueError(
            f"weights must be real numbers of as many axes as images {list(values.shape)}, each of "
            f"that length or 1, not {weights.dtype} {list(weights.shape)}"
        )
    return weights.astype(values.dtype)


def _check_kind(kind: str, allowed: tuple[str, ...]) -> None:
    if kind not in allowed:
        raise ValueError(f"kind of loss must be one of {', '.join(allowed)}, not {kind!r}")


def _mean_absolute(name: str, array: ArrayLike, other_name: str, other: ArrayLike) -> Array:
    return _absolute(_difference(name, array, other_name, other)).mean()


def _absolute(difference: Array) -> Array:
    """|d| with the gradient sign(d): 0 between equal numbers, where that of `jnp.abs` is 1."""
    return difference * jnp.sign(difference)


def _difference(name: str, array: ArrayLike, other_name: str, other: ArrayLike) -> Array:
    """One array less the other, in float32 at least."""
    array, other = jnp.asarray(array), jnp.asarray(other)
    if array.shape != other.shape or not array.size:
        raise ValueError(
            f"{name} and {other_name} must have one shape and hold something, not "
            f"{list(array.shape)} and {list(other.shape)}"
        )
    for one, values in ((name, array), (other_name, other)):
        if jnp.iscomplexobj(values):
            raise ValueError(f"{one} must be real numbers, not {values.dtype}")
    dtype = wide_type(array.dtype, other.dtype)
    return array.astype(dtype) - other.astype(dtype)
