import math

import numpy as np
import pytest
import scipy.stats
from jax import random

from jaxgan.metrics import laplacian_sliced_wasserstein, sliced, sliced_wasserstein

KEY = random.key(0)


def points(seed, count, size=3):
    return np.random.default_rng(seed).standard_normal((count, size))


@pytest.mark.parametrize("order", [1, 2])
def test_one_dimension_by_hand(order):
    # Sorted, 0 1 3 go to 1 2 7.
    found = sliced_wasserstein([[3], [0], [1]], [[7], [1], [2]], key=KEY, order=order)
    assert found == pytest.approx(((1 + 1 + 4**order) / 3) ** (1 / order))


@pytest.mark.parametrize("counts", [(1, 1), (2, 3), (10, 4), (7, 70), (1, 6)])
def test_scipy_agrees_on_a_line_for_any_two_counts(counts):
    a, b = points(0, counts[0], 1), points(1, counts[1], 1) + 0.3
    expected = scipy.stats.wasserstein_distance(a[:, 0], b[:, 0])
    assert sliced_wasserstein(a, b, key=KEY, projections=2) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_a_set_repeated_is_the_same_set(order):
    a, b = points(0, 12), points(1, 9)
    once = sliced_wasserstein(a, b, key=KEY, order=order)
    again = sliced_wasserstein(np.tile(a, (5, 1)), np.repeat(b, 2, axis=0), key=KEY, order=order)
    assert again == pytest.approx(once, rel=1e-10)


def test_two_point_masses():
    # W is |u·δ|. For a unit vector u in D dimensions E (u·δ)² = |δ|² / D; in three E |u·δ| = |δ|/2.
    a, b = np.zeros((4, 3)), np.full((6, 3), 2.0)
    length = math.sqrt(12)
    squares = sliced_wasserstein(a, b, key=KEY, projections=20_000, order=2)
    assert squares == pytest.approx(length / math.sqrt(3), rel=0.02)
    assert sliced_wasserstein(a, b, key=KEY, projections=20_000) == pytest.approx(
        length / 2, rel=0.02
    )


def test_moved_sets_are_apart_as_point_masses_are():
    a, way = points(0, 200, 5), np.arange(5.0)
    for order in (1, 2):
        moved = sliced_wasserstein(a, a + way, key=KEY, order=order)
        masses = sliced_wasserstein(np.zeros((1, 5)), way[None], key=KEY, order=order)
        assert moved == pytest.approx(masses, rel=1e-10)


def test_gaussians_of_two_widths():
    # On every line N(0, 1) against N(0, 9): W_2 = 3 - 1, W_1 = (3 - 1) E|x|.
    a, b = points(0, 5000), 3 * points(1, 4000)
    assert sliced_wasserstein(a, b, key=KEY, order=2) == pytest.approx(2, rel=0.03)
    expected = 2 * math.sqrt(2 / math.pi)
    assert sliced_wasserstein(a, b, key=KEY) == pytest.approx(expected, rel=0.03)


def test_it_is_a_distance_of_sets(monkeypatch):
    a, b = points(0, 30), points(1, 20) + 1
    found = sliced_wasserstein(a, b, key=KEY, projections=50)
    assert sliced_wasserstein(b, a, key=KEY, projections=50) == pytest.approx(found, rel=1e-12)
    assert sliced_wasserstein(a, a[::-1], key=KEY) == 0
    assert sliced_wasserstein(a, b, key=random.key(1), projections=50) != found
    monkeypatch.setattr(sliced, "_BLOCK", 100)
    assert sliced_wasserstein(a, b, key=KEY, projections=50) == pytest.approx(found, rel=1e-12)


def test_bad_sets_are_named():
    a = points(0, 5)
    with pytest.raises(ValueError, match="at least 1 and order 1 or 2, not 0 and 1"):
        sliced_wasserstein(a, a, key=KEY, projections=0)
    with pytest.raises(ValueError, match="order 1 or 2, not 512 and 3"):
        sliced_wasserstein(a, a, key=KEY, order=3)
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        sliced_wasserstein(a, a[:0], key=KEY)


def images(seed, count=20, size=32, channels=2):
    rng = np.random.default_rng(seed)
    smooth = scipy.ndimage.gaussian_filter(
        rng.normal(size=(count, size, size, channels)), (0, 2, 2, 0)
    )
    return np.uint8(np.clip(128 + 150 * smooth, 0, 255))


def test_a_pyramid_holds_the_image():
    image = np.float32(images(0, 2, 64))
    fine, middle, coarse = sliced.laplacian_pyramid(image)
    assert [level.shape[1] for level in (fine, middle, coarse)] == [64, 32, 16]
    whole = fine + sliced.blow_up(middle + sliced.blow_up(coarse))
    np.testing.assert_allclose(whole, image, atol=1e-3)


def test_a_constant_image_is_all_in_the_coarsest_scale():
    fine, coarse = sliced.laplacian_pyramid(np.full((1, 32, 32, 1), 9))
    np.testing.assert_allclose(fine, 0, atol=1e-5)
    np.testing.assert_allclose(coarse, 9, rtol=1e-6)


def test_noise_tells_in_the_fine_scale_and_layout_in_the_coarse_one():
    a, b = images(0), images(1)
    same = laplacian_sliced_wasserstein(a, b, key=KEY, projections=64)
    rng = np.random.default_rng(0)
    noisy = np.uint8(np.clip(b + rng.normal(0, 60, b.shape), 0, 255))
    noise = laplacian_sliced_wasserstein(a, noisy, key=KEY, projections=64)
    assert noise[0] > 3 * same[0]
    assert noise[0] > 2 * noise[1]
    assert max(same) < 0.1


def test_brightness_and_contrast_do_not_tell():
    a = images(0) // 2
    found = laplacian_sliced_wasserstein(a, a + np.uint8(100), key=KEY, projections=64)
    shifted = laplacian_sliced_wasserstein(a, a, key=KEY, projections=64)
    assert found == pytest.approx(shifted, abs=1e-3)


def test_scales_end_where_a_side_cannot_be_halved():
    for size, scales in ((28, 1), (16, 1), (32, 2), (64, 3)):
        a = images(0, 2, size, 1)
        assert len(laplacian_sliced_wasserstein(a, a, key=KEY, projections=8)) == scales


@pytest.mark.parametrize("block", [1, 7, 50])
def test_patches_gathered_block_by_block_are_those_of_the_whole_sets(block):
    a, b = images(0, 30), images(1, 50)
    how = {"key": KEY, "projections": 16}
    scales = []
    for side, whole in (("a", a), ("b", b)):
        gathered = sliced.PatchGatherer(KEY, side, len(whole), 3)
        for start in range(0, len(whole), block):
            gathered.add(whole[start : start + block])
        scales.append(gathered.scales())
    expected = laplacian_sliced_wasserstein(a, b, patches=3, **how)
    assert sliced.patch_distances(*scales, **how) == expected
    for scale in scales[0]:
        assert scale.shape == (30 * 3, 7 * 7 * 2)
        channels = scale.reshape(-1, 2)
        np.testing.assert_allclose(channels.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(channels.std(axis=0), 1, atol=1e-5)


def test_a_set_that_is_not_as_announced_is_named():
    gathered = sliced.PatchGatherer(KEY, "a", 5, 2)
    gathered.add(images(0, 3))
    gathered.add(images(0, 3)[:0])
    with pytest.raises(ValueError, match="2 images of 5 are missing"):
        gathered.scales()
    with pytest.raises(ValueError, match=r"5 images .* in all, not \[3, 32, 32, 2\] after 3"):
        gathered.add(images(0, 3))
    with pytest.raises(ValueError, match=r"one size, not \[32, 32, 2\] and \[34, 32, 2\]"):
        gathered.add(np.zeros((1, 34, 32, 2), np.uint8))
    with pytest.raises(ValueError, match="at least 1, not 0 and 2"):
        sliced.PatchGatherer(KEY, "a", 0, 2)
    one, two = (np.zeros((9, 98), np.float32),), (np.zeros((9, 98), np.float32),) * 2
    with pytest.raises(ValueError, match="not one of 1 scales and one of 2"):
        sliced.patch_distances(one, two, key=KEY)


def test_constant_images_are_equal():
    grey = np.full((3, 32, 32, 1), 77, np.uint8)
    found = laplacian_sliced_wasserstein(grey, grey // 2, key=KEY, projections=8)
    assert found == pytest.approx((0, 0), abs=1e-6)


def test_bad_images_are_named():
    a = images(0, 2)
    with pytest.raises(ValueError, match=r"one size .* not \[2, 32, 32, 2\] and \[2, 16, 16, 2\]"):
        laplacian_sliced_wasserstein(a, a[:, ::2, ::2], key=KEY)
    with pytest.raises(ValueError, match="at least 7 pixels"):
        laplacian_sliced_wasserstein(a[:, :6], a[:, :6], key=KEY)
    with pytest.raises(ValueError, match="patches must be at least 1, not 0"):
        laplacian_sliced_wasserstein(a, a, key=KEY, patches=0)
    with pytest.raises(ValueError, match="must be uint8"):
        laplacian_sliced_wasserstein(a / 255, a / 255, key=KEY)


@pytest.mark.parametrize("order", [1, 2])
def test_features_whose_squares_overflow_are_named(order):
    a = points(0, 5)
    with pytest.raises(ValueError, match=r"at most 3.4e\+38 in magnitude, .* largest is \S*e\+16"):
        sliced_wasserstein(a, 1e160 * a, key=KEY, order=order)
    # On a line the distance of two point masses is their way.
    found = sliced_wasserstein([[-3e38]], [[3e38]], key=KEY, order=order)
    assert found == pytest.approx(6e38)
