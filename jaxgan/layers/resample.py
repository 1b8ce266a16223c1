"""Resizing and padding of images `[B, H, W, C]`, as functions without parameters.

Written as reshapes, slices and broadcasts, whose gradients are of the same kind: on a CPU faster
than `jax.image.resize` and `nn.avg_pool`, the gradient of the former several times.
"""

import jax.numpy as jnp

from jaxgan.types import Array

LARGE = 8
"""A larger factor has too many slices: a program of each takes longer to compile than to run."""


def upsample_nearest(x: Array, factor: int = 2) -> Array:
    """Repeats every pixel `factor` times along height and width.

    Args:
      x: images `[B, H, W, C]`.
      factor: 1 or more.

    Returns:
      Images `[B, H * factor, W * factor, C]`.

    Raises:
      ValueError: if `x` is not of rank 4 or the factor is below 1.
    """
    batch, height, width, channels = _shape(x)
    _check_factor(factor)
    shape = (batch, height, factor, width, factor, channels)
    x = jnp.broadcast_to(x[:, :, None, :, None, :], shape)
    return x.reshape(batch, height * factor, width * factor, channels)


def average_pool(x: Array, factor: int = 2) -> Array:
    """The mean over each square of `factor` by `factor` pixels.

    For small factors a sum of slices, which XLA runs faster on a CPU than a mean over two axes.

    Args:
      x: images `[B, H, W, C]`, H and W multiples of the factor.
      factor: 1 or more.

    Returns:
      Images `[B, H / factor, W / factor, C]`.

    Raises:
      ValueError: if `x` is not of rank 4, the factor is below 1 or does not divide H and W.
    """
    batch, height, width, channels = _shape(x)
    _check_factor(factor)
    if height % factor or width % factor:
        raise ValueError(
            f"average_pool needs a height and width that are multiples of {factor}, "
            f"not {height}x{width}."
        )
    x = x.reshape(batch, height // factor, factor, width // factor, factor, channels)
    if factor > LARGE:
        return x.mean((2, 4))
    total = sum(x[:, :, i, :, j] for i in range(factor) for j in range(factor))
    return jnp.asarray(total) / factor**2


def reflect_pad(x: Array, size: int) -> Array:
    """Continues images over their border by mirroring them at the outermost pixels.

    Args:
      x: images `[B, H, W, C]`.
      size: pixels added on each of the four sides, from 0 to one less than the shorter side.

    Returns:
      Images `[B, H + 2 size, W + 2 size, C]`.

    Raises:
      ValueError: if `x` is not of rank 4 or has too few pixels to mirror.
    """
    _, height, width, _ = _shape(x)
    if not 0 <= size < min(height, width):
        raise ValueError(
            f"reflect_pad of {height}x{width} pixels takes a size from 0 to "
            f"{min(height, width) - 1}, not {size}."
        )
    return jnp.pad(x, ((0, 0), (size, size), (size, size), (0, 0)), mode="reflect")


def pixel_shuffle(x: Array, factor: int = 2) -> Array:
    """Depth to space: each pixel becomes a square of `factor` by `factor`, made of its channels.

    Channel `c * factor**2 + i * factor + j` of pixel (y, x) becomes channel c of pixel
    (y * factor + i, x * factor + j). This is the order of PyTorch's `PixelShuffle`. TensorFlow's
    `depth_to_space` has c run fastest, not slowest; with trained weights the two are not the same.

    Args:
      x: images `[B, H, W, C * factor**2]`.
      factor: 1 or more.

    Returns:
      Images `[B, H * factor, W * factor, C]`.

    Raises:
      ValueError: if `x` is not of rank 4, the factor is below 1 or its square does not divide the
        channels.

    References:
      Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
      Convolutional Neural Network, 2016 (arXiv:1609.05158).
    """
    batch, height, width, channels = _shape(x)
    _check_factor(factor)
    if channels % factor**2:
        raise ValueError(
            f"pixel_shuffle by {factor} needs channels that are a multiple of {factor**2}, "
            f"not {channels}."
        )
    x = x.reshape(batch, height, width, channels // factor**2, factor, factor)
    x = x.transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(batch, height * factor, width * factor, channels // factor**2)


def _shape(x: Array) -> tuple[int, int, int, int]:
    if x.ndim != 4:
        raise ValueError(f"images must have shape [B, H, W, C], not {x.shape}.")
    batch, height, width, channels = x.shape
    return batch, height, width, channels


def _check_factor(factor: int) -> None:
    if factor < 1:
        raise ValueError(f"a factor of resizing must be 1 or more, not {factor}.")
