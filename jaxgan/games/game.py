"""What the train step knows of a game: an ordered list of moves over named sides.

A side is one `Variables`: of a single network in a GAN, of two in a CycleGAN (`networks.join`). A
move changes one side, by descending a loss or by an update of its own. A game holds no state: it is
pure functions over arrays. A GAN has two sides and two moves, an autoencoder one of each, a mixture
fitted by EM one move that is an update.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp

from jaxgan.networks.network import Network, Variables
from jaxgan.types import Array, Batch, Key, PyTree, Scalars

Sides: TypeAlias = Mapping[str, Variables]
"""All sides of a game by name, such as "generator" and "discriminator"."""


class Turn(NamedTuple):
    """What a move is given besides the sides.

    Attributes:
      batch: this turn's minibatch, already prepared: images float32 in [-1, 1].
      key: this turn's key, consumed.
      step: int32 scalar, the step under way, from 0. Whatever anneals reads it.
      carry: what the game remembers from turn to turn, such as an image pool or running averages.
      number: int32 scalar, how often this move was played before. It differs from `step` where a
        move is repeated within a step; what happens at every k-th update reads it.
      opt_states: the state of each side's optimiser, for games that look ahead.
      reused: `Aux.made` of the last turn of the move that this one reuses (`Move.reuses`).
    """

    batch: Batch
    key: Key
    step: Array
    carry: PyTree
    number: Array | int = 0
    opt_states: Mapping[str, PyTree] = {}
    reused: PyTree = None


class Aux(NamedTuple):
    """What a move brings back besides its value.

    Attributes:
      state: the new state of the side that the move changes. Other sides never move.
      carry: the new carry.
      scalars: what to log, float scalars by name. The step adds the loss.
      made: what a later move of the step may reuse, such as the latents of its fakes.
    """

    state: PyTree
    carry: PyTree
    scalars: Scalars
    made: PyTree = None


Loss: TypeAlias = Callable[[Sides, Turn], tuple[Array, Aux]]
"""`(sides, turn) -> (scalar, Aux)`, differentiated with respect to the params of its own side."""
Update: TypeAlias = Callable[[Sides, Turn], tuple[PyTree, Aux]]
"""`(sides, turn) -> (new params, Aux)`: a move without a gradient, such as EM's."""


class Move(NamedTuple):
    """One player's turn. Exactly one of `loss` and `update` is given.

    Attributes:
      side: whose variables it changes.
      loss: descended by the side's optimiser.
      update: what becomes of the side's params, without an optimiser.
      repeat: how many times in a step it is played, each time on a minibatch and draws of its own;
        None: once, on the step's last minibatch.
      name: of the move in its keys and in the log; the side's, unless two moves change one side.
      reuses: the name of an earlier move, of which this one is given what the last turn made.
        What both compute of the same arrays, the compiler computes once.
    """

    side: str
    loss: Loss | None = None
    update: Update | None = None
    repeat: int | None = None
    name: str | None = None
    reuses: str | None = None

    @property
    def title(self) -> str:
        """The name, or the side's."""
        return self.name or self.side


class Game(NamedTuple):
    """Everything that makes one kind of model different from another.

    Attributes:
      init: `(key, batch) -> ({side: Variables}, carry)`, from one prepared minibatch.
      moves: what a step plays, in this order; each sees what those before it changed.
      sample: `(variables of the averaged side, *inputs) -> samples`, deterministic, with the stored
        statistics. What the inputs are is the game's: latents and labels, or images to translate.
      averaged: the side of which the state keeps a moving average, which is what gets sampled.
      network: what `sample` applies to its variables and inputs, where that is a single network.
    """

    init: Callable[[Key, Batch], tuple[dict[str, Variables], PyTree]]
    moves: tuple[Move, ...]
    sample: Callable[..., Any]
    averaged: str = "generator"
    network: Network | None = None

    @property
    def minibatches(self) -> int:
        """How many minibatches a step takes: as many as its most repeated move."""
        return max(move.repeat or 1 for move in self.moves)

    def move(self, title: str) -> Move:
        """The move of this name.

        Raises:
          ValueError: when there is none.
        """
        for move in self.moves:
            if move.title == title:
                return move
        titles = ", ".join(move.title for move in self.moves)
        raise ValueError(f"the game has no move {title!r}; its moves are {titles}")

    def with_loss(self, title: str, loss: Loss) -> "Game":
        """The game with another loss in the move of this name."""
        old = self.move(title)
        new = old._replace(loss=loss)
        return self._replace(moves=tuple(new if move is old else move for move in self.moves))


def images_of(batch: Batch, name: str) -> Array:
    """Images [B, ...] of a batch, as games take them.

    Args:
      batch: a prepared minibatch.
      name: of the images in it, such as "real".

    Raises:
      ValueError: where there are none, they are integers, or they have no shape but B.
    """
    if name not in batch:
        raise ValueError(
            f"the batch has no {name!r}; it holds {', '.join(sorted(batch)) or 'nothing'}"
        )
    images = batch[name]
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            f"batch[{name!r}] is {images.dtype}, and games take floating point, images in [-1, 1]: "
            "give the train step a `prepare` such as data.minibatch.prepare_batch, and init_state "
            "what it makes of the first batch"
        )
    if images.ndim < 2 or images.size == 0:
        raise ValueError(f"batch[{name!r}] must be samples [B, ...], not of shape {images.shape}")
    return images


def check_game(game: Game) -> None:
    """Refuses moves that cannot be played.

    Raises:
      ValueError: for a game without moves, a move with both or neither of loss and update, a
        repeat below 1, two moves of one name, and a move that reuses what no earlier one makes or
        is played more than once.
    """
    if not game.moves:
        raise ValueError("a game needs a move, and this one has none")
    for move in game.moves:
        if (move.loss is None) == (move.update is None):
            raise ValueError(f"the move {move.title!r} needs either a loss or an update")
        if move.repeat is not None and move.repeat < 1:
            raise ValueError(
                f"the move {move.title!r} must be played 1 or more times a step, not {move.repeat}"
            )
    titles = [move.title for move in game.moves]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:
        raise ValueError(
            f"two moves are named {twice!r}: give one of them a name of its own, from which its "
            "draws and its logged scalars have theirs"
        )
    for number, move in enumerate(game.moves):
        if move.reuses is None:
            continue
        if move.reuses not in titles[:number]:
            raise ValueError(
                f"the move {move.title!r} reuses what {move.reuses!r} made, which is no move "
                "before it"
            )
        if move.repeat is not None:
            raise ValueError(
                f"the move {move.title!r} reuses what another made, and is played once: its repeat "
                f"must be None, not {move.repeat}"
            )
