"""From variables to samples and pictures, with a generator that shows what it was given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.data import Spec
from jaxgan.data.source import ArraySource
from jaxgan.evaluation import sets
from jaxgan.experiment import BaseExperiment, Experiment, GeneratorOptions, LabelChoice, sampling
from jaxgan.experiment.inputs import Inputs, label_number
from jaxgan.games import Game
from jaxgan.imaging import NotFinite
from jaxgan.networks import Variables

IMAGES = Spec((4, 4, 1), 3, ("ant", "bee", "cat"))
GREYS = np.repeat(np.arange(0, 240, 10, dtype=np.uint8), 16).reshape(24, 4, 4, 1)
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

    return Game(None, (), sample)


def images() -> ArraySource:
    """24 greys of three classes."""
    return ArraySource("greys", GREYS, np.arange(24) % 3, class_names=IMAGES.class_names)


def blocks_of(monkeypatch, count: int) -> None:
    """Lets a block hold this many samples."""
    monkeypatch.setattr(sets, "MOST", count)


def latents(count: int) -> jax.Array:
    return jnp.linspace(-1, 1, 2 * count).reshape(count, 2)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 11])
def test_any_count_in_batches_is_the_same_samples(monkeypatch, count):
    whole = sampling.make_sampler(game())(NOTHING, latents(count))
    blocks_of(monkeypatch, 4)
    traces = []
    parts = sampling.make_sampler(game(traces=traces))(NOTHING, latents(count))
    assert whole.dtype == parts.dtype == np.uint8
    assert whole.shape == (count, 4, 4, 1)
    assert np.array_equal(whole, parts)
    # The first tells the shape of a sample. Then it is compiled once, whatever is left at the end.
    assert traces == [(1, 2), (min(count, 4), 2)][: 1 if count == 1 else 2]


def test_images_are_uint8_and_points_as_they_are():
    images = sampling.make_sampler(game())(NOTHING, jnp.array([[-1.0, -1.0], [1.0, 1.0]]))
    assert images[:, 0, 0, 0].tolist() == [0, 255]
    points = sampling.make_sampler(game(points=True))(NOTHING, latents(7))
    assert points.dtype == np.float32
    assert np.array_equal(points, latents(7))


def test_labels_travel_with_their_latents(monkeypatch):
    blocks_of(monkeypatch, 2)
    labels = jnp.array([0, 4, 2, 4, 0])
    images = sampling.make_sampler(game())(NOTHING, latents(5), labels)
    assert images[:, 0, 0, 0].tolist() == [0, 255, 128, 255, 0]


def test_inputs_may_be_of_any_structure(monkeypatch):
    blocks_of(monkeypatch, 2)

    def sample(variables, inputs, shift):
        return inputs["a"] + inputs["b"][0] + variables.params["c"] + shift

    inputs = {"a": latents(3), "b": (2 * latents(3),)}
    variables = Variables({"c": jnp.array([1.0, 2.0])}, {})
    found = sampling.make_sampler(Game(None, (), sample))(variables, inputs, jnp.ones((3, 2)))
    np.testing.assert_allclose(found, 3 * latents(3) + jnp.array([2.0, 3.0]), rtol=1e-6)


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
def test_points_that_are_not_finite_are_no_samples(bad):
    with pytest.raises(NotFinite, match="points must be finite, but some are NaN or infinite"):
        sampling.make_sampler(game(points=True))(NOTHING, latents(7).at[6, 1].set(bad))


def test_images_that_hold_nan_are_no_samples():
    with pytest.raises(NotFinite):
        sampling.make_sampler(game())(NOTHING, latents(7).at[6, 1].set(jnp.nan))


def draw(spec=IMAGES, count=5, key=0, label=None, **changes):
    inputs = experiment(**changes).inputs(spec)
    return inputs.draw(jax.random.key(key), count, inputs.choices(label))


def test_latent_i_is_the_same_whatever_the_count():
    few, many, other = (draw(count=n, key=key)[0] for n, key in ((3, 0), (8, 0), (3, 1)))
    assert few.shape == (3, 2)
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(few, other)


def test_labels_come_in_turn_or_as_asked():
    def labels(conditional=True, label=None):
        return draw(conditional=conditional, label=label)[1]

    assert experiment().inputs(IMAGES).choices is LabelChoice
    assert labels(conditional=False) is None
    assert labels().tolist() == [0, 1, 2, 0, 1]
    assert labels(label=2).tolist() == [2, 2, 2, 2, 2]
    for missing in (-1, 3):
        with pytest.raises(ValueError, match=f"label {missing} does not exist.* 0 to 2"):
            labels(label=missing)
    with pytest.raises(ValueError, match=r"label 1 .* takes no labels"):
        labels(conditional=False, label=1)


NAMES = {
    "names": (("cat", "dog", "owl"), {"dog": 1, "2": 2, 2: 2, "01": 1}),
    "none": ((), {"2": 2, 0: 0}),
    "their numbers": (("0", "1", "2"), {"2": 2, 2: 2}),
    "other numbers": (("1", "2", "10"), {"10": 2, "2": 1, "1": 0, 2: 2, 0: 0}),
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_class_goes_by_its_name_or_its_number(kind):
    names, asked = NAMES[kind]
    for label, number in asked.items():
        assert label_number(label, 3, names) == number
    assert label_number(None, 3, names) is None


@pytest.mark.parametrize(
    ("label", "names", "message"),
    [
        (
            "cow",
            ("cat", "dog", "owl"),
            "label cow does not exist: labels are 0 to 2, or cat, dog, ",
        ),
        (3, ("cat", "dog", "owl"), "label 3 does not exist: labels are 0 to 2, or cat, dog, owl$"),
        ("0", ("1", "2", "10"), "label 0 does not exist: classes are named 1, 2, 10$"),
        (3, ("1", "2", "10"), "label 3 does not exist: labels are 0 to 2, or 1, 2, 10$"),
        ("-1", ("0", "1", "2"), "label -1 does not exist: labels are 0 to 2$"),
        ("cat", (), "label cat does not exist: labels are 0 to 2$"),
    ],
)
def test_a_class_that_is_none_is_told_with_those_that_are(label, names, message):
    with pytest.raises(ValueError, match=message):
        label_number(label, 3, names)


def test_what_was_chosen_is_said():
    told = (
        experiment(conditional=True).inputs(IMAGES._replace(class_names=("0", "cat", "owl"))).told
    )
    words = [told(LabelChoice(label)) for label in (None, "0", "cat", 1)]
    assert words == ["", "of class 0", "of class 1, cat", "of class 1, cat"]


def test_a_preview_draws_the_same_latents_every_time(tmp_path):
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    preview = experiment().preview(images(), game(), jax.random.key(3))
    found = preview(NOTHING, paths[0])
    assert preview(NOTHING, paths[1]) == found
    assert preview(NOTHING, None) == found  # Another process draws: this one measures alone.
    assert found.keys() == {"diversity", "duplicate_rate"}
    experiment(seed=9).preview(images(), game(), jax.random.key(4))(NOTHING, paths[2])
    first, second, other = (path.read_bytes() for path in paths)
    assert first == second != other
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("source", "conditional", "shape"),
    [
        (images(), False, (64, 4, 4, 1)),
        (images(), True, (24, 4, 4, 1)),
        (ArraySource("many", GREYS, np.arange(24)), True, (160, 4, 4, 1)),  # 20 classes at most
        (ArraySource("points", np.eye(9, 2)), False, (2000, 2)),
        (ArraySource("points", np.eye(9, 2), np.arange(9) % 3), True, (2000, 2)),
    ],
)
def test_how_many_a_preview_shows(monkeypatch, tmp_path, source, conditional, shape):
    shown = []
    monkeypatch.setattr(
        Experiment, "save_samples", lambda self, path, samples, rows: shown.append((samples, rows))
    )
    points = not source.spec.is_image
    preview = experiment(conditional=conditional).preview(source, game(points), jax.random.key(0))
    preview(NOTHING, tmp_path / "unused.png")
    ((samples, rows),) = shown
    assert samples.shape == shape
    names = source.spec.class_names or tuple(map(str, range(source.spec.num_classes)))
    assert rows == (list(names[:20]) if conditional else None)


def test_a_conditional_preview_has_a_class_a_row(tmp_path):
    preview = experiment(conditional=True).preview(images(), game(), jax.random.key(0))
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


class Plain(BaseExperiment):
    """A kind of run that says nothing of its samples."""


class Drawing(BaseExperiment):
    """A kind of run that says what its samples are drawn of, and no more."""

    def inputs(self, spec):
        return Inputs(draw=lambda key, count, choices: (latents(count),))


def test_any_kind_that_draws_shows_and_measures_its_samples(tmp_path):
    source, key = images(), jax.random.key(0)
    assert Plain().preview(source, game(), key)(NOTHING, tmp_path / "a.png") == {}
    assert list(tmp_path.iterdir()) == []
    assert Plain().evaluator(source, game(), key) is None
    assert Plain().metric_names(source.spec) == {}
    found = Drawing().preview(source, game(), key)(NOTHING, tmp_path / "a.png")
    assert found.keys() == {"diversity", "duplicate_rate"}
    assert (tmp_path / "a.png").exists()
    assert Drawing().metric_names(source.spec)["frechet"] == "lower"


class Split(Experiment):
    """Has a test split, unless its name says otherwise."""

    def open_source(self, split="train"):
        if split == "test" and self.name == "untested":
            raise ValueError("there is none")
        return ArraySource(split, GREYS, np.arange(24) % 3)


def test_samples_are_compared_with_the_test_split_where_there_is_one():
    found = sampling.reference_of(Split(), images())
    assert (found.source.name, found.split) == ("test", "test")
    train = images()
    with pytest.warns(UserWarning, match="compared with the training data: there is none"):
        found = sampling.reference_of(Split(name="untested"), train)
    assert (found.source, found.split) == (train, "train")


@pytest.mark.parametrize("conditional", [False, True])
def test_what_is_measured_is_drawn_of_the_runs_key_and_asked_of_each_class(
    monkeypatch, conditional
):
    """Sample i is the same whatever the block that it is asked for in."""
    asked = {}

    def make_evaluator(sample, source, reference, key, **options):
        asked.update(options, sample=sample, source=source, reference=reference)
        return "the evaluator"

    monkeypatch.setattr(sampling, "make_evaluator", make_evaluator)
    options, source = Split(conditional=conditional), images()
    found = options.evaluator(source, game(), jax.random.key(2), thorough=True, features="pixels")
    assert found == "the evaluator"
    assert asked["source"] is source
    assert asked["reference"].split == "test"
    assert (asked["thorough"], asked["features"]) == (True, "pixels")
    whole, part = (asked["sample"](NOTHING, *rows) for rows in ((0, 9), (4, 7)))
    np.testing.assert_array_equal(whole[4:7], part)
    labels = asked["labels"](10_000)
    if conditional:
        assert labels.tolist() == [row % 3 for row in range(10_000)]
        assert whole[:, 0, 0, 0].tolist() == [0, 64, 128] * 3  # label / 2 - 1
    else:
        assert labels is None
    options.evaluator(source, game(), jax.random.key(3))
    # Of another key, where the samples show their latents and not their labels.
    assert np.array_equal(asked["sample"](NOTHING, 0, 9), whole) == conditional


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
    source = ArraySource(data, np.eye(3, size))
    preview = options.preview(source, game(points=True), jax.random.key(0))
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
