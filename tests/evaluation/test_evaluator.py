"""What samples are measured by, with a judge and generators whose answers are known."""

import hashlib
import json
from pathlib import Path
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from jaxgan.data import MIXTURES, Spec, StackedSource, open_source
from jaxgan.evaluation import evaluator as evaluation
from jaxgan.evaluation.evaluator import make_evaluator, metric_names
from jaxgan.experiment import Experiment, GeneratorOptions
from jaxgan.games import Game
from jaxgan.metrics import (
    frechet_distance,
    mixture_statistics,
    nearest_neighbours,
    pixels,
    precision_recall_density_coverage,
)
from jaxgan.networks import Variables
from jaxgan.runs.evaluations import refuse_other_protocol

NOTHING = Variables({}, {})


class Judge:
    """Names an image by its first pixel, class `pixel * 9 / 255`; features are the first two."""

    digest, test_accuracy = "d1", 0.75
    looks: ClassVar = []

    def features(self, images):
        self.looks.append(len(images))
        return images.reshape(len(images), -1)[:, :2].astype(np.float32)

    def probabilities_of(self, features):
        classes = np.rint(features[:, 0] * 9 / 255).astype(int)
        return np.eye(10)[classes]


@pytest.fixture(autouse=True)
def judged(monkeypatch, tmp_path):
    """Calls of `load_or_fit`, which returns the judge at once; 40 samples instead of 10,000."""
    calls = []

    def load_or_fit(path, images, labels, test_images, test_labels, num_classes, *, shift):
        calls.append((path, len(images), len(labels), len(test_images), num_classes))
        return Judge()

    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(evaluation, "load_or_fit", load_or_fit)
    monkeypatch.setattr(evaluation, "SAMPLES", 40)
    for name, less in (("SUBSETS", 3), ("PROJECTIONS", 16), ("PATCHES", 2)):
        monkeypatch.setattr(evaluation, name, less)
    monkeypatch.setattr(Judge, "looks", [])
    return calls


def evaluator(sample, *, data="digits", thorough=False, features=None, **changes):
    experiment = Experiment(data=data, generator=GeneratorOptions(latent_size=2), **changes)
    game = Game(None, None, None, sample)
    how = {"thorough": thorough, "features": features}
    return make_evaluator(experiment, open_source(data), game, random.key(0), **how)


def grey(values):
    """8x8 images of the given values in [-1, 1]."""
    return jnp.broadcast_to(values[:, None, None, None], (len(values), 8, 8, 1))


def test_a_generator_that_does_as_asked(judged):
    evaluate = evaluator(
        lambda variables, latents, labels: grey(labels / 4.5 - 1), conditional=True
    )
    quality = evaluate.measure(NOTHING)
    assert list(quality) == ["frechet", "frechet_train", "kl", "smallest_share", "label_accuracy"]
    assert quality["label_accuracy"] == 1
    assert quality["smallest_share"] == pytest.approx(0.1)  # 40 samples, classes in turn
    assert quality["kl"] == pytest.approx(0, abs=1e-6)
    [(path, train, labels, test, classes)] = judged
    assert (train, labels, test, classes) == (1437, 1437, 360, 10)
    assert path.name == "digits-8x8x1.npz"


def test_a_collapsed_generator():
    evaluate = evaluator(lambda variables, latents, labels: grey(jnp.full(len(latents), -1.0)))
    quality = evaluate.measure(NOTHING)
    assert list(quality) == ["frechet", "frechet_train", "kl", "smallest_share"]
    assert quality["kl"] == pytest.approx(np.log(10))  # One class of ten
    assert quality["smallest_share"] == 0
    collapsed, judge = np.zeros((40, 2), np.float32), Judge()
    train = judge.features(open_source("digits", split="train").host["real"])
    test = judge.features(open_source("digits", split="test").host["real"])
    assert quality["frechet"] == pytest.approx(frechet_distance(collapsed, test))
    assert quality["frechet_train"] == pytest.approx(frechet_distance(collapsed, train))


def test_the_protocol_says_what_the_numbers_depend_on():
    protocol = evaluator(lambda *inputs: None).protocol
    assert protocol["samples"] == 40
    assert protocol["reference"] == "digits, test split, 360 images"
    test = open_source("digits", split="test").host["real"]
    assert protocol["reference_digest"] == hashlib.sha256(test.tobytes()).hexdigest()
    assert protocol["classifier_digest"] == "d1"
    assert protocol["classifier_test_accuracy"] == 0.75


def test_data_without_a_test_split_are_their_own_reference_and_it_says_so(tmp_path, judged):
    path = str(tmp_path / "own.npz")
    labels = np.arange(12) % 3
    np.savez(path, images=np.zeros((12, 8, 8, 1), np.uint8), labels=labels)
    with pytest.warns(UserWarning, match="compared with the training data: .*no split 'test'"):
        evaluate = evaluator(lambda *inputs: None, data=path)
    assert evaluate.protocol["reference"] == f"{path}, train split, 12 images"
    assert judged[0][1:] == (12, 12, 12, 3)


@pytest.mark.parametrize("data", ["ring", "grid"])
def test_points_are_judged_by_their_mixture(data, judged):
    centers = jnp.asarray(MIXTURES[data].centers)

    def one_center(variables, latents, labels):
        return jnp.tile(centers[:1], (len(latents), 1))

    evaluate = evaluator(one_center, data=data)
    quality = evaluate.measure(NOTHING)
    assert quality == pytest.approx({"modes": 1, "high_quality": 1, "kl": np.log(len(centers))})
    assert evaluate.protocol["reference"] == f"mixture {data}"
    assert judged == []


@pytest.mark.parametrize(
    ("changes", "spec", "expected"),
    [
        ({"data": "ring"}, Spec((2,), 8), ("modes", "high_quality", "kl")),
        ({}, Spec((8, 8, 1), 10), ("frechet", "frechet_train", "kl", "smallest_share")),
        (
            {"data": "stacked_mnist"},
            Spec((28, 28, 3), 1000),
            ("frechet", "modes", "kl", "smallest_share"),
        ),
        ({"data": "faces"}, Spec((8, 8, 1), 0), ("frechet", "sliced_wasserstein")),
        ({"data": "faces"}, Spec((8, 8, 1), 1), ("frechet", "sliced_wasserstein")),
        ({"data": "faces"}, Spec((2,), 8), ("frechet", "sliced_wasserstein")),
        (
            {"conditional": True},
            Spec((8, 8, 1), 10),
            ("frechet", "frechet_train", "kl", "smallest_share", "label_accuracy"),
        ),
    ],
)
def test_metric_names(changes, spec, expected):
    assert metric_names(Experiment(**changes), spec) == expected


def test_an_evaluation_looks_at_its_samples_once():
    evaluate = evaluator(lambda variables, latents, labels: grey(jnp.full(len(latents), -1.0)))
    assert sorted(Judge.looks) == [360, 1437]
    Judge.looks.clear()
    evaluate.measure(NOTHING)
    assert Judge.looks == [40]


def memorised(variables, latents, labels):
    """The first images of the digits' training set."""
    images = open_source("digits").host["real"][: len(latents)]
    return jnp.asarray(images / 127.5 - 1, jnp.float32)


def test_a_thorough_evaluation_by_pixels(judged):
    evaluate = evaluator(memorised, thorough=True, features="pixels")
    found, real = evaluate.measure(NOTHING), evaluate.real()
    train, test = (open_source("digits", split=split).host["real"] for split in ("train", "test"))
    reference = test[evaluation._rows(360, 40)]  # As many as there are samples
    assert {"precision", "density", "kernel_distance", "sliced_wasserstein", "patches_8"} < set(
        found
    )
    assert set(found) == set(real)
    expected = precision_recall_density_coverage(pixels(reference), pixels(train[:40]), 5)
    for name, value in expected._asdict().items():
        assert found[name] == pytest.approx(value)
    assert found["frechet"] == pytest.approx(
        frechet_distance(pixels(train[:40]), pixels(reference))
    )
    # Memory is at no distance from the training data it is of; unseen images are.
    rows = evaluation._rows(1437, 40)
    assert found["train_distance"] == pytest.approx(
        np.median(nearest_neighbours(pixels(train[:40]), pixels(train[rows])).distances)
    )
    assert real["train_distance"] > 1
    assert real["frechet"] == pytest.approx(
        frechet_distance(pixels(train[rows]), pixels(reference))
    )
    assert judged == []
    assert evaluate.protocol["features"] == "pixels, halved to 64 numbers"
    assert "classifier_digest" not in evaluate.protocol
    assert json.loads(json.dumps(evaluate.protocol)) == evaluate.protocol


def test_a_thorough_evaluation_by_a_classifier(monkeypatch):
    monkeypatch.setattr(evaluation, "SAMPLES", 400)
    train = open_source("digits").host["real"][evaluation._rows(1437, 400)]
    samples = jnp.asarray(train / 127.5 - 1, jnp.float32)
    evaluate = evaluator(lambda *inputs: samples, thorough=True)
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
    evaluate = evaluator(lambda *inputs: jnp.asarray(points), data="ring", thorough=True)
    found, real = evaluate.measure(NOTHING), evaluate.real()
    mixture = MIXTURES["ring"]
    assert found["high_quality"] == mixture_statistics(*(points, *mixture)).high_quality
    assert found["train_distance"] == 0
    assert 0 < real["train_distance"] < mixture.std
    assert set(found) == set(real)


@pytest.mark.parametrize("labels", [{}, {"labels": np.zeros(30, int)}])
def test_images_without_classes_are_measured_by_their_pixels(tmp_path, judged, labels):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    path = str(tmp_path / "own.npz")
    np.savez(path, images=images, **labels)
    real = jnp.asarray(images / 127.5 - 1, jnp.float32)
    with pytest.warns(UserWarning, match="compared with the training data"):
        evaluate = evaluator(
            lambda variables, latents, labels: real[jnp.arange(40) % 30], data=path
        )
    quality = evaluate.measure(NOTHING)
    assert list(quality) == ["frechet", "sliced_wasserstein"]
    repeated = pixels(images[np.arange(40) % 30])
    assert quality["frechet"] == pytest.approx(frechet_distance(repeated, pixels(images)))
    assert 0 < quality["sliced_wasserstein"] < 0.1
    assert evaluate.protocol["reference"] == f"{path}, train split, 30 images"
    assert judged == []
    with pytest.warns(UserWarning, match="compared with the training data"):
        evaluate = evaluator(lambda *inputs: real[jnp.arange(40) % 30], data=path, thorough=True)
    assert evaluate.real() == {}  # They would be compared with themselves.
    with pytest.raises(ValueError, match="features=classifier needs labels of 2 classes or more"):
        evaluator(memorised, data=path, features="classifier")


def test_points_of_no_mixture_are_measured_by_their_coordinates(tmp_path):
    path, points = str(tmp_path / "own.npz"), np.random.default_rng(0).normal(size=(30, 3))
    np.savez(path, points=points)
    repeated = points[np.arange(40) % 30].astype(np.float32)
    with pytest.warns(UserWarning, match="compared with the training data"):
        evaluate = evaluator(lambda *inputs: repeated, data=path)
    quality = evaluate.measure(NOTHING)
    assert quality["frechet"] == pytest.approx(
        frechet_distance(repeated, points.astype(np.float32))
    )
    assert evaluate.protocol["protocol"] == "points"
    with pytest.raises(ValueError, match="features=pixels is for images"):
        evaluator(lambda *inputs: None, data=path, features="pixels")


class Stacks(Experiment):
    """Stacks of scikit-learn's digits in the place of MNIST's."""

    def open_source(self, split="train"):
        rows = np.random.default_rng(0).integers(360, size=(60, 3))
        return StackedSource(open_source("digits", split=split), rows)


def stacks(protocol, **changes):
    """An evaluator of a generator that makes classes 0, 1, 2, ... of 1,000."""

    def sample(variables, latents, labels):
        count = jnp.arange(len(latents))
        digits = jnp.stack([count // 100, count // 10 % 10, count % 10], axis=1)
        return jnp.broadcast_to((digits / 4.5 - 1)[:, None, None], (len(latents), 8, 8, 3))

    experiment = Stacks(data="stacked_mnist", stacked_protocol=protocol)
    game = Game(None, None, None, sample)
    source = experiment.open_source()
    return make_evaluator(experiment, source, game, random.key(0), **changes)


def test_stacks_are_judged_a_digit_a_channel(monkeypatch, judged):
    for name, count in (("pacgan", 50), ("unrolled", 48)):
        protocol = evaluation.STACKED_PROTOCOLS[name][0], count
        monkeypatch.setitem(evaluation.STACKED_PROTOCOLS, name, protocol)
    evaluate = stacks("pacgan")
    [(path, train, _, test, classes)] = judged
    assert (path.name, train, test, classes) == ("digits-8x8x1.npz", 1437, 360, 10)
    Judge.looks.clear()
    quality = evaluate.measure(NOTHING)
    assert Judge.looks == [50, 50, 50]
    assert list(quality) == ["frechet", "modes", "kl", "smallest_share"]
    assert (quality["modes"], quality["smallest_share"]) == (50, 0)
    assert quality["kl"] == pytest.approx(np.log(1000 / 50))
    assert evaluate.protocol["reference"] == "stacked_mnist, test split, 50 images"
    other = stacks("unrolled")
    assert other.measure(NOTHING)["modes"] == 48
    with pytest.raises(ValueError, match=r"protocol is .*VEEGAN.*samples is 50 there, 48 here"):
        refuse_other_protocol(other.protocol, {"protocol": evaluate.protocol}, Path("b.json"))
    thorough = stacks("pacgan", thorough=True)
    found = thorough.measure(NOTHING)
    assert {"precision", "kernel_distance", "patches_8", "train_distance"} < set(found)
    assert set(found) == set(thorough.real())


def test_the_published_protocols_of_stacked_mnist():
    counts = {name: count for name, (_, count) in evaluation.STACKED_PROTOCOLS.items()}
    assert counts == {"pacgan": 26_000, "unrolled": 25_600}


def test_a_large_set_is_fetched_in_blocks():
    source = open_source("ring")
    taken = []

    class Streamed:
        spec, name, arrays = source.spec, "s", None

        def __len__(self):
            return 25_000

        def take(self, indices):
            taken.append(len(indices))
            return source.take(indices)

    host = evaluation._host(Streamed())
    assert max(taken) <= 10_000
    assert np.array_equal(host["real"], source.host["real"][:25_000])
    assert np.array_equal(host["label"], source.host["label"][:25_000])
