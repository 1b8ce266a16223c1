"""How far samples lie from each other, against real ones: what a collapsed generator loses first.

Both figures are of a handful of samples and need no classifier, so a training can afford them at
every preview. They do not tell good samples from bad ones: noise is diverse.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist, squareform

from jaxgan.metrics.features import check_pair

DUPLICATE = 0.25
"""Two samples are duplicates when they are closer than this fraction of the usual distance from a
real sample to its nearest neighbour. Real points of the plane, whose nearest neighbours are spread
more widely than those of any images, then count 4 % of themselves."""


class SampleDiversity(NamedTuple):
    """How varied a set of samples is.

    Attributes:
      diversity: mean distance between two samples over that between two real ones: 0 when all are
        one, about 1 when they are as varied as the data.
      duplicate_rate: share of samples with a duplicate among the others, in [0, 1].
    """

    diversity: float
    duplicate_rate: float


def sample_diversity(samples: ArrayLike, real: ArrayLike) -> SampleDiversity:
    """Compares the distances among samples with those among real ones.

    Args:
      samples: features `[N, D]`, N at least 2; of images, `pixels` will do.
      real: features `[M, D]`, M at least 2. Nearest neighbours are closer in larger sets, so M is
        to be N.

    Raises:
      ValueError: if a set is not as said or not finite, or the real samples are all equal.
    """
    samples, real = check_pair(samples, real, at_least=2)
    among, among_real = pdist(samples.astype(np.float64)), pdist(real.astype(np.float64))
    if not among_real.any():
        raise ValueError("real samples must differ from each other, but they are all equal")
    usual = np.median(_nearest(among_real))
    return SampleDiversity(
        diversity=float(among.mean() / among_real.mean()),
        duplicate_rate=float((_nearest(among) < DUPLICATE * usual).mean()),
    )


def _nearest(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each sample to its nearest neighbour, given all pairs as `pdist` lays them out."""
    square = squareform(distances)
    np.fill_diagonal(square, np.inf)
    return square.min(axis=1)
