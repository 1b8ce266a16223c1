"""Unrolled GANs: the generator plays against the discriminator of k updates later."""

import jax
import optax

from jaxgan.games.game import Aux, Game, Sides, Turn
from jaxgan.keys import derive
from jaxgan.networks.network import Variables
from jaxgan.types import Array, PyTree


def unrolled(
    game: Game,
    optimizer: optax.GradientTransformation,
    steps: int,
    *,
    player: str = "generator",
    opponent: str = "discriminator",
) -> Game:
    """Wraps any game so that one side foresees `steps` updates of another.

    The generator's loss is taken against the discriminator that `steps` updates from now would
    give, and differentiated through these updates: a generator that gathers on one mode sees
    itself found out. The foreseen updates are then thrown away; the discriminator is trained as
    ever. Each costs the generator a discriminator update and its second derivatives.

    The updates start from the discriminator's own optimiser state, all on the turn's minibatch
    (as the authors' code does), each with draws of its own.

    Args:
      game: a game whose discriminator loss can be differentiated twice: gradient penalties need
        their form `plain=True`.
      optimizer: the discriminator's own, in a form whose updates have derivatives where gradients
        are 0, as a dead unit's are: Adam with an epsilon inside the root, `eps_root=1e-16`. Without
        one the generator's gradient is NaN as soon as a discriminator's is 0.
      steps: k, 0 or more; 0 is the game itself.
      player: the move that looks ahead.
      opponent: the move that is foreseen.

    Raises:
      ValueError: for negative steps, and moves that the game does not have or that have no loss.

    References:
      Metz et al., Unrolled Generative Adversarial Networks, 2017 (arXiv:1611.02163).
    """
    if steps < 0:
        raise ValueError(f"unrolled steps must be 0 or more, not {steps}")
    if steps == 0:
        return game
    own, other, side = game.move(player).loss, game.move(opponent).loss, game.move(opponent).side
    if own is None or other is None:
        raise ValueError(f"unrolling needs losses, and {player} or {opponent} has none")

    def foreseeing(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        def loss_of(params: PyTree, state: PyTree, ahead: Turn) -> tuple[Array, Aux]:
            return other({**sides, side: Variables(params, state)}, ahead)

        foreseen, opt_state = sides[side], turn.opt_states[side]
        for index in range(steps):
            ahead = turn._replace(key=derive(turn.key, "unrolled", index))
            params, state = foreseen.params, foreseen.state
            gradient, aux = jax.grad(loss_of, has_aux=True)(params, state, ahead)
            updates, opt_state = optimizer.update(gradient, opt_state, params)
            foreseen = Variables(optax.apply_updates(params, updates), aux.state)
        return own({**sides, side: foreseen}, turn)

    return game.with_loss(player, foreseeing)
