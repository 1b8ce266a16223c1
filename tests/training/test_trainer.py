"""An experiment turned into data, step and state."""

import dataclasses
import threading
import time

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from jaxgan.data import ArraySource, StackedSource, batch_indices
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions, Phase
from jaxgan.runs.log import digest
from jaxgan.training import inherit
from jaxgan.training.program import STEPS_PER_CALL
from jaxgan.training.trainer import make_trainer

pytestmark = pytest.mark.usefixtures("optimised")
TINY = Experiment(
    steps=4,
    batch_size=8,
    generator=GeneratorOptions(family="mlp", width=8, depth=1, latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=8, depth=1, normalization="none"),
)


class Streamed(Experiment):
    """Data that stay on the host."""

    def open_source(self, split="train"):
        host = super().open_source(split).host
        return ArraySource("streamed", host["real"], host["label"], device_limit=0)


def program_of(experiment):
    """The one program of a run of one phase."""
    (program,) = make_trainer(experiment).programs
    return program


def after_steps(program, steps=2):
    """The state after some steps, one a call, and each step's scalars."""
    state, scalars = program.start(None), []
    for step in range(steps):
        state, vectors = program.steps(state, step, 1)
        scalars.append(np.asarray(vectors)[0])
    return state, scalars


@pytest.fixture(scope="module")
def tiny():
    return program_of(TINY)


@pytest.fixture(scope="module")
def trained(tiny):
    return after_steps(tiny)


@pytest.fixture
def nothing_kept(monkeypatch):
    """The tests' cache of compiled programs is not looked into."""
    folder = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    reset_cache()
    yield
    jax.config.update("jax_compilation_cache_dir", folder)
    reset_cache()


def test_same_seed_same_bits(trained, nothing_kept):
    jax.clear_caches()  # As in another process: everything is traced and compiled anew.
    state, scalars = after_steps(program_of(TINY))
    assert digest(state) == digest(trained[0])
    np.testing.assert_array_equal(scalars, trained[1])


def test_another_seed_other_bits(trained):
    other, scalars = after_steps(program_of(dataclasses.replace(TINY, seed=1)))
    for name in ("generator", "discriminator"):
        assert digest(other.params[name]) != digest(trained[0].params[name])
    assert not np.array_equal(scalars, trained[1])


def test_a_streamed_set_gives_the_bits_of_a_resident_one(trained):
    """`take` on the host for each step, against a gather inside the jitted step."""
    program = program_of(Streamed(**vars(TINY)))
    assert program.source.arrays is None
    state = program.start(None)
    for step, expected in enumerate(trained[1]):
        state, vectors = program.steps(state, step, 1)
        np.testing.assert_array_equal(vectors, expected[None])
    assert digest(state) == digest(trained[0])


class Watched(ArraySource):
    """Streamed digits that note what is taken and by which thread; what is `gone` cannot be read.

    Attributes:
      taken: the thread's name and the indices of each `take`, in their order.
      gone: indices that, taken together, are an error.
    """

    def __init__(self):
        host = TINY.open_source().host
        super().__init__("watched", host["real"], host["label"], device_limit=0)
        self.taken, self.gone = [], None

    def take(self, indices):
        self.taken.append((threading.current_thread().name, list(indices)))
        if self.gone is not None and list(indices) == list(self.gone):
            raise OSError(5, "the disk is gone")
        return super().take(indices)

    def wait_for(self, count):
        """Returns once this many were taken."""
        deadline = time.monotonic() + 60
        while len(self.taken) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.taken) == count


@pytest.fixture(scope="module")
def watched():
    """A program over a source that is watched."""
    source = Watched()

    class OverWatched(Experiment):
        def open_source(self, split="train"):
            return source

    return program_of(OverWatched(**vars(TINY)))


@pytest.fixture
def fresh(watched):
    """Its state before the first step, and the source, of which nothing was taken since."""
    state, source = watched.start(None), watched.source
    source.taken.clear()
    yield state, source
    source.gone = None


def test_a_streamed_set_is_read_ahead(watched, fresh, trained):
    """While a step runs, another thread takes the batch of the next: each once, in their order."""
    state, source = fresh
    own = threading.current_thread().name
    for step in range(2):
        state, vectors = watched.steps(state, step, 1)
        np.testing.assert_array_equal(vectors, trained[1][step][None])
        source.wait_for(step + 2)  # Without the step after this one being asked for.
    assert digest(state) == digest(trained[0])
    threads, taken = zip(*source.taken, strict=True)
    np.testing.assert_array_equal(taken, [watched.indices(step) for step in range(3)])
    assert threads[0] == own
    for name in threads[1:]:
        assert name.startswith("read ahead")


def test_what_was_read_ahead_and_is_not_asked_for_is_passed_over(watched, fresh, trained):
    """As where a run goes back to an earlier checkpoint."""
    state, source = fresh
    state, _ = watched.steps(state, 0, 1)
    source.wait_for(2)
    state, vectors = watched.steps(watched.start(None), 0, 1)  # Step 1 was read.
    np.testing.assert_array_equal(vectors, trained[1][0][None])
    state, vectors = watched.steps(state, 1, 1)
    np.testing.assert_array_equal(vectors, trained[1][1][None])
    assert digest(state) == digest(trained[0])


def test_a_read_error_surfaces_at_the_step_that_needs_the_data(watched, fresh, trained):
    state, source = fresh
    source.gone = watched.indices(2)
    for step in range(2):  # The second of them reads ahead in vain, and is done all the same.
        state, vectors = watched.steps(state, step, 1)
        np.testing.assert_array_equal(vectors, trained[1][step][None])
    source.wait_for(3)
    assert digest(state) == digest(trained[0])
    with pytest.raises(OSError, match="the disk is gone"):
        watched.steps(state, 2, 1)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    source.gone = None
    state, _ = watched.steps(state, 2, 1)  # It can be read again.
    assert int(state.step) == 3


def test_no_reader_outlives_the_last_step(watched, fresh):
    state, source = fresh
    for step in range(TINY.steps):
        state, _ = watched.steps(state, step, 1)
    assert len(source.taken) == TINY.steps  # Nothing beyond the end.
    readers = [each for each in threading.enumerate() if each.name.startswith("read ahead")]
    for reader in readers:
        reader.join(10)  # The last one has given its batch and may still be ending.
    assert not any(reader.is_alive() for reader in readers)


def test_stacks_are_put_together_within_the_step():
    """From the digits on the device, to the bit as from those on the host."""

    class Stacks(Experiment):
        limit = 1 << 30

        def open_source(self, split="train"):
            host = super().open_source(split).host
            digits = ArraySource("digits", host["real"], host["label"], device_limit=self.limit)
            rows = np.random.default_rng(0).integers(len(digits), size=(40, 3))
            return StackedSource(digits, rows)

    class OnHost(Stacks):
        limit = 0

    programs = [program_of(kind(**vars(TINY))) for kind in (Stacks, OnHost)]
    assert [program.source.arrays is None for program in programs] == [False, True]
    states = [program.steps(program.start(None), 0, 1)[0] for program in programs]
    assert digest(states[0]) == digest(states[1])


POINTS = dataclasses.replace(
    TINY, data="grid", generator=dataclasses.replace(TINY.generator, normalization="none")
)
PENALISED = {"penalty": "r1", "penalty_every": 2, "packing": 2, "label_noise": 0.1}
DROPOUT = dataclasses.replace(TINY.discriminator, dropout=0.3, normalization="batch")


@pytest.mark.parametrize(
    "changes",
    [
        vars(POINTS) | PENALISED | {"unrolled_steps": 1},
        {"discriminator": DROPOUT, "discriminator_steps": 2, "flip": True},
        {"discriminator": DROPOUT, "discriminator_steps": 2, "reuse_fakes": True},
    ],
    ids=["points", "images", "fakes made once"],
)
def test_several_steps_in_a_call_give_the_bits_of_single_ones(monkeypatch, changes):
    experiment = dataclasses.replace(TINY, **changes)
    single = program_of(dataclasses.replace(experiment, steps_per_call=1))
    expected, scalars = after_steps(single, 6)
    program = program_of(dataclasses.replace(experiment, steps_per_call=4))
    program.compile(True)
    monkeypatch.setattr(jax.stages.Lowered, "compile", None)  # Nothing is left to compile.
    state, step, rows = program.start(None), 0, []
    for count in (1, 4, 1):
        state, vectors = program.steps(state, step, count)
        assert vectors.shape == (4, len(program.scalar_names))
        rows += list(np.asarray(vectors)[:count])
        step += count
    assert digest(state) == digest(expected)
    np.testing.assert_array_equal(rows, scalars)


def test_steps_per_call_are_chosen_where_they_win():
    if jax.default_backend() != "cpu":
        pytest.skip("the choice is another on accelerators")

    def chosen(width=8, family="mlp", **changes):
        sides = {
            name: dataclasses.replace(getattr(TINY, name), family=family, width=width)
            for name in ("generator", "discriminator")
        }
        return program_of(dataclasses.replace(TINY, **sides, **changes)).steps_per_call

    assert chosen() == STEPS_PER_CALL
    assert chosen(width=2048) == 1  # A call is nothing beside such a step.
    assert chosen(width=2, family="dcgan") == 1  # Convolutions crawl in a loop's body.
    assert chosen(width=2048, steps_per_call=3) == 3  # Who asks gets it,
    streamed = Streamed(**vars(TINY) | {"steps_per_call": 3})
    assert program_of(streamed).steps_per_call == 1  # or not.


def test_the_state_is_arrays_of_the_promised_shapes(tiny, trained):
    for state in (trained[0], inherit(tiny.start(None), trained[0], restart=False)):
        assert jax.tree.structure(state) == jax.tree.structure(tiny.abstract)
        for leaf, promised in zip(
            jax.tree.leaves(state), jax.tree.leaves(tiny.abstract), strict=True
        ):
            assert isinstance(leaf, jax.Array)
            assert (leaf.shape, leaf.dtype) == (promised.shape, promised.dtype)


def test_scalars_come_in_the_order_of_their_names(tiny, trained):
    assert {"generator_loss", "discriminator_loss"} < set(tiny.scalar_names)
    scalars = dict(zip(tiny.scalar_names, trained[1][0], strict=True))
    # At the start both losses of the non-saturating game are near ln 2, twice for the two sides.
    assert scalars["generator_loss"] == pytest.approx(np.log(2), abs=0.4)
    assert scalars["discriminator_loss"] == pytest.approx(2 * np.log(2), abs=0.6)


def test_each_discriminator_step_takes_the_next_batch_of_the_plan():
    program = program_of(dataclasses.replace(TINY, discriminator_steps=3))
    size = len(program.source)
    assert [program.images_seen(step) for step in (0, 1, 5)] == [0, 24, 120]
    indices = program.indices(5)
    assert indices.shape == (24,)
    for turn in range(3):  # Of step 5: batches 15, 16 and 17.
        np.testing.assert_array_equal(indices[turn::3], batch_indices(0, 8 * (15 + turn), 8, size))


@dataclasses.dataclass(frozen=True)
class Phased(Experiment):
    """Two phases, the second with smaller batches and more discriminator steps."""

    lengths: tuple[int, ...] = (2, 2)

    def phases(self):
        second = dataclasses.replace(self, batch_size=4, discriminator_steps=2)
        experiments = [self] + [second] * (len(self.lengths) - 1)
        return tuple(map(Phase, self.lengths, experiments))


def test_every_step_and_every_checkpoint_is_of_a_phase():
    """At a border, a checkpoint is of the phase that ends, and the next step of the one that
    begins."""
    trainer = make_trainer(Phased(**vars(TINY)))
    first, second = trainer.programs
    assert [trainer.at(step) is second for step in range(5)] == [False, False, True, True, True]
    assert [trainer.expected(step).phase for step in range(5)] == [0, 0, 0, 1, 1]
    assert trainer.expected(2).abstract is first.abstract
    assert trainer.expected(3).abstract is second.abstract


def test_a_phase_goes_on_with_the_samples_where_the_one_before_ended():
    first, second = make_trainer(Phased(**vars(TINY))).programs
    assert [first.images_seen(step) for step in (0, 1, 2)] == [0, 8, 16]
    assert [second.images_seen(step) for step in (2, 3, 4)] == [16, 24, 32]
    stream = np.concatenate([batch_indices(0, 8 * n, 8, len(first.source)) for n in range(4)])
    np.testing.assert_array_equal(first.indices(1), stream[8:16])
    turns = second.indices(3)
    np.testing.assert_array_equal(np.concatenate([turns[::2], turns[1::2]]), stream[24:32])


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ((2, 1), "the phases take 3 steps together, and steps is 4"),
        ((4, 0), "phase 1 takes 0 steps; it must take 1 or more"),
        ((), "the phases take 0 steps together, and steps is 4"),
    ],
)
def test_phases_must_add_up_to_the_run(lengths, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(Phased(**vars(TINY), lengths=lengths))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 2000}, "batch_size 2000 is larger than the data set 'digits'"),
        ({"batch_size": 0}, "batch_size must be 1 or more, not 0"),
        ({"data": "ring", "flip": True}, "flip needs images, and 'ring' holds points"),
        ({"simultaneous": True, "discriminator_steps": 2}, "simultaneous updates take one"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(changes, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(dataclasses.replace(TINY, **changes))


@pytest.mark.parametrize(("metric", "higher"), [("frechet", False), ("smallest_share", True)])
def test_an_evaluated_metric_may_rank(metric, higher):
    """In its own direction."""
    trainer = make_trainer(dataclasses.replace(TINY, evaluate_every=2, best_metric=metric))
    assert metric not in trainer.programs[0].scalar_names
    assert trainer.higher_is_better == higher


@pytest.mark.parametrize("metric", [None, "generator_loss"])
def test_what_a_step_logs_ranks_by_its_smallest_value(metric):
    assert not make_trainer(dataclasses.replace(TINY, best_metric=metric)).higher_is_better


def test_evaluations_of_what_cannot_be_measured_are_refused():
    class Unmeasured(Experiment):
        def metric_names(self, spec):
            return {}

    message = "evaluate_every 2: there is no measure of a run of Unmeasured; set it to 0"
    with pytest.raises(ValueError, match=message):
        make_trainer(Unmeasured(**vars(TINY) | {"evaluate_every": 2}))


def test_evaluations_and_checkpoints_that_never_meet_rank_nothing():
    def changed(steps, evaluate, save):
        every = {"steps": steps, "evaluate_every": evaluate, "checkpoint_every": save}
        return dataclasses.replace(TINY, best_metric="frechet", **every)

    with pytest.raises(ValueError, match=r"'frechet' would rank nothing.* first meet at step 12"):
        make_trainer(changed(11, 4, 6))
    for fits in (changed(12, 4, 6), changed(5, 4, 6), changed(5, 8, 3)):
        make_trainer(fits)  # They meet, or the run is too short for one of them.
