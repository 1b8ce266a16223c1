"""Convolutions of our own in every derivative, against lax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.conv import conv, winograd

SAME = ((1, 1), (1, 1))


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


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
    ("impl", "taps", "channels", "strides", "chunk_bytes"),
    [
        ("winograd", (3, 3), (2, 3), (1, 1), 5 << 20),
        ("winograd", (3, 3), (2, 3), (1, 1), 1),  # Every image is a chunk of its own, in a loop.
        ("patches", (3, 3), (2, 3), (1, 1), 0),  # Patches of the images,
        ("patches", (3, 3), (3, 2), (1, 1), 0),  # and shifts of the outputs.
        ("patches", (2, 5), (1, 4), (1, 1), 0),
        ("patches", (5, 2), (4, 1), (1, 1), 0),
        ("adjoint", (3, 3), (2, 3), (1, 1), 0),  # The kernel's map slides z over x,
        ("adjoint", (2, 5), (3, 2), (1, 1), 0),  # or x over z.
        ("adjoint", (4, 4), (2, 3), (2, 2), 0),
        ("adjoint", (5, 3), (2, 3), (3, 2), 0),
        ("adjoint", (5, 5), (128, 129), (5, 2), 0),  # A small result: its images' map by phases.
    ],
)
def test_every_derivative_is_that_of_lax(monkeypatch, impl, taps, channels, strides, chunk_bytes):
    monkeypatch.setattr(winograd, "CHUNK_BYTES", chunk_bytes)
    jax.clear_caches()

    def of(impl):
        return jax.jit(
            lambda x, k: derivatives(lambda x, k: conv(x, k, strides, ((1, 0), (1, 2)), impl), x, k)
        )

    with jax.enable_x64(True):
        x = jnp.asarray(draw(4, 5, 6, channels[0]), float)
        kernel = jnp.asarray(draw(*taps, *channels, seed=1), float)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9),
            of(impl)(x, kernel),
            of("lax")(x, kernel),
        )
    jax.clear_caches()


@pytest.mark.parametrize("impl", ["winograd", "patches", "adjoint"])
def test_vmap_is_a_loop(impl):
    x, kernel = draw(3, 2, 4, 4, 2), draw(3, 3, 3, 2, 2, seed=1)
    batched = jax.vmap(lambda x, kernel: conv(x, kernel, padding=SAME, impl=impl))(x, kernel)
    for i in range(3):
        expected = conv(x[i], kernel[i], padding=SAME, impl="lax")
        np.testing.assert_allclose(batched[i], expected, atol=1e-5)
    shared = jax.vmap(lambda x: conv(x, kernel[0], padding=SAME, impl=impl))(x)
    expected = conv(x[1], kernel[0], padding=SAME, impl="lax")
    np.testing.assert_allclose(shared[1], expected, atol=1e-5)


@pytest.mark.parametrize("impl", ["winograd", "patches", "adjoint"])
def test_negative_padding_crops(impl):
    x, kernel, crop = draw(2, 7, 6, 2), draw(3, 3, 2, 2, seed=1), ((-1, 0), (1, -2))
    ours, lax_ = (conv(x, kernel, padding=crop, impl=name) for name in (impl, "lax"))
    np.testing.assert_allclose(ours, lax_, atol=1e-5)
