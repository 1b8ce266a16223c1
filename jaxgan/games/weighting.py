"""How much an adversarial loss weighs beside a reconstruction loss: by the length of gradients.

    generator loss = reconstruction + λ adversarial,    λ = ‖∇reconstruction‖ / (‖∇adversarial‖ + ε)

with gradients of the last layer of the generator or decoder alone, where both losses arrive over
one and the same path. There both terms then pull equally hard, whatever their units.

References:
  Esser et al., Taming Transformers for High-Resolution Image Synthesis (VQGAN), 2021
  (arXiv:2012.09841), equation 7.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgan.arrays import floating, is_traced, wide
from jaxgan.types import Array, Number, PyTree


def adaptive_weight(
    reconstruction_gradient: PyTree,
    adversarial_gradient: PyTree,
    *,
    largest: Number = 1e4,
    epsilon: Number = 1e-4,
) -> Array:
    """λ = ‖reconstruction gradient‖ / (‖adversarial gradient‖ + ε), at most `largest`.

    A constant to the gradient. The authors' code multiplies λ by a further factor, such as 0.8, and
    takes 0 in its place until a step from which the discriminator counts; both are the caller's:

        jnp.where(turn.step < start, 0, 0.8 * adaptive_weight(...))

    Under `pmap` and `shard_map` gradients are of the device's own rows: average both with
    `jax.lax.pmean` before, or λ differs between devices.

    Args:
      reconstruction_gradient: of the reconstruction loss, perceptual terms included, with respect
        to the last layer: a pytree of arrays. The norm is over all of them. The authors take the
        kernel alone, without its bias.
      adversarial_gradient: the same of the generator's adversarial loss, unweighted.
      largest: positive; the weight where the adversarial gradient vanishes.
      epsilon: ε, positive.

    Returns:
      λ, a float32 scalar in [0, largest].

    Raises:
      ValueError: if the gradients are of different layers, hold no array or one that is not
        floating point, or a number is not positive.
    """
    for name, number in (("largest", largest), ("epsilon", epsilon)):
        if not is_traced(number) and not number > 0:
            raise ValueError(f"{name} of an adaptive weight must be positive, not {number}")
    shapes = [jax.tree.map(jnp.shape, g) for g in (reconstruction_gradient, adversarial_gradient)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "reconstruction_gradient and adversarial_gradient must be of one layer, but have the "
            f"shapes {shapes[0]} and {shapes[1]}"
        )
    above = _norm(reconstruction_gradient, "reconstruction_gradient")
    below = _norm(adversarial_gradient, "adversarial_gradient")
    weight = above / (below + jnp.asarray(epsilon, below.dtype))
    return jax.lax.stop_gradient(jnp.minimum(weight, jnp.asarray(largest, weight.dtype)))


def balanced(
    reconstruction_fn: Callable[[PyTree], Array],
    adversarial_fn: Callable[[PyTree], Array],
    last_layer: PyTree,
    *,
    largest: Number = 1e4,
    epsilon: Number = 1e-4,
) -> Array:
    """`adaptive_weight` of two losses, as functions of the last layer's parameters alone.

        def images_of(last):
            return decode({**params, "Conv_3": {**params["Conv_3"], "kernel": last}}, latents)

        weight = balanced(
            lambda last: jnp.abs(images_of(last) - real).mean(),
            lambda last: loss.generator(discriminator_fn(images_of(last))),
            params["Conv_3"]["kernel"],
        )

    It may stand within a loss that is differentiated itself. In a compiled step the passes that
    both functions and the loss have in common are merged.

    Args:
      reconstruction_fn: `last layer -> scalar`, the reconstruction loss.
      adversarial_fn: `last layer -> scalar`, the generator's adversarial loss, unweighted.
      last_layer: its parameters, a pytree of arrays, where both gradients are taken.
      largest: as `adaptive_weight`.
      epsilon: as `adaptive_weight`.

    Returns:
      λ, a float32 scalar in [0, largest], a constant to the gradient.

    Raises:
      ValueError: as `adaptive_weight`.
    """
    gradients = [jax.grad(loss)(last_layer) for loss in (reconstruction_fn, adversarial_fn)]
    return adaptive_weight(*gradients, largest=largest, epsilon=epsilon)


def _norm(gradient: PyTree, name: str) -> Array:
    """The length of a pytree as one vector, in float32 at least."""
    leaves = jax.tree_util.tree_leaves_with_path(gradient)
    if not leaves:
        raise ValueError(f"{name} must hold at least one array, and this {type(gradient)} has none")
    squares = [
        jnp.sum(jnp.square(wide(floating(leaf, name + jax.tree_util.keystr(path)))))
        for path, leaf in leaves
    ]
    return jnp.sqrt(sum(squares[1:], start=squares[0]))
