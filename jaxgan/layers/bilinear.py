"""Convolutions of our own that stay our own under differentiation.

One convolution of images with a kernel is three bilinear maps of one trilinear form
sum(conv(x, k) * z): the convolution itself, its gradient with respect to the images (again a
convolution, with the kernel turned round) and its gradient with respect to the kernel. Each
derivative of any order of one of them is another of the three. So two primitives, closed under
differentiation, cover all that training, penalties and their gradients ask for, each computed in
the way that suits its own shapes rather than in the way that transposing another one leads to.
"""

from collections.abc import Callable
from functools import partial

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxgan.types import Array

Padding = tuple[tuple[int, int], tuple[int, int]]
"""((top, bottom), (left, right)), zeros around the images; negative numbers crop."""


def convolution(
    name: str,
    value: Callable[..., Array],
    kernel_gradient: Callable[..., Array],
) -> Callable[[Array, Array, Padding], Array]:
    """A convolution of stride 1 from the functions that compute it and its kernel's gradient.

    Args:
      name: of the two primitives.
      value: `(x [B, H, W, in], kernel [r, s, in, out], *, padding) -> [B, H', W', out]`.
      kernel_gradient: `(x, z [B, H', W', out], *, padding) -> [r, s, in, out]`.

    Returns:
      The function `(x, kernel, padding) -> images`, which can be differentiated any number of
      times, forward and backward, and mapped by `jax.vmap`.
    """
    conv_p = _primitive(name, value)
    gradient_p = _primitive(f"{name}_kernel_gradient", kernel_gradient)

    def turned(z: Array, kernel: Array, padding: Padding) -> Array:
        """The convolution's gradient with respect to its images."""
        around = [
            (taps - 1 - before, taps - 1 - after)
            for taps, (before, after) in zip(kernel.shape, padding, strict=False)
        ]
        return conv_p.bind(z, kernel[::-1, ::-1].swapaxes(2, 3), padding=tuple(around))

    def images_of_conv(
        z: Array, x: ad.UndefinedPrimal, kernel: Array, *, padding: Padding
    ) -> Array:
        return turned(z, kernel, padding)

    def kernel_of_conv(
        z: Array, x: Array, kernel: ad.UndefinedPrimal, *, padding: Padding
    ) -> Array:
        return gradient_p.bind(x, z, padding=padding)

    def images_of_gradient(
        kernel: Array, x: ad.UndefinedPrimal, z: Array, *, padding: Padding
    ) -> Array:
        return turned(z, kernel, padding)

    def outputs_of_gradient(
        kernel: Array, x: Array, z: ad.UndefinedPrimal, *, padding: Padding
    ) -> Array:
        return conv_p.bind(x, kernel, padding=padding)

    ad.defbilinear(conv_p, images_of_conv, kernel_of_conv)
    ad.defbilinear(gradient_p, images_of_gradient, outputs_of_gradient)
    return lambda x, kernel, padding: conv_p.bind(x, kernel, padding=padding)


def _primitive(name: str, implementation: Callable[..., Array]) -> Primitive:
    """A primitive computed by a function of arrays, which also tells its shape and its vmap."""
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(implementation, static_argnames="padding"))

    def shape(*operands: jax.core.ShapedArray, padding: Padding) -> jax.core.ShapedArray:
        result = jax.eval_shape(partial(implementation, padding=padding), *operands)
        return jax.core.ShapedArray(result.shape, result.dtype)

    def batch(operands: tuple, axes: tuple, *, padding: Padding) -> tuple[Array, int]:
        return jax.vmap(partial(implementation, padding=padding), axes)(*operands), 0

    primitive.def_abstract_eval(shape)
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, mlir.lower_fun(implementation, multiple_results=False))
    return primitive
