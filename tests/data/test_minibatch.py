"""What happens to a minibatch inside the step."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.minibatch import prepare_batch, random_flip, to_float


def test_uint8_spans_minus_one_to_one():
    images = jnp.array([0, 51, 255], jnp.uint8).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(to_float(images).ravel(), [-1, -0.6, 1], atol=1e-6)
    assert to_float(images).dtype == jnp.float32


def test_points_pass_unchanged():
    points = jnp.array([[3.5, -200.0]])
    assert to_float(points) is points


def test_flip_mirrors_whole_images_half_of_the_time():
    images = jnp.broadcast_to(jnp.arange(3.0).reshape(1, 1, 3, 1), (1000, 2, 3, 1))
    flipped = np.asarray(random_flip(images, jax.random.key(0)))
    mirrored = flipped[:, 0, 0, 0] == 2
    np.testing.assert_array_equal(flipped[mirrored], np.asarray(images)[mirrored][:, :, ::-1])
    np.testing.assert_array_equal(flipped[~mirrored], np.asarray(images)[~mirrored])
    assert 450 < mirrored.sum() < 550  # 3 standard deviations are 47.


def test_prepare_keeps_labels_and_flips_only_when_asked():
    batch = {"real": jnp.arange(4, dtype=jnp.uint8).reshape(1, 1, 4, 1), "label": jnp.array([7])}
    plain = prepare_batch(batch, jax.random.key(1))
    assert plain["label"] is batch["label"]
    np.testing.assert_array_equal(plain["real"], to_float(batch["real"]))
    flipped = [prepare_batch(batch, jax.random.key(n), flip=True)["real"] for n in range(9)]
    assert len({float(images[0, 0, 0, 0]) for images in flipped}) == 2
