"""The description of a translation: what it refuses, how its length is said, what it turns into."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxgan.data import ArraySource, PairSource, PairSpec, Spec
from jaxgan.experiment import (
    OptimizerOptions,
    PatchOptions,
    TranslatorOptions,
    UnpairedExperiment,
    check,
)
from jaxgan.options import from_dict, to_dict
from jaxgan.runs import record as run
from jaxgan.training.trainer import make_trainer

TINY = UnpairedExperiment(
    data_x="x",
    data_y="y",
    batch_size=2,
    steps=4,
    generator=TranslatorOptions(width=2, blocks=0),
    discriminator=PatchOptions(width=2, layers=1),
    pool_size=3,
)


class InMemory(UnpairedExperiment):
    """8 grey and 11 colour images of 8x8."""

    def open_source(self, split="train"):
        noise = np.random.default_rng(0)
        x, y = (
            ArraySource(name, noise.integers(256, size=(count, 8, 8, depth), dtype=np.uint8))
            for name, count, depth in (("few", 8, 1), ("many", 11, 3))
        )
        return PairSource(x, y, self.epoch)


def tiny(**changes):
    return InMemory(**vars(TINY) | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cycle_weight": -1.0}, "cycle_weight must be 0 or more, not -1.0"),
        ({"identity_weight": -1.0}, "identity_weight must be 0 or more"),
        ({"pool_size": -1}, "pool_size must be 0 or more, not -1"),
        ({"epochs": -1}, "epochs must be 0 or more, not -1"),
        ({"loss": "wasserstein"}, "loss must be one of least_squares.*not 'wasserstein'"),
        ({"channels_x": 2}, "channels_x must be .*1, 3.*, not 2"),
        ({"epoch": "both"}, "epoch must be one of longer, shorter, not 'both'"),
        ({"steps": 0}, "steps must be 1 or more, not 0"),
        (
            {"generator_optimizer": OptimizerOptions(learning_rate=0.0)},
            "generator_optimizer.learning_rate must be above 0",
        ),
    ],
)
def test_values_that_no_run_can_use(changes, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(TINY, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 9}, "batch_size 9 is larger than data_x 'few' with its 8 images"),
        ({"load_size": 7}, "load_size 7 is smaller than the 8 pixels"),
        ({"identity_weight": 1.0}, "identity_weight 1.0 needs domains of one shape"),
        ({"generator": TranslatorOptions(width=0)}, "width must be 1 or more"),
        ({"discriminator": PatchOptions(layers=2)}, "2 layers takes images of 12 pixels a side"),
        ({"best_metric": "frechet"}, "best_metric 'frechet' is not measured; .*x_cycle"),
        ({"epochs": 3}, "epochs 3 must be turned into steps first"),
    ],
)
def test_what_does_not_fit_the_data(changes, message):
    with pytest.raises(ValueError, match=message):
        make_trainer(tiny(**changes))


def test_a_translation_is_read_back_from_json_and_from_a_run(tmp_path):
    values = json.loads(json.dumps(to_dict(TINY)))
    assert from_dict(UnpairedExperiment, values) == TINY
    spec = PairSpec(Spec((8, 8, 1), 0), Spec((8, 8, 3), 2, ("a", "b")))
    run.create(tmp_path / "run", TINY, tmp_path / "file.py", spec)
    loaded, record = run.load(tmp_path / "run")
    assert loaded == TINY
    assert (record["kind"], record["file"]) == ("UnpairedExperiment", None)
    assert run.recorded_spec(record) == spec


def test_epochs_become_steps():
    """11 images of the longer domain, two a step; both learning rates fall over the last epochs."""
    plain = tiny()
    assert plain.resolved() is plain
    resolved = tiny(epochs=4, decay_epochs=1).resolved()
    assert (resolved.steps, resolved.epochs, resolved.decay_epochs) == (22, 0, 0)
    for optimizer in (resolved.generator_optimizer, resolved.discriminator_optimizer):
        assert (optimizer.decay_start, optimizer.decay_end) == (17, 22)
        assert optimizer.learning_rate == TINY.generator_optimizer.learning_rate
    assert resolved.resolved() is resolved
    shorter = tiny(epochs=4, epoch="shorter").resolved()
    assert (shorter.steps, shorter.generator_optimizer) == (16, TINY.generator_optimizer)
    twice = tiny(epochs=4, decay_epochs=4, discriminator_steps=2).resolved()
    assert twice.steps == 11
    assert twice.generator_optimizer.decay_end == 11
    assert twice.discriminator_optimizer.decay_end == 22


def test_epochs_that_do_not_fit():
    with pytest.raises(ValueError, match="decay_epochs 5 is more than the 4 epochs"):
        tiny(epochs=4, decay_epochs=5).resolved()
    with pytest.raises(ValueError, match="decay_epochs 1 needs epochs"):
        tiny(decay_epochs=1).resolved()


def test_a_step_takes_images_of_both_domains():
    """The trainer's own way through: plan, gather inside the step, normalise, play."""
    trainer = make_trainer(tiny(flip=True, load_size=9, discriminator_steps=2))
    plan = trainer.indices(3)
    assert plan.shape == (4, 2)
    for turn in range(2):  # Of step 3: minibatches 6 and 7.
        np.testing.assert_array_equal(plan[turn::2], trainer.source.indices(0, 6 + turn, 2))
    state = trainer.init()
    assert {name: pool.images.shape for name, pool in state.carry.items()} == {
        "x": (3, 8, 8, 1),
        "y": (3, 8, 8, 3),
    }
    before = run.digest(state.generator.variables)
    state, vectors = trainer.steps(state, plan[None])
    scalars = dict(zip(trainer.scalar_names, np.asarray(vectors)[0], strict=True))
    assert all(np.isfinite(list(scalars.values())))
    assert {"x_cycle", "y_cycle", "x_adversarial", "generator_loss"} < set(scalars)
    assert run.digest(state.generator.variables) != before
    assert int(state.carry["y"].count) == 3  # Two minibatches of 2, into a pool of 3
    assert jax.tree.structure(state) == jax.tree.structure(trainer.abstract)
