"""The fixed numbers of a measurement: figures that were taken by others do not compare."""

import jax
import numpy as np

from jaxgan.types import Key

SAMPLES = 10_000
"""Samples measured, of every kind of data but stacked MNIST."""
STACKED_PROTOCOLS = {
    "pacgan": ("26,000 samples (VEEGAN, PacGAN)", 26_000),
    "unrolled": ("25,600 samples (unrolled GAN)", 25_600),
}
"""Name and number of samples by `stacked_protocol`."""

NEIGHBOURS = 5
SUBSETS, SUBSET = 100, 1000
PATCHES, PROJECTIONS = 16, 128
QUERIES = 1000
"""Samples whose distance to the training data is taken."""
TRAIN_ROWS = 100_000
"""Training samples that are searched for the nearest, at most; larger sets are sampled."""
JUDGE_BYTES = 1 << 30
"""Bytes of the images that a classifier is fitted to, at most, in memory; larger sets are sampled,
always in the same way. So are the images that measure its accuracy."""


def metric_key() -> Key:
    """Draws subsets, lines and patches: the same for every run, so that figures compare."""
    return jax.random.key(0)


def metric_seed(key: Key) -> int:
    """The number that a protocol calls a key by: `n` of `jax.random.key(n)`."""
    words = np.asarray(jax.random.key_data(key)).tolist()
    return sum(word << 32 * place for place, word in enumerate(reversed(words)))
