"""One step of training: every move of a game in one jitted call.

Within a step the moves are played in their order, each repeat on its own minibatch and its own
noise, each against what the moves before it changed; then one side is averaged.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax

from jaxgan.devices.sharding import mean_over
from jaxgan.games.game import Aux, Game, Loss, Move, Turn, check_game
from jaxgan.keys import derive, key_of_rows
from jaxgan.networks.network import Variables
from jaxgan.training.state import Optimizers, Side, TrainingState
from jaxgan.types import Array, Batch, Key, PyTree, Scalars

Prepare: TypeAlias = Callable[[Batch, Key], Batch]
TrainStep: TypeAlias = Callable[[TrainingState, Batch, Key], tuple[TrainingState, Scalars]]
Constraint: TypeAlias = Callable[[PyTree], PyTree]


def make_train_step(
    game: Game,
    optimizers: Optimizers,
    *,
    simultaneous: bool = False,
    ema_decay: float = 0.999,
    ema_start: int = 0,
    prepare: Prepare | None = None,
    constraints: Mapping[str, Constraint] | None = None,
    loop: bool = False,
    axis_name: str | None = None,
) -> TrainStep:
    """Builds the jitted train step of a game.

    Args:
      game: the game to play.
      optimizers: one for each side that a loss trains; each sees the gradient with respect to its
        own side's params alone.
      simultaneous: play every move against the sides from before the step instead of the changed
        ones. Takes one turn a side.
      ema_decay: in [0, 1), the decay of the average; early steps decay faster
        (`(1 + n) / (10 + n)` after n steps) so that the random start is soon forgotten.
      ema_start: step before which the average is the side itself (BigGAN: 20,000).
      prepare: `(batch, key) -> batch`, run on every minibatch inside the step: normalising, random
        flips and crops.
      constraints: by side, `params -> params`, applied after each of its updates, such as
        `penalties.clip_weights`.
      loop: make repeated moves a loop of the program instead of writing them out one after the
        other: the memory of one and as much less to compile. A last turn whose fakes are reused is
        written out. On a CPU, plain convolutions are many times slower in loops.
      axis_name: of the mapped axis under `pmap` or `shard_map`, where a step is given its device's
        rows of the batch and the same state and key as all others. It draws what is drawn for
        these rows of the whole batch, and averages losses, gradients, states and scalars, so that
        it is the step over the whole batch; networks with batch normalisation need the name too.
        What no average of parts gives is of the device's own rows: the mean logits of
        `relativistic_average`, DRAGAN's standard deviation, an image pool, unrolled updates, the
        params of an `update`, which are averaged.
        Under `jit`, where batches are global whatever the sharding, leave it out.

    Returns:
      `(state, batch, root_key) -> (state, scalars)`, jitted. The state is donated. The batch's
      leaves are [game.minibatches * B, ...]; minibatch j is every `game.minibatches`-th sample from
      j on, and a move that is played less often plays the last ones. Draws depend on the root key
      and the step number in the state, on nothing else. Scalars hold for each move what the game
      logs, `<move>_update_ratio` (the norm of the change over that of the params before it), and
      where it descends a loss `<move>_loss` and `<move>_gradient_norm`; of a repeated move from
      the last time.

    Raises:
      ValueError: for options out of range, and for a batch that does not split into minibatches.
    """
    check_game(game)
    minibatches = game.minibatches
    sides = [move.side for move in game.moves]
    if simultaneous and (minibatches > 1 or len(set(sides)) < len(sides)):
        raise ValueError(
            "simultaneous updates take one turn a side, and the game plays "
            + ", ".join(f"{move.title} {move.repeat or 1} times" for move in game.moves)
        )
    if not 0 <= ema_decay < 1:
        raise ValueError(f"ema_decay must be in [0, 1), not {ema_decay}")
    if ema_start < 0:
        raise ValueError(f"ema_start must be 0 or more, not {ema_start}")
    constrained = dict(constraints or {})
    wanted = {move.reuses for move in game.moves}

    def minibatch(batch: Batch, index: Array | int, key: Key) -> Batch:
        for name, leaf in batch.items():
            if len(leaf) % minibatches:
                raise ValueError(
                    f"batch[{name!r}] holds {len(leaf)} samples, which does not divide into "
                    f"{minibatches} minibatches (discriminator_steps)"
                )

        def take(leaf: Array) -> Array:
            split = leaf.reshape(-1, minibatches, *leaf.shape[1:])
            return jax.lax.dynamic_index_in_dim(split, index, 1, keepdims=False)

        part = jax.tree.map(take, batch)
        return part if prepare is None else prepare(part, derive(key, "prepare"))

    def play(
        move: Move,
        sides: Mapping[str, Side],
        step: Array,
        batch: Batch,
        root_key: Key,
        reused: PyTree,
        played: tuple[Side, PyTree],
        index: Array | int,
    ) -> tuple[tuple[Side, PyTree], tuple[Scalars, PyTree]]:
        """The side of a move and the carry after its turn number `index` of the step; what is
        logged of it, and what it made."""
        own, carry = played
        times, path = move.repeat or 1, [] if move.repeat is None else [index]
        key = derive(root_key, step, move.title, *path)
        sides = {**sides, move.side: own}
        turn = Turn(
            batch=minibatch(batch, minibatches - times + index, key),
            key=key,
            step=step,
            carry=carry,
            number=step * times + index,
            opt_states={name: side.opt_state for name, side in sides.items()},
            reused=reused,
        )
        own, aux = _take(move, sides, optimizers.get(move.side), turn, axis_name)
        if move.side in constrained:
            params = constrained[move.side](own.variables.params)
            own = replace(own, variables=replace(own.variables, params=params))
        return (own, aux.carry), (aux.scalars, aux.made)

    def step(state: TrainingState, batch: Batch, root_key: Key) -> tuple[TrainingState, Scalars]:
        if axis_name is not None:
            root_key = key_of_rows(root_key, jax.lax.axis_index(axis_name))
        current, carry = dict(state.sides), state.carry
        scalars: Scalars = {}
        made: dict[str | None, PyTree] = {None: None}
        for move in game.moves:
            sides = state.sides if simultaneous else current
            turn = partial(play, move, sides, state.step, batch, root_key, made[move.reuses])
            played = current[move.side], carry
            times = range(move.repeat or 1)
            if loop and move.repeat is not None:
                # What is computed in a loop cannot be had again after it, so a turn that another
                # move reuses comes after the loop.
                looped = move.repeat - (move.title in wanted)
                if looped:
                    played, every = jax.lax.scan(turn, played, jnp.arange(looped))
                    found = jax.tree.map(lambda values: values[-1], every)
                times = times[looped:]
            for index in times:
                played, found = turn(played, index)
            current[move.side], carry = played
            of_last, made[move.title] = found[0], jax.tree.map(_again, found[1])
            scalars |= of_last
        decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))
        if ema_start:
            decay = jnp.where(state.step < ema_start, 0.0, decay)

        def average(old: Array, new: Array) -> Array:
            floating = jnp.issubdtype(new.dtype, jnp.floating)
            return decay * old + (1 - decay) * new if floating else new

        ema = jax.tree.map(average, state.ema, current[game.averaged].variables)
        return TrainingState(state.step + 1, current, ema, carry), scalars

    return jax.jit(step, donate_argnums=0)


def _take(
    move: Move,
    sides: Mapping[str, Side],
    optimizer: optax.GradientTransformation | None,
    turn: Turn,
    axis_name: str | None,
) -> tuple[Side, Aux]:
    """The side after one turn of a move, and what the move brings back, with all that is logged."""
    variables = {name: side.variables for name, side in sides.items()}
    own, name = sides[move.side], move.title
    before = own.variables.params
    if move.loss is None:
        assert move.update is not None  # `check_game`
        params, aux = _mean(move.update(variables, turn), axis_name)
        change = jax.tree.map(jnp.subtract, params, before)
        opt_state, scalars = own.opt_state, {}
    else:
        assert optimizer is not None  # `check_sides`
        loss, aux, gradient, value_fn = _descent(move.loss, move.side, variables, turn, axis_name)
        # What a line search or a schedule by the loss asks for; other optimisers do not see it.
        extra = {"value": loss, "grad": gradient, "value_fn": value_fn}
        update = optax.with_extra_args_support(optimizer).update
        try:
            change, opt_state = update(gradient, own.opt_state, before, **extra)
        except AttributeError as error:  # such as "'dict' object has no attribute 'fast'"
            raise ValueError(
                f"the optimiser of {move.side!r} does not take its params as they are ({error}); "
                "training.lookahead is optax.lookahead for sides of a game"
            ) from error
        params = optax.apply_updates(before, change)
        scalars = {f"{name}_loss": loss, f"{name}_gradient_norm": optax.tree.norm(gradient)}
    scalars |= {
        f"{name}_update_ratio": _ratio(optax.tree.norm(change), optax.tree.norm(before)),
        **aux.scalars,
    }
    return Side(Variables(params, aux.state), opt_state), aux._replace(scalars=scalars)


def _descent(
    loss: Loss, side: str, variables: Mapping[str, Variables], turn: Turn, axis_name: str | None
) -> tuple[Array, Aux, PyTree, Callable[[PyTree], Array]]:
    """A loss, what it brings back, its gradient with respect to one side's params, and the loss as
    a function of them."""

    def loss_of(params: PyTree) -> tuple[Array, Aux]:
        own = replace(variables[side], params=params)
        return _mean(loss({**variables, side: own}, turn), axis_name)

    (value, aux), gradient = jax.value_and_grad(loss_of, has_aux=True)(variables[side].params)
    # The mean loss's gradient is a device's own part, or, where `shard_map` tracks what is equal on
    # all devices (`check_vma`), the mean already, of which the mean is the same.
    return value, aux, mean_over(gradient, axis_name), lambda params: loss_of(params)[0]


def _mean(brought: tuple[PyTree, Aux], axis_name: str | None) -> tuple[PyTree, Aux]:
    """What a move gives, averaged over the devices; what it made are a device's own rows."""
    value, aux = brought
    value, averaged = mean_over((value, aux._replace(made=None)), axis_name)
    return value, averaged._replace(made=aux.made)


def _again(leaf: Array) -> Array:
    """What a move made, for another one: its keys are meant to be drawn from twice."""
    return jax.random.clone(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _ratio(update: Array, size: Array) -> Array:
    """The ratio of two norms; where params are all 0 it is the update's norm."""
    return update / jnp.where(size > 0, size, 1)
