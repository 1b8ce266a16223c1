"""Penalties on a side's own parameters, on the game of two numbers."""

import jax
import jax.numpy as jnp
import pytest

from jaxgan.games import Aux, Game, Move, Turn
from jaxgan.games.regularized import regularized
from jaxgan.networks import Variables

G, D = Variables({"w": jnp.array(3.0)}, {}), Variables({"w": jnp.array(2.0)}, {})
SIDES = {"generator": G, "discriminator": D}
TURN = Turn({}, jax.random.key(0), jnp.array(0), {})


def product(sides, turn):
    loss = sides["generator"].params["w"] * sides["discriminator"].params["w"]
    return loss, Aux({}, turn.carry, {"a": 1.0})


def opposite(sides, turn):
    loss, aux = product(sides, turn)
    return -loss, aux


def product_game(*more: Move) -> Game:
    """Losses g·d for the generator, -g·d for the discriminator."""
    moves = (Move("discriminator", opposite), Move("generator", product), *more)
    return Game(lambda key, batch: (SIDES, {}), moves, lambda generator: generator)


def test_the_value_is_added_to_the_side_that_it_regularizes():
    game = regularized(product_game(), {"generator": lambda params: 10 * params["w"] ** 2})
    loss, aux = game.move("generator").loss(SIDES, TURN)
    assert loss == 6 + 90
    assert aux.scalars == {"a": 1.0, "generator_regularizer": 90.0}
    loss, aux = game.move("discriminator").loss(SIDES, TURN)
    assert loss == -6
    assert aux.scalars == {"a": 1.0}


def test_each_sides_gradient_sees_its_own_params_alone():
    game = regularized(
        product_game(),
        {
            "generator": lambda params: params["w"] ** 2,
            "discriminator": lambda params: 5 * params["w"] ** 2,
        },
    )

    def of_generator(w):
        return game.move("generator").loss({**SIDES, "generator": Variables({"w": w}, {})}, TURN)[0]

    def of_discriminator(w):
        sides = {**SIDES, "discriminator": Variables({"w": w}, {})}
        return game.move("discriminator").loss(sides, TURN)[0]

    assert jax.grad(of_generator)(3.0) == pytest.approx(2 + 2 * 3)
    assert jax.grad(of_discriminator)(2.0) == pytest.approx(-3 + 10 * 2)


def test_without_regularizers_the_game_is_unchanged():
    game = regularized(product_game(), {})
    assert game.moves == product_game().moves
    for move in game.moves:
        assert move.loss(SIDES, TURN) == product_game().move(move.title).loss(SIDES, TURN)


def test_all_losses_of_a_side_are_regularized_and_its_updates_are_not():
    """Each logs what was added to it under its own name."""
    update = Move("generator", update=lambda sides, turn: (G.params, Aux({}, {}, {})), name="fit")
    game = product_game(Move("generator", opposite, name="sleep"), update)
    game = regularized(game, {"generator": lambda params: 10 * params["w"] ** 2})
    for name, loss in (("generator", 6 + 90), ("sleep", -6 + 90)):
        value, aux = game.move(name).loss(SIDES, TURN)
        assert value == loss
        assert aux.scalars == {"a": 1.0, f"{name}_regularizer": 90.0}
    assert game.move("fit") is update


def test_a_side_that_no_loss_trains_is_refused():
    message = (
        "no loss trains 'critic', so that nothing can be added to it; trained are discr.*, gen"
    )
    with pytest.raises(ValueError, match=message):
        regularized(product_game(), {"critic": lambda params: 0.0})
    update = Move("prior", update=lambda sides, turn: ({}, Aux({}, {}, {})))
    with pytest.raises(ValueError, match="no loss trains 'prior'"):
        regularized(product_game(update), {"prior": lambda params: 0.0})
