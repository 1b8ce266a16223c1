"""SRGAN's networks: the quoted count, images of any size, skips and slopes, how they start.

The generator is held against one written with PyTorch's functions.
"""

import functools
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan.networks import parameter_count
from jaxgan.networks.super_resolution import (
    SRGANDiscriminator,
    SRGANDiscriminatorOptions,
    SRResNet,
    SuperResolutionOptions,
    make_sr_resnet,
    make_srgan_discriminator,
)
from jaxgan.options import check_values

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, (2, 5, 6, 3)).astype(np.float32)
LARGE = RANDOM.uniform(-1, 1, (3, 16, 19, 3)).astype(np.float32)
SMALL = SRResNet(2, factor=2, blocks=1, width=4)
JUDGE = SRGANDiscriminator(width=2, hidden=8)


def _shapes(network, *inputs):
    """Output and variables of a network as shapes, without computing anything."""
    init = functools.partial(network.init_with_output, train=True)
    return jax.eval_shape(init, jax.random.key(0), *inputs)


def _variables(network, *inputs):
    """Some variables that fit the network, made without compiling its `init`."""

    def draw(leaf):
        low, high = (-0.3, 0.3) if leaf.ndim > 1 else (0.5, 1.5)  # scales and variances: positive
        return RANDOM.uniform(low, high, leaf.shape).astype(leaf.dtype)

    return jax.tree.map(draw, _shapes(network, *inputs)[1])


def _use(network, variables, *inputs):
    return np.asarray(jax.jit(functools.partial(network.apply, train=False))(variables, *inputs))


def test_parameter_count_as_quoted():
    """1.549 million by 4: a bias in every convolution, 19 slopes of PReLU."""
    image = jax.ShapeDtypeStruct((1, 24, 24, 3), jnp.float32)
    network = make_sr_resnet(SuperResolutionOptions(), 3)
    variables = jax.eval_shape(network.init, jax.random.key(0), image)
    assert parameter_count(variables.params) == 1_549_462
    first, last, inner = 81 * 3 * 64 + 64, 81 * 64 * 3 + 3, 9 * 64 * 64 + 64
    block, doubling = 2 * (inner + 2 * 64) + 1, 9 * 64 * 256 + 256 + 1
    assert first + 1 + 16 * block + inner + 2 * 64 + 2 * doubling + last == 1_549_462
    slopes = [v["negative_slope"] for k, v in variables.params.items() if "PReLU" in k]
    assert [slope.shape for slope in slopes] == [()] * 19


def test_parameter_count_of_the_discriminator():
    image = jax.ShapeDtypeStruct((1, 96, 96, 3), jnp.float32)
    network = make_srgan_discriminator(SRGANDiscriminatorOptions())
    params = jax.eval_shape(network.init, jax.random.key(0), image).params
    widths = [3, 64, 64, 128, 128, 256, 256, 512, 512]
    convolutions = sum(9 * a * b + b for a, b in itertools.pairwise(widths))
    normalizations = 2 * sum(widths[2:])
    dense = (6 * 6 * 512 * 1024 + 1024) + (1024 + 1)
    assert parameter_count(params) == convolutions + normalizations + dense == 23_565_505
    assert [params[f"BatchNorm_{i}"]["scale"].size for i in range(7)] == widths[2:]


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (24, 24)])
def test_images_of_any_size_grow_by_the_factor(factor, size):
    network = SRResNet(2, factor, blocks=1, width=4)
    images, variables = _shapes(network, jnp.ones((3, *size, 1)))
    assert images.shape == (3, factor * size[0], factor * size[1], 2)
    assert images.dtype == jnp.float32
    shuffled = [k for k, v in variables["params"].items() if v.get("bias", np.ones(0)).size == 16]
    assert len(shuffled) == {2: 1, 4: 2, 8: 3}[factor]


def test_a_generator_takes_other_sizes_than_it_was_started_with():
    variables = _variables(SMALL, IMAGES)
    assert _use(SMALL, variables, np.zeros((1, 3, 9, 3), np.float32)).shape == (1, 6, 18, 2)


def test_all_layers_as_in_pytorch():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    variables = _variables(SMALL, IMAGES)
    params = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf)), variables["params"])
    stats = jax.tree.map(torch.from_numpy, variables["batch_stats"])

    def conv(x, i):
        kernel = params[f"Conv_{i}"]["kernel"].permute(3, 2, 0, 1)
        return functional.conv2d(x, kernel, params[f"Conv_{i}"]["bias"], padding="same")

    def norm(x, i):
        learnt, seen = params[f"BatchNorm_{i}"], stats[f"BatchNorm_{i}"]
        return functional.batch_norm(
            x, seen["mean"], seen["var"], learnt["scale"], learnt["bias"], eps=1e-5
        )

    def prelu(x, i):
        return functional.prelu(x, params[f"PReLU_{i}"]["negative_slope"].reshape(1))

    first = prelu(conv(torch.from_numpy(IMAGES).permute(0, 3, 1, 2), 0), 0)
    x = first + norm(conv(prelu(norm(conv(first, 1), 0), 1), 2), 1)
    x = first + norm(conv(x, 3), 2)
    x = conv(prelu(functional.pixel_shuffle(conv(x, 4), 2), 2), 5)
    expected = x.permute(0, 2, 3, 1).numpy()
    images = _use(SMALL, variables, IMAGES)
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(images).max() > 2  # Nothing bounds them,
    bounded = _use(SMALL.clone(bounded=True), variables, IMAGES)
    np.testing.assert_allclose(bounded, np.tanh(images), rtol=1e-4, atol=1e-5)  # unless asked.


def test_what_a_pixel_sees():
    """9x9 at the small size, 3x3 four times, and of the last 9x9 what two pixels more span."""
    image = RANDOM.normal(size=(1, 1, 41, 3)).astype(np.float32)
    variables = _variables(SMALL, image)

    @jax.jit
    def gradient(image):
        return jax.grad(lambda x: SMALL.apply(variables, x, train=False)[0, 0, 40].sum())(image)

    seen = np.flatnonzero(np.abs(gradient(image)).sum((0, 1, 3)))
    # Pixel 40 reads pixels 36 to 44, made of pixels 18 to 22; each reads 4 + 4 to either side.
    np.testing.assert_array_equal(seen, np.arange(18 - 8, 22 + 8 + 1))


def test_blocks_add_to_what_they_get():
    """Blocks whose weights are 0 are the identity, and the long skip is past all of them."""
    network = SRResNet(2, 2, blocks=2, width=4, normalization="none")
    variables = _variables(network, IMAGES)
    zeros = dict(variables["params"])
    for i in range(1, 5):
        zeros[f"Conv_{i}"] = jax.tree.map(np.zeros_like, zeros[f"Conv_{i}"])
    plain = SRResNet(2, 2, blocks=0, width=4, normalization="none")
    left = {name: zeros[f"Conv_{i}"] for name, i in (("Conv_0", 0), ("Conv_1", 5))}
    left |= {name: zeros[f"Conv_{i}"] for name, i in (("Conv_2", 6), ("Conv_3", 7))}
    left |= {name: zeros[f"PReLU_{i}"] for name, i in (("PReLU_0", 0), ("PReLU_1", 3))}
    without = _use(plain, {"params": left}, IMAGES)
    np.testing.assert_allclose(_use(network, {"params": zeros}, IMAGES), without, rtol=1e-5)
    # With the layer after the blocks at 0 as well, what is left is the first layer's output.
    for params, name in ((zeros, "Conv_5"), (left, "Conv_1")):
        params[name] = jax.tree.map(np.zeros_like, params[name])
    alone = _use(network, {"params": zeros}, IMAGES)
    np.testing.assert_allclose(alone, _use(plain, {"params": left}, IMAGES), rtol=1e-5)
    assert np.abs(alone).max() > 0.1
    assert np.abs(alone - without).max() > 0.1


def test_initial_parameters():
    network = SRResNet(3, 2, blocks=1, width=32, normalization="none")
    images = np.zeros((1, 4, 4, 3), np.float32)
    init = functools.partial(network.init, train=False)
    params = jax.jit(init)(jax.random.key(0), images)["params"]
    # The second of the block and the one before the image are small.
    for name, fan_in, share in (("Conv_1", 288, 1), ("Conv_2", 288, 0.1), ("Conv_5", 2592, 0.1)):
        deviation = share * np.sqrt(2 / fan_in)
        assert float(params[name]["kernel"].std()) == pytest.approx(deviation, rel=0.05)
    assert all(float(params[f"PReLU_{i}"]["negative_slope"]) == 0.25 for i in range(3))


def test_an_untrained_generator_gives_nearly_grey_images():
    """With all kernels of one kind it is 4.4 after four blocks alone."""
    network = SRResNet(3, 2, blocks=4, width=8, normalization="none")
    images = RANDOM.uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    apply = functools.partial(network.init_with_output, train=True)
    made, _ = jax.jit(apply)(jax.random.key(0), images)
    assert 0.05 < float(made.std()) < 0.25


def test_a_generator_learns_by_pixels_alone():
    """Fifty steps of Adam on a picture leave less than half the error of repeated pixels."""
    rows = np.linspace(-1, 1, 16, dtype=np.float32)
    large = np.sin(3 * rows[:, None] + 2 * rows)[None, :, :, None]
    small = large.reshape(1, 8, 2, 8, 2, 1).mean((2, 4))
    network = SRResNet(1, 2, blocks=1, width=8, normalization="none")
    optimizer = optax.adam(1e-3)

    def loss(variables):
        return jnp.square(network.apply(variables, small, train=True) - large).mean()

    @jax.jit
    def step(variables, state):
        value, gradient = jax.value_and_grad(loss)(variables)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(variables, updates), state, value

    variables = jax.jit(functools.partial(network.init, train=True))(jax.random.key(0), small)
    state = optimizer.init(variables)
    for _ in range(50):
        variables, state, value = step(variables, state)
    repeated = np.square(small.repeat(2, 1).repeat(2, 2) - large).mean()
    assert float(value) < 0.5 * repeated


@pytest.mark.parametrize("normalization", ["batch", "none"])
def test_normalization_is_an_option(normalization):
    network = make_sr_resnet(SuperResolutionOptions(2, 1, 4, normalization), 3)
    variables = jax.eval_shape(network.init, jax.random.key(0), IMAGES)
    norms = [name for name in variables.params if "Norm" in name]
    assert len(norms) == (3 if normalization == "batch" else 0)
    assert set(variables.state) == ({"batch_stats"} if norms else set())


def test_batch_statistics_are_of_the_batch_in_training_and_remembered_after():
    variables = _variables(SMALL, IMAGES)
    apply = jax.jit(functools.partial(SMALL.apply, train=True, mutable=["batch_stats"]))
    together, updated = apply(variables, IMAGES)
    alone, _ = apply(variables, IMAGES[:1])
    assert np.abs(together[:1] - alone).max() > 1e-3
    moved = jax.tree.map(
        lambda a, b: np.abs(a - b).max() > 0, variables["batch_stats"], updated["batch_stats"]
    )
    assert all(jax.tree.leaves(moved))
    used = _use(SMALL, variables | updated, IMAGES)
    np.testing.assert_allclose(
        used[:1], _use(SMALL, variables | updated, IMAGES[:1]), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("size", "last"), [((16, 16), 1), ((17, 16), 2), ((33, 50), 12), ((96, 96), 36)]
)
def test_a_logit_an_image(size, last):
    """The dense layer reads a sixteenth of each side, rounded up, of eight widths."""
    logits, variables = _shapes(JUDGE, jnp.ones((3, *size, 1)))
    assert (logits.shape, logits.dtype) == ((3,), jnp.float32)
    assert variables["params"]["Dense_0"]["kernel"].shape == (last * 16, 8)


def test_features_are_what_the_convolutions_give():
    options = SRGANDiscriminatorOptions(width=2, hidden=4)
    judge = make_srgan_discriminator(options, with_features=True)
    variables = judge.init(jax.random.key(0), LARGE)
    output, _ = judge.apply(variables, LARGE, train=False)
    alone, _ = make_srgan_discriminator(options).apply(variables, LARGE, train=False)
    np.testing.assert_array_equal(output["logits"], alone)
    channels = [each.shape[-1] for each in output["features"]]
    assert channels == [2, 2, 4, 4, 8, 8, 16, 16]
    sides = [each.shape[1] for each in output["features"]]
    side = LARGE.shape[1]
    assert sides == [-(-side // 2 ** ((i + 1) // 2)) for i in range(8)]


def test_a_logit_is_linear_in_the_last_layer():
    """No sigmoid: twice the weights, twice the logit."""
    variables = _variables(JUDGE, LARGE)
    params = variables["params"]
    double = {**params, "Dense_1": jax.tree.map(lambda p: 2 * p, params["Dense_1"])}
    logits = _use(JUDGE, variables, LARGE)
    np.testing.assert_allclose(
        _use(JUDGE, variables | {"params": double}, LARGE), 2 * logits, rtol=1e-5
    )
    assert len(np.unique(logits)) == 3


def test_a_discriminator_without_batch_statistics_scores_each_image_alone():
    network = SRGANDiscriminator(4, 8, "group")
    variables = _variables(network, LARGE)
    apply = jax.jit(functools.partial(network.apply, train=True))
    np.testing.assert_allclose(
        apply(variables, LARGE[1:2]), apply(variables, LARGE)[1:2], rtol=1e-4, atol=1e-4
    )


def _program(network, images):
    variables = jax.eval_shape(network.init, jax.random.key(0), images)
    program = jax.make_jaxpr(functools.partial(network.apply, train=True))(variables, images)
    types = {leaf.dtype for leaf in jax.tree.leaves(variables)}
    assert types == {leaf.dtype for leaf in program.out_avals} == {jnp.dtype("float32")}
    return str(program), variables


def test_networks_follow_their_options():
    options = {"factor": 2, "blocks": 1, "width": 4}
    program, variables = _program(make_sr_resnet(SuperResolutionOptions(**options), 2), IMAGES)
    assert {"params": variables.params} | variables.state == _shapes(SMALL, IMAGES)[1]
    assert not re.search("bf16|tanh", program)
    bounded = SuperResolutionOptions(**options, bounded=True)
    assert "tanh" in _program(make_sr_resnet(bounded, 2), IMAGES)[0]
    judged = SRGANDiscriminatorOptions(width=2, hidden=8)
    _, variables = _program(make_srgan_discriminator(judged), LARGE)
    assert {"params": variables.params} | variables.state == _shapes(JUDGE, LARGE)[1]
    bare = SRGANDiscriminatorOptions(width=2, hidden=8, normalization="none")
    assert _program(make_srgan_discriminator(bare), LARGE)[1].state == {}


@pytest.mark.parametrize(
    ("network", "images", "layers"),
    [
        (make_sr_resnet(SuperResolutionOptions(2, 1, 4, dtype="bfloat16"), 2), IMAGES, 6),
        (make_srgan_discriminator(SRGANDiscriminatorOptions(2, 8, dtype="bfloat16")), LARGE, 8),
    ],
)
def test_bfloat16_computation_keeps_parameters_and_outputs_float32(network, images, layers):
    program, _ = _program(network, images)
    convolutions = re.findall(r":\w+\[[\d,]+\] = \w*conv_\w+\[", program)
    assert len(convolutions) == layers
    assert all(":bf16" in line for line in convolutions)
    sums = [line for line in program.splitlines() if "= reduce_sum[" in line]
    assert sums
    assert all(":f32" in line for line in sums)


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (SMALL, (8, 8, 3), r"shape \[B, H, W, C\], not \(8, 8, 3\)"),
        (JUDGE, (16, 16, 3), r"shape \[B, H, W, C\], not \(16, 16, 3\)"),
        (JUDGE, (1, 15, 32, 3), "images of 16 pixels a side or more, not 15x32"),
    ],
)
def test_images_that_do_not_fit(network, shape, message):
    with pytest.raises(ValueError, match=message):
        _shapes(network, jnp.ones(shape))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (SRResNet, {"channels": 0}, "SRResNet has channels=0"),
        (SRResNet, {"channels": 3, "factor": 3}, "SRResNet has factor=3; allowed are 2, 4 and 8"),
        (SRResNet, {"channels": 3, "factor": 16}, "factor=16; allowed are 2, 4 and 8"),
        (SRResNet, {"channels": 3, "blocks": -1}, "blocks=-1; allowed is 0 or more"),
        (SRGANDiscriminator, {"width": 0}, "SRGANDiscriminator has width=0"),
        (SRGANDiscriminator, {"hidden": 0}, "SRGANDiscriminator has hidden=0"),
        (SRGANDiscriminator, {"normalization": "layer"}, "normalization is 'layer'"),
    ],
)
def test_attributes_out_of_range(network, options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SuperResolutionOptions(factor=3), "factor must be one of 2, 4, 8, not 3"),
        (SuperResolutionOptions(normalization="group"), "must be one of batch, none"),
        (SuperResolutionOptions(width=0), "width must be 1 or more, not 0"),
        (SuperResolutionOptions(blocks=101), "blocks must be 100 or less, not 101"),
        (SRGANDiscriminatorOptions(hidden=0), "hidden must be 1 or more, not 0"),
        (SRGANDiscriminatorOptions(dtype="float16"), "dtype must be one of float32, bfloat16"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        check_values(options)
