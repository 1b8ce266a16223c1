"""How far images are from what they should still be: losses of translation, arrays in, scalar out.

Images are `[B, H, W, C]` in [-1, 1], but any two arrays of one shape will do. The weights (λ in
the paper) are the caller's.
"""

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgan.arrays import wide_type
from jaxgan.types import Array


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


def _mean_absolute(name: str, array: ArrayLike, other_name: str, other: ArrayLike) -> Array:
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
    return jnp.abs(array.astype(dtype) - other.astype(dtype)).mean()
