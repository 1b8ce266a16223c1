import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.experiment import GeneratorOptions
from jaxgan.networks import dcgan
from jaxgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator, doublings, stage_widths
from jaxgan.networks.families import first_kernel

RANDOM = np.random.default_rng(0)
LATENTS = RANDOM.normal(size=(4, 10)).astype(np.float32)
IMAGES = RANDOM.normal(size=(4, 8, 8, 1)).astype(np.float32)


def _shapes(network, *inputs):
    """Output and variables of a network as shapes, without computing anything."""
    init = functools.partial(network.init_with_output, train=True)
    return jax.eval_shape(
        init, {"params": jax.random.key(0), "dropout": jax.random.key(1)}, *inputs
    )


def _variables(network, *inputs):
    """Some variables that fit the network, made without compiling its `init`."""

    def draw(leaf):
        low, high = (-0.5, 0.5) if leaf.ndim > 1 else (0.5, 1.5)  # scales and variances: positive
        return RANDOM.uniform(low, high, leaf.shape).astype(leaf.dtype)

    return jax.tree.map(draw, _shapes(network, *inputs)[1])


def _apply(network, variables, *inputs, **options):
    return jax.jit(functools.partial(network.apply, **options))(variables, *inputs)


def _count(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    "shape",
    [(8, 8, 1), (10, 14, 3), (16, 28, 1), (28, 28, 1), (32, 32, 3), (64, 80, 3), (256, 256, 3)],
)
def test_shapes_of_all_sizes(shape):
    images, _ = _shapes(DCGANGenerator(shape, width=8), jnp.ones((3, 5)))
    logits, _ = _shapes(DCGANDiscriminator(width=8), jnp.ones((3, *shape)))
    assert (images.shape, images.dtype) == ((3, *shape), jnp.float32)
    assert (logits.shape, logits.dtype) == ((3,), jnp.float32)


def test_parameter_counts_of_28x28():
    _, generator = _shapes(DCGANGenerator((28, 28, 1), width=4), jnp.ones((2, 10)))
    # dense to 7x7x8, norm, 8 -> 4 channels, norm, 4 -> 1 channel and bias
    assert _count(generator) == 10 * 7 * 7 * 8 + 2 * 8 + 16 * 8 * 4 + 2 * 4 + (16 * 4 + 1)
    _, discriminator = _shapes(DCGANDiscriminator(width=4), jnp.ones((2, 28, 28, 1)))
    # 1 -> 4 channels and bias, 4 -> 8, norm, dense from 7x7x8 and bias
    assert _count(discriminator) == (16 * 4 + 4) + 16 * 4 * 8 + 2 * 8 + (7 * 7 * 8 + 1)


def test_one_doubling_gets_a_3x3_convolution_next_to_the_image():
    _, generator = _shapes(DCGANGenerator((8, 8, 1), width=4), jnp.ones((2, 10)))
    assert _count(generator) == 10 * 4 * 4 * 8 + 2 * 8 + 16 * 8 * 4 + 2 * 4 + (9 * 4 + 1)
    _, discriminator = _shapes(DCGANDiscriminator(width=4), jnp.ones((2, 8, 8, 1)))
    assert _count(discriminator) == (9 * 4 + 4) + 16 * 4 * 8 + 2 * 8 + (4 * 4 * 8 + 1)


def test_a_hidden_layer_stands_between_latents_and_the_first_map():
    """5 units: 10 numbers each and no bias, normalized with a scale and a bias."""
    plain, hidden = (
        _shapes(DCGANGenerator((8, 8, 1), width=4, hidden=units), jnp.ones((2, 10)))[1]
        for units in (0, 5)
    )
    assert hidden["params"]["Dense_0"]["kernel"].shape == (10, 5)
    first_map = 4 * 4 * 8
    assert _count(hidden) == _count(plain) + 10 * 5 + 2 * 5 - (10 - 5) * first_map
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), hidden["params"])
    assert first_kernel(params, 10).shape == (10, 5)


def test_a_hidden_layer_stands_between_the_last_map_and_the_logit():
    options = {"width": 4, "hidden": 5, "with_features": True}
    plain = _shapes(DCGANDiscriminator(4), jnp.ones((2, 8, 8, 1)))[1]
    output, hidden = _shapes(DCGANDiscriminator(**options), jnp.ones((2, 8, 8, 1)))
    last_map = 4 * 4 * 8
    assert _count(hidden) == _count(plain) + (last_map + 2) * 5 - (last_map - 5)
    assert output["features"].shape == (2, 5)
    assert output["logits"].shape == (2,)
    bare = _shapes(DCGANDiscriminator(**options, normalization="none"), jnp.ones((2, 8, 8, 1)))[1]
    assert bare["params"]["Dense_0"]["bias"].shape == (5,)


def test_channels_double_inwards_up_to_eight_widths():
    assert stage_widths(4, 1) == stage_widths(4, 2) == [4, 8]
    assert stage_widths(64, 5) == [64, 128, 256, 512, 512]


def test_initial_weights():
    network = DCGANGenerator((16, 16, 1), width=16)
    params = jax.jit(functools.partial(network.init, train=False))(jax.random.key(0), LATENTS)
    for name in ("DenseGeneral_0", "ConvTranspose_0"):
        kernel = params["params"][name]["kernel"]
        assert abs(float(kernel.mean())) < 1e-3
        assert abs(float(kernel.std()) - 0.02) < 1e-3
    np.testing.assert_array_equal(params["params"]["ConvTranspose_1"]["bias"], [0.0])


@pytest.mark.parametrize(
    ("normalization", "name"), [("batch", "BatchNorm"), ("group", "GroupNorm")]
)
def test_normalization_is_not_at_output_or_input(normalization, name):
    networks = [
        (DCGANGenerator((32, 32, 3), 8, normalization), jnp.ones((2, 10)), [32, 16, 8]),
        (DCGANDiscriminator(8, normalization), jnp.ones((2, 32, 32, 3)), [16, 32]),
    ]
    for network, inputs, channels in networks:
        params = _shapes(network, inputs)[1]["params"]
        norms = [f"{name}_{i}" for i in range(len(channels))]
        assert [params[norm]["scale"].size for norm in norms] == channels
        assert sum("Norm" in module for module in params) == len(channels)
        # A layer has a bias of its own just where no normalization follows it.
        assert sum(
            "bias" in leaves for module, leaves in params.items() if "Norm" not in module
        ) == (1 if network is networks[0][0] else 2)


def test_without_normalization_every_layer_has_a_bias():
    for network, inputs in [
        (DCGANGenerator((16, 16, 1), 8, "none"), jnp.ones((2, 10))),
        (DCGANDiscriminator(8, "none"), jnp.ones((2, 16, 16, 1))),
    ]:
        variables = _shapes(network, inputs)[1]
        assert set(variables) == {"params"}
        assert all(set(leaves) == {"kernel", "bias"} for leaves in variables["params"].values())


def test_images_are_in_range():
    generator = DCGANGenerator((8, 8, 1), width=4)
    variables = _variables(generator, LATENTS)
    images = _apply(generator, variables, 1e3 * LATENTS, train=False)
    assert 0.9 < float(jnp.abs(images).max()) <= 1.0


@pytest.mark.parametrize(
    ("network", "inputs"),
    [(DCGANGenerator((8, 8, 1), width=4), LATENTS), (DCGANDiscriminator(width=4), IMAGES)],
)
def test_batch_statistics_move_only_in_training(network, inputs):
    variables = _variables(network, inputs)
    before = variables["batch_stats"]
    _, state = _apply(network, variables, inputs, train=False, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, state["batch_stats"], before)
    _, state = _apply(network, variables, inputs, train=True, mutable=["batch_stats"])
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max() > 0, state["batch_stats"], before)
    assert all(jax.tree.leaves(moved))


def test_group_normalized_discriminator_scores_each_image_alone():
    network = DCGANDiscriminator(width=8, normalization="group")
    variables = _variables(network, IMAGES)
    logits = _apply(network, variables, IMAGES, train=True)
    alone = _apply(network, variables, IMAGES[2:3], train=True)
    np.testing.assert_allclose(alone, logits[2:3], rtol=1e-4, atol=1e-5)


def test_labels_change_outputs():
    labels = jnp.array([0, 1, 2, 1])
    generator = DCGANGenerator((8, 8, 1), width=4, num_classes=3)
    same = np.ones((4, 10), np.float32)
    variables = _variables(generator, same, labels)
    pixels = _apply(generator, variables, same, labels, train=False)[:, 4, 4, 0]
    assert pixels[1] == pixels[3]
    assert len(np.unique(pixels)) == 3

    discriminator = DCGANDiscriminator(width=4, num_classes=3)
    same = np.ones((4, 8, 8, 1), np.float32)
    variables = _variables(discriminator, same, labels)
    logits = _apply(discriminator, variables, same, labels, train=False)
    assert logits[1] == logits[3]
    assert len(np.unique(logits)) == 3
    # The projection is all that labels do: what is left without the embedding ignores them.
    params = {name: p for name, p in variables["params"].items() if name != "Embed_0"}
    plain = discriminator.clone(num_classes=0)
    logits = _apply(plain, {**variables, "params": params}, same, train=False)
    assert len(np.unique(logits)) == 1


@pytest.mark.parametrize(
    ("network", "inputs"),
    [(DCGANGenerator((8, 8, 1), width=4), LATENTS), (DCGANDiscriminator(width=4), IMAGES)],
)
def test_labels_without_classes_and_classes_without_labels(network, inputs):
    with pytest.raises(ValueError, match="takes no labels"):
        _shapes(network, inputs, jnp.zeros(4, int))
    with pytest.raises(ValueError, match="needs labels"):
        _shapes(network.clone(num_classes=3), inputs)


def test_dropout_only_in_training():
    plain = DCGANDiscriminator(width=4, normalization="none")
    network = plain.clone(dropout=0.5)
    variables = _variables(plain, IMAGES)
    np.testing.assert_array_equal(
        _apply(network, variables, IMAGES, train=False),
        _apply(plain, variables, IMAGES, train=True),  # a rate of 0 needs no key
    )
    train = jax.jit(lambda key: network.apply(variables, IMAGES, train=True, rngs={"dropout": key}))
    assert not np.allclose(train(jax.random.key(1)), train(jax.random.key(2)))


def test_phases_equal_lax_in_value_and_gradients():
    phase = DCGANGenerator((20, 24, 2), width=4, normalization="group", impl="phase")
    params = _variables(phase, LATENTS)

    @jax.jit
    def results(params, latents):
        def loss(params, latents, network):
            return jnp.sum(network.apply(params, latents, train=True) ** 2)

        value_and_grad = jax.value_and_grad(loss, argnums=(0, 1))
        return [value_and_grad(params, latents, n) for n in (phase, phase.clone(impl="lax"))]

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max()),
        *results(params, LATENTS),
    )


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (DCGANGenerator((16, 16, 1), width=4, dtype=jnp.bfloat16), LATENTS),
        (DCGANDiscriminator(width=4, dtype=jnp.bfloat16), IMAGES),
    ],
)
def test_bfloat16_computation_keeps_parameters_and_outputs_float32(network, inputs):
    output, variables = _shapes(network, inputs)
    assert {leaf.dtype for leaf in jax.tree.leaves((output, variables))} == {jnp.dtype("float32")}
    jaxpr = str(jax.make_jaxpr(functools.partial(network.apply, train=False))(variables, inputs))
    convolutions = [line for line in jaxpr.splitlines() if "= conv_general_dilated" in line]
    assert convolutions
    assert all(":bf16" in line for line in convolutions)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (30, 30, 1),
            r"height of m \* 2\*\*k .* which 30 is not; the nearest allowed are 28 and 32",
        ),
        ((28, 31, 1), "width of .* which 31 is not; the nearest allowed are 28 and 32"),
        ((7, 7, 1), "which 7 is not; the nearest allowed is 8"),
        ((65, 64, 1), "which 65 is not; the nearest allowed are 64 and 80"),
        ((28, 32, 1), "28x32 pixels need 2 doublings .* and 3 of the width; .* 16, 20, 24, 28"),
        ((2,), r"needs images \(H, W, C\), but got samples of shape \(2,\)"),
    ],
)
def test_sizes_that_are_not_allowed(shape, message):
    with pytest.raises(ValueError, match=message):
        DCGANGenerator(shape)
    with pytest.raises(ValueError, match=message):
        _shapes(DCGANDiscriminator(), jnp.ones((2, *shape)))


def test_doublings():
    sizes = [8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 128, 224, 256]
    ks = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 5, 5, 6]
    assert [doublings((size, size, 1)) for size in sizes] == ks


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (DCGANGenerator, {"shape": (8, 8, 1), "width": 0}, "DCGANGenerator has width=0"),
        (DCGANGenerator, {"shape": (8, 8, 1), "label_features": 0}, "has label_features=0"),
        (DCGANGenerator, {"shape": (8, 8, 0)}, r"DCGANGenerator has shape=\(8, 8, 0\)"),
        (DCGANDiscriminator, {"dropout": 1.5}, "dropout=1.5; allowed is 0 <= dropout < 1"),
        (DCGANDiscriminator, {"normalization": ""}, "normalization is ''"),
    ],
)
def test_options_out_of_range(network, options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)


def test_biases_where_nothing_is_normalized_may_be_left_out():
    """PyTorch's example has none: its counts of parameters for 64x64 pixels, latents of 100."""
    _, generator = _shapes(DCGANGenerator((64, 64, 3), 64, bias=False), jnp.ones((2, 100)))
    _, discriminator = _shapes(DCGANDiscriminator(64, bias=False), jnp.ones((2, 64, 64, 3)))
    counts = [
        sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
        for variables in (generator, discriminator)
    ]
    assert counts == [3_576_704, 2_765_568]
    for network, inputs in (
        (DCGANGenerator((8, 8, 1), 4, "none", bias=False), jnp.ones((2, 3))),
        (DCGANDiscriminator(4, "none", bias=False), jnp.ones((2, 8, 8, 1))),
    ):
        _, variables = _shapes(network, inputs)
        paths = jax.tree_util.tree_leaves_with_path(variables["params"])
        assert not any("bias" in jax.tree_util.keystr(path) for path, _ in paths)


def test_the_family_says_where_it_ends():
    with pytest.warns(UserWarning, match="known for images of 8 to 128 pixels.*256x256"):
        dcgan.make_generator(GeneratorOptions(width=1), (256, 256, 3))
    dcgan.make_generator(GeneratorOptions(width=1), (128, 128, 3))  # Warnings are errors here.
