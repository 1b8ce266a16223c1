"""The Fréchet distance between two sets of samples, at once or from moments gathered in a stream.

Features are `[N, D]`, one row a sample, from any network or none. A figure means something only
beside the name of the feature network and the sample counts: it is biased by both. Everything is
computed in float64 on the host, where a difference of large sums keeps its digits.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxgan.metrics.features import check_features, check_pair

_BLOCK = 8192  # rows that are in float64 at a time
_LARGEST = 1e150  # of moments: the sum of that many squares, or of products of D, stays in float64


class Moments(NamedTuple):
    """The mean and covariance of samples seen so far, in a form that takes more of them.

    Attributes:
      samples: N, how many.
      mean: float64 `[D]`.
      scatter: Σ (x - mean)(x - mean)ᵀ, float64 `[D, D]`.
    """

    samples: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The unbiased covariance, `scatter / (samples - 1)`.

        Raises:
          ValueError: if there are fewer than 2 samples.
        """
        if self.samples < 2:
            raise ValueError(f"a covariance needs at least 2 samples, not {self.samples}")
        return self.scatter / (self.samples - 1)


def update_moments(moments: Moments | None, features: ArrayLike) -> Moments:
    """The moments of all samples so far, however they are batched; no samples are kept.

    50,000 Inception features take 400 MB; their moments take 34 MB::

        moments = None
        for images in batches:
            moments = update_moments(moments, feature_fn(images))

    Args:
      moments: of the samples so far, or None at the start.
      features: `[N, D]`, N at least 1.

    Raises:
      ValueError: if the features are not `[N, D]` and finite, or differ in D from those before.
    """
    features = check_features(features).astype(np.float64)
    mean = features.mean(0)
    centered = features - mean
    new = Moments(len(features), mean, centered.T @ centered)
    return new if moments is None else merge_moments(moments, new)


def merge_moments(a: Moments, b: Moments) -> Moments:
    """The moments of two sets of samples together, such as those of two hosts.

    Sums about the mean are joined with the square of the way between the means, so nothing is lost
    where the mean is large against the spread; E x² - (E x)² would lose it.

    Raises:
      ValueError: if the two differ in D.

    References:
      Chan et al., Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"moments of {a.mean.size} and of {b.mean.size} features cannot be merged")
    samples = a.samples + b.samples
    way = b.mean - a.mean
    scatter = a.scatter + b.scatter + np.outer(way, way) * (a.samples * b.samples / samples)
    return Moments(samples, a.mean + way * (b.samples / samples), scatter)


def frechet_distance(features_a: ArrayLike, features_b: ArrayLike) -> float:
    """The squared 2-Wasserstein distance between Gaussians fitted to two sets of features.

    This is "FID" where the features are Inception-v3's 2048 and the samples 50,000; with any other
    features say whose they are. Covariances are the unbiased ones, over N - 1, as in the original
    code. The distance falls as N grows, so compare figures of equal counts only; sets smaller than
    D are allowed, and their singular covariances are no trouble.

    Args:
      features_a: `[N, D]`, N at least 2.
      features_b: `[M, D]`, M at least 2.

    Returns:
      The distance, at least 0, and 0 for a set and itself up to rounding.

    Raises:
      ValueError: if a set is not `[N, D]`, has fewer than 2 samples or holds NaN or infinity, or if
        the two differ in D.

    References:
      Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
      Equilibrium, 2017, https://arxiv.org/abs/1706.08500
    """
    features_a, features_b = check_pair(features_a, features_b)
    a, b = _moments(features_a), _moments(features_b)
    return frechet_distance_from_moments(a.mean, a.covariance, b.mean, b.covariance)


def frechet_distance_from_moments(
    mean_a: ArrayLike, covariance_a: ArrayLike, mean_b: ArrayLike, covariance_b: ArrayLike
) -> float:
    """‖μ₁ - μ₂‖² + tr(C₁ + C₂ - 2 (C₁ C₂)^½), the Fréchet distance from stored statistics.

    C₁ C₂ is not symmetric, and other code bases take its square root by a general algorithm that
    fails on singular matrices and leaves imaginary parts to throw away. Its eigenvalues are those
    of the symmetric C₁^½ C₂ C₁^½, whose roots are the singular values of C₁^½ C₂^½; the trace is
    their sum. So symmetric eigenvalues, whose small negative ones are rounding and count as 0, and
    singular values do, and no number is ever complex.

    Args:
      mean_a: `[D]`.
      covariance_a: `[D, D]`, symmetric and positive semi-definite.
      mean_b: `[D]`.
      covariance_b: `[D, D]`.

    Returns:
      The distance, at least 0.

    Raises:
      ValueError: if the shapes do not fit each other, a value is not finite or beyond 1e150, or a
        covariance is not symmetric or has eigenvalues below 0 that are more than rounding.
    """
    arrays = [np.asarray(x, np.float64) for x in (mean_a, covariance_a, mean_b, covariance_b)]
    mean_a, covariance_a, mean_b, covariance_b = arrays
    size = mean_a.size
    if [x.shape for x in arrays] != [(size,), (size, size)] * 2:
        raise ValueError(
            "the moments must be [D], [D, D], [D], [D, D] with one D, not "
            + ", ".join(str(list(x.shape)) for x in arrays)
        )
    if not all(np.isfinite(x).all() for x in arrays):
        raise ValueError("the moments for a Fréchet distance must be finite, but hold NaN or inf")
    largest = max(float(np.abs(x).max(initial=0)) for x in arrays)
    if largest > _LARGEST:
        raise ValueError(
            f"the moments for a Fréchet distance must be at most {_LARGEST:.3g} in magnitude, "
            f"but the largest is {largest:.3g}"
        )

    # Singular values, not roots of eigenvalues: under a root, rounding of 1e-16 becomes 1e-8.
    product = _root(covariance_a) @ _root(covariance_b)
    shared = np.linalg.svd(product, compute_uv=False).sum()
    distance = np.sum((mean_a - mean_b) ** 2)
    distance += np.trace(covariance_a) + np.trace(covariance_b) - 2 * shared
    return max(float(distance), 0.0)


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root of a positive semi-definite matrix."""
    rounding = 1e-3 * np.abs(covariance).max(initial=0)  # Generous: float32 sums may be behind it.
    if np.abs(covariance - covariance.T).max(initial=0) > rounding:
        raise ValueError("a covariance must be symmetric, and one for a Fréchet distance is not")
    values, vectors = np.linalg.eigh(covariance)
    if values.min(initial=0) < -rounding:
        raise ValueError(
            "a covariance has no negative eigenvalues, but one for a Fréchet distance has "
            f"{values.min():.3g}"
        )
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _moments(features: NDArray) -> Moments:
    moments = None
    for start in range(0, max(len(features), 1), _BLOCK):
        moments = update_moments(moments, features[start : start + _BLOCK])
    assert moments is not None
    return moments
