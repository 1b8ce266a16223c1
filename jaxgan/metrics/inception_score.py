"""The inception score of a classifier's answers: whether samples are clear, and of all classes."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class InceptionScore(NamedTuple):
    """The score over the splits of a set.

    Attributes:
      mean: in [1, K].
      std: over the number of splits; 0 for a single one.
    """

    mean: float
    std: float


def inception_score(probabilities: ArrayLike, *, splits: int = 1) -> InceptionScore:
    """exp(E_x KL(p(y|x) ‖ p(y))), p(y) being the mean of p(y|x) over the samples of a split.

    1 when every sample gets the same answer, K when the answers are certain and the classes
    balanced. Published figures take Inception-v3's 1,000 ImageNet classes, 50,000 samples and 10
    splits of consecutive ones; the score grows with the samples in a split, and means little for
    data unlike the classifier's. It looks at no real image, so memory and mode collapse within a
    class score well: never the only figure.

    Args:
      probabilities: `[N, K]`, each row at least 0 with sum 1.
      splits: number of parts, in the order given, each scored by itself. Part i is of the samples
        from i N // splits up to (i + 1) N // splits, as the original code cuts, so the last is the
        longest where the parts differ. Samples sorted by label must be shuffled first.

    Raises:
      ValueError: if the rows are not probabilities, or `splits` is not in [1, N].

    References:
      Salimans et al., Improved Techniques for Training GANs, 2016,
      https://arxiv.org/abs/1606.03498
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not p.size:
        raise ValueError(f"probabilities must be [N, K], one row a sample, not {list(p.shape)}")
    in_range = np.isfinite(p).all() and p.min() >= 0 and p.max() <= 2  # so that no sum overflows
    if not in_range or np.abs(p.sum(axis=1) - 1).max() >= 1e-3:
        raise ValueError("each row of probabilities must be at least 0 with sum 1")
    if not 1 <= splits <= len(p):
        raise ValueError(f"splits must be in [1, {len(p)}], the number of samples, not {splits}")
    p = p / p.sum(axis=1, keepdims=True)  # A sum of float32 is not quite 1.
    ends = [i * len(p) // splits for i in range(splits + 1)]
    scores = np.array([_score(p[start:end]) for start, end in pairwise(ends)])
    return InceptionScore(float(scores.mean()), float(scores.std()))


def _score(p: np.ndarray) -> float:
    marginal = p.mean(axis=0)
    # 0 log 0 = 0. The mean of what is just above 0 may be 0 itself.
    ratio = np.divide(p, marginal, out=np.ones_like(p), where=(p > 0) & (marginal > 0))
    return float(np.exp((p * np.log(ratio)).sum(axis=1).mean()))
