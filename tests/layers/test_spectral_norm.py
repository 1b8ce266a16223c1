"""Spectral normalisation against singular values computed directly."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgan.layers import spectral_norm
from jaxgan.networks.network import Variables, from_linen

SHAPES = {"dense": (5, 3), "conv": (3, 3, 2, 4), "embedding": (6, 4), "thin": (7, 1)}


def weights(seed=0):
    keys = jax.random.split(jax.random.key(seed), len(SHAPES))
    made = {
        name: jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, SHAPES.items(), strict=True)
    }
    return {"layer": made, "bias": jnp.full([3], 5.0), "scale": jnp.array(4.0)}


def singular_value(weight):
    return jnp.linalg.norm(weight.reshape(-1, weight.shape[-1]), 2)


@jax.jit
def converged(params):
    vectors = spectral_norm.init_vectors(jax.random.key(1), params, iterations=0)
    return jax.lax.fori_loop(
        0, 200, lambda _, vectors: spectral_norm.power_iteration(params, vectors), vectors
    )


def test_normalised_weights_have_spectral_norm_one():
    params = weights()
    normalized = spectral_norm.normalize_weights(params, converged(params))
    for name, weight in params["layer"].items():
        new = normalized["layer"][name]
        np.testing.assert_allclose(singular_value(new), 1, rtol=1e-4)
        np.testing.assert_allclose(new * singular_value(weight), weight, rtol=1e-4, atol=1e-5)
    assert normalized["bias"] is params["bias"]
    assert normalized["scale"] is params["scale"]


def test_one_iteration_a_step_converges_from_below():
    params = {"kernel": weights()["layer"]["conv"]}
    vectors = spectral_norm.init_vectors(jax.random.key(1), params, iterations=0)
    norms = []
    for _ in range(30):
        norms.append(
            float(singular_value(spectral_norm.normalize_weights(params, vectors)["kernel"]))
        )
        vectors = spectral_norm.power_iteration(params, vectors)
    assert norms[0] > 1.1
    assert all(later <= earlier + 1e-5 for earlier, later in pairwise(norms))
    np.testing.assert_allclose(norms[-1], 1, rtol=1e-3)


def test_one_iteration_by_hand():
    # W = diag(2, 1), u = (1, 1) / √2: W u is (2, 1) / √2, of length √(5 / 2), and WᵀW u is
    # (4, 1) / √2, of length √(17 / 2).
    params = {"kernel": jnp.diag(jnp.array([2.0, 1.0])), "bias": jnp.zeros(2)}
    vectors = {"kernel": jnp.array([1.0, 1.0]) / np.sqrt(2), "bias": None}
    normalized = spectral_norm.normalize_weights(params, vectors)
    np.testing.assert_allclose(normalized["kernel"], params["kernel"] / np.sqrt(2.5), rtol=1e-6)
    moved = spectral_norm.power_iteration(params, vectors)
    np.testing.assert_allclose(moved["kernel"], np.array([4, 1]) / np.sqrt(17), rtol=1e-6)
    assert moved["bias"] is None


def test_the_gradient_passes_through_sigma_and_not_into_the_vectors():
    params = {name: weight for name, weight in weights()["layer"].items() if name != "thin"}
    direction = weights(seed=3)["layer"]
    vectors = converged(params)

    def along(normalized):
        return sum(jnp.vdot(normalized[name], direction[name]) for name in params)

    gradient, by_vectors = jax.jit(
        jax.grad(lambda p, v: along(spectral_norm.normalize_weights(p, v)), argnums=(0, 1))
    )(params, vectors)
    exact = jax.jit(jax.grad(lambda p: along(jax.tree.map(lambda w: w / singular_value(w), p))))(
        params
    )
    for name in params:
        np.testing.assert_allclose(gradient[name], exact[name], rtol=1e-3, atol=1e-3)
        # The normalised weight does not see the length of W: the gradient is orthogonal to it.
        np.testing.assert_allclose(jnp.vdot(gradient[name], params[name]), 0, atol=1e-4)
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(by_vectors))
    by_iteration = jax.jit(
        jax.grad(
            lambda p: sum(
                u.sum() for u in jax.tree.leaves(spectral_norm.power_iteration(p, vectors))
            )
        )
    )(params)
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(by_iteration))


def test_averaged_vectors_are_unit_vectors_again():
    params = weights()
    vectors = converged(params)
    shorter = jax.tree.map(lambda u: 0.1 * u, vectors)
    for new, old in zip(
        jax.tree.leaves(spectral_norm.normalize_weights(params, shorter)),
        jax.tree.leaves(spectral_norm.normalize_weights(params, vectors)),
        strict=True,
    ):
        np.testing.assert_allclose(new, old, rtol=1e-5)


def test_a_zero_weight_is_finite():
    params = {"kernel": jnp.zeros([3, 2])}
    vectors = spectral_norm.init_vectors(jax.random.key(0), params)
    assert jnp.all(jnp.isfinite(spectral_norm.normalize_weights(params, vectors)["kernel"]))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_types_are_kept(dtype):
    params = {"kernel": weights()["layer"]["dense"].astype(dtype)}
    vectors = spectral_norm.init_vectors(jax.random.key(0), params)
    assert vectors["kernel"].dtype == jnp.float32
    assert spectral_norm.normalize_weights(params, vectors)["kernel"].dtype == dtype


class Discriminator(nn.Module):
    """Convolution, batch norm, label embedding and dense: all kinds of parameter."""

    @nn.compact
    def __call__(self, images, labels=None, *, train):
        x = nn.Conv(3, (3, 3), strides=2)(images)
        x = nn.leaky_relu(nn.BatchNorm(use_running_average=not train)(x)).mean((1, 2))
        return (nn.Dense(1)(x) + (x * nn.Embed(2, 3)(labels)).sum(-1, keepdims=True))[:, 0]


@pytest.fixture(scope="module")
def wrapped():
    network = from_linen(Discriminator())
    images = jax.random.normal(jax.random.key(5), [4, 6, 6, 1])
    inputs = images, jnp.array([0, 1, 1, 0])
    normalized = spectral_norm.spectrally_normalized(network)
    return network, normalized, normalized.init(jax.random.key(0), *inputs), inputs


def test_wrapping_keeps_the_trained_parameters_and_applies_normalised_ones(wrapped):
    network, normalized, variables, inputs = wrapped
    bare = network.init(jax.random.key(0), *inputs)
    jax.tree.map(np.testing.assert_array_equal, variables.params, bare.params)
    state = {"batch_stats": variables.state["batch_stats"]}
    params = spectral_norm.normalize_weights(variables.params, variables.state["spectral_norm"])
    np.testing.assert_array_equal(
        normalized.apply(variables, *inputs, train=False)[0],
        network.apply(Variables(params, state), *inputs, train=False)[0],
    )


def test_a_forward_pass_does_not_move_the_vectors_and_advance_does_once(wrapped):
    _, normalized, variables, inputs = wrapped
    before = variables.state["spectral_norm"]
    _, state = normalized.apply(variables, *inputs, train=True)
    assert jax.tree.structure(state) == jax.tree.structure(variables.state)
    jax.tree.map(np.testing.assert_array_equal, state["spectral_norm"], before)
    old_mean, new_mean = (s["batch_stats"]["BatchNorm_0"]["mean"] for s in (variables.state, state))
    assert not jnp.array_equal(new_mean, old_mean)

    advanced = spectral_norm.advance(variables)
    expected = spectral_norm.power_iteration(variables.params, before)
    jax.tree.map(np.testing.assert_array_equal, advanced.state["spectral_norm"], expected)
    assert jax.tree.structure(advanced) == jax.tree.structure(variables)
    assert any(
        not jnp.array_equal(new, old)
        for new, old in zip(jax.tree.leaves(expected), jax.tree.leaves(before), strict=True)
    )


def test_advance_leaves_other_networks_as_they_are(wrapped):
    network, _, _, inputs = wrapped
    variables = network.init(jax.random.key(0), *inputs)
    assert spectral_norm.advance(variables) is variables
    assert spectral_norm.advance(Variables(variables.params, ())).state == ()


def test_the_wrapped_network_is_lipschitz():
    class Linear(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Dense(1)(nn.relu(nn.Dense(8)(nn.relu(nn.Dense(8)(x)))))

    network = spectral_norm.spectrally_normalized(from_linen(Linear()))
    x = jax.random.normal(jax.random.key(2), [64, 2])
    variables = jax.jit(network.init)(jax.random.key(0), x)
    advance = jax.jit(spectral_norm.advance)
    for _ in range(20):
        variables = advance(variables)
    gradients = jax.grad(lambda x: network.apply(variables, x, train=False)[0].sum())(x)
    assert jnp.linalg.norm(gradients, axis=1).max() <= 1.01


def sgd(params, vectors, *, steps, rate=0.1):
    """Trains x W / σ towards a linear target by plain descent, one iteration a step."""
    x = jax.random.normal(jax.random.key(7), [32, 6])
    target = x @ jax.random.normal(jax.random.key(8), [6, 4])

    def loss(params, vectors):
        kernel = spectral_norm.normalize_weights(params, vectors)["kernel"]
        return jnp.square(x @ kernel - target).mean()

    @jax.jit
    def step(params, vectors):
        vectors = spectral_norm.power_iteration(params, vectors)
        value, gradient = jax.value_and_grad(loss)(params, vectors)
        return jax.tree.map(lambda w, g: w - rate * g, params, gradient), vectors, value, gradient

    seen = []
    for _ in range(steps):
        params, vectors, value, gradient = step(params, vectors)
        seen.append((float(value), float(jnp.abs(gradient["kernel"]).max())))
    return params, vectors, seen


def test_a_last_layer_that_starts_at_0_trains():
    params = {"kernel": jnp.zeros([6, 4])}
    vectors = spectral_norm.init_vectors(jax.random.key(0), params)
    np.testing.assert_allclose(jnp.linalg.norm(vectors["kernel"]), 1, rtol=1e-6)
    params, vectors, seen = sgd(params, vectors, steps=10)
    values, largest = zip(*seen, strict=True)
    assert max(largest) < 10  # 1e11 before
    assert values[-1] < 0.9 * values[0]
    kernel = np.asarray(params["kernel"], np.float64)
    sigma = np.linalg.norm(kernel @ np.asarray(vectors["kernel"], np.float64))
    np.testing.assert_allclose(sigma, np.linalg.svd(kernel)[1][0], rtol=1e-2)
    normalized = spectral_norm.normalize_weights(params, vectors)["kernel"]
    np.testing.assert_allclose(np.linalg.svd(normalized)[1][0], 1, rtol=1e-2)


def test_at_0_the_gradient_is_that_of_the_plain_weight():
    params = {"kernel": jnp.zeros([3, 2])}
    vectors = spectral_norm.init_vectors(jax.random.key(0), params)
    slope = jnp.arange(6.0).reshape(3, 2)
    for kernel in (0.0, 1e-9):
        params = {"kernel": jnp.full([3, 2], kernel)}
        result, pull = jax.vjp(lambda p: spectral_norm.normalize_weights(p, vectors), params)
        np.testing.assert_array_equal(result["kernel"], params["kernel"])
        np.testing.assert_array_equal(pull({"kernel": slope})[0]["kernel"], slope)
        moved = spectral_norm.power_iteration(params, vectors)
        np.testing.assert_array_equal(moved["kernel"], vectors["kernel"])


def test_one_update_away_from_0_finds_the_vector():
    # Of rank 1: a bᵀ has the vector b / ‖b‖ and σ = ‖a‖ ‖b‖, which are 3 and 5 times 1e-4 here.
    kernel = 1e-4 * jnp.outer(jnp.array([1.0, 2.0, 2.0]), jnp.array([3.0, 4.0]))
    params = {"kernel": jnp.zeros([3, 2])}
    vectors = spectral_norm.init_vectors(jax.random.key(0), params)
    vectors = spectral_norm.power_iteration({"kernel": kernel}, vectors)
    np.testing.assert_allclose(jnp.abs(vectors["kernel"]), [0.6, 0.8], rtol=1e-5)
    found = spectral_norm.normalize_weights({"kernel": kernel}, vectors)["kernel"]
    np.testing.assert_allclose(found, kernel / 1.5e-3, rtol=1e-5)


@pytest.mark.parametrize("start", [[0.0, 0.0], [0.0, 1.0], [0.6, -0.8]])
def test_a_vector_of_which_the_image_is_0_moves_to_the_longest_row(start):
    # W u is 0 for u = 0, as older runs hold it, and for u orthogonal to all rows.
    direction = [0.8, 0.6] if start[0] else [1.0, 0.0]
    kernel = jnp.outer(jnp.array([1.0, -3.0, 2.0]), jnp.array(direction))
    vectors = {"kernel": jnp.array(start)}
    vectors = spectral_norm.power_iteration({"kernel": kernel}, vectors)
    np.testing.assert_allclose(jnp.abs(vectors["kernel"]), direction, atol=1e-5)
    found = spectral_norm.normalize_weights({"kernel": kernel}, vectors)["kernel"]
    np.testing.assert_allclose(singular_value(found), 1, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_weights_that_are_not_0_have_the_bits_of_the_plain_iteration(scale):
    kernel = scale * jax.random.normal(jax.random.key(2), [30, 20])
    u = jnp.zeros(20).at[3].set(1.0)

    @jax.jit
    def plain(kernel, u):
        v = kernel @ u
        v = v / (jnp.linalg.norm(v) + spectral_norm.EPSILON)
        u = kernel.T @ v
        return u / (jnp.linalg.norm(u) + spectral_norm.EPSILON)

    moved = jax.jit(spectral_norm.power_iteration)({"kernel": kernel}, {"kernel": u})
    np.testing.assert_array_equal(moved["kernel"], plain(kernel, u))
