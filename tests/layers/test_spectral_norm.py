"""Spectral normalisation against singular values computed directly."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgan.layers import spectral_norm
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.network import Variables

SHAPES = {"dense": (5, 3), "conv": (3, 3, 2, 4), "embedding": (6, 4), "thin": (7, 1)}


def weights(seed=0):
    keys = jax.random.split(jax.random.key(seed), len(SHAPES))
    made = {
        name: {"kernel": jax.random.normal(key, shape)}
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
    for name, layer in params["layer"].items():
        weight, new = layer["kernel"], normalized["layer"][name]["kernel"]
        np.testing.assert_allclose(singular_value(new), 1, rtol=1e-4)
        np.testing.assert_allclose(new * singular_value(weight), weight, rtol=1e-4, atol=1e-5)
    assert normalized["bias"] is params["bias"]
    assert normalized["scale"] is params["scale"]


def test_one_iteration_a_step_converges_from_below():
    params = {"kernel": weights()["layer"]["conv"]["kernel"]}
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
    kernels, other = (
        {name: layer["kernel"] for name, layer in weights(seed)["layer"].items()} for seed in (0, 3)
    )
    params = {name: {"kernel": kernels[name]} for name in kernels if name != "thin"}
    direction = other
    vectors = converged(params)

    def along(normalized):
        return sum(jnp.vdot(normalized[name]["kernel"], direction[name]) for name in params)

    gradient, by_vectors = jax.jit(
        jax.grad(lambda p, v: along(spectral_norm.normalize_weights(p, v)), argnums=(0, 1))
    )(params, vectors)
    exact = jax.jit(jax.grad(lambda p: along(jax.tree.map(lambda w: w / singular_value(w), p))))(
        params
    )
    for name in params:
        found = gradient[name]["kernel"]
        np.testing.assert_allclose(found, exact[name]["kernel"], rtol=1e-3, atol=1e-3)
        # The normalised weight does not see the length of W: the gradient is orthogonal to it.
        np.testing.assert_allclose(jnp.vdot(found, kernels[name]), 0, atol=1e-4)
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
    params = {"kernel": weights()["layer"]["dense"]["kernel"].astype(dtype)}
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

    advanced = normalized.advance(variables)
    expected = spectral_norm.power_iteration(variables.params, before)
    jax.tree.map(np.testing.assert_array_equal, advanced.state["spectral_norm"], expected)
    assert jax.tree.structure(advanced) == jax.tree.structure(variables)
    assert any(
        not jnp.array_equal(new, old)
        for new, old in zip(jax.tree.leaves(expected), jax.tree.leaves(before), strict=True)
    )


def test_other_networks_have_nothing_to_advance(wrapped):
    network, _, _, inputs = wrapped
    variables = network.init(jax.random.key(0), *inputs)
    assert network.advance(variables) is variables


def test_the_wrapped_network_is_lipschitz():
    class Linear(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Dense(1)(nn.relu(nn.Dense(8)(nn.relu(nn.Dense(8)(x)))))

    network = spectral_norm.spectrally_normalized(from_linen(Linear()))
    x = jax.random.normal(jax.random.key(2), [64, 2])
    variables = jax.jit(network.init)(jax.random.key(0), x)
    advance = jax.jit(network.advance)
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


class Attention(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.MultiHeadDotProductAttention(num_heads=2, qkv_features=6)(x, x)


def matrix_of(path: str, weight: np.ndarray) -> np.ndarray:
    """The linear map of a layer, [in, out], written down layer by layer."""
    if path.endswith(("query/kernel", "key/kernel", "value/kernel")):
        return weight.reshape(len(weight), -1)
    return weight.reshape(-1, weight.shape[-1])


def named(tree):
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def test_projections_of_attention_are_normalised_as_whole_matrices():
    network = spectral_norm.spectrally_normalized(from_linen(Attention()))
    variables = network.init(jax.random.key(0), jnp.ones([1, 3, 4]))
    params, state = variables.params, variables.state
    for _ in range(100):
        variables = jax.jit(network.advance)(variables)
    found = named(
        spectral_norm.normalize_weights(params, variables.state[spectral_norm.COLLECTION])
    )
    kernels = {path: weight for path, weight in found.items() if path.endswith("kernel")}
    assert len(kernels) == 4
    for path, weight in kernels.items():
        np.testing.assert_allclose(np.linalg.norm(matrix_of(path, weight), 2), 1, rtol=1e-3)
    biases = {path for path in found if path.endswith("bias")}  # [heads, size]: no weights
    assert not biases & set(named(state[spectral_norm.COLLECTION]))


def test_stacked_kernels_and_kernels_with_outputs_first_have_axes_of_their_own():
    stacked = (
        jax.random.normal(jax.random.key(0), [3, 5, 4]) * jnp.array([1, 10, 100])[:, None, None]
    )
    params = {
        "layers": {"kernel": stacked},
        "first": jax.random.normal(jax.random.key(1), [6, 2, 3, 3]),
    }

    def axes(path, weight):
        if path == ("layers", "kernel"):
            return spectral_norm.Axes((-1,), stacked=(0,))
        return spectral_norm.Axes((0,))

    vectors = spectral_norm.init_vectors(jax.random.key(2), params, 200, axes=axes)
    assert vectors["layers"]["kernel"].shape == (3, 4)
    assert vectors["first"].shape == (6,)
    normalized = spectral_norm.normalize_weights(params, vectors, axes=axes)
    for layer in range(3):
        expected = stacked[layer] / np.linalg.norm(stacked[layer], 2)
        np.testing.assert_allclose(normalized["layers"]["kernel"][layer], expected, rtol=1e-3)
    sigma = np.linalg.norm(params["first"].reshape(6, -1), 2)
    np.testing.assert_allclose(normalized["first"], params["first"] / sigma, rtol=1e-3)


def test_a_stack_of_the_middle_axis_is_that_of_its_slices():
    weight = jax.random.normal(jax.random.key(0), [5, 3, 4])
    vectors = jax.random.normal(jax.random.key(1), [3, 4])
    between = lambda path, weight: spectral_norm.Axes((2,), stacked=(1,))  # noqa: E731
    found = spectral_norm.normalize_weights({"w": weight}, {"w": vectors}, axes=between)["w"]
    for index in range(3):
        alone = spectral_norm.normalize_weights({"w": weight[:, index]}, {"w": vectors[index]})
        np.testing.assert_allclose(found[:, index], alone["w"], rtol=1e-6)


def test_layers_are_left_out_by_a_rule():
    def axes(path, weight):
        return None if "Embed_0" in path else spectral_norm.usual_axes(path, weight)

    network = spectral_norm.spectrally_normalized(from_linen(Discriminator()), axes)
    inputs = jnp.ones([2, 6, 6, 1]), jnp.array([0, 1])
    variables = network.init(jax.random.key(0), *inputs)
    vectors = variables.state[spectral_norm.COLLECTION]
    assert vectors["Embed_0"]["embedding"] is None
    assert vectors["Dense_0"]["kernel"].shape == (1,)
    moved = network.advance(variables).state[spectral_norm.COLLECTION]
    assert jax.tree.structure(moved) == jax.tree.structure(vectors)


@pytest.mark.parametrize(
    ("path", "shape", "axes"),
    [
        (("Dense_0", "kernel"), (4, 3), (-1,)),
        (("Embed_0", "embedding"), (10, 4), (-1,)),
        (("Conv_0", "kernel"), (3, 3, 2, 4), (-1,)),
        (("conv", "w"), (3, 3, 2, 4), (-1,)),
        (("conv", "weight"), (4, 2, 3, 3), (0,)),
        (("conv1d", "weight"), (4, 2, 3), (0,)),
        (("DenseGeneral_0", "kernel"), (16, 4, 4, 8), (1, 2, 3)),
        (("attention", "query", "kernel"), (8, 2, 4), (1, 2)),
        (("attention", "out", "kernel"), (2, 4, 8), (-1,)),
    ],
)
def test_the_usual_layers(path, shape, axes):
    assert spectral_norm.usual_axes(path, jnp.zeros(shape)) == spectral_norm.Axes(axes)


@pytest.mark.parametrize(
    ("path", "shape"),
    [(("bias",), (2, 4)), (("norm", "scale"), (3, 8)), (("kernel",), (4,)), (("alpha",), ())],
)
def test_what_is_no_weight(path, shape):
    assert spectral_norm.usual_axes(path, jnp.zeros(shape)) is None


@pytest.mark.parametrize(
    ("path", "shape"),
    [(("kernel",), (3, 4, 5)), (("layers", "kernel"), (2, 3, 3, 4, 5)), (("grid",), (4, 4, 8))],
)
def test_weights_of_unknown_axes_are_refused_by_name(path, shape):
    params = jnp.zeros(shape)
    for name in reversed(path):
        params = {name: params}
    with pytest.raises(ValueError, match=f"'{'/'.join(path)}'.*give `axes`"):
        spectral_norm.init_vectors(jax.random.key(0), params)


@pytest.mark.parametrize("axes", [(), (2,), (-3,), (1, -1)])
def test_axes_that_a_weight_does_not_have_are_refused(axes):
    with pytest.raises(ValueError, match="must be different ones of its 2"):
        spectral_norm.init_vectors(
            jax.random.key(0),
            {"w": jnp.zeros((3, 4))},
            axes=lambda path, weight: spectral_norm.Axes(axes),
        )
