import numpy as np
import pytest
from jax import random

from jaxgan.metrics import kernel, kernel_distance, squared_mmd

KEY = random.key(0)


def features(seed, count=30, size=4, mean=0.0):
    return np.random.default_rng(seed).standard_normal((count, size)) + mean


def by_loops(a, b):
    """The definition, pair by pair."""

    def k(x, y):
        return (sum(p * q for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def within(s):
        return np.mean([k(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j])

    return within(a) + within(b) - 2 * np.mean([k(x, y) for x in a for y in b])


def test_by_hand():
    # D = 1: k(0, 1) = 1, k(2, 3) = 343, and k = 1, 1, 27, 64 between the sets.
    assert squared_mmd([[0.0], [1.0]], [[2.0], [3.0]]) == pytest.approx(1 + 343 - 2 * 93 / 4)


@pytest.mark.parametrize("counts", [(2, 2), (5, 9), (12, 3)])
def test_loops_agree(counts):
    a, b = features(0, counts[0]), features(1, counts[1], mean=0.5)
    assert squared_mmd(a, b) == pytest.approx(by_loops(a, b), rel=1e-12)


def test_block_size_and_order_do_not_matter(monkeypatch):
    a, b = features(0), features(1, 17)
    whole = squared_mmd(a, b)
    assert squared_mmd(b, a) == pytest.approx(whole, rel=1e-10)
    assert squared_mmd(a[::-1], np.roll(b, 3, axis=0)) == pytest.approx(whole, rel=1e-10)
    for block in (1, 17, 40):
        monkeypatch.setattr(kernel, "_BLOCK", block)
        assert squared_mmd(a, b) == pytest.approx(whole, rel=1e-10)


def test_equal_distributions_are_at_0_on_average_even_for_small_sets():
    distances = [squared_mmd(features(2 * i, 4), features(2 * i + 1, 4)) for i in range(2000)]
    error = np.std(distances) / np.sqrt(len(distances))
    assert abs(np.mean(distances)) < 3 * error
    assert min(distances) < 0 < max(distances)


def test_one_dimension_in_closed_form():
    # Gaussians N(0, 1) and N(m, 1): (xy + 1)^3 compares the moments: 3 m^2 + 3 (m^2)^2 + (m^3 +
    # 3m)^2.
    m = 0.5
    expected = 3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2
    a, b = features(0, 4000, 1), features(1, 4000, 1, mean=m)
    assert squared_mmd(a, b) == pytest.approx(expected, rel=0.15)


def test_subsets_that_are_the_whole_sets_all_give_its_distance():
    a, b = features(0, 20), features(1, 20, mean=1)
    mean, std = kernel_distance(a, b, key=KEY, subset_size=20, subsets=3)
    assert mean == pytest.approx(squared_mmd(a, b), rel=1e-10)
    assert std == pytest.approx(0, abs=1e-10)


def test_subsets_scatter_about_the_whole():
    a, b = features(0, 300), features(1, 200, mean=1)
    found = kernel_distance(a, b, key=KEY, subset_size=40, subsets=50)
    assert found.mean == pytest.approx(squared_mmd(a, b), abs=4 * found.std / np.sqrt(50))
    assert 0 < found.std < found.mean
    assert kernel_distance(a, b, key=KEY, subset_size=40, subsets=50) == found
    assert kernel_distance(a, b, key=random.key(1), subset_size=40, subsets=50) != found


def test_a_set_and_itself_do_not_share_their_subsets():
    a = features(0, 500)
    found = kernel_distance(a, a, key=KEY, subset_size=50, subsets=40)
    assert abs(found.mean) < 4 * found.std / np.sqrt(40)


def test_constant_features():
    assert squared_mmd(np.zeros((3, 2)), np.zeros((4, 2))) == 0
    assert squared_mmd(np.zeros((3, 2)), np.ones((4, 2))) == pytest.approx(1 + 8 - 2)


def test_bad_input_is_named():
    a = features(0)
    with pytest.raises(ValueError, match="at most the number of samples, 30 and 30, not 1000"):
        kernel_distance(a, a, key=KEY)
    with pytest.raises(ValueError, match="not 1 and 100"):
        kernel_distance(a, a, key=KEY, subset_size=1)
    with pytest.raises(ValueError, match="not 10 and 0"):
        kernel_distance(a, a, key=KEY, subset_size=10, subsets=0)
    with pytest.raises(ValueError, match="at least 2 samples, not 1"):
        squared_mmd(a, a[:1])
    with pytest.raises(ValueError, match=r"one D, not \[30, 4\] and \[30, 3\]"):
        squared_mmd(a, a[:, :3])


def test_features_whose_powers_overflow_are_named():
    a = features(0)
    for wrong in (-1e120 * a, 1e39 * np.abs(a) / np.abs(a).max()):
        with pytest.raises(ValueError, match=r"at most 3.4e\+38 in magnitude, .* largest is \d"):
            squared_mmd(a, wrong)
        with pytest.raises(ValueError, match=r"at most 3.4e\+38"):
            kernel_distance(wrong, a, key=KEY, subset_size=10, subsets=1)
    # The largest float32 is allowed: its sixth power is 1.6e231. With x large, k(x, x) is x^6.
    assert squared_mmd([[0.0], [0.0]], np.full((2, 1), 3e38)) == pytest.approx(3e38**6)
