"""What samples are measured by, whatever makes them and whatever they are compared with."""

from jaxgan.evaluation.evaluator import Evaluator, Labels, make_evaluator
from jaxgan.evaluation.gauges import (
    GAUGES,
    FeatureChoice,
    Fitted,
    Gauge,
    Options,
    Seen,
    gauge_of,
    metric_names,
    protocol_samples,
)
from jaxgan.evaluation.judges import kept_judge
from jaxgan.evaluation.names import HIGHER_IS_BETTER, NEUTRAL, Better, better
from jaxgan.evaluation.protocol import STACKED_PROTOCOLS, metric_key
from jaxgan.evaluation.sets import Real, Reference, Sample, block_size, look

__all__ = [
    "GAUGES",
    "HIGHER_IS_BETTER",
    "NEUTRAL",
    "STACKED_PROTOCOLS",
    "Better",
    "Evaluator",
    "FeatureChoice",
    "Fitted",
    "Gauge",
    "Labels",
    "Options",
    "Real",
    "Reference",
    "Sample",
    "Seen",
    "better",
    "block_size",
    "gauge_of",
    "kept_judge",
    "look",
    "make_evaluator",
    "metric_key",
    "metric_names",
    "protocol_samples",
]
