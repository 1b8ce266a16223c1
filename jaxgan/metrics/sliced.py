"""The sliced Wasserstein distance of two sets: along random lines, where it is exact.

On a line the optimal transport between two sets moves them in order, so the distance is that of
the sorted values. Features are `[N, D]`, one row a sample, from any network or none; Karras' form
for images takes the patches of their Laplacian pyramids, a distance a scale. NumPy on the host, in
float64; the lines are drawn from a key.
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jax import random
from numpy.typing import ArrayLike, NDArray

from jaxgan.keys import derive
from jaxgan.metrics.features import check_images, check_pair
from jaxgan.types import Key

_BLOCK = 1 << 23  # projections at a time
_IMAGES = 500  # whose pyramids are held at a time
_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16
PATCH = 7
_SMALLEST = 16  # pixels along a side of the coarsest scale


def sliced_wasserstein(
    features_a: ArrayLike,
    features_b: ArrayLike,
    *,
    key: Key,
    projections: int = 512,
    order: int = 1,
) -> float:
    """(E_u W_p(u·a, u·b)^p)^(1/p), the mean being over random unit vectors u.

    W_p^p on a line is ∫ |F⁻¹(t) - G⁻¹(t)|^p dt over t in [0, 1], with F⁻¹ and G⁻¹ the quantile
    functions, which are steps: sets of any two sizes are compared exactly, and one of them need
    not be thinned out. Two sets of one distribution are apart by about N^(-½), so compare figures
    of equal counts only. In D dimensions it is about D^(-½) of the distance that the sets are moved
    by; some code bases multiply by that, Karras et al. by 1000.

    Args:
      features_a: `[N, D]`.
      features_b: `[M, D]`.
      key: draws the directions, the same for equal D.
      projections: their number, at least 1; Karras et al. take 4 times 128.
      order: p, 1 (as Karras et al. do) or 2.

    Raises:
      ValueError: if a set is not `[N, D]`, empty or not finite, if the two differ in D, or if
        `projections` or `order` are not as said.

    References:
      Rabin et al., Wasserstein Barycenter and Its Application to Texture Mixing, 2011
      Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation,
      2018, https://arxiv.org/abs/1710.10196
    """
    a, b = check_pair(features_a, features_b)
    if projections < 1 or order not in (1, 2):
        raise ValueError(
            "a sliced distance takes projections at least 1 and order 1 or 2, "
            f"not {projections} and {order}"
        )
    shape = (a.shape[1], projections)
    directions = np.array(random.normal(derive(key, "directions"), shape, np.float32), np.float64)
    directions /= np.linalg.norm(directions, axis=0)
    of_a, of_b, share = _steps(len(a), len(b))
    count = max(_BLOCK // max(len(a), len(b)), 1)
    total = 0.0
    for start in range(0, projections, count):
        lines = directions[:, start : start + count]
        way = np.sort(a @ lines, axis=0)[of_a] - np.sort(b @ lines, axis=0)[of_b]
        total += float((share @ np.abs(way) ** order).sum())
    return (total / projections) ** (1 / order)


def laplacian_sliced_wasserstein(
    images_a: ArrayLike,
    images_b: ArrayLike,
    *,
    key: Key,
    patches: int = 128,
    projections: int = 512,
) -> tuple[float, ...]:
    """The sliced distance (p = 1) of 7x7 patches, at each scale of the images.

    A scale holds what blurring and halving takes away from the one before; the coarsest holds the
    rest. Fine scales tell of texture and sharpness, coarse ones of layout. Patches are taken at
    random places, and made free of their set's colour and contrast: each channel has mean 0 and
    standard deviation 1 over a set. So a set that is only darker than the other is at distance 0.

    Scales go down to 16 pixels, and a side that cannot be halved ends them: 32x32 images have two,
    28x28 ones have the images alone. The paper multiplies by 1000, and takes 16,384 images; patches
    of `[N, H, W, C]` take 196 N C `patches` bytes a set.

    Args:
      images_a: uint8 `[N, H, W, C]`, H and W at least 7.
      images_b: uint8 `[M, H, W, C]`.
      key: draws places and directions.
      patches: of each image at each scale, at least 1.
      projections: as in `sliced_wasserstein`.

    Returns:
      A distance for each scale, the finest first.

    Raises:
      ValueError: if the images are not as said, or of two sizes.

    References:
      Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation,
      2018, https://arxiv.org/abs/1710.10196
    """
    a, b = check_images(images_a), check_images(images_b)
    if a.shape[1:] != b.shape[1:] or min(a.shape[1:3]) < PATCH or not (len(a) and len(b)):
        raise ValueError(
            f"two sets of images must have one size of at least {PATCH} pixels, "
            f"not {list(a.shape)} and {list(b.shape)}"
        )
    if patches < 1:
        raise ValueError(f"patches must be at least 1, not {patches}")
    gathered_a = PatchGatherer(key, "a", len(a), patches)
    gathered_b = PatchGatherer(key, "b", len(b), patches)
    for gathered, images in ((gathered_a, a), (gathered_b, b)):
        for start in range(0, len(images), _IMAGES):
            gathered.add(images[start : start + _IMAGES])
    scales = gathered_a.scales(), gathered_b.scales()
    return patch_distances(*scales, key=key, projections=projections)


Scales: TypeAlias = tuple[NDArray[np.float32], ...]
"""Patches `[N * patches, 7 * 7 * C]` of each scale, the finest first, each channel of mean 0 and
deviation 1."""


class _Scale(NamedTuple):
    """The patches of one scale.

    Attributes:
      size: H, W and C of its images.
      rows: where patches begin, `[N, patches, 1, 1]`.
      columns: the same across.
      patches: `[N, patches, 7, 7, C]`, filled as images come.
    """

    size: tuple[int, ...]
    rows: NDArray
    columns: NDArray
    patches: NDArray[np.float32]


class PatchGatherer:
    """Random patches of one set's images, which come a block at a time and are not kept.

    This is `laplacian_sliced_wasserstein` for sets that are too large to hold::

        a = PatchGatherer(key, "a", count, patches)
        for images in blocks:
            a.add(images)
        distances = patch_distances(a.scales(), b.scales(), key=key)

    The patches do not depend on how the images are parted into blocks.

    Args:
      key: the same for both sets.
      side: which of the two sets it is; each has places of its own.
      count: images in all.
      patches: of each image at each scale, at least 1.
    """

    def __init__(self, key: Key, side: Literal["a", "b"], count: int, patches: int) -> None:
        if count < 1 or patches < 1:
            raise ValueError(f"images and patches must be at least 1, not {count} and {patches}")
        self._key, self._side, self._count, self._patches = key, side, count, patches
        self._scales: list[_Scale] = []
        self._added = 0

    def add(self, images: ArrayLike) -> None:
        """Takes the patches of the next images.

        Args:
          images: uint8 `[n, H, W, C]`, H and W at least 7.

        Raises:
          ValueError: if the images are not as said, not of the size of those before, or too many.
        """
        images = check_images(images)
        rows = slice(self._added, self._added + len(images))
        if min(images.shape[1:3]) < PATCH or rows.stop > self._count:
            raise ValueError(
                f"there must be {self._count} images of at least {PATCH} pixels in all, "
                f"not {list(images.shape)} after {self._added}"
            )
        if not len(images):
            return
        pyramid = laplacian_pyramid(images)
        self._scales = self._scales or [
            self._open(level, x.shape[1:]) for level, x in enumerate(pyramid)
        ]
        if self._scales[0].size != images.shape[1:]:
            raise ValueError(
                "images of one set must have one size, "
                f"not {list(self._scales[0].size)} and {list(images.shape[1:])}"
            )
        image, offset = np.arange(len(images))[:, None, None, None], np.arange(PATCH)
        for scale, x in zip(self._scales, pyramid, strict=True):
            places = scale.rows[rows] + offset[:, None], scale.columns[rows] + offset
            scale.patches[rows] = x[image, *places]
        self._added = rows.stop

    def scales(self) -> Scales:
        """The patches, when all images have been added; call it once.

        Raises:
          ValueError: if images are missing.
        """
        if self._added < self._count:
            raise ValueError(f"{self._count - self._added} images of {self._count} are missing")
        return tuple(_standardised(scale.patches) for scale in self._scales)

    def _open(self, level: int, size: tuple[int, ...]) -> _Scale:
        """Room for the patches of one scale, and the places of all of them."""
        key = derive(self._key, level, self._side)
        height, width, channels = size
        rows, columns = (
            np.asarray(
                random.randint(
                    *(derive(key, axis), (self._count, self._patches, 1, 1), 0, side - PATCH + 1),
                    np.int32,
                )
            )
            for axis, side in (("rows", height), ("columns", width))
        )
        shape = (self._count, self._patches, PATCH, PATCH, channels)
        return _Scale(size, rows, columns, np.empty(shape, np.float32))


def patch_distances(
    scales_a: Scales, scales_b: Scales, *, key: Key, projections: int = 512
) -> tuple[float, ...]:
    """`laplacian_sliced_wasserstein` of the patches of two sets.

    Args:
      scales_a: of a `PatchGatherer` of side "a".
      scales_b: of one of side "b", for images of the same size.
      key: as the gatherers took it.
      projections: as in `sliced_wasserstein`.

    Returns:
      A distance for each scale, the finest first.

    Raises:
      ValueError: if the images were of different sizes, as far as the patches tell.
    """
    if len(scales_a) != len(scales_b):
        raise ValueError(
            "two sets of images must have one size, "
            f"not one of {len(scales_a)} scales and one of {len(scales_b)}"
        )
    return tuple(
        sliced_wasserstein(a, b, key=derive(key, level), projections=projections)
        for level, (a, b) in enumerate(zip(scales_a, scales_b, strict=True))
    )


def laplacian_pyramid(images: ArrayLike) -> list[NDArray[np.float32]]:
    """The images apart by scale, `[N, H, W, C]`, `[N, H/2, W/2, C]`, ..., see above.

    Each scale is what is left of the images when those at half the size, blown up, are taken away;
    so adding up the blown-up scales gives the images back.
    """
    rest = np.asarray(images, np.float32)
    levels = []
    while all(side % 2 == 0 and side // 2 >= _SMALLEST for side in rest.shape[1:3]):
        half = _blur(rest)[:, ::2, ::2]
        levels.append(rest - blow_up(half))
        rest = half
    return [*levels, rest]


def blow_up(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Twice the size: zeros between the pixels, then the blur, which keeps a constant as it is."""
    count, height, width, channels = images.shape
    large = np.zeros((count, 2 * height, 2 * width, channels), np.float32)
    large[:, ::2, ::2] = 4 * images
    return _blur(large)


def _blur(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """A binomial filter of 5x5 taps; the border is a mirror."""
    from scipy.ndimage import correlate1d

    rows = correlate1d(images, _BINOMIAL, axis=1, mode="mirror")
    return correlate1d(rows, _BINOMIAL, axis=2, mode="mirror")


def _standardised(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """The patches, in place, each channel of mean 0 and deviation 1; `[N * patches, 7 * 7 * C]`."""
    axes = (0, 1, 2, 3)
    patches -= patches.mean(axis=axes, dtype=np.float64).astype(np.float32)
    spread = patches.std(axis=axes, dtype=np.float64)
    patches /= np.where(spread > 0, spread, 1).astype(np.float32)  # A constant channel stays 0.
    return patches.reshape(len(patches) * patches.shape[1], -1)


def _steps(n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Where two quantile functions of n and m steps are both constant.

    Returns:
      The step of each that an interval of [0, 1] belongs to, and the interval's length.
    """
    # In units of 1 / (n m), in which both have whole steps.
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    return (ends - 1) // m, (ends - 1) // n, np.diff(ends, prepend=0) / (n * m)
