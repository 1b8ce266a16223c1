"""An experiment turned into the few functions that the loop calls."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data import Source, Spec, batch_indices
from jaxgan.data.minibatch import prepare
from jaxgan.evaluation import metric_names
from jaxgan.experiment import Experiment, check
from jaxgan.games.game import Game
from jaxgan.training.state import GANState, init_state
from jaxgan.training.step import TrainStep, make_train_step
from jaxgan.types import Array, Batch, Key


class Trainer(NamedTuple):
    """What the loop needs of an experiment.

    Attributes:
      source: the data.
      game: the game, for sampling.
      root_key: the run's key.
      abstract: shapes and types of the state.
      init: `() -> state`, the state before the first step.
      step: `(state, indices) -> (state, scalars)`, the jitted step over the samples of `indices`.
        The scalars are one float32 vector: one transfer a step instead of ten.
      scalar_names: what the entries of that vector are.
      indices: `step number -> indices`.
    """

    source: Source
    game: Game
    root_key: Key
    abstract: GANState
    init: Callable[[], GANState]
    step: Callable[[GANState, np.ndarray], tuple[GANState, Array]]
    scalar_names: list[str]
    indices: Callable[[int], np.ndarray]


def make_trainer(experiment: Experiment) -> Trainer:
    """Opens the data and builds game and step.

    All that can be refused is refused here, by tracing shapes: nothing is compiled or written.

    Raises:
      ValueError: when options, data and networks do not fit each other.
    """
    check(experiment)
    source = experiment.open_source()
    if experiment.batch_size > len(source):
        raise ValueError(
            f"batch_size {experiment.batch_size} is larger than the data set {experiment.data!r} "
            f"with its {len(source)} samples"
        )
    if experiment.flip and not source.spec.is_image:
        raise ValueError(f"flip needs images, and {experiment.data!r} holds points")
    game, optimizers = experiment.make_game(source.spec), experiment.make_optimizers()
    prepared = partial(prepare, flip=experiment.flip)
    root_key = jax.random.key(experiment.seed)
    batch_size, minibatches = experiment.batch_size, experiment.discriminator_steps

    init = _initializer(experiment, game)
    step = make_train_step(
        game,
        optimizers,
        discriminator_steps=minibatches,
        simultaneous=experiment.simultaneous,
        ema_decay=experiment.ema_decay,
        prepare=prepared,
        constrain=experiment.make_constraint(),
    )
    abstract = abstract_state(experiment, game, source.spec)
    example = _example(source.spec, batch_size * minibatches)
    scalar_names = sorted(jax.eval_shape(step, abstract, example, root_key)[1])
    evaluated = metric_names(experiment, source.spec) if experiment.evaluate_every else ()
    if experiment.best_metric not in (None, *scalar_names, *evaluated):
        raise ValueError(
            f"best_metric {experiment.best_metric!r} is not measured; logged are "
            f"{', '.join((*scalar_names, *evaluated))}"
        )

    def indices(step: int) -> np.ndarray:
        first = step * minibatches
        parts = [
            batch_indices(experiment.seed, first + index, batch_size, len(source))
            for index in range(minibatches)
        ]
        return np.stack(parts, axis=1).ravel()  # Interleaved, as `make_train_step` takes them.

    return Trainer(
        source,
        game,
        root_key,
        abstract,
        lambda: jax.jit(init)(source.take(np.arange(batch_size)), root_key),
        _step_over(source, step, scalar_names, root_key),
        scalar_names,
        indices,
    )


def abstract_state(experiment: Experiment, game: Game, spec: Spec) -> GANState:
    """Shapes and types of a run's state, for which the data need not be there."""
    key = jax.random.key(experiment.seed)
    return jax.eval_shape(
        _initializer(experiment, game), _example(spec, experiment.batch_size), key
    )


def _initializer(experiment: Experiment, game: Game) -> Callable[[Batch, Key], GANState]:
    optimizers = experiment.make_optimizers()

    def init(batch: Batch, key: Key) -> GANState:
        return init_state(game, optimizers, prepare(batch, key, flip=experiment.flip), key)

    return init


def _example(spec: Spec, count: int) -> dict[str, jax.ShapeDtypeStruct]:
    kind = jnp.uint8 if spec.is_image else jnp.float32
    batch = {"real": jax.ShapeDtypeStruct((count, *spec.shape), kind)}
    if spec.num_classes:
        batch["label"] = jax.ShapeDtypeStruct((count,), jnp.int32)
    return batch


def _step_over(
    source: Source, step: TrainStep, names: list[str], root_key: Key
) -> Callable[[GANState, np.ndarray], tuple[GANState, Array]]:
    @partial(jax.jit, donate_argnums=0)
    def on_batch(state: GANState, batch: Batch, key: Key) -> tuple[GANState, Array]:
        state, scalars = step(state, batch, key)
        return state, jnp.stack([jnp.asarray(scalars[name], jnp.float32) for name in names])

    @partial(jax.jit, donate_argnums=0)
    def on_indices(
        state: GANState, arrays: Batch, indices: Array, key: Key
    ) -> tuple[GANState, Array]:
        return on_batch(state, jax.tree.map(lambda leaf: leaf[indices], arrays), key)

    arrays = source.arrays
    if arrays is None:
        return lambda state, indices: on_batch(state, source.take(indices), root_key)
    # Gathering inside the step's own call saves a dispatch, which small networks feel.
    return lambda state, indices: on_indices(state, arrays, indices, root_key)
