"""The pair of train states, and its random start."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxgan.games.game import Game
from jaxgan.keys import derive
from jaxgan.networks.network import Variables
from jaxgan.types import Array, Batch, Key, PyTree


class Optimizers(NamedTuple):
    """One optimiser a side."""

    generator: optax.GradientTransformation
    discriminator: optax.GradientTransformation


@struct.dataclass
class TrainState:
    """One side: its networks' variables and its optimiser's state."""

    variables: Variables
    opt_state: PyTree


@struct.dataclass
class GANState:
    """All that training changes. Arrays only, no functions: it saves, shards and donates as it is.

    Attributes:
      step: int32 scalar, the number of steps done.
      generator: the generator's side.
      discriminator: the discriminator's side.
      ema: averaged variables of the generator's side, batch statistics included: what is sampled.
      carry: what the game remembers between turns.
    """

    step: Array
    generator: TrainState
    discriminator: TrainState
    ema: Variables
    carry: PyTree


def init_state(game: Game, optimizers: Optimizers, batch: Batch, root_key: Key) -> GANState:
    """The state before the first step, a function of the root key.

    Args:
      game: the game to play.
      optimizers: one a side.
      batch: a prepared minibatch; games use its shapes, and may use its values.
      root_key: the run's key, the one `make_train_step`'s function is given too.
    """
    generator, discriminator, carry = game.init(derive(root_key, 0, "init"), batch)
    state = GANState(
        step=jnp.zeros((), jnp.int32),
        generator=TrainState(generator, optimizers.generator.init(generator.params)),
        discriminator=TrainState(
            discriminator, optimizers.discriminator.init(discriminator.params)
        ),
        ema=generator,
        carry=carry,
    )
    # Two leaves in one buffer, such as the average and what it averages, cannot both be donated.
    return jax.tree.map(jnp.copy, state)


def inherit(state: GANState, previous: GANState) -> GANState:
    """Starts a game whose networks have grown: `state`, with all that `previous` already learnt.

    Every leaf of `previous` whose path, shape and type exist in `state` replaces the fresh one, so
    the layers of an earlier phase keep their weights and the new ones start as initialised.
    Optimiser states start afresh (Karras et al. 2018) and the step goes on counting.
    """

    def merge(fresh: PyTree, old: PyTree) -> PyTree:
        known = dict(jax.tree_util.tree_leaves_with_path(old))

        def choose(path: tuple, leaf: Array) -> Array:
            match = known.get(path)
            if match is None or (match.shape, match.dtype) != (leaf.shape, leaf.dtype):
                return leaf
            return jnp.copy(match)

        return jax.tree_util.tree_map_with_path(choose, fresh)

    return replace(
        state,
        step=jnp.copy(previous.step),
        generator=replace(
            state.generator,
            variables=merge(state.generator.variables, previous.generator.variables),
        ),
        discriminator=replace(
            state.discriminator,
            variables=merge(state.discriminator.variables, previous.discriminator.variables),
        ),
        ema=merge(state.ema, previous.ema),
        carry=merge(state.carry, previous.carry),
    )
