"""Every experiment of the repository: it loads, and its networks, data and losses fit."""

from pathlib import Path

import jax
import pytest

from jaxgan import run
from jaxgan.data import Spec, open_source
from jaxgan.evaluation import metric_names
from jaxgan.experiment import Experiment, check
from jaxgan.options import from_dict, to_dict
from jaxgan.sampling import draw_inputs
from jaxgan.training.trainer import abstract_state

FILES = sorted((Path(__file__).parents[1] / "experiments").glob("*.py"))
NOT_AT_HAND = {"mnist": Spec((28, 28, 1), 10), "cifar10": Spec((32, 32, 3), 10)}
"""Data that a machine may lack, by the name their experiments give; no experiment trains here."""


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request) -> Path:
    return request.param


def test_there_are_experiments():
    assert {"digits", "ring", "grid", "dcgan_mnist"} <= {path.stem for path in FILES}


def test_an_experiment_fits_together(file):
    experiment = run.load_file(file)
    check(experiment)
    assert experiment.name == file.stem  # Its runs are found by the file's name.
    spec = NOT_AT_HAND.get(experiment.data) or open_source(experiment.data).spec
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


def test_an_experiment_is_read_back_from_its_record(file):
    experiment = run.load_file(file)
    if type(experiment) is Experiment:
        assert from_dict(Experiment, to_dict(experiment)) == experiment
