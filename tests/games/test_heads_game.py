"""What players pay for classes and codes, on a game that is worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import log_softmax, softplus

from jaxgan import codes
from jaxgan.codes import Codes
from jaxgan.games import Turn, adversarial
from jaxgan.games.heads import auxiliary_classifier, recognised_codes
from jaxgan.keys import derive
from jaxgan.losses import non_saturating
from jaxgan.networks import Network, Variables

RNG = np.random.default_rng(0)
REAL = jnp.asarray(RNG.uniform(-1, 1, (6, 3)), jnp.float32)
LABELS = jnp.array([0, 1, 2, 0, 1, 2])
CODES = Codes((2,), 1)
MATRIX = jnp.asarray(RNG.normal(size=(3, 4)), jnp.float32)
G, D = 0.5, 0.7

GENERATOR = Network(
    lambda key, latents, labels: Variables(jnp.array(G), {}),
    lambda variables, latents, labels, *, train, key=None: (
        variables.params * latents[:, -3:],
        variables.state,
    ),
)
DISCRIMINATOR = Network(
    lambda key, images, labels: Variables(jnp.array(D), {}),
    lambda variables, images, labels, *, train, key=None: (
        {
            "logits": variables.params * images.mean(-1),
            "classes": variables.params * images,
            "codes": variables.params * images @ MATRIX[:, :3],
        },
        variables.state,
    ),
)


def turn():
    return Turn({"real": REAL, "label": LABELS}, jax.random.key(0), jnp.array(0), {})


def game(**options):
    prior = codes.prior(2, CODES)
    return adversarial(GENERATOR, DISCRIMINATOR, non_saturating, prior=prior, **options)


def losses_of(made):
    sides, _ = made.init(jax.random.key(1), turn().batch)
    return {name: made.move(name).loss(sides, turn()) for name in ("discriminator", "generator")}


def latents_and_fakes():
    latents = codes.prior(2, CODES)(derive(turn().key, "latent"), 6)
    return latents, G * latents[:, -3:]


def cross_entropy(images):
    return -np.take_along_axis(np.asarray(log_softmax(D * images)), LABELS[:, None], 1).mean()


@pytest.mark.parametrize("fakes", [True, False])
def test_an_auxiliary_classifier_by_hand(fakes):
    head = auxiliary_classifier(2.0, 0.5, fakes=fakes)
    with_head = losses_of(game(conditional=True, heads={"class": head}))
    _, fake = latents_and_fakes()
    discriminator, generator = with_head["discriminator"], with_head["generator"]
    paid = 2 * (cross_entropy(REAL) + (cross_entropy(fake) if fakes else 0))
    np.testing.assert_allclose(discriminator[1].scalars["discriminator_class"], paid, rtol=1e-5)
    np.testing.assert_allclose(
        generator[1].scalars["generator_class"], 0.5 * cross_entropy(fake), rtol=1e-5
    )
    logits = D * np.asarray(fake).mean(-1)
    expected = softplus(-logits).mean() + 0.5 * cross_entropy(fake)
    np.testing.assert_allclose(generator[0], expected, rtol=1e-5)


def test_recognised_codes_by_hand():
    made = losses_of(game(heads={"code": recognised_codes(CODES, 2.0, 0.5)}))
    latents, fake = latents_and_fakes()
    outputs = D * fake @ MATRIX[:, :3]
    one_hot, number = np.asarray(latents[:, 2:4]), np.asarray(latents[:, 4])
    entropy = -(one_hot * np.asarray(log_softmax(outputs[:, :2]))).sum(-1).mean()
    expected = 2 * entropy + 0.5 * np.square(number - outputs[:, 2]).mean() / 2
    for player in ("discriminator", "generator"):
        np.testing.assert_allclose(made[player][1].scalars[f"{player}_code"], expected, rtol=1e-5)


def test_both_players_learn_to_show_and_to_recognise():
    """The head's gradient reaches the generator's parameters and the discriminator's."""
    made = game(heads={"code": recognised_codes(CODES, 1.0, 1.0)})
    sides, _ = made.init(jax.random.key(1), turn().batch)
    for player in ("discriminator", "generator"):

        def paid(params, player=player):
            side = {**sides, player: Variables(params, {})}
            return made.move(player).loss(side, turn())[1].scalars[f"{player}_code"]

        step = 1e-2
        slope = jax.grad(paid)(sides[player].params)
        ends = (paid(sides[player].params + sign * step) for sign in (1, -1))
        np.testing.assert_allclose(slope, np.subtract(*map(float, ends)) / (2 * step), rtol=1e-2)
        assert abs(slope) > 1e-3


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="generator_weight must be 0 or more, not -1"):
        auxiliary_classifier(1.0, -1.0)
    with pytest.raises(ValueError, match="continuous_weight must be 0 or more, not -2"):
        recognised_codes(CODES, 1.0, -2.0)
    with pytest.raises(ValueError, match="needs labels: take a conditional game"):
        losses_of(game(heads={"class": auxiliary_classifier()}))
