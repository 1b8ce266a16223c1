"""Latents: drawing them, walking between them, and directions in which samples change.

A latent is a vector `[L]`; every function takes and returns arrays and does no I/O. Pass a walk
through a generator's sampling function to see it as images.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgan.arrays import wide
from jaxgan.keys import own_rows
from jaxgan.types import Array, Key, PyTree

__all__ = [
    "DISTRIBUTIONS",
    "Prior",
    "attribute_direction",
    "draw_latents",
    "feature_directions",
    "latents_at",
    "linear",
    "loop",
    "prior",
    "spherical",
    "truncated",
    "weight_directions",
    "without",
]


def __dir__() -> list[str]:
    return __all__


DISTRIBUTIONS = ("normal", "uniform")
Prior: TypeAlias = Callable[[Key, int], PyTree]
"""`(key, count) -> latents`: arrays whose first axis is `count`. A smaller count must give the head
of a larger one, so that samples do not depend on how many are drawn. The key is consumed."""


def latents_at(key: Key, indices: ArrayLike, size: int, distribution: str = "normal") -> Array:
    """The latents with the given numbers in the endless row of latents that a key stands for.

    Latent `i` depends on `(key, i)` alone, so a long row may be drawn in batches of any size, on
    any number of devices, and is the same row.

    Args:
      key: a typed key that stands for the row: draw nothing else from it.
      indices: int32 `[B]`, at least 0, traced or not.
      size: `L`, the length of a latent.
      distribution: "normal", N(0, I), or "uniform", on [-1, 1).

    Returns:
      float32 `[B, L]`.

    Raises:
      ValueError: if `distribution` is unknown or `size` is below 1.
    """
    if distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"unknown latent distribution {distribution!r}; known are: {', '.join(DISTRIBUTIONS)}"
        )
    if size < 1:
        raise ValueError(f"the size of a latent must be at least 1, not {size}")

    def draw(index: Array) -> Array:
        own_key = jax.random.fold_in(key, index)
        if distribution == "normal":
            return jax.random.normal(own_key, (size,), jnp.float32)
        return jax.random.uniform(own_key, (size,), jnp.float32, minval=-1.0, maxval=1.0)

    return jax.vmap(draw)(jnp.asarray(indices, jnp.int32))


def draw_latents(key: Key, count: int, size: int, distribution: str = "normal") -> Array:
    """The first `count` latents of a key: `latents_at(key, arange(count), ...)`, `[count, L]`.

    A smaller count gives the head of a larger one. Of a `keys.key_of_rows` they are its rows.
    """
    return latents_at(*own_rows(key, count), size, distribution)


def prior(size: int, distribution: str = "normal") -> Prior:
    """The prior of latents `[L]`, each number drawn alike.

    Args:
      size: L.
      distribution: "normal", N(0, I), or "uniform", on [-1, 1).

    Raises:
      ValueError: when it draws, as `latents_at`.
    """
    return partial(draw_latents, size=size, distribution=distribution)


def truncated(latents: ArrayLike, limit: float) -> Array:
    """Normal latents as those of a normal distribution that is cut off at ±limit (BigGAN).

    Each number keeps its quantile: z becomes Φ⁻¹ of where Φ(z) lies between Φ(-limit) and Φ(limit).
    So a latent changes smoothly with the limit, and the large ones of a seed stay its large ones.
    BigGAN's code draws numbers anew until they are within: the same distribution, other latents.
    StyleGAN's truncation shrinks all of them towards the mean, which is another one.

    Args:
      latents: N(0, I), of any shape.
      limit: above 0. The smaller, the likelier each sample and the less they vary.

    Returns:
      The same shape, within [-limit, limit].

    Raises:
      ValueError: for a limit that is not above 0.

    References:
      Brock et al., Large Scale GAN Training for High Fidelity Natural Image Synthesis, 2019
      (arXiv:1809.11096), section 3.1.
    """
    if not limit > 0:
        raise ValueError(f"latents are truncated at a limit above 0, not {limit:g}")
    latents = wide(jnp.asarray(latents))
    root = jnp.sqrt(jnp.asarray(2, latents.dtype))
    share = jax.lax.erf(limit / root) * jax.lax.erf(latents / root)
    return jnp.clip(root * jax.lax.erf_inv(share), -limit, limit)


def linear(a: ArrayLike, b: ArrayLike, steps: int) -> Array:
    """The straight line from `a` to `b`: `(1 - t) a + t b`.

    The walk for uniform latents, whose cube is convex. Between two normal latents it passes through
    points much shorter than any the generator was trained with: see `spherical`.

    Args:
      a: where the walk starts, `[..., L]`.
      b: where it ends, `[..., L]`, the shape of `a`.
      steps: the number of points, both ends included; at least 2.

    Returns:
      `[steps, ..., L]`, whose first and last points are `a` and `b` exactly.

    Raises:
      ValueError: if the shapes differ or `steps` is below 2.
    """
    a, b, t, dtype = _walk(a, b, steps)
    return ((1 - t) * a + t * b).astype(dtype)


def spherical(a: ArrayLike, b: ArrayLike, steps: int) -> Array:
    """The arc from `a` to `b`: the direction turns at constant speed, the norm changes linearly.

    The norm of a normal latent of size L lies close to sqrt(L): within about 0.7 either side,
    whatever L is. The middle of a straight line between two of them has a norm near sqrt(L / 2),
    which a generator never saw. The arc keeps to the shell.

    With the unit vectors u of `a` and v of `b`, the angle θ between them, and w the unit vector
    along v - (u·v) u, the direction at t is `cos(tθ) u + sin(tθ) w`. This equals the textbook
    `(sin((1-t)θ) u + sin(tθ) v) / sin θ` but divides by nothing that vanishes: it goes over to
    the straight line for parallel vectors, and for opposite ones, which name no arc, it follows
    the straight line through 0.

    White applies the textbook form to `a` and `b` themselves; the two differ where their norms do,
    and there only this one keeps the norm between those of its ends.

    Args, Returns, Raises:
      As for `linear`.

    References:
      White, Sampling Generative Networks, 2016, https://arxiv.org/abs/1609.04468
    """
    a, b, t, dtype = _walk(a, b, steps)
    norm_a, norm_b = _norm(a), _norm(b)
    u, v = _divide(a, norm_a), _divide(b, norm_b)
    cosine = jnp.sum(u * v, axis=-1, keepdims=True)
    across = v - cosine * u
    across -= jnp.sum(u * across, axis=-1, keepdims=True) * u  # the first time left rounding
    sine = _norm(across)
    # arccos loses half its digits near 0 and π. Latents that are 0 have an angle of 0.
    angle = jnp.arctan2(sine, jnp.where((sine == 0) & (cosine == 0), 1, cosine))
    direction = jnp.cos(t * angle) * u + jnp.sin(t * angle) * _divide(across, sine)
    points = ((1 - t) * norm_a + t * norm_b) * direction
    free_of_rounding = jnp.where(t == 0, a, jnp.where(t == 1, b, points))
    return free_of_rounding.astype(dtype)


def loop(
    points: ArrayLike,
    steps: int,
    interpolate: Callable[[Array, Array, int], Array] = spherical,
) -> Array:
    """A closed walk through all points in turn and back to the first, for animations that repeat.

    Args:
      points: `[K, ..., L]`, at least 2; frame `k * steps` is point `k` exactly.
      steps: frames from one point to the next, at least 1.
      interpolate: `spherical` or `linear`, or any `(a, b, steps) -> [steps, ..., L]`.

    Returns:
      `[K * steps, ..., L]`. The first point is not repeated at the end: the frame after the last is
      the first.

    Raises:
      ValueError: if there are fewer than 2 points or `steps` is below 1.
    """
    points = jnp.asarray(points)
    if points.ndim < 2 or len(points) < 2:
        raise ValueError(
            f"a loop needs at least 2 latents as [K, ..., L], not shape {points.shape}"
        )
    if steps < 1:
        raise ValueError(f"a loop needs at least 1 step between two latents, not {steps}")
    legs = interpolate(points, jnp.roll(points, -1, axis=0), steps + 1)[:-1]
    return jnp.swapaxes(legs, 0, 1).reshape(-1, *points.shape[1:])


def _walk(a: ArrayLike, b: ArrayLike, steps: int) -> tuple[Array, Array, Array, jnp.dtype]:
    """Checks the ends of a walk, `[1, ..., L]` in float32 at least; returns them with the times,
    `[steps, 1, ..., 1]` in [0, 1], and the type that the walk will have."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    if a.shape != b.shape or a.ndim == 0:
        raise ValueError(f"a walk needs two latents of one shape, not {a.shape}, {b.shape}")
    if steps < 2:
        raise ValueError(f"a walk needs at least 2 steps, both ends included, not {steps}")
    dtype = jnp.promote_types(a.dtype, b.dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jnp.dtype(jnp.float32)
    a, b = (wide(end.astype(dtype))[None] for end in (a, b))
    t = jnp.linspace(0, 1, steps, dtype=a.dtype)
    return a, b, t.reshape(-1, *[1] * (a.ndim - 1)), dtype


def _norm(x: Array) -> Array:
    """The norm of each `[..., L]`, as `[..., 1]`, with the derivative 0 at 0."""
    squares = jnp.sum(x * x, axis=-1, keepdims=True)
    return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)


def _divide(x: Array, norm: Array) -> Array:
    """x / norm, and 0 where the norm is no more than rounding."""
    return jnp.where(norm < 1e-6, 0, x / jnp.maximum(norm, 1e-6))


def weight_directions(kernel: ArrayLike, count: int) -> Array:
    """The latent directions that change a generator's first layer most (SeFa).

    The first layer is linear, y = Aᵀz: a step along a unit vector n changes y by Aᵀn, whose length
    is largest for the left singular vectors of A. No sample is drawn and nothing is trained.

    Args:
      kernel: A, the weights that latents meet first, `[L, ...]`.
      count: from 1 to the smaller of L and the numbers that follow.

    Returns:
      `[count, L]` unit vectors, orthogonal, by falling singular value. The largest number of each
      is positive, for a singular vector has no sign.

    Raises:
      ValueError: for another shape or count.

    References:
      Shen & Zhou, Closed-Form Factorization of Latent Semantics in GANs, 2021 (arXiv:2007.06600).
    """
    kernel = wide(jnp.asarray(kernel))
    if kernel.ndim < 2:
        raise ValueError(f"a kernel must be [L, ...], not of shape {list(kernel.shape)}")
    flat = kernel.reshape(len(kernel), -1)
    _check_count(count, min(flat.shape))
    return _signed(jnp.linalg.svd(flat, full_matrices=False)[0].T[:count])


def feature_directions(latents: ArrayLike, features: ArrayLike, count: int) -> Array:
    """The latent directions along the principal components of what samples look like (GANSpace).

    Components of the features are found by singular value decomposition, and each sample's place
    along them is regressed on its latent, by least squares.

    Args:
      latents: `[N, L]`, N above L.
      features: `[N, D]`, of the samples made from them: pixels, or an early layer's activations,
        as the paper has it.
      count: from 1 to the smaller of N and D.

    Returns:
      `[count, L]` unit vectors, by falling variance of the component. They need not be orthogonal.

    Raises:
      ValueError: for other shapes or counts.

    References:
      Härkönen et al., GANSpace: Discovering Interpretable GAN Controls, 2020 (arXiv:2004.02546).
    """
    latents, features = wide(jnp.asarray(latents)), wide(jnp.asarray(features))
    if latents.ndim != 2 or features.ndim != 2 or len(latents) != len(features):
        raise ValueError(
            "latents and features must be [N, L] and [N, D] of the same samples, not "
            f"{list(latents.shape)} and {list(features.shape)}"
        )
    if len(latents) <= latents.shape[1]:
        raise ValueError(
            f"directions of {latents.shape[1]} numbers need more samples than {len(latents)}"
        )
    _check_count(count, min(features.shape))
    centred = features - features.mean(axis=0, keepdims=True)
    places, sizes, _ = jnp.linalg.svd(centred, full_matrices=False)
    places = places[:, :count] * sizes[None, :count]
    slopes = jnp.linalg.lstsq(latents - latents.mean(axis=0, keepdims=True), places)[0]
    return _signed(_divide(slopes.T, _norm(slopes.T)))


def attribute_direction(latents: ArrayLike, present: ArrayLike) -> Array:
    """The latent direction along which an attribute appears: the normal of a linear classifier.

    The classifier is scikit-learn's logistic regression with its own settings (an L2 penalty of
    weight 1). InterFaceGAN takes a linear support vector machine, whose normal differs little.

    Args:
      latents: `[N, L]`.
      present: booleans `[N]`, whether the attribute is in the sample; some of both.

    Returns:
      `[L]`, of length 1, towards where it is present.

    Raises:
      ValueError: for other shapes, an attribute that all or none have, or where scikit-learn is not
        installed (the extra `train`).

    References:
      Shen et al., Interpreting the Latent Space of GANs for Semantic Face Editing, 2020
      (arXiv:1907.10786).
    """
    latents, present = np.asarray(latents, np.float64), np.asarray(present, bool)
    if latents.ndim != 2 or present.shape != latents.shape[:1]:
        raise ValueError(
            "latents and what is present must be [N, L] and [N], not "
            f"{list(latents.shape)} and {list(present.shape)}"
        )
    if present.all() or not present.any():
        kind = "all" if present.any() else "none"
        raise ValueError(
            f"an attribute that {kind} of {len(present)} samples have has no direction"
        )
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ValueError(
            "directions of attributes need scikit-learn: `pip install jaxgan[train]`"
        ) from error
    normal = LogisticRegression(max_iter=1000).fit(latents, present).coef_[0]
    return jnp.asarray(normal / np.linalg.norm(normal), jnp.float32)


def without(direction: ArrayLike, others: ArrayLike) -> Array:
    """What is left of a direction without what it shares with others (InterFaceGAN's projection).

    Args:
      direction: `[L]`.
      others: `[K, L]`, of any lengths and angles.

    Returns:
      `[L]`, of length 1, orthogonal to all others.

    Raises:
      ValueError: for other shapes, or where nothing is left.
    """
    direction, others = wide(jnp.asarray(direction)), wide(jnp.asarray(others))
    if direction.ndim != 1 or others.ndim != 2 or others.shape[1:] != direction.shape:
        raise ValueError(
            "a direction and others must be [L] and [K, L], not "
            f"{list(direction.shape)} and {list(others.shape)}"
        )
    basis, _ = jnp.linalg.qr(others.T)
    left = direction - basis @ (basis.T @ direction)
    left = left - basis @ (basis.T @ left)  # The first time left rounding.
    if float(_norm(left)[0]) < 1e-4 * float(_norm(direction)[0]):
        raise ValueError(
            f"nothing is left of the direction without the {len(others)} others, which span it"
        )
    return _divide(left, _norm(left))


def _signed(directions: Array) -> Array:
    """Each direction with its largest number positive."""
    largest = jnp.take_along_axis(directions, jnp.abs(directions).argmax(1)[:, None], axis=1)
    return directions * jnp.where(largest < 0, -1, 1)


def _check_count(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ValueError(f"the number of directions must be from 1 to {most}, not {count}")
