"""Instance noise and its annealing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import augment


def test_noise_has_the_standard_deviation_asked_for():
    images = jnp.full([64, 8, 8, 3], 0.9)
    noise = augment.instance_noise(images, jax.random.key(0), 0.25) - images
    np.testing.assert_allclose(noise.mean(), 0, atol=0.01)
    np.testing.assert_allclose(noise.std(), 0.25, rtol=0.02)
    assert noise.max() > 0.1  # not clipped at 1


def test_noise_is_a_function_of_the_key_and_differs_between_images():
    images = jnp.zeros([2, 16])
    first = augment.instance_noise(images, jax.random.key(0), 1.0)
    np.testing.assert_array_equal(first, augment.instance_noise(images, jax.random.key(0), 1.0))
    assert not jnp.allclose(first, augment.instance_noise(images, jax.random.key(1), 1.0))
    assert not jnp.allclose(first[0], first[1])


def test_no_noise_is_the_identity_and_the_gradient_passes_through():
    images = jnp.linspace(-1, 1, 12).reshape(3, 4)
    unchanged = augment.instance_noise(images, jax.random.key(0), 0.0)
    np.testing.assert_array_equal(unchanged, images)
    gradient = jax.grad(lambda x: augment.instance_noise(x, jax.random.key(0), 0.5).sum())(images)
    np.testing.assert_array_equal(gradient, jnp.ones([3, 4]))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_the_type_of_the_images_is_kept(dtype):
    sigma = augment.annealed(0.1, 3, 10)
    assert augment.instance_noise(jnp.zeros([2, 2], dtype), jax.random.key(0), sigma).dtype == dtype


def test_integer_images_are_refused():
    with pytest.raises(ValueError, match="must be floating point to take noise, not uint8"):
        augment.instance_noise(jnp.zeros([2, 2], jnp.uint8), jax.random.key(0), 0.1)


def test_annealing_is_linear_to_zero_and_stays_there():
    values = jax.jit(jax.vmap(lambda step: augment.annealed(0.4, step, 100)))(
        jnp.array([0, 25, 50, 100, 1000])
    )
    np.testing.assert_allclose(values, [0.4, 0.3, 0.2, 0, 0], rtol=1e-6, atol=1e-7)
    assert values.dtype == jnp.float32


def test_annealing_over_no_steps_is_refused():
    with pytest.raises(ValueError, match="positive number of steps, not 0"):
        augment.annealed(0.4, 0, 0)
