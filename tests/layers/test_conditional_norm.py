import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.conditional_norm import ConditionalBatchNorm
from jaxgan.layers.normalization import BatchNorm

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(3.0, 2.0, (6, 5, 5, 8)).astype(np.float32)
C = RANDOM.normal(size=(6, 3)).astype(np.float32)
PARAMS = {
    "gain": {"kernel": RANDOM.normal(size=(3, 8)).astype(np.float32)},
    "bias": {"kernel": RANDOM.normal(size=(3, 8)).astype(np.float32)},
}
STATS = {"BatchNorm_0": {"mean": np.full(8, 1.0), "var": np.full(8, 4.0 - 1e-5)}}
STATS = jax.tree.map(np.float32, STATS)


def apply(x=X, condition=C, *, train, params=PARAMS, **options):
    module = ConditionalBatchNorm(**options)
    run = functools.partial(module.apply, train=train, mutable=["batch_stats"])
    return jax.jit(run)({"params": params, "batch_stats": STATS}, x, condition)


def modulated(normal, condition=C):
    """(1 + W_g c) · normal + W_b c, for 8 channels."""
    gain, bias = (condition @ PARAMS[name]["kernel"] for name in ("gain", "bias"))
    return (1 + gain)[:, None, None] * normal + bias[:, None, None]


def test_two_samples_by_hand():
    """Mean 2 and deviation 2 of one channel: -1 and 1, times 1 + 3 c, plus 10 c."""
    x, c = np.array([[0.0], [4.0]], np.float32), np.array([[1.0], [-1.0]], np.float32)
    params = {"gain": {"kernel": np.full((1, 1), 3.0)}, "bias": {"kernel": np.full((1, 1), 10.0)}}
    stats = {"BatchNorm_0": {"mean": np.zeros(1), "var": np.ones(1)}}
    y, _ = ConditionalBatchNorm().apply(
        {"params": params, "batch_stats": stats}, x, c, train=True, mutable=["batch_stats"]
    )
    np.testing.assert_allclose(y[:, 0], [-1 * 4 + 10, 1 * -2 - 10], rtol=1e-5)


def test_training_normalizes_with_the_batch_and_remembers_a_tenth_of_it():
    y, state = apply(train=True)
    normal = (X - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(y, modulated(normal), rtol=1e-4, atol=1e-4)
    stats = state["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(stats["mean"], 0.9 * 1 + 0.1 * X.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(stats["var"], 0.9 * 4 + 0.1 * X.var((0, 1, 2)), rtol=1e-5)


def test_evaluation_normalizes_with_what_is_remembered():
    y, state = apply(train=False)
    np.testing.assert_allclose(y, modulated((X - 1) / 2), rtol=1e-4, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, state["batch_stats"], STATS)


def test_gains_are_around_one():
    """With c = 0 it is a batch normalization without scale and bias, which has no parameters."""
    plain = BatchNorm(use_scale=False, use_bias=False)
    variables = plain.init(jax.random.key(0), X, train=True)
    assert variables.keys() == {"batch_stats"}
    expected, _ = plain.apply(variables, X, train=True, mutable=["batch_stats"])
    y, _ = apply(condition=np.zeros_like(C), train=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("missing", ["use_scale", "use_bias"])
def test_a_batch_norm_may_lack_its_scale_or_its_bias(missing):
    whole, part = BatchNorm(), BatchNorm(**{missing: False})
    name, neutral = {"use_scale": ("scale", 1.0), "use_bias": ("bias", 0.0)}[missing]
    params = {"scale": np.linspace(1, 2, 8), "bias": np.linspace(-1, 1, 8)}
    stats = STATS["BatchNorm_0"]
    expected = whole.apply(
        {"params": params | {name: np.full(8, neutral)}, "batch_stats": stats}, X, train=False
    )
    del params[name]
    y = part.apply({"params": params, "batch_stats": stats}, X, train=False)
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_a_one_hot_condition_looks_up_a_gain_and_a_bias_per_class():
    """As in de Vries 2017 and Miyato 2018, against PyTorch's batch normalization and embeddings."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    labels = np.array([2, 0, 1, 1, 0, 2])
    y, state = apply(condition=np.eye(3, dtype=np.float32)[labels], train=True)
    mean, variance = (torch.tensor(STATS["BatchNorm_0"][name]) for name in ("mean", "var"))
    x = torch.from_numpy(X).permute(0, 3, 1, 2)
    normal = functional.batch_norm(x, mean, variance, training=True, momentum=0.1, eps=1e-5)
    gain, bias = (
        functional.embedding(torch.from_numpy(labels), torch.from_numpy(PARAMS[name]["kernel"]))
        for name in ("gain", "bias")
    )
    expected = (1 + gain)[..., None, None] * normal + bias[..., None, None]
    np.testing.assert_allclose(y, expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(state["batch_stats"]["BatchNorm_0"]["mean"], mean, rtol=1e-5)


def test_kernels_start_orthogonal_and_have_no_bias():
    init = jax.jit(functools.partial(ConditionalBatchNorm().init, train=True))
    params = init(jax.random.key(0), X, C)["params"]
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(np.shape, PARAMS)
    for name in ("gain", "bias"):
        kernel = params[name]["kernel"]
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(3), atol=1e-5)
    assert not np.allclose(params["gain"]["kernel"], params["bias"]["kernel"])


def test_statistics_are_averaged_over_a_mapped_axis():
    def shard(x, c):
        variables = {"params": PARAMS, "batch_stats": STATS}
        module = ConditionalBatchNorm("data")
        return module.apply(variables, x, c, train=True, mutable=["batch_stats"])

    halves = X.reshape(2, 3, 5, 5, 8), C.reshape(2, 3, 3)
    y, state = jax.vmap(shard, axis_name="data")(*halves)
    expected, expected_state = apply(train=True)
    np.testing.assert_allclose(y.reshape(X.shape), expected, rtol=1e-4, atol=1e-4)
    for i in range(2):
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-5), state, expected_state
        )


def test_gains_and_statistics_are_float32_whatever_the_computation():
    y, state = apply(x=jnp.bfloat16(X), train=True, dtype=jnp.bfloat16)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {jnp.dtype("float32")}
    expected, _ = apply(x=np.float32(jnp.bfloat16(X)), train=True)
    np.testing.assert_allclose(np.float32(y), expected, rtol=2**-8, atol=1e-6)  # rounded once
    assert apply(x=jnp.bfloat16(X), train=True)[0].dtype == jnp.float32


@pytest.mark.parametrize("shape", [(5, 3), (1, 3), (6,), (6, 1, 3)])
def test_there_is_one_condition_a_sample(shape):
    with pytest.raises(ValueError, match=r"norm of 6 samples .* must have shape \(6, D\), not"):
        apply(condition=np.ones(shape, np.float32), train=True)
