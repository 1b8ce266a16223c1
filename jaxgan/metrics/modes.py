"""How many modes of a known distribution a generator covers, and how evenly.

NumPy on the host: labels or points in, counts out. The KL divergence is KL(p ‖ uniform), in nats,
of the share p of samples in each mode from the uniform share 1/K, with 0 log 0 = 0: 0 for perfect
balance, log K when all samples are of one mode. This is the direction of the published tables; the
other is infinite as soon as one mode is missed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxgan.metrics.features import LARGEST, check_magnitude


class ModeStatistics(NamedTuple):
    """Coverage of K modes.

    Attributes:
      modes: the number of modes with at least one sample.
      kl: KL(p ‖ uniform) in nats, in [0, log K].
      smallest_share: the least of p over all K modes: 1/K in perfect balance, 0 when a mode is
        missed.
    """

    modes: int
    kl: float
    smallest_share: float


class MixtureStatistics(NamedTuple):
    """Coverage of a mixture of K Gaussians.

    Attributes:
      modes: the number of centres with at least one sample of high quality.
      high_quality: the share of samples within 3 standard deviations of a centre, in [0, 1].
      kl: KL(p ‖ uniform) in nats, in [0, log K].
    """

    modes: int
    high_quality: float
    kl: float


def mode_statistics(labels: ArrayLike, num_modes: int) -> ModeStatistics:
    """Counts the modes that a classifier, or the generator's own construction, gave to samples.

    Figures depend on the number of samples and on the classifier's errors, which turn up as modes
    that the generator does not have: state both.

    Args:
      labels: integers `[N]` in [0, num_modes), N at least 1.
      num_modes: K, the number of modes there are.

    Raises:
      ValueError: if there are no labels, or one is not an integer in [0, num_modes).

    References:
      Metz et al., Unrolled Generative Adversarial Networks, 2017, https://arxiv.org/abs/1611.02163
      Lin et al., PacGAN: The power of two samples in generative adversarial networks, 2018,
      https://arxiv.org/abs/1712.04086
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not labels.size or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be one or more integers as [N], not {labels.dtype} {list(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= num_modes:
        raise ValueError(
            f"labels must be in [0, {num_modes}), not {labels.min()} to {labels.max()}"
        )
    share = np.bincount(labels.astype(np.int64), minlength=num_modes) / labels.size
    present = share[share > 0]
    kl = max(float(np.sum(present * np.log(present * num_modes))), 0.0)
    return ModeStatistics(len(present), kl, float(share.min()))


def mixture_statistics(points: ArrayLike, centers: ArrayLike, std: float) -> MixtureStatistics:
    """Coverage of a mixture of round Gaussians, by the protocol of PacGAN.

    A sample is of high quality within 3 standard deviations of the nearest centre, and a mode
    counts as covered when it has one such sample. In two dimensions 1.1 % of the true
    distribution's own samples lie farther out.

    `kl` is over the high-quality samples alone: a stray sample belongs to no mode. Without any it
    is log K, the worst there is, so that the figure always orders two generators. Published code
    differs here, some of it counting every sample for its nearest centre.

    Args:
      points: `[N, D]`, N at least 1.
      centers: `[K, D]`.
      std: the standard deviation of each Gaussian along each axis, above 0.

    Raises:
      ValueError: if the shapes do not fit, a point or centre is not finite or beyond 3.4e38, or
        `std` is not above 0 and at most that.

    References:
      Lin et al., PacGAN: The power of two samples in generative adversarial networks, 2018,
      section 4.1, https://arxiv.org/abs/1712.04086
    """
    points, centers = np.asarray(points, np.float64), np.asarray(centers, np.float64)
    if points.ndim != 2 or centers.ndim != 2 or points.shape[1] != centers.shape[1]:
        raise ValueError(
            "points and centers must be [N, D] and [K, D] with one D, "
            f"not {list(points.shape)} and {list(centers.shape)}"
        )
    if not len(points) or not len(centers):
        raise ValueError(f"there must be points and centers, not {len(points)} and {len(centers)}")
    if not (np.isfinite(points).all() and np.isfinite(centers).all()):
        raise ValueError("points and centers must be finite, but some are NaN or infinite")
    check_magnitude(points, "points")
    check_magnitude(centers, "centers")
    if not 0 < std <= LARGEST:
        raise ValueError(f"std must be above 0 and at most {LARGEST:.2g}, not {std}")
    # One centre at a time: the difference of all pairs at once would take N K D numbers.
    squared = np.stack([np.sum((points - center) ** 2, axis=1) for center in centers], axis=1)
    near = squared.min(axis=1) <= (3 * std) ** 2
    if not near.any():
        return MixtureStatistics(0, 0.0, float(np.log(len(centers))))
    modes, kl, _ = mode_statistics(squared.argmin(axis=1)[near], len(centers))
    return MixtureStatistics(modes, float(near.mean()), kl)
