"""Autoencoders, plain and variational: one side of an encoder and a decoder, and one move."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.games.game import Aux, Game, Move, Sides, Turn, images_of
from jaxgan.keys import derive
from jaxgan.likelihoods import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    importance_weighted,
    normal_kl,
    normal_log_density,
)
from jaxgan.networks.network import Network, Variables, join, run, start
from jaxgan.types import Array, Batch, Key, PyTree

SIDE = "autoencoder"


class Likelihood(NamedTuple):
    """How likely samples are, given what a decoder gives.

    Attributes:
      params: what is learnt of it, arrays by name.
      log_prob: `(params, outputs [B, ...], samples [B, ...]) -> [B]`, in nats.
      mean: `outputs -> samples`, the most likely ones.
    """

    params: PyTree
    log_prob: Callable[[PyTree, Array, Array], Array]
    mean: Callable[[Array], Array]


def _bernoulli(params: PyTree, outputs: Array, samples: Array) -> Array:
    return bernoulli_log_likelihood(outputs, samples)


def bernoulli() -> Likelihood:
    """Images in [-1, 1], each number a coin: `likelihoods.bernoulli_log_likelihood`."""
    return Likelihood({}, _bernoulli, jnp.tanh)


def gaussian(scale: float | None, *, bounded: bool = True) -> Likelihood:
    """Gaussian numbers of one standard deviation: `likelihoods.gaussian_log_likelihood`.

    Args:
      scale: the standard deviation; None: it is learnt, from 1 on.
      bounded: means are the tanh of the outputs, as images have them; otherwise the outputs.

    Raises:
      ValueError: for a scale that is not positive.
    """
    if scale is not None and scale <= 0:
        raise ValueError(f"the scale of a Gaussian must be positive, not {scale}")
    mean = jnp.tanh if bounded else _same

    def log_prob(params: PyTree, outputs: Array, samples: Array) -> Array:
        log_scale = params["log_scale"] if scale is None else jnp.log(scale)
        return gaussian_log_likelihood(mean(outputs), samples, log_scale)

    # NumPy's: a game is described without compiling anything.
    params = {"log_scale": np.zeros((), np.float32)} if scale is None else {}
    return Likelihood(params, log_prob, mean)


def _same(outputs: Array) -> Array:
    return outputs


def autoencoding(
    encoder: Network,
    decoder: Network,
    likelihood: Likelihood,
    *,
    latent_size: int,
    variational: bool = True,
    beta: float = 1.0,
) -> Game:
    """An autoencoder: what is encoded is decoded again, and should be likely.

    The variational one minimises, averaged over the batch,

        -E_q log p(x | z) + β KL(q(z | x) ‖ N(0, I)),    q(z | x) = N(mean(x), diag(variance(x))),

    with one z a sample; β = 1 is minus the bound of log p(x), in nats. The plain one has
    z = mean(x) and no KL: nothing says where its codes lie.

    Args:
      encoder: `apply(variables, samples, train, key)` gives `[B, 2 latent_size]`, means beside log
        variances; of a plain one `[B, latent_size]`.
      decoder: `apply(variables, latents, train, key)` gives outputs of the samples' shape.
      likelihood: `bernoulli()` or `gaussian(...)`.
      latent_size: numbers in a latent.
      variational: False: the plain autoencoder.
      beta: β, of the variational one.

    Returns:
      A game of the side `autoencoder`, a `join` of `encoder`, `decoder` and `likelihood`, whose
      batches hold `real` [B, ...]. Its `sample(side, latents)` decodes; of samples [B, ...] with
      "reconstruct" after them it encodes them first. It logs `reconstruction` (minus the log
      likelihood) and `kl_to_prior`, in nats a sample.

    Raises:
      ValueError: for a negative β.

    References:
      Kingma & Welling, Auto-Encoding Variational Bayes, 2014 (arXiv:1312.6114).
      Higgins et al., beta-VAE, 2017.
    """
    if beta < 0:
        raise ValueError(f"beta must be 0 or more, not {beta}")

    def init(key: Key, batch: Batch) -> tuple[dict[str, Variables], PyTree]:
        real = images_of(batch, "real")
        latents = jnp.zeros((len(real), latent_size), jnp.float32)
        side = {
            "encoder": start(encoder, "encoder", derive(key, "encoder"), real),
            "decoder": start(decoder, "decoder", derive(key, "decoder"), latents),
            "likelihood": Variables(likelihood.params, {}),
        }
        return {SIDE: join(side)}, {}

    def loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        side, real = sides[SIDE], images_of(turn.batch, "real")
        key = derive(turn.key, "encoder")
        codes, encoder_state = run(encoder, "encoder", side["encoder"], real, key=key)
        if variational:
            mean, log_variance = posterior(codes)
            latents = draw_latents(derive(turn.key, "posterior"), mean, log_variance)
            kl = normal_kl(mean, log_variance).mean()
        else:
            latents, kl = codes, None
        key = derive(turn.key, "decoder")
        outputs, decoder_state = run(decoder, "decoder", side["decoder"], latents, key=key)
        log_prob = likelihood.log_prob(side["likelihood"].params, outputs, real)
        reconstruction = -log_prob.mean()
        state = {"encoder": encoder_state, "decoder": decoder_state, "likelihood": {}}
        scalars = {"reconstruction": reconstruction}
        if kl is None:
            return reconstruction, Aux(state, turn.carry, scalars)
        return reconstruction + beta * kl, Aux(state, turn.carry, {**scalars, "kl_to_prior": kl})

    def sample(side: Variables, inputs: Array, way: str = "decode") -> Array:
        if way == "reconstruct":
            inputs = encode(encoder, side, inputs, variational=variational)[0]
        return likelihood.mean(run(decoder, "decoder", side["decoder"], inputs, train=False)[0])

    return Game(init, (Move(SIDE, loss),), sample, averaged=SIDE)


def posterior(codes: Array) -> tuple[Array, Array]:
    """The means and log variances `[B, L]` in what a variational encoder gives, `[B, 2 L]`."""
    mean, log_variance = jnp.split(codes, 2, axis=-1)
    return mean, log_variance


def encode(
    encoder: Network, side: Variables, samples: Array, *, variational: bool = True
) -> tuple[Array, Array | None]:
    """The means of samples' latents, and their log variances where the encoder gives some."""
    codes, _ = run(encoder, "encoder", side["encoder"], samples, train=False)
    return posterior(codes) if variational else (codes, None)


def draw_latents(key: Key, mean: Array, log_variance: Array) -> Array:
    """Latents `[B, L]` of the posterior that `posterior` describes. Consumes the key."""
    noise = jax.random.normal(key, mean.shape, mean.dtype)
    return mean + jnp.exp(log_variance / 2) * noise


def bounds(
    encoder: Network, decoder: Network, likelihood: Likelihood, *, count: int
) -> Callable[[Variables, Array, Key], tuple[Array, Array]]:
    """Makes the function that bounds log p(x) from below, for evaluation.

    Args:
      encoder: of a variational autoencoder.
      decoder: its decoder.
      likelihood: its likelihood.
      count: K, the latents drawn for each sample.

    Returns:
      `(side, samples [B, ...], key) -> ([B], [B])`: the variational bound, with the KL in closed
      form and the likelihood averaged over all K latents, and the importance-weighted bound of K,
      both in nats.
    """

    def of(side: Variables, samples: Array, key: Key) -> tuple[Array, Array]:
        mean, log_variance = encode(encoder, side, samples)
        assert log_variance is not None

        def one(key: Key) -> tuple[Array, Array]:
            latents = draw_latents(key, mean, log_variance)
            outputs, _ = run(decoder, "decoder", side["decoder"], latents, train=False)
            log_prob = likelihood.log_prob(side["likelihood"].params, outputs, samples)
            prior = normal_log_density(latents)
            return log_prob, log_prob + prior - normal_log_density(latents, mean, log_variance)

        log_prob, log_weights = jax.lax.map(one, jax.random.split(key, count))
        return log_prob.mean(0) - normal_kl(mean, log_variance), importance_weighted(log_weights)

    return of
