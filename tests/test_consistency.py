"""Losses of translation, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.consistency import cycle_consistency_loss, identity_loss

LOSSES = [cycle_consistency_loss, identity_loss]
IMAGES = jnp.array([[0.0, 1.0], [-1.0, 0.5]]).reshape(2, 1, 2, 1)
OTHER = jnp.array([[0.5, 1.0], [1.0, 0.0]]).reshape(2, 1, 2, 1)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_absolute_difference(loss):
    assert float(loss(IMAGES, OTHER)) == (0.5 + 0 + 2 + 0.5) / 4
    assert float(loss(IMAGES, IMAGES)) == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_signs_over_the_count(loss):
    found = jax.grad(loss, argnums=1)(IMAGES, OTHER + jnp.array([0, 0.25]).reshape(1, 1, 2, 1))
    np.testing.assert_allclose(found.ravel(), [0.25, 0.25, 0.25, -0.25])


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_is_averaged_in_float32(loss):
    many = jnp.full((1, 64, 64, 1), 1.0, jnp.bfloat16)
    value = loss(many, many * 0.75)
    assert (value.dtype, float(value)) == (jnp.float32, 0.25)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(2, 1, 2), (2, 1, 1, 1), (1, 1, 2, 1), (2, 2, 1, 1)])
def test_other_shapes_are_refused_and_not_broadcast(loss, shape):
    with pytest.raises(ValueError, match=r"one shape and hold something, not \[2, 1, 2, 1\] and"):
        loss(IMAGES, jnp.ones(shape))


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_has_no_mean(loss):
    with pytest.raises(ValueError, match="hold something"):
        loss(jnp.ones((0, 2)), jnp.ones((0, 2)))


def test_complex_numbers_are_refused():
    with pytest.raises(ValueError, match="must be real numbers, not complex64"):
        cycle_consistency_loss(jnp.ones((2, 3)), jnp.full((2, 3), 1j))
