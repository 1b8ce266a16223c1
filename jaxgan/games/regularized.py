"""Any game with a penalty on a side's own parameters."""

from collections.abc import Callable, Mapping
from functools import partial

from jaxgan.games.game import Aux, Game, Loss, Move, Sides, Turn
from jaxgan.types import Array, PyTree

Regularizer = Callable[[PyTree], Array]
"""`params -> scalar`, already weighted, such as `penalties.orthogonal_penalty`."""


def regularized(game: Game, regularizers: Mapping[str, Regularizer]) -> Game:
    """Adds to the losses of a side a function of the parameters that they train.

    Args:
      game: any game.
      regularizers: by the name of the side.

    Returns:
      The game, which logs what was added as `<move>_regularizer`.

    Raises:
      ValueError: for a side that no loss trains.
    """
    trained = {move.side for move in game.moves if move.loss is not None}
    for side in regularizers:
        if side not in trained:
            raise ValueError(
                f"no loss trains {side!r}, so that nothing can be added to it; trained are "
                f"{', '.join(sorted(trained))}"
            )

    def add(loss: Loss, move: Move, sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        value, aux = loss(sides, turn)
        added = regularizers[move.side](sides[move.side].params)
        scalars = {**aux.scalars, f"{move.title}_regularizer": added}
        return value + added, aux._replace(scalars=scalars)

    for move in game.moves:
        if move.loss is not None and move.side in regularizers:
            game = game.with_loss(move.title, partial(add, move.loss, move))
    return game
