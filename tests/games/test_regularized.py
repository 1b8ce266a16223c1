"""Penalties on a side's own parameters, on the game of two numbers."""

import jax
import jax.numpy as jnp
import pytest

from jaxgan.games import Aux, Game, Turn
from jaxgan.games.regularized import regularized
from jaxgan.networks import Variables

G, D = Variables({"w": jnp.array(3.0)}, {}), Variables({"w": jnp.array(2.0)}, {})
TURN = Turn({}, jax.random.key(0), jnp.array(0), ())


def product_game() -> Game:
    """Losses g·d for the generator, -g·d for the discriminator."""

    def product(generator, discriminator, turn):
        return generator.params["w"] * discriminator.params["w"], Aux({}, turn.carry, {"a": 1.0})

    def opposite(generator, discriminator, turn):
        loss, aux = product(generator, discriminator, turn)
        return -loss, aux

    return Game(lambda key, batch: (G, D, ()), opposite, product, lambda generator: generator)


def test_the_value_is_added_to_the_side_that_it_regularizes():
    game = regularized(product_game(), generator=lambda params: 10 * params["w"] ** 2)
    loss, aux = game.generator_loss(G, D, TURN)
    assert loss == 6 + 90
    assert aux.scalars == {"a": 1.0, "generator_regularizer": 90.0}
    assert game.discriminator_loss(G, D, TURN)[0] == -6


def test_each_sides_gradient_sees_its_own_params_alone():
    game = regularized(
        product_game(),
        generator=lambda params: params["w"] ** 2,
        discriminator=lambda params: 5 * params["w"] ** 2,
    )

    def of_generator(w):
        return game.generator_loss(Variables({"w": w}, {}), D, TURN)[0]

    def of_discriminator(w):
        return game.discriminator_loss(G, Variables({"w": w}, {}), TURN)[0]

    assert jax.grad(of_generator)(3.0) == pytest.approx(2 + 2 * 3)
    assert jax.grad(of_discriminator)(2.0) == pytest.approx(-3 + 10 * 2)


def test_without_regularizers_the_game_is_unchanged():
    game = regularized(product_game())
    assert game.generator_loss(G, D, TURN) == product_game().generator_loss(G, D, TURN)
    assert game.discriminator_loss(G, D, TURN) == product_game().discriminator_loss(G, D, TURN)
