"""Time and memory of the expensive metrics, beside the plain way to take them.

    python -m benchmarks.metrics

Each case runs in a process of its own, ours and the peer's by turns; time is the better of two, and
memory is what the process took at most, above what it had before the call (its data included).

- Neighbours: the 5 nearest of 10,000 among 10,000, 784 dimensions. Peer: scikit-learn, brute force.
- Precision to coverage of as many. Peer: the same figures from whole matrices of distances.
- Fréchet distance of 50,000 x 2,048 features that come 1,000 at a time to another such set, given
  by its moments. Peer: all features held, `np.cov`, SciPy's `sqrtm`.
"""

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

POINTS, DIMENSIONS, K = 10_000, 784, 5
FEATURES, WIDTH, BATCH = 50_000, 2048, 1_000
REPEATS = 2


def uniform(seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((POINTS, DIMENSIONS), dtype=np.float32)


def our_neighbours() -> Callable[[], object]:
    from jaxgan.metrics import nearest_neighbours

    a, b = uniform(0), uniform(1)
    return lambda: nearest_neighbours(a, b, K)


def peer_neighbours() -> Callable[[], object]:
    from sklearn.neighbors import NearestNeighbors

    a, b = uniform(0), uniform(1)
    return lambda: NearestNeighbors(n_neighbors=K, algorithm="brute").fit(b).kneighbors(a)


def our_coverage() -> Callable[[], object]:
    from jaxgan.metrics import precision_recall_density_coverage

    a, b = uniform(0), uniform(1)
    return lambda: precision_recall_density_coverage(a, b, K)


def peer_coverage() -> Callable[[], object]:
    from sklearn.metrics import pairwise_distances

    a, b = uniform(0), uniform(1)

    def whole() -> object:
        radii = [np.partition(pairwise_distances(x), K, axis=1)[:, K] for x in (a, b)]
        between = pairwise_distances(a, b)
        in_real, in_fake = between <= radii[0][:, None], between <= radii[1]
        covered = in_real.any(1).mean()
        return in_real.any(0).mean(), in_fake.any(1).mean(), in_real.sum() / K / len(b), covered

    return whole


def batches() -> Iterator[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    for _ in range(0, FEATURES, BATCH):
        yield rng.random((BATCH, WIDTH), dtype=np.float32)


def our_frechet() -> Callable[[], object]:
    from jaxgan.metrics import frechet_distance_from_moments, update_moments

    mean, covariance = np.full(WIDTH, 0.5), np.eye(WIDTH) / 12

    def stream() -> object:
        moments = None
        for batch in batches():
            moments = update_moments(moments, batch)
        assert moments is not None
        return frechet_distance_from_moments(moments.mean, moments.covariance, mean, covariance)

    return stream


def peer_frechet() -> Callable[[], object]:
    from scipy.linalg import sqrtm

    mean, covariance = np.full(WIDTH, 0.5), np.eye(WIDTH) / 12

    def whole() -> object:
        features = np.concatenate(list(batches()))
        own = np.cov(features, rowvar=False)
        way = features.mean(axis=0) - mean
        root = sqrtm(own @ covariance).real
        return way @ way + np.trace(own + covariance - 2 * root)

    return whole


CASES = {
    "neighbours": (our_neighbours, peer_neighbours),
    "precision to coverage": (our_coverage, peer_coverage),
    "Fréchet, streamed": (our_frechet, peer_frechet),
}


def measure(make: Callable[[], Callable[[], object]]) -> tuple[float, float]:
    """Seconds and MiB of a case, in this process."""
    run = make()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    print("| case | ours s | peer s | ratio | ours MiB | peer MiB |")
    print("|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for name, pair in CASES.items():
        taken: list[list[tuple[float, float]]] = [[], []]
        for _ in range(REPEATS):
            for make, results in zip(pair, taken, strict=True):
                with context.Pool(1) as pool:
                    results.append(pool.apply(measure, (make,)))
        (ours, our_memory), (peer, peer_memory) = (np.min(results, axis=0) for results in taken)
        print(
            f"| {name} | {ours:.1f} | {peer:.1f} | {ours / peer:.2f} | {our_memory:.0f} | "
            f"{peer_memory:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
