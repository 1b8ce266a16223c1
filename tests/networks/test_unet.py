"""The U-Net: published counts, what is carried past the depth, where dropout is, which sizes fit.

The whole network is held against one written with PyTorch's functions.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks import Variables, parameter_count
from jaxgan.networks.unet import UNet, UNetOptions, depth_of, make_unet
from jaxgan.options import check_values

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, (2, 8, 16, 3)).astype(np.float32)
SMALL = UNet(2, width=4, depth=3)
KEYS = {name: jax.random.key(seed) for seed, name in enumerate(("params", "dropout"))}


def _shapes(network, *inputs):
    """Output and variables of a network as shapes, without computing anything."""
    init = functools.partial(network.init_with_output, train=True)
    return jax.eval_shape(init, KEYS, *inputs)


def _variables(network, *inputs):
    """Some variables that fit the network, made without compiling its `init`."""

    def draw(leaf):
        low, high = (-0.3, 0.3) if leaf.ndim > 1 else (0.5, 1.5)  # scales and variances: positive
        return RANDOM.uniform(low, high, leaf.shape).astype(leaf.dtype)

    return jax.tree.map(draw, _shapes(network, *inputs)[1])


def _use(network, variables, *inputs):
    return np.asarray(jax.jit(functools.partial(network.apply, train=False))(variables, *inputs))


@pytest.mark.parametrize(("size", "count"), [(256, 54_413_955), (128, 41_828_995)])
def test_parameter_counts_as_published(size, count):
    image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    network = make_unet(UNetOptions(), (size, size, 3))
    variables = jax.eval_shape(network.init, jax.random.key(0), image)
    assert parameter_count(variables.params) == count
    # 512 channels to 512 by 4x4 weights, with a normalization on the way down: a layer more, and
    # twice as many channels with another normalization on the way up.
    if size == 256:
        assert count - 41_828_995 == 3 * 16 * 512 * 512 + 2 * (512 + 512)


def test_layers_by_depth():
    """Channels double up to eight widths; each layer up but the first reads twice as many."""
    _, variables = _shapes(UNet(2, 4, 6), jnp.ones((2, 64, 64, 3)))
    kernels = {k: v["kernel"].shape for k, v in variables["params"].items() if "kernel" in v}
    down = [kernels[f"Conv_{i}"][2:] for i in range(6)]
    up = [kernels[f"ConvTranspose_{i}"][2:] for i in range(6)]
    assert down == [(3, 4), (4, 8), (8, 16), (16, 32), (32, 32), (32, 32)]
    assert up == [(32, 32), (64, 32), (64, 16), (32, 8), (16, 4), (8, 2)]
    assert {shape[:2] for shape in kernels.values()} == {(4, 4)}
    norms = [v["scale"].size for k, v in variables["params"].items() if "BatchNorm" in k]
    # Down but the first and the innermost, up but the last.
    assert norms == [8, 16, 32, 32, 32, 32, 16, 8, 4]


@pytest.mark.parametrize(
    ("normalization", "biases"),
    [("batch", 1), ("instance", 1), ("group", 1), ("none", 6)],
)
def test_biases_are_in_the_last_layer_and_where_nothing_is_normalized(normalization, biases):
    network = SMALL.clone(normalization=normalization)
    params = _shapes(network, IMAGES)[1]["params"]
    assert sum("bias" in params[k] for k in params if "Conv" in k) == biases
    assert params["ConvTranspose_2"]["bias"].shape == (2,)


@pytest.mark.parametrize(
    ("shape", "depth"),
    [((8, 8, 1), 3), ((28, 28, 1), 2), ((64, 32, 3), 5), ((48, 80, 3), 4), ((512, 512, 3), 8)],
)
def test_as_deep_as_the_image_allows(shape, depth):
    assert depth_of(shape) == depth
    network = make_unet(UNetOptions(width=2), shape)
    images = jax.ShapeDtypeStruct((3, *shape[:2], 5), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), images)
    assert sum("ConvTranspose" in name for name in variables.params) == depth
    apply = functools.partial(network.apply, train=False)
    output, _ = jax.eval_shape(apply, variables, images)
    assert (output.shape, output.dtype) == ((3, *shape), jnp.float32)


def test_a_depth_may_be_chosen():
    assert depth_of((256, 256, 3), 2) == 2
    assert depth_of((96, 64, 3), 5) == 5


def test_a_network_takes_other_sizes_than_it_was_made_for():
    variables = _variables(SMALL, IMAGES)
    assert _use(SMALL, variables, np.zeros((1, 24, 8, 3), np.float32)).shape == (1, 24, 8, 2)


def test_all_layers_as_in_pytorch():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    variables = _variables(SMALL, IMAGES)
    params = jax.tree.map(torch.from_numpy, variables["params"])
    stats = jax.tree.map(torch.from_numpy, variables["batch_stats"])

    def down(x, i):
        return functional.conv2d(x, params[f"Conv_{i}"]["kernel"].permute(3, 2, 0, 1), None, 2, 1)

    def up(x, i):
        kernel = params[f"ConvTranspose_{i}"]["kernel"].flip(0, 1).permute(2, 3, 0, 1)
        return functional.conv_transpose2d(
            x, kernel, params[f"ConvTranspose_{i}"].get("bias"), 2, 1
        )

    def norm(x, i):
        learnt, seen = params[f"BatchNorm_{i}"], stats[f"BatchNorm_{i}"]
        return functional.batch_norm(
            x, seen["mean"], seen["var"], learnt["scale"], learnt["bias"], eps=1e-5
        )

    def leaky(x):
        return functional.leaky_relu(x, 0.2)

    first = down(torch.from_numpy(IMAGES).permute(0, 3, 1, 2), 0)
    second = norm(down(leaky(first), 1), 0)
    third = down(leaky(second), 2)
    x = torch.cat([norm(up(third.relu(), 0), 1), second], 1)
    x = torch.cat([norm(up(x.relu(), 1), 2), first], 1)
    expected = torch.tanh(up(x.relu(), 2)).permute(0, 2, 3, 1).numpy()
    images = _use(SMALL, variables, IMAGES)
    assert images.std() > 0.1
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


def _reach(variables):
    """Which pixels of a row of 32 an output pixel depends on, by its gradient."""
    image = RANDOM.normal(size=(1, 32, 32, 3)).astype(np.float32)

    @jax.jit
    def gradient(image):
        return jax.grad(lambda x: SMALL.apply(variables, x, train=False)[0, 16, 16].sum())(image)

    return np.flatnonzero(np.abs(gradient(image)).sum((0, 1, 3)))


def test_skips_carry_what_the_innermost_layers_do_not():
    """Without the way through the depth an output pixel sees a few pixels about its own."""
    variables = _variables(SMALL, IMAGES)
    whole = _reach(variables)
    params = dict(variables["params"])
    for innermost in range(2):  # Then only the outermost skip is left.
        name = f"ConvTranspose_{innermost}"
        params[name] = jax.tree.map(np.zeros_like, params[name])
    shallow = _reach({**variables, "params": params})
    # By 4x4 kernels of stride 2 a pixel reads two pixels of half the size, and those six.
    np.testing.assert_array_equal(shallow, np.arange(13, 19))
    assert len(whole) > 15
    # And with the outermost skip cut as well nothing of the image is left.
    kernel = params["ConvTranspose_2"]["kernel"].copy()
    kernel[:, :, 4:] = 0.0
    params["ConvTranspose_2"] = params["ConvTranspose_2"] | {"kernel": kernel}
    assert len(_reach({**variables, "params": params})) == 0


def _dropping(depth):
    """Layers of normalization after which something is dropped, by its shape, in order."""
    network = UNet(1, 2, depth)
    images = jax.ShapeDtypeStruct((1, 1 << depth, 1 << depth, 1), jnp.float32)
    variables = _shapes(network, images)[1]
    apply = functools.partial(network.apply, train=True, mutable=["batch_stats"])
    program = jax.make_jaxpr(lambda v, x, key: apply(v, x, rngs={"dropout": key}))
    text = str(program(variables, images, jax.random.key(0)))
    drawn = re.findall(r":u32\[1,(\d+),\1,(\d+)\] = random_bits", text)
    return [(int(side), int(channels)) for side, channels in drawn]


@pytest.mark.parametrize("depth", range(2, 9))
def test_dropout_is_in_the_first_three_layers_up_of_eight_widths(depth):
    sides = [2, 4, 8][: max(0, depth - 4)]
    assert _dropping(depth) == [(side, 16) for side in sides]


def test_dropout_is_a_function_of_the_key_and_off_in_use():
    network = make_unet(UNetOptions(width=2), (32, 32, 1))
    images = RANDOM.uniform(-1, 1, (2, 32, 32, 1)).astype(np.float32)
    known = _variables(UNet(1, 2, 5), images)
    variables = Variables(known["params"], {"batch_stats": known["batch_stats"]})

    @functools.partial(jax.jit, static_argnames="train")
    def apply(seed, train):
        return network.apply(variables, images, train=train, key=jax.random.key(seed))[0]

    first, again, other = (np.asarray(apply(seed, train=True)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    np.testing.assert_array_equal(*(apply(seed, train=False) for seed in (0, 1)))


def test_images_are_in_range_and_alone_in_use():
    """In use no image sees the others of its batch."""
    variables = _variables(SMALL, IMAGES)
    images = _use(SMALL, variables, 100 * IMAGES)
    assert 0.9 < np.abs(images).max() <= 1.0
    alone = _use(SMALL, variables, 100 * IMAGES[1:])
    np.testing.assert_allclose(alone, images[1:], rtol=1e-4, atol=1e-5)


def test_initial_weights():
    variables = jax.jit(functools.partial(UNet(3, 16, 2).init, train=False))(
        jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32)
    )
    for name in ("Conv_1", "ConvTranspose_0"):
        kernel = variables["params"][name]["kernel"]
        assert float(kernel.std()) == pytest.approx(0.02, rel=0.05)
        assert abs(float(kernel.mean())) < 1e-3


def test_a_batch_of_one_image_still_tells_its_innermost_pixels():
    """The innermost layer is not normalized: a single pixel less its mean would be nothing."""
    network = UNet(1, 2, 3, normalization="instance")
    variables = _variables(network, IMAGES[:1, :, :8])
    params = dict(variables["params"])
    params["Conv_2"] = {"kernel": 2 * params["Conv_2"]["kernel"]}
    one, other = (
        _use(network, v, IMAGES[:1, :, :8]) for v in (variables, variables | {"params": params})
    )
    assert np.abs(one - other).max() > 1e-4


def _training_pass(options):
    """Its program, and the types of its parameters and results."""
    network = make_unet(options, (32, 32, 2))
    images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), images)
    program = jax.make_jaxpr(
        lambda v, x, key: network.apply(v, x, train=True, key=key),
    )(variables, images, jax.random.key(0))
    types = {leaf.dtype for leaf in jax.tree.leaves(variables)}
    assert types == {leaf.dtype for leaf in program.out_avals} == {jnp.dtype("float32")}
    return str(program), variables


def test_the_network_follows_its_options():
    options = UNetOptions(width=2)
    program, variables = _training_pass(options)
    expected = _shapes(UNet(2, 2, 5), jnp.ones((2, 32, 32, 3)))[1]
    assert {"params": variables.params} | variables.state == expected
    assert not re.search("bf16|prevent_cse", program)
    assert "prevent_cse" in _training_pass(UNetOptions(width=2, remat=True))[0]
    assert "random_bits" not in _training_pass(UNetOptions(width=2, dropout=0.0))[0]
    assert _training_pass(UNetOptions(width=2, normalization="instance"))[1].state == {}
    shallow = _training_pass(UNetOptions(width=2, depth=3))[1]
    assert "Conv_3" not in shallow.params


def test_bfloat16_computation_keeps_parameters_and_images_float32():
    program, _ = _training_pass(UNetOptions(width=2, dtype="bfloat16"))
    convolutions = re.findall(r":\w+\[[\d,]+\] = \w*conv_\w+\[", program)
    assert len(convolutions) == 10
    assert all(":bf16" in line for line in convolutions)
    sums = [line for line in program.splitlines() if "= reduce_sum[" in line]
    assert sums
    assert all(":f32" in line for line in sums)
    network = SMALL.clone(dtype=jnp.bfloat16)
    variables = _variables(network, IMAGES)
    half, full = _use(network, variables, IMAGES), _use(SMALL, variables, IMAGES)
    assert 0 < np.abs(half - full).max() < 0.1


@pytest.mark.parametrize(
    ("size", "depth", "message"),
    [
        ((30, 30), 0, r"depth 2 .* multiples of 4, not 30x30; the .* are 28x28 and 32x32 "),
        ((64, 50), 3, r"multiples of 8, not 64x50; the nearest allowed are 64x48 and 64x56 \("),
        ((32, 64), 8, "256, not 32x64; the nearest allowed is 256x256, and .* a depth of 5 "),
        ((2, 2), 0, "multiples of 4, not 2x2; the nearest allowed is 4x4 "),
        ((20, 96), 5, r"of 32, not 20x96; the nearest allowed is 32x96, .* a depth of 2 \("),
        ((0, 8), 0, "multiples of 8, not 0x8; the nearest allowed is 8x8 "),
    ],
)
def test_sizes_that_do_not_fit_name_those_that_do(size, depth, message):
    with pytest.raises(ValueError, match=message):
        make_unet(UNetOptions(depth=depth), (*size, 3))
    if depth:
        with pytest.raises(ValueError, match=message):
            _shapes(UNet(3, depth=depth), jnp.ones((1, *size, 3)))


def test_inputs_that_are_no_images():
    with pytest.raises(ValueError, match=r"needs images \(H, W, C\), .* of shape \(2,\)"):
        make_unet(UNetOptions(), (2,))
    with pytest.raises(ValueError, match=r"shape \[B, H, W, C\], not \(8, 8, 3\)"):
        _shapes(SMALL, jnp.ones((8, 8, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "UNet has channels=0"),
        ({"width": 0}, "UNet has width=0"),
        ({"depth": 1}, "UNet has depth=1; allowed is from 2 to 8"),
        ({"depth": 9}, "UNet has depth=9; allowed is from 2 to 8"),
        ({"dropout": 1.0}, "UNet has dropout=1.0"),
        ({"normalization": "layer"}, "normalization is 'layer'"),
    ],
)
def test_attributes_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        UNet(**{"channels": 3} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width must be 1 or more, not 0"),
        ({"depth": 9}, "depth must be 8 or less, not 9"),
        ({"depth": -1}, "depth must be 0 or more, not -1"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), not 1.0"),
        ({"dtype": "float16"}, "dtype must be one of float32, bfloat16"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        check_values(UNetOptions(**options))
