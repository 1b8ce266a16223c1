"""Which gauge data are measured by, and what it yields."""

import numpy as np
import pytest

from jaxgan.data import ArraySource, Spec, StackedSource, open_domain, open_source
from jaxgan.evaluation import (
    GAUGES,
    HIGHER_IS_BETTER,
    Reference,
    better,
    gauge_of,
    make_evaluator,
    metric_key,
    metric_names,
    protocol,
    protocol_samples,
)

POINTS, FACES = Spec((2,), 8), Spec((8, 8, 1), 0)
LABELLED, STACKS = Spec((8, 8, 1), 10), Spec((28, 28, 3), 1000, gauge="stacked")


def by_eye(images):
    return images.reshape(len(images), -1)


@pytest.mark.parametrize(
    ("spec", "features", "expected"),
    [
        (LABELLED, None, "labelled"),
        (LABELLED, "classifier", "labelled"),
        (LABELLED, "pixels", "plain"),
        (LABELLED, by_eye, "plain"),
        (FACES, None, "plain"),
        (FACES._replace(num_classes=1), None, "plain"),
        (FACES, by_eye, "plain"),
        (POINTS, None, "plain"),
        (POINTS._replace(gauge="mixture"), None, "mixture"),
        (STACKS, None, "stacked"),
        (STACKS, "classifier", "stacked"),
        (STACKS, "pixels", "plain"),
        (LABELLED._replace(gauge="plain"), None, "plain"),
        (LABELLED._replace(gauge="plain"), "classifier", "labelled"),
    ],
)
def test_the_spec_names_the_gauge_or_shape_and_labels_do(spec, features, expected):
    assert gauge_of(spec, features) == expected


def test_a_gauge_that_there_is_not_is_named():
    spec = FACES._replace(gauge="beauty")
    with pytest.raises(ValueError, match="no gauge 'beauty'; there are mixture, labelled, stacked"):
        gauge_of(spec)


def test_mixtures_and_stacks_name_their_gauges_and_what_is_cut_out_of_data_does_not():
    digits = open_source("digits")
    stacks = StackedSource(digits, np.zeros((2, 3), int))
    assert gauge_of(stacks.spec) == "stacked"
    assert [gauge_of(open_source(name).spec) for name in ("ring", "grid")] == ["mixture"] * 2
    assert gauge_of(digits.spec) == "labelled"
    one_class = open_domain("digits", class_name="3")
    assert (one_class.spec.gauge, gauge_of(one_class.spec)) == ("", "plain")


@pytest.mark.parametrize(
    ("spec", "conditional", "expected"),
    [
        (POINTS._replace(gauge="mixture"), False, ["modes", "high_quality", "kl"]),
        (POINTS._replace(gauge="mixture"), True, ["modes", "high_quality", "kl"]),
        (LABELLED, False, ["frechet", "frechet_train", "kl", "smallest_share"]),
        (
            LABELLED,
            True,
            ["frechet", "frechet_train", "kl", "smallest_share", "label_accuracy"],
        ),
        (STACKS, False, ["frechet", "modes", "kl", "smallest_share"]),
        (STACKS, True, ["frechet", "modes", "kl", "smallest_share", "label_accuracy"]),
        (FACES, False, ["frechet", "sliced_wasserstein"]),
        (FACES._replace(num_classes=1), True, ["frechet", "sliced_wasserstein"]),
        (POINTS, False, ["frechet", "sliced_wasserstein"]),
    ],
)
def test_metric_names_and_their_directions(spec, conditional, expected):
    names = metric_names(spec, conditional=conditional)
    assert list(names) == expected
    assert {name for name in names if names[name] == "higher"} == set(expected) & HIGHER_IS_BETTER


def test_which_way_a_metric_is_better():
    ways = {name: better(name) for name in ("frechet", "coverage", "patches_28", "label_accuracy")}
    assert ways == {
        "frechet": "lower",
        "coverage": "higher",
        "patches_28": "lower",
        "label_accuracy": "higher",
    }
    assert better("train_distance") == better("kernel_distance_std") == ""


def test_how_many_samples_an_evaluation_takes():
    assert protocol_samples(LABELLED) == protocol.SAMPLES
    assert protocol_samples(STACKS) == 26_000
    assert protocol_samples(STACKS, "unrolled") == 25_600
    assert protocol_samples(STACKS, "unrolled", "pixels") == protocol.SAMPLES


@pytest.mark.parametrize("gauge", ["mixture", "stacked"])
def test_a_gauge_for_data_of_another_kind_is_refused(gauge):
    real = np.zeros((3, 2), np.float32) if gauge == "mixture" else np.zeros((3, 8, 8, 3), np.uint8)
    source = ArraySource("own", real, gauge=gauge)
    with pytest.raises(ValueError, match="'own' is none"):
        make_evaluator(lambda *block: real, source, Reference(source, "train"), metric_key())
    assert gauge in GAUGES
