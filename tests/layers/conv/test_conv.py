import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.conv import Conv, ConvTranspose, conv, conv_transpose, convolution, plain


def assert_same(ours: nn.Module, linen: nn.Module, size: tuple[int, int], **tolerance: float):
    """Values, kernel, bias and image gradients of two layers of 3 -> 2 channels."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2, *size, 3)).astype(np.float32)
    params = {
        "kernel": random.normal(size=(*linen.kernel_size, 3, 2)).astype(np.float32),
        "bias": random.normal(size=2).astype(np.float32),
    }
    y_shape = jax.eval_shape(linen.apply, {"params": params}, x).shape
    cotangent = random.normal(size=y_shape).astype(np.float32)

    @jax.jit
    def results(params, x):
        def of(module):
            y, backward = jax.vjp(lambda p, x: module.apply({"params": p}, x), params, x)
            return y, *backward(cotangent)

        return of(ours), of(linen)

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), *results(params, x))


@pytest.mark.parametrize("impl", ["phase", "adjoint"])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "size"),
    [
        ((4, 4), (2, 2), (4, 4)),
        ((4, 4), (2, 2), (1, 7)),
        ((5, 5), (2, 2), (5, 4)),
        ((3, 3), (2, 2), (3, 6)),
        ((2, 2), (2, 2), (3, 3)),
        ((4, 3), (2, 1), (3, 5)),
        ((4, 5), (3, 2), (2, 3)),
        ((3, 3), (1, 1), (4, 4)),  # no phases: lax
        ((2, 2), (3, 3), (4, 4)),  # a phase without a tap: lax
    ],
)
def test_transposed_equals_linen_in_value_and_gradients(impl, kernel_size, strides, size):
    linen = nn.ConvTranspose(2, kernel_size, strides)
    ours = ConvTranspose(2, kernel_size, strides, impl=impl)
    assert_same(ours, linen, size, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("impl", ["phase", "adjoint", "winograd", "patches", "lax", "auto"])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding"),
    [
        ((3, 3), (2, 2), ((1, 2), (1, 2))),  # PyTorch's padding 1, output_padding 1
        ((3, 3), (2, 2), ((1, 1), (1, 1))),  # without output_padding: an odd size
        ((4, 4), (2, 2), ((2, 2), (2, 2))),
        ((4, 4), (2, 2), ((1, 3), (3, 1))),
        ((4, 4), (2, 2), [[0, 3], [3, 2]]),
        ((5, 4), (2, 3), ((2, 3), (4, 1))),
        ((3, 3), (2, 2), ((4, 5), (0, 3))),  # more than the kernel reaches
        ((4, 4), (2, 2), "VALID"),
        ((2, 3), (2, 2), "VALID"),
        ((2, 2), (3, 3), "VALID"),
        ((4, 4), (1, 1), "VALID"),  # the first layer of PyTorch's DCGAN
    ],
)
def test_transposed_is_padded_as_linens(impl, kernel_size, strides, padding):
    linen = nn.ConvTranspose(2, kernel_size, strides, padding=padding)
    ours = ConvTranspose(2, kernel_size, strides, padding, impl=impl)
    assert_same(ours, linen, (3, 4), rtol=1e-4, atol=1e-4)


def test_a_transposed_convolution_of_a_pixel_by_hand():
    """PyTorch's 3x3 kernel of stride 2, padding 1, output_padding 1: pixel i is centred at 2 i."""
    x = jnp.zeros((1, 2, 2, 1)).at[0, 1, 0, 0].set(1.0)
    params = {"kernel": jnp.arange(9.0).reshape(3, 3, 1, 1), "bias": jnp.zeros(1)}

    def of(padding):
        return ConvTranspose(1, (3, 3), 2, padding).apply({"params": params}, x)[0, :, :, 0]

    # The kernel from behind, its middle 4 at row 2 and column 0; by "SAME" one further.
    expected = [[0, 0, 0, 0], [7, 6, 0, 0], [4, 3, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(of(((1, 2), (1, 2))), expected)
    expected = [[0, 0, 0, 0], [0, 0, 0, 0], [8, 7, 6, 0], [5, 4, 3, 0]]
    np.testing.assert_array_equal(of("SAME"), expected)


@pytest.mark.parametrize("padding", ["same", "CIRCULAR"])
def test_unknown_padding_of_a_transposed_convolution(padding):
    with pytest.raises(ValueError, match=f"padding is '{padding}'; allowed are 'SAME', 'VALID'"):
        ConvTranspose(2, padding=padding).init(jax.random.key(0), jnp.ones((1, 4, 4, 1)))


@pytest.mark.parametrize("impl", ["winograd", "patches"])
@pytest.mark.parametrize("size", [(4, 4), (1, 7), (5, 2)])
def test_transposed_by_folding_equals_linen_in_value_and_gradients(impl, size):
    linen = nn.ConvTranspose(2, (4, 4), (2, 2))
    assert_same(ConvTranspose(2, impl=impl), linen, size, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("impl", ["winograd", "patches", "adjoint"])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "padding", "size"),
    [
        ((3, 3), (1, 1), "SAME", (4, 5)),
        ((3, 3), (1, 1), "VALID", (6, 3)),
        ((4, 4), (2, 2), "SAME", (8, 4)),  # folded to 2x2
        ((4, 4), (2, 2), ((1, 1), (0, 2)), (6, 6)),
        ((4, 4), (2, 2), [[1, 1], [0, 2]], (6, 6)),
        ((6, 6), (2, 2), "SAME", (8, 8)),  # folded to 3x3
        ((4, 4), (1, 1), ((1, 1), (1, 1)), (5, 5)),  # PatchGAN's
        ((4, 4), (2, 2), "VALID", (7, 7)),  # an odd size does not fold: lax
        ((5, 5), (2, 2), "SAME", (8, 8)),  # nor does a kernel of odd size
        ((3, 3), (1, 1), "VALID", (3, 3)),
        ((1, 1), (1, 1), "SAME", (3, 3)),
        ((7, 7), (1, 1), "SAME", (5, 5)),
        ((2, 3), (1, 1), "SAME", (5, 5)),
        ((2, 6), (1, 2), "SAME", (4, 8)),
    ],
)
def test_own_forms_equal_linen_in_value_and_gradients(impl, kernel_size, strides, padding, size):
    ours = Conv(2, kernel_size, strides, padding, impl=impl)
    linen = nn.Conv(2, kernel_size, strides, padding)
    assert_same(ours, linen, size, rtol=1e-4, atol=1e-4)


def test_parameters_are_those_of_linen():
    x = jnp.ones((1, 3, 3, 5))
    ours = ConvTranspose(2).init(jax.random.key(7), x)
    linen = nn.ConvTranspose(2, (4, 4), (2, 2)).init(jax.random.key(7), x)
    jax.tree.map(np.testing.assert_array_equal, ours, linen)
    assert set(ConvTranspose(2, use_bias=False).init(jax.random.key(7), x)["params"]) == {"kernel"}
    ours, linen = (
        module.init(jax.random.key(7), x) for module in (Conv(2, (3, 3)), nn.Conv(2, (3, 3)))
    )
    jax.tree.map(np.testing.assert_array_equal, ours, linen)


@pytest.mark.parametrize("impl", ["phase", "lax"])
def test_2x2_kernel_of_ones_repeats_pixels(impl):
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    params = {"kernel": jnp.ones((2, 2, 1, 1)), "bias": jnp.array([0.5])}
    y = ConvTranspose(1, (2, 2), impl=impl).apply({"params": params}, x)
    np.testing.assert_array_equal(
        y[0, :, :, 0],
        [[1.5, 1.5, 2.5, 2.5], [1.5, 1.5, 2.5, 2.5], [3.5, 3.5, 4.5, 4.5], [3.5, 3.5, 4.5, 4.5]],
    )


@pytest.mark.parametrize(("backend", "dilated"), [("cpu", False), ("gpu", True), ("tpu", True)])
def test_auto_rewrites_on_a_cpu_only(monkeypatch, backend, dilated):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    layer = ConvTranspose(2)
    x = jnp.ones((1, 3, 3, 5))
    params = layer.init(jax.random.key(0), x)
    assert ("lhs_dilation=(2, 2)" in str(jax.make_jaxpr(layer.apply)(params, x))) is dilated


def test_dtype_is_of_the_computation_not_of_the_parameters():
    x = jnp.ones((1, 3, 3, 5))
    y, variables = ConvTranspose(2, dtype=jnp.bfloat16).init_with_output(jax.random.key(0), x)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(("padding", "product"), [("SAME", True), (((1, 1), (1, 1)), False)])
def test_auto_takes_1x1_kernels_as_matrix_products(padding, product):
    ours, linen = (of(2, (1, 1), padding=padding) for of in (Conv, nn.Conv))
    assert_same(ours, linen, (3, 4), rtol=1e-5, atol=1e-5)
    x = jax.ShapeDtypeStruct((2, 3, 3, 3), jnp.float32)
    program = jax.make_jaxpr(ours.init_with_output)(jax.random.key(0), x)
    assert ("dot_general" in str(program)) is product


@pytest.mark.parametrize(
    ("layer", "size", "channels", "form"),
    [
        (Conv(64, (3, 3)), 64, 64, "winograd_conv"),
        (Conv(64, (3, 3)), 16, 64, "plain_conv"),  # The kernel's transform costs more.
        (Conv(64, (4, 4), 2), 8, 64, "plain_conv"),  # A small image.
        (Conv(64, (4, 4), 2), 256, 64, "winograd_conv"),
        (Conv(64, (3, 3), dtype=jnp.bfloat16), 64, 64, "conv_general_dilated"),
        (Conv(64, (3, 3)), 64, 1, "patch_conv"),  # Few channels come in,
        (Conv(3, (3, 3)), 64, 64, "patch_conv"),  # or go out.
        (Conv(3, (7, 7)), 64, 64, "plain_conv"),  # 49 taps cost more to move than they save.
        (Conv(64, (4, 4), 2), 32, 3, "patch_conv"),
        (Conv(64, (5, 5), 2), 32, 3, "plain_conv"),  # 5 taps do not fold by 2.
        (Conv(16, (3, 3)), 64, 8, "plain_conv"),
        (ConvTranspose(64), 95, 64, "winograd_conv"),
        (ConvTranspose(64), 7, 64, "plain_conv"),
        (ConvTranspose(1), 95, 64, "patch_conv"),
    ],
)
def test_auto_takes_the_form_that_was_measured_to_win(monkeypatch, layer, size, channels, form):
    monkeypatch.setattr(convolution, "offers_onednn", lambda: False)
    x = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
    program = str(jax.make_jaxpr(layer.init_with_output)(jax.random.key(0), x))
    forms = ("winograd_conv", "patch_conv", "plain_conv", "conv_general_dilated")
    assert [name for name in forms if name in program] == [form]


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("images", [2, 9], ids=["few", "many"])
@pytest.mark.parametrize(
    ("size", "channels", "features", "large"),
    [
        (8, 16, 16, 8192),
        (7, 16, 16, 8192),
        (8, 16, 1, 8192),
        (8, 64, 64, 8192),  # Phases in place of dilated images.
        (8, 64, 64, 128),  # Images by Winograd, the other maps not.
        (6, 64, 64, 8),  # All three.
    ],
)
def test_the_forms_for_both_compilers_equal_lax(
    monkeypatch, onednn, images, size, channels, features, large
):
    """In value and in the first and second derivatives of strided and transposed convolutions."""
    monkeypatch.setattr(convolution, "offers_onednn", lambda: onednn)
    monkeypatch.setattr(convolution, "LARGE", large)
    monkeypatch.setattr(plain, "PIXELS", large // 4)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(images, size, size, channels)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(4, 4, channels, features)) / 4, jnp.float32)

    def results(function, impl):
        def loss(x, kernel):
            return jnp.mean(function(x, kernel, (2, 2), impl=impl) ** 2)

        def penalty(x, kernel):
            return jnp.sum(jax.grad(loss)(x, kernel) ** 2)

        def mapped(x):
            return jax.grad(lambda x: loss(x, kernel))(x)

        value = function(x, kernel, (2, 2), impl=impl)
        firsts, seconds = (jax.grad(of, (0, 1))(x, kernel) for of in (loss, penalty))
        return value, firsts, seconds, jax.vmap(mapped)(jnp.stack([x, 2 * x]))

    for function in (conv, conv_transpose):
        chex.assert_trees_all_close(
            results(function, "auto"), results(function, "lax"), atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("channels", "size", "pays"),
    [(64, 16, False), (64, 32, True), (128, 8, False), (128, 16, True)],
)
def test_large_strided_convolutions_go_through_winograd(channels, size, pays):
    x = jax.ShapeDtypeStruct((64, size, size, channels), jnp.float32)
    kernel = jax.ShapeDtypeStruct((4, 4, channels, 128), jnp.float32)
    program = str(jax.make_jaxpr(lambda x, kernel: conv(x, kernel, (2, 2)))(x, kernel))
    assert ("winograd_conv" in program) is pays


@pytest.mark.parametrize(
    ("onednn", "channels", "dilated"),
    [(True, 8, True), (True, 16, False), (False, 32, True), (False, 64, False)],
)
def test_phases_take_the_place_of_dilated_images_where_they_win(
    monkeypatch, onednn, channels, dilated
):
    monkeypatch.setattr(convolution, "offers_onednn", lambda: onednn)
    z, kernel = jnp.ones((2, 4, 4, 64)), jnp.ones((4, 4, 64, channels))
    lowered = jax.jit(lambda z: conv_transpose(z, kernel)).lower(z).as_text()
    assert ("lhs_dilate = [2, 2]" in lowered) is dilated


@pytest.mark.parametrize(
    ("layer", "allowed"),
    [
        (ConvTranspose(2, impl="fast"), "'auto', 'lax', 'phase', 'winograd', 'patches', 'adjoint'"),
        (Conv(2, (3, 3), impl="phase"), "'auto', 'lax', 'winograd', 'patches', 'adjoint'"),
    ],
)
def test_unknown_impl(layer, allowed):
    with pytest.raises(ValueError, match=rf"impl is '\w+'; allowed are {allowed}\."):
        layer.init(jax.random.key(0), jnp.ones((1, 3, 3, 5)))
