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
