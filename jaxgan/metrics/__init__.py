"""Figures of merit: samples, features or labels in, plain numbers out."""

from jaxgan.metrics.classifier import PROTOCOL as CLASSIFIER_PROTOCOL
from jaxgan.metrics.classifier import Classifier, fit_classifier, load_or_fit
from jaxgan.metrics.diversity import SampleDiversity, sample_diversity
from jaxgan.metrics.features import (
    FeatureFn,
    by_channel,
    pixels,
    reduced_pixels,
    stacked_classes,
)
from jaxgan.metrics.frechet import (
    Moments,
    frechet_distance,
    frechet_distance_from_moments,
    merge_moments,
    update_moments,
)
from jaxgan.metrics.inception_score import InceptionScore, inception_score
from jaxgan.metrics.kernel import KernelDistance, kernel_distance, squared_mmd
from jaxgan.metrics.lpips import lpips, lpips_from
from jaxgan.metrics.modes import (
    MixtureStatistics,
    ModeStatistics,
    mixture_statistics,
    mode_statistics,
)
from jaxgan.metrics.neighbours import (
    Neighbours,
    PrecisionRecallDensityCoverage,
    nearest_neighbours,
    precision_recall_density_coverage,
)
from jaxgan.metrics.sharpness import laplacian_variance
from jaxgan.metrics.similarity import luminance, psnr, ssim
from jaxgan.metrics.sliced import laplacian_sliced_wasserstein, sliced_wasserstein

__all__ = [
    "CLASSIFIER_PROTOCOL",
    "Classifier",
    "FeatureFn",
    "InceptionScore",
    "KernelDistance",
    "MixtureStatistics",
    "ModeStatistics",
    "Moments",
    "Neighbours",
    "PrecisionRecallDensityCoverage",
    "SampleDiversity",
    "by_channel",
    "fit_classifier",
    "frechet_distance",
    "frechet_distance_from_moments",
    "inception_score",
    "kernel_distance",
    "laplacian_sliced_wasserstein",
    "laplacian_variance",
    "load_or_fit",
    "lpips",
    "lpips_from",
    "luminance",
    "merge_moments",
    "mixture_statistics",
    "mode_statistics",
    "nearest_neighbours",
    "pixels",
    "precision_recall_density_coverage",
    "psnr",
    "reduced_pixels",
    "sample_diversity",
    "sliced_wasserstein",
    "squared_mmd",
    "ssim",
    "stacked_classes",
    "update_moments",
]
