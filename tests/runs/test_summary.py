"""The best, the last, and what counts as a late collapse."""

import pytest

from jaxgan.data import Spec
from jaxgan.experiment import Experiment, UnpairedExperiment
from jaxgan.runs.summary import Summary, metric_of, sentence, summarize


def lines(*values, metric="frechet"):
    return [{"step": 10 * step, "loss": 0.0} for step in range(9)] + [
        {"step": 100 * step, metric: value} for step, value in enumerate(values, 1)
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9, 4, 5], Summary("frechet", 4, 200, 5, 300, False)),
        ([4, 9, 6], Summary("frechet", 4, 100, 6, 300, False)),  # Exactly 1.5 times
        ([4, 3, 6.1], Summary("frechet", 3, 200, 6.1, 300, True)),
        ([5, 4], Summary("frechet", 4, 200, 4, 200, False)),
        ([4, 4], Summary("frechet", 4, 100, 4, 200, False)),  # The first of equals
        ([float("nan"), 4, 5], Summary("frechet", 4, 200, 5, 300, False)),
        ([4, float("inf")], Summary("frechet", 4, 100, float("inf"), 200, True)),
    ],
)
def test_the_course_of_a_metric(values, expected):
    assert summarize(lines(*values), "frechet") == expected


def test_a_small_kl_may_double():
    assert not summarize(lines(0.01, 0.06, metric="kl"), "kl").collapsed
    assert summarize(lines(0.01, 0.07, metric="kl"), "kl").collapsed
    assert summarize(lines(1.0, 1.6, metric="kl"), "kl").collapsed


def test_nothing_measured_is_nothing_to_say():
    assert summarize(lines(), "frechet") is None
    assert summarize(lines(float("nan")), "frechet") is None


def test_a_last_value_that_is_no_number_is_a_collapse():
    assert summarize(lines(4, float("nan")), "frechet").collapsed


def test_which_metric_a_run_is_summed_up_by():
    spec, points = Spec((8, 8, 1), 10), Spec((2,), 8)
    assert metric_of(Experiment(best_metric="kl", evaluate_every=5), spec) == "kl"
    assert metric_of(Experiment(evaluate_every=5), spec) == "frechet"
    assert metric_of(Experiment(evaluate_every=5, data="ring"), points) == "kl"
    assert metric_of(Experiment(), spec) is None
    assert metric_of(UnpairedExperiment(), object()) is None


def test_sentences():
    summary = Summary("frechet", 4, 1200, 9, 3000, True)
    assert sentence(summary, evaluated=True) == (
        "frechet: best 4 at step 1,200, last 9 at step 3,000; collapsed late: the last is more "
        "than 1.5 times the best"
    )
    assert sentence(summary._replace(metric="kl"), evaluated=True).endswith("the best plus 0.05")
    fine = summary._replace(collapsed=False)
    assert sentence(fine, evaluated=True).endswith("; no late collapse")
    assert sentence(summary, evaluated=False).endswith("last 9 at step 3,000")
