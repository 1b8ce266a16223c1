"""What samples are measured by, with a judge and generators whose answers are known."""

import ast
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from jax import random

from jaxgan import evaluation
from jaxgan.data import MIXTURES, ArraySource, Spec, StackedSource, open_source
from jaxgan.evaluation import (
    GAUGES,
    Gauge,
    Reference,
    make_evaluator,
    metric_key,
    metric_names,
    protocol,
    sets,
)
from jaxgan.evaluation.gauges import _plain
from jaxgan.evaluation.sets import pick
from jaxgan.keys import derive
from jaxgan.metrics import (
    frechet_distance,
    laplacian_sliced_wasserstein,
    mixture_statistics,
    nearest_neighbours,
    pixels,
    precision_recall_density_coverage,
    sliced_wasserstein,
)
from jaxgan.networks import Variables

NOTHING = Variables({}, {})


def evaluator(samples, source="digits", reference=None, **how):
    """An evaluator of fixed samples, against the test split unless a reference is given."""
    if isinstance(source, str):
        reference = reference or Reference(open_source(source, split="test"), "test")
        source = open_source(source)
    reference = reference or Reference(source, "train")

    def sample(variables, start, stop):
        return samples[start:stop]

    return make_evaluator(sample, source, reference, metric_key(), **how)


def grey(values):
    """8x8 images of one value each."""
    return np.broadcast_to(np.uint8(values)[:, None, None, None], (len(values), 8, 8, 1))


def of_class(classes):
    """Images that the judge gives these classes."""
    return grey(np.rint(np.asarray(classes) * 255 / 9))


def in_turn(count):
    """Classes 0, 1, ..., 9, 0, ..."""
    return np.arange(count) % 10


def noise(seed, count, *shape):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def test_a_generator_that_does_as_asked(judged):
    evaluate = evaluator(of_class(in_turn(40)), labels=in_turn)
    quality = evaluate.measure(NOTHING)
    assert list(quality) == ["frechet", "frechet_train", "kl", "smallest_share", "label_accuracy"]
    assert quality["label_accuracy"] == 1
    assert quality["smallest_share"] == pytest.approx(0.1)  # 40 samples, classes in turn
    assert quality["kl"] == pytest.approx(0, abs=1e-6)
    [(path, train, labels, test, classes)] = judged
    assert (train, labels, test, classes) == (1437, 1437, 360, 10)
    assert path.name == "digits-8x8x1.npz"


def test_label_accuracy_is_the_share_of_samples_that_are_of_the_class_asked_for():
    asked = np.where(np.arange(40) < 10, 9 - in_turn(40), in_turn(40))  # A quarter is not.
    evaluate = evaluator(of_class(in_turn(40)), labels=lambda count: asked)
    assert evaluate.measure(NOTHING)["label_accuracy"] == 0.75
    for labels in (None, lambda count: None):
        assert "label_accuracy" not in evaluator(grey(np.zeros(40)), labels=labels).measure(NOTHING)
    with pytest.raises(ValueError, match=r"labels must be \[40\], one a sample, not \[3\]"):
        evaluator(grey(np.zeros(40)), labels=lambda count: np.zeros(3, int))


def test_a_collapsed_generator(judge):
    quality = evaluator(grey(np.zeros(40))).measure(NOTHING)
    assert list(quality) == ["frechet", "frechet_train", "kl", "smallest_share"]
    assert quality["kl"] == pytest.approx(np.log(10))  # One class of ten
    assert quality["smallest_share"] == 0
    collapsed = np.zeros((40, 2), np.float32)
    train = judge.features(open_source("digits", split="train").host["real"])
    test = judge.features(open_source("digits", split="test").host["real"])
    assert quality["frechet"] == pytest.approx(frechet_distance(collapsed, test))
    assert quality["frechet_train"] == pytest.approx(frechet_distance(collapsed, train))


def test_the_protocol_says_what_the_numbers_depend_on():
    protocol = evaluator(None).protocol
    assert protocol["samples"] == 40
    assert protocol["reference"] == "digits, test split, 360 images"
    test = open_source("digits", split="test").host["real"]
    assert protocol["reference_digest"] == hashlib.sha256(test.tobytes()).hexdigest()
    assert protocol["classifier_digest"] == "d1"
    assert protocol["classifier_test_accuracy"] == 0.75


def test_a_protocol_names_the_key_that_lines_and_subsets_are_drawn_from():
    source = ArraySource("own", noise(0, 30, 8, 8, 1))
    seeds = [
        make_evaluator(
            lambda *block: None, source, Reference(source, "train"), key, thorough=True
        ).protocol["metric_seed"]
        for key in (metric_key(), random.key(7), derive(metric_key(), "own"))
    ]
    assert seeds[:2] == [0, 7]
    assert seeds[2] > 2**32


def test_data_without_a_test_split_are_their_own_reference(judged, judge):
    source = ArraySource("own", np.zeros((12, 8, 8, 1), np.uint8), np.arange(12) % 3)
    evaluate = evaluator(None, source)
    assert evaluate.protocol["reference"] == "own, train split, 12 images"
    assert judged[0][1:] == (12, 12, 12, 3)
    assert judge.looks == [12]


@pytest.mark.parametrize("data", ["ring", "grid"])
def test_points_are_judged_by_their_mixture(data, judged):
    centers = MIXTURES[data].centers
    evaluate = evaluator(np.tile(centers[:1], (40, 1)), data)
    quality = evaluate.measure(NOTHING)
    assert quality == pytest.approx({"modes": 1, "high_quality": 1, "kl": np.log(len(centers))})
    assert evaluate.protocol["reference"] == f"mixture {data}"
    assert judged == []


def test_an_evaluation_looks_at_its_samples_once(judge):
    evaluate = evaluator(grey(np.zeros(40)))
    assert sorted(judge.looks) == [360, 437, 500, 500]
    judge.looks.clear()
    evaluate.measure(NOTHING)
    assert judge.looks == [40]


def test_a_thorough_evaluation_by_pixels(judged):
    train, test = (open_source("digits", split=split).host["real"] for split in ("train", "test"))
    memorised = train[:40]
    evaluate = evaluator(memorised, thorough=True, features="pixels")
    found, real = evaluate.measure(NOTHING), evaluate.real()
    reference = test[pick(360, 40)]  # As many as there are samples
    assert {"precision", "density", "kernel_distance", "sliced_wasserstein"} < set(found)
    assert set(found) == set(real)
    expected = precision_recall_density_coverage(pixels(reference), pixels(memorised), 5)
    for name, value in expected._asdict().items():
        assert found[name] == pytest.approx(value)
    assert found["frechet"] == pytest.approx(frechet_distance(pixels(memorised), pixels(reference)))
    # Memory is at no distance from the training data it is of; unseen images are.
    rows = pick(1437, 40)
    assert found["train_distance"] == pytest.approx(
        np.median(nearest_neighbours(pixels(memorised), pixels(train[rows])).distances)
    )
    assert real["train_distance"] > 1
    assert real["frechet"] == pytest.approx(
        frechet_distance(pixels(train[rows]), pixels(reference))
    )
    assert judged == []
    assert evaluate.protocol["features"] == "pixels, halved to 64 numbers"
    assert "classifier_digest" not in evaluate.protocol
    assert json.loads(json.dumps(evaluate.protocol)) == evaluate.protocol


def test_patches_are_compared_scale_by_scale():
    real, samples = noise(0, 50, 32, 32, 3), noise(1, 40, 32, 32, 3)
    source = ArraySource("own", real)
    found = evaluator(samples, source, thorough=True).measure(NOTHING)
    key, reference = derive(metric_key(), "patches"), real[pick(50, 40)]
    fine, coarse = laplacian_sliced_wasserstein(
        samples, reference, key=key, patches=2, projections=16
    )
    assert (found["patches_32"], found["patches_16"]) == (fine, coarse)
    small = ArraySource("small", real[:, :6, :6])
    found = evaluator(samples[:, :6, :6], small, thorough=True).measure(NOTHING)
    assert not any(name.startswith("patches") for name in found)  # Which are of 7x7.


def test_a_thorough_evaluation_by_a_classifier(monkeypatch):
    monkeypatch.setattr(protocol, "SAMPLES", 400)
    train = open_source("digits").host["real"][pick(1437, 400)]
    evaluate = evaluator(train, thorough=True)
    found, real = evaluate.measure(NOTHING), evaluate.real()
    assert list(found)[:4] == ["frechet", "frechet_train", "kl", "smallest_share"]
    assert found["train_distance"] == 0
    assert {"inception_score", "modes"} < set(found)
    # The samples are the training data that stand for all, so they score what those do.
    assert {name: found[name] for name in real if name != "train_distance"} == pytest.approx(
        {name: value for name, value in real.items() if name != "train_distance"}
    )
    assert set(found) - set(real) == {"frechet_train"}


def test_a_thorough_evaluation_of_points():
    points = open_source("ring").host["real"][:40]
    evaluate = evaluator(points, "ring", thorough=True)
    found, real = evaluate.measure(NOTHING), evaluate.real()
    mixture = MIXTURES["ring"]
    assert found["high_quality"] == mixture_statistics(*(points, *mixture)).high_quality
    assert found["train_distance"] == 0
    assert 0 < real["train_distance"] < mixture.std
    assert set(found) == set(real)


def test_the_nearest_is_sought_among_so_many_training_samples(monkeypatch):
    monkeypatch.setattr(protocol, "TRAIN_ROWS", 500)
    points = open_source("ring").host["real"]
    evaluate = evaluator(points[:40], "ring", thorough=True)
    nearest = nearest_neighbours(points[:40], points[pick(100_000, 500)])
    assert evaluate.measure(NOTHING)["train_distance"] == np.median(nearest.distances)
    assert evaluate.protocol["train_rows"] == 500
    monkeypatch.setattr(protocol, "TRAIN_ROWS", 100_000)
    assert "train_rows" not in evaluator(points[:40], "ring", thorough=True).protocol


@pytest.mark.parametrize("labels", [None, np.zeros(30, int)])
def test_images_without_classes_are_measured_by_their_pixels(judged, labels):
    images = noise(0, 30, 8, 8, 1)
    source = ArraySource("own", images, labels)
    samples = images[np.arange(40) % 30]
    evaluate = evaluator(samples, source)
    quality = evaluate.measure(NOTHING)
    assert list(quality) == ["frechet", "sliced_wasserstein"]
    assert quality["frechet"] == pytest.approx(frechet_distance(pixels(samples), pixels(images)))
    assert 0 < quality["sliced_wasserstein"] < 0.1
    assert evaluate.protocol["reference"] == "own, train split, 30 images"
    assert judged == []
    evaluate = evaluator(samples, source, thorough=True)
    assert evaluate.real() == {}  # They would be compared with themselves.
    with pytest.raises(
        ValueError, match="features=classifier needs labels of 2 classes or more, and 'own' has"
    ):
        evaluator(samples, source, features="classifier")


def test_points_of_no_mixture_are_measured_by_their_coordinates():
    points = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    repeated = points[np.arange(40) % 30]
    source = ArraySource("own", points)
    evaluate = evaluator(repeated, source)
    quality = evaluate.measure(NOTHING)
    assert quality["frechet"] == pytest.approx(frechet_distance(repeated, points))
    assert evaluate.protocol["protocol"] == "points"
    with pytest.raises(ValueError, match="features=pixels is for images, and 'own' holds points"):
        evaluator(None, source, features="pixels")
    with pytest.raises(ValueError, match="features=corner is for images, and 'own' holds points"):
        evaluator(None, source, features=corner)


def stack_splits():
    """Stacks of scikit-learn's digits in the place of MNIST's."""
    rows = np.random.default_rng(0).integers(360, size=(60, 3))
    return [StackedSource(open_source("digits", split=split), rows) for split in ("train", "test")]


def stacks(name, **how):
    """An evaluator of samples of classes 0, 1, 2, ... of 1,000."""
    train, test = stack_splits()
    count = np.arange(50)
    digits = np.stack([count // 100, count // 10 % 10, count % 10], axis=1)
    samples = np.broadcast_to(np.uint8(digits * 255 / 9)[:, None, None], (50, 8, 8, 3))
    return evaluator(samples, train, Reference(test, "test"), stacked_protocol=name, **how)


def test_stacks_are_judged_a_digit_a_channel(monkeypatch, judged, judge):
    for name, count in (("pacgan", 50), ("unrolled", 48)):
        described = protocol.STACKED_PROTOCOLS[name][0], count
        monkeypatch.setitem(protocol.STACKED_PROTOCOLS, name, described)
    evaluate = stacks("pacgan")
    [(path, train, _, test, classes)] = judged
    assert (path.name, train, test, classes) == ("digits-8x8x1.npz", 1437, 360, 10)
    judge.looks.clear()
    quality = evaluate.measure(NOTHING)
    assert judge.looks == [50, 50, 50]
    assert list(quality) == ["frechet", "modes", "kl", "smallest_share"]
    assert (quality["modes"], quality["smallest_share"]) == (50, 0)
    assert quality["kl"] == pytest.approx(np.log(1000 / 50))
    assert evaluate.protocol["reference"] == "stacked_mnist, test split, 50 images"
    other = stacks("unrolled")
    assert other.measure(NOTHING)["modes"] == 48
    changed = {name for name in other.protocol if other.protocol[name] != evaluate.protocol[name]}
    assert changed == {"protocol", "samples", "reference", "reference_digest"}
    assert "VEEGAN" in evaluate.protocol["protocol"]
    thorough = stacks("pacgan", thorough=True)
    found = thorough.measure(NOTHING)
    assert {"precision", "kernel_distance", "patches_8", "train_distance"} < set(found)
    assert set(found) == set(thorough.real())
    with pytest.raises(ValueError, match="must be pacgan or unrolled, not 'metz'"):
        stacks("metz")


def test_the_published_protocols_of_stacked_mnist():
    counts = {name: count for name, (_, count) in protocol.STACKED_PROTOCOLS.items()}
    assert counts == {"pacgan": 26_000, "unrolled": 25_600}


def corner(images):
    """Features that tell little."""
    return images[:, :3, :2, 0].reshape(len(images), 6)


def test_a_function_of_images_takes_the_place_of_the_judge(judged):
    train, test = (open_source("digits", split=split).host["real"] for split in ("train", "test"))
    samples = train[100:140]
    evaluate = evaluator(samples, labels=in_turn, features=corner)
    a, b = corner(samples), corner(test[pick(360, 40)])
    assert evaluate.measure(NOTHING) == {
        "frechet": frechet_distance(a, b),
        "sliced_wasserstein": sliced_wasserstein(a, b, key=metric_key(), projections=16),
    }
    assert evaluate.protocol["features"] == "corner, 6 numbers"
    assert evaluate.protocol["protocol"] == "unlabelled images"
    assert judged == []

    class Eye:
        def __call__(self, images):
            return corner(images)[:, :4]

    assert evaluator(samples, features=Eye()).protocol["features"].endswith("Eye, 4 numbers")


def test_features_that_are_not_a_row_a_sample_are_named():
    samples = grey(np.zeros(40))
    with pytest.raises(ValueError, match=r"\[N, D\], one row a sample, not \[40, 8, 8, 1\] for 40"):
        evaluator(samples, features=lambda images: images)
    with pytest.raises(ValueError, match=r"not \[39, 6\] for 40 samples"):
        evaluator(samples, features=lambda images: corner(images)[1:])
    with pytest.raises(ValueError, match="classifier, pixels or a function, not 'eyes'"):
        evaluator(samples, features="eyes")


def test_samples_and_references_of_another_shape_are_named():
    source = ArraySource("own", noise(0, 30, 8, 8, 1))
    with pytest.raises(ValueError, match=r"samples \[40, 8, 8, 1\] .* and \[40, 7, 8, 1\] came"):
        evaluator(noise(1, 40, 7, 8, 1), source).measure(NOTHING)
    with pytest.raises(ValueError, match=r"samples \[40, 8, 8, 1\] .* and \[39, 8, 8, 1\] came"):
        evaluator(noise(1, 39, 8, 8, 1), source).measure(NOTHING)
    other = Reference(ArraySource("other", noise(0, 30, 9, 8, 1)), "test")
    with pytest.raises(ValueError, match=r"shape \[8, 8, 1\] and a reference of shape \[9, 8, 1\]"):
        evaluator(None, source, other)


class Recorder:
    """A source that remembers the largest block it was asked for."""

    def __init__(self, source):
        self.source, self.largest = source, 0
        self.name, self.spec, self.arrays = source.name, source.spec, None

    def __len__(self):
        return len(self.source)

    def take(self, indices):
        self.largest = max(self.largest, len(indices))
        return self.source.take(indices)


CASES = {
    "by a classifier": ("digits", {"labels": in_turn}),
    "by pixels": ("digits", {"features": "pixels"}),
    "by a function": ("digits", {"features": corner}),
    "points": ("ring", {}),
}


@pytest.mark.parametrize(("data", "how"), CASES.values(), ids=CASES)
def test_nobody_asks_for_more_than_a_block(monkeypatch, data, how):
    monkeypatch.setattr(sets, "MOST", 16)
    train, test = (Recorder(open_source(data, split=split)) for split in ("train", "test"))
    train.source.host = {k: x[:300] for k, x in train.source.host.items()}
    asked = []

    def sample(variables, start, stop):
        asked.append((start, stop))
        return train.source.host["real"][start:stop]

    reference = Reference(test, "test")
    evaluate = make_evaluator(sample, train, reference, metric_key(), thorough=True, **how)
    evaluate.measure(NOTHING)
    evaluate.real()
    assert asked == [(0, 16), (16, 32), (32, 40)]
    assert (train.largest, test.largest) == (16, 16)


@pytest.mark.parametrize(("data", "how"), CASES.values(), ids=CASES)
def test_the_numbers_do_not_depend_on_the_blocks(monkeypatch, data, how):
    samples = open_source(data).host["real"][:40]
    found = []
    for most in (500, 7, 1):
        monkeypatch.setattr(sets, "MOST", most)
        small = [open_source(data, split=split) for split in ("train", "test")]
        for source in small:
            source.host = {name: array[:100] for name, array in source.host.items()}
        evaluate = evaluator(samples, small[0], Reference(small[1], "test"), thorough=True, **how)
        found.append((evaluate.measure(NOTHING), evaluate.real(), evaluate.protocol))
    assert found[0] == found[1] == found[2]


def test_a_gauge_of_the_users_own(monkeypatch):
    def fit(source, reference, options):
        fitted = _plain(source, reference, options)
        return fitted._replace(quick=lambda seen: {"brightness": float(seen.features.mean())})

    monkeypatch.setitem(GAUGES, "light", Gauge(("brightness",), fit, samples=lambda _: 20))
    source = ArraySource("own", noise(0, 30, 8, 8, 1), gauge="light")
    assert metric_names(source.spec, conditional=True) == {"brightness": "lower"}
    evaluate = evaluator(grey(np.full(20, 51)), source)
    assert evaluate.measure(NOTHING) == {"brightness": pytest.approx(0.2)}
    assert evaluate.protocol["samples"] == 20
    assert Spec((8, 8, 1), 0, gauge="light") == source.spec


def test_evaluation_knows_nothing_of_experiments_and_runs():
    above = {"cli", "experiment", "games", "runs", "training"}
    for path in Path(evaluation.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", [])]
            module = getattr(node, "module", None) or ""
            for name in (module, *(f"{module}.{name}" for name in names), *names):
                assert not (name.startswith("jaxgan.") and name.split(".")[1] in above), path
