"""The variance of the Laplacian: by hand, against SciPy, and what it says of blur."""

import numpy as np
import pytest
from scipy import ndimage

from jaxgan.metrics import laplacian_variance

RANDOM = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 1), np.uint8)


def test_by_hand():
    images = np.zeros((2, 3, 3, 1), np.uint8)
    images[0, 1, 1] = 10
    images[1] = 200
    # The centre has -40; its four neighbours see it twice, for the border mirrors it: 20 each.
    laplacian = np.array([[0, 20, 0], [20, -40, 20], [0, 20, 0]])
    np.testing.assert_allclose(laplacian_variance(images), [laplacian.var(), 0])


def test_equals_scipys():
    expected = [
        ndimage.laplace(image[..., 0].astype(float), mode="mirror").var() for image in RANDOM
    ]
    np.testing.assert_allclose(laplacian_variance(RANDOM), expected, rtol=1e-5)


def test_colours_count_as_their_grey():
    rng = np.random.default_rng(1)
    colour = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    grey = colour @ np.array([0.299, 0.587, 0.114])
    expected = [ndimage.laplace(image, mode="mirror").var() for image in grey]
    np.testing.assert_allclose(laplacian_variance(colour), expected, rtol=1e-4)
    np.testing.assert_allclose(
        laplacian_variance(np.repeat(RANDOM, 3, axis=-1)), laplacian_variance(RANDOM), rtol=1e-4
    )


def test_blur_lowers_it():
    blurred = ndimage.gaussian_filter(RANDOM, (0, 1, 1, 0))
    assert (laplacian_variance(blurred) < laplacian_variance(RANDOM) / 10).all()


def test_of_other_channels_the_mean_counts():
    pairs = np.concatenate([RANDOM, RANDOM], axis=3)
    np.testing.assert_allclose(laplacian_variance(pairs), laplacian_variance(RANDOM), rtol=1e-5)


@pytest.mark.parametrize("images", [RANDOM.astype(float), RANDOM[0], RANDOM[:, :0]])
def test_what_is_no_set_of_images_is_refused(images):
    with pytest.raises(ValueError, match=r"images must be uint8 \[N, H, W, C\], not"):
        laplacian_variance(images)
