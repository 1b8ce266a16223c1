"""What stands for a sample in a distance: a row of numbers, its features.

A feature function takes images uint8 `[N, H, W, C]` and gives `[N, D]`: the features of a
classifier (`Classifier.features`), the `pixels` themselves, or any callable of the user's. A
distance is a statement about its features as much as about the samples, so the two are reported
together.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK = 500  # images in float32 at a time

LARGEST = float(np.finfo(np.float32).max)
"""The largest magnitude that metrics take, float32's. The sixth power of it, which the kernel
distance sums, is below what float64 holds; from 1e154 on not even the squares are."""

FeatureFn: TypeAlias = Callable[[NDArray[np.uint8]], NDArray]
"""Images uint8 `[N, H, W, C]` to features `[N, D]`."""


def pixels(images: ArrayLike) -> NDArray[np.float32]:
    """The images themselves as features, in [0, 1].

    Args:
      images: uint8 `[N, H, W, C]`.

    Returns:
      float32 `[N, H * W * C]`.

    Raises:
      ValueError: if the images are not as said.
    """
    images = check_images(images)
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)


def reduced_pixels(images: ArrayLike, most: int = 1024) -> NDArray[np.float32]:
    """The pixels of images made small: in [0, 1], halved until they are at most `most` numbers.

    A halving is the mean of 2x2 pixels; an odd last row or column goes. 28x28x1 images stay as they
    are, 32x32x3 and 64x64x3 become 16x16x3. A Fréchet distance takes the roots of matrices of D x D
    numbers, which D of a thousand allows.

    Args:
      images: uint8 `[N, H, W, C]`.
      most: D above which images are halved, unless a side is of one pixel.

    Returns:
      float32 `[N, D]`.

    Raises:
      ValueError: if the images are not as said.
    """
    images = check_images(images)
    if not len(images):
        raise ValueError("there must be at least 1 image, not 0")
    parts = [_halved(images[i : i + _BLOCK], most) for i in range(0, len(images), _BLOCK)]
    return np.concatenate(parts)


def _halved(images: NDArray[np.uint8], most: int) -> NDArray[np.float32]:
    x = np.divide(images, 255, dtype=np.float32)
    while x[0].size > most and min(x.shape[1:3]) > 1:
        count, height, width, channels = x.shape
        x = x[:, : height // 2 * 2, : width // 2 * 2]
        x = x.reshape(count, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
    return x.reshape(len(x), -1)


def by_channel(function: FeatureFn, images: ArrayLike) -> NDArray:
    """A function of grey images, of each channel by itself: `[C, N, ...]`.

    Stacked MNIST is judged so, a digit a channel::

        features = np.concatenate(by_channel(judge.features, images), axis=1)   # [N, 3 D]
        classes = stacked_classes(by_channel(judge.probabilities, images))      # [N] of 1,000

    Args:
      function: images uint8 `[N, H, W, 1]` to `[N, ...]`.
      images: uint8 `[N, H, W, C]`.

    Raises:
      ValueError: if the images are not as said.
    """
    images = check_images(images)
    return np.stack([function(images[..., c : c + 1]) for c in range(images.shape[-1])])


def stacked_classes(probabilities: ArrayLike) -> NDArray[np.int64]:
    """The class of a stack of digits a, b, c: 100a + 10b + c, for `mode_statistics` of 1,000 modes.

    Args:
      probabilities: `[C, N, K]`, of each channel by itself.

    Returns:
      int64 `[N]` in [0, K^C): the channels' likeliest classes as digits of base K, the first
      channel's the highest.

    Raises:
      ValueError: if the probabilities are not `[C, N, K]`, or some are NaN, or there are more
        than 2^63 classes.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 3 or not probabilities.shape[2]:
        raise ValueError(
            f"probabilities of stacks must be [C, N, K], not {list(probabilities.shape)}"
        )
    if np.isnan(probabilities).any():
        raise ValueError("probabilities of stacks must be numbers, but some are NaN")
    channels, _, base = probabilities.shape
    if base**channels > 2**63:
        raise ValueError(
            f"stacks have at most 2^63 classes, but {channels} channels of {base} have more"
        )
    return base ** np.arange(channels)[::-1] @ probabilities.argmax(axis=2)


def check_images(images: ArrayLike) -> NDArray[np.uint8]:
    """The images as an array; a ValueError unless they are uint8 `[N, H, W, C]`."""
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(
            f"images must be uint8 [N, H, W, C], not {images.dtype} {list(images.shape)}"
        )
    return images


def check_features(features: ArrayLike, at_least: int = 1) -> NDArray:
    """The features as an array of their own type, for a metric that takes `[N, D]`.

    Args:
      features: numbers `[N, D]`.
      at_least: the least N that the metric is defined for.

    Raises:
      ValueError: if they are not `[N, D]` with D above 0, too few, complex, not finite, or beyond
        `LARGEST`.
    """
    features = np.asarray(features)
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(f"features must be [N, D], one row a sample, not {list(features.shape)}")
    if features.dtype.kind not in "fiub" and not np.can_cast(features.dtype, np.float64):
        raise ValueError(f"features must be real numbers, not {features.dtype}")
    if len(features) < at_least:
        plural = "s" if at_least > 1 else ""
        raise ValueError(f"there must be at least {at_least} sample{plural}, not {len(features)}")
    if not np.isfinite(features).all():
        raise ValueError("features must be finite, but some are NaN or infinite")
    check_magnitude(features, "features")
    return features


def check_magnitude(x: NDArray, name: str) -> None:
    """A ValueError that calls numbers by `name` if one of them is beyond `LARGEST` either way."""
    # As Python numbers: float16 cannot be compared with a number that it does not reach.
    largest = max(float(x.max(initial=0)), -float(x.min(initial=0)))
    if largest > LARGEST:
        raise ValueError(
            f"{name} must be at most {LARGEST:.2g} in magnitude, the most that float32 holds, "
            f"but the largest is {largest:.3g}"
        )


def check_pair(
    features_a: ArrayLike, features_b: ArrayLike, at_least: int = 1
) -> tuple[NDArray, NDArray]:
    """`check_features` of both; a ValueError too unless the two have one D."""
    a, b = check_features(features_a, at_least), check_features(features_b, at_least)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"two sets of features must have one D, not {list(a.shape)} and {list(b.shape)}"
        )
    return a, b
