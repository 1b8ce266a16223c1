"""What the train step knows of a game: who plays whom for what, as pure functions over arrays.

A game holds no state. Each of its two sides is one `Variables`: of a single network in a GAN, of
two in a CycleGAN (`networks.join`). The step serves both without knowing which it has.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxgan.networks.network import Variables
from jaxgan.types import Array, Batch, Key, PyTree, Scalars


class Turn(NamedTuple):
    """What a loss is given besides the two sides.

    Attributes:
      batch: this turn's minibatch, already prepared: images float32 in [-1, 1].
      key: this turn's key, consumed.
      step: int32 scalar, the step under way, from 0. Whatever anneals reads it.
      carry: what the game remembers from turn to turn, such as an image pool or running averages.
      opponent_opt_state: in the generator's turn, the state of the discriminator's optimiser, for
        games that look ahead.
    """

    batch: Batch
    key: Key
    step: Array
    carry: PyTree
    opponent_opt_state: PyTree = ()


class Aux(NamedTuple):
    """What a loss brings back besides its value.

    Attributes:
      state: the new state of the side that the loss trains. The other side's never moves.
      carry: the new carry.
      scalars: what to log, float scalars by name. The loss itself is added by the step.
    """

    state: PyTree
    carry: PyTree
    scalars: Scalars


class Game(NamedTuple):
    """Everything that makes one kind of GAN different from another.

    `generator` and `discriminator` are the two sides' `Variables`. A loss sees both and is
    differentiated with respect to the params of its own.

    Attributes:
      init: `(key, batch) -> (generator, discriminator, carry)`, from one prepared minibatch.
      discriminator_loss: `(generator, discriminator, turn) -> (scalar, Aux)`.
      generator_loss: `(generator, discriminator, turn) -> (scalar, Aux)`.
      sample: `(generator, *inputs) -> images`, deterministic, with the stored statistics. What
        the inputs are is the game's: latents and labels, or images to translate.
    """

    init: Callable[[Key, Batch], tuple[Variables, Variables, PyTree]]
    discriminator_loss: Callable[[Variables, Variables, Turn], tuple[Array, Aux]]
    generator_loss: Callable[[Variables, Variables, Turn], tuple[Array, Aux]]
    sample: Callable[..., PyTree]
