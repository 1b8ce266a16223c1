"""An experiment turned into the few functions that the loop calls."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.stages import Compiled, Traced

from jaxgan.data import PairSource, PairSpec, Source, Spec
from jaxgan.data.source import device_memory
from jaxgan.devices import sharding
from jaxgan.evaluation.evaluator import HIGHER_IS_BETTER, metric_names
from jaxgan.experiment.generation import BaseExperiment, Experiment, check
from jaxgan.games.game import Game
from jaxgan.options import flat, to_dict
from jaxgan.training.state import GANState, init_state
from jaxgan.training.step import TrainStep, make_train_step
from jaxgan.types import Array, Batch, Key, PyTree

STEPS_PER_CALL = 25
"""Steps in a call where calls of several win. A call costs a fifth of a millisecond."""
PLAIN_CONVOLUTIONS = ("conv_general_dilated[", "plain_conv")
"""XLA's own, in a program's text."""
LOOP_LIMIT = 70e6
"""Bytes that a step may touch, by XLA's count before it optimises, to be looped on a CPU."""


class Trainer(NamedTuple):
    """What the loop needs of an experiment.

    Attributes:
      source: the data.
      game: the game, for sampling.
      root_key: the run's key.
      mesh: the devices, over which every batch is split.
      abstract: shapes, types and shardings of the state.
      init: `() -> state`, the state before the first step.
      step: `(state, indices) -> (state, scalars)`, the jitted step over the samples of `indices`.
        The scalars are one float32 vector: one transfer a step instead of ten.
      steps: `(state, indices [k, n]) -> (state, scalars)`, k steps in one call, to the bit as k
        calls of `step`. The first k rows of the scalars are theirs.
      steps_per_call: the largest k.
      compile: compiles `steps`, and `init` if told to, now instead of at their first calls; gives
        the program of `steps`.
      scalar_names: what the entries of a vector of scalars are.
      indices: `step number -> indices`.
    """

    source: Source | PairSource
    game: Game
    root_key: Key
    mesh: Mesh
    abstract: GANState
    init: Callable[[], GANState]
    step: Callable[[GANState, np.ndarray], tuple[GANState, Array]]
    steps: Callable[[GANState, np.ndarray], tuple[GANState, Array]]
    steps_per_call: int
    compile: Callable[[bool], Compiled]
    scalar_names: list[str]
    indices: Callable[[int], np.ndarray]


def make_trainer(experiment: BaseExperiment, mesh: Mesh | None = None) -> Trainer:
    """Opens the data and builds game and step.

    All that can be refused is refused here, by tracing shapes: nothing is compiled or written.

    Args:
      experiment: what is to be trained.
      mesh: on which devices, of `sharding.data_mesh`; None takes all.

    Raises:
      ValueError: when options, data and networks do not fit each other.
    """
    check(experiment)
    source = experiment.open_source()
    experiment.check_source(source)
    game, optimizers = experiment.make_game(source.spec), experiment.make_optimizers()
    root_key = jax.random.key(experiment.seed)
    batch_size, minibatches = experiment.batch_size, experiment.discriminator_steps
    mesh = sharding.data_mesh() if mesh is None else mesh
    if batch_size % mesh.size:
        raise ValueError(
            f"batch_size {batch_size} does not divide among {mesh.size} devices; "
            f"take a multiple of {mesh.size}"
        )

    init = _initializer(experiment, game)
    make_step = partial(
        make_train_step,
        game,
        optimizers,
        discriminator_steps=minibatches,
        simultaneous=experiment.simultaneous,
        ema_decay=experiment.ema_decay,
        prepare=experiment.prepare,
        constrain=experiment.make_constraint(),
    )
    abstract = abstract_state(experiment, game, source.spec)
    shardings = sharding.state_shardings(abstract, mesh, split=experiment.shard_parameters)
    abstract = jax.tree.map(
        lambda leaf, own: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=own),
        *(abstract, shardings),
    )
    example = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding.rows(mesh)),
        source.spec.example(batch_size * minibatches),
    )
    num_classes = getattr(source.spec, "num_classes", 0)
    _refuse_what_fits_nowhere(experiment, abstract, example, num_classes)

    def build(loop: bool) -> tuple[TrainStep, Traced]:
        step = make_step(loop=loop)
        with jax.set_mesh(mesh):
            return step, jax.jit(step).trace(abstract, example, root_key)

    # On a CPU discriminator updates are a loop of networks whose convolutions all are products of
    # matrices, or that have none: that saves memory and compiling, and of many updates time. It is
    # tried first, for it is traced as quickly as one update. Elsewhere it was not measured.
    loop = minibatches > 1 and jax.default_backend() == "cpu"
    step, traced = build(loop)
    if loop and _has_plain_convolution(str(traced.jaxpr)):
        step, traced = build(loop=False)
    scalar_names = sorted(traced.out_info[1])
    evaluated: tuple[str, ...] = ()
    if experiment.evaluation_interval and isinstance(experiment, Experiment):
        evaluated = metric_names(experiment, source.spec)
    _check_best(experiment, scalar_names, evaluated)

    def indices(step: int) -> np.ndarray:
        first = step * minibatches
        parts = [experiment.indices(source, first + index) for index in range(minibatches)]
        # Interleaved, as `make_train_step` takes them.
        return np.stack(parts, axis=1).reshape(batch_size * minibatches, *parts[0].shape[1:])

    arrays, gather = source.arrays, source.spec.gather
    data = None if arrays is None else sharding.place(arrays, sharding.whole(mesh))
    key = jax.random.wrap_key_data(
        sharding.place(jax.random.key_data(root_key), sharding.whole(mesh))
    )
    limit = 1
    if data is not None:
        limit = experiment.steps_per_call or _best_steps_per_call(traced)

    def on_row(state: GANState, data: Batch, row: Array, key: Key) -> tuple[GANState, Array]:
        # Gathering inside the step's own call saves a dispatch, which small networks feel.
        batch = data if arrays is None else gather(data, row)
        state, scalars = step(state, jax.tree.map(sharding.split_rows, batch), key)
        vector = [jnp.asarray(scalars[name], jnp.float32) for name in scalar_names]
        return state, jnp.stack(vector)

    def data_of(row: np.ndarray) -> Batch:
        return sharding.place_rows(source.take, row, mesh) if data is None else data

    jitted = jax.jit(on_row, donate_argnums=0)

    def one_step(state: GANState, row: np.ndarray) -> tuple[GANState, Array]:
        with jax.set_mesh(mesh):
            return jitted(state, data_of(row), row, key)

    @cache
    def compiled_steps() -> Compiled:
        whole, rows = sharding.whole(mesh), sharding.rows(mesh)
        plan = np.zeros((limit, *indices(0).shape), np.int32)
        program = jax.jit(
            partial(_looped, on_row, limit, len(scalar_names)),
            donate_argnums=0,
            in_shardings=(shardings, rows if data is None else whole, whole, whole, whole),
            out_shardings=(shardings, whole),
        )
        with jax.set_mesh(mesh):
            lowered = program.lower(
                *(abstract, example if data is None else data, plan, np.int32(limit), key)
            )
        # Without it XLA copies the parameters of a looped step that it could update in place.
        options: dict[str, str | bool] = {"xla_cpu_copy_insertion_use_region_analysis": True}
        return lowered.compile(options if jax.default_backend() == "cpu" else None)

    def steps(state: GANState, plan: np.ndarray) -> tuple[GANState, Array]:
        padded = np.zeros((limit, *plan.shape[1:]), np.int32)
        padded[: len(plan)] = plan
        return compiled_steps()(state, data_of(plan[0]), padded, np.int32(len(plan)), key)

    @cache
    def compiled_init() -> Compiled:
        places = sharding.rows(mesh), sharding.whole(mesh)
        program = jax.jit(init, in_shardings=places, out_shardings=shardings)
        with jax.set_mesh(mesh):
            lowered = program.lower(source.spec.example(batch_size), key)
        # It runs once: on a CPU, XLA takes a third of the time where it optimises less.
        on_cpu = jax.default_backend() == "cpu"
        return lowered.compile({"xla_backend_optimization_level": "1"} if on_cpu else None)

    def start() -> GANState:
        batch = sharding.place_rows(source.take, np.arange(batch_size), mesh)
        return compiled_init()(batch, key)

    def compile_all(with_init: bool) -> Compiled:
        functions = [compiled_steps, compiled_init] if with_init else [compiled_steps]
        with ThreadPoolExecutor(len(functions)) as pool:  # XLA releases Python's lock.
            program, *_ = pool.map(lambda function: function(), functions)
            return program

    return Trainer(
        source,
        game,
        root_key,
        mesh,
        abstract,
        start,
        one_step,
        steps,
        limit,
        compile_all,
        scalar_names,
        indices,
    )


def _looped(
    on_row: Callable[[GANState, Batch, Array, Key], tuple[GANState, Array]],
    limit: int,
    width: int,
    state: GANState,
    data: Batch,
    plan: Array,
    count: Array,
    key: Key,
) -> tuple[GANState, Array]:
    """The program of `count` steps, `limit` at most, and the scalars of each.

    One program serves every number of steps, so no bit depends on where calls begin and end.
    """

    def step(row: Array | int, carry: tuple[GANState, Array]) -> tuple[GANState, Array]:
        state, scalars = carry
        state, vector = on_row(state, data, plan[row], key)
        return state, scalars.at[row].set(vector)

    start = state, jnp.zeros((limit, width), jnp.float32)
    return step(0, start) if limit == 1 else jax.lax.fori_loop(0, count, step, start)


def _refuse_what_fits_nowhere(
    experiment: BaseExperiment, state: GANState, example: PyTree, num_classes: int
) -> None:
    """Refuses a state or a step's samples that alone are larger than the memory.

    A bound from below, to catch slips of the keyboard before XLA tries for minutes: gradients and
    activations come on top, and whether they fit is seen when training starts.

    Raises:
      ValueError: naming the option that is the largest of those at fault.
    """
    parts: dict[str, tuple[PyTree, tuple[str, ...]]] = {
        "the generator, its average and its optimiser": (
            (state.generator, state.ema),
            ("generator.", "image_size"),
        ),
        "the discriminator and its optimiser": (
            state.discriminator,
            ("discriminator.", "image_size"),
        ),
        "what the game remembers": (state.carry, ("pool_size", "batch_size", "image_size")),
        "the samples of a step": (example, ("batch_size", "discriminator_steps", "image_size")),
    }
    takes = {part: _bytes(tree) for part, (tree, _) in parts.items()}
    total, memory = sum(takes.values()), device_memory()
    if total <= memory:
        return
    part = max(takes, key=lambda part: takes[part])
    values = flat(to_dict(experiment))
    suspects = {
        name: value
        for name, value in values.items()
        if name.startswith(parts[part][1]) and type(value) is int
    }
    if values.get("conditional"):
        suspects["the number of classes"] = num_classes
    name = max(suspects, key=lambda name: suspects[name], default="")
    blame = f"{name} {suspects[name]} is too large: " if name else ""
    raise ValueError(
        f"{blame}a run takes {_amount(total)} at least, above all for {part}, and there are "
        f"{_amount(memory)} of memory"
    )


def _bytes(tree: PyTree) -> int:
    """On one device."""

    def own(leaf: jax.ShapeDtypeStruct) -> int:
        shape = leaf.sharding.shard_shape(leaf.shape) if leaf.sharding else leaf.shape
        return math.prod(shape) * leaf.dtype.itemsize

    return sum(map(own, jax.tree.leaves(tree)))


def _amount(count: int) -> str:
    return f"{count / 1e9:,.0f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _check_best(
    experiment: BaseExperiment, logged: Sequence[str], evaluated: Sequence[str]
) -> None:
    """Refuses a `best_metric` that would rank no checkpoint, or the worst."""
    metric = experiment.best_metric
    if metric not in (None, *logged, *evaluated):
        raise ValueError(
            f"best_metric {metric!r} is not measured; logged are {', '.join((*logged, *evaluated))}"
        )
    if metric not in evaluated:
        return
    if metric in HIGHER_IS_BETTER:
        smaller = [name for name in evaluated if name not in HIGHER_IS_BETTER]
        raise ValueError(
            f"best_metric {metric!r} is better the larger it is, and the smallest value marks the "
            f"best checkpoint; take {' or '.join(smaller)}"
        )
    every, saved = experiment.evaluation_interval, experiment.checkpoint_every
    meet = math.lcm(every, saved)
    if max(every, saved) <= experiment.steps < meet:  # Trials too short for either are no mistake.
        raise ValueError(
            f"best_metric {metric!r} would rank nothing: evaluate_every {every} and "
            f"checkpoint_every {saved} first meet at step {meet}, and there are "
            f"{experiment.steps} steps"
        )


def abstract_state(experiment: BaseExperiment, game: Game, spec: Spec | PairSpec) -> GANState:
    """Shapes and types of a run's state, for which the data need not be there."""
    key = jax.random.key(experiment.seed)
    return jax.eval_shape(_initializer(experiment, game), spec.example(experiment.batch_size), key)


def _initializer(experiment: BaseExperiment, game: Game) -> Callable[[Batch, Key], GANState]:
    optimizers = experiment.make_optimizers()

    def init(batch: Batch, key: Key) -> GANState:
        return init_state(game, optimizers, experiment.prepare(batch, key), key)

    return init


def _has_plain_convolution(program: str) -> bool:
    return any(name in program for name in PLAIN_CONVOLUTIONS)


def _best_steps_per_call(traced: Traced) -> int:
    """Several on accelerators, and on a CPU for a small step without convolutions.

    In the body of a loop XLA's CPU compiler makes convolutions up to 35 times slower and steps that
    draw large random arrays a third; a call saved is a fifth of a millisecond, whatever the step.
    """
    if jax.default_backend() != "cpu":
        return STEPS_PER_CALL
    if _has_plain_convolution(str(traced.jaxpr)):
        return 1
    touched = traced.lower().cost_analysis()["bytes accessed"]
    return STEPS_PER_CALL if touched <= LOOP_LIMIT else 1
