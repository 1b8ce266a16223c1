"""The game of an encoder and a decoder, on networks that are worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from jaxgan.games import Turn
from jaxgan.games.autoencoding import autoencoding, bernoulli, bounds, gaussian
from jaxgan.keys import derive
from jaxgan.likelihoods import bernoulli_log_likelihood
from jaxgan.networks import Network, Variables, join
from jaxgan.training import init_state, make_train_step

REAL = jnp.array([[1.0], [2.0], [-1.0]])
A, LOG_VARIANCE, D = 0.5, -1.0, 2.0
"""q(z | x) = N(x/2, e⁻¹) and p(x | z) = N(2 z, scale²)."""


def linear(variational=True):
    def encode(variables, samples, *, train, key=None):
        mean = variables.params["a"] * samples
        variance = jnp.full_like(mean, LOG_VARIANCE)
        codes = jnp.concatenate([mean, variance], -1) if variational else mean
        return codes, variables.state

    def decode(variables, latents, *, train, key=None):
        return variables.params["d"] * latents, variables.state

    return (
        Network(lambda key, samples: Variables({"a": jnp.array(A)}, {}), encode),
        Network(lambda key, latents: Variables({"d": jnp.array(D)}, {}), decode),
    )


def made(likelihood=None, *, variational=True, beta=1.0):
    likelihood = likelihood or gaussian(1.0, bounded=False)
    return autoencoding(
        *(*linear(variational), likelihood), latent_size=1, variational=variational, beta=beta
    )


def turn(seed=0):
    return Turn({"real": REAL}, jax.random.key(seed), jnp.array(0), {})


def loss_of(game, seed=0):
    sides, _ = game.init(jax.random.key(1), {"real": REAL})
    return game.move("autoencoder").loss(sides, turn(seed))


def test_the_plain_loss_is_minus_the_log_likelihood():
    value, aux = loss_of(made(variational=False))  # 2 · x/2 = x: nothing is lost.
    np.testing.assert_allclose(value, np.log(2 * np.pi) / 2, rtol=1e-6)
    assert set(aux.scalars) == {"reconstruction"}


@pytest.mark.parametrize("beta", [1.0, 0.0, 4.0])
def test_the_variational_loss_by_hand(beta):
    value, aux = loss_of(made(beta=beta))
    noise = jax.random.normal(derive(jax.random.key(0), "posterior"), (3, 1))
    latents = REAL / 2 + np.exp(LOG_VARIANCE / 2) * noise
    reconstruction = -scipy.stats.norm.logpdf(REAL, 2 * latents, 1).mean()
    kl = ((np.exp(LOG_VARIANCE) - LOG_VARIANCE - 1 + np.square(REAL / 2)) / 2).mean()
    np.testing.assert_allclose(aux.scalars["reconstruction"], reconstruction, rtol=1e-5)
    np.testing.assert_allclose(aux.scalars["kl_to_prior"], kl, rtol=1e-5)
    np.testing.assert_allclose(value, reconstruction + beta * kl, rtol=1e-5)


def test_bounds_lie_below_the_evidence_and_rise_with_the_latents_drawn():
    """p(x) = ∫ N(z; 0, 1) N(x; 2 z, 1) dz = N(x; 0, 5), and q is not the posterior."""
    side = join(
        {
            "encoder": Variables({"a": jnp.array(A)}, {}),
            "decoder": Variables({"d": jnp.array(D)}, {}),
            "likelihood": Variables({}, {}),
        }
    )
    evidence = scipy.stats.norm.logpdf(REAL[:, 0], 0, 5**0.5)
    found = {}
    for count in (1, 2000):
        of = bounds(*linear(), gaussian(1.0, bounded=False), count=count)
        found[count] = jax.jit(of)(side, REAL, jax.random.key(0))
    bound, weighted = found[2000]
    # E_q log p(x | z) = -½ (d² v + (x - d m)²) - ½ log 2π, with d = 2, v = e⁻¹ and d m = x.
    expected = -(4 * np.exp(LOG_VARIANCE) + np.log(2 * np.pi)) / 2
    expected = expected - (np.exp(LOG_VARIANCE) - LOG_VARIANCE - 1 + np.square(REAL[:, 0] / 2)) / 2
    np.testing.assert_allclose(bound, expected, atol=0.1)
    assert (weighted > bound + 0.05).all()
    np.testing.assert_allclose(weighted, evidence, atol=0.05)


def test_samples_are_decoded_and_may_be_encoded_first():
    game = made()
    sides, _ = game.init(jax.random.key(1), {"real": REAL})
    side = sides["autoencoder"]
    np.testing.assert_allclose(game.sample(side, REAL), D * REAL)
    np.testing.assert_allclose(game.sample(side, REAL, "reconstruct"), D * A * REAL)
    bounded = made(gaussian(1.0))
    np.testing.assert_allclose(bounded.sample(side, REAL), np.tanh(D * REAL), rtol=1e-6)


def test_the_scale_may_be_learnt():
    """Residuals of the plain autoencoder with d = 2, a = .5 are 0: the scale shrinks."""
    game = made(gaussian(None, bounded=False), variational=False)
    optimizers = {"autoencoder": optax.sgd(0.1)}
    state = init_state(game, optimizers, {"real": REAL}, jax.random.key(0))
    step = make_train_step(game, optimizers)
    state, _ = step(state, {"real": REAL}, jax.random.key(0))
    log_scale = state.params["autoencoder"]["likelihood"]["log_scale"]
    np.testing.assert_allclose(log_scale, -0.1, rtol=1e-6)  # The slope of log σ is 1.


def test_the_bernoulli_of_images():
    value, _ = loss_of(made(bernoulli(), variational=False))
    np.testing.assert_allclose(value, -bernoulli_log_likelihood(REAL, REAL).mean(), rtol=1e-6)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="beta must be 0 or more, not -1"):
        made(beta=-1)
    with pytest.raises(ValueError, match=r"scale of a Gaussian must be positive, not -0\.5"):
        gaussian(-0.5)
    with pytest.raises(ValueError, match="is uint8"):
        made().init(jax.random.key(0), {"real": REAL.astype(jnp.uint8)})
