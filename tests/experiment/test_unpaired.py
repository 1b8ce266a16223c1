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
from jaxgan.runs.log import digest
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


def drawn(leaf):
    """An array as a state may hold it: a start of its own is no program to compile."""
    if not np.issubdtype(leaf.dtype, np.floating):
        return jax.device_put(np.zeros(leaf.shape, leaf.dtype), leaf.sharding)
    values = np.random.default_rng(leaf.size).uniform(0, 0.1, leaf.shape)
    return jax.device_put(values.astype(leaf.dtype), leaf.sharding)


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
        ({"generator": TranslatorOptions(width=0)}, "generator.width must be 1 or more, not 0"),
        ({"generator": TranslatorOptions(blocks=101)}, "generator.blocks must be 100 or less"),
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
    run.create(tmp_path / "run", TINY, [spec])
    loaded, record = run.read(tmp_path / "run")
    assert loaded == TINY
    assert record["class"] == "jaxgan.experiment.unpaired:UnpairedExperiment"
    assert record["file"] is None
    assert run.recorded_specs(tmp_path / "run", record) == [spec]


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
    """The program's own way through: indices, gather inside the step, normalise, play."""
    plain = {  # Normalisations make up half of what is compiled, and nothing of the way.
        "generator": dataclasses.replace(TINY.generator, normalization="none"),
        "discriminator": dataclasses.replace(TINY.discriminator, normalization="none"),
    }
    experiment = tiny(flip=True, load_size=9, discriminator_steps=2, **plain)
    (program,) = make_trainer(experiment).programs
    indices = program.indices(3)
    assert indices.shape == (4, 2)
    for turn in range(2):  # Of step 3: after 6 minibatches of 2, and after 7.
        np.testing.assert_array_equal(
            indices[turn::2], program.source.indices(0, 12 + 2 * turn, batch_size=2)
        )
    assert (program.images_seen(0), program.images_seen(3)) == (0, 12)
    pools = program.abstract.carry["pools"]
    assert {name: pool.images.shape for name, pool in pools.items()} == {
        "x": (3, 8, 8, 1),
        "y": (3, 8, 8, 3),
    }
    state = jax.tree.map(drawn, program.abstract)
    before = digest(state.params["generator"])
    state, vectors = program.steps(state, 3, 1)
    scalars = dict(zip(program.scalar_names, np.asarray(vectors)[0], strict=True))
    assert all(np.isfinite(list(scalars.values())))
    assert {"x_cycle", "y_cycle", "x_adversarial", "generator_loss"} < set(scalars)
    assert digest(state.params["generator"]) != before
    assert int(state.carry["pools"]["y"].count) == 3  # Two minibatches of 2, into a pool of 3
    assert jax.tree.structure(state) == jax.tree.structure(program.abstract)


def test_there_is_no_pool_of_size_0():
    (program,) = make_trainer(tiny(pool_size=0)).programs
    assert program.abstract.carry == {}


@pytest.mark.parametrize(
    ("direction", "start", "margin", "extra"),
    [("x-to-y", 1, 1, "x_to_y"), ("y-to-x", 3, 2, "y_to_x")],
)
def test_what_a_translation_reads(direction, start, margin, extra):
    spec = PairSpec(Spec((8, 8, 1), 0), Spec((8, 8, 3), 0))
    inputs = tiny(margin_x=1, margin_y=2).inputs(spec)
    assert inputs.draw is inputs.walk is None  # It draws nothing.
    reading = inputs.read(inputs.choices(direction))
    assert (reading.spec.shape, reading.margin, reading.extra) == ((8, 8, start), margin, (extra,))
    with pytest.raises(TypeError, match="direction"):
        inputs.choices()  # It must be chosen.


def test_a_translation_is_not_measured():
    experiment = tiny()
    source = experiment.open_source()
    game = experiment.make_game(source.spec)
    assert experiment.metric_names(source.spec) == {}
    assert experiment.evaluator(source, game, jax.random.key(0)) is None
    with pytest.raises(ValueError, match="evaluate_every 2: there is no measure of a run of InMem"):
        make_trainer(tiny(evaluate_every=2))
