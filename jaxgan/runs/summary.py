"""What a run says at its end: the best value of its metric, the last, and whether it fell off.

Late collapse is normal: a GAN may be at its best long before its last step. A run counts as
collapsed late when the last value of its metric is not finite, or more than `COLLAPSE` times the
best one, plus the slack in `SLACK`: the KL of a run that covers all modes is near 0, where samples
alone double it. Of a metric that rises it is less than the best over `COLLAPSE`; one whose best is
negative has no such factor. The factor is this project's own; Fréchet distances of one run scatter
by a few per cent from an evaluation to the next.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jaxgan.experiment.base import BaseExperiment

COLLAPSE = 1.5
SLACK = {"kl": 0.05}


class Summary(NamedTuple):
    """The course of a metric.

    Attributes:
      metric: its name.
      best: the best value; the first of equals.
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


def summarize(
    lines: Iterable[Mapping[str, float]], metric: str, *, higher_is_better: bool = False
) -> Summary | None:
    """The course of a metric over the lines of metrics.jsonl; None when it was never measured.

    Values that are not finite count as measured and as no best.
    """
    values = [(line[metric], int(line["step"])) for line in lines if metric in line]
    finite = [value for value in values if math.isfinite(value[0])]
    if not finite:
        return None
    sign, slack = -1 if higher_is_better else 1, SLACK.get(metric, 0)
    best, best_step = min(finite, key=lambda value: (sign * value[0], value[1]))
    last, last_step = values[-1]
    near = last >= best / COLLAPSE - slack if higher_is_better else last <= COLLAPSE * best + slack
    kept = math.isfinite(last) and (near or best < 0)
    return Summary(metric, best, best_step, last, last_step, not kept)


def metric_of(experiment: BaseExperiment, spec: Any) -> str | None:
    """The metric to sum a run up by: `best_metric`, else the first that is evaluated."""
    if experiment.best_metric is not None:
        return experiment.best_metric
    if not experiment.evaluate_every:
        return None
    names = experiment.metric_names(spec)
    lower = (name for name, better in names.items() if better == "lower")
    return next(lower, next(iter(names), None))


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
        if not math.isfinite(summary.last):
            return f"{text}; collapsed late: the last is not finite"
        if summary.last < summary.best:
            return f"{text}; collapsed late: the last is less than the best over {COLLAPSE}"
        margin = f"{COLLAPSE} times the best" + (f" plus {slack}" if slack else "")
        return f"{text}; collapsed late: the last is more than {margin}"
    return f"{text}; no late collapse"


def course(
    experiment: BaseExperiment, spec: Any, lines: Iterable[Mapping[str, float]]
) -> str | None:
    """The sentence on a run's metric; None when it has none, or none was measured.

    Args:
      experiment: of the run.
      spec: of its data.
      lines: of its metrics.jsonl.
    """
    metric, names = metric_of(experiment, spec), experiment.metric_names(spec)
    if metric is None:
        return None
    summary = summarize(lines, metric, higher_is_better=names.get(metric) == "higher")
    return None if summary is None else sentence(summary, metric in names)
