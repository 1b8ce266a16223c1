import numpy as np
import pytest

from jaxgan.metrics import MixtureStatistics, ModeStatistics, mixture_statistics, mode_statistics

CENTERS = np.array([[0, 0], [4, 0], [0, 4], [4, 4]])


def test_modes_by_hand():
    modes, kl, smallest_share = mode_statistics([0, 0, 0, 2], 4)
    assert modes == 2
    assert kl == pytest.approx(0.75 * np.log(3) + 0.25 * np.log(1))
    assert smallest_share == 0


def test_the_ends_of_the_scale():
    assert mode_statistics(np.arange(12) % 4, 4) == ModeStatistics(4, 0.0, 0.25)
    assert mode_statistics([3] * 5, 10) == ModeStatistics(1, pytest.approx(np.log(10)), 0)
    assert mode_statistics([0], 1) == ModeStatistics(1, 0.0, 1)


def test_kl_is_log_k_minus_the_entropy():
    labels = np.random.default_rng(0).integers(0, 7, 200) ** 2 // 7
    share = np.unique(labels, return_counts=True)[1] / 200
    statistics = mode_statistics(labels, 20)
    assert statistics.modes == len(share) < 20
    assert statistics.kl == pytest.approx(np.log(20) + np.sum(share * np.log(share)))


def test_order_and_integer_type_do_not_matter():
    labels = np.random.default_rng(0).integers(0, 5, 50)
    for dtype in (np.uint8, np.uint64):
        assert mode_statistics(labels, 5) == mode_statistics(np.sort(labels).astype(dtype), 5)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 4], r"in \[0, 4\), not 0 to 4"),
        ([-1, 2], r"in \[0, 4\), not -1 to 2"),
        ([], r"one or more integers as \[N\]"),
        ([0.0, 1.0], r"one or more integers as \[N\], not float64 \[2\]"),
        ([[0, 1]], r"not int64 \[1, 2\]"),
    ],
)
def test_bad_labels_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        mode_statistics(labels, 4)


def test_mixture_by_hand():
    # Within 0.3 of a centre: the first three; the fourth and fifth are just too far.
    points = [[0, 0.29], [0.2, 0.2], [4, 0], [0, 0.31], [2, 2]]
    modes, high_quality, kl = mixture_statistics(points, CENTERS, 0.1)
    assert modes == 2
    assert high_quality == pytest.approx(3 / 5)
    assert kl == pytest.approx(2 / 3 * np.log(8 / 3) + 1 / 3 * np.log(4 / 3))


def test_strays_change_the_quality_and_not_the_balance():
    rng = np.random.default_rng(0)
    points = np.repeat(CENTERS, 50, axis=0) + 0.01 * rng.uniform(-1, 1, (200, 2))
    assert mixture_statistics(points, CENTERS, 0.01) == MixtureStatistics(4, 1.0, 0.0)
    strays = np.concatenate([points, np.full((200, 2), 1.0)])
    assert mixture_statistics(strays, CENTERS, 0.01) == MixtureStatistics(4, 0.5, 0.0)


def test_no_sample_near_a_mode_is_the_worst_of_all():
    statistics = mixture_statistics(np.full((3, 2), 99.0), CENTERS, 0.1)
    assert statistics == MixtureStatistics(0, 0.0, pytest.approx(np.log(4)))


def test_true_samples_are_of_the_quality_that_the_chi_square_tells():
    rng = np.random.default_rng(0)
    points = CENTERS[rng.integers(4, size=20_000)] + 0.05 * rng.standard_normal((20_000, 2))
    statistics = mixture_statistics(points, CENTERS, 0.05)
    assert statistics.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.003)
    assert statistics.modes == 4
    assert statistics.kl < 0.001


def test_bad_mixtures_are_named():
    with pytest.raises(ValueError, match=r"one D, not \[5, 3\] and \[4, 2\]"):
        mixture_statistics(np.zeros((5, 3)), CENTERS, 0.1)
    with pytest.raises(ValueError, match="points and centers, not 0 and 4"):
        mixture_statistics(np.zeros((0, 2)), CENTERS, 0.1)
    with pytest.raises(ValueError, match="some are NaN or infinite"):
        mixture_statistics([[0, np.inf]], CENTERS, 0.1)
    with pytest.raises(ValueError, match="some are NaN or infinite"):
        mixture_statistics([[0, 0]], CENTERS * np.nan, 0.1)
    with pytest.raises(ValueError, match=r"std must be above 0 and at most 3.4e\+38, not 0"):
        mixture_statistics([[0, 0]], CENTERS, 0)


def test_numbers_whose_squares_overflow_are_named():
    corners = np.array([[0.0, 0.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match=r"points must be at most 3.4e\+38 .* largest is 1e\+200"):
        mixture_statistics(-1e200 * corners, corners, 1.0)
    with pytest.raises(ValueError, match=r"centers must be at most 3.4e\+38"):
        mixture_statistics(corners, 1e200 * corners, 1.0)
    for std in (1e200, np.inf, np.nan):
        with pytest.raises(ValueError, match="std must be above 0 and at most"):
            mixture_statistics(corners, corners, std)
    assert mixture_statistics(3e38 * corners, 3e38 * corners, 3e38).modes == 2
