"""The game of images in pairs, on networks that are worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import softplus

from jaxgan.games import Turn
from jaxgan.games.paired import Term, paired
from jaxgan.losses import non_saturating
from jaxgan.networks import Network, Variables

RNG = np.random.default_rng(0)
REAL = jnp.asarray(RNG.uniform(-1, 1, (2, 4, 4, 1)), jnp.float32)
CONDITION = jnp.asarray(RNG.uniform(-1, 1, (2, 4, 4, 1)), jnp.float32)
G, D = 0.5, 0.7
"""The generator is g · condition, the discriminator d · the mean of what it sees."""


def generated(variables, condition, *, train, key=None):
    image = variables.params * condition[..., :1]
    if train and key is not None and variables.state:
        image += jax.random.normal(key, image.shape)
    return image, variables.state


def scored(variables, images, *, train, key=None):
    return variables.params * images.mean((1, 2, 3)), variables.state


GENERATOR = Network(lambda key, condition: Variables(jnp.array(G), {}), generated)
DISCRIMINATOR = Network(lambda key, images: Variables(jnp.array(D), {}), scored)
L1 = Term(10.0, lambda images, truth, condition: jnp.abs(images - truth).mean())


def turn(condition=CONDITION):
    return Turn({"real": REAL, "condition": condition}, jax.random.key(0), jnp.array(0), {})


def sides_of(game, condition=CONDITION):
    return game.init(jax.random.key(1), {"real": REAL, "condition": condition})[0]


def game(discriminator=DISCRIMINATOR, **options):
    return paired(GENERATOR, discriminator, non_saturating, {"l1": L1}, **options)


def means(images, condition=None):
    """What the discriminator sees, on average over pixels and channels."""
    parts = [images] if condition is None else [condition, images]
    return np.concatenate(parts, axis=-1).mean((1, 2, 3))


@pytest.mark.parametrize("conditional", [True, False])
def test_the_losses_by_hand(conditional):
    made = game(conditional=conditional, adversarial_weight=3.0)
    beside = CONDITION if conditional else None
    fake = D * means(G * CONDITION, beside)
    real = D * means(REAL, beside)
    value, aux = made.move("generator").loss(sides_of(made), turn())
    l1 = np.abs(G * CONDITION - REAL).mean()
    np.testing.assert_allclose(aux.scalars["l1"], l1, rtol=1e-5)
    np.testing.assert_allclose(aux.scalars["adversarial"], softplus(-fake).mean(), rtol=1e-5)
    np.testing.assert_allclose(value, 10 * l1 + 3 * softplus(-fake).mean(), rtol=1e-5)
    value, aux = made.move("discriminator").loss(sides_of(made), turn())
    np.testing.assert_allclose(value, (softplus(-real) + softplus(fake)).mean(), rtol=1e-5)
    np.testing.assert_allclose(aux.scalars["real_logits"], real.mean(), rtol=1e-5)


def test_features_of_the_discriminator_match():
    """Its only hidden layer is d times what it is shown."""

    def featured(variables, images, *, train, key=None):
        logits, state = scored(variables, images, train=train, key=key)
        return {"logits": logits, "features": [variables.params * images]}, state

    made = game(DISCRIMINATOR._replace(apply=featured), feature_matching_weight=5.0)
    value, aux = made.move("generator").loss(sides_of(made), turn())
    shown = (np.concatenate([CONDITION, x], -1) for x in (REAL, G * CONDITION))
    expected = D * np.abs(np.subtract(*shown)).mean()
    np.testing.assert_allclose(aux.scalars["feature_matching"], expected, rtol=1e-5)
    plain = game()
    without, _ = plain.move("generator").loss(sides_of(plain), turn())
    np.testing.assert_allclose(value, without + 5 * expected, rtol=1e-5)
    judged, _ = made.move("discriminator").loss(sides_of(made), turn())
    np.testing.assert_allclose(judged, plain.move("discriminator").loss(sides_of(plain), turn())[0])
    missing = game(feature_matching_weight=5.0)
    with pytest.raises(ValueError, match="must give a dict of 'logits' and 'features', not logits"):
        missing.move("generator").loss(sides_of(missing), turn())


def test_without_a_discriminator_only_the_terms_count():
    made = game(None)
    assert [move.title for move in made.moves] == ["generator"]
    sides = sides_of(made)
    assert set(sides) == {"generator"}
    value, aux = made.move("generator").loss(sides, turn())
    assert set(aux.scalars) == {"l1"}
    np.testing.assert_allclose(value, 10 * aux.scalars["l1"])


def test_known_pixels_are_kept_and_the_hole_is_filled():
    mask = np.zeros((2, 4, 4, 1), np.float32)
    mask[:, 1:3, 1:3] = 1
    condition = jnp.concatenate([REAL * (1 - mask), mask], axis=-1)
    made = game(hole=True)
    image = made.sample(sides_of(made, condition)["generator"], condition)
    np.testing.assert_array_equal(image[:, 0], REAL[:, 0])
    np.testing.assert_array_equal(image[:, 1:3, 1:3], 0)  # g · the hole, which holds 0.

    def loss(g):
        side = {"generator": Variables(g, {}), "discriminator": Variables(jnp.array(D), {})}
        return made.move("generator").loss(side, turn(condition))[1].scalars["l1"]

    assert jax.grad(loss)(jnp.array(G)) == 0  # What is kept teaches nothing.


def test_the_discriminator_sees_through_the_window():
    made = game(conditional=False, window=lambda images: images[:, 1:3, 1:3])
    _, aux = made.move("discriminator").loss(sides_of(made), turn())
    expected = D * np.asarray(REAL[:, 1:3, 1:3]).mean()
    np.testing.assert_allclose(aux.scalars["real_logits"], expected, rtol=1e-5)


def test_a_penalty_is_given_what_the_discriminator_sees():
    def penalty(discriminator_fn, real, fake, turn):
        assert real.shape == fake.shape == (2, 4, 4, 2)
        return discriminator_fn(real).mean() + 1

    made = game(penalty=penalty)
    value, aux = made.move("discriminator").loss(sides_of(made), turn())
    plain = game()
    without, _ = plain.move("discriminator").loss(sides_of(plain), turn())
    np.testing.assert_allclose(aux.scalars["penalty"], aux.scalars["real_logits"] + 1, rtol=1e-5)
    np.testing.assert_allclose(value, without + aux.scalars["penalty"], rtol=1e-5)


def test_noise_applies_the_generator_as_in_training():
    made, side = game(), Variables(jnp.array(G), {"noisy": jnp.zeros(())})
    plain = made.sample(side, CONDITION)
    np.testing.assert_array_equal(plain, G * CONDITION)
    first, again, other = (made.sample(side, CONDITION, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, plain)
    assert not np.allclose(first, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adversarial_weight": -1.0}, "the weight of adversarial must be 0 or more, not -1"),
        ({"terms": {"l1": Term(-2.0, L1.of)}}, "the weight of l1 must be 0 or more, not -2"),
        (
            {"discriminator": None, "terms": {}},
            "a generator without a discriminator needs a term to learn from",
        ),
    ],
)
def test_games_that_cannot_be_are_refused(options, message):
    parts = {"discriminator": DISCRIMINATOR, "terms": {"l1": L1}} | options
    with pytest.raises(ValueError, match=message):
        paired(GENERATOR, parts.pop("discriminator"), non_saturating, **parts)


def test_sizes_that_do_not_fit_are_refused():
    small = CONDITION[:, ::2, ::2]
    with pytest.raises(ValueError, match=r"sees conditions of the images' size, not \[2, 2, 2, 1"):
        sides_of(game(), small)
    made = game(None)
    with pytest.raises(ValueError, match=r"makes images \[2, 2, 1\], and the data are \[4, 4, 1\]"):
        made.move("generator").loss(sides_of(made, small), turn(small))
    made = game(None, hole=True)
    with pytest.raises(ValueError, match=r"holes of images \[2, 4, 4, 0\] with images"):
        made.move("generator").loss(sides_of(made), turn())
