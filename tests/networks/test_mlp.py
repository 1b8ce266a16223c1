import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks.mlp import MLPDiscriminator, MLPGenerator

KEY = jax.random.key(0)


def _count(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize("shape", [(2,), (8, 8, 1), (28, 20, 3)])
def test_shapes_and_types(shape):
    latents = jnp.ones((3, 5))
    samples, _ = MLPGenerator(shape, width=8).init_with_output(KEY, latents, train=True)
    logits, _ = MLPDiscriminator(width=8).init_with_output(KEY, samples, train=True)
    assert (samples.shape, samples.dtype) == ((3, *shape), jnp.float32)
    assert (logits.shape, logits.dtype) == ((3,), jnp.float32)


def test_parameter_counts():
    generator = MLPGenerator((4, 4, 1), width=8).init(KEY, jnp.ones((1, 5)), train=True)
    assert _count(generator) == (5 * 8 + 8) + (8 * 8 + 8) + (8 * 16 + 16)
    discriminator = MLPDiscriminator(width=8, depth=1).init(KEY, jnp.ones((1, 4, 4, 1)), train=True)
    assert _count(discriminator) == (16 * 8 + 8) + (8 + 1)


def test_images_end_in_tanh_and_points_are_linear():
    latents = 1e4 * jax.random.normal(KEY, (16, 5))
    for shape, bounded in [((4, 4, 1), True), ((16,), False)]:
        generator = MLPGenerator(shape, width=8)
        samples, _ = generator.init_with_output(KEY, latents, train=True)
        assert (float(jnp.abs(samples).max()) <= 1.0) is bounded


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


@pytest.mark.parametrize("normalization", ["batch", "group"])
def test_normalization_is_not_at_output_or_input(normalization):
    name = {"batch": "BatchNorm", "group": "GroupNorm"}[normalization]
    generator = MLPGenerator((2,), width=8, depth=3, normalization=normalization)
    discriminator = MLPDiscriminator(width=8, depth=3, normalization=normalization)
    for network, inputs, norms in [
        (generator, jnp.ones((2, 5)), 3),
        (discriminator, jnp.ones((2, 2)), 2),
    ]:
        params = network.init(KEY, inputs, train=False)["params"]
        assert sum(module.startswith(name) for module in params) == norms


def test_labels_change_outputs():
    labels = jnp.array([0, 1, 2])
    same = jnp.ones((3, 5))
    generator = MLPGenerator((2,), width=8, num_classes=3, label_features=4)
    points, variables = generator.init_with_output(KEY, same, labels, train=True)
    assert variables["params"]["Embed_0"]["embedding"].shape == (3, 4)
    assert len(np.unique(points[:, 0])) == 3
    discriminator = MLPDiscriminator(width=8, num_classes=3)
    logits, variables = discriminator.init_with_output(KEY, same, labels, train=True)
    assert variables["params"]["Embed_0"]["embedding"].shape == (3, 8)
    assert len(np.unique(logits)) == 3


def test_labels_without_classes_and_classes_without_labels():
    x, labels = jnp.ones((3, 5)), jnp.zeros(3, int)
    for network in (MLPGenerator((2,)), MLPDiscriminator()):
        with pytest.raises(ValueError, match="takes no labels"):
            network.init(KEY, x, labels, train=True)
        with pytest.raises(ValueError, match="needs labels"):
            network.clone(num_classes=3).init(KEY, x, train=True)


def test_dropout_only_in_training():
    x = jax.random.normal(KEY, (4, 5))
    network = MLPDiscriminator(width=16, dropout=0.5)
    variables = network.init(KEY, x, train=False)
    plain = MLPDiscriminator(width=16).apply(variables, x, train=True)
    np.testing.assert_array_equal(network.apply(variables, x, train=False), plain)
    drawn = [
        network.apply(variables, x, train=True, rngs={"dropout": jax.random.key(i)}) for i in (1, 2)
    ]
    assert not np.allclose(drawn[0], drawn[1])


def test_bfloat16_computation_keeps_parameters_and_outputs_float32():
    x = jnp.ones((2, 5))
    for network in (
        MLPGenerator((4, 4, 1), width=8, dtype=jnp.bfloat16),
        MLPDiscriminator(width=8, dtype=jnp.bfloat16),
    ):
        y, variables = network.init_with_output(KEY, x, train=True)
        assert {leaf.dtype for leaf in jax.tree.leaves((y, variables))} == {jnp.dtype("float32")}
        exact = network.clone(dtype=jnp.float32).apply(variables, x, train=True)
        assert not np.array_equal(y, exact)
        np.testing.assert_allclose(y, exact, atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "MLPDiscriminator has width=0; allowed is 1 or more"),
        ({"depth": 0}, "MLPDiscriminator has depth=0; allowed is 1 or more"),
        ({"num_classes": -1}, "MLPDiscriminator has num_classes=-1; allowed is 0 or more"),
        ({"dropout": 1.0}, "MLPDiscriminator has dropout=1.0; allowed is 0 <= dropout < 1"),
        ({"dropout": -0.1}, "MLPDiscriminator has dropout=-0.1"),
        ({"normalization": "batchnorm"}, "normalization is 'batchnorm'; allowed are 'batch'"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        MLPDiscriminator(**options)


@pytest.mark.parametrize("shape", [(), (4, 4), (0, 4, 1)])
def test_shapes_that_are_neither_image_nor_point(shape):
    with pytest.raises(ValueError, match=r"MLPGenerator has shape=.* allowed are images \(H, W, C"):
        MLPGenerator(shape)
