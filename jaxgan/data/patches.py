"""Patches of images of any size, for networks that learn from parts."""

import math
from functools import partial
from pathlib import Path

import numpy as np

from jaxgan.data import cache, images
from jaxgan.data.files import facts_of, folder_splits, identify_files, scan
from jaxgan.data.source import ArraySource
from jaxgan.files import expanded


def open_patches(
    name: str,
    size: int,
    *,
    stride: int | None = None,
    split: str = "train",
    channels: int | None = None,
    transparency: images.Transparency = "white",
) -> ArraySource:
    """Squares cut out of the images of a folder, which may be of any sizes.

    Squares lie a stride apart, from the upper left corner on; those at the right and at the lower
    border lie there exactly, so that every pixel is in one. Smaller images are passed over.

    Args:
      name: a folder, as `files.open_folder` takes it; labels are not read.
      size: pixels along a side.
      stride: pixels from one square to the next; half the size by default.
      split: "train" or "test".
      channels: 1, 3, or None for grey when all images are grey, and colour otherwise.
      transparency: what transparent pixels are laid on.

    Returns:
      A source of uint8 [N, size, size, C].

    Raises:
      ValueError: a folder that is missing, without an image of that size, or damaged.
    """
    images.check_options(size, channels)
    folder, stride = expanded(name), stride or max(1, size // 2)
    if not folder.is_dir():
        raise ValueError(f"There is no folder of images {folder}.")
    splits = folder_splits(folder)
    if split not in splits:
        raise ValueError(f"{name!r} has no split {split!r}; it has {' and '.join(splits)}.")
    files = scan(folder / split if len(splits) > 1 else folder, folder).files
    headers = [images.probe(path) for path in files]
    depth = channels or (1 if all(header.grey for header in headers) else 3)
    counts = [
        len(corners(header.height, size, stride)) * len(corners(header.width, size, stride))
        for header in headers
    ]
    if not any(counts):
        largest = max(min(header.height, header.width) for header in headers)
        raise ValueError(
            f"{folder} has no image of {size} pixels along both sides; the largest square is of "
            f"{largest}"
        )
    shape = (size, size, depth)
    options = ("patches", split, stride, shape, images.DECODING, transparency)
    key = cache.stem(folder.name, str(folder.resolve()), facts_of(files, folder), *options)
    arrays = cache.find(key, ["images"])
    if arrays is None:
        largest_file = max((header.height, header.width, depth) for header in headers)

        def work(start: int, stop: int) -> dict[str, np.ndarray]:
            cut = [_cut(path, size, stride, depth, transparency) for path in files[start:stop]]
            return {"images": np.concatenate(cut)}

        layout: cache.Layout = {"images": ((sum(counts), *shape), np.uint8)}
        arrays = cache.store(key, layout, images.in_threads(work, len(files), largest_file))

    identify = partial(identify_files, folder, files)
    return ArraySource(f"{folder}, patches", arrays["images"], identify=identify)


def corners(length: int, size: int, stride: int) -> list[int]:
    """Where squares begin along a side: a stride apart, and the last at its end."""
    if length < size:
        return []
    count = 1 + math.ceil((length - size) / stride)
    return [min(i * stride, length - size) for i in range(count)]


def _cut(
    path: Path, size: int, stride: int, channels: int, transparency: images.Transparency
) -> np.ndarray:
    image = images.decode(path, str(path), None, channels, transparency)
    height, width = image.shape[:2]
    found = [
        image[top : top + size, left : left + size]
        for top in corners(height, size, stride)
        for left in corners(width, size, stride)
    ]
    return np.stack(found) if found else np.empty((0, size, size, channels), np.uint8)
