"""Figures of merit: samples, features or labels in, plain numbers out."""

from jaxgan.metrics.classifier import PROTOCOL as CLASSIFIER_PROTOCOL
from jaxgan.metrics.classifier import Classifier, fit_classifier, load_or_fit
from jaxgan.metrics.distances import frechet_distance, frechet_distance_from_moments
from jaxgan.metrics.modes import (
    MixtureStatistics,
    ModeStatistics,
    mixture_statistics,
    mode_statistics,
)

__all__ = [
    "CLASSIFIER_PROTOCOL",
    "Classifier",
    "MixtureStatistics",
    "ModeStatistics",
    "fit_classifier",
    "frechet_distance",
    "frechet_distance_from_moments",
    "load_or_fit",
    "mixture_statistics",
    "mode_statistics",
]
