"""A mixture of two Gaussians in the plane, fitted by EM: one side, and a move that is an update."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import multivariate_normal, norm

from jaxgan import latent
from jaxgan.data import ArraySource
from jaxgan.experiment import BaseExperiment, Inputs
from jaxgan.games import Aux, Game, Move
from jaxgan.networks import Variables


def expectation_maximisation(sides, turn):
    old, points = sides["mixture"].params, turn.batch["real"]
    densities = jax.vmap(multivariate_normal.logpdf, (None, 0, 0))
    joint = jnp.log(old["weights"])[:, None] + densities(points, old["means"], old["covariances"])
    likelihood = jax.nn.logsumexp(joint, axis=0)
    shares = jnp.exp(joint - likelihood)
    counts = shares.sum(axis=1)
    means = shares @ points / counts[:, None]
    away = points - means[:, None]
    covariances = jnp.einsum("kn,kni,knj->kij", shares, away, away) / counts[:, None, None]
    new = {"weights": counts / len(points), "means": means, "covariances": covariances}
    return new, Aux({}, turn.carry, {"log_likelihood": likelihood.mean()})


def init(key, batch):
    means, covariances = jax.random.normal(key, (2, 2)), jnp.stack([jnp.eye(2)] * 2)
    params = {"weights": jnp.full(2, 0.5), "means": means, "covariances": covariances}
    return {"mixture": Variables(params, {})}, {}


def sample(side, normals):
    chosen = (norm.cdf(normals[:, 0]) > side.params["weights"][0]).astype(int)
    roots = jnp.linalg.cholesky(side.params["covariances"])[chosen]
    return side.params["means"][chosen] + jnp.einsum("nij,nj->ni", roots, normals[:, 1:])


@dataclass(frozen=True)
class MixtureExperiment(BaseExperiment):
    def open_source(self, split: str = "train"):
        rng, centers = np.random.default_rng(len(split)), np.array([[-2, 0], [2, 1]])
        points = centers[rng.integers(2, size=200)] + 0.5 * rng.normal(size=(200, 2))
        return ArraySource("two gaussians", points)

    def make_game(self, spec) -> Game:
        return Game(init, (Move("mixture", update=expectation_maximisation),), sample, "mixture")

    def inputs(self, spec) -> Inputs:
        return Inputs(draw=lambda key, count, _: (latent.draw_latents(key, count, 3),))


experiment = MixtureExperiment(name="mixture", batch_size=200, ema_decay=0.0)
