"""Nearest neighbours, and what they tell about two sets: precision, recall, density, coverage.

Features are `[N, D]`, one row a sample; distances are Euclidean. All pairs are compared, a block of
rows at a time, so memory grows with N + M and not with N M.

Squared distances are |a|² + |b|² - 2 a·b, by a matrix product, in float64 and about the mean of the
references: that is right to about 1e-15 of |a|² + |b|², where float32 would leave 1e-6 and lose
near neighbours altogether. The neighbours that this finds are then measured again by their
differences, so distances returned are right to the last digits, and 0 for duplicates. A sample is
distinguished from its duplicates by its index, never by its distance.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxgan.metrics.features import check_pair

BLOCK = 1 << 23
"""Distances that are held at a time, 64 MiB of them."""

_ROUNDING = 1e-13  # of |a|² + |b|²: above the error of a squared distance


class Neighbours(NamedTuple):
    """The nearest references of each query, the nearest first.

    Attributes:
      distances: Euclidean, float64 `[N, k]`.
      indices: rows of the references, int64 `[N, k]`.
    """

    distances: NDArray[np.float64]
    indices: NDArray[np.int64]


class PrecisionRecallDensityCoverage(NamedTuple):
    """Four figures of a generator, by neighbourhoods of samples.

    Attributes:
      precision: share of fakes within a real's neighbourhood, in [0, 1].
      recall: share of reals within a fake's neighbourhood, in [0, 1].
      density: how many reals' neighbourhoods a fake is in, over k: 1 in expectation for two equal
        distributions, and above it where fakes crowd where reals are dense.
      coverage: share of reals with a fake in their neighbourhood, in [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def nearest_neighbours(
    queries: ArrayLike,
    references: ArrayLike,
    k: int = 1,
    *,
    exclude_self: bool = False,
    block: int = BLOCK,
) -> Neighbours:
    """The k references nearest to each query.

    Generated images beside the training images nearest to them show whether a generator has learnt
    by heart; raw pixels do for that, features find more than copies.

    Args:
      queries: `[N, D]`.
      references: `[M, D]`.
      k: neighbours of each, in [1, M], or [1, M - 1] with `exclude_self`.
      exclude_self: the two are the same set, and row i is no neighbour of query i. Its duplicates
        are.
      block: distances held at a time. Distances do not depend on it; which of several references
        at one distance is named may.

    Returns:
      Distances and indices `[N, k]`.

    Raises:
      ValueError: if a set is not `[N, D]`, empty or not finite, the two do not fit each other, or
        `k` is not as said.
    """
    queries, references = check_pair(queries, references)
    if exclude_self and queries.shape != references.shape:
        raise ValueError(
            "exclude_self takes queries that are the references, "
            f"not {list(queries.shape)} and {list(references.shape)}"
        )
    most = len(references) - exclude_self
    if not 1 <= k <= most:
        raise ValueError(f"k must be in [1, {most}], the number of neighbours there are, not {k}")
    center = references.mean(axis=0, dtype=np.float64)
    centered = references - center
    distances, indices = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    for rows, squared in _blocks(queries - center, centered, block):
        if exclude_self:
            squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = np.inf
        if k == 1:
            found = squared.argmin(axis=1)[:, None]
        else:
            found = np.argpartition(squared, k - 1, axis=1)[:, :k]
        for column in range(k):
            way = queries[rows].astype(np.float64) - references[found[:, column]]
            distances[rows, column] = np.sqrt(np.einsum("nd,nd->n", way, way))
        order = np.lexsort((found, distances[rows]))  # By distance, then by index
        distances[rows] = np.take_along_axis(distances[rows], order, axis=1)
        indices[rows] = np.take_along_axis(found, order, axis=1)
    return Neighbours(distances, indices)


def precision_recall_density_coverage(
    real: ArrayLike, fake: ArrayLike, k: int = 5, *, block: int = BLOCK
) -> PrecisionRecallDensityCoverage:
    """Whether fakes look like reals (precision, density) and are of all kinds (recall, coverage).

    The neighbourhood of a sample is the ball around it that reaches to the k-th nearest other
    sample of its own set, its surface included. With Rᵢ the ball of real i and Fⱼ that of fake j::

        precision = mean_j [ fake j in any Rᵢ ]        density  = Σᵢⱼ [ fake j in Rᵢ ] / (k M)
        recall    = mean_i [ real i in any Fⱼ ]        coverage = mean_i [ any fake in Rᵢ ]

    An outlier among the reals has a large ball and lifts precision; density and coverage, which
    count, are robust against that. All depend on N, M and k: the first paper takes 50,000 samples
    and k = 3, the second 10,000 and k = 5. The authors' code of density and coverage leaves the
    surface out; that tells only in data with ties. Here a distance equal to the radius but for
    rounding counts as within, and so a set compared with itself has precision, recall and coverage
    1.

    Args:
      real: `[N, D]`, N above k.
      fake: `[M, D]`, M above k.
      k: the neighbour that a ball reaches to, at least 1.
      block: distances held at a time. The figures do not depend on it.

    Raises:
      ValueError: if a set is not `[N, D]`, has k samples or fewer, or is not finite, or if the two
        differ in D.

    References:
      Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models,
      2019, https://arxiv.org/abs/1904.06991
      Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, 2020,
      https://arxiv.org/abs/2002.09797
    """
    real, fake = check_pair(real, fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(
            f"k must be at least 1 and below the number of samples, {len(real)} real and "
            f"{len(fake)} fake, not {k}"
        )
    real_radius, fake_radius = (
        nearest_neighbours(x, x, k, exclude_self=True, block=block).distances[:, -1]
        for x in (real, fake)
    )
    center = real.mean(axis=0, dtype=np.float64)
    in_a_real, pairs, recalled, covered = np.zeros(len(fake), bool), 0, 0, 0
    for rows, squared in _blocks(real - center, fake - center, block, 1 - _ROUNDING):
        in_real = squared <= real_radius[rows, None] ** 2
        in_a_real |= in_real.any(axis=0)
        pairs += int(np.count_nonzero(in_real))
        covered += int(np.count_nonzero(in_real.any(axis=1)))
        recalled += int(np.count_nonzero((squared <= fake_radius**2).any(axis=1)))
    return PrecisionRecallDensityCoverage(
        precision=float(in_a_real.mean()),
        recall=recalled / len(real),
        density=pairs / (k * len(fake)),
        coverage=covered / len(real),
    )


def _blocks(
    queries: NDArray[np.float64],
    references: NDArray[np.float64],
    block: int,
    shrink: float = 1.0,
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Rows of the queries, and shrink (|a|² + |b|²) - 2 a·b from each of them to all references.

    A `shrink` a little below 1 makes it at most the true squared distance, whatever the rounding.
    """
    norms = shrink * np.einsum("nd,nd->n", references, references)
    count = max(block // len(references), 1)
    for start in range(0, len(queries), count):
        rows = slice(start, min(start + count, len(queries)))
        part = queries[rows]
        squared = part @ references.T
        squared *= -2
        squared += norms
        squared += shrink * np.einsum("nd,nd->n", part, part)[:, None]
        yield rows, squared
