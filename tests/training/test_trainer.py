"""An experiment turned into data, step and state."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgan import run
from jaxgan.data import ArraySource, batch_indices
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.training import inherit
from jaxgan.training.trainer import make_trainer

TINY = Experiment(
    steps=4,
    batch_size=8,
    generator=GeneratorOptions(family="mlp", width=8, depth=1, latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=8, depth=1, normalization="none"),
)


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

    class Streamed(Experiment):
        def open_source(self, split="train"):
            host = super().open_source(split).host
            return ArraySource("streamed", host["real"], host["label"], device_limit=0)

    trainer = make_trainer(Streamed(**vars(TINY)))
    assert trainer.source.arrays is None
    state, scalars = after_steps(trainer)
    assert run.digest(state) == run.digest(trained[0])
    np.testing.assert_array_equal(scalars, trained[1])


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
