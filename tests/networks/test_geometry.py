"""What goes down and up again comes back where it was: the geometry of pairs of layers.

A pixel is sent through a pair with smooth symmetric kernels; its centre of mass must not move,
wherever it lay.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.conv import Conv, ConvTranspose
from jaxgan.layers.resample import average_pool, upsample_nearest
from jaxgan.networks.cyclegan import TranslationGenerator

SMOOTH = {3: [0.25, 0.5, 0.25], 4: [0.125, 0.375, 0.375, 0.125], 7: [0, 0, 0, 1, 0, 0, 0]}
"""By size of the kernel; the largest passes images on as they are."""


def smooth(layer, gain=1.0):
    """A layer of one channel with a smooth kernel, as a function of images."""
    rows, columns = (np.array(SMOOTH[size]) for size in layer.kernel_size)
    kernel = gain * np.outer(rows, columns)[:, :, None, None]
    return lambda x: layer.apply({"params": {"kernel": kernel, "bias": np.zeros(1)}}, x)


def shifts(function, size, period):
    """How far the centres of a pixel move, `[period**2, 2]`, for all its places in a period."""
    first = size // 2
    places = np.array(list(itertools.product(range(first, first + period), repeat=2)))
    images = np.zeros((len(places), size, size, 1), np.float32)
    images[np.arange(len(places)), places[:, 0], places[:, 1]] = 1e-3
    made = np.asarray(jax.jit(function)(images))[..., 0]
    assert made.shape == images.shape[:3]
    weights = made / made.sum((1, 2), keepdims=True)
    along = np.arange(size)
    centres = np.stack([weights.sum(2) @ along, weights.sum(1) @ along], axis=1)
    return centres - places


PAIRS = {
    "3x3": (
        smooth(Conv(1, (3, 3), 2, ((1, 1), (1, 1)))),
        smooth(ConvTranspose(1, (3, 3), 2, ((1, 2), (1, 2)))),
    ),
    "4x4": (smooth(Conv(1, (4, 4), 2)), smooth(ConvTranspose(1))),
    "4x4, padded": (
        smooth(Conv(1, (4, 4), 2, ((1, 1), (1, 1)))),
        smooth(ConvTranspose(1, (4, 4), 2, ((2, 2), (2, 2)))),
    ),
    "3x3 SAME": (smooth(Conv(1, (3, 3), 2)), smooth(ConvTranspose(1, (3, 3), 2))),
}
"""What leads down by 2 in the networks, and what leads up again."""


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("depth", [1, 2])
def test_a_pair_moves_nothing(pair, depth):
    down, up = pair

    def there_and_back(x):
        for layer in [down] * depth + [up] * depth:
            x = layer(x)
        return x

    moved = shifts(there_and_back, 32, 2**depth)
    np.testing.assert_allclose(moved, 0, atol=1e-4)


def test_pooling_and_nearest_pixels_move_nothing_on_average():
    """A pixel becomes the square it lies in: half a pixel one way or the other."""
    moved = shifts(lambda x: upsample_nearest(average_pool(x)), 32, 2)
    np.testing.assert_allclose(np.abs(moved), 0.5, atol=1e-4)
    np.testing.assert_allclose(moved.mean(0), 0, atol=1e-4)


def test_up_by_same_moves_by_a_pixel_what_is_padded_alike_on_both_sides():
    """The fault that this file is about: a pixel a stage, 3 through two."""
    down, up = PAIRS["3x3"][0], PAIRS["3x3 SAME"][1]
    np.testing.assert_allclose(shifts(lambda x: up(down(x)), 32, 2), 1, atol=1e-4)
    np.testing.assert_allclose(shifts(lambda x: up(up(down(down(x)))), 32, 4), 3, atol=1e-4)


def test_the_translation_generator_moves_nothing():
    """The whole network, with smooth kernels, idle blocks, and images small enough for tanh."""
    network = TranslationGenerator(1, width=1, blocks=2, normalization="none")
    variables = jax.eval_shape(
        lambda: network.init(jax.random.key(0), jnp.zeros((1, 32, 32, 1)), train=False)
    )

    def value(path, leaf):
        names = [entry.key for entry in path]
        if names[-1] == "bias" or any("Block" in name for name in names):
            return np.zeros(leaf.shape, np.float32)
        rows, columns = (np.array(SMOOTH[size]) for size in leaf.shape[:2])
        return np.outer(rows, columns)[:, :, None, None] * np.ones(leaf.shape, np.float32)

    variables = jax.tree_util.tree_map_with_path(value, variables)
    moved = shifts(lambda x: network.apply(variables, x, train=False), 32, 4)
    np.testing.assert_allclose(moved, 0, atol=2e-3)
