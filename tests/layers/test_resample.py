import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.resample import average_pool, pixel_shuffle, reflect_pad, upsample_nearest

X = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)


def _image(rows):
    return jnp.array(rows, jnp.float32)[None, :, :, None]


def test_upsample_nearest_by_hand():
    y = upsample_nearest(_image([[1, 2]]), 3)
    np.testing.assert_array_equal(y[0, :, :, 0], [[1, 1, 1, 2, 2, 2]] * 3)


def test_average_pool_by_hand():
    y = average_pool(_image([[1, 2, 5, 7], [3, 6, 0, 0]]))
    np.testing.assert_array_equal(y[0, :, :, 0], [[3, 3]])


def test_reflect_pad_by_hand():
    y = reflect_pad(_image([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), 1)
    np.testing.assert_array_equal(
        y[0, :, :, 0],
        [[5, 4, 5, 6, 5], [2, 1, 2, 3, 2], [5, 4, 5, 6, 5], [8, 7, 8, 9, 8], [5, 4, 5, 6, 5]],
    )


@pytest.mark.parametrize("factor", [1, 2])
def test_images_and_channels_stay_apart(factor):
    repeated = X.repeat(factor, axis=1).repeat(factor, axis=2)
    np.testing.assert_array_equal(upsample_nearest(X, factor), repeated)
    np.testing.assert_array_equal(average_pool(repeated, factor), X)


@pytest.mark.parametrize("factor", [4, 8, 16])
def test_average_pool_of_large_squares(factor):
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    blocks = images.reshape(2, 32 // factor, factor, 32 // factor, factor, 3)
    np.testing.assert_allclose(average_pool(images, factor), blocks.mean((2, 4)), atol=1e-6)


def test_gradients():
    """An upsampled pixel gathers the gradient of its copies, a pooled one spreads its own."""
    y = upsample_nearest(X)
    pulled = jax.vjp(upsample_nearest, X)[1](jnp.ones_like(y))[0]
    np.testing.assert_array_equal(pulled, np.full_like(X, 4))
    pulled = jax.vjp(average_pool, y)[1](jnp.asarray(X))[0]
    np.testing.assert_array_equal(pulled, y / 4)


def test_padding_of_zero_and_of_most():
    np.testing.assert_array_equal(reflect_pad(X, 0), X)
    assert reflect_pad(X, 3).shape == (2, 10, 12, 3)


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        (upsample_nearest, 0, "must be 1 or more, not 0"),
        (average_pool, 0, "must be 1 or more, not 0"),
        (average_pool, 4, "multiples of 4, not 4x6"),
        (reflect_pad, 4, "of 4x6 pixels takes a size from 0 to 3, not 4"),
        (reflect_pad, -1, "from 0 to 3, not -1"),
    ],
)
def test_arguments_out_of_range(function, argument, message):
    with pytest.raises(ValueError, match=message):
        function(X, argument)


@pytest.mark.parametrize(("function", "argument"), [(average_pool, 2), (reflect_pad, 1)])
def test_one_image_without_a_batch(function, argument):
    with pytest.raises(ValueError, match=r"shape \[B, H, W, C\], not \(4, 6, 3\)"):
        function(X[0], argument)


@pytest.mark.parametrize("function", [upsample_nearest, average_pool])
def test_the_dtype_stays(function):
    assert function(jnp.ones((1, 2, 2, 1), jnp.bfloat16)).dtype == jnp.bfloat16


def test_pixel_shuffle_by_hand():
    """Four channels become a square, by rows; the next four the square of the next channel."""
    y = pixel_shuffle(jnp.arange(8.0).reshape(1, 1, 1, 8))
    np.testing.assert_array_equal(y[0, :, :, 0], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(y[0, :, :, 1], [[4, 5], [6, 7]])


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle_has_the_order_of_pytorch(factor):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2 * factor**2)).astype(np.float32)
    expected = torch.nn.functional.pixel_shuffle(torch.from_numpy(x).permute(0, 3, 1, 2), factor)
    np.testing.assert_array_equal(pixel_shuffle(x, factor), expected.permute(0, 2, 3, 1))


def test_pixel_shuffle_only_moves_numbers():
    """Its gradient takes each back to where it was."""
    x = jnp.asarray(X.reshape(2, 4, 2, 9))
    y, back = jax.vjp(lambda x: pixel_shuffle(x, 3), x)
    assert y.shape == (2, 12, 6, 1)
    np.testing.assert_array_equal(back(y)[0], x)


@pytest.mark.parametrize(
    ("factor", "message"),
    [(0, "must be 1 or more, not 0"), (2, "by 2 needs channels that are a multiple of 4, not 3")],
)
def test_pixel_shuffle_refuses(factor, message):
    with pytest.raises(ValueError, match=message):
        pixel_shuffle(X, factor)
    with pytest.raises(ValueError, match=r"shape \[B, H, W, C\], not \(4, 6, 3\)"):
        pixel_shuffle(X[0], factor)
