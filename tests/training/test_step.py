"""The train step, on games small enough to work out by hand."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgan.games import Aux, Game
from jaxgan.networks import Variables, join
from jaxgan.training import GANState, Optimizers, inherit, init_state, make_train_step

RATE = 0.1
SGD = Optimizers(optax.sgd(RATE), optax.sgd(RATE))
ROOT = jax.random.key(7)


def scalar_game(carry_start=0.0):
    """Generator g, discriminator d, mean real x: losses d·(g - x) and -d·g.

    Gradients: g - x for the discriminator, -d for the generator. The carry counts turns and each
    side's state counts its own.
    """

    def init(key, batch):
        side = Variables({"w": jnp.array(1.0)}, {"turns": jnp.array(0)})
        return side, jax.tree.map(lambda leaf: leaf + 1, side), jnp.array(carry_start)

    def discriminator_loss(generator, discriminator, turn):
        x = turn.batch["real"].mean()
        d, g = discriminator.params["w"], generator.params["w"]
        state = {"turns": discriminator.state["turns"] + 1}
        return d * (g - x), Aux(state, turn.carry + 1, {"x": x})

    def generator_loss(generator, discriminator, turn):
        state = {"turns": generator.state["turns"] + 1}
        d, g = discriminator.params["w"], generator.params["w"]
        return -d * g, Aux(state, turn.carry + 1, {"d": d})

    return Game(init, discriminator_loss, generator_loss, lambda generator: generator.params["w"])


def start(game, optimizers=SGD, batch=None):
    return init_state(game, optimizers, batch or {"real": jnp.zeros(2)}, ROOT)


def w(side):
    return float(side.variables.params["w"])


def test_alternating_step_by_hand():
    step = make_train_step(scalar_game(), SGD, ema_decay=0.5)
    state, scalars = step(start(scalar_game()), {"real": jnp.array([2.0, 4.0])}, ROOT)
    # d = 2 - .1·(1 - 3) = 2.2; g = 1 + .1·2.2 = 1.22, against the new d.
    assert w(state.discriminator) == pytest.approx(2.2)
    assert w(state.generator) == pytest.approx(1.22)
    # The first average decays by (1 + 0) / (10 + 0) = .1: .1·1 + .9·1.22.
    assert float(state.ema.params["w"]) == pytest.approx(0.1 + 0.9 * 1.22)
    assert int(state.step) == 1
    assert float(scalars["discriminator_loss"]) == pytest.approx(2 * (1 - 3))
    assert float(scalars["generator_loss"]) == pytest.approx(-2.2)
    assert float(scalars["discriminator_gradient_norm"]) == pytest.approx(2)
    assert float(scalars["generator_gradient_norm"]) == pytest.approx(2.2)
    # Of the params before: .2 over 2, and .22 over 1.
    assert float(scalars["discriminator_update_ratio"]) == pytest.approx(0.1)
    assert float(scalars["generator_update_ratio"]) == pytest.approx(0.22)


def test_simultaneous_step_by_hand():
    step = make_train_step(scalar_game(), SGD, simultaneous=True)
    state, _ = step(start(scalar_game()), {"real": jnp.array([2.0, 4.0])}, ROOT)
    assert w(state.discriminator) == pytest.approx(2.2)
    assert w(state.generator) == pytest.approx(1 + 0.1 * 2)  # Against the old d.


@pytest.mark.parametrize("loop", [False, True])
def test_discriminator_steps_each_see_their_own_minibatch(loop):
    step = make_train_step(scalar_game(), SGD, discriminator_steps=3, loop=loop)
    batch = {"real": jnp.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0])}  # Means 5.5, 11, 16.5.
    state, scalars = step(start(scalar_game()), batch, ROOT)
    d = 2 - 0.1 * ((1 - 5.5) + (1 - 11) + (1 - 16.5))
    assert w(state.discriminator) == pytest.approx(d)
    assert w(state.generator) == pytest.approx(1 + 0.1 * d)
    assert float(scalars["x"]) == pytest.approx(16.5)
    assert int(state.discriminator.variables.state["turns"]) == 1 + 3
    assert int(state.generator.variables.state["turns"]) == 1
    assert float(state.carry) == 4  # Three turns and one.


def test_a_side_without_gradient_does_not_move_the_other():
    still = optax.set_to_zero()
    for moving in ("generator", "discriminator"):
        optimizers = Optimizers(still, still)._replace(**{moving: optax.sgd(RATE)})
        game = scalar_game()
        state, _ = make_train_step(game, optimizers)(
            start(game, optimizers), {"real": jnp.array([3.0, 3.0])}, ROOT
        )
        assert (w(state.generator) != 1) == (moving == "generator")
        assert (w(state.discriminator) != 2) == (moving == "discriminator")


def test_params_that_are_all_0_have_the_update_for_a_ratio():
    def from_zero(key, batch):
        side, other, carry = scalar_game().init(key, batch)
        return jax.tree.map(jnp.zeros_like, side), other, carry

    game = scalar_game()._replace(init=from_zero)
    _, scalars = make_train_step(game, SGD, simultaneous=True)(
        start(game), {"real": jnp.ones(2)}, ROOT
    )
    assert float(scalars["generator_update_ratio"]) == pytest.approx(0.1 * 2)


def noisy_game():
    """A game whose losses show the draws of both turns."""

    def init(key, batch):
        side = Variables({"w": jnp.array(0.0)}, {})
        return side, side, ()

    def loss(own, turn, name):
        return own.params["w"] ** 2, Aux({}, (), {name: jax.random.normal(turn.key)})

    return Game(
        init,
        lambda generator, own, turn: loss(own, turn, "discriminator_draw"),
        lambda own, discriminator, turn: loss(own, turn, "generator_draw"),
        lambda generator: generator.params["w"],
    )


def test_draws_depend_on_root_key_and_step_alone():
    step = make_train_step(noisy_game(), SGD)
    batch = {"real": jnp.zeros(2)}

    def draws(root, at_step):
        state = start(noisy_game()).replace(step=jnp.array(at_step))
        scalars = step(state, batch, root)[1]
        return float(scalars["discriminator_draw"]), float(scalars["generator_draw"])

    first = draws(ROOT, 5)
    assert first == draws(ROOT, 5)
    assert first[0] != first[1]
    others = [draws(ROOT, 6), draws(jax.random.key(8), 5)]
    assert all(set(first).isdisjoint(other) for other in others)


def two_sided_game(domain_sizes=(2, 2), batch_keys=("x", "y"), phase=0):
    """Two linear generators and two linear discriminators, a pool of the last fakes as carry.

    From phase 1 on, each generator has one more layer.
    """
    x, y = batch_keys

    def network(key, size):
        layers = {"first": jax.random.normal(jax.random.fold_in(key, 0), (size, size))}
        if phase:
            layers["second"] = jnp.eye(size)
        return Variables(layers, {})

    def translate(variables, points):
        out = points @ variables.params["first"]
        return out @ variables.params["second"] if phase else out

    def init(key, batch):
        names = ("x_to_y", "y_to_x"), ("x", "y")
        sides = [
            join({name: network(jax.random.fold_in(key, crc), 2) for crc, name in enumerate(side)})
            for side in names
        ]
        sides[1] = join(
            {name: Variables({"w": jnp.ones(2)}, {"seen": jnp.array(0)}) for name in names[1]}
        )
        return sides[0], sides[1], {"pool": jnp.zeros_like(batch[y])}

    def fakes(generator, turn):
        return {
            "y": translate(generator["x_to_y"], turn.batch[x]),
            "x": translate(generator["y_to_x"], turn.batch[y]),
        }

    def discriminator_loss(generator, discriminator, turn):
        fake = fakes(generator, turn)
        pooled = {**fake, "y": (fake["y"] + turn.carry["pool"]) / 2}
        value = sum(
            (pooled[name] @ discriminator[name].params["w"]).mean()
            - (turn.batch[name] @ discriminator[name].params["w"]).mean()
            for name in ("x", "y")
        )
        state = {name: {"seen": discriminator[name].state["seen"] + 1} for name in ("x", "y")}
        return value, Aux(state, {"pool": fake["y"]}, {})

    def generator_loss(generator, discriminator, turn):
        fake = fakes(generator, turn)
        back = translate(generator["y_to_x"], fake["y"])
        cycle = jnp.abs(back - turn.batch[x]).mean()
        fooled = sum((fake[name] @ discriminator[name].params["w"]).mean() for name in ("x", "y"))
        return cycle - fooled, Aux(generator.state, turn.carry, {"cycle": cycle})

    def sample(generator, points, direction):
        return translate(generator[direction], points)

    return Game(init, discriminator_loss, generator_loss, sample)


def test_the_step_serves_two_generators_two_discriminators_and_a_pool():
    game = two_sided_game()
    adam = Optimizers(optax.adam(0.01), optax.adam(0.01))
    batch = {"x": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "y": jnp.array([[5.0, 6.0], [7.0, 8.0]])}
    before = init_state(game, adam, batch, ROOT)
    expected_pool = game.sample(before.generator.variables, batch["x"], "x_to_y")
    old = jax.tree.map(jnp.copy, before)
    state, scalars = make_train_step(game, adam)(before, batch, ROOT)
    chex.assert_trees_all_close(state.carry["pool"], expected_pool, rtol=1e-6)
    for side in ("generator", "discriminator"):
        moved = jax.tree.map(
            lambda a, b: bool((a != b).all()),
            getattr(state, side).variables.params,
            getattr(old, side).variables.params,
        )
        assert all(jax.tree.leaves(moved))
    assert set(old.generator.variables.params) == {"x_to_y", "y_to_x"}
    assert int(state.discriminator.variables["y"].state["seen"]) == 1
    assert "cycle" in scalars


def test_a_grown_network_inherits_what_it_learnt():
    batch = {"x": jnp.ones((2, 2)), "y": jnp.ones((2, 2))}
    small = init_state(two_sided_game(), SGD, batch, ROOT)
    small, _ = make_train_step(two_sided_game(), SGD)(small, batch, ROOT)
    grown_game = two_sided_game(phase=1)
    grown = inherit(init_state(grown_game, SGD, batch, jax.random.key(9)), small)
    assert int(grown.step) == 1
    for name in ("x_to_y", "y_to_x"):
        variables = grown.generator.variables[name]
        chex.assert_trees_all_equal(
            variables.params["first"], small.generator.variables[name].params["first"]
        )
        chex.assert_trees_all_equal(variables.params["second"], jnp.eye(2))
    chex.assert_trees_all_equal(grown.carry, small.carry)
    state, _ = make_train_step(grown_game, SGD)(grown, batch, ROOT)
    assert int(state.step) == 2
    assert not small.carry["pool"].is_deleted()  # Inheriting copies; nothing is donated away.


def test_the_state_is_donated_and_shares_no_buffers():
    state = start(scalar_game())
    step = make_train_step(scalar_game(), SGD)
    new, _ = step(state, {"real": jnp.ones(2)}, ROOT)
    used = (state.step, state.generator, state.discriminator, state.ema.params, state.carry)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(used))
    assert isinstance(new, GANState)


def test_one_compilation_serves_states_made_separately():
    step = make_train_step(scalar_game(), SGD)
    for _ in range(2):
        step(start(scalar_game()), {"real": jnp.ones(2)}, ROOT)
    assert step._cache_size() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"discriminator_steps": 0}, "discriminator_steps must be 1 or more, not 0"),
        ({"discriminator_steps": 2, "simultaneous": True}, "simultaneous updates take one"),
        ({"ema_decay": 1.0}, r"ema_decay must be in \[0, 1\), not 1.0"),
        ({"ema_decay": -0.1}, "ema_decay must be in"),
    ],
)
def test_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        make_train_step(scalar_game(), SGD, **options)


def test_refuses_a_batch_that_does_not_split():
    step = make_train_step(scalar_game(), SGD, discriminator_steps=2)
    with pytest.raises(ValueError, match=r"holds 3 samples, which does not divide into 2"):
        step(start(scalar_game()), {"real": jnp.ones(3)}, ROOT)


def test_a_constraint_holds_for_the_discriminator_alone_and_after_each_update():
    seen = []

    def constrain(params):
        seen.append(1)
        return jax.tree.map(lambda leaf: jnp.clip(leaf, -0.5, 0.5), params)

    step = make_train_step(scalar_game(), SGD, discriminator_steps=2, constrain=constrain)
    state, _ = step(start(scalar_game()), {"real": jnp.array([2.0, 4.0])}, ROOT)
    assert w(state.discriminator) == 0.5
    assert w(state.generator) == pytest.approx(1 + 0.1 * 0.5)
    assert len(seen) == 2
