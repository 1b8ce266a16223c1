"""From variables to samples and pictures, with a generator that shows what it was given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.data import Spec
from jaxgan.data.source import ArraySource
from jaxgan.experiment import Experiment, GeneratorOptions, sampling
from jaxgan.games import Game
from jaxgan.networks import Variables

IMAGES = Spec((4, 4, 1), 3, ("ant", "bee", "cat"))
POINTS = Spec((2,), 0)
NOTHING = Variables({}, {})


def experiment(**changes) -> Experiment:
    return Experiment(generator=GeneratorOptions(latent_size=2), **changes)


def game(points: bool = False, traces: list | None = None) -> Game:
    """Samples are the latents themselves: as points, or as grey images of their mean."""

    def sample(variables, latents, labels=None):
        if traces is not None:
            traces.append(latents.shape)
        if points:
            return latents
        grey = latents.mean(axis=1) if labels is None else labels / 2 - 1
        return jnp.broadcast_to(grey[:, None, None, None], (len(latents), 4, 4, 1))

    return Game(None, None, None, sample)


def latents(count: int) -> jax.Array:
    return jnp.linspace(-1, 1, 2 * count).reshape(count, 2)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 11])
def test_any_count_in_batches_is_the_same_samples(monkeypatch, count):
    whole = sampling.make_sampler(game())(NOTHING, latents(count))
    monkeypatch.setattr(sampling, "BATCH", 4)
    traces = []
    parts = sampling.make_sampler(game(traces=traces))(NOTHING, latents(count))
    assert whole.dtype == parts.dtype == np.uint8
    assert whole.shape == (count, 4, 4, 1)
    assert np.array_equal(whole, parts)
    assert traces == [(min(count, 4), 2)]  # Compiled once, whatever is left for the last batch.


def test_images_are_uint8_and_points_as_they_are():
    images = sampling.make_sampler(game())(NOTHING, jnp.array([[-1.0, -1.0], [1.0, 1.0]]))
    assert images[:, 0, 0, 0].tolist() == [0, 255]
    points = sampling.make_sampler(game(points=True))(NOTHING, latents(7))
    assert points.dtype == np.float32
    assert np.array_equal(points, latents(7))


def test_labels_travel_with_their_latents(monkeypatch):
    monkeypatch.setattr(sampling, "BATCH", 2)
    labels = jnp.array([0, 4, 2, 4, 0])
    images = sampling.make_sampler(game())(NOTHING, latents(5), labels)
    assert images[:, 0, 0, 0].tolist() == [0, 255, 128, 255, 0]


def test_latent_i_is_the_same_whatever_the_count():
    few, _ = sampling.draw_inputs(experiment(), IMAGES, jax.random.key(0), 3)
    many, _ = sampling.draw_inputs(experiment(), IMAGES, jax.random.key(0), 8)
    other, _ = sampling.draw_inputs(experiment(), IMAGES, jax.random.key(1), 3)
    assert few.shape == (3, 2)
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(few, other)


def test_labels_come_in_turn_or_as_asked():
    def labels(spec=IMAGES, conditional=True, label=None):
        options = experiment(conditional=conditional)
        return sampling.draw_inputs(options, spec, jax.random.key(0), 5, label)[1]

    assert labels(conditional=False) is None
    assert labels().tolist() == [0, 1, 2, 0, 1]
    assert labels(label=2).tolist() == [2, 2, 2, 2, 2]
    for missing in (-1, 3):
        with pytest.raises(ValueError, match=f"label {missing} does not exist.* 0 to 2"):
            labels(label=missing)
    with pytest.raises(ValueError, match=r"label 1 .* takes no labels"):
        labels(conditional=False, label=1)


def test_a_preview_draws_the_same_latents_every_time(tmp_path):
    key = jax.random.key(3)
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    preview = sampling.make_preview(experiment(), IMAGES, game(), key)
    samples = preview(NOTHING, paths[0])
    assert np.array_equal(samples, preview(NOTHING, paths[1]))
    assert (samples.shape, samples.dtype) == ((64, 4, 4, 1), np.uint8)
    sampling.make_preview(experiment(seed=9), IMAGES, game(), jax.random.key(4))(NOTHING, paths[2])
    first, second, other = (path.read_bytes() for path in paths)
    assert first == second != other


def test_a_conditional_preview_has_a_class_a_row(tmp_path):
    preview = sampling.make_preview(experiment(conditional=True), IMAGES, game(), jax.random.key(0))
    preview(NOTHING, tmp_path / "rows.png")
    with Image.open(tmp_path / "rows.png") as opened:
        picture = np.asarray(opened)
    scaled, gap = 64, 2
    assert picture.shape[0] == 3 * (scaled + gap) + gap
    right = picture[:, -8 * (scaled + gap) :]  # What is left of it names the classes.
    assert picture.shape[1] > right.shape[1]
    for row, grey in enumerate([0, 64, 128]):  # label / 2 - 1
        cells = right[gap + row * (scaled + gap) :][:scaled]
        assert set(np.unique(cells)) == {grey, 128}  # Images, and the gaps between them.


def test_the_diversity_of_samples_is_held_against_as_many_real_ones():
    grey = np.repeat(np.arange(0, 200, 10, dtype=np.uint8), 16).reshape(20, 4, 4, 1)
    source = ArraySource("greys", grey)
    assert sampling.measure_diversity(grey, source) == {"diversity": 1.0, "duplicate_rate": 0.0}
    one = np.full((20, 4, 4, 1), 7, np.uint8)
    assert sampling.measure_diversity(one, source) == {"diversity": 0.0, "duplicate_rate": 1.0}
    few = sampling.measure_diversity(grey[::5], source)  # Real: 0, 60, 120, 190.
    assert few["diversity"] == pytest.approx(500 / 630)
    more = sampling.measure_diversity(np.concatenate([grey, one]), source)
    assert more == {"diversity": 1.0, "duplicate_rate": 0.0}
    points = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    assert sampling.measure_diversity(points, ArraySource("p", 2 * points))["diversity"] == 0.5


@pytest.mark.parametrize("real", [np.zeros((9, 4, 4, 1)), np.eye(9)[:, :8].reshape(9, 4, 2, 1)])
def test_what_cannot_be_compared_is_not_measured(real):
    samples = np.arange(64, dtype=np.uint8).reshape(4, 4, 4, 1)
    assert sampling.measure_diversity(samples, ArraySource("x", real.astype(np.uint8))) == {}
    assert sampling.measure_diversity(samples, ArraySource("one", samples[:1])) == {}


@pytest.mark.parametrize(("size", "data"), [(2, "ring"), (2, "own.npz"), (1, "x"), (3, "x")])
def test_points_of_any_size_are_drawn(tmp_path, size, data):
    options = Experiment(data=data, generator=GeneratorOptions(latent_size=size))
    preview = sampling.make_preview(options, Spec((size,), 0), game(points=True), jax.random.key(0))
    preview(NOTHING, tmp_path / "points.png")
    with Image.open(tmp_path / "points.png") as picture:
        assert picture.size == (500, 500)


def test_arrays_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    sampling.write_npz(path, {"images": np.arange(3)})
    with np.load(path) as file:
        assert list(file) == ["images"]
        assert file["images"].tolist() == [0, 1, 2]

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        sampling.write_npz(path, {"images": np.arange(4)})
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]
    with np.load(path) as file:
        assert len(file["images"]) == 3
