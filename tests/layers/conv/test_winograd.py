"""Winograd's convolutions against the definition, summed in NumPy; derivatives: test_trilinear."""

import jax
import numpy as np
import pytest
from jax import lax

from jaxgan.layers.conv import conv
from jaxgan.layers.conv.winograd import POINTS, products

NONE, SAME = ((0, 0), (0, 0)), ((1, 1), (1, 1))


def by_definition(x: np.ndarray, kernel: np.ndarray, padding) -> np.ndarray:
    """Sums over taps, in float64."""
    x = np.pad(np.asarray(x, np.float64), ((0, 0), *padding, (0, 0)))
    r = len(kernel)
    height, width = x.shape[1] - r + 1, x.shape[2] - r + 1
    return sum(
        x[:, i : i + height, j : j + width] @ np.asarray(kernel[i, j], np.float64)
        for i in range(r)
        for j in range(r)
    )


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("r", "padding", "size"),
    [
        (3, SAME, (8, 4)),
        (3, NONE, (7, 5)),
        (3, ((2, 2), (2, 2)), (3, 3)),
        (3, ((2, 0), (0, 1)), (5, 9)),
        (2, NONE, (5, 4)),
        (2, SAME, (4, 7)),
        (4, ((1, 2), (2, 1)), (6, 4)),
    ],
)
def test_values(r, padding, size):
    x, kernel = draw(2, *size, 3), draw(r, r, 3, 5, seed=1)
    y = jax.jit(lambda x, kernel: conv(x, kernel, padding=padding, impl="winograd"))(x, kernel)
    expected = by_definition(x, kernel, padding)
    np.testing.assert_allclose(y, expected, atol=5e-6 * np.abs(expected).max())


def test_the_rounding_is_a_few_times_that_of_a_direct_sum():
    x, kernel = draw(4, 16, 16, 32), draw(3, 3, 32, 32, seed=1)
    expected = by_definition(x, kernel, SAME)

    def error(y) -> float:
        return float(np.sqrt(np.mean((np.asarray(y, np.float64) - expected) ** 2)))

    direct = lax.conv_general_dilated(
        x, kernel, (1, 1), SAME, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert error(conv(x, kernel, padding=SAME, impl="winograd")) < 6 * error(direct)


def test_tiles_are_chosen_for_the_fewest_products():
    assert products(3, 8, 8) == 4 * 36  # Four tiles of 4x4 outputs: a quarter of 9·64.
    assert products(2, 9, 9) == 9 * 16  # Nine tiles of 3x3, not nine of 4x4 with 25 each.
    assert products(2, 7, 7) == 4 * 25
    assert products(4, 6, 6) == 4 * 36
    assert all(len(set(points)) == n - 1 for n, points in POINTS.items())
