"""How many modes of a known distribution a generator covers, and how evenly.

NumPy on the host: labels or points in, counts out. The KL divergence is KL(p ‖ uniform), in nats,
of the share p of samples in each mode from the uniform shares 1/K, with 0 log 0 = 0: 0 for perfect
balance, log K when all samples are of one mode. This is the direction of the published tables;
the other is infinite as soon as one mode is missed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ModeStatistics(NamedTuple):
    """Coverage of K modes.

    Attributes:
      modes: the number of modes with at least one sample.
      kl: KL(p ‖ uniform) in nats, in [0, log K].
      smallest_share: the share of the rarest mode in units of the uniform share 1/K: 1 for perfect
        balance, 0 when a mode is missed.
    """

    modes: int
    kl: float
    smallest_share: float


class MixtureStatistics(NamedTuple):
    """Coverage of a mixture of Gaussians.

    Attributes:
      modes: the number of centres with at least one sample of high quality.
      high_quality: the share of the samples within 3 standard deviations of a centre, in [0, 1].
      kl: KL(p ‖ uniform) in nats, where p is over the high-quality samples alone and so does not
        count a stray sample for the mode it happens to be nearest to; NaN when there is none.
    """

    modes: int
    high_quality: float
    kl: float
