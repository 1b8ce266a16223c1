"""Sets that pass by in blocks, and what a classifier is fitted to."""

import hashlib

import numpy as np
import pytest

from jaxgan.data import ArraySource, open_source
from jaxgan.evaluation import block_size, look, protocol
from jaxgan.evaluation.judges import judge_of
from jaxgan.evaluation.sets import Digest, fetch, host, pick


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((2,), 500),
        ((28, 28, 1), 500),
        ((64, 64, 3), 500),
        ((128, 128, 3), 341),
        ((256, 256, 3), 85),
        ((1024, 1024, 3), 5),
        ((9000, 9000, 3), 1),
    ],
)
def test_a_block_takes_64_megabytes_in_float32(shape, size):
    assert block_size(shape) == size
    assert 4 * np.prod(shape) * size <= 64 << 20 or size == 1


def test_rows_are_picked_at_random_in_order_and_always_the_same():
    rows = pick(100, 10)
    assert np.array_equal(rows, pick(100, 10))
    assert len(set(rows)) == 10
    assert np.array_equal(rows, np.sort(rows))
    assert rows.max() > 50  # From all over
    assert np.array_equal(pick(10, 10), np.arange(10))
    assert np.array_equal(pick(10, 11), np.arange(10))


class Streamed:
    """The ring's first 25,000 points, noting what is taken at a time."""

    name, arrays = "s", None

    def __init__(self):
        self.source, self.taken = open_source("ring"), []
        self.spec = self.source.spec

    def __len__(self):
        return 25_000

    def take(self, indices):
        self.taken.append(len(indices))
        return self.source.take(indices)


def test_a_large_set_is_fetched_in_blocks():
    streamed = Streamed()
    arrays = host(streamed, np.arange(25_000))
    assert max(streamed.taken) == 500
    for name in ("real", "label"):
        expected = streamed.source.host[name][:25_000]
        assert np.array_equal(arrays[name], expected)
        assert arrays[name].dtype == expected.dtype


def test_features_and_digest_are_those_of_the_whole_set():
    streamed, digest = Streamed(), Digest()
    seen = look(streamed, lambda points: 2 * points, watch=digest)
    points = streamed.source.host["real"][:25_000]
    assert np.array_equal(seen.features, 2 * points)
    assert digest.hex() == hashlib.sha256(points.tobytes()).hexdigest()
    part = look(streamed, lambda points: 2 * points, most=1200)
    assert np.array_equal(part.features, 2 * points[pick(25_000, 1200)])
    some = part.some(30)
    assert np.array_equal(some.features, 2 * fetch(streamed, some.rows)(0, 30))
    assert part.some(1200) is part


def test_a_judge_is_fitted_to_no_more_images_than_memory_allows(monkeypatch, judged):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 8, 8, 1), np.uint8)
    large = ArraySource("large", images, np.arange(50) % 3)
    small = ArraySource("small", images[:20], np.arange(20) % 3)
    monkeypatch.setattr(protocol, "JUDGE_BYTES", 30 * 64)
    judge_of(large, small)
    judge_of(large, large)
    assert [call[1:] for call in judged] == [(30, 30, 20, 3), (30, 30, 30, 3)]
    monkeypatch.setattr(protocol, "JUDGE_BYTES", 50 * 64)
    judge_of(large, small)
    assert judged[-1][1:] == (50, 50, 20, 3)
