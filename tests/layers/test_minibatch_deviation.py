"""The map that tells a discriminator how varied its samples are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.minibatch_deviation import minibatch_deviation

X = np.random.default_rng(0).normal(size=(8, 2, 2, 3)).astype(np.float32)


def by_numpy(x, group):
    maps = [
        np.full((group, *x.shape[1:3], 1), np.sqrt(part.var(0) + 1e-8).mean())
        for part in np.split(x, len(x) // group)
    ]
    return np.concatenate([x, np.concatenate(maps)], -1)


def test_two_groups_by_hand():
    """The biased deviation of 0 and 2 is 1, that of 5 and 5 is the root of 1e-8."""
    x = np.reshape([0.0, 2.0, 5.0, 5.0], (4, 1, 1, 1)).astype(np.float32)
    y = minibatch_deviation(x, 2)
    np.testing.assert_allclose(y[:, 0, 0, 1], [1, 1, 1e-4, 1e-4], rtol=1e-5)
    np.testing.assert_array_equal(y[..., :1], x)


def test_it_is_the_mean_deviation_of_a_group():
    np.testing.assert_allclose(jax.jit(minibatch_deviation)(X), by_numpy(X, 4), rtol=1e-5)


@pytest.mark.parametrize(("batch", "group"), [(6, 3), (7, 1), (2, 2), (5, 1), (1, 1)])
def test_a_batch_that_fours_do_not_divide_has_smaller_groups(batch, group):
    x = X[:batch]
    np.testing.assert_allclose(minibatch_deviation(x), by_numpy(x, group), rtol=1e-5)


def test_the_order_within_a_group_does_not_matter():
    shuffled = X[[2, 0, 3, 1, 7, 6, 4, 5]]
    np.testing.assert_allclose(
        minibatch_deviation(shuffled)[..., 3], minibatch_deviation(X)[..., 3], rtol=1e-5
    )
    # Across groups it does.
    other = minibatch_deviation(X[[4, 1, 2, 3, 0, 5, 6, 7]])
    assert not np.allclose(other[..., 3], minibatch_deviation(X)[..., 3], rtol=1e-3)


def test_gradients_are_those_of_finite_differences():
    def loss(x):
        return (minibatch_deviation(x)[..., -1] ** 2).sum()

    found, h = jax.grad(loss)(jnp.asarray(X)), 1e-2
    for place in [(0, 0, 0, 0), (5, 1, 0, 2)]:
        step = np.zeros_like(X)
        step[place] = h
        slope = (loss(X + step) - loss(X - step)) / (2 * h)
        np.testing.assert_allclose(found[place], slope, rtol=2e-2, atol=1e-4)


def test_equal_samples_have_a_finite_gradient():
    def loss(x):
        return minibatch_deviation(x)[..., -1].sum()

    assert np.isfinite(jax.grad(loss)(jnp.ones((4, 2, 2, 3)))).all()


def test_what_cannot_be():
    with pytest.raises(ValueError, match=r"must be \[B, H, W, C\], not of shape \[4, 3\]"):
        minibatch_deviation(jnp.ones((4, 3)))
    with pytest.raises(ValueError, match="a group has 1 sample or more, not 0"):
        minibatch_deviation(X, 0)
