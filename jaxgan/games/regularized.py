"""Any game with a penalty on a side's own parameters."""

from collections.abc import Callable

from jaxgan.games.game import Aux, Game, Turn
from jaxgan.networks.network import Variables
from jaxgan.types import Array, PyTree

Regularizer = Callable[[PyTree], Array]
"""`params -> scalar`, already weighted, such as `penalties.orthogonal_penalty`."""


def regularized(
    game: Game, *, generator: Regularizer | None = None, discriminator: Regularizer | None = None
) -> Game:
    """Adds to a side's loss a function of the parameters that this loss trains.

    Args:
      game: any game.
      generator: of the generator's params; None: nothing is added.
      discriminator: of the discriminator's params.

    Returns:
      The game, which logs what was added as `generator_regularizer`, `discriminator_regularizer`.
    """

    def add(name: str, result: tuple[Array, Aux], value: Array) -> tuple[Array, Aux]:
        loss, aux = result
        return loss + value, aux._replace(scalars={**aux.scalars, f"{name}_regularizer": value})

    def generator_loss(own: Variables, opponent: Variables, turn: Turn) -> tuple[Array, Aux]:
        result = game.generator_loss(own, opponent, turn)
        return result if generator is None else add("generator", result, generator(own.params))

    def discriminator_loss(opponent: Variables, own: Variables, turn: Turn) -> tuple[Array, Aux]:
        result = game.discriminator_loss(opponent, own, turn)
        if discriminator is None:
            return result
        return add("discriminator", result, discriminator(own.params))

    return game._replace(generator_loss=generator_loss, discriminator_loss=discriminator_loss)
