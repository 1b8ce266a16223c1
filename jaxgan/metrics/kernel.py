"""The kernel distance (KID): how far two sets of samples are apart, without Fréchet's bias.

Features are `[N, D]`, one row a sample. The kernel is the polynomial k(x, y) = (x·y / D + 1)³ of
the published figures, which compares the first three moments of the two distributions. Everything
is computed in float64 on the host: the distance is a small difference of large means.
"""

from typing import NamedTuple

import numpy as np
from jax import random
from numpy.typing import ArrayLike, NDArray

from jaxgan.keys import derive
from jaxgan.metrics.features import check_pair
from jaxgan.types import Key

_BLOCK = 1 << 22  # kernel values at a time


class KernelDistance(NamedTuple):
    """The kernel distance over subsets.

    Attributes:
      mean: over the subsets; as unbiased as one of them, and steadier.
      std: of the subsets' distances about their mean (over their number, not less one). It tells
        how a subset scatters; that of the mean is smaller.
    """

    mean: float
    std: float


def kernel_distance(
    features_a: ArrayLike,
    features_b: ArrayLike,
    *,
    key: Key,
    subset_size: int = 1000,
    subsets: int = 100,
) -> KernelDistance:
    """The unbiased squared maximum mean discrepancy, averaged over random subsets.

    This is "KID" where the features are Inception-v3's 2048. Each subset is drawn without
    replacement from either set. Some code bases print it times 100 or 1000; this is the plain
    value.

    Args:
      features_a: `[N, D]`, N at least `subset_size`.
      features_b: `[M, D]`, M at least `subset_size`.
      key: draws the subsets.
      subset_size: samples of either set in a subset, at least 2.
      subsets: their number, at least 1.

    Returns:
      Mean and standard deviation. The mean is about 0 for two sets of one distribution, and then
      as often below 0 as above.

    Raises:
      ValueError: if a set is not `[N, D]`, smaller than a subset or holds NaN or infinity, if the
        two differ in D, or if the subsets are fewer or smaller than said.

    References:
      Bińkowski et al., Demystifying MMD GANs, 2018, https://arxiv.org/abs/1801.01401
    """
    a, b = check_pair(features_a, features_b, at_least=2)
    if subset_size < 2 or subsets < 1:
        raise ValueError(
            "a kernel distance takes subset_size at least 2 and subsets at least 1, "
            f"not {subset_size} and {subsets}"
        )
    if subset_size > min(len(a), len(b)):
        raise ValueError(
            f"subset_size must be at most the number of samples, {len(a)} and {len(b)}, "
            f"not {subset_size}"
        )
    distances = np.empty(subsets)
    for index in range(subsets):
        distances[index] = squared_mmd(
            _subset(derive(key, index, "a"), a, subset_size),
            _subset(derive(key, index, "b"), b, subset_size),
        )
    return KernelDistance(float(distances.mean()), float(distances.std()))


def squared_mmd(features_a: ArrayLike, features_b: ArrayLike) -> float:
    """MMD² = mean_{i≠j} k(aᵢ, aⱼ) + mean_{i≠j} k(bᵢ, bⱼ) - 2 mean_{ij} k(aᵢ, bⱼ), unbiased.

    A sample is not compared with itself, which is what takes the bias away, and why the value may
    be below 0: for a set and itself it is. All N² + M² + N M pairs are taken, in blocks.

    Args:
      features_a: `[N, D]`, N at least 2.
      features_b: `[M, D]`, M at least 2.

    Raises:
      ValueError: if a set is not `[N, D]`, has fewer than 2 samples or holds NaN or infinity, or if
        the two differ in D.

    References:
      Gretton et al., A Kernel Two-Sample Test, 2012, equation 3,
      https://jmlr.org/papers/v13/gretton12a.html
    """
    a, b = (x.astype(np.float64) for x in check_pair(features_a, features_b, at_least=2))
    return _mean_of_pairs(a) + _mean_of_pairs(b) - 2 * _sum(a, b) / (len(a) * len(b))


def _mean_of_pairs(x: NDArray[np.float64]) -> float:
    """The mean kernel of a sample and another of the same set."""
    own = ((np.einsum("nd,nd->n", x, x) / x.shape[1] + 1) ** 3).sum()
    return float(_sum(x, x) - own) / (len(x) * (len(x) - 1))


def _sum(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The sum of the kernel over all pairs."""
    rows = max(_BLOCK // len(y), 1)
    total = 0.0
    for start in range(0, len(x), rows):
        base = x[start : start + rows] @ y.T / x.shape[1] + 1
        total += float((base * base * base).sum())
    return total


def _subset(key: Key, features: NDArray, size: int) -> NDArray:
    return features[np.asarray(random.permutation(key, len(features))[:size])]
