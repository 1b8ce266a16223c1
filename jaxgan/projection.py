"""From an image back to a latent whose sample comes close to it.

A generator has no inverse; the latent is found by descending the distance between its sample and
the image. Near images were learnt, perhaps by heart: how much nearer training images can be reached
than images that training did not see says which.

References:
  Creswell & Bharath, Inverting the Generator of a Generative Adversarial Network, 2016
  (arXiv:1611.05644). Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020
  (arXiv:1912.04958), appendix D, for the falling learning rate.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from jaxgan.types import Array

Generate: TypeAlias = Callable[[Array], Array]
"""`latents [B, L] -> images [B, H, W, C]` in [-1, 1]."""
Distance: TypeAlias = Callable[[Array, Array], Array]
"""`(images, targets) -> [B]`."""


class Projection(NamedTuple):
    """What was found for each image.

    Attributes:
      latents: `[B, L]`.
      images: their samples, `[B, H, W, C]`.
      distances: of the samples from the images, `[B]`.
    """

    latents: Array
    images: Array
    distances: Array


def squared_error(images: Array, targets: Array) -> Array:
    """The mean over an image's numbers of the squared difference, `[B]`."""
    return jnp.square(images - targets).mean(tuple(range(1, images.ndim)))


def project(
    generate: Generate,
    targets: Array,
    start: Array,
    *,
    steps: int = 500,
    learning_rate: float = 0.05,
    distance: Distance = squared_error,
    prior_weight: float = 0.0,
) -> Projection:
    """Descends from a latent for each image, by Adam at a rate that falls linearly to 0.

    Each image has a descent of its own; the nearest sample on the way is kept, so a result is never
    worse than its start.

    Args:
      generate: the generator.
      targets: images `[B, H, W, C]` in [-1, 1].
      start: latents `[B, L]`, such as those of `nearest`.
      steps: of Adam (.9, .999), 1 or more.
      learning_rate: at the first.
      distance: what is descended; differentiable.
      prior_weight: adds this times the mean square of a latent's numbers, so that a normal latent
        stays likely; 0 goes nearest.

    Returns:
      Latents, their samples and distances.

    Raises:
      ValueError: for fewer steps than 1, or as many latents as there are not images.
    """
    if steps < 1:
        raise ValueError(f"a projection takes 1 step or more, not {steps}")
    if len(start) != len(targets):
        raise ValueError(f"there must be a latent an image, not {len(start)} for {len(targets)}")
    optimizer = optax.adam(optax.linear_schedule(learning_rate, 0.0, steps))

    def loss(latents: Array) -> tuple[Array, Array]:
        distances = distance(generate(latents), targets)
        prior = jnp.square(latents).mean(-1)
        return (distances + prior_weight * prior).sum(), distances

    def step(_: int, carry: tuple) -> tuple:
        latents, state, best, least = carry
        gradients, distances = jax.grad(loss, has_aux=True)(latents)
        nearer = distances < least
        best = jnp.where(nearer[:, None], latents, best)
        updates, state = optimizer.update(gradients, state)
        return latents + updates, state, best, jnp.minimum(distances, least)

    @jax.jit
    def descend(latents: Array) -> Projection:
        nothing_yet = jnp.full(len(latents), jnp.inf)
        carry = latents, optimizer.init(latents), latents, nothing_yet
        last, _, best, least = jax.lax.fori_loop(0, steps, step, carry)
        # The last update's latents have not been looked at.
        distances = loss(last)[1]
        best = jnp.where((distances < least)[:, None], last, best)
        images = generate(best)
        return Projection(best, images, distance(images, targets))

    return descend(jnp.asarray(start, jnp.float32))


def nearest(
    generate: Generate,
    targets: Array,
    latents: Array,
    *,
    distance: Distance = squared_error,
    block: int = 100,
) -> Projection:
    """The nearest of many samples to each image.

    Args:
      generate: the generator.
      targets: images `[B, H, W, C]` in [-1, 1].
      latents: `[N, L]`, N above 0.
      distance: as of `project`.
      block: samples in memory at a time.

    Returns:
      The nearest samples with their latents and distances, a row an image.

    Raises:
      ValueError: where there are no latents.
    """
    if not len(latents):
        raise ValueError("the nearest of 0 samples cannot be found")

    @jax.jit
    def to_all(some: Array) -> Array:
        images = generate(some)
        return jax.lax.map(
            lambda target: distance(images, jnp.broadcast_to(target, images.shape)), targets
        )

    blocks = [to_all(latents[i : i + block]) for i in range(0, len(latents), block)]
    distances = jnp.concatenate(blocks, axis=1)
    rows = distances.argmin(axis=1)
    found = latents[rows]
    return Projection(found, jax.jit(partial(generate))(found), distances.min(axis=1))
