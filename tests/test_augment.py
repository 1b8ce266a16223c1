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
    with pytest.raises(ValueError, match="images must be floating point, not uint8"):
        augment.instance_noise(jnp.zeros([2, 2], jnp.uint8), jax.random.key(0), 0.1)


def test_a_sigma_for_each_sample_goes_along_the_batch():
    images, sigma = jnp.zeros([3, 1]), jnp.array([0.0, 1.0, 2.0])  # [B] against [B, 1]
    noisy = augment.instance_noise(images, jax.random.key(0), sigma)
    unit = augment.instance_noise(images, jax.random.key(0), 1.0)
    np.testing.assert_allclose(noisy, unit * sigma[:, None])
    with pytest.raises(ValueError, match=r"a scalar or of shape \(3,\).*not of \(2,\)"):
        augment.instance_noise(images, jax.random.key(0), jnp.ones(2))


def test_annealing_is_linear_to_zero_and_stays_there():
    values = jax.jit(jax.vmap(lambda step: augment.annealed(0.4, step, 100)))(
        jnp.array([0, 25, 50, 100, 1000])
    )
    np.testing.assert_allclose(values, [0.4, 0.3, 0.2, 0, 0], rtol=1e-6, atol=1e-7)
    assert values.dtype == jnp.float32


def test_annealing_over_no_steps_is_refused():
    with pytest.raises(ValueError, match="positive number of steps, not 0"):
        augment.annealed(0.4, 0, 0)


def test_pack_joins_samples_along_channels():
    images = jnp.arange(4 * 1 * 2 * 1, dtype=jnp.float32).reshape(4, 1, 2, 1)
    packed = augment.pack(images, 2)
    assert packed.shape == (2, 1, 2, 2)
    # Pixel 0 of samples 0 and 1 is 0 and 2, pixel 1 is 1 and 3; then samples 2 and 3.
    assert packed[0, 0].tolist() == [[0, 2], [1, 3]]
    assert packed[1, 0].tolist() == [[4, 6], [5, 7]]


def test_pack_of_points_and_of_one():
    points = jnp.arange(6.0).reshape(3, 2)
    assert augment.pack(points, 3).tolist() == [[0, 1, 2, 3, 4, 5]]
    assert augment.pack(points, 1).tolist() == points.tolist()


@pytest.mark.parametrize("count", [0, 2])
def test_pack_refuses_what_does_not_divide(count):
    with pytest.raises(ValueError, match=f"3 samples does not divide into packs of {count}"):
        augment.pack(jnp.zeros((3, 2)), count)
