"""The state before the first step, and what a later phase takes over of it."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.games import Aux, Game, Move
from jaxgan.networks import Variables
from jaxgan.training import inherit, init_state, make_train_step
from jaxgan.training.state import check_sides

ROOT = jax.random.key(7)
BATCH = {"real": jnp.ones((2, 3))}


def make_variables(layers: int = 1, width: int = 3) -> Variables:
    """Square layers, by their number, and a counter."""
    kernels = {f"layer{n}": jnp.full((width, width), n + 1.0) for n in range(layers)}
    return Variables(kernels, {"turns": jnp.array(0)})


def layered_game(layers: int = 1, width: int = 3, averaged: str = "generator") -> Game:
    """Sides "generator" and "discriminator" of `layers` layers, whose losses are sums of squares;
    "tail" is a side that an update changes."""

    def init(key, batch):
        sides = {name: make_variables(layers, width) for name in ("generator", "discriminator")}
        return {**sides, "tail": Variables({"m": jnp.array(1.0)}, {})}, {"turns": jnp.array(0)}

    def loss_of(name):
        def loss(sides, turn):
            squares = jax.tree.map(lambda leaf: (leaf**2).sum(), sides[name].params)
            aux = Aux(
                {"turns": sides[name].state["turns"] + 1}, {"turns": turn.carry["turns"] + 1}, {}
            )
            return sum(jax.tree.leaves(squares)), aux

        return loss

    def update(sides, turn):
        return {"m": sides["tail"].params["m"] / 2}, Aux({}, turn.carry, {})

    moves = (
        Move("discriminator", loss_of("discriminator")),
        Move("generator", loss_of("generator")),
        Move("tail", update=update),
    )
    return Game(init, moves, lambda variables: variables, averaged)


ADAM = {name: optax.adam(0.01) for name in ("generator", "discriminator")}


def trained(game: Game, steps: int = 3):
    state, step = init_state(game, ADAM, BATCH, ROOT), make_train_step(game, ADAM)
    for _ in range(steps):
        state, _ = step(state, BATCH, ROOT)
    return state


@pytest.fixture(scope="module")
def small():
    """The last state of a phase of one layer a side."""
    return trained(layered_game())


def test_a_state_starts_with_every_side_its_optimiser_and_an_average_of_one():
    state = init_state(layered_game(averaged="tail"), ADAM, BATCH, ROOT)
    assert int(state.step) == 0
    assert set(state.sides) == {"generator", "discriminator", "tail"}
    chex.assert_trees_all_equal(state.variables["generator"], make_variables())
    chex.assert_trees_all_equal(state.params["tail"], {"m": jnp.array(1.0)})
    chex.assert_trees_all_equal(state.ema, state.variables["tail"])
    chex.assert_trees_all_equal(state.carry, {"turns": jnp.array(0)})
    for name in ("generator", "discriminator"):
        fresh = ADAM[name].init(state.params[name])
        chex.assert_trees_all_equal(state.sides[name].opt_state, fresh)
    assert state.sides["tail"].opt_state == ()  # Only updates change it.


def test_no_two_leaves_share_a_buffer():
    leaves = jax.tree.leaves(init_state(layered_game(), ADAM, BATCH, ROOT))
    places = {leaf.unsafe_buffer_pointer() for leaf in leaves}
    assert len(places) == len(leaves)


SIDES = {name: make_variables() for name in ("generator", "discriminator")}


def zero(sides, turn):
    return jnp.zeros(()), Aux({}, {}, {})


@pytest.mark.parametrize(
    ("moves", "averaged", "optimizers", "message"),
    [
        (
            [Move("generator", zero), Move("critic", zero)],
            "generator",
            ["generator", "critic"],
            "critic is of the side 'critic', and the game has discriminator, generator",
        ),
        (
            [Move("generator", zero), Move("encoder", update=zero, name="fit")],
            "generator",
            ["generator"],
            "fit is of the side 'encoder', and the game has",
        ),
        (
            [Move("generator", zero)],
            "encoder",
            ["generator"],
            "the average is of the side 'encoder', and the game has",
        ),
        (
            [Move("generator", zero), Move("discriminator", zero)],
            "generator",
            ["generator"],
            "the side 'discriminator' is trained by a loss and has no optimiser",
        ),
        (
            [Move("generator", zero), Move("discriminator", update=zero)],
            "generator",
            ["generator", "discriminator"],
            "there is an optimiser for 'discriminator', which no loss trains",
        ),
        (
            [Move("generator", zero)],
            "generator",
            ["generator", "critic"],
            "there is an optimiser for 'critic', which no loss trains",
        ),
    ],
)
def test_sides_moves_and_optimisers_that_do_not_fit_are_refused(
    moves, averaged, optimizers, message
):
    game = Game(lambda key, batch: (SIDES, {}), tuple(moves), lambda variables: variables, averaged)
    chosen = {name: optax.sgd(0.1) for name in optimizers}
    with pytest.raises(ValueError, match=message):
        check_sides(game, SIDES, chosen)
    with pytest.raises(ValueError, match=message):
        init_state(game, chosen, BATCH, ROOT)


def test_a_side_that_no_loss_trains_needs_no_optimiser():
    moves = Move("generator", zero), Move("generator", zero, name="again")
    game = Game(lambda key, batch: (SIDES, {}), moves, lambda variables: variables, "discriminator")
    check_sides(game, SIDES, {"generator": optax.sgd(0.1)})
    fit = game._replace(moves=(Move("generator", update=zero),))
    check_sides(fit, SIDES, {})


def moments(side):
    """Adam's means, its squares, and its count of updates."""
    adam = side.opt_state[0]
    return adam.mu, adam.nu, int(adam.count)


def test_a_grown_side_keeps_the_optimiser_states_of_its_old_layers(small):
    fresh = init_state(layered_game(layers=2), ADAM, BATCH, ROOT)
    grown = inherit(fresh, small, restart=False)
    for name in ("generator", "discriminator"):
        mu, nu, count = moments(grown.sides[name])
        old_mu, old_nu, old_count = moments(small.sides[name])
        assert count == old_count == 3
        np.testing.assert_array_equal(mu["layer0"], old_mu["layer0"])
        np.testing.assert_array_equal(nu["layer0"], old_nu["layer0"])
        assert (np.asarray(old_mu["layer0"]) != 0).all()
        assert not np.asarray(mu["layer1"]).any()
        assert not np.asarray(nu["layer1"]).any()


def test_with_restart_the_optimisers_start_afresh_and_nothing_else_does(small):
    fresh = init_state(layered_game(layers=2), ADAM, BATCH, ROOT)
    restarted, kept = (inherit(fresh, small, restart=restart) for restart in (True, False))
    for name, side in restarted.sides.items():
        chex.assert_trees_all_equal(side.opt_state, fresh.sides[name].opt_state)
    chex.assert_trees_all_equal(restarted.variables, kept.variables)
    for name in ("step", "ema", "carry"):
        chex.assert_trees_all_equal(getattr(restarted, name), getattr(kept, name))


@pytest.mark.parametrize("restart", [False, True])
def test_weights_states_the_average_the_carry_and_the_step_go_on(small, restart):
    grown = inherit(init_state(layered_game(layers=2), ADAM, BATCH, ROOT), small, restart=restart)
    assert int(grown.step) == 3
    assert int(grown.carry["turns"]) == 6
    for name in ("generator", "discriminator"):
        own, old = grown.variables[name], small.variables[name]
        np.testing.assert_array_equal(own.params["layer0"], old.params["layer0"])
        np.testing.assert_array_equal(own.params["layer1"], np.full((3, 3), 2))
        assert int(own.state["turns"]) == 3
    np.testing.assert_array_equal(grown.ema.params["layer0"], small.ema.params["layer0"])
    np.testing.assert_array_equal(grown.ema.params["layer1"], np.full((3, 3), 2))
    assert float(grown.params["tail"]["m"]) == 1 / 8
    # Trained on, and the state of the phase before is still there: nothing was donated away.
    state, _ = make_train_step(layered_game(layers=2), ADAM)(grown, BATCH, ROOT)
    assert int(state.step) == 4
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(small))


def test_what_has_another_shape_or_is_new_starts_as_initialised(small):
    wider = init_state(layered_game(width=4), ADAM, BATCH, ROOT)
    state = inherit(wider, small, restart=False)
    np.testing.assert_array_equal(state.params["generator"]["layer0"], np.ones((4, 4)))
    mu, _, count = moments(state.sides["generator"])
    assert not np.asarray(mu["layer0"]).any()
    assert count == 3
    # A side that the phase before did not have, and one that is gone.
    sides = dict(small.sides)
    encoder = sides.pop("generator")
    state = inherit(wider, small.replace(sides={**sides, "encoder": encoder}), restart=False)
    assert set(state.sides) == {"generator", "discriminator", "tail"}
    chex.assert_trees_all_equal(state.sides["generator"], wider.sides["generator"])
