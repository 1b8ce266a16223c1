import numpy as np
import pytest
import scipy.linalg

from jaxgan.metrics import frechet_distance, frechet_distance_from_moments


def features(seed, count=60, size=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, size)) @ rng.standard_normal((size, size)) + rng.random(size)


def test_one_dimension_by_hand():
    # Means 1 and 4, unbiased variances 1 and 4: (4 - 1)^2 + (2 - 1)^2.
    assert frechet_distance([[0.0], [1.0], [2.0]], [[2.0], [4.0], [6.0]]) == pytest.approx(10)


def test_gaussians_with_commuting_covariances_by_hand():
    # (1 - 2)^2 + (3 - 1)^2 for the standard deviations, 3^2 + 4^2 for the means.
    distance = frechet_distance_from_moments([0, 0], np.diag([1, 9]), [3, 4], np.diag([4, 1]))
    assert distance == pytest.approx(30)


def test_scipy_square_root_agrees():
    a, b = features(0), features(1)
    c1, c2 = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(c1 @ c2)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * root.real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_it_is_a_distance_of_sets():
    a, b = features(0), features(1)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(a[::-1], b), rel=1e-9)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((6, 6)))
    assert frechet_distance(a @ rotation + 1, b @ rotation + 1) == pytest.approx(
        frechet_distance(a, b), rel=1e-9
    )


@pytest.mark.parametrize("count", [2, 5, 200])
def test_a_set_and_itself_are_at_distance_0(count):
    a = 100 * np.float32(features(0, count, size=128))
    assert np.trace(np.cov(a.T)) > 1e7
    assert 0 <= frechet_distance(a, a) < 1e-3


def test_moving_a_set_costs_the_square_of_the_way_even_with_fewer_samples_than_features():
    a = features(0, count=5, size=64)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 64, rel=1e-9)


def test_constant_features():
    assert frechet_distance(np.ones((4, 3)), np.ones((9, 3))) == 0
    assert frechet_distance(np.ones((4, 3)), 3 * np.ones((9, 3))) == pytest.approx(12)


def test_bad_features_are_named():
    with pytest.raises(ValueError, match="at least 2 samples, not 1"):
        frechet_distance(np.ones((1, 3)), np.ones((9, 3)))
    with pytest.raises(ValueError, match=r"\[N, D\], one row a sample, not \[4\]"):
        frechet_distance(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match=r"one D, not \[3\], \[3, 3\], \[2\], \[2, 2\]"):
        frechet_distance(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="hold NaN or inf"):
        frechet_distance([[0.0], [np.nan]], [[0.0], [1.0]])
