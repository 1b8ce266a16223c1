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

CENTERS = np.array([[-2, 0], [2, 1]])


def log_joint(params, points):
    def of_one(weight, mean, covariance):
        return jnp.log(weight) + multivariate_normal.logpdf(points, mean, covariance)

    return jax.vmap(of_one)(params["weights"], params["means"], params["covariances"])


def mixture() -> Game:
    def init(key, batch):
        means = jax.random.normal(key, (2, 2))
        params = {"weights": jnp.full(2, 0.5), "means": means, "covariances": jnp.eye(2)[None] + means[:, :, None] * 0}
        return {"mixture": Variables(params, {})}, {}

    def expectation_maximisation(sides, turn):
        points, joint = turn.batch["real"], log_joint(sides["mixture"].params, turn.batch["real"])
        likelihood = jax.nn.logsumexp(joint, axis=0)
        shares = jnp.exp(joint - likelihood)
        counts = shares.sum(axis=1)
        means = shares @ points / counts[:, None]
        away = points - means[:, None]
        covariances = jnp.einsum("kn,kni,knj->kij", shares, away, away) / counts[:, None, None]
        params = {"weights": counts / len(points), "means": means, "covariances": covariances}
        return params, Aux({}, turn.carry, {"log_likelihood": likelihood.mean()})

    def sample(side, normals, labels=None):
        chosen = (norm.cdf(normals[:, 0]) > side.params["weights"][0]).astype(int)
        roots = jnp.linalg.cholesky(side.params["covariances"])[chosen]
        return side.params["means"][chosen] + jnp.einsum("nij,nj->ni", roots, normals[:, 1:])

    return Game(init, (Move("mixture", update=expectation_maximisation),), sample, "mixture")


@dataclass(frozen=True)
class MixtureExperiment(BaseExperiment):
    name: str = "mixture"

    def open_source(self, split: str = "train"):
        rng = np.random.default_rng(["train", "test"].index(split))
        points = CENTERS[rng.integers(2, size=200)] + 0.5 * rng.normal(size=(200, 2))
        return ArraySource("two gaussians", points)

    def make_game(self, spec) -> Game:
        return mixture()

    def inputs(self, spec) -> Inputs:
        return Inputs(draw=lambda key, count, _: (latent.draw_latents(key, count, 3),))


experiment = MixtureExperiment(batch_size=200, ema_decay=0.0)
