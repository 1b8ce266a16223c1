"""All that training changes, its random start, and how a later phase takes it over."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxgan.games.game import Game
from jaxgan.keys import derive
from jaxgan.networks.network import Variables
from jaxgan.types import Array, Batch, Key, PyTree

Optimizers: TypeAlias = Mapping[str, optax.GradientTransformation]
"""One optimiser for each side that a loss trains."""


@struct.dataclass
class Side:
    """One side: its networks' variables and its optimiser's state.

    Attributes:
      variables: params and state of its networks.
      opt_state: of its optimiser; empty where only updates change the side.
    """

    variables: Variables
    opt_state: PyTree


@struct.dataclass
class TrainingState:
    """All that training changes. Arrays only, no functions: it saves, shards and donates as it is.

    Attributes:
      step: int32 scalar, the number of steps done.
      sides: by name; a GAN's pair is "generator" and "discriminator".
      ema: averaged variables of one side, batch statistics included: what is sampled.
      carry: what the game remembers between turns.
    """

    step: Array
    sides: dict[str, Side]
    ema: Variables
    carry: PyTree

    @property
    def variables(self) -> dict[str, Variables]:
        """The variables of every side."""
        return {name: side.variables for name, side in self.sides.items()}

    @property
    def params(self) -> dict[str, PyTree]:
        """The trained parameters of every side: what digests are taken of."""
        return {name: side.variables.params for name, side in self.sides.items()}


def init_state(game: Game, optimizers: Optimizers, batch: Batch, root_key: Key) -> TrainingState:
    """The state before the first step, a function of the root key.

    Args:
      game: the game to play.
      optimizers: one for each side that a loss trains.
      batch: a prepared minibatch; games use its shapes, and may use its values.
      root_key: the run's key, the one `make_train_step`'s function is given too.

    Raises:
      ValueError: when game, sides and optimisers do not fit.
    """
    sides, carry = game.init(derive(root_key, 0, "init"), batch)
    check_sides(game, sides, optimizers)
    state = TrainingState(
        step=jnp.zeros((), jnp.int32),
        sides={
            name: Side(variables, optimizers[name].init(variables.params))
            if name in optimizers
            else Side(variables, ())
            for name, variables in sides.items()
        },
        ema=sides[game.averaged],
        carry=carry,
    )
    # Two leaves in one buffer, such as the average and what it averages, cannot both be donated.
    return jax.tree.map(jnp.copy, state)


def check_sides(game: Game, sides: Mapping[str, Variables], optimizers: Optimizers) -> None:
    """Refuses a game whose moves name sides or need optimisers that are not there.

    Raises:
      ValueError: naming the move or the optimiser.
    """
    named = {move.title: move.side for move in game.moves} | {"the average": game.averaged}
    for title, side in named.items():
        if side not in sides:
            raise ValueError(
                f"{title} is of the side {side!r}, and the game has {', '.join(sorted(sides))}"
            )
    trained = {move.side for move in game.moves if move.loss is not None}
    if missing := sorted(trained - set(optimizers)):
        raise ValueError(f"the side {missing[0]!r} is trained by a loss and has no optimiser")
    if idle := sorted(set(optimizers) - trained):
        raise ValueError(f"there is an optimiser for {idle[0]!r}, which no loss trains")


def inherit(state: TrainingState, previous: TrainingState, *, restart: bool) -> TrainingState:
    """Starts a phase whose networks have grown: `state`, with what `previous` has learnt.

    Every leaf of `previous` whose path, shape and type exist in `state` replaces the fresh one, so
    the layers of an earlier phase keep their weights and the new ones start as initialised. The
    average is carried over in the same way, and the step goes on counting.

    Args:
      state: of the new phase, as initialised.
      previous: the last of the phase before.
      restart: let optimisers start afresh (Karras et al. 2018) instead of taking over their states.
    """

    def merge(fresh: PyTree, old: PyTree) -> PyTree:
        known = dict(jax.tree_util.tree_leaves_with_path(old))

        def choose(path: tuple, leaf: Array) -> Array:
            match = known.get(path)
            if match is None or (match.shape, match.dtype) != (leaf.shape, leaf.dtype):
                return leaf
            return jnp.copy(match)

        return jax.tree_util.tree_map_with_path(choose, fresh)

    def take_over(name: str, side: Side) -> Side:
        if name not in previous.sides:
            return side
        old = previous.sides[name]
        opt_state = side.opt_state if restart else merge(side.opt_state, old.opt_state)
        return Side(merge(side.variables, old.variables), opt_state)

    return replace(
        state,
        step=jnp.copy(previous.step),
        sides={name: take_over(name, side) for name, side in state.sides.items()},
        ema=merge(state.ema, previous.ema),
        carry=merge(state.carry, previous.carry),
    )
