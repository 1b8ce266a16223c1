"""Runs of VAE-GANs: what they log and leave, and the commands of GANs and autoencoders on them."""

import dataclasses

import numpy as np
import pytest
from silent import Silent

from jaxgan import load, train
from jaxgan.cli.main import main
from jaxgan.data import Spec
from jaxgan.experiment import DiscriminatorOptions, GeneratorOptions, VAEGANExperiment, check
from jaxgan.runs.log import digest

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL = DiscriminatorOptions(family="mlp", width=16, depth=1, normalization="none")
TINY = VAEGANExperiment(
    name="tiny",
    steps=4,
    batch_size=16,
    encoder=SMALL,
    decoder=GeneratorOptions(family="mlp", width=16, depth=1, latent_size=3, normalization="none"),
    discriminator=SMALL,
    discriminator_steps=2,
    penalty="r1",
    **dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 2),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(TINY, tmp_path_factory.mktemp("runs") / "vae_gan", reporter=Silent())


def test_what_a_run_leaves(run):
    lines = [line for line in run.metrics if "images_seen" in line]
    assert [line["images_seen"] for line in lines] == [64, 128]
    for line in lines:
        told = (1 + TINY.feature_weight) * line["feature_error"] + line["adversarial"]
        assert line["autoencoder_loss"] == pytest.approx(told + line["kl_to_prior"], rel=1e-5)
        assert line["penalty"] > 0
    np.testing.assert_array_equal(run.sample(3, seed=1), run.sample(5, seed=1)[:3])
    images = run.experiment.open_source("test").take(np.arange(4))["real"]
    assert run.translate(np.asarray(images)).shape == (4, 8, 8, 1)


def test_a_resumed_run_is_the_same(run, tmp_path):
    train(dataclasses.replace(TINY, steps=2), tmp_path / "run", reporter=Silent())
    assert main(["resume", str(tmp_path / "run"), "--steps", "4"]) == 0
    assert digest(load(tmp_path / "run").variables) == digest(run.variables)


def test_the_commands_of_gans_and_of_autoencoders_serve_it(run, tmp_path, capfd):
    path = str(run.directory)
    assert main(["sample", path, "--count", "4", "--out", str(tmp_path / "a.png")]) == 0
    assert main(["interpolate", path, "--out", str(tmp_path / "b.png")]) == 0
    assert main(["diagnose", path]) == 0
    capfd.readouterr()


def test_evaluations_measure_reconstructions_and_no_bound():
    names = TINY.metric_names(Spec((8, 8, 1), 10))
    assert names["squared_error"] == "lower"
    assert "bound" not in names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": DiscriminatorOptions(clip=0.1)}, "encoder.clip of an autoencoder must be 0"),
        (
            {"discriminator": DiscriminatorOptions(clip=0.1)},
            r"discriminator.clip of a VAE-GAN must be 0, not 0\.1",
        ),
    ],
)
def test_options_without_a_use_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(TINY, **changes))
