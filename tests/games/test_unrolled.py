"""Unrolling, on a game small enough to differentiate by hand."""

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgan.games import Aux, Game, Turn
from jaxgan.games.unrolled import unrolled
from jaxgan.networks import Variables
from jaxgan.training import Optimizers, init_state, make_train_step

RATE = 0.1


def quadratic_game() -> Game:
    """Losses d²/2 - d·g for the discriminator, d·g for the generator, at g = 1 and d = 2."""

    def init(key, batch):
        return Variables({"w": jnp.array(1.0)}, {}), Variables({"w": jnp.array(2.0)}, {}), ()

    def discriminator_loss(generator, discriminator, turn):
        g, d = generator.params["w"], discriminator.params["w"]
        return d**2 / 2 - d * g, Aux({}, turn.carry, {})

    def generator_loss(generator, discriminator, turn):
        g, d = generator.params["w"], discriminator.params["w"]
        return d * g, Aux({}, turn.carry, {})

    return Game(init, discriminator_loss, generator_loss, lambda generator: generator.params["w"])


def slope(steps: int, optimizer: optax.GradientTransformation) -> tuple[float, float]:
    """The generator's loss and its derivative at g = 1, d = 2."""
    game = unrolled(quadratic_game(), optimizer, steps)
    d = Variables({"w": jnp.array(2.0)}, {})
    turn = Turn({}, jax.random.key(0), jnp.array(0), (), optimizer.init(d.params))

    def loss(g):
        return game.generator_loss(Variables({"w": g}, {}), d, turn)[0]

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
    d = Variables({"w": jnp.array(2.0)}, {})
    fresh = optimizer.init(d.params)
    _, moving = optimizer.update({"w": jnp.array(5.0)}, fresh, d.params)

    def value(opt_state):
        turn = Turn({}, jax.random.key(0), jnp.array(0), (), opt_state)
        return float(game.generator_loss(Variables({"w": jnp.array(1.0)}, {}), d, turn)[0])

    assert value(fresh) == pytest.approx(2 - RATE * 1)
    assert value(moving) == pytest.approx(2 - RATE * (1 + 0.9 * 5))


def test_the_discriminator_is_trained_as_ever():
    optimizers = Optimizers(optax.sgd(RATE), optax.sgd(RATE))
    batch = {"real": jnp.zeros(1)}
    weights = []
    for game in (quadratic_game(), unrolled(quadratic_game(), optimizers.discriminator, 3)):
        state = init_state(game, optimizers, batch, jax.random.key(1))
        state, _ = make_train_step(game, optimizers)(state, batch, jax.random.key(2))
        weights.append(float(state.discriminator.variables.params["w"]))
    assert weights[0] == weights[1] == pytest.approx(1.9)


def test_refuses_negative_steps():
    with pytest.raises(ValueError, match="0 or more, not -1"):
        unrolled(quadratic_game(), optax.sgd(RATE), -1)
