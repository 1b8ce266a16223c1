"""Regimes told from logs written by hand, one a rule, and what is advised."""

import json
import math

import pytest

from jaxgan.cli.arguments import parse_both
from jaxgan.cli.train import TrainOptions
from jaxgan.data import Spec
from jaxgan.experiment import (
    DIGITS,
    BaseExperiment,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
    UnpairedExperiment,
    check,
)
from jaxgan.experiment.base import EVERY_RULE
from jaxgan.options import flat, to_dict
from jaxgan.runs import diagnosis
from jaxgan.runs.diagnosis import RULES, Diagnosis, Facts, facts_of

PLAIN = Experiment(evaluate_every=500)
STEPS = range(50, 1001, 50)


def log(samples=None, evaluations=None, **scalars) -> list[dict[str, float]]:
    """Lines of a run: scalars are numbers or functions of the step, the others dicts by step.

    Without arguments it is a balanced run.
    """
    balanced = {
        "discriminator_loss": 1.2,
        "generator_loss": 0.9,
        "real_logits": 0.5,
        "fake_logits": -0.4,
        "real_accuracy": 0.7,
        "fake_accuracy": 0.65,
        "generator_gradient_norm": 1.3,
        "generator_update_ratio": 0.002,
        "discriminator_update_ratio": 0.003,
    }
    lines = []
    for step in STEPS:
        values = {n: v(step) if callable(v) else v for n, v in (balanced | scalars).items()}
        logged = {n: v for n, v in values.items() if v is not None}
        lines.append({"step": step, "images_seen": 64 * step} | logged)
        if step in (samples or {}):
            diversity, duplicates = samples[step]
            lines.append({"step": step, "diversity": diversity, "duplicate_rate": duplicates})
        if step in (evaluations or {}):
            lines.append({"step": step, **evaluations[step]})
    return lines


def diagnose(records, experiment: BaseExperiment = PLAIN, rules=None, **facts) -> Diagnosis:
    rules = experiment.rules if rules is None else rules
    return diagnosis.diagnose(records, flat(to_dict(experiment)), rules, Facts(**facts))


def regime(records, experiment: BaseExperiment = PLAIN) -> str:
    return diagnose(records, experiment).regime


def advised(records, experiment: BaseExperiment = PLAIN) -> list[str]:
    return [option for option, _ in diagnose(records, experiment).advice]


VARIED = {500: (0.95, 0.0), 1000: (0.97, 0.02)}
WINS = {"real_accuracy": 1.0, "fake_accuracy": 1.0, "real_logits": 9.0, "fake_logits": -9.0}
COLLAPSED = {500: (0.3, 0.6), 1000: (0.1, 1.0)}


def late(value, otherwise):
    """A scalar that is another in the second half."""
    return lambda step: value if step > 500 else otherwise


def test_a_balanced_run_without_a_measure_has_no_fault():
    found = diagnose(log(VARIED))
    assert found.regime == "nothing found"
    assert found.advice == []
    assert found.evidence[0].endswith("tells: jaxgan evaluate RUN")
    assert "70.0% of the real and 65.0% of the fake" in found.evidence[1]
    assert "0.97 of the real ones' diversity" in found.evidence[2]
    found = diagnose(log(VARIED), step=900, frechet=7.9)  # Without held-out images.
    assert found.regime == "nothing found"
    assert found.evidence[0].endswith("is 7.9; how near that is only a test split would tell")


def test_a_run_of_before_there_were_these_fields_is_judged_by_the_others():
    old = {"generator_update_ratio": None, "discriminator_update_ratio": None}
    assert regime(log(**old)) == "nothing found"
    assert regime(log(**old, **WINS)) == "discriminator too strong"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_few_lines_are_too_early(count):
    found = diagnose(log(**WINS)[:count])
    assert found.regime == "too early to tell"
    assert found.evidence[0].startswith(f"{count} lines")
    assert regime([*log()[:count], {"step": 3, "diverged": 1}]) == "divergence"


def test_a_discriminator_that_is_always_right_is_too_strong():
    found = diagnose(log(COLLAPSED, **WINS))
    assert found.regime == "discriminator too strong"  # The collapse comes of it.
    text = " ".join(found.evidence)
    for part in ("100.0% of the real", "from step 550 on", "18 apart", "0.10 of the real ones'"):
        assert part in text
    # Only at first; or only about the fakes.
    assert regime(log(**{n: late(0.5, v) for n, v in WINS.items()})) == "nothing found"
    assert regime(log(**WINS | {"real_accuracy": 0.9})) == "nothing found"


def test_a_discriminator_that_moves_too_fast_and_is_mostly_right_is_too_strong():
    fast = {"discriminator_update_ratio": 0.018, "generator_update_ratio": 0.002}
    records = log(real_accuracy=0.9, fake_accuracy=0.85, **fast)
    found = diagnose(records)
    assert found.regime == "discriminator too strong"
    assert "changes its params by 0.018" in found.evidence[0]
    assert regime(log(**fast)) == "nothing found"  # It is right about .7 and .65 only.
    assert regime(log(real_accuracy=0.9, fake_accuracy=0.85)) == "nothing found"


def test_a_generator_that_still_improves_is_not_starved():
    distances = {500: {"frechet": 30.0}, 1000: {"frechet": 20.0}}
    assert regime(log(evaluations=distances, **WINS)) == "nothing found"
    distances[1000] = {"frechet": 29.0}
    assert regime(log(evaluations=distances, **WINS)) == "discriminator too strong"


@pytest.mark.parametrize("loss", ["least_squares", "relativistic_pairing", "relativistic_average"])
def test_losses_without_accuracies_are_held_against_a_blind_discriminator(loss):
    """Accuracies count logits above 0, which is no border for these."""
    experiment = Experiment(loss=loss)
    assert regime(log(**WINS, discriminator_loss=0.2), experiment) == "nothing found"
    assert regime(log(discriminator_loss=0.01), experiment) == "discriminator too strong"
    with_penalty = log(discriminator_loss=0.31, penalty=0.3)
    assert regime(with_penalty, experiment) == "discriminator too strong"


def test_a_wasserstein_discriminator_is_never_too_strong():
    wasserstein = Experiment(loss="wasserstein", penalty="gradient_penalty")
    wins = WINS | {"discriminator_loss": -40.0, "real_logits": 5000.0, "fake_logits": 4960.0}
    assert regime(log(VARIED, **wins), wasserstein) == "nothing found"
    assert regime(log(COLLAPSED, **wins), wasserstein) == "mode collapse"


@pytest.mark.parametrize(
    ("records", "part"),
    [
        (log(COLLAPSED), "0.10 of the real ones' diversity"),
        (log({1000: (0.9, 0.8)}), "80% have a duplicate"),
        (log(evaluations={1000: {"kl": 1.6, "smallest_share": 0.0}}), "as if 80% of them"),
        (log(COLLAPSED, fake_accuracy=0.0), "objects to 0.0% of the fakes"),
    ],
)
def test_mode_collapse(records, part):
    found = diagnose(records)
    assert found.regime == "mode collapse"
    assert part in " ".join(found.evidence)


def test_uneven_classes_and_blurred_samples_are_no_collapse():
    assert (
        regime(log({1000: (0.6, 0.1)}, {1000: {"kl": 0.35, "smallest_share": 0.0}}))
        == "nothing found"
    )


def swinging(limit: float):
    return lambda step: limit if step // 100 % 2 else -limit


def test_fakes_that_are_believed_and_disbelieved_in_turn_oscillate():
    found = diagnose(log(fake_logits=swinging(5.0)))
    assert found.regime == "oscillation"
    assert "changed 5 times between below -3 and above 3 from step 550 to 1000" in found.evidence[0]
    assert regime(log(fake_logits=swinging(2.0))) == "nothing found"  # As published runs do.
    one_swing = log(fake_logits=lambda step: math.copysign(5.0, step - 700))
    assert regime(one_swing) == "nothing found"


def test_a_wasserstein_gap_oscillates_when_it_changes_its_sign():
    wasserstein = Experiment(loss="wasserstein")
    drifting = log(real_logits=swinging(90.0), fake_logits=lambda s: swinging(90.0)(s) - 2.0)
    assert regime(drifting, wasserstein) == "nothing found"  # Both drift; their gap is 2.
    assert regime(log(real_logits=swinging(1.0), fake_logits=0.0), wasserstein) == "oscillation"
    noise = swinging(0.1)
    converged = log(real_logits=lambda s: 4.0 if s < 200 else noise(s), fake_logits=0.0)
    assert regime(converged, wasserstein) == "nothing found"


@pytest.mark.parametrize(
    ("records", "part"),
    [
        ([*log(), {"step": 1010, "diverged": 1}], "no longer finite at step 1010"),
        (log(generator_update_ratio=0.8), "changes the generator's params by 0.8"),
        (log(discriminator_update_ratio=late(0.9, 0.1)), "the discriminator's params by 0.9"),
        (log(discriminator_loss=600.0), "is 433 times that of one that cannot tell"),
        (log(**WINS, generator_gradient_norm=0.0), "gradient is 0 though it is behind"),
        (log(fake_logits=-4e5, **{"real_accuracy": 1.0}), "fake logits are of size 4e+05"),
    ],
)
def test_divergence(records, part):
    found = diagnose(records)
    assert found.regime == "divergence"
    assert part in " ".join(found.evidence)


def test_a_gradient_that_the_loss_lets_vanish_is_no_divergence():
    won = {"real_logits": -9.0, "fake_logits": 60.0, "real_accuracy": 0.0, "fake_accuracy": 0.0}
    assert regime(log(COLLAPSED, **won, generator_gradient_norm=0.0)) == "mode collapse"
    lost = log(**WINS, generator_gradient_norm=0.0)
    assert regime(lost, Experiment(loss="minimax")) == "discriminator too strong"


def test_wasserstein_logits_have_no_size_but_may_not_run_away():
    wasserstein = Experiment(loss="wasserstein")
    assert regime(log(real_logits=-5e4, fake_logits=-5e4 - 3), wasserstein) == "nothing found"
    running = log(real_logits=late(3e5, 20.0), fake_logits=late(2e5, 10.0))
    assert regime(running, wasserstein) == "divergence"


@pytest.mark.parametrize(
    ("records", "part"),
    [
        (
            log(evaluations={s: {"frechet": f} for s, f in [(300, 60), (600, 10), (1000, 25)]}),
            "was 10 at step 600 and is 25 at step 1000",
        ),
        (
            log(evaluations={500: {"modes": 24.0}, 1000: {"modes": 3.0}}),
            "24 modes were found at step 500, and 3 at step 1000",
        ),
        (
            log({200: (0.9, 0.0), 600: (0.95, 0.0), 1000: (0.1, 0.9)}),
            "0.95 of the real ones' diversity at step 600",
        ),
    ],
)
def test_late_collapse(records, part):
    found = diagnose(records)
    assert found.regime == "late collapse"
    assert part in " ".join(found.evidence)


def test_distances_that_go_up_and_down_a_little_are_no_late_collapse():
    distances = {300: {"frechet": 5.0}, 600: {"frechet": 4.0}, 1000: {"frechet": 5.2}}
    assert regime(log(evaluations=distances)) == "nothing found"


def test_variety_on_the_way_past_a_discriminator_that_never_objects_is_no_late_collapse():
    passing = {200: (0.3, 0.0), 600: (0.9, 0.0), 1000: (0.1, 1.0)}
    assert regime(log(passing, fake_accuracy=0.0)) == "mode collapse"


def test_what_is_not_a_number_is_passed_over():
    broken = [*log(), {"step": 1000, "frechet": math.nan, "kl": None, "modes": "many"}]
    assert regime(broken) == "nothing found"


def test_a_translation_is_judged_by_what_it_logs():
    names = dict.fromkeys(("real_accuracy", "fake_accuracy", "real_logits", "fake_logits"))
    found = diagnose(log(**names), UnpairedExperiment())
    assert found.regime == "nothing found"
    found = diagnose(log(**names, generator_update_ratio=2.0), UnpairedExperiment())
    assert found.regime == "divergence"
    assert all("penalty" not in option for option, _ in found.advice)


class Mixture(BaseExperiment):
    """A kind of run without losses, which looks for divergence alone."""


def fitted(last=None, **changes) -> list[dict[str, float]]:
    """Lines of a mixture that EM fits: no loss, no gradient, one move, named as it likes."""
    values = {"responsibility_update_ratio": 0.01, "log_likelihood": -3.0} | changes
    lines = [{"step": step, "images_seen": 64 * step, **values} for step in STEPS]
    return lines + ([] if last is None else [last])


def test_a_run_that_logs_no_losses_is_judged_by_what_it_logs():
    for experiment, rules in ((Mixture(), None), (Mixture(), EVERY_RULE), (PLAIN, EVERY_RULE)):
        found = diagnose(fitted(), experiment, rules)
        assert (found.regime, len(found.evidence), found.advice) == ("nothing found", 1, [])
        found = diagnose(fitted()[:5], experiment, rules)
        assert found.regime == "too early to tell"
        assert found.evidence[0].startswith("5 lines")
        assert diagnose([], experiment, rules).evidence[0].startswith("0 lines")


def test_a_run_that_logs_no_losses_diverges_by_the_names_of_its_own_moves():
    found = diagnose(fitted(responsibility_update_ratio=2.0), Mixture())
    assert found.regime == "divergence"
    assert found.evidence[0].startswith("an update changes the responsibility's params by 2 of")
    assert found.advice == []  # None of the options that address it are this kind's.
    assert diagnose(fitted({"step": 1010, "diverged": 1}), Mixture()).regime == "divergence"


@pytest.mark.parametrize("loss", ["hinge", "wasserstein"])
@pytest.mark.parametrize("alone", ["diversity", "duplicate_rate", "real_logits", "fake_logits"])
def test_half_of_a_pair_tells_nothing(loss, alone):
    records = [{"step": step, "images_seen": 64 * step, alone: 0.1} for step in STEPS]
    assert diagnosis.diagnose(records, {"loss": loss}, EVERY_RULE).regime == "nothing found"


def test_only_the_rules_of_a_kind_are_asked():
    records = log(COLLAPSED, **WINS)
    assert diagnose(records).regime == "discriminator too strong"
    without = [rule for rule in EVERY_RULE if rule != "discriminator too strong"]
    assert diagnose(records, rules=without).regime == "mode collapse"
    assert diagnose(records, rules=["divergence", "oscillation"]).regime == "nothing found"
    assert diagnose(records, rules=[]).regime == "nothing found"
    assert diagnose([*log(), {"step": 1010, "diverged": 1}], rules=[]).regime == "nothing found"
    # The order is that of the rules, whatever that of a kind's names.
    assert diagnose(records, rules=EVERY_RULE[::-1]).regime == "discriminator too strong"


def test_the_rules_of_the_kinds_of_runs():
    assert tuple(RULES) == EVERY_RULE
    assert Experiment.rules == UnpairedExperiment.rules == EVERY_RULE
    assert BaseExperiment.rules == ("divergence",)


NEAR = {"step": 1000, "frechet": 1.1, "real": 0.55}
FAR = NEAR | {"frechet": 114.0}
FALLING = {500: {"frechet": 60.0}, 1000: {"frechet": 25.0}}


def short(records):
    """The log of a run that saw a fifth of the images."""
    return [{n: v // 5 if n == "images_seen" else v for n, v in line.items()} for line in records]


@pytest.mark.parametrize(
    ("records", "facts", "expected", "part"),
    [
        (log(), NEAR, "healthy", "at step 1000 the Fréchet distance 1.1 is 2 times that of real"),
        (log(), FAR, "far from real", "114 is 207 times that of real data (0.55)"),
        (log(), {"frechet": 1.1}, "nothing found", "only a test split would tell"),
        (short(log()), FAR, "too early to tell", "12,800 images were seen; below 50,000"),
        (short(log()), NEAR, "too early to tell", "12,800 images were seen; below 50,000"),
        (short(log()), NEAR | {"warm": True}, "healthy", "2 times that of real"),
        (log(evaluations=FALLING), FAR, "too early to tell", "60 by half of the steps, 25 now"),
        (log(evaluations=FALLING), NEAR, "healthy", "2 times that of real"),
        (log(), {"samples": 60}, "images seen too often", "the 60 images was seen 1,067 times"),
        (log(), NEAR | {"samples": 60}, "healthy", "the 60 images was seen 1,067 times"),
        (log(), NEAR | {"overfitting": 0.95}, "memorising", "are 95% of the way from training"),
        (log(), NEAR | {"overfitting": 0.7}, "healthy", "are 70% of the way from training"),
        (log(COLLAPSED), NEAR, "mode collapse", "0.10 of the real ones' diversity"),
    ],
)
def test_only_what_is_near_real_data_is_healthy(records, facts, expected, part):
    found = diagnose(records, **facts)
    assert found.regime == expected
    assert part in " ".join(found.evidence)


def test_a_learning_rate_that_ended_is_found():
    ended = Experiment(generator_optimizer=OptimizerOptions(decay_end=600))
    records = log(generator_update_ratio=lambda step: 0.002 if step < 600 else 0.0)
    found = diagnose(records, ended, **NEAR)
    assert found.regime == "learning rate ended"
    assert found.evidence[0] == "the generator last moved at step 550, and the run went on to 1000"
    assert diagnose(log(), ended, **NEAR).regime == "healthy"


def test_every_regime_says_how_bad_it_is():
    assert diagnose(log(), **NEAR).severity == "good"
    assert diagnose(log()).severity == diagnose(log()[:3]).severity == "open"
    assert diagnose(log(), **FAR).severity == diagnose(log(COLLAPSED)).severity == "bad"


def test_facts_are_of_the_record_and_the_evaluation(tmp_path):
    identity = {"name": "x", "place": None, "samples": 70, "classes": [], "digest": "0"}
    record = {"data": [[identity]], "start": {"run": "a"}}
    assert facts_of(tmp_path, {})[:3] == (0, False, 0)
    assert facts_of(tmp_path, record)[:3] == (70, True, 0)
    evaluation = {"metrics": {"frechet": 3.0}, "real": {"frechet": 0.5}, "protocol": {}, "step": 9}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    assert facts_of(tmp_path, record)[:5] == (70, True, 9, 3.0, 0.5)


RECORDS = {
    "too early to tell": short(log()),
    "discriminator too strong": log(**WINS, discriminator_loss=0.001),
    "mode collapse": log(COLLAPSED),
    "oscillation": log(real_logits=swinging(5.0), fake_logits=lambda step: -swinging(5.0)(step)),
    "divergence": log(generator_update_ratio=2.0),
    "late collapse": log(evaluations={500: {"frechet": 1.0}, 1000: {"frechet": 9.0}}),
}


def test_advice_leaves_out_what_the_experiment_has():
    too_strong = advised(RECORDS["discriminator too strong"])
    assert too_strong[:2] == [
        "--discriminator-optimizer.learning-rate 2e-05",
        "--discriminator.width 16",
    ]
    for option in ("--discriminator.dropout 0.5", "--label-noise 0.3", "--label-flip 0.1"):
        assert option in too_strong
    has = Experiment(
        discriminator=DiscriminatorOptions(dropout=0.3, width=8), label_noise=0.2, penalty="r1"
    )
    fewer = " ".join(advised(RECORDS["discriminator too strong"], has))
    for name in ("dropout", "width", "label-noise", "--penalty "):
        assert name in " ".join(too_strong)
        assert name not in fewer


def test_advice_is_what_the_loss_allows():
    hinge = " ".join(advised(RECORDS["discriminator too strong"], Experiment(loss="hinge")))
    assert "label" not in hinge
    assert "dropout" in hinge
    collapse = RECORDS["mode collapse"]
    slow = Experiment(
        discriminator_optimizer=OptimizerOptions(learning_rate=1e-6), label_smoothing=0.1
    )
    assert advised(collapse, slow) == [
        "--discriminator-optimizer.learning-rate 0.0002",
        "--discriminator-steps 5",
        "--packing 2",
        "--loss wasserstein --penalty gradient_penalty --penalty-weight 10"
        " --discriminator.normalization none --label-smoothing 0",
        "--penalty r1 --penalty-weight 0.1",
    ]
    gp = Experiment(
        loss="wasserstein", penalty="gradient_penalty", conditional=True, discriminator_steps=5
    )
    assert advised(collapse, gp) == []


VARIANTS = [
    PLAIN,
    DIGITS,
    Experiment(label_flip=0.1, generator=GeneratorOptions(family="resnet", width=8)),
    Experiment(loss="minimax", simultaneous=True),
    Experiment(loss="wasserstein"),
    Experiment(loss="wasserstein", discriminator=DiscriminatorOptions(clip=0.01)),
    Experiment(loss="wasserstein", penalty="gradient_penalty", conditional=True),
    Experiment(loss="relativistic_pairing", penalty="r1_r2", packing=2),
    Experiment(discriminator=DiscriminatorOptions(dtype="bfloat16", spectral_norm=True)),
]


@pytest.mark.parametrize("expected", RECORDS)
@pytest.mark.parametrize("experiment", VARIANTS, ids=range(len(VARIANTS)))
def test_every_advice_can_be_followed(expected, experiment):
    """The command line takes each, and the game of the changed experiment can be made."""
    found = diagnose(RECORDS[expected], experiment)
    wasserstein = experiment.loss == "wasserstein"
    assert found.regime == expected or (wasserstein and found.regime == "nothing found")
    for option, why in found.advice:
        _, changed = parse_both(TrainOptions, experiment, option.split(), "train", "")
        assert changed != experiment, option
        check(changed)
        changed.make_game(Spec((8, 8, 1), 10))
        assert why
