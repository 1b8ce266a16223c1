"""One phase of an experiment as compiled programs: its start, and its steps over the data."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.stages import Compiled, Traced

from jaxgan import compiler
from jaxgan.devices import compilation, sharding
from jaxgan.devices.allocator import keep_freed_memory
from jaxgan.experiment.base import BaseExperiment, Phase
from jaxgan.games.game import Game
from jaxgan.training.memory import refuse_what_fits_nowhere
from jaxgan.training.state import TrainingState, inherit, init_state
from jaxgan.training.step import TrainStep, make_train_step
from jaxgan.types import Array, Batch, Key, PyTree

STEPS_PER_CALL = 25
"""Steps in a call where calls of several win. A call costs a fifth of a millisecond."""
PLAIN_CONVOLUTIONS = ("conv_general_dilated", "plain_conv")
"""XLA's own, by how the names of their primitives begin."""
LOOP_LIMIT = 50e6
"""Bytes that a step's operations may read and write, each for itself, to be small: on a CPU small
steps are looped, or have convolutions for which it does not pay to compile them at every start."""
BATCH = 8
"""Images of a minibatch from which oneDNN's convolutions win."""


class Place(NamedTuple):
    """Where a phase lies in its run.

    Attributes:
      number: of the phase, from 0.
      first: steps before it.
      last: steps after which it ends.
      images: samples that the run has seen before it.
    """

    number: int
    first: int
    last: int
    images: int


class Program(NamedTuple):
    """What the loop needs of a phase.

    Attributes:
      place: in the run.
      experiment: of the phase.
      source: the data.
      game: the game, for sampling.
      abstract: shapes, types and shardings of the state.
      scalar_names: what the entries of a vector of scalars are.
      steps_per_call: most steps in a call.
      indices: `step -> indices` of the samples that it uses.
      images_seen: `step -> samples` that the run has seen after that many steps.
      start: `(last state of the phase before, or None) -> state` before the first step.
      steps: `(state, step, count) -> (state, scalars)`: the steps from number `step` on in one
        call, to the bit as one a call. The scalars are float32 [steps_per_call, names], one
        transfer a call instead of ten a step; the first `count` rows are theirs.
      compile: compiles `steps`, and `start` if asked to, now instead of at their first calls; gives
        the program of `steps`.
    """

    place: Place
    experiment: BaseExperiment
    source: Any
    game: Game
    abstract: TrainingState
    scalar_names: list[str]
    steps_per_call: int
    indices: Callable[[int], np.ndarray]
    images_seen: Callable[[int], int]
    start: Callable[[TrainingState | None], TrainingState]
    steps: Callable[[TrainingState, int, int], tuple[TrainingState, Array]]
    compile: Callable[[bool], Compiled]


def make_program(phase: Phase, place: Place, source: Any, mesh: Mesh, root_key: Key) -> Program:
    """Builds game, step and programs of a phase; nothing is compiled yet.

    Raises:
      ValueError: when options, data and networks do not fit each other.
    """
    experiment = phase.experiment
    experiment.check_source(source)
    game = experiment.make_game(source.spec)
    batch_size, minibatches = experiment.batch_size, game.minibatches
    if batch_size % mesh.size:
        raise ValueError(
            f"batch_size {batch_size} does not divide among {mesh.size} devices; "
            f"take a multiple of {mesh.size}"
        )
    abstract = _sharded(abstract_state(experiment, game, source.spec), experiment, mesh)
    example = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding.rows(mesh)),
        source.spec.example(batch_size * minibatches),
    )
    classes = getattr(source.spec, "num_classes", 0)
    refuse_what_fits_nowhere(experiment, abstract, game.averaged, example, classes)
    key = jax.random.wrap_key_data(
        sharding.place(jax.random.key_data(root_key), sharding.whole(mesh))
    )
    step, traced = _trace(experiment, game, abstract, example, mesh, key)
    scalar_names = sorted(traced.out_info[1])
    resident = source.arrays is not None
    limit = (experiment.steps_per_call or _best_steps_per_call(traced)) if resident else 1

    def images_seen(step: int) -> int:
        return place.images + (step - place.first) * batch_size * minibatches

    def indices(step: int) -> np.ndarray:
        first = images_seen(step)
        parts = [experiment.indices(source, first + n * batch_size) for n in range(minibatches)]
        # Interleaved, as `make_train_step` takes them.
        return np.stack(parts, axis=1).reshape(batch_size * minibatches, *parts[0].shape[1:])

    batches = _Batches(source, indices, place.last, mesh)

    @cache
    def compiled_steps() -> Compiled:
        asks = limit == 1 and _gains_by_other_convolutions(traced, batch_size)
        asked = compiler.options(jax.default_backend(), convolutions=asks)
        gather = source.spec.gather if resident else None
        on_row = partial(_on_row, step, gather, scalar_names)
        data = batches.resident if resident else example
        plan = np.zeros((limit, *indices(place.first).shape), np.int32)
        return _compile_steps(
            *(on_row, data, resident, plan, len(scalar_names), abstract, mesh, key, asked)
        )

    def steps(state: TrainingState, first: int, count: int) -> tuple[TrainingState, Array]:
        rows = [indices(first + number) for number in range(count)]
        plan = np.zeros((limit, *rows[0].shape), np.int32)
        plan[:count] = rows
        data = batches.resident if resident else batches.of_step(first)
        return compiled_steps()(state, data, plan, np.int32(count), key)

    @cache
    def compiled_start() -> Compiled:
        return _compile_start(experiment, game, source.spec, abstract, mesh, key)

    def start(previous: TrainingState | None) -> TrainingState:
        batch = sharding.place_rows(source.take, np.arange(batch_size), mesh)
        state = compiled_start()(batch, key)
        return state if previous is None else inherit(state, previous, restart=phase.restart)

    def compile_all(with_start: bool) -> Compiled:
        functions = [compiled_steps, compiled_start] if with_start else [compiled_steps]
        with ThreadPoolExecutor(len(functions)) as pool:  # XLA releases Python's lock.
            program, *_ = pool.map(lambda function: function(), functions)
            return program

    return Program(
        place=place,
        experiment=experiment,
        source=source,
        game=game,
        abstract=abstract,
        scalar_names=scalar_names,
        steps_per_call=limit,
        indices=indices,
        images_seen=images_seen,
        start=start,
        steps=steps,
        compile=compile_all,
    )


def abstract_state(experiment: BaseExperiment, game: Game, spec: Any) -> TrainingState:
    """Shapes and types of a phase's state, for which the data need not be there."""
    key = jax.random.key(experiment.seed)
    return jax.eval_shape(_initializer(experiment, game), spec.example(experiment.batch_size), key)


def _initializer(experiment: BaseExperiment, game: Game) -> Callable[[Batch, Key], TrainingState]:
    optimizers = experiment.make_optimizers()

    def init(batch: Batch, key: Key) -> TrainingState:
        return init_state(game, optimizers, experiment.prepare(batch, key), key)

    return init


def _sharded(abstract: TrainingState, experiment: BaseExperiment, mesh: Mesh) -> TrainingState:
    shardings = sharding.state_shardings(abstract, mesh, split=experiment.shard_parameters)
    return jax.tree.map(
        lambda leaf, own: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=own),
        *(abstract, shardings),
    )


def _trace(
    experiment: BaseExperiment,
    game: Game,
    abstract: TrainingState,
    example: PyTree,
    mesh: Mesh,
    key: Key,
) -> tuple[TrainStep, Traced]:
    """The step and its trace.

    On a CPU repeated moves are a loop of networks whose convolutions all are products of matrices,
    or that have none: that saves memory and compiling, and of many updates time. It is tried first,
    for it is traced as quickly as one update. Elsewhere it was not measured.
    """

    def build(loop: bool) -> tuple[TrainStep, Traced]:
        plain = make_train_step(
            game,
            experiment.make_optimizers(),
            prepare=experiment.prepare,
            constraints=experiment.make_constraints(),
            loop=loop,
            **experiment.make_step_options(),
        )
        # Called again, in the program of several steps, it is not traced again; nor is it a call.
        step = jax.jit(plain, inline=True)
        with jax.set_mesh(mesh):
            return step, step.trace(abstract, example, key)

    if game.minibatches > 1 and jax.default_backend() == "cpu":
        step, traced = build(loop=True)
        if not _has_plain_convolution(traced):
            return step, traced
    return build(loop=False)


class _Batches:
    """The data on their way to the device.

    A set that does not lie there whole is read ahead: while a step runs, a thread takes the batch
    of the next one. Which batch that is follows from the step, so nothing depends on the thread.

    Args:
      source: the data.
      indices: `step -> indices` of the samples that it uses.
      last: steps after which nothing more is read.
      mesh: of `data_mesh`.
    """

    def __init__(
        self, source: Any, indices: Callable[[int], np.ndarray], last: int, mesh: Mesh
    ) -> None:
        self._source, self._indices, self._last, self._mesh = source, indices, last, mesh
        self._ahead: dict[int, Future[Batch]] = {}

    @cached_property
    def resident(self) -> Batch:
        """The whole of a set that lies on the device."""
        return sharding.place(self._source.arrays, sharding.whole(self._mesh))

    def of_step(self, step: int) -> Batch:
        """The batch of a step, read ahead if the step before was asked for."""
        ahead = self._ahead.pop(step, None)
        self._ahead.clear()
        batch = self._take(step) if ahead is None else ahead.result()
        if step + 1 < self._last:
            reader = ThreadPoolExecutor(1, thread_name_prefix="read ahead")
            self._ahead[step + 1] = reader.submit(self._take, step + 1)
            reader.shutdown(wait=False)  # The thread ends with this batch, so none outlives a run.
        return batch

    def _take(self, step: int) -> Batch:
        return sharding.place_rows(self._source.take, self._indices(step), self._mesh)


def _on_row(
    step: TrainStep,
    gather: Callable[[Batch, Array], Batch] | None,
    names: list[str],
    state: TrainingState,
    data: Batch,
    row: Array,
    key: Key,
) -> tuple[TrainingState, Array]:
    """A step over the samples of `row`; its scalars as a vector."""
    # Gathering inside the step's own call saves a dispatch, which small networks feel.
    batch = data if gather is None else gather(data, row)
    state, scalars = step(state, jax.tree.map(sharding.split_rows, batch), key)
    return state, jnp.stack([jnp.asarray(scalars[name], jnp.float32) for name in names])


def _compile_steps(
    on_row: Callable[[TrainingState, Batch, Array, Key], tuple[TrainingState, Array]],
    data: PyTree,
    resident: bool,
    plan: np.ndarray,
    width: int,
    abstract: TrainingState,
    mesh: Mesh,
    key: Key,
    options: compiler.Options,
) -> Compiled:
    whole, rows = sharding.whole(mesh), sharding.rows(mesh)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    program = jax.jit(
        partial(_looped, on_row, len(plan), width),
        donate_argnums=0,
        in_shardings=(shardings, whole if resident else rows, whole, whole, whole),
        out_shardings=(shardings, whole),
    )
    with jax.set_mesh(mesh):
        lowered = program.lower(abstract, data, plan, np.int32(len(plan)), key)
    with compilation.written_if(compiler.is_kept(options)):
        compiled = lowered.compile(options)
    if jax.default_backend() == "cpu":
        keep_freed_memory()  # The compiler's goes back first.
    return compiled


def _compile_start(
    experiment: BaseExperiment,
    game: Game,
    spec: Any,
    abstract: TrainingState,
    mesh: Mesh,
    key: Key,
) -> Compiled:
    shardings = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    places = sharding.rows(mesh), sharding.whole(mesh)
    program = jax.jit(_initializer(experiment, game), in_shardings=places, out_shardings=shardings)
    with jax.set_mesh(mesh):
        lowered = program.lower(spec.example(experiment.batch_size), key)
    options = compiler.options(jax.default_backend())
    level = "xla_backend_optimization_level"
    if jax.default_backend() == "cpu" and level not in os.environ.get("XLA_FLAGS", ""):
        # It runs once, and XLA takes a third of the time.
        options[level] = "1"
    return lowered.compile(options)


def _looped(
    on_row: Callable[[TrainingState, Batch, Array, Key], tuple[TrainingState, Array]],
    limit: int,
    width: int,
    state: TrainingState,
    data: Batch,
    plan: Array,
    count: Array,
    key: Key,
) -> tuple[TrainingState, Array]:
    """The program of `count` steps, `limit` at most, and the scalars of each.

    One program serves every number of steps, so no bit depends on where calls begin and end.
    """

    def step(row: Array | int, carry: tuple[TrainingState, Array]) -> tuple[TrainingState, Array]:
        state, scalars = carry
        state, vector = on_row(state, data, plan[row], key)
        return state, scalars.at[row].set(vector)

    start = state, jnp.zeros((limit, width), jnp.float32)
    return step(0, start) if limit == 1 else jax.lax.fori_loop(0, count, step, start)


def _operations(jaxpr: Any) -> Iterator[Any]:
    """The operations of a program, those of its calls and loops too."""
    for equation in jaxpr.eqns:
        inner = [
            getattr(leaf, "jaxpr", leaf)
            for leaf in jax.tree.leaves(list(equation.params.values()))
            if hasattr(leaf, "eqns") or hasattr(leaf, "jaxpr")
        ]
        for program in inner:
            yield from _operations(program)
        if not inner:
            yield equation


def _has_plain_convolution(traced: Traced) -> bool:
    names = (operation.primitive.name for operation in _operations(traced.jaxpr))
    return any(name.startswith(PLAIN_CONVOLUTIONS) for name in names)


def _best_steps_per_call(traced: Traced) -> int:
    """Several on accelerators, and on a CPU for a small step without convolutions.

    In the body of a loop XLA's CPU compiler makes convolutions up to 35 times slower and steps that
    draw large random arrays a third; a call saved is a fifth of a millisecond, whatever the step.
    """
    if jax.default_backend() != "cpu":
        return STEPS_PER_CALL
    if _has_plain_convolution(traced):
        return 1
    return STEPS_PER_CALL if _touched(traced) <= LOOP_LIMIT else 1


def _gains_by_other_convolutions(traced: Traced, batch_size: int) -> bool:
    """Whether a step is to ask for other convolutions than XLA's first choice."""
    if not _has_plain_convolution(traced):
        return False
    # With oneDNN's it is compiled at every start.
    return not compiler.offers_onednn() or (batch_size >= BATCH and _touched(traced) > LOOP_LIMIT)


def _touched(traced: Traced) -> int:
    """Bytes that a step's operations read and write, each for itself."""
    return sum(
        variable.aval.size * variable.aval.dtype.itemsize
        for operation in _operations(traced.jaxpr)
        for variable in (*operation.invars, *operation.outvars)
        if hasattr(variable.aval, "size")
    )
