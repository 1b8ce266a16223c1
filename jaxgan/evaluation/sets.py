"""Sets of samples, which are measured without being held: blocks come in, features are kept."""

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaxgan.data import Source
from jaxgan.networks.network import Variables
from jaxgan.working import working

Sample: TypeAlias = Callable[[Variables, int, int], NDArray]
"""`(variables, start, stop) -> samples start..stop-1`: uint8 [n, H, W, C] or float32 [n, D]. Sample
i is the same whatever the blocks."""
Features: TypeAlias = Callable[[NDArray], NDArray]
"""Samples, uint8 `[n, H, W, C]` or float32 `[n, D]`, to features `[n, D']`."""
Fetch: TypeAlias = Callable[[int, int], NDArray]
"""`(start, stop) -> samples start..stop-1` of one set."""
Watch: TypeAlias = Callable[[int, NDArray], None]
"""`(start, samples)`: sees each block of a set as it passes by, in order."""

MOST = 500
"""Samples of a block at most, ..."""
BLOCK_BYTES = 64 << 20
"""... and its bytes in float32, unless a single sample has more."""


def block_size(shape: tuple[int, ...]) -> int:
    """How many samples of a shape are asked for at a time, from 1 to 500."""
    return min(MOST, max(1, BLOCK_BYTES // (4 * math.prod(shape))))


class Reference(NamedTuple):
    """What samples are compared with.

    Attributes:
      source: of samples of the same shape; the training data themselves where they have no other
        split.
      split: "test", or "train" where the data have no test split.
    """

    source: Source
    split: str


class Real(NamedTuple):
    """Samples of a source, as the metrics take them.

    Attributes:
      source: what they are of.
      rows: which of its samples, int64 `[N]`.
      features: `[N, D]`.
    """

    source: Source
    rows: NDArray[np.int64]
    features: NDArray

    def some(self, count: int) -> "Real":
        """At most `count` of them, at random and always the same."""
        if len(self.rows) <= count:
            return self
        chosen = pick(len(self.rows), count)
        return self._replace(rows=self.rows[chosen], features=self.features[chosen])


def pick(size: int, count: int) -> NDArray[np.int64]:
    """At most `count` rows of `size`, at random and always the same, in order."""
    if size <= count:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).permutation(size)[:count])


def look(
    source: Source, features: Features, *, most: int | None = None, watch: Watch | None = None
) -> Real:
    """The features of a source's samples.

    Args:
      source: of N samples.
      features: of a block.
      most: takes at most this many samples, at random (`pick`); None takes all.
      watch: sees the samples too.
    """
    rows = pick(len(source), len(source) if most is None else most)
    shape = source.spec.shape
    return Real(source, rows, embed(fetch(source, rows), len(rows), shape, features, watch))


def embed(
    samples: Fetch,
    count: int,
    shape: tuple[int, ...],
    features: Features,
    watch: Watch | None = None,
) -> NDArray:
    """The features `[count, D]` of samples of a shape, which are asked for in blocks.

    Raises:
      ValueError: features that are not `[n, D]` for n samples, with one D.
    """
    found: NDArray | None = None
    with working("measuring", count) as reach:
        for start, block in blocks(samples, count, shape):
            if watch is not None:
                watch(start, block)
            part = np.asarray(features(block))
            if found is None:
                found = np.empty((count, *part.shape[1:]), part.dtype)
            if part.ndim != 2 or part.shape != (len(block), *found.shape[1:]):
                raise ValueError(
                    f"features must be [N, D], one row a sample, not {list(part.shape)} for "
                    f"{len(block)} samples"
                )
            found[start : start + len(block)] = part
            reach(start + len(block))
    assert found is not None
    return found


def blocks(samples: Fetch, count: int, shape: tuple[int, ...]) -> Iterator[tuple[int, NDArray]]:
    """Where each block of a set begins, and its samples.

    Raises:
      ValueError: when other samples came than were asked for.
    """
    size = block_size(shape)
    for start in range(0, count, size):
        stop = min(start + size, count)
        block = samples(start, stop)
        if block.shape != (stop - start, *shape):
            raise ValueError(
                f"samples {[stop - start, *shape]} were asked for, and {list(block.shape)} came"
            )
        yield start, block


def fetch(source: Source, rows: NDArray[np.int64]) -> Fetch:
    """The samples of those rows of a source, for `blocks`."""
    return lambda start, stop: np.asarray(source.take(rows[start:stop])["real"])


def host(source: Source, rows: NDArray[np.int64]) -> dict[str, np.ndarray]:
    """Those rows of a set, with their labels, in NumPy arrays."""
    whole: dict[str, np.ndarray] = {}
    size = block_size(source.spec.shape)
    for start in range(0, len(rows), size):
        for name, part in source.take(rows[start : start + size]).items():
            if name not in whole:
                whole[name] = np.empty((len(rows), *part.shape[1:]), part.dtype)
            whole[name][start : start + size] = part
    return whole


class Digest:
    """A `Watch` that takes the SHA-256 of all samples together."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def __call__(self, start: int, block: NDArray) -> None:
        self._sha.update(block.tobytes())

    def hex(self) -> str:
        """The digest of what was seen, in hexadecimal."""
        return self._sha.hexdigest()
