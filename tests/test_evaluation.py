"""What samples are measured by, with a judge and generators whose answers are known."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from jaxgan import evaluation
from jaxgan.data import MIXTURES, Spec, open_source
from jaxgan.evaluation import make_evaluator, metric_names
from jaxgan.experiment import Experiment, GeneratorOptions
from jaxgan.games import Game
from jaxgan.metrics import frechet_distance
from jaxgan.networks import Variables

NOTHING = Variables({}, {})


class Judge:
    """Names an image by its first pixel, class `pixel * 9 / 255`; features are the first two."""

    digest, test_accuracy = "d1", 0.75

    def features(self, images):
        return images.reshape(len(images), -1)[:, :2].astype(np.float32)

    def probabilities(self, images):
        classes = np.rint(self.features(images)[:, 0] * 9 / 255).astype(int)
        return np.eye(10)[classes]


@pytest.fixture(autouse=True)
def judged(monkeypatch, tmp_path):
    """Calls of `load_or_fit`, which returns the judge at once; 40 samples instead of 10,000."""
    calls = []

    def load_or_fit(path, images, labels, test_images, test_labels, num_classes):
        calls.append((path, len(images), len(labels), len(test_images), num_classes))
        return Judge()

    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(evaluation, "load_or_fit", load_or_fit)
    monkeypatch.setattr(evaluation, "SAMPLES", 40)
    return calls


def evaluator(sample, *, data="digits", **changes):
    experiment = Experiment(data=data, generator=GeneratorOptions(latent_size=2), **changes)
    game = Game(None, None, None, sample)
    return make_evaluator(experiment, open_source(data), game, random.key(0))


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
    assert evaluate.protocol["real_frechet"] == pytest.approx(frechet_distance(train, test))


def test_the_protocol_says_what_the_numbers_depend_on():
    protocol = evaluator(lambda *inputs: None, seed=3).protocol
    assert protocol["samples"] == 40
    assert protocol["seed"] == 3
    assert protocol["reference"] == "digits, test split, 360 images"
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
            {"conditional": True},
            Spec((8, 8, 1), 10),
            ("frechet", "frechet_train", "kl", "smallest_share", "label_accuracy"),
        ),
    ],
)
def test_metric_names(changes, spec, expected):
    assert metric_names(Experiment(**changes), spec) == expected


@pytest.mark.parametrize("spec", [Spec((8, 8, 1), 0), Spec((8, 8, 1), 1), Spec((2,), 8)])
def test_data_without_a_protocol_are_refused(spec):
    with pytest.raises(ValueError, match=r"'faces' cannot be evaluated.*set evaluate_every to 0"):
        metric_names(Experiment(data="faces"), spec)


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
