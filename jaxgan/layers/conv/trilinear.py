"""Convolutions of our own that stay our own under differentiation.

A convolution of images with a kernel is one of three bilinear maps of the trilinear form
sum(conv(x, k) * z): the convolution itself, its gradient with respect to the images (a transposed
convolution), and its gradient with respect to the kernel. Each derivative of any order of one of
them is another of the three. So three primitives, closed under differentiation, cover all that
training, penalties and their gradients ask for, each computed in the way that suits it rather than
in the way that transposing another one leads to.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxgan.types import Array

Padding: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""((top, bottom), (left, right)), zeros around the images; negative numbers crop."""


def pad(x: Array, padding: Padding) -> Array:
    """Images [B, H, W, C] with zeros around them, or cropped."""
    config = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)


class Geometry(NamedTuple):
    """Shapes of images [B, *size, in], a kernel [*taps, in, out] and what they make."""

    size: tuple[int, int]
    taps: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of what the convolution makes."""
        height, width = (
            (size + sum(pads) - taps) // stride + 1
            for size, taps, stride, pads in zip(*self, strict=True)
        )
        return height, width


Map: TypeAlias = Callable[..., Array]
"""`(array, array, *, geometry) -> array`"""


class Convolution(NamedTuple):
    """The three maps; each can be differentiated any number of times and mapped by `jax.vmap`.

    Attributes:
      value: `(x, kernel, geometry=...) -> z`, the convolution.
      images: `(z, kernel, geometry=...) -> x`, the transposed convolution.
      kernel: `(x, z, geometry=...) -> kernel`.
    """

    value: Map
    images: Map
    kernel: Map


def convolution(name: str, maps: Convolution) -> Convolution:
    """Three primitives from plain functions that compute the maps."""
    value, images, kernel = (
        _primitive(f"{name}_{suffix}", each)
        for suffix, each in zip(Convolution._fields, maps, strict=True)
    )
    # The gradients with respect to a map's first and second operand, from what comes back.
    ad.defbilinear(
        value,
        lambda z, x, k, geometry: images.bind(z, k, geometry=geometry),
        lambda z, x, k, geometry: kernel.bind(x, z, geometry=geometry),
    )
    ad.defbilinear(
        images,
        lambda x, z, k, geometry: value.bind(x, k, geometry=geometry),
        lambda x, z, k, geometry: kernel.bind(x, z, geometry=geometry),
    )
    ad.defbilinear(
        kernel,
        lambda k, x, z, geometry: images.bind(z, k, geometry=geometry),
        lambda k, x, z, geometry: value.bind(x, k, geometry=geometry),
    )
    return Convolution(_bound(value), _bound(images), _bound(kernel))


def _bound(primitive: Primitive) -> Map:
    def bind(first: Array, second: Array, *, geometry: Geometry) -> Array:
        # Under `shard_map` images vary from device to device and a kernel does not. JAX's own
        # functions say so of the kernel before they use both, and from it follows the sum over
        # devices in the kernel's gradient.
        axes = _varying(first) | _varying(second)
        operands = (
            lax.pcast(operand, tuple(axes - _varying(operand)), to="varying")
            for operand in (first, second)
        )
        return primitive.bind(*operands, geometry=geometry)

    return bind


def _varying(x: Array) -> frozenset[str]:
    """The mapped axes over which an array is known to vary; JAX 0.10 renamed where it says so."""
    kind = jax.typeof(x)
    return kind.vma if hasattr(kind, "vma") else kind.mat.varying


def of_stride_one(name: str, value: Map, kernel: Map) -> Convolution:
    """The same of stride 1, where the images' map is the value's with the kernel turned round."""

    def images(z: Array, k: Array, *, geometry: Geometry) -> Array:
        rows, columns = (
            (taps - 1 - before, taps - 1 - after)
            for taps, (before, after) in zip(geometry.taps, geometry.padding, strict=True)
        )
        back = geometry._replace(size=geometry.out, padding=(rows, columns))
        return value(z, k[::-1, ::-1].swapaxes(2, 3), geometry=back)

    return convolution(name, Convolution(value, images, kernel))


def _primitive(name: str, implementation: Map) -> Primitive:
    """A primitive computed by a function of arrays, which also tells its shape and its vmap."""
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(implementation, static_argnames="geometry"))

    def shape(*operands: jax.core.ShapedArray, geometry: Geometry) -> jax.core.ShapedArray:
        result = jax.eval_shape(partial(implementation, geometry=geometry), *operands)
        # The first's in all else, such as the axes over which it varies.
        return operands[0].update(shape=result.shape, dtype=result.dtype, weak_type=False)

    def batch(operands: tuple, axes: tuple, *, geometry: Geometry) -> tuple[Array, int]:
        return jax.vmap(partial(implementation, geometry=geometry), axes)(*operands), 0

    primitive.def_abstract_eval(shape)
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(implementation, multiple_results=False))
    return primitive
