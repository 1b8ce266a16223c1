"""A game whose networks fade in a new size (Karras 2018)."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from jaxgan.games.game import Aux, Game, Loss, Sides, Turn, images_of
from jaxgan.layers.resample import average_pool, upsample_nearest
from jaxgan.matrices import names
from jaxgan.networks.growing import COLLECTION
from jaxgan.networks.network import Variables
from jaxgan.types import Array


def fading(game: Game, start: int, steps: int) -> Game:
    """The game with α = (step - start) / steps in its networks and its real images.

    Before each move the counter in every network's state is set, and the real images become

        (1 - α) upsample(average_pool(x)) + α x,

    as detailed as those of the generator. Both are functions of the step alone, so that a resumed
    run goes on where it was.

    Args:
      game: over networks of `networks.growing` with `fade_steps=steps`.
      start: the step of the run at which the fading begins.
      steps: how many it takes, 1 or more.

    References:
      Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation,
      2018 (arXiv:1710.10196), section 2.
    """

    def faded(loss: Loss, sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        done = jnp.clip(turn.step - start, 0, steps).astype(jnp.int32)
        sides = {name: _counted(variables, done) for name, variables in sides.items()}
        images = images_of(turn.batch, "real")
        old = upsample_nearest(average_pool(images))
        mixed = old + (done / jnp.float32(steps)) * (images - old)
        return loss(sides, turn._replace(batch={**turn.batch, "real": mixed}))

    for move in game.moves:
        if move.loss is not None:
            game = game.with_loss(move.title, partial(faded, move.loss))
    return game


def _counted(variables: Variables, done: Array) -> Variables:
    """The variables with the counter of the fading at `done`, wherever their state has one."""

    def count(path: tuple, leaf: Array) -> Array:
        return done if COLLECTION in names(path) else leaf

    return replace(variables, state=jax.tree_util.tree_map_with_path(count, variables.state))
