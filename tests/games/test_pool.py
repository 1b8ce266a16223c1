"""The image pool: filled first, then every other image is swapped for an old one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.games.pool import ImagePool, init_pool, query

query_in_jit = jax.jit(query)


def numbered(start: int, stop: int) -> jax.Array:
    """Images [N, 1, 1, 1] whose one pixel is their number."""
    return jnp.arange(start, stop, dtype=jnp.float32).reshape(-1, 1, 1, 1)


def test_until_it_is_full_images_are_stored_and_given_themselves():
    pool, given = query_in_jit(init_pool(5, (1, 1, 1)), numbered(0, 3), jax.random.key(0))
    np.testing.assert_array_equal(given, numbered(0, 3))
    np.testing.assert_array_equal(pool.images.ravel(), [0, 1, 2, 0, 0])
    assert int(pool.count) == 3


def test_then_an_image_is_given_or_takes_an_old_ones_place():
    """By the rules, image by image: what is given and what is kept are what there was and is."""
    pool, first = query_in_jit(init_pool(4, (1, 1, 1)), numbered(0, 4), jax.random.key(0))
    np.testing.assert_array_equal(first, numbered(0, 4))
    for number in range(4, 40):
        before = set(np.asarray(pool.images).ravel())
        pool, given = query_in_jit(pool, numbered(number, number + 1), jax.random.key(number))
        after, (shown,) = set(np.asarray(pool.images).ravel()), np.asarray(given).ravel()
        if shown == number:
            assert after == before
        else:
            assert after == before - {shown} | {number}
        assert int(pool.count) == 4


def test_a_minibatch_goes_image_by_image():
    """A pool of one: the image given is the last that was stored, of this batch as well."""
    pool = ImagePool(numbered(100, 101), jnp.array(1))
    pool, given = query_in_jit(pool, numbered(0, 64), jax.random.key(1))
    held, swaps = 100, 0
    for number, shown in enumerate(np.asarray(given).ravel()):
        if shown != number:
            assert shown == held
            held, swaps = number, swaps + 1
    assert swaps > 16
    assert float(pool.images[0, 0, 0, 0]) == held


def test_the_swap_rate_over_10000_images_is_one_half():
    pool, _ = query_in_jit(init_pool(50, (1, 1, 1)), numbered(0, 50), jax.random.key(2))
    pool, given = query_in_jit(pool, numbered(50, 10_050), jax.random.key(3))
    swapped = np.asarray(given != numbered(50, 10_050)).ravel()
    assert abs(swapped.mean() - 0.5) < 0.02
    ages = np.arange(50, 10_050)[swapped] - np.asarray(given).ravel()[swapped]
    # An image waits for its place to be drawn: 2 x 50 images on average.
    assert abs(ages[1000:].mean() - 100) < 10


def test_a_pool_of_no_size_gives_the_images_themselves():
    images = numbered(0, 3)
    pool, given = query(init_pool(0, (1, 1, 1)), images, jax.random.key(0))
    assert given is images
    assert pool.images.shape == (0, 1, 1, 1)


def test_the_key_alone_decides():
    pool = ImagePool(numbered(0, 8), jnp.array(8))
    draw = [query_in_jit(pool, numbered(10, 30), jax.random.key(seed))[1] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])


def test_bad_input():
    with pytest.raises(ValueError, match="size must be 0 or more, not -1"):
        init_pool(-1, (1, 1, 1))
    with pytest.raises(ValueError, match=r"shape \[1, 1, 1\] cannot take images of shape \[2, 2"):
        query(init_pool(3, (1, 1, 1)), jnp.ones((1, 2, 2, 1)), jax.random.key(0))
