"""What a run says at its end: the best value of its metric, the last, and whether it fell off.

Late collapse is normal: a GAN may be at its best long before its last step. A run counts as
collapsed late when the last value of its metric is more than `COLLAPSE` times the best one, plus
the slack in `SLACK`: the KL of a run that covers all modes is near 0, where samples alone double
it. The factor is this project's own; Fréchet distances of one run scatter by a few per cent from an
evaluation to the next.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jaxgan.data import Spec
from jaxgan.evaluation.evaluator import HIGHER_IS_BETTER, metric_names
from jaxgan.experiment.generation import BaseExperiment, Experiment

COLLAPSE = 1.5
SLACK = {"kl": 0.05}


class Summary(NamedTuple):
    """The course of a metric of which smaller is better.

    Attributes:
      metric: its name.
      best: the smallest value; the first of equals.
      best_step: its step.
      last: the last value.
      last_step: its step.
      collapsed: whether the last is worse than the best by the rule above.
    """

    metric: str
    best: float
    best_step: int
    last: float
    last_step: int
    collapsed: bool


def summarize(lines: Iterable[Mapping[str, float]], metric: str) -> Summary | None:
    """The course of a metric over the lines of metrics.jsonl; None when it was never measured.

    Values that are not finite count as measured and as no best.
    """
    values = [(line[metric], int(line["step"])) for line in lines if metric in line]
    finite = [value for value in values if math.isfinite(value[0])]
    if not finite:
        return None
    (best, best_step), (last, last_step) = min(finite), values[-1]
    collapsed = not last <= COLLAPSE * best + SLACK.get(metric, 0)
    return Summary(metric, best, best_step, last, last_step, collapsed)


def metric_of(experiment: BaseExperiment, spec: object) -> str | None:
    """The metric to sum a run up by: `best_metric`, else the first evaluated one that can rank."""
    if experiment.best_metric is not None:
        return experiment.best_metric
    if not isinstance(experiment, Experiment) or not isinstance(spec, Spec):
        return None
    if not experiment.evaluation_interval:
        return None
    names = metric_names(experiment, spec)
    return next((name for name in names if name not in HIGHER_IS_BETTER), None)


def sentence(summary: Summary, evaluated: bool) -> str:
    """The summary in one line.

    Args:
      summary: of `summarize`.
      evaluated: whether the metric is one of samples, whose rise is a collapse; a loss may rise in
        a run that goes well.
    """
    text = f"{summary.metric}: best {summary.best:.4g} at step {summary.best_step:,}, "
    text += f"last {summary.last:.4g} at step {summary.last_step:,}"
    if not evaluated:
        return text
    if summary.collapsed:
        slack = SLACK.get(summary.metric)
        margin = f"{COLLAPSE} times the best" + (f" plus {slack}" if slack else "")
        return f"{text}; collapsed late: the last is more than {margin}"
    return f"{text}; no late collapse"


def course(
    experiment: BaseExperiment, spec: object, lines: Iterable[Mapping[str, float]]
) -> str | None:
    """The sentence on a run's metric; None when it has none, or none was measured.

    Args:
      experiment: of the run.
      spec: of its data.
      lines: of its metrics.jsonl.
    """
    metric = metric_of(experiment, spec)
    summary = None if metric is None else summarize(lines, metric)
    if summary is None:
        return None
    evaluated = (
        isinstance(experiment, Experiment)
        and isinstance(spec, Spec)
        and summary.metric in metric_names(experiment, spec)
    )
    return sentence(summary, evaluated)
