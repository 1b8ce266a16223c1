"""The adversarial game, on networks small enough to work out by hand.

Generator: every sample is `a + label`. Discriminator: logits are `w x + 10 label`. Both count the
passes they make in training.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import latent, losses, penalties
from jaxgan.games import Aux, Game, Head, Memory, Turn, adversarial
from jaxgan.games.adversarial import average_logits
from jaxgan.keys import derive
from jaxgan.layers.spectral_norm import COLLECTION, power_iteration, spectrally_normalized
from jaxgan.networks import Network, Variables
from jaxgan.training import init_state, make_train_step

A, W = 2.0, 3.0
REAL = jnp.array([[1.0], [2.0], [3.0], [6.0]])  # Mean 3.
LABELS = jnp.array([0, 1, 1, 2])  # Mean 1.
GENERATOR = Variables({"a": jnp.array(A)}, {"passes": jnp.array(0)})
DISCRIMINATOR = Variables({"w": jnp.array(W)}, {"passes": jnp.array(0)})
SIDES = {"generator": GENERATOR, "discriminator": DISCRIMINATOR}


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
    prior = latent.prior(2)
    return adversarial(make_generator(), make_discriminator(), loss, prior=prior, **options)


def turn(*, labelled: bool = False, seed: int = 0, carry: dict | None = None) -> Turn:
    batch = {"real": REAL} | ({"label": LABELS} if labelled else {})
    return Turn(batch, jax.random.key(seed), jnp.array(0), carry or {})


def discriminators(game: Game, turn: Turn, **sides: Variables) -> tuple[jax.Array, Aux]:
    """The discriminator's loss in a turn, and what it brings back."""
    return game.move("discriminator").loss(SIDES | sides, turn)


def generators(game: Game, turn: Turn, **sides: Variables) -> tuple[jax.Array, Aux]:
    """The generator's loss in a turn, and what it brings back."""
    return game.move("generator").loss(SIDES | sides, turn)


def test_losses_by_hand():
    # Real logits 3, 6, 9, 18 (mean 9), fake logits 6.
    value, aux = discriminators(game(), turn())
    assert float(value) == pytest.approx(6 - 9)
    assert {name: float(scalar) for name, scalar in aux.scalars.items()} == pytest.approx(
        {"real_logits": 9, "fake_logits": 6, "real_accuracy": 1, "fake_accuracy": 0}
    )
    value, aux = generators(game(), turn())
    assert float(value) == pytest.approx(-6)
    assert aux.scalars == {}


def test_gradients_by_hand():
    g = game()

    def discriminator_loss(w):
        return discriminators(g, turn(), discriminator=DISCRIMINATOR.replace(params={"w": w}))[0]

    def generator_loss(a):
        return generators(g, turn(), generator=GENERATOR.replace(params={"a": a}))[0]

    assert float(jax.grad(discriminator_loss)(W)) == pytest.approx(A - 3)  # w (a - mean x)
    assert float(jax.grad(generator_loss)(A)) == pytest.approx(-W)  # -w a


def test_labels_reach_both_networks():
    g = game(conditional=True)
    value, aux = discriminators(g, turn(labelled=True))
    # Fakes are 2 + label, so w·3 + 10 on average; reals are judged under the same labels.
    assert float(aux.scalars["fake_logits"]) == pytest.approx(W * 3 + 10)
    assert float(aux.scalars["real_logits"]) == pytest.approx(9 + 10)
    assert float(value) == pytest.approx(W * 3 - 9)
    value, _ = generators(g, turn(labelled=True))
    assert float(value) == pytest.approx(-(W * 3 + 10))
    samples = g.sample(GENERATOR, jnp.zeros((2, 2)), jnp.array([5, 7]))
    assert np.asarray(samples).tolist() == [[7.0], [9.0]]


def test_an_unconditional_game_ignores_the_labels_of_its_data():
    value, _ = discriminators(game(), turn(labelled=True))
    assert float(value) == pytest.approx(6 - 9)


def test_the_penalty_is_added_and_logged():
    def penalty(discriminator_fn, real, fake, turn):
        # What it is given: a function of images alone, both sides' images, the turn.
        return discriminator_fn(real).mean() + 100 * fake.mean() + 1000 * turn.step

    value, aux = discriminators(game(penalty=penalty), turn())
    assert float(aux.scalars["penalty"]) == pytest.approx(9 + 200)
    assert float(value) == pytest.approx(6 - 9 + 209)
    assert int(aux.state["passes"]) == 2  # The penalty's pass leaves no trace.
    value, aux = generators(game(penalty=penalty), turn())
    assert float(value) == pytest.approx(-6)


def test_a_turn_moves_the_statistics_of_its_own_side_only():
    _, aux = discriminators(game(), turn())
    assert int(aux.state["passes"]) == 2  # Real, then fake, one after the other.
    assert set(aux.state) == {"passes"}
    # The generator's turn passes real and fake through the discriminator; what comes back is the
    # generator's own state, after its one pass.
    _, aux = generators(game(), turn())
    assert int(aux.state["passes"]) == 1


def test_sampling_is_no_training():
    seen = []

    def apply(variables, latents, labels, *, train, key=None):
        seen.append((train, key))
        return latents, variables.state

    network = Network(None, apply)
    g = adversarial(network, make_discriminator(), losses.hinge, prior=latent.prior(2))
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
        prior=latent.prior(1),
        penalty=lambda discriminator_fn, real, fake, turn: discriminator_fn(real).mean(),
    )
    discriminators(g, turn())
    assert len(seen) == len(set(seen)) == 4  # Making fakes, scoring fakes, real, for the penalty.
    first = list(seen)
    discriminators(g, turn())
    assert seen[4:] == first  # A function of the turn's key
    discriminators(g, turn(seed=1))
    assert not set(seen[8:]) & set(first)  # and of nothing else.


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latents_are_those_of_the_turn(distribution):
    seen = []
    g = adversarial(
        make_generator(seen),
        make_discriminator(),
        losses.hinge,
        prior=latent.prior(5, distribution),
    )
    discriminators(g, turn())
    expected = latent.draw_latents(derive(jax.random.key(0), "latent"), 4, 5, distribution)
    assert np.array_equal(seen[0], expected)


def test_relativistic_pairing_by_hand():
    g = game(losses.relativistic_pairing)
    real, fake = np.array([3.0, 6.0, 9.0, 18.0]), 6.0
    value, _ = discriminators(g, turn())
    assert float(value) == pytest.approx(np.log1p(np.exp(-(real - fake))).mean(), rel=1e-5)
    value, _ = generators(g, turn())
    assert float(value) == pytest.approx(np.log1p(np.exp(-(fake - real))).mean(), rel=1e-5)


def test_both_players_turns_look_at_the_images_through_the_view():
    g = game(view=lambda images, key, turn: 2 * images)
    value, _ = discriminators(g, turn())
    assert float(value) == pytest.approx(2 * (6 - 9))
    value, _ = generators(g, turn())
    assert float(value) == pytest.approx(2 * -6)


def test_a_view_has_draws_of_its_own_for_real_and_fake():
    seen = []

    def view(images, key, turn):
        seen.append(tuple(np.asarray(jax.random.key_data(key)).tolist()))
        return images

    discriminators(game(view=view), turn())
    assert len(set(seen)) == 2


def test_a_loss_may_be_a_function_of_the_turn():
    g = game(lambda turn: losses.least_squares)
    value, _ = generators(g, turn())
    expected, _ = generators(game(losses.least_squares), turn())
    assert float(value) == float(expected) != -6


def test_init_makes_each_side_from_a_key_and_an_example_of_its_own():
    seen = {}

    def network(name):
        def init(key, inputs, labels):
            seen[name] = (tuple(np.asarray(jax.random.key_data(key)).tolist()), inputs, labels)
            return Variables(name, {})

        return Network(init, None)

    prior = latent.prior(5)
    g = adversarial(network("g"), network("d"), losses.hinge, prior=prior, conditional=True)
    sides, carry = g.init(jax.random.key(0), {"real": REAL, "label": LABELS})
    assert {name: side.params for name, side in sides.items()} == {
        "generator": "g",
        "discriminator": "d",
    }
    assert carry == {}
    assert seen["g"][0] != seen["d"][0]
    assert seen["g"][1].shape == (4, 5)
    assert np.array_equal(seen["d"][1], REAL)
    assert seen["g"][2] is LABELS
    assert seen["d"][2] is LABELS


def test_latents_may_be_any_pytree_whose_first_axis_counts_them():
    """A code beside the noise, as an InfoGAN has it."""

    def prior(key, count):
        return {"noise": latent.draw_latents(key, count, 2), "code": jnp.arange(count) % 2}

    def apply(variables, latents, labels, *, train, key=None):
        return 10.0 * latents["code"][:, None], counted(variables, train)

    network = Network(lambda key, latents, labels: Variables(latents, {}), apply)
    g = adversarial(network, make_discriminator(), losses.wasserstein, prior=prior)
    sides, _ = g.init(jax.random.key(0), {"real": REAL})
    assert jax.tree.map(jnp.shape, sides["generator"].params) == {"noise": (4, 2), "code": (4,)}
    value, _ = generators(g, turn())
    assert float(value) == pytest.approx(-W * 10 / 2)  # Half of the codes are 1.
    samples = g.sample(GENERATOR, prior(jax.random.key(1), 3))
    assert np.asarray(samples).ravel().tolist() == [0, 10, 0]


def test_discriminator_steps_are_the_discriminators_alone():
    assert [move.title for move in game().moves] == ["discriminator", "generator"]
    assert game().minibatches == 1
    g = game(discriminator_steps=3)
    assert g.minibatches == g.move("discriminator").repeat == 3
    assert g.move("generator").repeat is None


def test_moving_averages_of_the_logits_wait_in_the_carry():
    # At the start 0; the real logits' mean is W·3 = 9, the fakes' W·A = 6.
    averaging = game(memories={"lecam": average_logits(0.9)})
    _, carry = averaging.init(jax.random.key(0), {"real": REAL})
    assert carry == {"lecam": {"real": 0, "fake": 0}}
    for real, fake in ((0.9, 0.6), (0.9 * 0.9 + 0.9, 0.9 * 0.6 + 0.6)):
        carry = discriminators(averaging, turn(carry=carry))[1].carry
        averages = carry["lecam"]
        np.testing.assert_allclose([averages["real"], averages["fake"]], [real, fake], rtol=1e-6)
    assert generators(averaging, turn(carry=carry))[1].carry == carry


def test_each_memory_has_a_name_under_which_all_find_it():
    """A loss of the turn, a penalty and a view see what was remembered before the turn."""
    largest = Memory(jnp.array(100.0), lambda old, real, fake: jnp.maximum(old, real.max()))
    turns = Memory(jnp.array(1), lambda old, real, fake: old + 1)
    shifted = losses.AdversarialLoss(lambda real, fake: fake.mean(), lambda fake, real: fake.mean())
    g = game(
        lambda turn: shifted._replace(
            discriminator=lambda real, fake: fake.mean() + turn.carry["largest"]
        ),
        memories={"largest": largest, "turns": turns},
        penalty=lambda discriminator_fn, real, fake, turn: 1000 * turn.carry["turns"],
        view=lambda images, key, turn: images * turn.carry["turns"],
    )
    _, carry = g.init(jax.random.key(0), {"real": REAL})  # The view sees an example, and a carry.
    assert carry == {"largest": 100, "turns": 1}
    value, aux = discriminators(g, turn(carry={"largest": jnp.array(4.0), "turns": jnp.array(2)}))
    assert float(value) == pytest.approx(2 * W * A + 4 + 2000)
    assert aux.carry == {"largest": 2 * W * 6, "turns": 3}  # Of what the discriminator saw.
    value, aux = generators(g, turn(carry=aux.carry))
    assert float(value) == pytest.approx(3 * W * A)
    assert aux.carry == {"largest": 2 * W * 6, "turns": 3}


def make_reader() -> Network:
    """A discriminator that besides the logit w x gives a number, 2 x."""

    def apply(variables, images, labels, *, train, key=None):
        numbers = 2 * images[:, 0]
        output = {"logits": variables.params["w"] * images[:, 0], "number": numbers}
        return output, counted(variables, train)

    return Network(lambda key, images, labels: DISCRIMINATOR, apply)


def test_heads_by_hand():
    """What each player pays is added to its loss and logged under the head's name."""
    judged = []

    def real_numbers(seen, turn):
        judged.append(seen)
        return 10 * seen.real["number"].mean() + turn.step

    def fake_numbers(seen, turn):
        judged.append(seen)
        return 100 * seen.fake["number"].mean() + turn.step

    heads = {
        "number": Head(real_numbers, fake_numbers),
        "other": Head(
            lambda seen, turn: 0.5 * seen.fake["number"].mean(),
            lambda seen, turn: 0.25 * seen.real["number"].mean(),
        ),
    }
    prior = latent.prior(2)
    g = adversarial(
        make_generator(),
        make_reader(),
        losses.wasserstein,
        prior=prior,
        conditional=True,
        heads=heads,
        memories={"largest": Memory(jnp.zeros(()), lambda old, real, fake: real.max())},
        penalty=lambda discriminator_fn, real, fake, turn: discriminator_fn(real).mean(),
    )
    own = turn(labelled=True, carry={"largest": jnp.zeros(())})
    value, aux = discriminators(g, own)
    # The numbers' means are 2·3 of real images and 2·(2 + 1) of fakes, the logits' 9 and 9.
    assert float(aux.scalars["discriminator_number"]) == pytest.approx(10 * 6)
    assert float(aux.scalars["discriminator_other"]) == pytest.approx(0.5 * 6)
    assert float(aux.scalars["penalty"]) == pytest.approx(9)  # It is given the logits alone,
    assert float(aux.carry["largest"]) == 18  # as a memory is.
    assert float(value) == pytest.approx(9 - 9 + 60 + 3 + 9)
    value, aux = generators(g, own)
    assert {name: float(scalar) for name, scalar in aux.scalars.items()} == pytest.approx(
        {"generator_number": 100 * 6, "generator_other": 0.25 * 6}
    )
    assert float(value) == pytest.approx(-9 + 600 + 1.5)
    assert len(judged) == 2
    for seen in judged:  # In both turns the heads see what was made from what.
        np.testing.assert_array_equal(seen.latents, prior(derive(own.key, "latent"), 4))
        np.testing.assert_array_equal(seen.labels, LABELS)
        np.testing.assert_array_equal(seen.real["number"], 2 * REAL[:, 0])
        np.testing.assert_array_equal(seen.fake["number"], 2 * (A + LABELS))


def test_a_heads_gradient_is_each_players_own():
    """d/dw of 5 E(w x) over real images, and d/da of 7 E(2 a): both beside the adversarial one."""
    heads = {
        "number": Head(
            lambda seen, turn: 5 * seen.real["logits"].mean(),
            lambda seen, turn: 7 * seen.fake["number"].mean(),
        )
    }
    prior = latent.prior(2)
    g = adversarial(make_generator(), make_reader(), losses.wasserstein, prior=prior, heads=heads)

    def discriminator_loss(w):
        return discriminators(g, turn(), discriminator=DISCRIMINATOR.replace(params={"w": w}))[0]

    def generator_loss(a):
        return generators(g, turn(), generator=GENERATOR.replace(params={"a": a}))[0]

    assert float(jax.grad(discriminator_loss)(W)) == pytest.approx(A - 3 + 5 * 3)
    assert float(jax.grad(generator_loss)(A)) == pytest.approx(-W + 7 * 2)


def test_with_heads_a_discriminator_must_give_a_dict_with_logits():
    heads = {"number": Head(lambda seen, turn: 0.0, lambda seen, turn: 0.0)}
    with pytest.raises(ValueError, match="with heads a discriminator must give a dict that holds"):
        discriminators(game(heads=heads), turn())

    def apply(variables, images, labels, *, train, key=None):
        return {"number": images[:, 0]}, variables.state

    prior = latent.prior(2)
    g = adversarial(make_generator(), Network(None, apply), losses.hinge, prior=prior, heads=heads)
    for turn_of in (discriminators, generators):
        with pytest.raises(ValueError, match=r"dict that holds 'logits', not \['number'\]"):
            turn_of(g, turn())


def test_logits_of_several_scales_need_a_loss_of_several():
    def apply(variables, images, labels, *, train, key=None):
        logits, state = make_discriminator().apply(variables, images, labels, train=train)
        return [logits, 2 * logits], state

    def made(loss):
        network = Network(make_discriminator().init, apply)
        return adversarial(make_generator(), network, loss, prior=latent.prior(2))

    value, aux = discriminators(made(losses.multi_scale(losses.wasserstein)), turn())
    assert value == 3 * (W * A - W * 3)  # Both scales, one of twice the logits.
    assert aux.scalars["real_logits"] == 1.5 * W * 3
    assert aux.scalars["real_accuracy"] == 1
    assert generators(made(losses.multi_scale(losses.wasserstein)), turn())[0] == -3 * W * A
    with pytest.raises(ValueError, match=r"real_logits must be one array, not a list.*multi_scale"):
        discriminators(made(losses.wasserstein), turn())


@pytest.mark.parametrize(
    ("result", "what"),
    [
        (lambda images: images[:, 0], r"an array of \(4,\) alone"),
        (lambda images: (images, {}, {}), "3 values"),
        (lambda images: [images, {}], "a list"),
    ],
)
def test_what_apply_gives_is_output_and_state(result, what):
    network = Network(
        make_discriminator().init,
        lambda variables, images, labels, *, train, key=None: result(images),
    )
    g = adversarial(make_generator(), network, losses.hinge, prior=latent.prior(2))
    message = rf"apply of the discriminator must give \(output, new state\), not {what}"
    with pytest.raises(ValueError, match=message):
        discriminators(g, turn())


def test_what_init_gives_is_variables():
    network = Network(lambda key, *inputs: {"w": jnp.ones(1)}, make_generator().apply)
    g = adversarial(network, make_discriminator(), losses.hinge, prior=latent.prior(2))
    with pytest.raises(ValueError, match=r"init of the generator must give Variables.*not a dict"):
        g.init(jax.random.key(0), {"real": REAL})


@pytest.mark.parametrize(
    ("batch", "what"),
    [
        ({"real": jnp.zeros([4, 2], jnp.uint8)}, r"batch\['real'\] is uint8.*prepare_batch"),
        ({"real": jnp.zeros(4)}, r"must be samples \[B, ...\], not of shape \(4,\)"),
        ({"real": jnp.zeros([0, 2])}, r"not of shape \(0, 2\)"),
        ({"images": REAL}, "has no 'real'; it holds images"),
    ],
)
def test_a_batch_that_no_game_takes_is_told_of(batch, what):
    for call in (
        lambda: game().init(jax.random.key(0), batch),
        lambda: generators(game(), turn()._replace(batch=batch)),
    ):
        with pytest.raises(ValueError, match=what):
            call()


KERNEL = jnp.array([[2.0, 1.0], [0.0, 1.0]])
START = jnp.array([1.0, 0.0])
"""A vector u with ‖W u‖ = 2 that has not settled: the next is (2, 1) / √5, with ‖W u‖ = √(26/5)."""


def normalized_networks() -> tuple[Network, Network]:
    """Latents, and images, times one matrix divided by its σ; a logit is the first of two."""

    def init(key, *inputs):
        return Variables({"kernel": KERNEL}, {})

    def generate(variables, latents, labels, *, train, key=None):
        return latents @ variables.params["kernel"], variables.state

    def judge(variables, images, labels, *, train, key=None):
        return (images @ variables.params["kernel"])[:, 0], variables.state

    return tuple(spectrally_normalized(Network(init, apply)) for apply in (generate, judge))


def vectors(state: dict) -> jax.Array:
    return state[COLLECTION]["kernel"]


def test_each_sides_spectral_vectors_move_once_in_its_own_turn_and_not_in_the_others():
    seen = []

    def view(images, key, turn):
        seen.append(np.asarray(images))
        return images

    g = adversarial(*normalized_networks(), losses.wasserstein, prior=latent.prior(2), view=view)
    side = Variables({"kernel": KERNEL}, {COLLECTION: {"kernel": START}})
    sides, own = {"generator": side, "discriminator": side}, turn()
    own = own._replace(batch={"real": jnp.ones((4, 2))})
    latents = latent.prior(2)(derive(own.key, "latent"), 4)
    moved, stored, settled = np.array([2, 1]) / 5**0.5, 2.0, (26 / 5) ** 0.5

    value, aux = g.move("discriminator").loss(sides, own)
    _, fake = seen
    np.testing.assert_allclose(vectors(aux.state), moved, rtol=1e-6)
    np.testing.assert_allclose(fake, latents @ KERNEL / stored, rtol=1e-6)
    logits = np.asarray(
        [images @ np.asarray(KERNEL) / settled for images in (fake, np.ones((4, 2)))]
    )
    expected = logits[0, :, 0].mean() - logits[1, :, 0].mean()
    assert float(value) == pytest.approx(expected, rel=1e-5)

    seen.clear()
    value, aux = g.move("generator").loss(sides, own)
    fake, _ = seen
    np.testing.assert_allclose(vectors(aux.state), moved, rtol=1e-6)
    np.testing.assert_allclose(fake, latents @ KERNEL / settled, rtol=1e-6)
    assert float(value) == pytest.approx(-float((fake @ KERNEL)[:, 0].mean()) / stored, rel=1e-5)


def test_in_a_step_spectral_vectors_move_as_often_as_their_side_plays():
    g = adversarial(
        *normalized_networks(), losses.wasserstein, prior=latent.prior(2), discriminator_steps=3
    )
    still = {name: optax.sgd(0.0) for name in ("generator", "discriminator")}
    batch, root = {"real": jnp.ones((6, 2))}, jax.random.key(0)
    state = jax.jit(partial(init_state, g, still))(batch, root)
    # From a vector that has not settled.
    state = jax.tree_util.tree_map_with_path(
        lambda path, leaf: START + 0 if COLLECTION in jax.tree_util.keystr(path) else leaf, state
    )
    state, _ = make_train_step(g, still)(state, batch, root)
    expected, after = {"kernel": START}, []
    for _ in range(3):
        expected = power_iteration({"kernel": KERNEL}, expected)
        after.append(expected["kernel"])
    found = {name: vectors(side.state) for name, side in state.variables.items()}
    np.testing.assert_allclose(found["generator"], after[0], rtol=1e-6)
    np.testing.assert_allclose(found["discriminator"], after[2], rtol=1e-6)
    assert np.abs(after[2] - after[0]).max() > 0.05


@pytest.mark.parametrize("loop", [False, True])
def test_lazy_penalties_are_due_by_discriminator_updates(loop):
    """With five updates a step and every fourth due: the 0th and 4th, 8th, 12th, 16th, 20th and
    24th. The penalty's gradient in w is 4 · 2 to the power of the update's place in its step, so
    that the sum of a step, through SGD with rate 1/4, says which of its updates had it."""

    def penalty(discriminator_fn, real, fake, turn):
        place = turn.number - 5 * turn.step
        return penalties.lazy(lambda: 2.0**place * discriminator_fn(real).mean(), turn.number, 4)

    flat = losses.AdversarialLoss(
        lambda real, fake: 0 * real.mean(), lambda fake, real: 0 * fake.mean()
    )
    g = game(flat, penalty=penalty, discriminator_steps=5)
    optimizers = {"generator": optax.sgd(0.0), "discriminator": optax.sgd(0.25)}
    batch, root = {"real": jnp.ones((10, 1))}, jax.random.key(0)
    step, state = make_train_step(g, optimizers, loop=loop), init_state(g, optimizers, batch, root)
    due = []
    for number in range(5):
        before = float(state.params["discriminator"]["w"])
        state, _ = step(state, batch, root)
        moved = round(before - float(state.params["discriminator"]["w"]))
        due += [5 * number + place for place in range(5) if moved >> place & 1]
    assert due == [0, 4, 8, 12, 16, 20, 24]
