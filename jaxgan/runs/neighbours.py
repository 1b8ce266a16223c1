"""Which training images samples lie nearest to: whether a run has learnt its data by heart."""

from typing import NamedTuple

import numpy as np

from jaxgan.data import Source
from jaxgan.metrics import nearest_neighbours, pixels

COMPARED = 100_000
"""Training images that samples are compared with, at most."""
BLOCK = 1 << 24
"""Numbers of training images compared at a time."""


class Closest(NamedTuple):
    """Samples beside the training images that they are nearest to, by pixels.

    Attributes:
      samples: uint8 [N, H, W, C].
      images: the nearest training images, uint8 [N, H, W, C].
      distances: Euclidean, pixels in [0, 1], [N].
      usual: the median of the same distance from a training image to another.
      compared: number of training images.
      total: how many there are.
    """

    samples: np.ndarray
    images: np.ndarray
    distances: np.ndarray
    usual: float
    compared: int
    total: int


def closest(samples: np.ndarray, source: Source, usual_of: int = 100) -> Closest:
    """The training images nearest to samples, a block of images at a time.

    Args:
      samples: uint8 [N, H, W, C], of the source's shape.
      source: the training images, two or more.
      usual_of: how many training images the usual distance is taken of.

    Raises:
      ValueError: if the samples are not as said.
    """
    total = len(source)
    compared = min(total, COMPARED)
    indices = np.linspace(0, total - 1, compared).astype(int)
    own = indices[np.linspace(0, compared - 1, min(compared, usual_of)).astype(int)]
    queries = np.concatenate([pixels(samples), pixels(np.asarray(source.take(own)["real"]))])
    size = max(BLOCK // queries.shape[1], 2)
    starts = range(0, compared, size)
    distances, found = np.full((len(queries), 2), np.inf), np.zeros((len(queries), 2), int)
    for start in starts:
        part = indices[start : start + size]
        block = pixels(np.asarray(source.take(part)["real"]))
        near = nearest_neighbours(queries, block, min(2, len(block)))
        distances = np.concatenate([distances, near.distances], axis=1)
        found = np.concatenate([found, part[near.indices]], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :2]
        distances = np.take_along_axis(distances, order, axis=1)
        found = np.take_along_axis(found, order, axis=1)
    count = len(samples)
    images = np.asarray(source.take(found[:count, 0])["real"])
    # A training image is its own nearest, or has a copy at the same distance 0.
    usual = float(np.median(distances[count:, 1]))
    return Closest(samples, images, distances[:count, 0], usual, compared, total)
