import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.normalization import instance_norm, named_norm, num_groups


class Normalized(nn.Module):
    kind: str
    axis_name: str | None = None
    dtype: jnp.dtype | None = None
    groups: int = 0

    @nn.compact
    def __call__(self, x, *, train):
        options = {"groups": self.groups, "axis_name": self.axis_name, "dtype": self.dtype}
        return named_norm(x, self.kind, train=train, **options)


def _images(batch=4):
    return np.random.default_rng(0).normal(3.0, 2.0, (batch, 5, 5, 8)).astype(np.float32)


PARAMS = {"BatchNorm_0": {"scale": np.linspace(0.5, 2.0, 8), "bias": np.zeros(8)}}
STATS = {"BatchNorm_0": {"mean": np.zeros(8), "var": np.ones(8)}}


def test_batch_normalizes_each_channel_and_remembers_a_tenth():
    x = _images()
    variables = {"params": PARAMS, "batch_stats": STATS}
    y, state = Normalized("batch").apply(variables, x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y.mean((0, 1, 2)), np.zeros(8), atol=1e-5)
    np.testing.assert_allclose(y.std((0, 1, 2)), PARAMS["BatchNorm_0"]["scale"], rtol=1e-4)
    stats = state["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(stats["mean"], 0.1 * x.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * x.var((0, 1, 2)), rtol=1e-4)


def test_batch_in_evaluation_uses_what_is_remembered():
    x = _images()
    stats = {"BatchNorm_0": {"mean": np.full(8, 1.0), "var": np.full(8, 4.0 - 1e-5)}}
    variables = {"params": PARAMS, "batch_stats": stats}
    y, state = Normalized("batch").apply(variables, x, train=False, mutable=["batch_stats"])
    scale = PARAMS["BatchNorm_0"]["scale"]
    np.testing.assert_allclose(y, (x - 1.0) / 2.0 * scale, rtol=1e-4, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, state["batch_stats"], stats)


def test_batch_scales_start_around_one():
    x = jnp.ones((1, 4000))
    params = Normalized("batch").init(jax.random.key(1), x, train=False)["params"]["BatchNorm_0"]
    assert abs(float(params["scale"].mean()) - 1.0) < 0.002
    assert abs(float(params["scale"].std()) - 0.02) < 0.001
    np.testing.assert_array_equal(params["bias"], np.zeros(4000))


def test_batch_statistics_are_averaged_over_a_mapped_axis():
    x = _images(batch=6)
    variables = {"params": PARAMS, "batch_stats": STATS}

    def apply(x, axis_name):
        module = Normalized("batch", axis_name)
        return module.apply(variables, x, train=True, mutable=["batch_stats"])[0]

    whole = apply(x, None)
    parts = jax.vmap(lambda x: apply(x, "data"), axis_name="data")(x.reshape(2, 3, 5, 5, 8))
    np.testing.assert_allclose(parts.reshape(x.shape), whole, rtol=1e-4, atol=1e-5)


def test_group_normalizes_within_a_sample():
    x = _images()  # two groups of four channels
    module = Normalized("group")
    variables = module.init(jax.random.key(1), x, train=True)
    y = module.apply(variables, x, train=True)
    grouped = y.reshape(4, 25, 2, 4)
    np.testing.assert_allclose(grouped.mean((1, 3)), np.zeros((4, 2)), atol=1e-5)
    np.testing.assert_allclose(grouped.std((1, 3)), np.ones((4, 2)), rtol=1e-4)
    np.testing.assert_allclose(module.apply(variables, x[:1], train=False), y[:1], atol=1e-5)
    assert set(variables) == {"params"}


def test_instance_by_name_is_the_function_without_parameters():
    x = _images()
    module = Normalized("instance")
    assert module.init(jax.random.key(1), x, train=True) == {}
    np.testing.assert_array_equal(module.apply({}, x, train=True), instance_norm(x))


def test_instance_normalizes_each_channel_of_each_sample():
    x = _images()
    y = instance_norm(x)
    np.testing.assert_allclose(y.mean((1, 2)), np.zeros((4, 8)), atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2)), np.ones((4, 8)), rtol=1e-4)
    np.testing.assert_allclose(instance_norm(10 * x[:1] + 7), y[:1], rtol=1e-3, atol=1e-4)
    # (x - 2) / sqrt(1 + 3), with the biased variance of -1 and 1
    y = instance_norm(jnp.array([1.0, 3.0]).reshape(1, 2, 1), epsilon=3.0)
    np.testing.assert_allclose(y[0, :, 0], [-0.5, 0.5])


def test_instance_statistics_are_float32_whatever_comes_in():
    # A mean over 300 pixels of 1 and 300 of 2 is beyond sums in bfloat16, which end at 256.
    x = jnp.repeat(jnp.array([1.0, 2.0], jnp.bfloat16), 300).reshape(1, 600, 1)
    y = instance_norm(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y[0, [0, -1], 0].astype(jnp.float32), [-1.0, 1.0], rtol=1e-2)


def test_instance_normalization_needs_pixels():
    with pytest.raises(ValueError, match=r"rank 3, not \(4, 8\)"):
        instance_norm(jnp.ones((4, 8)))


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (3, 1), (6, 1), (8, 2), (10, 2), (24, 6), (64, 16), (128, 32), (512, 32)],
)
def test_num_groups(channels, groups):
    assert num_groups(channels) == groups


def test_none_is_the_identity_without_parameters():
    x = _images()
    y, variables = Normalized("none").init_with_output(jax.random.key(1), x, train=True)
    assert y is x
    assert variables == {}


@pytest.mark.parametrize("kind", ["batch", "group"])
def test_statistics_are_float32_whatever_the_computation(kind):
    # 300.0 and 301.0 are both 300.0 in bfloat16 (8 bits), so only float32 sees any variance.
    x = jnp.tile(jnp.array([300.0, 301.0]).reshape(2, 1, 1), (1, 1, 4)).reshape(1, 2, 1, 4)
    module = Normalized(kind, dtype=jnp.bfloat16)
    y, variables = module.init_with_output(jax.random.key(1), x, train=True)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(y[0, :, 0, 0].astype(jnp.float32), [-1.0, 1.0], atol=0.1)


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_groups_may_be_given(groups):
    x = _images()
    y, _ = Normalized("group", groups=groups).init_with_output(jax.random.key(0), x, train=True)
    parts = np.float64(x).reshape(4, 25, groups, -1)
    mean, variance = (f(parts, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    expected = ((parts - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("groups", [3, -2])
def test_groups_divide_the_channels(groups):
    with pytest.raises(ValueError, match=f"{groups} groups do not divide 8 channels"):
        Normalized("group", groups=groups).init(jax.random.key(0), _images(), train=True)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_an_affine_instance_norm_scales_and_shifts_an_instance_norm(dtype):
    x, module = jnp.asarray(_images(), dtype), Normalized("affine_instance")
    variables = module.init(jax.random.key(0), x, train=True)
    wide = instance_norm(x.astype(jnp.float32))
    y = module.apply(variables, x, train=False)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, wide.astype(dtype))  # Scales of 1, biases of 0.
    own = {"scale": jnp.linspace(0.5, 2, 8), "bias": jnp.linspace(-1, 1, 8)}
    y = module.apply({"params": {"AffineInstanceNorm_0": own}}, x, train=False)
    expected = wide * own["scale"] + own["bias"]
    np.testing.assert_allclose(
        y.astype(jnp.float32), expected, rtol=1e-6 if dtype == jnp.float32 else 8e-3, atol=1e-6
    )


def test_unknown_kind():
    with pytest.raises(
        ValueError,
        match=r"'layer'; allowed are 'batch', 'group', 'instance', 'affine_instance', 'none'\.",
    ):
        Normalized("layer").init(jax.random.key(0), _images(), train=True)


def in_float64(x, slope, axes):
    """(x - mean) / sqrt(var + ε) and its gradient along `slope`, over these axes."""
    x, slope = np.float64(x), np.float64(slope)
    centered = x - x.mean(axes, keepdims=True)
    root = 1 / np.sqrt((centered**2).mean(axes, keepdims=True) + 1e-5)
    y = centered * root
    along = (slope * y).mean(axes, keepdims=True)
    return y, root * (slope - slope.mean(axes, keepdims=True) - y * along)


@pytest.mark.parametrize("mean", [0, 10, 100, 1000])
@pytest.mark.parametrize("kind", ["batch", "group", "instance"])
def test_a_mean_that_is_large_against_the_spread_costs_no_digits(kind, mean):
    rng = np.random.default_rng(0)
    x = rng.normal(mean, 1, (16, 5, 5, 8)).astype(np.float32)
    slope = rng.normal(size=x.shape).astype(np.float32)
    module = Normalized(kind)
    ones = {"scale": np.ones(8, np.float32), "bias": np.zeros(8, np.float32)}
    name = {"batch": "BatchNorm_0", "group": "GroupNorm_0"}.get(kind)
    variables = {"params": {name: ones}, "batch_stats": STATS} if name else {}

    def along(x):
        y, state = module.apply(variables, x, train=True, mutable=["batch_stats"])
        return (y * slope).sum(), (y, state)

    gradient, (y, state) = jax.jit(jax.grad(along, has_aux=True))(x)
    shape, axes = {
        "batch": (x.shape, (0, 1, 2)),
        "group": ((16, 5, 5, 2, 4), (1, 2, 4)),
        "instance": (x.shape, (1, 2)),
    }[kind]
    exact, slopes = in_float64(x.reshape(shape), slope.reshape(shape), axes)
    # float32 rounds the mean itself to 1e-7 of the mean.
    np.testing.assert_allclose(y, exact.reshape(x.shape), atol=1e-5 + 1e-6 * mean)
    np.testing.assert_allclose(gradient, slopes.reshape(x.shape), atol=1e-5 + 1e-6 * mean)
    if kind == "batch":
        found = state["batch_stats"]["BatchNorm_0"]["var"]
        np.testing.assert_allclose(found, 0.9 + 0.1 * np.float64(x).var((0, 1, 2)), rtol=1e-5)


def test_a_variance_over_devices_is_that_of_the_whole_where_their_means_differ():
    # Means of 100 and 110 and deviations of 1: the variance is 1 + 5², of which neither has 25.
    x = np.random.default_rng(0).normal(0, 1, (2, 3, 5, 5, 8))
    x = (x + np.array([100, 110]).reshape(2, 1, 1, 1, 1)).astype(np.float32)
    variables = {"params": PARAMS, "batch_stats": STATS}

    def apply(x):
        module = Normalized("batch", "data")
        return module.apply(variables, x, train=True, mutable=["batch_stats"])

    y, state = jax.vmap(apply, axis_name="data")(x)
    exact = in_float64(x, x, (0, 1, 2, 3))[0] * PARAMS["BatchNorm_0"]["scale"]
    np.testing.assert_allclose(y, exact, atol=1e-4)
    variance = 0.9 + 0.1 * np.float64(x).var((0, 1, 2, 3))
    for found in state["batch_stats"]["BatchNorm_0"]["var"]:
        np.testing.assert_allclose(found, variance, rtol=1e-5)
