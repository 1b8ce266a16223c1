"""An experiment turned into data, step and state."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgan.data import ArraySource, StackedSource, batch_indices
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.runs import record as run
from jaxgan.training import inherit
from jaxgan.training.trainer import STEPS_PER_CALL, make_trainer

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


def after_steps(trainer, steps=2):
    """The state after some steps, and each step's scalars."""
    state, scalars = trainer.init(), []
    for step in range(steps):
        state, vector = trainer.step(state, trainer.indices(step))
        scalars.append(np.asarray(vector))
    return state, scalars


@pytest.fixture(scope="module")
def trained():
    return after_steps(make_trainer(TINY))


def test_same_seed_same_bits_and_another_seed_others(trained):
    jax.clear_caches()  # As in another process: everything is traced and compiled anew.
    state, scalars = after_steps(make_trainer(TINY))
    assert run.digest(state) == run.digest(trained[0])
    np.testing.assert_array_equal(scalars, trained[1])
    other, scalars = after_steps(make_trainer(dataclasses.replace(TINY, seed=1)))
    assert run.digest(other.generator) != run.digest(trained[0].generator)
    assert not np.array_equal(scalars, trained[1])


def test_a_streamed_set_gives_the_bits_of_a_resident_one(trained):
    """`take` on the host for each step, against a gather inside the jitted step."""
    trainer = make_trainer(Streamed(**vars(TINY)))
    assert trainer.source.arrays is None
    state = trainer.init()
    for step, expected in enumerate(trained[1]):
        state, vectors = trainer.steps(state, trainer.indices(step)[None])
        np.testing.assert_array_equal(vectors, expected[None])
    assert run.digest(state) == run.digest(trained[0])


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

    trainers = [make_trainer(kind(**vars(TINY))) for kind in (Stacks, OnHost)]
    assert [trainer.source.arrays is None for trainer in trainers] == [False, True]
    states = [trainer.steps(trainer.init(), trainer.indices(0)[None])[0] for trainer in trainers]
    assert run.digest(states[0]) == run.digest(states[1])


POINTS = dataclasses.replace(
    TINY, data="ring", generator=dataclasses.replace(TINY.generator, normalization="none")
)
DROPOUT = dataclasses.replace(TINY.discriminator, dropout=0.3, normalization="batch")


@pytest.mark.parametrize(
    "changes",
    [
        vars(POINTS) | {"penalty": "r1", "penalty_every": 2, "packing": 2, "label_noise": 0.1},
        vars(POINTS) | {"data": "grid", "unrolled_steps": 1},
        {"discriminator": DROPOUT, "discriminator_steps": 2, "flip": True},
    ],
    ids=["ring", "grid", "mlp"],
)
def test_several_steps_in_a_call_give_the_bits_of_single_ones(monkeypatch, changes):
    trainer = make_trainer(dataclasses.replace(TINY, **changes | {"steps_per_call": 4}))
    trainer.compile(True)
    monkeypatch.setattr(jax.stages.Lowered, "compile", None)  # Nothing is left to compile,
    expected, scalars = after_steps(trainer, 6)  # but jitted single steps.
    state, step, rows = trainer.init(), 0, []
    for count in (1, 4, 1):
        plan = np.stack([trainer.indices(step + index) for index in range(count)])
        state, vectors = trainer.steps(state, plan)
        assert vectors.shape == (4, len(trainer.scalar_names))
        rows += list(np.asarray(vectors)[:count])
        step += count
    assert run.digest(state) == run.digest(expected)
    np.testing.assert_array_equal(rows, scalars)


def test_steps_per_call_are_chosen_where_they_win():
    if jax.default_backend() != "cpu":
        pytest.skip("the choice is another on accelerators")

    def chosen(width=8, family="mlp", **changes):
        sides = {
            name: dataclasses.replace(getattr(TINY, name), family=family, width=width)
            for name in ("generator", "discriminator")
        }
        return make_trainer(dataclasses.replace(TINY, **sides, **changes)).steps_per_call

    assert chosen() == STEPS_PER_CALL
    assert chosen(width=2048) == 1  # A call is nothing beside such a step.
    assert chosen(width=2, family="dcgan") == 1  # Convolutions crawl in a loop's body.
    assert chosen(width=2048, steps_per_call=3) == 3  # Who asks gets it,
    assert (
        make_trainer(Streamed(**vars(TINY) | {"steps_per_call": 3})).steps_per_call == 1
    )  # or not.


def test_the_state_is_arrays_of_the_promised_shapes(trained):
    trainer = make_trainer(TINY)
    for state in (trained[0], inherit(trainer.init(), trained[0])):
        assert jax.tree.structure(state) == jax.tree.structure(trainer.abstract)
        for leaf, promised in zip(
            jax.tree.leaves(state), jax.tree.leaves(trainer.abstract), strict=True
        ):
            assert isinstance(leaf, jax.Array)
            assert (leaf.shape, leaf.dtype) == (promised.shape, promised.dtype)


def test_scalars_come_in_the_order_of_their_names(trained):
    trainer = make_trainer(TINY)
    assert {"generator_loss", "discriminator_loss"} < set(trainer.scalar_names)
    scalars = dict(zip(trainer.scalar_names, trained[1][0], strict=True))
    # At the start both losses of the non-saturating game are near ln 2, twice for the two sides.
    assert scalars["generator_loss"] == pytest.approx(np.log(2), abs=0.4)
    assert scalars["discriminator_loss"] == pytest.approx(2 * np.log(2), abs=0.6)


def test_each_discriminator_step_takes_the_next_batch_of_the_plan():
    trainer = make_trainer(dataclasses.replace(TINY, discriminator_steps=3))
    size = len(trainer.source)
    indices = trainer.indices(5)
    assert indices.shape == (24,)
    for turn in range(3):  # Of step 5: batches 15, 16 and 17.
        np.testing.assert_array_equal(indices[turn::3], batch_indices(0, 15 + turn, 8, size))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 2000}, "batch_size 2000 is larger than the data set 'digits'"),
        ({"batch_size": 0}, "batch_size must be 1 or more, not 0"),
        ({"data": "ring", "flip": True}, "flip needs images, and 'ring' holds points"),
        ({"best_metric": "frechet"}, "best_metric 'frechet' is not measured; logged are .*loss"),
        ({"simultaneous": True, "discriminator_steps": 2}, "simultaneous updates take one"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(changes, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(dataclasses.replace(TINY, **changes))


def test_an_evaluated_metric_may_rank():
    changed = dataclasses.replace(TINY, evaluate_every=2, best_metric="frechet")
    assert "frechet" not in make_trainer(changed).scalar_names


def test_evaluations_and_checkpoints_that_never_meet_rank_nothing():
    def changed(steps, evaluate, save):
        every = {"steps": steps, "evaluate_every": evaluate, "checkpoint_every": save}
        return dataclasses.replace(TINY, best_metric="frechet", **every)

    with pytest.raises(ValueError, match=r"'frechet' would rank nothing.* first meet at step 12"):
        make_trainer(changed(11, 4, 6))
    for fits in (changed(12, 4, 6), changed(5, 4, 6), changed(5, 8, 3)):
        make_trainer(fits)  # They meet, or the run is too short for one of them.
    with pytest.raises(ValueError, match="'smallest_share' is better the larger it is"):
        make_trainer(dataclasses.replace(changed(4, 2, 2), best_metric="smallest_share"))
