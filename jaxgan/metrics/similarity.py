"""How alike two images are, pixel by pixel: for reconstruction, where the right answer is known.

Both are those of dm-pix, which the extra `similarity` installs. They judge pairs; they say nothing
of a generator that draws from latents.

Images are `[N, H, W, C]` or `[H, W, C]`, uint8 or floats in [-1, 1], and both of a pair alike. The
published protocol of super-resolution takes the Y channel alone and crops as many pixels from
the borders as the factor is, which `luminance` does; give both images so.

Images are refused outside of that range, or with a pixel that is NaN; under `jax.jit`, which has no
values to look at, neither is seen.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgan.degrade import LUMA
from jaxgan.types import Array

_WINDOW = 11  # pixels along a side of the window that SSIM compares
_ROUNDING = 1e-4  # beyond [-1, 1]: of means and interpolations whose weights do not quite sum to 1


def psnr(images_a: ArrayLike, images_b: ArrayLike) -> Array:
    """Peak signal-to-noise ratio, 10 log₁₀(1 / MSE) decibels of images in [0, 1].

    The mean is over an image's pixels and channels. The mean over a set of ratios is not the ratio
    of the mean error: published figures are the former.

    Args:
      images_a: as the module says.
      images_b: of the same shape and type.

    Returns:
      float32 `[N]`, or a scalar for two single images; infinite for equal ones.

    Raises:
      ValueError: if the images are not as said or do not fit each other, or dm-pix is not
        installed.
    """
    a, b = _pair(images_a, images_b)
    return jnp.asarray(_dm_pix().psnr(a, b))


def ssim(images_a: ArrayLike, images_b: ArrayLike) -> Array:
    """Structural similarity: luminance, contrast and structure compared in every 11x11 window.

    Windows are Gaussians of σ = 1.5 that lie within the image, and channels are compared each by
    itself, as in `tf.image.ssim`. Other code bases pad the borders, take uniform windows of 7x7,
    or grey images, all of which change the second digit.

    Args:
      images_a: as the module says, at least 11 pixels along a side.
      images_b: of the same shape and type.

    Returns:
      float32 `[N]`, or a scalar for two single images, in [-1, 1]; 1 for equal ones.

    Raises:
      ValueError: if the images are not as said, do not fit each other or are too small, or dm-pix
        is not installed.

    References:
      Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004
    """
    a, b = _pair(images_a, images_b)
    if min(a.shape[-3:-1]) < _WINDOW:
        raise ValueError(
            f"SSIM takes images of at least {_WINDOW} pixels along a side, not {list(a.shape)}"
        )
    return jnp.asarray(_dm_pix().ssim(a, b, filter_size=_WINDOW))


def luminance(images: ArrayLike, crop: int = 0) -> Array:
    """The Y of YCbCr without the borders: what published tables of super-resolution compare.

    Y = 16 + 65.481 R + 128.553 G + 24.966 B for R, G, B in [0, 1] (ITU-R BT.601, as digital video
    and Matlab's `rgb2ycbcr` have it): black is 16 and white 235 of 255. The peak of `psnr` stays
    255 all the same, so that its figures are 1.3 dB above those of the same errors in [0, 255].

    A table's figure is `psnr(luminance(fake, factor), luminance(truth, factor))` of uint8 images,
    taken image by image and averaged. Both were cut before to sides that the factor divides. Images
    of one channel are taken as they are, as the published programs do; those that make three
    channels of them first have Set14, which has such an image, .1 dB higher.

    Args:
      images: `[N, H, W, C]` or `[H, W, C]`, uint8 or floats in [-1, 1]; C 3 (red, green, blue) or
        1, taken as it is.
      crop: pixels that each border loses, from 0 to less than half of the shorter side: the factor
        of super-resolution.

    Returns:
      `[N, H - 2 crop, W - 2 crop, 1]` or without N: of uint8, Y rounded to uint8, as Matlab has it;
      of floats, float32 Y / 127.5 - 1, not rounded. `psnr` and `ssim` take either.

    Raises:
      ValueError: if the images or `crop` are not as said.

    References:
      Dong et al., Image Super-Resolution Using Deep Convolutional Networks, 2015 (arXiv:1501.00092)
    """
    images = jnp.asarray(images)
    if images.ndim not in (3, 4) or images.shape[-1] not in (1, 3):
        raise ValueError(
            "images must be [N, H, W, C] or [H, W, C] with C 1 or 3 to have a luminance, "
            f"not {list(images.shape)}"
        )
    if not 0 <= crop < min(images.shape[-3:-1]) / 2:
        raise ValueError(
            f"crop must be at least 0 and leave pixels of {list(images.shape)}, but it is {crop}"
        )
    inside, _ = _pair(images, images)  # float32 in [0, 1]
    whole = images.dtype == jnp.uint8
    cut = (slice(crop, images.shape[-3] - crop), slice(crop, images.shape[-2] - crop), slice(None))
    if images.shape[-1] == 1:
        return images[..., *cut] if whole else images[..., *cut].astype(jnp.float32)
    red, green, blue = jnp.split(inside[..., *cut], 3, axis=-1)
    luma = 16 + 219 * (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)
    return jnp.round(luma).astype(jnp.uint8) if whole else luma / 127.5 - 1


def _pair(images_a: ArrayLike, images_b: ArrayLike) -> tuple[Array, Array]:
    """Both images, float32 in [0, 1]."""
    a, b = jnp.asarray(images_a), jnp.asarray(images_b)
    if a.shape != b.shape or a.dtype != b.dtype or a.ndim not in (3, 4) or 0 in a.shape[-3:]:
        raise ValueError(
            "images must be two of one shape [N, H, W, C] or [H, W, C] and one type, "
            f"not {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}"
        )
    if a.dtype == jnp.uint8:
        return a.astype(jnp.float32) / 255, b.astype(jnp.float32) / 255
    if not jnp.issubdtype(a.dtype, jnp.floating):
        raise ValueError(f"images must be uint8 or floats in [-1, 1], not {a.dtype}")
    a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    _check_range(a)
    _check_range(b)
    return (a + 1) / 2, (b + 1) / 2


def _check_range(images: Array) -> None:
    if isinstance(images, jax.core.Tracer):
        return
    numbers = np.asarray(images)  # JAX's own minimum of many numbers loses NaN on a CPU.
    low, high = float(numbers.min(initial=np.inf)), float(numbers.max(initial=-np.inf))
    # Of NaN no comparison is true.
    if images.size and not -1 - _ROUNDING <= low <= high <= 1 + _ROUNDING:
        raise ValueError(
            f"images must be uint8 or floats in [-1, 1], not floats from {low:.4g} to {high:.4g}"
        )


def _dm_pix() -> ModuleType:
    if find_spec("dm_pix") is None:
        raise ValueError(
            "PSNR and SSIM are those of dm-pix, which is not installed: "
            "`pip install jaxgan[similarity]`."
        )
    return import_module("dm_pix")
