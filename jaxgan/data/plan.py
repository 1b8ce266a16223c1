"""Which samples a minibatch uses: a pure function of (seed, samples seen before it).

So there is no iterator to save.
"""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=8)
def _permutation(seed: int, epoch: int, size: int, stream: int) -> np.ndarray:
    # A trailing 0 seeds as if it were not there, so stream 0 draws what there was before streams.
    order = np.random.default_rng((seed, epoch, stream)).permutation(size).astype(np.int32)
    order.flags.writeable = False  # the cache hands out this very array
    return order


def batch_indices(
    seed: int, images_seen: int, batch_size: int, size: int, stream: int = 0
) -> np.ndarray:
    """Indices of the samples of the batch that follows `images_seen` samples.

    The stream of indices is one permutation of the whole set after another, each drawn from
    `(seed, epoch)`, and batches are cut from it without a gap. So batches run across the borders
    of epochs, no tail is dropped, every sample is used equally often, and the size of batches may
    change in mid-run. A batch that crosses a border may hold a sample twice.

    Args:
      seed: non-negative; the same seed gives the same stream on every machine.
      images_seen: samples of all batches before this one; `n * batch_size` for batch n of a run
        with batches of one size.
      batch_size: from 1 to `size`.
      size: samples in the set.
      stream: non-negative; sets that are used side by side have one each, so that their orders
        have nothing to do with each other.

    Returns:
      int32 [batch_size], each in [0, size).

    Raises:
      ValueError: an argument out of range.
    """
    seed, images_seen, batch_size, size = map(int, (seed, images_seen, batch_size, size))
    if not 1 <= batch_size <= size:
        raise ValueError(
            f"batch_size must be from 1 to the {size} samples of the data, and is {batch_size}."
        )
    if images_seen < 0 or seed < 0:
        raise ValueError(
            f"images_seen and seed must not be negative, and are {images_seen} and {seed}."
        )
    epoch, start = divmod(images_seen, size)
    indices = _permutation(seed, epoch, size, stream)[start : start + batch_size]
    missing = batch_size - len(indices)
    if missing:
        indices = np.concatenate([indices, _permutation(seed, epoch + 1, size, stream)[:missing]])
    return indices.copy()
