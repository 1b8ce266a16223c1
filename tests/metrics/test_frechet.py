import numpy as np
import pytest
import scipy.linalg

from jaxgan.metrics import (
    frechet_distance,
    frechet_distance_from_moments,
    merge_moments,
    update_moments,
)


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


def by_scipy(a, b):
    """The formula as written, its square root by an algorithm for any matrix."""
    c1, c2 = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(c1 @ c2)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * root.real)


@pytest.mark.parametrize("size", [2, 6, 40])
def test_scipy_square_root_agrees(size):
    a, b = features(0, 60, size), features(1, 90, size)
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-9)


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")
@pytest.mark.filterwarnings("ignore:Matrix is singular")
@pytest.mark.parametrize("case", ["few samples", "constant feature", "repeated feature"])
def test_scipy_square_root_agrees_on_singular_covariances(case):
    a, b = features(0, 30, 8), features(1, 50, 8)
    if case == "few samples":
        a, b = a[:4], b[:3]
    elif case == "constant feature":
        a[:, 2], b[:, 2] = 5, 7
    else:
        a[:, 2], b[:, 5] = a[:, 1], b[:, 1]
    # SciPy's root of a singular matrix is itself right to about the square root of rounding.
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-5)


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
    with pytest.raises(ValueError, match=r"one D, not \[4, 3\] and \[4, 2\]"):
        frechet_distance(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="some are NaN or infinite"):
        frechet_distance([[0.0], [np.nan]], [[0.0], [1.0]])
    with pytest.raises(ValueError, match=r"not \[4, 0\]"):
        frechet_distance(np.ones((4, 0)), np.ones((4, 0)))
    with pytest.raises(ValueError, match="real numbers, not complex128"):
        frechet_distance(1j * np.ones((4, 2)), np.ones((4, 2)))


def test_bad_moments_are_named():
    good = np.zeros(2), np.eye(2)
    with pytest.raises(ValueError, match=r"one D, not \[2\], \[2, 2\], \[3\], \[3, 3\]"):
        frechet_distance_from_moments(*good, np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match="hold NaN or inf"):
        frechet_distance_from_moments(*good, [0, np.inf], np.eye(2))
    with pytest.raises(ValueError, match="must be symmetric"):
        frechet_distance_from_moments(*good, np.zeros(2), [[1, 0.5], [0, 1]])
    with pytest.raises(ValueError, match=r"no negative eigenvalues, .* has -1"):
        frechet_distance_from_moments(*good, np.zeros(2), [[1, 2], [2, 1]])


def test_moments_by_hand():
    moments = update_moments(None, [[0, 1], [2, 1]])
    assert moments.samples == 2
    np.testing.assert_array_equal(moments.mean, [1, 1])
    np.testing.assert_array_equal(moments.scatter, [[2, 0], [0, 0]])
    moments = update_moments(moments, [[4, 4]])
    assert moments.samples == 3
    np.testing.assert_allclose(moments.mean, [2, 2])
    np.testing.assert_allclose(moments.scatter, [[8, 6], [6, 6]])
    np.testing.assert_allclose(moments.covariance, [[4, 3], [3, 3]])


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_a_stream_has_the_moments_of_the_whole(batch):
    a = features(0, count=100)
    moments = None
    for start in range(0, 100, batch):
        moments = update_moments(moments, a[start : start + batch])
    assert moments.samples == 100
    np.testing.assert_allclose(moments.mean, a.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(a.T), rtol=1e-10, atol=1e-12)
    b = update_moments(None, features(1))
    streamed = frechet_distance_from_moments(moments.mean, moments.covariance, b.mean, b.covariance)
    assert streamed == pytest.approx(frechet_distance(a, features(1)), rel=1e-9)


def test_merging_is_the_same_in_any_order():
    a, b = update_moments(None, features(0)), update_moments(None, features(1, count=7))
    for one, other in zip(merge_moments(a, b), merge_moments(b, a), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_large_mean_costs_no_digits():
    a = np.float64(features(0, count=2000))
    moments = None
    for start in range(0, 2000, 50):
        moments = update_moments(moments, a[start : start + 50] + 1e8)
    # The numbers themselves are rounded to 1e-8; the sum of their squares would be to 1.
    np.testing.assert_allclose(moments.covariance, np.cov(a.T), rtol=1e-6, atol=1e-6)


def test_bad_streams_are_named():
    moments = update_moments(None, np.ones((1, 3)))
    with pytest.raises(ValueError, match="at least 2 samples, not 1"):
        _ = moments.covariance
    with pytest.raises(ValueError, match="of 3 and of 2 features"):
        update_moments(moments, np.ones((1, 2)))
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        update_moments(moments, np.ones((0, 3)))
    with pytest.raises(ValueError, match="NaN or infinite"):
        update_moments(moments, [[0, 1, np.inf]])


def test_numbers_whose_squares_overflow_are_named():
    a = np.random.default_rng(0).normal(size=(8, 2))
    with pytest.raises(ValueError, match=r"features must be at most 3.4e\+38 in magnitude"):
        frechet_distance(a, 1e160 * a)
    with pytest.raises(ValueError, match=r"features must be at most 3.4e\+38 in magnitude"):
        update_moments(None, 1e160 * a)
    eye = np.eye(2)
    for moments in ((np.full(2, -1e160), eye), (np.zeros(2), 1e300 * eye)):
        with pytest.raises(ValueError, match=r"moments .* at most 1e\+150 .* largest is 1e\+"):
            frechet_distance_from_moments(np.zeros(2), eye, *moments)
    # (6e38)² between two point masses, and a standard deviation of 6e38 / √2 for each feature
    far = np.float32([[-3e38], [3e38]])
    assert frechet_distance(far, -far) == pytest.approx(0, abs=1e62)
    zeros = np.zeros((2, 1))
    assert frechet_distance(zeros, far) == pytest.approx(2 * 3e38**2)
