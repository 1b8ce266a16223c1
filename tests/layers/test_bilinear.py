"""Our own convolutions in every derivative, against lax; values of each are in its own test."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgan.layers import winograd
from jaxgan.layers.patches import patch_conv
from jaxgan.layers.winograd import winograd_conv

SAME = ((1, 1), (1, 1))


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def by_lax(x, kernel, padding):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def derivatives(conv, x, kernel):
    """First order, second order, forward over reverse and reverse over forward."""

    def loss(x, kernel):
        return jnp.sum(conv(x, kernel) ** 3)

    def norm_of_gradient(kernel):
        return jnp.sum(jax.grad(loss)(x, kernel) ** 2)

    def norm_of_kernel_gradient(x):
        return jnp.sum(jax.grad(loss, 1)(x, kernel) ** 2)

    def slope(kernel):
        return jax.jvp(lambda x: loss(x, kernel), (x,), (x,))[1]

    return (
        jax.grad(loss, (0, 1))(x, kernel),
        jax.grad(norm_of_gradient)(kernel),
        jax.grad(norm_of_kernel_gradient)(x),
        jax.grad(slope)(kernel),
        jax.jvp(jax.grad(lambda kernel: loss(x, kernel)), (kernel,), (kernel,))[1],
    )


@pytest.mark.parametrize(
    ("conv", "taps", "channels", "chunk_bytes"),
    [
        (winograd_conv, (3, 3), (2, 3), 5 << 20),
        (winograd_conv, (3, 3), (2, 3), 1),  # Every image is a chunk of its own, in a loop.
        (patch_conv, (3, 3), (2, 3), 0),  # Patches of the images,
        (patch_conv, (3, 3), (3, 2), 0),  # and shifts of the outputs.
        (patch_conv, (2, 5), (1, 4), 0),
        (patch_conv, (5, 2), (4, 1), 0),
    ],
)
def test_every_derivative_is_that_of_lax(monkeypatch, conv, taps, channels, chunk_bytes):
    monkeypatch.setattr(winograd, "CHUNK_BYTES", chunk_bytes)
    jax.clear_caches()
    padding = ((1, 0), (1, 2))
    with jax.enable_x64(True):
        x = jnp.asarray(draw(4, 5, 6, channels[0]), float)
        kernel = jnp.asarray(draw(*taps, *channels, seed=1), float)
        results = (
            jax.jit(lambda x, k, of=of: derivatives(lambda x, k: of(x, k, padding), x, k))
            for of in (conv, by_lax)
        )
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9),
            *(result(x, kernel) for result in results),
        )
    jax.clear_caches()


@pytest.mark.parametrize("conv", [winograd_conv, patch_conv])
def test_vmap_is_a_loop(conv):
    x, kernel = draw(3, 2, 4, 4, 2), draw(3, 3, 3, 2, 2, seed=1)
    batched = jax.vmap(lambda x, kernel: conv(x, kernel, SAME))(x, kernel)
    for i in range(3):
        np.testing.assert_allclose(batched[i], conv(x[i], kernel[i], SAME), atol=1e-5)
    shared = jax.vmap(lambda x: conv(x, kernel[0], SAME))(x)
    np.testing.assert_allclose(shared[1], conv(x[1], kernel[0], SAME), atol=1e-5)


@pytest.mark.parametrize("conv", [winograd_conv, patch_conv])
def test_negative_padding_crops(conv):
    x, kernel, crop = draw(2, 7, 6, 2), draw(3, 3, 2, 2, seed=1), ((-1, 0), (1, -2))
    np.testing.assert_allclose(conv(x, kernel, crop), by_lax(x, kernel, crop), atol=1e-5)
