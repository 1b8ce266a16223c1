"""Data that need no file."""

import numpy as np
import pytest

from jaxgan.data import MIXTURES, open_source


def test_digits_are_scikit_learns_split_in_two():
    from sklearn.datasets import load_digits

    train, test = open_source("digits"), open_source("digits", split="test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.spec.shape == (8, 8, 1)
    assert train.spec.num_classes == 10
    assert train.host["real"].dtype == np.uint8
    # Together they are all of the digits, none twice, with their labels.
    data = load_digits()
    scaled = np.rint(data.images * 255 / 16).astype(np.uint8)
    expected = sorted(
        (*image.ravel(), label) for image, label in zip(scaled, data.target, strict=True)
    )
    both = [
        (*image.ravel(), label)
        for source in (train, test)
        for image, label in zip(source.host["real"], source.host["label"], strict=True)
    ]
    assert sorted(both) == expected


def test_digits_are_stratified_and_reach_full_white():
    train, test = open_source("digits"), open_source("digits", split="test")
    counts = np.bincount(test.host["label"], minlength=10)
    assert counts.min() >= 34
    assert counts.max() <= 38
    assert (train.host["real"].min(), train.host["real"].max()) == (0, 255)


def test_the_ring_is_eight_gaussians_on_the_unit_circle():
    centers, std = MIXTURES["ring"]
    assert centers.shape == (8, 2)
    assert std == 0.01
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(centers[0], [1, 0], atol=1e-7)
    np.testing.assert_allclose(centers[2], [0, 1], atol=1e-7)


def test_the_grid_is_five_by_five_two_apart_about_the_origin():
    centers, std = MIXTURES["grid"]
    assert std == 0.05
    ticks = (-4.0, -2.0, 0.0, 2.0, 4.0)
    assert {tuple(center) for center in centers.tolist()} == {(x, y) for x in ticks for y in ticks}


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_points_lie_around_the_center_their_label_names(name):
    source = open_source(name)
    centers, std = MIXTURES[name]
    points, labels = source.host["real"], source.host["label"]
    assert points.shape == (100_000, 2)
    assert points.dtype == np.float32
    assert source.spec.num_classes == len(centers)
    assert source.spec.gauge == "mixture"
    distances = np.linalg.norm(points[:, None] - centers, axis=-1)
    np.testing.assert_array_equal(distances.argmin(axis=1), labels)
    # 100,000 draws: the standard errors are 0.002 std, and 0.003 of a count's share.
    np.testing.assert_allclose((points - centers[labels]).std(axis=0), std, rtol=0.02)
    np.testing.assert_allclose(np.bincount(labels) * len(centers) / 100_000, 1, atol=0.1)


def test_mixtures_repeat_and_their_splits_differ():
    first, again = open_source("ring"), open_source("ring")
    np.testing.assert_array_equal(first.host["real"], again.host["real"])
    test = open_source("ring", split="test")
    assert not np.isin(test.host["real"][:, 0], first.host["real"][:, 0]).all()
