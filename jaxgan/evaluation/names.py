"""Which metrics are better the larger they are, and which the smaller."""

from typing import Literal, TypeAlias

Better: TypeAlias = Literal["lower", "higher"]

HIGHER_IS_BETTER = {
    *("modes", "high_quality", "smallest_share", "label_accuracy", "inception_score"),
    *("log_likelihood", "reference_log_likelihood"),
    *("precision", "recall", "density", "coverage", "psnr", "ssim"),
}
"""Metrics that are better the larger they are. A gauge of your own adds its own here."""
NEUTRAL = {"kernel_distance_std", "train_distance", "sharpness"}
"""Metrics of which neither more nor less is better: `train_distance` and `sharpness` are best where
those of real data are."""


def direction(name: str) -> Better:
    """Which way a metric of an evaluation during training is better."""
    return "higher" if name in HIGHER_IS_BETTER else "lower"


def better(name: str) -> Literal["lower", "higher", ""]:
    """Which way any metric is better; empty where neither more nor less is."""
    return "" if name in NEUTRAL else direction(name)
