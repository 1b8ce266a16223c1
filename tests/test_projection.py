"""From images back to latents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import latent, train
from jaxgan.cli.main import main
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.projection import nearest, project, squared_error

MATRIX = jax.random.normal(jax.random.key(0), (3, 2 * 2))
TRUE = latent.draw_latents(jax.random.key(1), 4, 3)


def generate(latents):
    return jnp.tanh(latents @ MATRIX / 2).reshape(-1, 2, 2, 1)


def test_latents_of_samples_are_found_again():
    """Three numbers make four pixels one to one, so there is one answer."""
    found = project(generate, generate(TRUE), jnp.zeros((4, 3)), steps=2000, learning_rate=0.05)
    np.testing.assert_allclose(found.latents, TRUE, atol=0.02)
    np.testing.assert_allclose(found.images, generate(found.latents), atol=1e-6)
    errors = squared_error(found.images, generate(TRUE))
    np.testing.assert_allclose(found.distances, errors, rtol=1e-4, atol=1e-9)


def test_a_linear_generator_is_projected_by_least_squares():
    targets = jax.random.normal(jax.random.key(2), (5, 2, 2, 1))
    found = project(
        lambda latents: (latents @ MATRIX).reshape(-1, 2, 2, 1),
        targets,
        jnp.zeros((5, 3)),
        steps=3000,
    )
    best, *_ = np.linalg.lstsq(np.asarray(MATRIX).T, np.asarray(targets).reshape(5, 4).T)
    np.testing.assert_allclose(found.latents, best.T, atol=2e-3)


def test_a_prior_keeps_latents_small():
    """|z - t|² / 4 + w |z|² / 4 has its least at t / (1 + w)."""
    targets = jnp.array([[[[2.0], [-1.0]], [[0.5], [0.0]]]])
    found = project(
        lambda latents: latents.reshape(-1, 2, 2, 1),
        targets,
        jnp.zeros((1, 4)),
        steps=3000,
        prior_weight=1.0,
    )
    np.testing.assert_allclose(found.distances, squared_error(found.images, targets), rtol=1e-5)
    # The nearest on the way is kept, so the end is the minimum or nearer to the image.
    assert found.distances[0] <= float(squared_error(targets / 2, targets)[0]) + 1e-4
    assert np.linalg.norm(found.latents) < 0.8 * np.linalg.norm(targets)


def test_images_do_not_know_of_each_other():
    together = project(generate, generate(TRUE), jnp.zeros((4, 3)), steps=50)
    alone = project(generate, generate(TRUE)[1:2], jnp.zeros((1, 3)), steps=50)
    np.testing.assert_allclose(together.latents[1:2], alone.latents, atol=1e-5)


def test_a_result_is_never_worse_than_its_start():
    found = project(generate, generate(TRUE), TRUE, steps=5, learning_rate=10.0)
    np.testing.assert_allclose(found.distances, 0, atol=1e-9)


@pytest.mark.parametrize("block", [7, 100])
def test_the_nearest_sample(block):
    pool = latent.draw_latents(jax.random.key(3), 50, 3)
    found = nearest(generate, generate(TRUE), pool, block=block)
    images = np.asarray(generate(pool)).reshape(50, 4)
    targets = np.asarray(generate(TRUE)).reshape(4, 4)
    distances = np.square(images[None] - targets[:, None]).mean(-1)
    np.testing.assert_array_equal(found.latents, pool[distances.argmin(1)])
    np.testing.assert_allclose(found.distances, distances.min(1), rtol=1e-4)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="1 step or more, not 0"):
        project(generate, generate(TRUE), TRUE, steps=0)
    with pytest.raises(ValueError, match="a latent an image, not 1 for 4"):
        project(generate, generate(TRUE), TRUE[:1])
    with pytest.raises(ValueError, match="the nearest of 0 samples"):
        nearest(generate, generate(TRUE), TRUE[:0])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    small = {"family": "mlp", "width": 8, "depth": 1, "normalization": "none"}
    experiment = Experiment(
        name="tiny",
        steps=1,
        generator=GeneratorOptions(**small, latent_size=4),
        discriminator=DiscriminatorOptions(**small),
    )
    return train(experiment, tmp_path_factory.mktemp("runs") / "tiny")


@pytest.mark.usefixtures("undrawn")
def test_the_command_projects_files(run, tmp_path, capfd):
    samples = run.sample(2, seed=5)
    files = [str(tmp_path / f"{i}.png") for i in range(2)]
    for file, sample in zip(files, samples, strict=True):
        Image.fromarray(sample[..., 0]).save(file)
    command = ["project", str(run.directory), *files, "--samples", "20", "--steps", "300"]
    assert main([*command, "--out", str(tmp_path / "found.npz")]) == 0
    assert "2 images projected" in capfd.readouterr().out
    with np.load(tmp_path / "found.npz") as arrays:
        assert arrays["latents"].shape == (2, 4)
        real = samples.astype(float) / 127.5 - 1
        made = arrays["images"].astype(float) / 127.5 - 1
        np.testing.assert_allclose(
            arrays["distances"], np.square(made - real).mean((1, 2, 3)), atol=1e-4
        )
        assert arrays["distances"].max() < 1e-3  # A sample of the run's own is reached.
    assert main([*command, "--out", str(tmp_path / "found.png")]) == 0
    with Image.open(tmp_path / "found.png") as picture:
        assert picture.size[1] > picture.size[0]  # Three rows of two images.
