import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks.resnet import (
    ResidualBlock,
    ResNetDiscriminator,
    ResNetGenerator,
    down_blocks,
)

RANDOM = np.random.default_rng(0)
LATENTS = RANDOM.normal(size=(4, 10)).astype(np.float32)
IMAGES = RANDOM.normal(size=(4, 8, 8, 1)).astype(np.float32)


def _shapes(network, *inputs):
    """Output and variables of a network as shapes, without computing anything."""
    options = {} if isinstance(network, ResidualBlock) else {"train": True}
    init = functools.partial(network.init_with_output, **options)
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


@pytest.mark.parametrize("shape", [(8, 8, 1), (10, 14, 3), (28, 28, 1), (32, 32, 3), (64, 80, 3)])
def test_shapes_of_all_sizes(shape):
    images, _ = _shapes(ResNetGenerator(shape, width=8), jnp.ones((3, 5)))
    logits, _ = _shapes(ResNetDiscriminator(width=8), jnp.ones((3, *shape)))
    assert (images.shape, images.dtype) == ((3, *shape), jnp.float32)
    assert (logits.shape, logits.dtype) == ((3,), jnp.float32)


def test_parameter_counts_of_the_paper():
    """The networks for CIFAR-10, layer by layer."""
    _, generator = _shapes(ResNetGenerator((32, 32, 3)), jnp.ones((2, 128)))
    conv, shortcut, norm = 9 * 128 * 128 + 128, 128 * 128 + 128, 2 * 128
    dense = 128 * 4 * 4 * 128 + 4 * 4 * 128
    up = 2 * conv + shortcut + 2 * norm
    assert _count(generator) == dense + 3 * up + norm + (9 * 128 * 3 + 3) == 1_204_483
    _, discriminator = _shapes(ResNetDiscriminator(), jnp.ones((2, 32, 32, 3)))
    first = (9 * 3 * 128 + 128) + conv + (3 * 128 + 128)
    down = 2 * conv + shortcut
    assert _count(discriminator) == first + down + 2 * (2 * conv) + (128 + 1) == 1_053_825


def _block_params(first, second, shortcut=None):
    """A block of one channel whose 3x3 kernels multiply the pixel in the middle."""

    def kernel(value, size):
        array = np.zeros((size, size, 1, 1), np.float32)
        array[size // 2, size // 2] = value
        return {"kernel": array, "bias": np.zeros(1, np.float32)}

    params = {"first": kernel(first, 3), "second": kernel(second, 3)}
    return {"params": params if shortcut is None else params | {"shortcut": kernel(shortcut, 1)}}


@pytest.mark.parametrize(
    ("options", "shortcut", "expected"),
    [
        # x + 3 relu(2 relu(x))
        ({"resample": "none"}, None, [[7, 14], [-4, 28]]),
        # the same, then means of four; the shortcut is 5 mean(x) = 5 * 3 / 4
        ({"resample": "down"}, 5.0, [[5 * 0.75 + 6 * (1 + 2 + 4) / 4]]),
        # pixels see no ReLU before the first convolution: relu(2 x) is what it was
        ({"resample": "down", "on_pixels": True}, 5.0, [[5 * 0.75 + 6 * (1 + 2 + 4) / 4]]),
        (
            {"resample": "up"},
            5.0,
            [[11, 11, 22, 22], [11, 11, 22, 22], [-20, -20, 44, 44], [-20, -20, 44, 44]],
        ),
    ],
)
def test_blocks_by_hand(options, shortcut, expected):
    x = jnp.array([[1.0, 2.0], [-4.0, 4.0]]).reshape(1, 2, 2, 1)
    block = ResidualBlock(1, train=False, **options)
    y = _apply(block, _block_params(2.0, 3.0, shortcut), x)
    np.testing.assert_allclose(y[0, :, :, 0], expected, rtol=1e-6)


def test_the_first_block_sees_negative_pixels():
    x = jnp.full((1, 2, 2, 1), -1.0)
    for on_pixels, expected in [(True, -5 + 3 * 2), (False, -5)]:
        block = ResidualBlock(1, False, "down", on_pixels)
        y = _apply(block, _block_params(-2.0, 3.0, 5.0), x)
        np.testing.assert_allclose(y, np.full((1, 1, 1, 1), expected), rtol=1e-6)


def test_shortcuts_may_be_computed_at_the_lower_resolution():
    """The paper resizes before (up) or after (down) the 1x1 convolution, to the same values."""
    x = RANDOM.normal(size=(2, 4, 4, 3)).astype(np.float32)
    kernel = RANDOM.normal(size=(3, 5)).astype(np.float32)
    for resample in ("up", "down"):
        block = ResidualBlock(5, False, resample)
        params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), _shapes(block, x)[1]["params"])
        params["shortcut"] = {"kernel": kernel[None, None], "bias": np.ones(5)}
        if resample == "up":
            expected = x.repeat(2, 1).repeat(2, 2) @ kernel + 1
        else:
            expected = (x @ kernel + 1).reshape(2, 2, 2, 2, 2, 5).mean((2, 4))
        y = _apply(block, {"params": params}, x)
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_down_blocks_lead_to_about_8_pixels():
    sizes = [8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 128]
    ends = [4, 5, 6, 7, 8, 10, 6, 7, 8, 10, 6, 8, 8]
    assert [size >> down_blocks((size, size, 1)) for size in sizes] == ends
    assert down_blocks((16, 28, 1)) == down_blocks((28, 16, 1)) == 1  # by the shorter side


def test_initial_weights():
    block = ResidualBlock(16, False, "up")
    params = jax.jit(block.init)(jax.random.key(0), jnp.ones((1, 2, 2, 8)))["params"]
    for name, variance in [("first", 4 / (9 * (8 + 16))), ("shortcut", 2 / (8 + 16))]:
        kernel = params[name]["kernel"]
        assert float(kernel.var()) == pytest.approx(variance, rel=0.15)
        assert float(jnp.abs(kernel).max()) <= (3 * variance) ** 0.5  # uniform
        np.testing.assert_array_equal(params[name]["bias"], np.zeros(16))


@pytest.mark.parametrize(
    ("normalization", "name"), [("batch", "BatchNorm"), ("group", "GroupNorm"), ("none", "None")]
)
def test_where_normalization_is(normalization, name):
    _, variables = _shapes(ResNetGenerator((8, 8, 1), 8, normalization), LATENTS)
    params = variables["params"]
    assert sum(name in layer for layer in params) == (normalization != "none")
    expected = 0 if normalization == "none" else 2
    assert sum(name in layer for layer in params["ResidualBlock_0"]) == expected
    _, variables = _shapes(ResNetDiscriminator(8, normalization), IMAGES)
    blocks = [variables["params"][f"ResidualBlock_{i}"] for i in range(3)]
    counts = [sum(name in layer for layer in block) for block in blocks]
    assert counts == [0, expected, expected]
    assert sum(name in layer for layer in variables["params"]) == 0


def test_images_are_in_range():
    generator = ResNetGenerator((8, 8, 1), width=4)
    images = _apply(generator, _variables(generator, LATENTS), 1e3 * LATENTS, train=False)
    assert 0.9 < float(jnp.abs(images).max()) <= 1.0


def test_logit_of_a_constant_image_is_the_mean_over_positions():
    """With no weights but those of the shortcut and the dense layer: relu(2 x) · 3 + 1."""
    network = ResNetDiscriminator(width=1)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), _shapes(network, IMAGES)[1]["params"])
    params["ResidualBlock_0"]["shortcut"]["kernel"] += 2
    params["Dense_0"] = {"kernel": np.array([[3.0]]), "bias": np.array([1.0])}
    images = np.zeros((2, 8, 8, 1), np.float32)
    images[0, :4] = 0.5  # half of the positions
    images[1] = -0.5
    logits = _apply(network, {"params": params}, images, train=False)
    np.testing.assert_allclose(logits, [3 * 1.0 / 2 + 1, 1], rtol=1e-6)


def test_labels_change_outputs():
    labels = jnp.array([0, 1, 2, 1])
    generator = ResNetGenerator((8, 8, 1), width=4, num_classes=3)
    same = np.ones((4, 10), np.float32)
    variables = _variables(generator, same, labels)
    pixels = _apply(generator, variables, 0.1 * same, labels, train=False).reshape(4, -1)
    np.testing.assert_array_equal(pixels[1], pixels[3])
    assert len(np.unique(pixels, axis=0)) == 3

    discriminator = ResNetDiscriminator(width=4, num_classes=3)
    same = np.ones((4, 8, 8, 1), np.float32)
    variables = _variables(discriminator, same, labels)
    assert variables["params"]["Embed_0"]["embedding"].shape == (3, 4)
    logits = _apply(discriminator, variables, same, labels, train=False)
    assert logits[1] == logits[3]
    assert len(np.unique(logits)) == 3


@pytest.mark.parametrize(
    ("network", "inputs"),
    [(ResNetGenerator((8, 8, 1), width=4), LATENTS), (ResNetDiscriminator(width=4), IMAGES)],
)
def test_labels_without_classes_and_classes_without_labels(network, inputs):
    with pytest.raises(ValueError, match="takes no labels"):
        _shapes(network, inputs, jnp.zeros(4, int))
    with pytest.raises(ValueError, match="needs labels"):
        _shapes(network.clone(num_classes=3), inputs)


def test_dropout_only_in_training():
    plain = ResNetDiscriminator(width=4)
    network = plain.clone(dropout=0.5)
    variables = _variables(plain, IMAGES)
    np.testing.assert_array_equal(
        _apply(network, variables, IMAGES, train=False),
        _apply(plain, variables, IMAGES, train=True),  # a rate of 0 needs no key
    )
    train = jax.jit(lambda key: network.apply(variables, IMAGES, train=True, rngs={"dropout": key}))
    assert not np.allclose(train(jax.random.key(1)), train(jax.random.key(2)))


def test_recomputed_blocks_give_the_same_gradients_and_state():
    network = ResNetDiscriminator(4, "batch", dropout=0.3)
    variables = _variables(network, IMAGES)

    def loss(params, network):
        output, state = network.apply(
            {**variables, "params": params},
            IMAGES,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(3)},
        )
        return jnp.sum(output**2), state

    @jax.jit
    def results(params):
        networks = (network, network.clone(remat=True))
        return [jax.value_and_grad(loss, has_aux=True)(params, n) for n in networks]

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(
            a, b, rtol=1e-4, atol=1e-4 * max(1, np.abs(b).max())
        ),
        *results(variables["params"]),
    )


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (ResNetGenerator((32, 32, 3), 8), LATENTS),
        (ResNetDiscriminator(8), np.ones((4, 32, 32, 3), np.float32)),
    ],
)
def test_recomputed_blocks_have_the_same_variables_and_keep_less(network, inputs):
    again = network.clone(remat=True)
    variables = _shapes(network, inputs)[1]
    assert _shapes(again, inputs)[1] == variables

    def kept(network):
        """Numbers kept for the backward pass, as shapes tell without computing anything."""

        def backward(variables):
            def apply(params):
                return network.apply({**variables, "params": params}, inputs, train=False)

            return jax.vjp(apply, variables["params"])[1]

        return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(backward, variables)))

    assert kept(again) < 0.5 * kept(network)


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (ResNetGenerator((8, 8, 1), width=8, dtype=jnp.bfloat16), LATENTS),
        (ResNetDiscriminator(8, "group", dtype=jnp.bfloat16), IMAGES),
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
        ((30, 30, 1), "ResNet images have a height of .* which 30 is not"),
        ((28, 32, 1), "ResNet images of 28x32 pixels need 2 doublings"),
        ((2,), r"ResNet needs images \(H, W, C\), but got samples of shape \(2,\)"),
    ],
)
def test_sizes_that_are_not_allowed(shape, message):
    with pytest.raises(ValueError, match=message):
        ResNetGenerator(shape)
    with pytest.raises(ValueError, match=message):
        _shapes(ResNetDiscriminator(), jnp.ones((2, *shape)))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (ResNetGenerator, {"shape": (8, 8, 1), "width": 0}, "ResNetGenerator has width=0"),
        (ResNetDiscriminator, {"dropout": 1.0}, "dropout=1.0; allowed is 0 <= dropout < 1"),
        (ResNetDiscriminator, {"normalization": "layer"}, "normalization is 'layer'"),
    ],
)
def test_options_out_of_range(network, options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)


def test_one_group_is_layer_normalization():
    """The authors' for the discriminator: over height, width and channels of each image."""
    network = ResNetDiscriminator(8, "group", groups=1)
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    variables = network.init(jax.random.key(0), images, train=True)
    found = network.apply(
        variables, images, train=True, mutable=["intermediates"], capture_intermediates=True
    )
    seen = found[1]["intermediates"]["ResidualBlock_1"]["GroupNorm_0"]["__call__"][0]
    np.testing.assert_allclose(seen.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(seen.var((1, 2, 3)), 1, atol=1e-3)
