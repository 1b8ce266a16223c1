"""A mixture of Gaussians fitted by EM: one side, and a move that is an update."""

import math
from functools import partial
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import ndtr

from jaxgan.games.game import Aux, Game, Move, Sides, Turn, images_of
from jaxgan.keys import derive
from jaxgan.likelihoods import LOG_2_PI
from jaxgan.networks.network import Variables
from jaxgan.types import Array, Batch, Key, PyTree

SIDE = "mixture"
Covariance: TypeAlias = Literal["full", "tied", "diagonal"]
"""A covariance for each component, one for all, or for each one variance a number."""


def gaussian_mixture(
    components: int,
    *,
    shape: tuple[int, ...],
    covariance: Covariance = "full",
    floor: float = 1e-6,
    stepwise: float = 0.0,
) -> Game:
    """A mixture of K Gaussians, whose likelihood rises with every step of EM.

    An E-step gives each sample's responsibilities, in logarithms; an M-step makes of them weights,
    means and covariances. A component that holds no sample keeps what it was. It starts from means
    by k-means++ on the first batch, equal weights, and the covariance about the nearest mean, one
    for all: with the data's own covariance components that are far apart melt into each other.

    Stepwise EM takes a minibatch a step, and lets what the M-step is made of move by (t + 2)^-κ
    towards that of the batch. Plain EM, of all samples in every step, is what is proven to rise.

    Args:
      components: K.
      shape: of a sample; images are taken as vectors.
      covariance: "full", "tied" or "diagonal".
      floor: added to every variance, as scikit-learn's `reg_covar`: constant numbers, and
        components of one sample, have none.
      stepwise: κ, in (1/2, 1]; 0: plain EM.

    Returns:
      A game of the side `mixture`, with the params `weights` [K], `means` [K, D] and `covariances`
      [K, D, D], or `[K, D]` where diagonal. Batches hold `real` [B, *shape]. It logs
      `log_likelihood`, the mean over the batch under the mixture before the step, in nats. Its
      `sample(side, latents)` takes normal latents [N, D + 1]: the first number chooses a component.

    Raises:
      ValueError: for numbers out of range, and in `init` for fewer samples than components.

    References:
      Dempster et al., Maximum Likelihood from Incomplete Data via the EM Algorithm, 1977.
      Arthur & Vassilvitskii, k-means++: The Advantages of Careful Seeding, 2007.
      Liang & Klein, Online EM for Unsupervised Models, 2009.
    """
    if components < 1:
        raise ValueError(f"components must be 1 or more, not {components}")
    if floor <= 0:
        raise ValueError(f"floor must be positive, not {floor}")
    if stepwise and not 0.5 < stepwise <= 1:
        raise ValueError(f"stepwise must be 0 or in (1/2, 1], not {stepwise}")
    size = math.prod(shape)

    def vectors(batch: Batch) -> Array:
        return images_of(batch, "real").reshape(-1, size)

    def init(key: Key, batch: Batch) -> tuple[dict[str, Variables], PyTree]:
        samples = vectors(batch)
        if len(samples) < components:
            raise ValueError(
                f"{components} components need as many samples at least, and the first batch has "
                f"{len(samples)}: take fewer components, or a larger batch_size"
            )
        means = seeds(derive(key, "seeds"), samples, components)
        away = samples - means[jax.lax.map(partial(_distances, samples), means).argmin(axis=0)]
        if covariance == "diagonal":
            one = jnp.square(away).mean(axis=0) + floor
        else:
            one = away.T @ away / len(samples) + floor * jnp.eye(size, dtype=away.dtype)
        params = {
            "weights": jnp.full(components, 1 / components, samples.dtype),
            "means": means,
            "covariances": jnp.broadcast_to(one, (components, *one.shape)),
        }
        return {SIDE: Variables(params, {})}, {}

    def update(sides: Sides, turn: Turn) -> tuple[PyTree, Aux]:
        old, samples = sides[SIDE].params, vectors(turn.batch)
        joint = log_joint(old, samples)
        evidence = jax.nn.logsumexp(joint, axis=1)
        new = maximised(jnp.exp(joint - evidence[:, None]), samples, old, covariance, floor)
        if stepwise:
            new = _moved(old, new, (turn.step + 2.0) ** -stepwise, covariance)
        return new, Aux({}, turn.carry, {"log_likelihood": evidence.mean()})

    def sample(side: Variables, latents: Array) -> Array:
        params = side.params
        edges = jnp.cumsum(params["weights"])
        chosen = jnp.searchsorted(edges, ndtr(latents[:, 0]) * edges[-1])
        chosen = jnp.minimum(chosen, components - 1)
        noise, spread = latents[:, 1:], params["covariances"]
        if spread.ndim == 2:
            moved = jnp.sqrt(spread)[chosen] * noise
        else:
            moved = jnp.einsum("nij,nj->ni", jnp.linalg.cholesky(spread)[chosen], noise)
        return (params["means"][chosen] + moved).reshape(-1, *shape)

    return Game(init, (Move(SIDE, update=update),), sample, averaged=SIDE)


def seeds(key: Key, samples: Array, count: int) -> Array:
    """Means to start from, by greedy k-means++: each a sample, far ones with more probability.

    Of 2 + log K drawn at a time, as many as scikit-learn takes, the one is kept that leaves the
    least sum of squared distances to the nearest mean: the plain draw misses a cluster of 25 in
    one start of seven.

    Args:
      key: consumed.
      samples: `[N, D]`.
      count: K, at most N.

    Returns:
      `[K, D]`. Where all samples lie on those chosen before, any of them.
    """
    trials = 2 + int(math.log(count))
    first_key, key = jax.random.split(key)
    first = samples[jax.random.randint(first_key, (), 0, len(samples), jnp.int32)]

    def choose(distances: Array, key: Key) -> tuple[Array, Array]:
        logits = jnp.log(jnp.where(distances.max() > 0, distances, 1))
        drawn = samples[jax.random.categorical(key, logits, shape=(trials,))]
        left = jnp.minimum(distances, jax.lax.map(partial(_distances, samples), drawn))
        best = left.sum(axis=1).argmin()
        return left[best], drawn[best]

    distances = _distances(samples, first)
    _, others = jax.lax.scan(choose, distances, jax.random.split(key, count - 1))
    return jnp.concatenate([first[None], others])


def _distances(samples: Array, mean: Array) -> Array:
    return jnp.sum(jnp.square(samples - mean), axis=1)


def log_joint(params: PyTree, samples: Array) -> Array:
    """log w_k + log N(x_n; μ_k, Σ_k) of vectors `[N, D]`, as `[N, K]`."""

    def one(mean: Array, covariance: Array) -> Array:
        away = samples - mean
        if covariance.ndim == 1:
            scaled, log_root = away / jnp.sqrt(covariance), jnp.log(covariance).sum() / 2
        else:
            root = jnp.linalg.cholesky(covariance)
            scaled = solve_triangular(root, away.T, lower=True).T
            log_root = jnp.log(jnp.diag(root)).sum()
        return -(jnp.square(scaled).sum(axis=1) + samples.shape[1] * LOG_2_PI) / 2 - log_root

    # One component at a time: all at once would hold K copies of the samples.
    densities = jax.lax.map(lambda each: one(*each), (params["means"], params["covariances"]))
    weights = jnp.where(params["weights"] > 0, params["weights"], jnp.finfo(samples.dtype).tiny)
    return (jnp.log(weights)[:, None] + densities).T


def free_parameters(components: int, size: int, covariance: Covariance) -> int:
    """How many numbers of a mixture are free, as the BIC counts them."""
    triangle = size * (size + 1) // 2
    spread = {"full": components * triangle, "tied": triangle, "diagonal": components * size}
    return components - 1 + components * size + spread[covariance]


def maximised(
    shares: Array, samples: Array, old: PyTree, covariance: Covariance, floor: float
) -> PyTree:
    """The M-step: weights, means and covariances of responsibilities `[N, K]`.

    Components without a share keep their means and covariances.
    """
    counts = shares.sum(axis=0)
    alive = counts > 10 * jnp.finfo(counts.dtype).tiny
    safe = jnp.where(alive, counts, 1)
    means = jnp.where(alive[:, None], shares.T @ samples / safe[:, None], old["means"])

    def spread(share: Array, mean: Array) -> Array:
        away = samples - mean
        if covariance == "diagonal":
            return share @ jnp.square(away)
        return (share[:, None] * away).T @ away

    # One component at a time: all at once would hold K copies of the samples.
    sums = jax.lax.map(lambda each: spread(*each), (shares.T, means))
    size = means.shape[1]
    ground = floor * (1 if covariance == "diagonal" else jnp.eye(size, dtype=means.dtype))
    if covariance == "tied":
        covariances = jnp.broadcast_to(sums.sum(axis=0) / counts.sum() + ground, sums.shape)
    else:
        each = (slice(None), *[None] * (sums.ndim - 1))
        covariances = jnp.where(alive[each], sums / safe[each] + ground, old["covariances"])
    return {"weights": counts / counts.sum(), "means": means, "covariances": covariances}


def _moved(old: PyTree, new: PyTree, rate: Array, covariance: Covariance) -> PyTree:
    """The mixture with moments, weighted by shares, between those of an old and a new one."""
    weights = old["weights"] + rate * (new["weights"] - old["weights"])
    part = rate * new["weights"] / jnp.where(weights > 0, weights, 1)  # Of the new, in each.
    way = new["means"] - old["means"]
    means = old["means"] + part[:, None] * way
    if old["covariances"].ndim == 2:
        apart, part = jnp.square(way), part[:, None]
    else:
        apart, part = way[:, :, None] * way[:, None, :], part[:, None, None]
    mixed = old["covariances"] + part * (new["covariances"] - old["covariances"])
    mixed += part * (1 - part) * apart
    if covariance == "tied":
        mixed = jnp.broadcast_to(jnp.tensordot(weights, mixed, 1), mixed.shape)
    return {"weights": weights, "means": means, "covariances": mixed}
