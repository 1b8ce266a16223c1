"""The adversarial game, on networks small enough to work out by hand.

Generator: every sample is `a + label`. Discriminator: logits are `w x + 10 label`. Both count the
passes they make in training.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.games import Game, Turn, adversarial
from jaxgan.keys import derive
from jaxgan.latent import draw_latents
from jaxgan.networks import Network, Variables

A, W = 2.0, 3.0
REAL = jnp.array([[1.0], [2.0], [3.0], [6.0]])  # Mean 3.
LABELS = jnp.array([0, 1, 1, 2])  # Mean 1.
GENERATOR = Variables({"a": jnp.array(A)}, {"passes": jnp.array(0)})
DISCRIMINATOR = Variables({"w": jnp.array(W)}, {"passes": jnp.array(0)})


def counted(variables: Variables, train: bool) -> dict:
    return {"passes": variables.state["passes"] + 1} if train else variables.state


def make_generator(seen: list | None = None) -> Network:
    def init(key, latents, labels):
        return GENERATOR

    def apply(variables, latents, labels, *, train, key=None):
        if seen is not None:
            seen.append(latents)
        fakes = jnp.full((len(latents), 1), variables.params["a"])
        return fakes + (0 if labels is None else labels[:, None]), counted(variables, train)

    return Network(init, apply)


def make_discriminator() -> Network:
    def init(key, images, labels):
        return DISCRIMINATOR

    def apply(variables, images, labels, *, train, key=None):
        logits = variables.params["w"] * images[:, 0] + (0 if labels is None else 10 * labels)
        return logits, counted(variables, train)

    return Network(init, apply)


def game(loss=losses.wasserstein, **options) -> Game:
    return adversarial(make_generator(), make_discriminator(), loss, latent_size=2, **options)


def turn(*, labelled: bool = False, seed: int = 0) -> Turn:
    batch = {"real": REAL} | ({"label": LABELS} if labelled else {})
    return Turn(batch, jax.random.key(seed), jnp.array(0), ())


def test_losses_by_hand():
    # Real logits 3, 6, 9, 18 (mean 9), fake logits 6.
    value, aux = game().discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == pytest.approx(6 - 9)
    assert {name: float(scalar) for name, scalar in aux.scalars.items()} == pytest.approx(
        {"real_logits": 9, "fake_logits": 6, "real_accuracy": 1, "fake_accuracy": 0}
    )
    value, aux = game().generator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == pytest.approx(-6)
    assert aux.scalars == {}


def test_gradients_by_hand():
    g = game()

    def discriminator_loss(w):
        return g.discriminator_loss(GENERATOR, DISCRIMINATOR.replace(params={"w": w}), turn())[0]

    def generator_loss(a):
        return g.generator_loss(GENERATOR.replace(params={"a": a}), DISCRIMINATOR, turn())[0]

    assert float(jax.grad(discriminator_loss)(W)) == pytest.approx(A - 3)  # w (a - mean x)
    assert float(jax.grad(generator_loss)(A)) == pytest.approx(-W)  # -w a


def test_labels_reach_both_networks():
    g = game(conditional=True)
    value, aux = g.discriminator_loss(GENERATOR, DISCRIMINATOR, turn(labelled=True))
    # Fakes are 2 + label, so w·3 + 10 on average; reals are judged under the same labels.
    assert float(aux.scalars["fake_logits"]) == pytest.approx(W * 3 + 10)
    assert float(aux.scalars["real_logits"]) == pytest.approx(9 + 10)
    assert float(value) == pytest.approx(W * 3 - 9)
    value, _ = g.generator_loss(GENERATOR, DISCRIMINATOR, turn(labelled=True))
    assert float(value) == pytest.approx(-(W * 3 + 10))
    samples = g.sample(GENERATOR, jnp.zeros((2, 2)), jnp.array([5, 7]))
    assert np.asarray(samples).tolist() == [[7.0], [9.0]]


def test_an_unconditional_game_ignores_the_labels_of_its_data():
    value, _ = game().discriminator_loss(GENERATOR, DISCRIMINATOR, turn(labelled=True))
    assert float(value) == pytest.approx(6 - 9)


def test_the_penalty_is_added_and_logged():
    def penalty(discriminator_fn, real, fake, turn):
        # What it is given: a function of images alone, both sides' images, the turn.
        return discriminator_fn(real).mean() + 100 * fake.mean() + 1000 * turn.step

    value, aux = game(penalty=penalty).discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(aux.scalars["penalty"]) == pytest.approx(9 + 200)
    assert float(value) == pytest.approx(6 - 9 + 209)
    assert int(aux.state["passes"]) == 2  # The penalty's pass leaves no trace.
    value, aux = game(penalty=penalty).generator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == pytest.approx(-6)


def test_a_turn_moves_the_statistics_of_its_own_side_only():
    _, aux = game().discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert int(aux.state["passes"]) == 2  # Real, then fake, one after the other.
    assert set(aux.state) == {"passes"}
    # The generator's turn passes real and fake through the discriminator; what comes back is the
    # generator's own state, after its one pass.
    _, aux = game().generator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert int(aux.state["passes"]) == 1


def test_sampling_is_no_training():
    seen = []

    def apply(variables, latents, labels, *, train, key=None):
        seen.append((train, key))
        return latents, variables.state

    g = adversarial(Network(None, apply), make_discriminator(), losses.hinge, latent_size=2)
    g.sample(GENERATOR, jnp.zeros((3, 2)))
    assert seen == [(False, None)]


def test_every_draw_of_a_turn_has_a_key_of_its_own():
    seen = []

    def apply(variables, images, labels, *, train, key=None):
        seen.append(tuple(np.asarray(jax.random.key_data(key)).tolist()))
        return images, variables.state

    network = Network(None, apply)
    g = adversarial(
        network,
        network,
        losses.wasserstein,
        latent_size=1,
        penalty=lambda discriminator_fn, real, fake, turn: discriminator_fn(real).mean(),
    )
    g.discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert len(seen) == len(set(seen)) == 4  # Making fakes, scoring fakes, real, for the penalty.
    first = list(seen)
    g.discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert seen[4:] == first  # A function of the turn's key
    g.discriminator_loss(GENERATOR, DISCRIMINATOR, turn(seed=1))
    assert not set(seen[8:]) & set(first)  # and of nothing else.


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latents_are_those_of_the_turn(distribution):
    seen = []
    g = adversarial(
        make_generator(seen),
        make_discriminator(),
        losses.hinge,
        latent_size=5,
        latent_distribution=distribution,
    )
    g.discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    expected = draw_latents(derive(jax.random.key(0), "latent"), 4, 5, distribution)
    assert np.array_equal(seen[0], expected)


def test_relativistic_pairing_by_hand():
    g = game(losses.relativistic_pairing)
    real, fake = np.array([3.0, 6.0, 9.0, 18.0]), 6.0
    value, _ = g.discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == pytest.approx(np.log1p(np.exp(-(real - fake))).mean(), rel=1e-5)
    value, _ = g.generator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == pytest.approx(np.log1p(np.exp(-(fake - real))).mean(), rel=1e-5)


def test_both_players_turns_look_at_the_images_through_the_view():
    g = game(view=lambda images, key, turn: 2 * images)
    value, _ = g.discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == pytest.approx(2 * (6 - 9))
    value, _ = g.generator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == pytest.approx(2 * -6)


def test_a_view_has_draws_of_its_own_for_real_and_fake():
    seen = []

    def view(images, key, turn):
        seen.append(tuple(np.asarray(jax.random.key_data(key)).tolist()))
        return images

    game(view=view).discriminator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert len(set(seen)) == 2


def test_a_loss_may_be_a_function_of_the_turn():
    g = game(lambda turn: losses.least_squares)
    value, _ = g.generator_loss(GENERATOR, DISCRIMINATOR, turn())
    expected, _ = game(losses.least_squares).generator_loss(GENERATOR, DISCRIMINATOR, turn())
    assert float(value) == float(expected) != -6


def test_init_makes_each_side_from_a_key_and_an_example_of_its_own():
    seen = {}

    def network(name):
        def init(key, inputs, labels):
            seen[name] = (tuple(np.asarray(jax.random.key_data(key)).tolist()), inputs, labels)
            return Variables(name, {})

        return Network(init, None)

    g = adversarial(network("g"), network("d"), losses.hinge, latent_size=5, conditional=True)
    generator, discriminator, carry = g.init(jax.random.key(0), {"real": REAL, "label": LABELS})
    assert (generator.params, discriminator.params, carry) == ("g", "d", ())
    assert seen["g"][0] != seen["d"][0]
    assert seen["g"][1].shape == (4, 5)
    assert np.array_equal(seen["d"][1], REAL)
    assert seen["g"][2] is LABELS
    assert seen["d"][2] is LABELS


def test_moving_averages_of_the_logits_wait_in_the_carry():
    # At the start 0; the real logits' mean is W·3 = 9, the fakes' W·A = 6.
    averaging = game(average_logits=0.9)
    _, _, carry = averaging.init(jax.random.key(0), {"real": REAL})
    assert carry == {"real": 0, "fake": 0}
    for real, fake in ((0.9, 0.6), (0.9 * 0.9 + 0.9, 0.9 * 0.6 + 0.6)):
        aux = averaging.discriminator_loss(GENERATOR, DISCRIMINATOR, turn()._replace(carry=carry))[
            1
        ]
        carry = aux.carry
        np.testing.assert_allclose([carry["real"], carry["fake"]], [real, fake], rtol=1e-6)
    after = averaging.generator_loss(GENERATOR, DISCRIMINATOR, turn()._replace(carry=carry))[1]
    assert after.carry == carry
