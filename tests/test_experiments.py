"""Every experiment of the repository: it loads, and its networks, data and losses fit."""

import ast
import dataclasses
import re
from pathlib import Path

import jax
import pytest

from jaxgan.data import PairSpec, Spec, open_source
from jaxgan.data.paired import PairedSpec
from jaxgan.experiment import BaseExperiment, UnpairedExperiment, check
from jaxgan.experiment.base import named
from jaxgan.experiment.conditioned import ConditionedExperiment
from jaxgan.networks import parameter_count
from jaxgan.options import to_dict
from jaxgan.runs import record as run
from jaxgan.training.program import abstract_state
from jaxgan.training.state import TrainingState

FILES = sorted((Path(__file__).parents[1] / "experiments").glob("*.py"))
NOT_AT_HAND = {
    "mnist": Spec((28, 28, 1), 10),
    "stacked_mnist": Spec((28, 28, 3), 1000, gauge="stacked"),
    "cifar10": Spec((32, 32, 3), 10),
    "imagenet2012": Spec((128, 128, 3), 1000),
    "usps_train.npz": Spec((16, 16, 1), 10),
    "cycle_gan/horse2zebra": Spec((256, 256, 3), 2),
    "faces": Spec((64, 64, 1), 0),
    "emoji": Spec((64, 64, 3), 0),
    "t91": Spec((72, 72, 3), 0),
    "maps": Spec((256, 256, 3), 0),
    "photos": Spec((1024, 1024, 3), 0),
}
"""Data that a machine may lack, by the name their experiments give; no experiment trains here."""


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request) -> Path:
    return request.param


def spec_of(experiment: BaseExperiment) -> Spec | PairSpec | PairedSpec:
    if isinstance(experiment, ConditionedExperiment):
        real = NOT_AT_HAND[experiment.data]
        return PairedSpec(real, real if experiment.data == "maps" else None)
    if not isinstance(experiment, UnpairedExperiment):
        spec = NOT_AT_HAND.get(experiment.data) or open_source(experiment.data).spec
        size = experiment.image_size
        return spec._replace(shape=(size, size, spec.shape[-1])) if size else spec
    size, domains = experiment.image_size, (experiment.data_x, experiment.data_y)
    specs = [NOT_AT_HAND[name or experiment.data_x] for name in domains]
    if size:
        specs = [spec._replace(shape=(size, size, spec.shape[-1])) for spec in specs]
    return PairSpec(*specs)


def test_there_are_experiments():
    assert {"digits", "ring", "grid", "dcgan_mnist"} <= {path.stem for path in FILES}


def test_an_experiment_opens_with_its_command_and_what_it_gave(file):
    opening = ast.get_docstring(ast.parse(file.read_text()))
    assert re.search(rf"^    jaxgan train {file.stem}( |$)", opening, re.MULTILINE)
    gave = re.search(r"\b(gave|Not measured here: )", opening)
    assert gave, "Neither what it gave, nor that it was not measured."
    if gave[0] == "gave" and file.stem not in ("mixture_digits", "own_network"):  # Seconds.
        assert re.search(r"\bseeds?\b", opening)
        assert re.search(r"\bcores?\b", opening)


def in_steps(experiment: BaseExperiment) -> BaseExperiment:
    """The experiment without epochs, which only its data can turn into steps."""
    if isinstance(experiment, UnpairedExperiment):
        return dataclasses.replace(experiment, epochs=0, decay_epochs=0)
    return experiment.resolved()


def state_of(experiment: BaseExperiment) -> TrainingState:
    """Shapes and types of its state before the first step."""
    spec = spec_of(experiment)
    return abstract_state(in_steps(experiment), experiment.make_game(spec), spec)


def test_an_experiment_fits_together(file):
    experiment = in_steps(run.load_file(file))
    check(experiment)
    # Its runs are found by the file's name, or for a folder of your own by the folder's.
    assert named(experiment).name == ("photos" if "folder" in file.stem else file.stem)
    assert sum(phase.steps for phase in experiment.phases()) == experiment.steps
    if experiment.best_metric:
        assert experiment.best_metric in experiment.metric_names(spec_of(experiment))
        # A checkpoint is ranked by what was measured at its own step.
        assert experiment.evaluate_every % experiment.checkpoint_every == 0
    assert experiment.steps % (experiment.evaluate_every or 1) == 0  # The last state is measured.
    if isinstance(experiment, UnpairedExperiment):
        translations_fit(experiment)
    elif isinstance(experiment, ConditionedExperiment):
        images_of_conditions_fit(experiment)
    else:
        samples_fit(experiment)


def samples_fit(experiment: BaseExperiment) -> None:
    spec, inputs = spec_of(experiment), experiment.inputs(spec_of(experiment))
    drawn = jax.eval_shape(lambda key: inputs.draw(key, 3, inputs.choices()), jax.random.key(0))
    game, state = experiment.make_game(spec), state_of(experiment)
    assert jax.eval_shape(game.sample, state.ema, *drawn).shape == (3, *spec.shape)


def images_of_conditions_fit(experiment: ConditionedExperiment) -> None:
    spec = spec_of(experiment)
    game, state, inputs = experiment.make_game(spec), state_of(experiment), experiment.inputs(spec)
    reading = inputs.read(inputs.choices())
    condition = jax.ShapeDtypeStruct((3, *reading.spec.shape), "float32")
    assert jax.eval_shape(game.sample, state.ema, condition).shape == (3, *spec.real.shape)


def translations_fit(experiment: UnpairedExperiment) -> None:
    spec, inputs = spec_of(experiment), experiment.inputs(spec_of(experiment))
    game, state = experiment.make_game(spec), state_of(experiment)
    for direction, end in (("x-to-y", spec.y), ("y-to-x", spec.x)):
        reading = inputs.read(inputs.choices(direction))
        images = jax.ShapeDtypeStruct((3, *reading.spec.shape), "float32")
        translated = jax.eval_shape(
            lambda side, images, reading=reading: game.sample(side, images, *reading.extra),
            *(state.ema, images),
        )
        assert translated.shape == (3, *end.shape)


def test_horse2zebra_has_the_papers_networks():
    """11.378 and 2.765 million parameters, the figures quoted for the authors' code."""
    (file,) = [path for path in FILES if path.stem == "cyclegan_horse2zebra"]
    sides = state_of(run.load_file(file)).variables
    for side, name, count in (
        ("generator", "x_to_y", 11_378_179),
        ("discriminator", "y", 2_764_737),
    ):
        assert parameter_count(sides[side][name].params) == count
        assert parameter_count(sides[side].params) == 2 * count


def test_maps_has_the_papers_networks():
    """54.414 and 2.769 million parameters are quoted, with batch normalization's two a channel."""
    (file,) = [path for path in FILES if path.stem == "pix2pix_maps"]
    sides = state_of(run.load_file(file)).variables
    normalized = (128 + 256 + 4 * 512) + (4 * 512 + 256 + 128 + 64), 128 + 256 + 512
    counts = 54_413_955 - 2 * normalized[0], 2_768_705 - 2 * normalized[1]
    for side, count in zip(("generator", "discriminator"), counts, strict=True):
        assert parameter_count(sides[side].params) == count


def test_an_experiment_is_read_back_from_its_record(file, tmp_path):
    experiment = run.load_file(file)
    spec = spec_of(experiment)
    run.create(tmp_path / "run", experiment, [spec])
    read, record = run.read(tmp_path / "run")
    assert (type(read).__qualname__, to_dict(read)) == (
        type(experiment).__qualname__,
        to_dict(experiment),
    )
    assert run.recorded_specs(tmp_path / "run", record) == [spec]
