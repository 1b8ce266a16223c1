import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks.mlp import MLPDiscriminator, MLPGenerator

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(4, 5)).astype(np.float32)  # latents, or points of five coordinates


def _shapes(network, *inputs):
    """Output and variables of a network as shapes, without computing anything."""
    init = functools.partial(network.init_with_output, train=False)
    return jax.eval_shape(init, jax.random.key(0), *inputs)


def _variables(network, *inputs):
    """Some variables that fit the network, made without compiling its `init`."""
    return jax.tree.map(
        lambda leaf: RANDOM.uniform(-0.5, 0.5, leaf.shape).astype(leaf.dtype),
        _shapes(network, *inputs)[1],
    )


def _apply(network, variables, *inputs, train=False):
    return jax.jit(functools.partial(network.apply, train=train))(variables, *inputs)


def _count(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize("shape", [(2,), (8, 8, 1), (28, 20, 3)])
def test_shapes_and_types(shape):
    samples, _ = _shapes(MLPGenerator(shape), INPUTS)
    logits, _ = _shapes(MLPDiscriminator(), samples)
    assert (samples.shape, samples.dtype) == ((4, *shape), jnp.float32)
    assert (logits.shape, logits.dtype) == ((4,), jnp.float32)


def test_parameter_counts():
    _, generator = _shapes(MLPGenerator((4, 4, 1), width=8), INPUTS)
    assert _count(generator) == (5 * 8 + 8) + (8 * 8 + 8) + (8 * 16 + 16)
    _, discriminator = _shapes(MLPDiscriminator(width=8, depth=1), jnp.ones((1, 4, 4, 1)))
    assert _count(discriminator) == (16 * 8 + 8) + (8 + 1)


@pytest.mark.parametrize(("shape", "bounded"), [((4, 4, 1), True), ((16,), False)])
def test_images_end_in_tanh_and_points_are_linear(shape, bounded):
    generator = MLPGenerator(shape, width=8)
    samples = _apply(generator, _variables(generator, INPUTS), 100 * INPUTS)
    assert (np.abs(samples).max() <= 1.0) == bounded


def test_discriminator_by_hand():
    """One hidden unit: LeakyReLU of slope .2 between two affine maps."""
    params = {
        "Dense_0": {"kernel": jnp.array([[1.0], [2.0]]), "bias": jnp.array([-1.0])},
        "Dense_1": {"kernel": jnp.array([[3.0]]), "bias": jnp.array([0.5])},
    }
    points = jnp.array([[1.0, 1.0], [-2.0, -1.0]])
    logits = MLPDiscriminator(width=1, depth=1).apply({"params": params}, points, train=False)
    np.testing.assert_allclose(logits, [3 * 2 + 0.5, 3 * 0.2 * -5 + 0.5], rtol=1e-6)


def test_generator_by_hand():
    """One hidden unit: ReLU between two affine maps."""
    params = {
        "Dense_0": {"kernel": jnp.array([[2.0]]), "bias": jnp.array([1.0])},
        "Dense_1": {"kernel": jnp.array([[1.0, -3.0]]), "bias": jnp.array([0.0, 0.5])},
    }
    generator = MLPGenerator((2,), width=1, depth=1)
    points = generator.apply({"params": params}, jnp.array([[1.0], [-4.0]]), train=False)
    np.testing.assert_allclose(points, [[3.0, -8.5], [0.0, 0.5]], rtol=1e-6)


@pytest.mark.parametrize(
    ("normalization", "name"), [("batch", "BatchNorm"), ("group", "GroupNorm")]
)
def test_normalization_is_not_at_output_or_input(normalization, name):
    options = {"width": 8, "depth": 3, "normalization": normalization}
    for network, norms in [(MLPGenerator((2,), **options), 3), (MLPDiscriminator(**options), 2)]:
        params = _shapes(network, INPUTS)[1]["params"]
        assert sum(module.startswith(name) for module in params) == norms


def test_labels_change_outputs():
    labels = jnp.array([0, 1, 2, 1])
    same = np.ones((4, 5), np.float32)
    for network, embedding in [
        (MLPGenerator((2,), width=8, num_classes=3, label_features=4), (3, 4)),
        (MLPDiscriminator(width=8, num_classes=3), (3, 8)),
    ]:
        variables = _variables(network, same, labels)
        assert variables["params"]["Embed_0"]["embedding"].shape == embedding
        outputs = _apply(network, variables, same, labels).reshape(4, -1)[:, 0]
        assert outputs[1] == outputs[3]
        assert len(np.unique(outputs)) == 3


@pytest.mark.parametrize("network", [MLPGenerator((2,)), MLPDiscriminator()])
def test_labels_without_classes_and_classes_without_labels(network):
    with pytest.raises(ValueError, match="takes no labels"):
        _shapes(network, INPUTS, jnp.zeros(4, int))
    with pytest.raises(ValueError, match="needs labels"):
        _shapes(network.clone(num_classes=3), INPUTS)


def test_dropout_only_in_training():
    plain = MLPDiscriminator(width=16)
    network = plain.clone(dropout=0.5)
    variables = _variables(plain, INPUTS)
    np.testing.assert_array_equal(
        _apply(network, variables, INPUTS),
        _apply(plain, variables, INPUTS, train=True),  # a rate of 0 needs no key
    )
    train = jax.jit(lambda key: network.apply(variables, INPUTS, train=True, rngs={"dropout": key}))
    assert not np.allclose(train(jax.random.key(1)), train(jax.random.key(2)))


@pytest.mark.parametrize("network", [MLPGenerator((4, 4, 1), width=8), MLPDiscriminator(width=8)])
def test_bfloat16_computation_keeps_parameters_and_outputs_float32(network):
    half = network.clone(dtype=jnp.bfloat16)
    variables = _variables(half, INPUTS)
    exact, rounded = (_apply(n, variables, INPUTS) for n in (network, half))
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, rounded))} == {np.dtype("float32")}
    assert not np.array_equal(rounded, exact)
    np.testing.assert_allclose(rounded, exact, atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "MLPDiscriminator has width=0; allowed is 1 or more"),
        ({"depth": 0}, "MLPDiscriminator has depth=0; allowed is 1 or more"),
        ({"num_classes": -1}, "MLPDiscriminator has num_classes=-1; allowed is 0 or more"),
        ({"dropout": 1.0}, "MLPDiscriminator has dropout=1.0; allowed is 0 <= dropout < 1"),
        ({"dropout": -0.1}, "MLPDiscriminator has dropout=-0.1"),
        ({"normalization": "batchnorm"}, "normalization is 'batchnorm'; allowed are 'batch'"),
        ({"normalization": "instance"}, "MLPDiscriminator has .*'instance', which averages over"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        MLPDiscriminator(**options)


@pytest.mark.parametrize("shape", [(), (4, 4), (0, 4, 1)])
def test_shapes_that_are_neither_image_nor_point(shape):
    with pytest.raises(ValueError, match=r"MLPGenerator has shape=.* allowed are images \(H, W, C"):
        MLPGenerator(shape)
