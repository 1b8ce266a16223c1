"""The equalized learning rate: weights from N(0, 1), multiplied by gain / √fan_in in each pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.equalized import ROOT2, EqualizedConv, EqualizedDense

KEY = jax.random.key(0)


def test_one_pixel_by_hand():
    """(2 · 1 + 3 · 3) · √2 / √2, for two inputs, and the bias."""
    params = {"kernel": np.reshape([2.0, 3.0], (1, 1, 2, 1)), "bias": np.array([0.5])}
    x = np.reshape([1.0, 3.0], (1, 1, 1, 2)).astype(np.float32)
    y = EqualizedConv(1, 1).apply({"params": jax.tree.map(np.float32, params)}, x)
    np.testing.assert_allclose(y, [[[[11.5]]]], rtol=1e-6)


def test_a_dense_layer_by_hand():
    """Gain 1, 4 inputs: half of the plain sum; a bias a channel and not a number."""
    kernel = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    params = {"kernel": kernel, "bias": np.array([0.0, 10.0, 20.0], np.float32)}
    y = EqualizedDense((2, 3), 1.0).apply({"params": params}, np.ones((1, 4), np.float32))
    np.testing.assert_allclose(y[0], kernel.sum(0) / 2 + [0, 10, 20], rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (EqualizedConv(256), jnp.zeros((1, 4, 4, 64))),
        (EqualizedDense((4, 4, 64)), jnp.zeros((1, 512))),
    ],
    ids=["conv", "dense"],
)
def test_weights_start_with_variance_1(layer, x):
    params = layer.init(KEY, x)["params"]
    assert float(params["kernel"].std()) == pytest.approx(1, abs=0.01)
    assert not params["bias"].any()


def test_outputs_have_twice_the_variance_of_inputs():
    """So that a ReLU, which lets half of it through, leaves it."""
    layer = EqualizedConv(64)
    x = jax.random.normal(jax.random.key(1), (8, 8, 8, 64))
    y = layer.apply(layer.init(KEY, x), x)[:, 1:-1, 1:-1]  # Borders see fewer inputs.
    assert float(y.var()) == pytest.approx(2, rel=0.1)


def test_gradients_are_those_of_the_plain_weight_times_the_scale():
    layer, x = EqualizedConv(2, 3), jax.random.normal(jax.random.key(1), (2, 4, 4, 3))
    params = layer.init(KEY, x)["params"]
    scale = ROOT2 / np.sqrt(3 * 3 * 3)

    def loss(params):
        return (layer.apply({"params": params}, x) ** 3).sum()

    def plain(kernel):
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return (y**3).sum()

    found = jax.grad(loss)(params)["kernel"]
    expected = jax.grad(plain)(params["kernel"] * scale) * scale
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_computation_keeps_parameters_float32():
    layer, x = EqualizedConv(2, dtype=jnp.bfloat16), jnp.ones((1, 4, 4, 3))
    variables = layer.init(KEY, x)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert layer.apply(variables, x).dtype == jnp.bfloat16
