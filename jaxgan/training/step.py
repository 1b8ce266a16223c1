"""One step of training: both players' updates in one jitted call.

Within a step: `discriminator_steps` updates of the discriminator, each on its own minibatch and its
own noise, then one update of the generator against the new discriminator, then the average.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import optax

from jaxgan.games.game import Aux, Game, Turn
from jaxgan.keys import derive, key_of_rows
from jaxgan.networks.network import Variables
from jaxgan.training.state import GANState, Optimizers, TrainState
from jaxgan.types import Array, Batch, Key, PyTree, Scalars

Prepare = Callable[[Batch, Key], Batch]
TrainStep = Callable[[GANState, Batch, Key], tuple[GANState, Scalars]]


def make_train_step(
    game: Game,
    optimizers: Optimizers,
    *,
    discriminator_steps: int = 1,
    simultaneous: bool = False,
    ema_decay: float = 0.999,
    prepare: Prepare | None = None,
    constrain: Callable[[PyTree], PyTree] | None = None,
    loop: bool = False,
    axis_name: str | None = None,
) -> TrainStep:
    """Builds the jitted train step of a game.

    Args:
      game: the game to play.
      optimizers: one a side; each sees the gradient with respect to its own side's params alone.
      discriminator_steps: discriminator updates a step, 1 or more.
      simultaneous: update the generator against the discriminator from before the step instead of
        the updated one. Takes one discriminator step.
      ema_decay: in [0, 1), the decay of the generator's average; early steps decay faster
        (`(1 + n) / (10 + n)` after n steps) so that the random start is soon forgotten.
      prepare: `(batch, key) -> batch`, run on every minibatch inside the step: normalising, random
        flips and crops.
      constrain: `params -> params`, applied to the discriminator's after each of its updates, such
        as `penalties.clip_weights`.
      loop: make the discriminator's updates a loop of the program instead of writing them out one
        after the other: the memory of one and as much less to compile. On a CPU, plain
        convolutions are many times slower in loops.
      axis_name: of the mapped axis under `pmap` or `shard_map`, where a step is given its device's
        rows of the batch and the same state and key as all others. It draws what is drawn for
        these rows of the whole batch, and averages losses, gradients, states and scalars, so that
        it is the step over the whole batch; networks with batch normalisation need the name too.
        What no average of parts gives is of the device's own rows: the mean logits of
        `relativistic_average`, DRAGAN's standard deviation, an image pool, unrolled updates.
        Under `jit`, where batches are global whatever the sharding, leave it out.

    Returns:
      `(state, batch, root_key) -> (state, scalars)`, jitted. The state is donated. The batch's
      leaves are [discriminator_steps * B, ...]; minibatch j is every `discriminator_steps`-th
      sample from j on, and the generator's turn sees the last minibatch. Draws depend on the root
      key and the step number in the state, on nothing else. Scalars hold `discriminator_loss`,
      `generator_loss`, both `..._gradient_norm`s, both `..._update_ratio`s (the norm of the
      optimiser's update over that of the params before it) and what the game adds, from the
      step's last discriminator update and the generator's.

    Raises:
      ValueError: for options out of range, and for a batch that does not split into minibatches.
    """
    if discriminator_steps < 1:
        raise ValueError(f"discriminator_steps must be 1 or more, not {discriminator_steps}")
    if simultaneous and discriminator_steps > 1:
        raise ValueError(
            "simultaneous updates take one discriminator step, "
            f"not discriminator_steps={discriminator_steps}"
        )
    if not 0 <= ema_decay < 1:
        raise ValueError(f"ema_decay must be in [0, 1), not {ema_decay}")

    def minibatch(batch: Batch, index: Array | int, key: Key) -> Batch:
        for name, leaf in batch.items():
            if len(leaf) % discriminator_steps:
                raise ValueError(
                    f"batch[{name!r}] holds {len(leaf)} samples, which does not divide into "
                    f"{discriminator_steps} minibatches (discriminator_steps)"
                )

        def take(leaf: Array) -> Array:
            split = leaf.reshape(-1, discriminator_steps, *leaf.shape[1:])
            return jax.lax.dynamic_index_in_dim(split, index, 1, keepdims=False)

        part = jax.tree.map(take, batch)
        return part if prepare is None else prepare(part, derive(key, "prepare"))

    def step(state: GANState, batch: Batch, root_key: Key) -> tuple[GANState, Scalars]:
        generator = state.generator
        if axis_name is not None:
            root_key = key_of_rows(root_key, jax.lax.axis_index(axis_name))

        def discriminate(
            played: tuple[TrainState, PyTree], index: Array | int
        ) -> tuple[tuple[TrainState, PyTree], Scalars]:
            discriminator, carry = played
            key = derive(root_key, state.step, "discriminator", index)
            turn = Turn(minibatch(batch, index, key), key, state.step, carry)
            loss_fn = partial(game.discriminator_loss, generator.variables)
            discriminator, carry, scalars = _update(
                "discriminator",
                discriminator,
                optimizers.discriminator,
                loss_fn,
                turn,
                axis_name,
            )
            if constrain is not None:
                variables = discriminator.variables
                variables = replace(variables, params=constrain(variables.params))
                discriminator = replace(discriminator, variables=variables)
            return (discriminator, carry), scalars

        played = state.discriminator, state.carry
        if loop:
            indices = jnp.arange(discriminator_steps)
            played, every = jax.lax.scan(discriminate, played, indices)
            discriminator_scalars = jax.tree.map(lambda values: values[-1], every)
        else:
            for index in range(discriminator_steps):
                played, discriminator_scalars = discriminate(played, index)
        discriminator, carry = played

        opponent = state.discriminator if simultaneous else discriminator
        key = derive(root_key, state.step, "generator")
        last = minibatch(batch, discriminator_steps - 1, key)
        turn = Turn(last, key, state.step, carry, opponent.opt_state)
        generator, carry, generator_scalars = _update(
            "generator",
            generator,
            optimizers.generator,
            lambda own, turn: game.generator_loss(own, opponent.variables, turn),
            turn,
            axis_name,
        )
        decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))

        def average(old: Array, new: Array) -> Array:
            floating = jnp.issubdtype(new.dtype, jnp.floating)
            return decay * old + (1 - decay) * new if floating else new

        ema = jax.tree.map(average, state.ema, generator.variables)
        new_state = GANState(state.step + 1, generator, discriminator, ema, carry)
        return new_state, discriminator_scalars | generator_scalars

    return jax.jit(step, donate_argnums=0)


def _update(
    name: str,
    side: TrainState,
    optimizer: optax.GradientTransformation,
    loss_fn: Callable[[Variables, Turn], tuple[Array, Aux]],
    turn: Turn,
    axis_name: str | None,
) -> tuple[TrainState, PyTree, Scalars]:
    """One optimiser update of one side, given its loss as a function of its own variables."""

    def loss_of(params: PyTree) -> tuple[Array, Aux]:
        loss, aux = loss_fn(replace(side.variables, params=params), turn)
        return _mean((loss, aux), axis_name)

    params = side.variables.params
    (loss, aux), gradient = jax.value_and_grad(loss_of, has_aux=True)(params)
    # The mean loss's gradient is a device's own part, or, where `shard_map` tracks what is equal on
    # all devices (`check_vma`), the mean already, of which the mean is the same.
    gradient = _mean(gradient, axis_name)
    updates, opt_state = optimizer.update(gradient, side.opt_state, params)
    variables = Variables(optax.apply_updates(params, updates), aux.state)
    scalars = {
        f"{name}_loss": loss,
        f"{name}_gradient_norm": optax.tree.norm(gradient),
        f"{name}_update_ratio": _ratio(optax.tree.norm(updates), optax.tree.norm(params)),
        **aux.scalars,
    }
    return TrainState(variables, opt_state), aux.carry, scalars


def _mean(tree: PyTree, axis_name: str | None) -> PyTree:
    """Of the parts that the devices of a mapped axis have; numbers that count stay as they are."""
    if axis_name is None:
        return tree

    def mean(leaf: Array) -> Array:
        floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        return jax.lax.pmean(leaf, axis_name) if floating else leaf

    return jax.tree.map(mean, tree)


def _ratio(update: Array, size: Array) -> Array:
    """Of two norms; params that are all 0 have no ratio, and give the update's norm."""
    return update / jnp.where(size > 0, size, 1)
