"""Runs of mixtures: the ring is found exactly, and every command takes them."""

import dataclasses

import numpy as np
import pytest
from silent import Silent

from jaxgan import load, train
from jaxgan.cli.main import main
from jaxgan.data import MIXTURES
from jaxgan.experiment import MixtureExperiment, check
from jaxgan.runs.log import digest

RING = MixtureExperiment(
    steps=12, log_every=3, sample_every=12, checkpoint_every=3, best_metric="log_likelihood"
)
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(RING, tmp_path_factory.mktemp("runs") / "ring", reporter=Silent())


def test_the_ring_is_found(run):
    assert run.experiment.batch_size == len(run.experiment.open_source())  # All of it, resolved.
    centers = MIXTURES["ring"].centers
    means = np.asarray(run.variables.params["means"])
    apart = np.linalg.norm(centers[:, None] - means[None], axis=-1)
    assert apart.min(axis=1).max() < 0.05
    lines = [line["log_likelihood"] for line in run.metrics if "images_seen" in line]
    ulp = np.spacing(np.float32(max(lines)))
    assert np.diff(lines).min() >= -ulp  # They are float32.
    assert run.sample(7).shape == (7, 2)


def test_it_is_evaluated_by_its_likelihood_and_its_modes(run):
    metrics = run.evaluate()["metrics"]
    assert metrics["modes"] == 8
    assert metrics["high_quality"] > 0.97
    count = len(run.experiment.open_source())
    # 8 components: 7 weights, 16 means, 24 covariances.
    likelihood = (47 * np.log(count) - metrics["bic"]) / (2 * count)
    assert likelihood == pytest.approx(metrics["reference_log_likelihood"], abs=0.1)
    assert load(run.directory, best=True).step > 3  # The likelihood rises.


def test_a_resumed_run_is_the_same(run, tmp_path):
    train(dataclasses.replace(RING, steps=6), tmp_path / "run", reporter=Silent())
    assert main(["resume", str(tmp_path / "run"), "--steps", "12"]) == 0
    assert digest(load(tmp_path / "run").variables) == digest(run.variables)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stepwise": 0.4}, r"stepwise must be 0 or above 0\.5, not 0\.4"),
        ({"ema_decay": 0.9}, r"ema_decay of a mixture must be 0, not 0\.9"),
        ({"floor": 0.0}, "floor must be above 0"),
    ],
)
def test_options_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(RING, **changes))


def test_more_components_than_samples_are_refused():
    few = dataclasses.replace(RING, components=10, batch_size=5, stepwise=0.7)
    with pytest.raises(ValueError, match=r"components 10 need as many samples .* has 5"):
        few.check_source(few.open_source())
