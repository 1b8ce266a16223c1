"""Distances between two sets of samples, from features of them: arrays in, a float out.

Features are `[N, D]`, one row a sample, from any network or none. A figure means something only
beside the name of the feature network and the sample counts: all of these are biased by both.
Everything is computed in float64 on the host, where a difference of large sums keeps its digits.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
    moments_a, moments_b = _moments(features_a), _moments(features_b)
    return frechet_distance_from_moments(*moments_a, *moments_b)


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
      ValueError: if the shapes do not fit each other or a value is not finite.
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

    # Singular values, not roots of eigenvalues: under a root, rounding of 1e-16 becomes 1e-8.
    product = _root(covariance_a) @ _root(covariance_b)
    shared = np.linalg.svd(product, compute_uv=False).sum()
    distance = np.sum((mean_a - mean_b) ** 2)
    distance += np.trace(covariance_a) + np.trace(covariance_b) - 2 * shared
    return max(float(distance), 0.0)


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _moments(features: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    features = np.asarray(features, np.float64)
    if features.ndim != 2:
        raise ValueError(f"features must be [N, D], one row a sample, not {list(features.shape)}")
    if len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 samples, not {len(features)}")
    return features.mean(0), np.cov(features, rowvar=False).reshape(features.shape[1], -1)
