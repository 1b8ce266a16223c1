"""Distances among samples against those among real ones."""

import numpy as np
import pytest

from jaxgan.metrics import sample_diversity

LINE = np.arange(5.0)[:, None] * [[3, 4]]  # On a line, 5 apart.


def test_by_hand():
    # Pairs of 0, 1, 2: 1, 1, 2 apart, 4/3 in the mean; of 0, 10, 20: ten times that.
    samples, real = np.array([[0.0], [1], [2]]), np.array([[0.0], [10], [20]])
    assert sample_diversity(samples, real) == (pytest.approx(0.1), 1.0)
    assert sample_diversity(real, samples) == (pytest.approx(10), 0.0)
    assert sample_diversity(real, real) == (1.0, 0.0)


def test_duplicates_are_closer_than_a_quarter_of_the_usual_distance():
    for gap, rate in ((1.2, 2 / 3), (1.3, 0.0)):
        samples = np.array([[0.0, 0], [gap, 0], [40, 0]])  # The border is 5 / 4.
        assert sample_diversity(samples, LINE).duplicate_rate == pytest.approx(rate)


def test_collapsed_samples_are_all_duplicates():
    assert sample_diversity(np.ones((4, 2)), LINE) == (0.0, 1.0)
    two = np.repeat(LINE[:2], 4, axis=0)
    few = sample_diversity(two, LINE)
    assert few.duplicate_rate == 1.0
    assert few.diversity == pytest.approx(5 * (16 / 28) / 10)  # 16 of 28 pairs are apart.


def test_data_of_the_same_kind_have_no_duplicates():
    noise = np.random.default_rng(0)
    images = sample_diversity(noise.random((64, 100)), noise.random((64, 100)))
    assert images.diversity == pytest.approx(1, abs=0.05)
    assert images.duplicate_rate == 0
    plane = sample_diversity(noise.random((1000, 2)), noise.random((1000, 2)))
    assert plane.duplicate_rate == pytest.approx(1 - 2 ** (-1 / 16), abs=0.03)


def test_real_samples_with_many_copies_call_nothing_a_duplicate():
    copies = np.array([[0.0], [0], [0], [8]])
    assert sample_diversity(np.zeros((3, 1)), copies) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("samples", "real", "message"),
    [
        (np.ones((1, 2)), LINE, "at least 2 samples, not 1"),
        (LINE, np.ones((1, 2)), "at least 2 samples, not 1"),
        (LINE, np.ones((3, 2)), "must differ from each other, but they are all equal"),
        (LINE, np.ones((3, 3)), "one D"),
        (LINE * np.nan, LINE, "finite"),
        (np.ones(3), LINE, r"\[N, D\]"),
    ],
)
def test_bad_sets_are_named(samples, real, message):
    with pytest.raises(ValueError, match=message):
        sample_diversity(samples, real)


def test_features_whose_squares_overflow_are_named():
    with pytest.raises(ValueError, match=r"at most 3.4e\+38 in magnitude"):
        sample_diversity(1e200 * LINE, LINE)
    assert sample_diversity(1e37 * LINE, 1e37 * LINE).diversity == pytest.approx(1)
