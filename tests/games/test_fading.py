"""A size that fades in: α and faded real images, by the step alone."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.games import Aux, Game, Move, Turn
from jaxgan.games.fading import fading
from jaxgan.networks import Variables
from jaxgan.networks.growing import COLLECTION

IMAGES = jax.random.normal(jax.random.key(0), (2, 4, 4, 1))
START, STEPS = 100, 8


def seen_at(step):
    """The counter and the real images that a move meets at a step of the run."""

    def loss(sides, turn):
        state = sides["one"].state
        found = {"done": state["trunk"][COLLECTION]["steps"], "real": turn.batch["real"]}
        return jnp.float32(0), Aux(state, found, {})

    game = fading(Game(lambda key, batch: ({}, None), (Move("one", loss),), None), START, STEPS)
    state = {"trunk": {COLLECTION: {"steps": jnp.int32(0)}}, "other": jnp.ones(2)}
    batch = {"real": IMAGES, "label": jnp.arange(2)}
    turn = Turn(batch, jax.random.key(1), jnp.int32(step), None)
    _, aux = game.moves[0].loss({"one": Variables({}, state)}, turn)
    np.testing.assert_array_equal(aux.state["other"], state["other"])
    return int(aux.carry["done"]), np.asarray(aux.carry["real"])


def test_it_begins_with_the_size_before():
    done, real = seen_at(START)
    means = np.asarray(IMAGES).reshape(2, 2, 2, 2, 2, 1).mean((2, 4))
    assert done == 0
    np.testing.assert_allclose(real, means.repeat(2, 1).repeat(2, 2), atol=1e-6)


def test_it_ends_with_the_images_themselves():
    for step in (START + STEPS, START + STEPS + 5):
        done, real = seen_at(step)
        assert done == STEPS
        np.testing.assert_allclose(real, IMAGES, atol=1e-6)


def test_a_quarter_of_the_steps_is_a_quarter_of_the_way():
    done, real = seen_at(START + 2)
    begun = seen_at(START)[1]
    assert done == 2
    np.testing.assert_allclose(real, 0.75 * begun + 0.25 * np.asarray(IMAGES), atol=1e-6)
