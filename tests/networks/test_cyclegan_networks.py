import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks.cyclegan import (
    PatchDiscriminator,
    PatchOptions,
    Stage,
    TranslationGenerator,
    TranslatorOptions,
    make_patch_discriminator,
    make_translator,
)

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 12, 16, 3)).astype(np.float32)
SMALL = TranslationGenerator(2, width=4, blocks=1)


def _shapes(network, *inputs):
    """Output and variables of a network as shapes, without computing anything."""
    init = functools.partial(network.init_with_output, train=True)
    return jax.eval_shape(init, jax.random.key(0), *inputs)


def _variables(network, *inputs):
    """Some variables that fit the network, made without compiling its `init`."""
    return jax.tree.map(
        lambda leaf: RANDOM.uniform(-0.5, 0.5, leaf.shape).astype(leaf.dtype),
        _shapes(network, *inputs)[1],
    )


def _apply(network, variables, *inputs, train=False):
    return jax.jit(functools.partial(network.apply, train=train))(variables, *inputs)


def _apply_stage(stage, params, x):
    return jax.jit(stage.apply)({"params": params}, x)


def _count(variables):
    assert set(variables) == {"params"}
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def test_parameter_counts_of_the_paper():
    """11.378 and 2.765 million, the figures quoted for the authors' code."""
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    translated, variables = _shapes(TranslationGenerator(3), image)
    assert translated.shape == image.shape
    assert _count(variables) == 11_378_179
    biases = 64 + 128 + 256 + 9 * 2 * 256 + 128 + 64  # before normalizations; else 11.373 million
    assert round((11_378_179 - biases) / 1e6, 3) == 11.373
    logits, variables = _shapes(PatchDiscriminator(), image)
    assert logits.shape == (1, 30, 30, 1)
    assert _count(variables) == 2_764_737
    assert round((2_764_737 - (128 + 256 + 512)) / 1e6, 3) == 2.764


def test_the_conditional_discriminator_has_the_parameters_of_pix2pix():
    """Image beside condition, batch normalization, no bias before it: 2.769 million."""
    pair = jax.ShapeDtypeStruct((1, 256, 256, 6), jnp.float32)
    network = PatchDiscriminator(normalization="batch", inner_bias=False)
    logits, variables = _shapes(network, pair)
    assert logits.shape == (1, 30, 30, 1)
    assert _count({"params": variables["params"]}) == 2_768_705
    options = PatchOptions(normalization="batch", inner_bias=False)
    by_options = jax.eval_shape(make_patch_discriminator(options).init, jax.random.key(0), pair)
    assert by_options.params == variables["params"]
    assert set(by_options.state) == {"batch_stats"}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_features_are_what_the_hidden_layers_give(dtype):
    options = PatchOptions(width=4, layers=2, normalization="batch", dtype=dtype)
    plain, rich = (make_patch_discriminator(options, with_features=f) for f in (False, True))
    images = RANDOM.normal(size=(2, 12, 16, 3)).astype(np.float32)
    variables = jax.jit(plain.init)(jax.random.key(0), images)
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), variables)
    found = jax.eval_shape(rich.init, jax.random.key(0), images)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), found) == shapes
    logits, state = jax.jit(functools.partial(plain.apply, train=True))(variables, images)
    output, rich_state = jax.jit(functools.partial(rich.apply, train=True))(variables, images)
    assert set(output) == {"logits", "features"}
    np.testing.assert_allclose(output["logits"], logits, rtol=1e-5, atol=1e-6)
    jax.tree.map(np.testing.assert_allclose, rich_state, state)
    features = output["features"]
    assert [(layer.shape, layer.dtype) for layer in features] == [
        ((2, 6, 8, 4), jnp.float32),
        ((2, 3, 4, 8), jnp.float32),
        ((2, 2, 3, 16), jnp.float32),
    ]
    # The first is LeakyReLU of a plain convolution, the last is what the logits are made from.
    first, last = variables.params["Conv_0"], variables.params["Conv_3"]
    tolerance = {"float32": 1e-4, "bfloat16": 2e-2}[dtype]
    expected = _convolution(images, first, 2)
    expected = np.where(expected > 0, expected, 0.2 * expected)
    np.testing.assert_allclose(features[0], expected, rtol=tolerance, atol=tolerance / 10)
    again = _convolution(np.asarray(features[-1]), last, 1)
    np.testing.assert_allclose(output["logits"], again, rtol=1e-4, atol=1e-5)


def _convolution(x, params, stride):
    """A 4x4 convolution padded by one pixel, by NumPy alone."""
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (4, 4), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]  # [B, h, w, C, 4, 4]
    return np.einsum("bhwcij,ijco->bhwo", windows, params["kernel"]) + np.asarray(params["bias"])


def test_without_features_the_program_is_the_one_it_was():
    """No hidden layer is kept, and no operation added."""
    program, _ = _training_pass(make_patch_discriminator(PatchOptions(width=4, layers=1)))
    rich = make_patch_discriminator(PatchOptions(width=4, layers=1), with_features=True)
    with_features, _ = _training_pass(rich)
    lines = program.splitlines()
    assert lines[:-1] == with_features.splitlines()[: len(lines) - 1]
    assert program != with_features


def _training_pass(network):
    """Its program, and the types of its parameters."""
    variables = jax.eval_shape(network.init, jax.random.key(0), IMAGES)
    program = jax.make_jaxpr(functools.partial(network.apply, train=True))(variables, IMAGES)
    types = {leaf.dtype for leaf in jax.tree.leaves(variables)}
    assert types == {leaf.dtype for leaf in program.out_avals} == {jnp.dtype("float32")}
    return str(program), variables


def test_networks_follow_their_options():
    options = TranslatorOptions(width=4, blocks=1)
    program, variables = _training_pass(make_translator(options, 2))
    _, expected = _shapes(SMALL, IMAGES)
    assert {"params": variables.params} == expected
    assert not re.search("bf16|prevent_cse", program)
    for change, part in (({"dtype": "bfloat16"}, "bf16"), ({"remat": True}, "prevent_cse")):
        changed = TranslatorOptions(width=4, blocks=1, **change)
        assert part in _training_pass(make_translator(changed, 2))[0]
    patches = PatchOptions(width=4, layers=1)
    program, variables = _training_pass(make_patch_discriminator(patches))
    _, expected = _shapes(PatchDiscriminator(4, 1), IMAGES)
    assert {"params": variables.params} == expected
    assert "bf16" not in program
    half = PatchOptions(width=4, layers=1, dtype="bfloat16")
    assert "bf16" in _training_pass(make_patch_discriminator(half))[0]
    for make in (
        lambda kind: make_translator(TranslatorOptions(4, 1, kind), 2),
        lambda kind: make_patch_discriminator(PatchOptions(4, 1, kind)),
    ):
        assert _training_pass(make("instance"))[1].state == {}
        assert _training_pass(make("batch"))[1].state.keys() == {"batch_stats"}


@pytest.mark.parametrize("size", [(8, 8), (12, 20), (28, 28), (64, 32)])
def test_images_keep_their_size_and_may_change_their_channels(size):
    images, _ = _shapes(SMALL, jnp.ones((3, *size, 1)))
    assert (images.shape, images.dtype) == ((3, *size, 2), jnp.float32)


@pytest.mark.parametrize(
    ("layers", "size", "patches"),
    [(3, (256, 256), (30, 30)), (3, (28, 28), (1, 1)), (2, (28, 28), (5, 5)), (1, (6, 9), (1, 2))],
)
def test_a_logit_a_patch(layers, size, patches):
    logits, _ = _shapes(PatchDiscriminator(4, layers), jnp.ones((2, *size, 3)))
    assert (logits.shape, logits.dtype) == ((2, *patches, 1), jnp.float32)


def test_a_patch_discriminator_by_hand():
    """A vertical edge from -1 to 1, with kernels that take one pixel each."""
    network = PatchDiscriminator(width=1, layers=1)
    image = np.ones((1, 10, 10, 1), np.float32)
    image[:, :, :4] = -1.0
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), _shapes(network, image)[1]["params"])
    for i in range(3):
        params[f"Conv_{i}"]["kernel"][1, 1, 0, 0] = 1.0
    params["Conv_1"]["bias"] += 7.0  # which the normalization takes away
    params["Conv_2"]["bias"] += 0.5
    # 5x5 pixels, of which LeakyReLU leaves -.2 in two columns and 1 in three; 4x4, two columns of
    # each, normalized to -1 and 1; LeakyReLU; 3x3.
    logits = _apply(network, {"params": params}, image)
    np.testing.assert_allclose(logits[0, :, :, 0], [[0.5 - 0.2, 0.5 - 0.2, 1.5]] * 3, atol=1e-4)


def test_stages_by_hand():
    """A picture of two halves: reflected borders are seamless, zeros are not."""
    x = jnp.array([1.0, 1.0, 3.0, 3.0]).reshape(1, 4, 1, 1) * jnp.ones((1, 4, 4, 1))
    outer = Stage(1, "outer")
    params = {"kernel": np.zeros((7, 7, 1, 1)), "bias": np.ones(1)}
    params["kernel"][3] = 1 / 7
    y = _apply_stage(outer, {"Conv_0": params}, x)
    expected = np.repeat([0.0, 0.0, 1.0, 1.0], 4).reshape(1, 4, 4, 1)  # normalized to -1 and 1
    np.testing.assert_allclose(y, expected, atol=1e-4)
    down = Stage(1, "down")
    params = {"kernel": np.zeros((3, 3, 1, 1)), "bias": np.ones(1)}
    params["kernel"][1, 1] = 1.0
    y = _apply_stage(down, {"Conv_0": params}, x)  # pixels 0 and 2
    np.testing.assert_allclose(y[0, :, :, 0], [[0, 0], [1, 1]], atol=1e-4)


def test_images_are_in_range_and_alone():
    """No image sees the others of its batch, nor does training change anything."""
    variables = _variables(SMALL, IMAGES)
    images = _apply(SMALL, variables, IMAGES)
    assert 0.9 < float(jnp.abs(images).max()) <= 1.0
    alone = _apply(SMALL, variables, IMAGES[1:], train=True)
    np.testing.assert_allclose(alone, images[1:], rtol=1e-4, atol=1e-4)


def test_blocks_add_to_what_they_get():
    """Blocks whose weights are 0 are the identity."""
    variables = _variables(SMALL, IMAGES)
    without = {
        "params": {name: p for name, p in variables["params"].items() if "Residual" not in name}
    }
    zeros = jax.tree.map(jnp.zeros_like, variables["params"]["ResidualBlock_0"])
    variables = {"params": {**variables["params"], "ResidualBlock_0": zeros}}
    np.testing.assert_allclose(
        _apply(SMALL, variables, IMAGES), _apply(SMALL.clone(blocks=0), without, IMAGES), rtol=1e-5
    )


@pytest.mark.parametrize("remat", [False, True])
def test_batch_statistics_are_of_the_batch_in_training_and_remembered_after(remat):
    network = TranslationGenerator(2, width=4, blocks=1, normalization="batch", remat=remat)
    variables = jax.jit(functools.partial(network.init, train=True))(jax.random.key(0), IMAGES)
    assert set(variables) == {"params", "batch_stats"}
    apply = functools.partial(network.apply, train=True, mutable=["batch_stats"])
    together, updated = jax.jit(apply)(variables, IMAGES)
    alone, _ = jax.jit(apply)(variables, IMAGES[:1])
    assert np.abs(together[:1] - alone).max() > 1e-3  # Company matters.
    old, new = (
        np.concatenate([x.ravel() for x in jax.tree.leaves(v["batch_stats"])])
        for v in (variables, updated)
    )
    assert np.abs(old - new).max() > 1e-2
    used = _apply(network, variables | updated, IMAGES)
    np.testing.assert_allclose(
        used[:1], _apply(network, variables | updated, IMAGES[:1]), atol=1e-5
    )


def test_a_discriminator_may_have_other_normalizations():
    image = jax.ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)
    counts = {}
    for kind in ("instance", "group", "none"):
        _, variables = _shapes(PatchDiscriminator(8, 2, kind), image)
        counts[kind] = _count(variables)
    # A scale and a shift a channel of the two layers that are normalized.
    assert counts["group"] == counts["instance"] + 2 * (16 + 32)
    assert counts["none"] == counts["instance"]


def test_biases_before_a_normalization_may_be_left_out():
    """As the authors' code does before batch normalization."""
    image = jax.ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)
    for network, inner in (
        (SMALL, 4 + 8 + 16 + 2 * 16 + 8 + 4),
        (PatchDiscriminator(8, 2), 16 + 32),
    ):
        with_all, without = (
            _count(_shapes(network.clone(inner_bias=bias), image)[1]) for bias in (True, False)
        )
        assert with_all - without == inner


def test_initial_weights():
    stage = Stage(32, "down")
    params = jax.jit(stage.init)(jax.random.key(0), jnp.ones((1, 4, 4, 16)))["params"]["Conv_0"]
    assert float(params["kernel"].std()) == pytest.approx(0.02, rel=0.05)
    np.testing.assert_array_equal(params["bias"], np.zeros(32))


def test_recomputed_stages_and_blocks_give_the_same_gradients():
    images = IMAGES[:, :8, :8]
    variables = _variables(SMALL, images)

    @jax.jit
    def results(variables):
        def loss(variables, network):
            return jnp.sum(network.apply(variables, images, train=True) ** 2)

        networks = (SMALL, SMALL.clone(remat=True))
        return [jax.value_and_grad(loss)(variables, network) for network in networks]

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(
            a, b, rtol=1e-4, atol=1e-4 * max(1, np.abs(b).max())
        ),
        *results(variables),
    )


def test_recomputed_stages_and_blocks_have_the_same_variables_and_keep_less():
    network = SMALL.clone(blocks=4)
    again = network.clone(remat=True)
    images = jnp.ones((1, 64, 64, 3))
    variables = _shapes(network, images)[1]
    assert _shapes(again, images)[1] == variables

    def kept(network):
        """Numbers kept for the backward pass, as shapes tell without computing anything."""

        def backward(variables):
            return jax.vjp(lambda v: network.apply(v, images, train=True), variables)[1]

        return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(backward, variables)))

    assert kept(again) < 0.5 * kept(network)


@pytest.mark.parametrize("network", [SMALL, PatchDiscriminator(4, 1)])
def test_bfloat16_computation_keeps_parameters_and_outputs_float32(network):
    network = network.clone(dtype=jnp.bfloat16)
    output, variables = _shapes(network, IMAGES)
    assert {leaf.dtype for leaf in jax.tree.leaves((output, variables))} == {jnp.dtype("float32")}
    jaxpr = str(jax.make_jaxpr(functools.partial(network.apply, train=False))(variables, IMAGES))
    convolutions = re.findall(r":\w+\[[\d,]+\] = \w*conv_\w+\[", jaxpr)
    half = sum(":bf16" in line for line in convolutions)
    # The last layer of the discriminator makes the logits.
    assert half == len(convolutions) - isinstance(network, PatchDiscriminator)
    # Statistics: no sum over pixels is taken in bfloat16.
    sums = [line for line in jaxpr.splitlines() if "= reduce_sum[" in line]
    assert sums
    assert all(":f32" in line for line in sums)


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (SMALL, (1, 30, 32, 3), "multiples of 4, 8 or more, not 30x32"),
        (SMALL, (1, 32, 31, 3), "multiples of 4, 8 or more, not 32x31"),
        (SMALL, (1, 4, 8, 3), "multiples of 4, 8 or more, not 4x8"),
        (SMALL, (32, 32, 3), r"shape \[B, H, W, C\], not \(32, 32, 3\)"),
        (PatchDiscriminator(with_features=True), (1, 8, 8, 3), "images of 24 pixels .*, not 8x8"),
        (PatchDiscriminator(), (1, 23, 64, 3), "3 layers takes images of 24 pixels .*, not 23x64"),
        (PatchDiscriminator(layers=1), (1, 5, 5, 3), "1 layers takes images of 6 pixels"),
    ],
)
def test_images_that_do_not_fit(network, shape, message):
    with pytest.raises(ValueError, match=message):
        _shapes(network, jnp.ones(shape))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (TranslationGenerator, {"channels": 0}, "TranslationGenerator has channels=0"),
        (TranslationGenerator, {"channels": 3, "blocks": -1}, "blocks=-1; allowed is 0 or more"),
        (PatchDiscriminator, {"layers": 0}, "PatchDiscriminator has layers=0; allowed is 1 or"),
        (PatchDiscriminator, {"width": 0}, "PatchDiscriminator has width=0"),
    ],
)
def test_options_out_of_range(network, options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)
