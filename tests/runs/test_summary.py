"""The best, the last, and what counts as a late collapse."""

import pytest

from jaxgan.data import Spec
from jaxgan.experiment import Experiment, UnpairedExperiment
from jaxgan.runs.summary import Summary, course, metric_of, sentence, summarize


class Rising(Experiment):
    """A kind of run that is measured by what rises."""

    def metric_names(self, spec):
        return {"likelihood": "higher", "accuracy": "higher"}


class Both(Experiment):
    """A kind of run whose first metric rises."""

    def metric_names(self, spec):
        return {"accuracy": "higher", "distance": "lower"}


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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2, 9, 8], Summary("modes", 9, 200, 8, 300, False)),
        ([9, 2, 6], Summary("modes", 9, 100, 6, 300, False)),  # Exactly two thirds
        ([9, 2, 5.9], Summary("modes", 9, 100, 5.9, 300, True)),
        ([4, 5], Summary("modes", 5, 200, 5, 200, False)),
        ([4, 4], Summary("modes", 4, 100, 4, 200, False)),  # The first of equals
        ([float("inf"), 4, 5], Summary("modes", 5, 300, 5, 300, False)),
        ([4, float("-inf")], Summary("modes", 4, 100, float("-inf"), 200, True)),
    ],
)
def test_the_course_of_a_metric_that_rises(values, expected):
    found = summarize(lines(*values, metric="modes"), "modes", higher_is_better=True)
    assert found == expected


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_negative_best_has_no_factor(higher_is_better):
    """A multiple of a likelihood or of a Wasserstein loss says nothing."""
    for values in ([-3, -7], [-7, -3], [-7, -7]):
        found = summarize(lines(*values), "frechet", higher_is_better=higher_is_better)
        assert found.best == (max if higher_is_better else min)(values)
        assert not found.collapsed
    found = summarize(lines(-3, float("nan")), "frechet", higher_is_better=higher_is_better)
    assert found.collapsed


def test_a_small_kl_may_double():
    assert not summarize(lines(0.01, 0.06, metric="kl"), "kl").collapsed
    assert summarize(lines(0.01, 0.07, metric="kl"), "kl").collapsed
    assert summarize(lines(1.0, 1.6, metric="kl"), "kl").collapsed


def test_nothing_measured_is_nothing_to_say():
    assert summarize(lines(), "frechet") is None
    assert summarize(lines(float("nan")), "frechet") is None


def test_a_last_value_that_is_no_number_is_a_collapse():
    assert summarize(lines(4, float("nan")), "frechet").collapsed
    assert summarize(lines(4, float("nan")), "frechet", higher_is_better=True).collapsed


def test_which_metric_a_run_is_summed_up_by():
    spec, points = Spec((8, 8, 1), 10), Spec((2,), 8, gauge="mixture")
    assert metric_of(Experiment(best_metric="kl", evaluate_every=5), spec) == "kl"
    assert metric_of(Experiment(evaluate_every=5), spec) == "frechet"
    assert metric_of(Experiment(evaluate_every=5, data="ring"), points) == "kl"
    assert metric_of(Experiment(), spec) is None
    assert metric_of(UnpairedExperiment(), object()) is None
    assert metric_of(UnpairedExperiment(evaluate_every=5), object()) is None
    assert metric_of(UnpairedExperiment(best_metric="x_cycle"), object()) == "x_cycle"
    # The first metric that falls, where there is one.
    assert metric_of(Both(evaluate_every=5), spec) == "distance"
    assert metric_of(Rising(evaluate_every=5), spec) == "likelihood"


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
    rising = Summary("modes", 9, 1200, 4, 3000, True)
    assert sentence(rising, evaluated=True) == (
        "modes: best 9 at step 1,200, last 4 at step 3,000; collapsed late: the last is less than "
        "the best over 1.5"
    )
    for metric in ("frechet", "modes"):
        lost = Summary(metric, 9, 1200, float("nan"), 3000, True)
        assert sentence(lost, evaluated=True).endswith("; collapsed late: the last is not finite")


def test_the_course_of_a_run_is_that_of_its_metric():
    spec = Spec((8, 8, 1), 10)
    found = course(Both(best_metric="accuracy"), spec, lines(0.2, 0.9, 0.5, metric="accuracy"))
    assert found.startswith("accuracy: best 0.9 at step 200, last 0.5 at step 300; collapsed late")
    found = course(Both(evaluate_every=1), spec, lines(0.2, 0.9, 0.5, metric="distance"))
    assert found.startswith("distance: best 0.2 at step 100, last 0.5 at step 300; collapsed late")
    logged = Both(best_metric="loss")  # What is logged is better the lower, and no evaluation.
    assert course(logged, spec, lines()) == "loss: best 0 at step 0, last 0 at step 80"
    assert course(Both(evaluate_every=1), spec, lines()) is None
    assert course(Both(), spec, lines()) is None
