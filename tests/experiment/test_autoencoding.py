"""Runs of autoencoders: what their options mean, what they leave, and every command on them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from silent import Silent

from jaxgan import load, train
from jaxgan.cli.main import main
from jaxgan.data import Spec
from jaxgan.experiment import (
    AutoencodingExperiment,
    DiscriminatorOptions,
    GeneratorOptions,
    check,
)
from jaxgan.runs.log import digest

pytestmark = pytest.mark.usefixtures("undrawn")

TINY = AutoencodingExperiment(
    name="tiny",
    steps=4,
    batch_size=16,
    encoder=DiscriminatorOptions(family="mlp", width=16, depth=1, normalization="none"),
    decoder=GeneratorOptions(family="mlp", width=16, depth=1, latent_size=3, normalization="none"),
    **dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 2),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(TINY, tmp_path_factory.mktemp("runs") / "vae", reporter=Silent())


def test_what_a_run_leaves(run):
    lines = [line for line in run.metrics if "images_seen" in line]
    assert [line["step"] for line in lines] == [2, 4]
    for line in lines:
        assert line["autoencoder_loss"] == pytest.approx(
            line["reconstruction"] + line["kl_to_prior"]
        )
    assert run.sample(5).shape == (5, 8, 8, 1)
    assert run.sample(5).dtype == np.uint8
    np.testing.assert_array_equal(run.sample(3, seed=1), run.sample(5, seed=1)[:3])


def test_a_resumed_run_is_the_same(run, tmp_path):
    half = dataclasses.replace(TINY, steps=2)
    train(half, tmp_path / "run", reporter=Silent())
    assert main(["resume", str(tmp_path / "run"), "--steps", "4"]) == 0
    again = load(tmp_path / "run")
    assert digest(again.variables) == digest(run.variables)


def test_images_are_encoded_and_decoded(run, tmp_path, capfd):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
    again = run.translate(images)
    assert (again.shape, again.dtype) == (images.shape, np.uint8)
    # By hand: encode, take the mean, decode, bound.
    side, real = run.variables, jnp.asarray(images, jnp.float32) / 127.5 - 1
    encoder, decoder, _ = run.experiment._parts(run.spec)
    mean = encoder.apply(side["encoder"], real, train=False)[0][:, :3]
    expected = jnp.tanh(decoder.apply(side["decoder"], mean, train=False)[0])
    np.testing.assert_allclose(again, (expected + 1) * 127.5, atol=0.51)

    (tmp_path / "in").mkdir()
    Image.fromarray(images[0, ..., 0]).save(tmp_path / "in" / "a.png")
    command = ["reconstruct", str(run.directory), "--input", str(tmp_path / "in")]
    assert main([*command, "--output", str(tmp_path / "out")]) == 0
    assert "1 of 1 images" in capfd.readouterr().out
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "out" / "a.png")), again[0, ..., 0]
    )


def test_evaluation_tells_how_well_the_test_split_is_encoded(run):
    record = run.evaluate("pixels")
    metrics = record["metrics"]
    assert record["protocol"]["bound_latents"] == 64
    assert metrics["importance_bound"] < metrics["bound"]
    test = run.experiment.open_source("test")
    whole = np.asarray(test.take(np.arange(len(test)))["real"])
    real, again = (images.astype(float) / 127.5 - 1 for images in (whole, run.translate(whole)))
    assert metrics["squared_error"] == pytest.approx(np.square(real - again).mean(), rel=1e-2)

    encoder, decoder, likelihood = run.experiment._parts(run.spec)
    codes = encoder.apply(run.variables["encoder"], jnp.asarray(real), train=False)[0]
    mean, log_variance = codes[:, :3], codes[:, 3:]
    latents = mean + jnp.exp(log_variance / 2) * jax.random.normal(jax.random.key(0), mean.shape)
    outputs = decoder.apply(run.variables["decoder"], latents, train=False)[0]
    kl = (jnp.exp(log_variance) - log_variance - 1 + mean**2).sum(1) / 2
    bound = kl - likelihood.log_prob({}, outputs, jnp.asarray(real))
    assert metrics["bound"] == pytest.approx(float(bound.mean()), rel=2e-2)


def test_a_plain_autoencoder_has_no_bound_and_no_kl():
    plain = dataclasses.replace(TINY, variational=False)
    assert (
        set(plain.metric_names(Spec((8, 8, 1), 10))) - set(TINY.metric_names(Spec((8, 8, 1), 10)))
        == set()
    )
    assert "bound" not in plain.metric_names(Spec((8, 8, 1), 10))
    game = plain.make_game(Spec((8, 8, 1), 10))
    batch = {"real": jax.ShapeDtypeStruct((4, 8, 8, 1), jnp.float32)}
    sides, _ = jax.eval_shape(game.init, jax.random.key(0), batch)
    assert sides["autoencoder"]["encoder"].params["Dense_1"]["kernel"].shape == (16, 3)


def test_points_are_gaussian_and_images_may_be():
    points = dataclasses.replace(TINY, data="ring", likelihood="gaussian")
    game = points.make_game(points.open_source().spec)
    sides, _ = game.init(jax.random.key(0), {"real": jnp.ones((4, 2))})
    assert sides["autoencoder"]["likelihood"].params == {"log_scale": 0}
    fixed = dataclasses.replace(points, scale=0.5)
    sides, _ = fixed.make_game(Spec((2,), 0)).init(jax.random.key(0), {"real": jnp.ones((4, 2))})
    assert sides["autoencoder"]["likelihood"].params == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 0.5}, "scale 0.5 is that of a Gaussian: set likelihood to gaussian"),
        ({"encoder": DiscriminatorOptions(clip=0.1)}, "encoder.clip of an autoencoder must be 0"),
        (
            {"decoder": GeneratorOptions(latent_distribution="uniform")},
            "decoder.latent_distribution of an autoencoder must be 'normal', not 'uniform'",
        ),
    ],
)
def test_options_without_a_use_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(TINY, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "ring"}, "likelihood bernoulli needs images"),
        ({"data": "ring", "likelihood": "gaussian", "flip": True}, "flip needs images"),
    ],
)
def test_data_that_do_not_fit_are_refused(changes, message):
    experiment = dataclasses.replace(TINY, **changes)
    with pytest.raises(ValueError, match=message):
        experiment.check_source(experiment.open_source())
