"""Unrolling, on a game small enough to differentiate by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.experiment import OptimizerOptions
from jaxgan.games import Aux, Game, Move, Turn
from jaxgan.games.unrolled import unrolled
from jaxgan.networks import Variables
from jaxgan.training import init_state, make_train_step

RATE = 0.1


def of(**weights: float) -> dict[str, Variables]:
    """Sides of these weights."""
    return {name: Variables({"w": jnp.asarray(weight)}, {}) for name, weight in weights.items()}


def quadratic_game(player: str = "generator", opponent: str = "discriminator") -> Game:
    """Losses d²/2 - d·g for the opponent, d·g for the player, at g = 1 and d = 2."""

    def opponent_loss(sides, turn):
        g, d = sides[player].params["w"], sides[opponent].params["w"]
        return d**2 / 2 - d * g, Aux({}, turn.carry, {})

    def player_loss(sides, turn):
        g, d = sides[player].params["w"], sides[opponent].params["w"]
        return d * g, Aux({}, turn.carry, {})

    return Game(
        lambda key, batch: (of(**{player: 1.0, opponent: 2.0}), {}),
        (Move(opponent, opponent_loss), Move(player, player_loss)),
        lambda variables: variables.params["w"],
        averaged=player,
    )


def turn_before(opt_state, opponent: str = "discriminator") -> Turn:
    """A turn in which the opponent's optimiser has this state."""
    return Turn({}, jax.random.key(0), jnp.array(0), {}, opt_states={opponent: opt_state})


def slope(steps: int, optimizer: optax.GradientTransformation) -> tuple[float, float]:
    """The generator's loss and its derivative at g = 1, d = 2."""
    game = unrolled(quadratic_game(), optimizer, steps)
    turn = turn_before(optimizer.init({"w": jnp.array(2.0)}))

    def loss(g):
        return game.move("generator").loss(of(generator=g, discriminator=2.0), turn)[0]

    value, derivative = jax.value_and_grad(loss)(1.0)
    return float(value), float(derivative)


def test_no_step_ahead_is_the_game_itself():
    assert slope(0, optax.sgd(RATE)) == (2.0, 2.0)


def test_the_gradient_passes_through_the_foreseen_updates():
    # d' = d - a(d - g), so d'·g = (1 - a) d g + a g² with slope (1 - a) d + 2 a g = 1.8 + .2.
    assert slope(1, optax.sgd(RATE)) == pytest.approx((1.9, 2.0))
    # Twice: d'' = (1 - a)² d + (1 - (1 - a)²) g, slope .81·2 + 2·.19.
    assert slope(2, optax.sgd(RATE)) == pytest.approx((0.81 * 2 + 0.19, 0.81 * 2 + 0.38))


def test_the_foreseen_updates_go_on_from_the_optimizers_own_state():
    optimizer = optax.sgd(RATE, momentum=0.9)
    game = unrolled(quadratic_game(), optimizer, 1)
    params = {"w": jnp.array(2.0)}
    fresh = optimizer.init(params)
    _, moving = optimizer.update({"w": jnp.array(5.0)}, fresh, params)

    def value(opt_state):
        sides = of(generator=1.0, discriminator=2.0)
        return float(game.move("generator").loss(sides, turn_before(opt_state))[0])

    assert value(fresh) == pytest.approx(2 - RATE * 1)
    assert value(moving) == pytest.approx(2 - RATE * (1 + 0.9 * 5))


def test_the_discriminator_is_trained_as_ever():
    optimizers = {side: optax.sgd(RATE) for side in ("generator", "discriminator")}
    batch = {"real": jnp.zeros(1)}
    weights = []
    for game in (quadratic_game(), unrolled(quadratic_game(), optimizers["discriminator"], 3)):
        state = init_state(game, optimizers, batch, jax.random.key(1))
        state, _ = make_train_step(game, optimizers)(state, batch, jax.random.key(2))
        weights.append(float(state.params["discriminator"]["w"]))
    assert weights[0] == weights[1] == pytest.approx(1.9)


def test_the_step_gives_the_state_of_the_optimiser_that_the_updates_go_on_from():
    """With momentum, the second step's foreseen update is moved by the first step's gradient."""
    heavy = optax.sgd(RATE, momentum=0.9)
    optimizers = {"generator": optax.set_to_zero(), "discriminator": heavy}
    game, batch, root = (
        unrolled(quadratic_game(), heavy, 1),
        {"real": jnp.zeros(1)},
        jax.random.key(1),
    )
    state, step = init_state(game, optimizers, batch, root), make_train_step(game, optimizers)
    d, momentum = 2.0, 0.0
    for _ in range(2):
        state, scalars = step(state, batch, root)
        momentum = 0.9 * momentum + (d - 1)
        d -= RATE * momentum
        foreseen = d - RATE * (0.9 * momentum + (d - 1))
        assert float(scalars["generator_loss"]) == pytest.approx(foreseen, rel=1e-5)


def test_who_looks_ahead_and_who_is_foreseen_can_be_said():
    game = quadratic_game("actor", "critic")
    optimizer = optax.sgd(RATE)
    ahead = unrolled(game, optimizer, 1, player="actor", opponent="critic")
    turn = turn_before(optimizer.init({"w": jnp.array(2.0)}), "critic")
    assert float(ahead.move("actor").loss(of(actor=1.0, critic=2.0), turn)[0]) == pytest.approx(1.9)
    assert ahead.move("critic") is game.move("critic")


def test_refuses_negative_steps():
    with pytest.raises(ValueError, match="0 or more, not -1"):
        unrolled(quadratic_game(), optax.sgd(RATE), -1)


def test_refuses_moves_that_are_not_there_or_have_no_loss():
    with pytest.raises(
        ValueError, match="the game has no move 'critic'; its moves are discriminator"
    ):
        unrolled(quadratic_game(), optax.sgd(RATE), 1, opponent="critic")
    game = quadratic_game()
    update = Move("prior", update=lambda sides, turn: ({}, Aux({}, {}, {})))
    game = game._replace(moves=(*game.moves, update))
    with pytest.raises(ValueError, match="unrolling needs losses, and generator or prior has none"):
        unrolled(game, optax.sgd(RATE), 1, opponent="prior")


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_a_gradient_of_zero_has_a_future(name):
    """As that of a dead unit, or of a Wasserstein discriminator's last bias."""
    options = OptimizerOptions(name, learning_rate=RATE)
    optimizer = options.build(differentiable=True)
    # d - g is 0 at g = d = 2, and the foreseen d' stays at 2.
    game = unrolled(quadratic_game(), optimizer, 2)
    turn = turn_before(options.build().init({"w": jnp.array(2.0)}))

    def loss(g):
        return game.move("generator").loss(of(generator=g, discriminator=2.0), turn)[0]

    value, derivative = jax.value_and_grad(loss)(2.0)
    assert value == pytest.approx(4.0)
    assert jnp.isfinite(derivative)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_updates_that_can_be_foreseen_are_the_updates(name):
    options = OptimizerOptions(name, learning_rate=RATE)
    params = {"w": jnp.array([0.0, 1.0])}
    gradient = {"w": jnp.array([1e-3, -3.0])}
    found, expected = (
        optimizer.update(gradient, optimizer.init(params), params)
        for optimizer in (options.build(differentiable=True), options.build())
    )
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3)
