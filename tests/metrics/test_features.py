import numpy as np
import pytest

from jaxgan.metrics import by_channel, mode_statistics, pixels, reduced_pixels, stacked_classes
from jaxgan.metrics.features import check_features


def test_pixels_are_in_the_unit_interval_row_by_row():
    images = np.array([[0, 255], [51, 102]], np.uint8).reshape(1, 2, 2, 1)
    found = pixels(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0, 1, 0.2, 0.4]], rtol=1e-6)


def digits(images):
    """A judge that reads the class off the first pixel."""
    assert images.shape[1:] == (2, 2, 1)
    return np.eye(10)[images[:, 0, 0, 0]]


def test_a_stack_of_three_digits_is_one_class_of_a_thousand():
    images = np.zeros((3, 2, 2, 3), np.uint8)
    images[:, 0, 0] = [[0, 0, 0], [3, 0, 7], [9, 9, 9]]
    found = stacked_classes(by_channel(digits, images))
    assert found.tolist() == [0, 307, 999]
    assert mode_statistics(found, 1000).modes == 3


def test_classes_are_digits_of_as_many_values_as_there_are():
    probabilities = np.eye(4)[[[1, 3], [2, 0]]]  # Two channels of two samples
    assert stacked_classes(probabilities).tolist() == [1 * 4 + 2, 3 * 4 + 0]


def test_channels_are_seen_each_by_itself():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 2), dtype=np.uint8)
    found = by_channel(pixels, images)
    assert found.shape == (2, 5, 12)
    np.testing.assert_array_equal(found[1], pixels(images[..., 1:]))


def test_bad_images_are_named():
    with pytest.raises(ValueError, match=r"uint8 \[N, H, W, C\], not float64 \[1, 2, 2, 1\]"):
        pixels(np.zeros((1, 2, 2, 1)))
    with pytest.raises(ValueError, match=r"not uint8 \[2, 2, 1\]"):
        by_channel(pixels, np.zeros((2, 2, 1), np.uint8))
    with pytest.raises(ValueError, match=r"\[C, N, K\], not \[5, 10\]"):
        stacked_classes(np.zeros((5, 10)))


def test_reduced_pixels_are_means_of_two_by_two_until_they_are_few():
    images = np.arange(36, dtype=np.uint8).reshape(1, 6, 6, 1)
    np.testing.assert_array_equal(reduced_pixels(images, 36), pixels(images))
    means = np.array([[3.5, 5.5, 7.5], [15.5, 17.5, 19.5], [27.5, 29.5, 31.5]])
    np.testing.assert_allclose(reduced_pixels(images, 35), means.reshape(1, 9) / 255, rtol=1e-6)
    # Of 3x3 the last row and column go.
    np.testing.assert_allclose(reduced_pixels(images, 8), [[means[:2, :2].mean() / 255]], rtol=1e-6)
    assert reduced_pixels(np.zeros((1, 1, 9, 1), np.uint8), 4).shape == (1, 9)  # A side of one
    assert reduced_pixels(np.zeros((501, 64, 64, 3), np.uint8)).shape == (501, 16 * 16 * 3)
    with pytest.raises(ValueError, match="at least 1 image"):
        reduced_pixels(np.zeros((0, 4, 4, 1), np.uint8))


def test_stacks_of_nan_or_of_too_many_classes_are_named():
    with pytest.raises(ValueError, match="some are NaN"):
        stacked_classes(np.full((2, 3, 4), np.nan))
    with pytest.raises(ValueError, match="at most 2\\^63 classes, but 20 channels of 10 have more"):
        stacked_classes(np.zeros((20, 1, 10)))
    with pytest.raises(ValueError, match=r"\[C, N, K\], not \[1, 5, 0\]"):
        stacked_classes(np.zeros((1, 5, 0)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, np.uint8, bool])
def test_the_limit_of_features_holds_for_all_that_float32_holds(dtype):
    largest = 1 if dtype is bool else np.finfo(dtype).max if dtype(0.5) else np.iinfo(dtype).max
    found = check_features(np.array([[0, largest]], dtype))
    assert found.dtype == dtype


def test_features_beyond_float32_are_named():
    for value in (1e39, -1e39, np.float64(1e308)):
        with pytest.raises(ValueError, match=r"3.4e\+38 .* but the largest is 1e\+39|e\+308"):
            check_features([[0.0, value]])
