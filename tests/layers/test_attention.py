import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.attention import SelfAttention

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 4, 6, 16)).astype(np.float32)
SIZES = {"query": (16, 2), "key": (16, 2), "value": (16, 8), "out": (8, 16)}
PARAMS = {name: {"kernel": RANDOM.normal(size=size) / 2} for name, size in SIZES.items()}
PARAMS = jax.tree.map(np.float32, PARAMS | {"scale": np.array(0.7)})


def attend(x, params=PARAMS, **options):
    return jax.jit(SelfAttention(**options).apply)({"params": params}, x)


def by_numbers(query, key, value, out, scale):
    """Parameters of one channel throughout."""
    kernels = {"query": query, "key": key, "value": value, "out": out}
    params = {name: {"kernel": np.full((1, 1), k)} for name, k in kernels.items()}
    return jax.tree.map(np.float32, params | {"scale": np.array(scale)})


def test_two_positions_by_hand():
    """Products are 0, 0 at the first position and 0, log 3 at the second: weights 1/2 and 3/4."""
    x = np.array([0.0, math.log(3)], np.float32).reshape(1, 1, 2, 1)
    y = attend(x, by_numbers(1 / math.log(3), 1, 5, 2, 0.1), pool=False)
    added = 0.1 * 2 * 5 * math.log(3) * np.array([1 / 2, 3 / 4])
    np.testing.assert_allclose(y.ravel(), x.ravel() + added, rtol=1e-5)


def test_pooled_keys_and_values_are_maxima_of_squares_by_hand():
    """The largest product with -2 in a square counts, that of -3: 6 from every position."""
    x = np.array([1.0, -3.0, 2.0, 0.0], np.float32).reshape(1, 2, 2, 1)
    y = attend(x, by_numbers(1, 1, -2, 1, 0.5))
    np.testing.assert_allclose(y, x + 0.5 * 6, rtol=1e-6)


@pytest.mark.parametrize("pool", [False, True])
def test_it_is_pytorchs(pool):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    x = torch.from_numpy(X).permute(0, 3, 1, 2)

    def project(x, name):
        kernel = torch.from_numpy(PARAMS[name]["kernel"])
        return functional.conv2d(x, kernel.T[:, :, None, None])

    query, key, value = (project(x, name) for name in ("query", "key", "value"))
    if pool:
        key, value = functional.max_pool2d(key, 2), functional.max_pool2d(value, 2)
    weights = torch.softmax(query.flatten(2).transpose(1, 2) @ key.flatten(2), dim=-1)
    found = (value.flatten(2) @ weights.transpose(1, 2)).reshape(2, 8, 4, 6)
    expected = (x + 0.7 * project(found, "out")).permute(0, 2, 3, 1)
    np.testing.assert_allclose(attend(X, pool=pool), expected, rtol=1e-4, atol=1e-5)


def test_it_begins_as_the_identity():
    module = SelfAttention()
    variables = jax.jit(module.init)(jax.random.key(0), X)
    assert float(variables["params"]["scale"]) == 0
    np.testing.assert_array_equal(attend(X, variables["params"]), X)


def test_kernels_start_orthogonal():
    params = jax.jit(SelfAttention().init)(jax.random.key(0), X)["params"]
    assert {name: params[name]["kernel"].shape for name in SIZES} == SIZES
    for name, (rows, columns) in SIZES.items():
        kernel = params[name]["kernel"]
        gram = kernel.T @ kernel if rows >= columns else kernel @ kernel.T
        np.testing.assert_allclose(gram, np.eye(min(rows, columns)), atol=1e-5)


def test_few_channels_have_one_of_each_projection():
    params = jax.eval_shape(SelfAttention().init, jax.random.key(0), X[..., :3])["params"]
    shapes = {name: params[name]["kernel"].shape for name in SIZES}
    assert shapes == {"query": (3, 1), "key": (3, 1), "value": (3, 1), "out": (1, 3)}


def test_positions_know_not_where_they_are():
    order = RANDOM.permutation(24)

    def permuted(x):
        return np.asarray(x).reshape(2, 24, 16)[:, order].reshape(x.shape)

    y = attend(X, pool=False)
    assert np.abs(y - X).max() > 0.1
    np.testing.assert_allclose(attend(permuted(X), pool=False), permuted(y), rtol=1e-4, atol=1e-5)
    assert np.abs(attend(permuted(X)) - permuted(attend(X))).max() > 0.01  # other squares


@pytest.mark.parametrize("pool", [False, True])
def test_gradients_are_those_of_finite_differences(pool):
    """Along one direction of the input and of all parameters, in float64."""
    with jax.enable_x64(True):
        point = jax.tree.map(np.float64, (X, PARAMS))
        slope = RANDOM.normal(size=X.shape)
        away = jax.tree.map(lambda leaf: RANDOM.normal(size=leaf.shape), point)

        @jax.jit
        def along(step):
            x, params = jax.tree.map(lambda a, b: a + step * b, point, away)
            y = SelfAttention(pool=pool).apply({"params": params}, x)
            assert y.dtype == jnp.float64
            return jnp.sum(y * slope)

        exact = jax.grad(along)(0.0)
        found = (along(1e-5) - along(-1e-5)) / 2e-5
        np.testing.assert_allclose(found, exact, rtol=1e-6)


def test_the_softmax_is_float32_whatever_the_computation():
    apply = functools.partial(SelfAttention(jnp.bfloat16).apply, {"params": PARAMS})
    y = jax.jit(apply)(X)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(y), attend(X), atol=0.2)
    exponentials = [line for line in str(jax.make_jaxpr(apply)(X)).splitlines() if "= exp" in line]
    assert exponentials
    assert all(":f32" in line for line in exponentials)


@pytest.mark.parametrize("size", [(3, 4), (4, 3)])
def test_pooling_needs_even_sizes(size):
    x = jax.ShapeDtypeStruct((2, *size, 8), jnp.float32)
    message = f"attention with pooled keys needs an even height and width, not {size[0]}x{size[1]} "
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(SelfAttention().init, jax.random.key(0), x)
    whole = SelfAttention(pool=False)
    y, _ = jax.eval_shape(whole.init_with_output, jax.random.key(0), x)
    assert y.shape == x.shape
