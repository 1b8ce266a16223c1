"""Pixels folded into channels, which leaves a convolution with strides one of stride 1."""

from jaxgan.types import Array


def fold(x: Array, strides: tuple[int, int]) -> Array:
    """Space to depth: `[B, H, W, C]` -> `[B, H / s, W / t, s * t * C]`."""
    s, t = strides
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // s, s, width // t, t, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height // s, width // t, s * t * channels)


def unfold(x: Array, strides: tuple[int, int]) -> Array:
    """Depth to space: `[B, H, W, s * t * C]` -> `[B, s * H, t * W, C]`."""
    s, t = strides
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, s, t, channels // (s * t)).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, s * height, t * width, -1)


def fold_kernel(kernel: Array, strides: tuple[int, int]) -> Array:
    """The kernel that acts on folded images as this one with strides does on images."""
    s, t = strides
    height, width, inputs, outputs = kernel.shape
    kernel = kernel.reshape(height // s, s, width // t, t, inputs, outputs)
    return kernel.transpose(0, 2, 1, 3, 4, 5).reshape(height // s, width // t, -1, outputs)
