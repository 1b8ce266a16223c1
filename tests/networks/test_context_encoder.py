"""The context encoder: the paper's layers, the bottleneck as the only way through, its sizes."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks import parameter_count
from jaxgan.networks.context_encoder import (
    ContextEncoder,
    ContextEncoderOptions,
    make_context_encoder,
    stage_widths,
)
from jaxgan.options import check_values

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, (3, 16, 16, 4)).astype(np.float32)
SMALL = ContextEncoder(8, 3, width=2, bottleneck=5)


def _shapes(network, *inputs, train=True):
    """Output and variables of a network as shapes, without computing anything."""
    init = functools.partial(network.init_with_output, train=train)
    return jax.eval_shape(init, jax.random.key(0), *inputs)


def _variables(network, *inputs):
    """Some variables that fit the network, made without compiling its `init`."""

    def draw(leaf):
        low, high = (-0.5, 0.5) if leaf.ndim > 1 else (0.5, 1.5)  # scales and variances: positive
        return RANDOM.uniform(low, high, leaf.shape).astype(leaf.dtype)

    return jax.tree.map(draw, _shapes(network, *inputs)[1])


def _use(network, variables, *inputs):
    return np.asarray(jax.jit(functools.partial(network.apply, train=False))(variables, *inputs))


def _started(options, shape, images, hole=None):
    network = make_context_encoder(options, shape, hole)
    return network, jax.eval_shape(network.init, jax.random.key(0), images)


def test_the_layers_of_the_paper():
    """64 pixels in the middle of 128, with its count: no bias before a normalization."""
    images = jax.ShapeDtypeStruct((2, 128, 128, 3), jnp.float32)
    network, variables = _started(ContextEncoderOptions(), (128, 128, 3), images, hole=64)
    widths = [64, 64, 128, 256, 512]
    down = [16 * a * b for a, b in zip([3, *widths], widths, strict=False)]
    up = [16 * a * b for a, b in ((512, 256), (256, 128), (128, 64), (64, 3))]
    dense = 2 * 16 * 512 * 4000
    normalized = 2 * (sum(widths[1:]) + 4000 + 512 + 256 + 128 + 64)
    count = sum(down) + 64 + dense + sum(up) + 3 + normalized
    assert parameter_count(variables.params) == count == 71_124_611
    apply = functools.partial(network.apply, train=False)
    filled, _ = jax.eval_shape(apply, variables, images)
    assert (filled.shape, filled.dtype) == ((2, 64, 64, 3), jnp.float32)


def test_channels_double_inwards_from_the_stage_before_last():
    assert stage_widths(64, 16) == [64, 128]
    assert stage_widths(64, 64) == [64, 128, 256, 512]
    assert stage_widths(64, 128) == [64, 64, 128, 256, 512]
    assert stage_widths(64, 256) == [64, 64, 64, 128, 256, 512]
    assert stage_widths(3, 8) == [3]


@pytest.mark.parametrize("size", [16, 32, 64, 256])
@pytest.mark.parametrize("hole", [None, 8, 16])
def test_sizes(size, hole):
    """A mask may come beside the image, as one channel more."""
    options = ContextEncoderOptions(width=2, bottleneck=6)
    images = jax.ShapeDtypeStruct((3, size, size, 4), jnp.float32)
    network, variables = _started(options, (size, size, 3), images, hole)
    apply = functools.partial(network.apply, train=True)
    filled, _ = jax.eval_shape(apply, variables, images)
    side = hole or size
    assert (filled.shape, filled.dtype) == ((3, side, side, 3), jnp.float32)


def test_all_layers_as_in_pytorch():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    variables = _variables(SMALL, IMAGES)
    params = jax.tree.map(torch.from_numpy, variables["params"])
    stats = jax.tree.map(torch.from_numpy, variables["batch_stats"])

    def down(x, i):
        kernel = params[f"Conv_{i}"]["kernel"].permute(3, 2, 0, 1)
        return functional.conv2d(x, kernel, params[f"Conv_{i}"].get("bias"), 2, 1)

    def norm(x, i):
        learnt, seen = params[f"BatchNorm_{i}"], stats[f"BatchNorm_{i}"]
        return functional.batch_norm(
            x, seen["mean"], seen["var"], learnt["scale"], learnt["bias"], eps=1e-5
        )

    def leaky(x):
        return functional.leaky_relu(x, 0.2)

    x = leaky(norm(down(leaky(down(torch.from_numpy(IMAGES).permute(0, 3, 1, 2), 0)), 1), 0))
    # The dense layers as 4x4 convolutions, plain and transposed, as in the authors' code.
    kernel = params["DenseGeneral_0"]["kernel"].permute(3, 2, 0, 1)
    code = leaky(norm(functional.conv2d(x, kernel), 1))
    assert code.shape == (3, 5, 1, 1)
    kernel = params["DenseGeneral_1"]["kernel"].permute(0, 3, 1, 2)
    x = norm(functional.conv_transpose2d(code, kernel), 2).relu()
    last = params["ConvTranspose_0"]
    kernel = last["kernel"].flip(0, 1).permute(2, 3, 0, 1)
    x = torch.tanh(functional.conv_transpose2d(x, kernel, last["bias"], 2, 1))
    images = _use(SMALL, variables, IMAGES)
    assert images.std() > 0.05
    np.testing.assert_allclose(images, x.permute(0, 2, 3, 1).numpy(), rtol=1e-4, atol=1e-5)


def test_each_pixel_is_made_of_all_and_through_the_bottleneck_alone():
    network = SMALL.clone(size=16, normalization="none")
    variables = _variables(network, IMAGES[:1])

    def corner(image, variables):
        return network.apply(variables, image, train=False)[0, 0, 0].sum()

    gradient = jax.jit(jax.grad(corner))
    assert np.abs(gradient(IMAGES[:1], variables)[0]).sum(-1).min() > 0
    # A bottleneck that tells nothing cuts the image off: nothing is carried past it.
    params = dict(variables["params"])
    params["DenseGeneral_0"] = jax.tree.map(np.zeros_like, params["DenseGeneral_0"])
    cut = {"params": params}
    np.testing.assert_array_equal(gradient(IMAGES[:1], cut), np.zeros_like(IMAGES[:1]))
    # And as many numbers as it has are all that images can differ in.
    narrow = SMALL.clone(bottleneck=2, normalization="none")
    variables = _variables(narrow, IMAGES[:1])

    def before_tanh(image):
        return jnp.arctanh(narrow.apply(variables, image, train=False)).ravel()

    jacobian = jax.jit(jax.jacrev(lambda x: before_tanh(x)[:12]))(0.1 * IMAGES[:1])
    values = np.linalg.svd(np.asarray(jacobian).reshape(12, -1), compute_uv=False)
    assert values[1] > 1e-4 * values[0]
    assert values[2] < 1e-5 * values[0]


@pytest.mark.parametrize(("normalization", "biases"), [("batch", 2), ("group", 2), ("none", 5)])
def test_biases_are_next_to_images_and_where_nothing_is_normalized(normalization, biases):
    params = _shapes(SMALL.clone(normalization=normalization), IMAGES)[1]["params"]
    assert sum("bias" in params[name] for name in params if "Norm" not in name) == biases
    assert params["Conv_0"]["bias"].shape == (2,)
    assert params["ConvTranspose_0"]["bias"].shape == (3,)
    norms = [leaves["scale"].size for name, leaves in params.items() if "Norm" in name]
    assert norms == ([] if normalization == "none" else [4, 5, 2])


def test_images_are_in_range_and_alone_in_use():
    variables = _variables(SMALL, IMAGES)
    images = _use(SMALL, variables, 100 * IMAGES)
    assert 0.9 < np.abs(images).max() <= 1.0
    alone = _use(SMALL, variables, 100 * IMAGES[1:2])
    np.testing.assert_allclose(alone, images[1:2], rtol=1e-4, atol=1e-5)


def test_batch_statistics_move_only_in_training():
    variables = _variables(SMALL, IMAGES)
    apply = jax.jit(functools.partial(SMALL.apply, train=True, mutable=["batch_stats"]))
    images, updated = apply(variables, IMAGES)
    moved = jax.tree.map(
        lambda a, b: np.abs(a - b).max() > 0, variables["batch_stats"], updated["batch_stats"]
    )
    assert all(jax.tree.leaves(moved))
    assert np.abs(images - _use(SMALL, variables, IMAGES)).max() > 1e-3


def test_initial_weights():
    network = ContextEncoder(8, 1, width=8, bottleneck=40)
    init = jax.jit(functools.partial(network.init, train=False))
    params = init(jax.random.key(0), IMAGES)["params"]
    for name in ("Conv_1", "DenseGeneral_0", "DenseGeneral_1"):
        assert float(params[name]["kernel"].std()) == pytest.approx(0.02, rel=0.06)
    np.testing.assert_array_equal(params["ConvTranspose_0"]["bias"], [0.0])


def _program(options):
    network, variables = _started(options, (16, 16, 3), IMAGES, hole=8)
    program = jax.make_jaxpr(functools.partial(network.apply, train=True))(variables, IMAGES)
    types = {leaf.dtype for leaf in jax.tree.leaves(variables)}
    assert types == {leaf.dtype for leaf in program.out_avals} == {jnp.dtype("float32")}
    return str(program), variables


def test_the_network_follows_its_options():
    program, variables = _program(ContextEncoderOptions(width=2, bottleneck=5))
    assert {"params": variables.params} | variables.state == _shapes(SMALL, IMAGES)[1]
    assert "bf16" not in program
    bare = ContextEncoderOptions(width=2, bottleneck=5, normalization="none")
    assert _program(bare)[1].state == {}


def test_bfloat16_computation_keeps_parameters_and_images_float32():
    program, _ = _program(ContextEncoderOptions(width=2, bottleneck=5, dtype="bfloat16"))
    layers = re.findall(r":\w+\[[\d,]+\] = (?:\w*conv_\w+|dot_general)\[", program)
    assert len(layers) == 5
    assert all(":bf16" in line for line in layers)
    sums = [line for line in program.splitlines() if "= reduce_sum[" in line]
    assert sums
    assert all(":f32" in line for line in sums)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((28, 28), "a power of two, 16 or more, not 28x28; image_size 16 makes such"),
        ((32, 64), "not 32x64; image_size 32 makes such"),
        ((8, 8), "not 8x8; image_size 16 makes such"),
        ((0, 16), "not 0x16; image_size 16 makes such"),
    ],
)
def test_images_that_do_not_fit(size, message):
    with pytest.raises(ValueError, match=message):
        make_context_encoder(ContextEncoderOptions(), (*size, 3))
    with pytest.raises(ValueError, match=message):
        _shapes(SMALL, jnp.ones((2, *size, 3)))


def test_inputs_that_are_no_images():
    with pytest.raises(ValueError, match=r"needs images \(H, W, C\), but got samples of \(2,\)"):
        make_context_encoder(ContextEncoderOptions(), (2,))
    with pytest.raises(ValueError, match=r"shape \[B, H, W, C\], not \(16, 16, 3\)"):
        _shapes(SMALL, jnp.ones((16, 16, 3)))


@pytest.mark.parametrize(
    ("hole", "message"),
    [
        (64, "the hole has 64 pixels a side; allowed is 32 or less"),
        (12, "gives images of 12 pixels a side; allowed are powers of two from 8 on"),
        (4, "gives images of 4 pixels a side"),
        (0, "gives images of 0 pixels a side"),
    ],
)
def test_holes_that_do_not_fit(hole, message):
    with pytest.raises(ValueError, match=message):
        make_context_encoder(ContextEncoderOptions(), (32, 32, 3), hole)


def test_batch_normalization_trains_on_two_images_or_more():
    """One image would leave nothing in the bottleneck; once trained, it may be used on one."""
    message = "trains on batches of 2 images or more, not 1; take normalization 'group' or 'none'"
    with pytest.raises(ValueError, match=message):
        _shapes(SMALL, IMAGES[:1])
    assert _shapes(SMALL, IMAGES[:1], train=False)[0].shape == (1, 8, 8, 3)
    assert _shapes(SMALL.clone(normalization="group"), IMAGES[:1])[0].shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "ContextEncoder has channels=0"),
        ({"width": 0}, "ContextEncoder has width=0"),
        ({"bottleneck": 0}, "ContextEncoder has bottleneck=0; allowed is 1 or more"),
        ({"normalization": "instance"}, "normalization='instance', which averages over pixels"),
        ({"normalization": "affine_instance"}, "'affine_instance', which averages over pixels"),
        ({"normalization": "layer"}, "normalization is 'layer'"),
    ],
)
def test_attributes_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        ContextEncoder(**{"size": 8, "channels": 3} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width must be 1 or more, not 0"),
        ({"bottleneck": 0}, "bottleneck must be 1 or more, not 0"),
        ({"normalization": "instance"}, "normalization must be one of batch, group, none"),
        ({"dtype": "float16"}, "dtype must be one of float32, bfloat16"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        check_values(ContextEncoderOptions(**options))
