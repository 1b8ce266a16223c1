import numpy as np
import pytest

from jaxgan.metrics import inception_score


def answers(seed, count=60, classes=5):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), count)


def test_the_ends_of_the_scale():
    assert inception_score(np.full((20, 4), 0.25)) == (pytest.approx(1), 0)
    assert inception_score(np.eye(7)[np.arange(70) % 7]) == (pytest.approx(7), 0)
    assert inception_score(np.eye(7)[np.full(70, 3)]) == (pytest.approx(1), 0)


def test_by_hand():
    # Each answer is KL(.8, .2 ‖ .5, .5) from the mean.
    kl = 0.8 * np.log(1.6) + 0.2 * np.log(0.4)
    assert inception_score([[0.8, 0.2], [0.2, 0.8]]).mean == pytest.approx(np.exp(kl))


def test_it_is_the_entropy_of_the_classes_less_that_of_the_answers():
    p = answers(0)
    entropy = -(p * np.log(p)).sum(axis=1).mean()
    marginal = p.mean(axis=0)
    expected = np.exp(-(marginal * np.log(marginal)).sum() - entropy)
    assert inception_score(p).mean == pytest.approx(expected, rel=1e-10)
    assert inception_score(p[::-1, ::-1]).mean == pytest.approx(expected, rel=1e-10)
    assert inception_score(np.float32(p)).mean == pytest.approx(expected, rel=1e-5)


def test_splits_are_consecutive_and_scored_alone():
    p = answers(0)
    parts = [inception_score(p[start : start + 20]).mean for start in (0, 20, 40)]
    found = inception_score(p, splits=3)
    assert found.mean == pytest.approx(np.mean(parts))
    assert found.std == pytest.approx(np.std(parts))
    assert inception_score(p, splits=60).mean == pytest.approx(1)  # A sample is its own mean.
    assert inception_score(p, splits=7).mean > 1


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.ones(3) / 3, r"\[N, K\], one row a sample, not \[3\]"),
        (np.ones((0, 3)), r"not \[0, 3\]"),
        ([[0.5, 0.4]], "with sum 1"),
        ([[1.5, -0.5]], "at least 0"),
        ([[np.nan, 1.0]], "with sum 1"),
        ([[np.inf, 0.0]], "with sum 1"),
        ([[1e308, 1e308]], "with sum 1"),
    ],
)
def test_bad_probabilities_are_named(probabilities, message):
    with pytest.raises(ValueError, match=message):
        inception_score(probabilities)


@pytest.mark.parametrize("splits", [0, 61])
def test_bad_splits_are_named(splits):
    with pytest.raises(ValueError, match=rf"in \[1, 60\], .* not {splits}"):
        inception_score(answers(0), splits=splits)


def test_the_answers_are_left_as_they_are():
    p = answers(0) * (1 + 1e-4)
    before = p.copy()
    inception_score(p)
    np.testing.assert_array_equal(p, before)


def test_unequal_splits_are_cut_where_the_original_code_cuts():
    # 4 samples in 3 splits: from 0, 4 // 3 = 1 and 8 // 3 = 2 on. The last has two certain answers
    # of two classes and scores 2, the others score 1. Were the first the longest, all scored 1.
    p = np.eye(2)[[0, 0, 0, 1]]
    mean, std = inception_score(p, splits=3)
    assert mean == pytest.approx(4 / 3)
    assert std == pytest.approx(np.sqrt(2) / 3)
    # 5 in 2: from 0 and 5 // 2 = 2 on. Answers 0 0 | 1 1 1 score 1 each.
    assert inception_score(np.eye(2)[[0, 0, 1, 1, 1]], splits=2) == (pytest.approx(1), 0)


def test_answers_just_above_0_do_not_make_it_infinite():
    least = np.nextafter(0, 1)  # Its hundredth, the mean, is 0.
    p = np.eye(2)[np.zeros(100, int)]
    p[0, 1] = least
    assert inception_score(p) == (pytest.approx(1), 0)
