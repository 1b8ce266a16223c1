"""The game of an encoder, a decoder and a discriminator, on networks worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import softplus

from jaxgan import latent
from jaxgan.games import Turn
from jaxgan.games.vae_gan import vae_gan
from jaxgan.keys import derive
from jaxgan.losses import non_saturating
from jaxgan.networks import Network, Variables

REAL = jnp.array([[1.0], [2.0], [-1.0]])
PARAMS = {"a": 0.5, "d": 2.0, "w": 0.7, "f": 3.0}
"""q(z | x) = N(a x, e⁻¹), G(z) = d z, logits w x, features f x."""
GAMMA, BETA = 0.25, 2.0
NOISE = jax.random.normal(derive(jax.random.key(0), "posterior"), (3, 1))
LATENTS = latent.prior(1)(derive(jax.random.key(0), "latent"), 3)
"""What is drawn in a turn of key 0."""


def linear(judged=lambda p, x: {"logits": p["w"] * x[:, 0], "features": p["f"] * x}):
    def encode(variables, samples, *, train, key=None):
        mean = variables.params["a"] * samples
        return jnp.concatenate([mean, jnp.full_like(mean, -1.0)], -1), variables.state

    def decode(variables, latents, *, train, key=None):
        return variables.params["d"] * latents, variables.state

    def judge(variables, samples, *, train, key=None):
        return judged(variables.params, samples), variables.state

    def init(*names):
        return lambda key, inputs: Variables({name: jnp.array(PARAMS[name]) for name in names}, {})

    return Network(init("a"), encode), Network(init("d"), decode), Network(init("w", "f"), judge)


def game(**options):
    options = {"feature_weight": GAMMA, "beta": BETA} | options
    return vae_gan(*linear(), non_saturating, latent_size=1, **options)


def turn():
    return Turn({"real": REAL}, jax.random.key(0), jnp.array(0), {})


def sides_of(made):
    return made.init(jax.random.key(1), {"real": REAL})[0]


def parts(a, d, w, f):
    """Everything that the three losses are made of, by hand."""
    mean = a * REAL
    again, fake = d * (mean + np.exp(-0.5) * NOISE), d * LATENTS
    real_logits, again_logits, fake_logits = (w * x[:, 0] for x in (REAL, again, fake))
    return {
        "feature_error": (jnp.square(f * (REAL - again)) / 2).sum(-1).mean(),
        "kl_to_prior": ((np.exp(-1) + 1 - 1 + mean**2) / 2).sum(-1).mean(),
        "adversarial": (softplus(-again_logits).mean() + softplus(-fake_logits).mean()) / 2,
        "discriminator": softplus(-real_logits).mean()
        + (softplus(again_logits).mean() + softplus(fake_logits).mean()) / 2,
    }


def test_what_is_logged():
    made = game()
    _, aux = made.move("autoencoder").loss(sides_of(made), turn())
    by_hand = parts(**PARAMS)
    for name in ("feature_error", "kl_to_prior", "adversarial"):
        np.testing.assert_allclose(aux.scalars[name], by_hand[name], rtol=1e-5, err_msg=name)
    value, aux = made.move("discriminator").loss(sides_of(made), turn())
    np.testing.assert_allclose(value, by_hand["discriminator"], rtol=1e-5)
    np.testing.assert_allclose(aux.scalars["real_logits"], 0.7 * REAL.mean(), rtol=1e-5)
    np.testing.assert_allclose(aux.scalars["fake_logits"], 1.4 * LATENTS.mean(), rtol=1e-5)


def test_each_network_descends_its_own_loss():
    """The encoder is not told what fools, the decoder's features weigh γ, and the discriminator's
    features are not trained by what they measure."""
    made = game()
    sides = sides_of(made)

    def gradients(side):
        def loss(params):
            own = Variables(params, sides[side].state)
            return made.move(side).loss({**sides, side: own}, turn())[0]

        return jax.grad(loss)(sides[side].params)

    def expected(name, value):
        return jax.grad(lambda x: value(parts(**PARAMS | {name: x})))(PARAMS[name])

    found = gradients("autoencoder")
    encoders = expected("a", lambda of: of["feature_error"] + BETA * of["kl_to_prior"])
    decoders = expected("d", lambda of: GAMMA * of["feature_error"] + of["adversarial"])
    np.testing.assert_allclose(found["encoder"]["a"], encoders, rtol=1e-5)
    np.testing.assert_allclose(found["decoder"]["d"], decoders, rtol=1e-5)
    found = gradients("discriminator")
    judges = expected("w", lambda of: of["discriminator"])
    np.testing.assert_allclose(found["w"], judges, rtol=1e-5)
    assert found["f"] == 0


def test_a_penalty_is_added_to_the_discriminators_loss():
    def penalty(discriminator_fn, real, fake, turn):
        np.testing.assert_allclose(fake, 2 * LATENTS, rtol=1e-6)
        return discriminator_fn(real).sum() + 10

    plain, made = game(), game(penalty=penalty)
    value, aux = made.move("discriminator").loss(sides_of(made), turn())
    without, _ = plain.move("discriminator").loss(sides_of(plain), turn())
    np.testing.assert_allclose(aux.scalars["penalty"], 0.7 * 2 + 10, rtol=1e-6)
    np.testing.assert_allclose(value, without + aux.scalars["penalty"], rtol=1e-6)


def test_samples_are_decoded_and_may_be_encoded_first():
    made = game()
    side = sides_of(made)["autoencoder"]
    np.testing.assert_allclose(made.sample(side, REAL), 2 * REAL)
    np.testing.assert_allclose(made.sample(side, REAL, "reconstruct"), 2 * 0.5 * REAL)


@pytest.mark.parametrize("name", ["beta", "feature_weight"])
def test_negative_weights_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be 0 or more, not -1"):
        game(**{name: -1})


@pytest.mark.parametrize(
    ("judged", "kind"),
    [(lambda p, x: x[:, 0], "ArrayImpl"), (lambda p, x: {"logits": x[:, 0]}, r"\['logits'\]")],
)
def test_a_discriminator_without_features_is_refused(judged, kind):
    made = vae_gan(*linear(judged), non_saturating, latent_size=1)
    with pytest.raises(ValueError, match=f"dict of 'logits' and 'features', not {kind}"):
        made.move("discriminator").loss(sides_of(made), turn())
