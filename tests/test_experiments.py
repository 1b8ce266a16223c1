"""Every experiment of the repository: it loads, and its networks, data and losses fit."""

import dataclasses
from pathlib import Path

import jax
import pytest

from jaxgan.data import PairSpec, Spec, open_source
from jaxgan.evaluation.evaluator import metric_names
from jaxgan.experiment import BaseExperiment, Experiment, UnpairedExperiment, check
from jaxgan.experiment.sampling import draw_inputs
from jaxgan.networks import parameter_count
from jaxgan.options import from_dict, to_dict
from jaxgan.runs import record as run
from jaxgan.training.trainer import abstract_state

FILES = sorted((Path(__file__).parents[1] / "experiments").glob("*.py"))
NOT_AT_HAND = {
    "mnist": Spec((28, 28, 1), 10),
    "stacked_mnist": Spec((28, 28, 3), 1000),
    "cifar10": Spec((32, 32, 3), 10),
    "usps_train.npz": Spec((16, 16, 1), 10),
    "cycle_gan/horse2zebra": Spec((256, 256, 3), 2),
}
"""Data that a machine may lack, by the name their experiments give; no experiment trains here."""


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request) -> Path:
    return request.param


def spec_of(experiment: BaseExperiment) -> Spec | PairSpec:
    if isinstance(experiment, Experiment):
        return NOT_AT_HAND.get(experiment.data) or open_source(experiment.data).spec
    size, domains = experiment.image_size, (experiment.data_x, experiment.data_y)
    specs = [NOT_AT_HAND[name or experiment.data_x] for name in domains]
    if size:
        specs = [spec._replace(shape=(size, size, spec.shape[-1])) for spec in specs]
    return PairSpec(*specs)


def test_there_are_experiments():
    assert {"digits", "ring", "grid", "dcgan_mnist"} <= {path.stem for path in FILES}


def test_an_experiment_fits_together(file):
    experiment = run.load_file(file)
    check(experiment)
    assert experiment.name == file.stem  # Its runs are found by the file's name.
    if isinstance(experiment, Experiment):
        samples_fit(experiment)
    else:
        translations_fit(experiment)


def samples_fit(experiment: Experiment) -> None:
    spec = spec_of(experiment)
    game = experiment.make_game(spec)
    state = abstract_state(experiment, game, spec)
    latents, labels = jax.eval_shape(
        lambda key: draw_inputs(experiment, spec, key, 3), jax.random.key(0)
    )
    samples = jax.eval_shape(game.sample, state.ema, latents, labels)
    assert samples.shape == (3, *spec.shape)
    if experiment.best_metric:
        assert experiment.best_metric in metric_names(experiment, spec)
        # A checkpoint is ranked by what was measured at its own step.
        assert experiment.evaluate_every % experiment.checkpoint_every == 0
    assert experiment.steps % (experiment.evaluate_every or 1) == 0  # The last state is measured.


def translations_fit(experiment: UnpairedExperiment) -> None:
    spec = spec_of(experiment)
    in_steps = dataclasses.replace(experiment, epochs=0, decay_epochs=0)
    game = experiment.make_game(spec)
    state = abstract_state(in_steps, game, spec)
    for direction, start, end in (("x_to_y", spec.x, spec.y), ("y_to_x", spec.y, spec.x)):
        images = jax.ShapeDtypeStruct((3, *start.shape), "float32")
        translated = jax.eval_shape(
            lambda side, images, to=direction: game.sample(side, images, to), state.ema, images
        )
        assert translated.shape == (3, *end.shape)


def test_horse2zebra_has_the_papers_networks():
    """11.378 and 2.765 million parameters, the figures quoted for the authors' code."""
    (file,) = [path for path in FILES if path.stem == "cyclegan_horse2zebra"]
    experiment = run.load_file(file)
    spec = spec_of(experiment)
    in_steps = dataclasses.replace(experiment, epochs=0, decay_epochs=0)
    state = abstract_state(in_steps, experiment.make_game(spec), spec)
    for side, name, count in (
        (state.generator, "x_to_y", 11_378_179),
        (state.discriminator, "y", 2_764_737),
    ):
        assert parameter_count(side.variables[name].params) == count
        assert parameter_count(side.variables.params) == 2 * count


def test_an_experiment_is_read_back_from_its_record(file):
    experiment = run.load_file(file)
    if type(experiment) in run.KINDS.values():
        assert from_dict(type(experiment), to_dict(experiment)) == experiment
