"""What a run's logs say of how it went: a regime by name, the evidence, and what to change.

The losses of a GAN do not tell whether training goes well. Other things that the loop logs do: how
often the discriminator is right, how far the two logits are apart, whether the parameters still
move sensibly, and above all how varied the samples are. The rules are plain thresholds, all of them
at the top of this file. Where a run did not log what a rule reads, the rule says nothing.

A run without a fault is not a good one yet. It is called healthy only where its Fréchet distance is
known to be near what real data score, and where neither too little nor too much was trained.

Only minimax, non-saturating and hinge logits mean "real" above 0 and "fake" below; their rules read
accuracies. Least-squares and relativistic losses are held against what a discriminator pays that
cannot tell real from fake. A Wasserstein discriminator is meant to win: no rule calls it too
strong.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaxgan.runs.advice import MANY_IMAGES, Regime, advise
from jaxgan.runs.data import recorded_identities
from jaxgan.runs.evaluations import FILE, read_record

Records: TypeAlias = Sequence[Mapping[str, float]]

LATE = 0.5
"""The last half of what a run logged is judged: every GAN is out of balance at first."""
FEWEST = 6
"""Logged lines, below which half of them would be an anecdote."""

SURE = 0.99
"""Median share of real and of fake images judged rightly, from which on the discriminator wins: in
batches of 64, more than half of all batches without one mistake. Runs that learn have .95, and .98
in their first hundreds of steps."""
AHEAD, FASTER = 0.8, 8.0
"""Lower share of both, which is too much of a discriminator whose updates are this many times the
generator's, each relative to its params: 1 with equal rates, 4 with TTUR's."""
LEAST_SHARE = 0.05
"""The same for losses whose accuracies mean nothing: share of a blind discriminator's loss. With
logistic losses .05 is a logit of 3.3 on the right side, 97 % sure."""
SIGNED = ("minimax", "non_saturating", "hinge")
"""Losses whose logits mean real above 0 and fake below it."""
BLIND = {
    "minimax": math.log(4),
    "non_saturating": math.log(4),
    "least_squares": 0.25,
    "hinge": 2.0,
    "relativistic_pairing": math.log(2),
    "relativistic_average": math.log(4),
}
"""What a discriminator pays that gives real and fake one logit, at best."""
IMPROVES = 0.9
"""An evaluation at this or less of the one before: whatever the discriminator, the generator
learns."""

ALIKE = 0.4
"""Diversity below which samples are too alike: good digits have .9, those of a generator that has
learnt next to nothing .45 to .55, those of one that collapsed less than .2."""
DUPLICATES = 0.5
"""Share of samples with a duplicate above which few different ones are left."""
HALF_LOST = math.log(2)
"""KL of the classes or modes to uniform: as if half of them were lost."""

WORSE = 1.5
"""The last Fréchet distance over the best, from which on a run has fallen behind itself. The
healthy runs that this was held against end at their best; a public DCGAN goes from 49 to 137."""

EXTREME = 3.0
"""Logit that the fakes of an oscillating run swing beyond, both ways: 95 % sure of real, 95 % sure
of fake. Fakes of published runs hardly rise above 1."""
FOOLED = 0.1
"""Median share of fakes judged rightly below which the discriminator objects to nothing."""
SWINGS = 4
"""Changes of side within the judged half: two whole cycles."""

RUNAWAY = 20.0
"""The discriminator's loss over that of a blind one. An untrained one pays up to 3 times as much;
more than this pays only one whose weights have run away, certain of what is false."""
STILL = 1e-8
"""Generator's gradient norm below which its outputs are saturated, whatever the weights. Only the
minimax loss brings a gradient there with a sure discriminator alone."""
HUGE_LOGIT = 1e3
"""Logits beyond it are of a discriminator whose weights have run away: a sigmoid is 0 or 1 in
float32 from 100 on."""
GROWTH = 100.0
"""How many times a Wasserstein discriminator's logits, which have no scale of their own, may grow
from the first half to the last."""
JUMP = 0.3
"""Norm of a side's update over that of its params: it forgets in a few steps what it knew. Adam
with a sensible rate moves by .0001 to .03."""


HALVES = 0.5
"""The last Fréchet distance over that by half of the steps. A run that halves it when its length
doubles has not come to its end; the digits' DCGAN has .7 after 4,000 steps."""
FAR = 20.0
"""Fréchet distance over that of real data above which samples are far from them. MNIST's DCGAN ends
at 13 to 18 times, its perceptrons, whose digits are rough, at 54, WGAN-GP cut short at 130."""
SEEN_OFTEN = 1000.0
"""How often every image was seen, from which on it may be learnt by heart, where nobody
measured it. The number is this project's own: the digits' DCGAN sees each 178 times."""
EDGE, MEMORISED = 0.5, 0.9
"""How far the discriminator's held-out logits have moved from those of its training images towards
those of samples (`Facts.overfitting`). Karras et al. 2020 hold a kin of it at .6. The digits' DCGAN
has .4 after 1,600 and .7 after 4,000 steps and still improves; trained on 100 digits it has 1.3."""


class Diagnosis(NamedTuple):
    """A regime, with its evidence and advice.

    Attributes:
      regime: its name.
      evidence: sentences with the numbers and steps that speak for it.
      advice: options of the command line that address it, each with what it does.
    """

    regime: Regime
    evidence: list[str]
    advice: list[tuple[str, str]]

    @property
    def severity(self) -> Literal["good", "open", "bad"]:
        """Whether the run went well, badly, or is not to be judged yet."""
        return SEVERITY.get(self.regime, "bad")


SEVERITY: dict[Regime, Literal["good", "open"]] = {
    "healthy": "good",
    "nothing found": "open",
    "too early to tell": "open",
}
"""The severity of regimes that are no fault."""


class Facts(NamedTuple):
    """What is known of a run besides its log.

    Attributes:
      samples: how many training samples there are; 0 where that was not recorded.
      warm: whether it began with the weights of another run.
      step: of the checkpoint that was evaluated.
      frechet: its distance; NaN where none was evaluated.
      real: what real data score in place of samples; NaN where that is not known.
      overfitting: of the discriminator: how far held-out images have moved, from its mean logit of
        training images (0) to that of samples (1); NaN where it was not measured.
    """

    samples: int = 0
    warm: bool = False
    step: int = 0
    frechet: float = math.nan
    real: float = math.nan
    overfitting: float = math.nan


NO_FACTS = Facts()


def facts_of(directory: Path, record: Mapping[str, Any], overfitting: float = math.nan) -> Facts:
    """What a run's record and its evaluation, where there is one, hold.

    Args:
      directory: of the run.
      record: its experiment.json.
      overfitting: as `Facts` has it.

    Raises:
      ValueError: when either is damaged.
    """
    data = [one for phase in recorded_identities(directory, dict(record)) for one in phase or ()]
    samples = max((one.samples for one in data), default=0)
    found = Facts(samples, bool(record.get("start")), overfitting=overfitting)
    if not (directory / FILE).is_file():
        return found
    evaluation = read_record(directory)
    metrics, real = evaluation["metrics"], evaluation.get("real") or {}
    return found._replace(
        step=evaluation.get("step", 0),
        frechet=metrics.get("frechet", math.nan),
        real=real.get("frechet", math.nan),
    )


Series: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Steps and values, of those lines that have the value."""


def diagnose(
    records: Records, options: Mapping[str, Any], rules: Sequence[str], facts: Facts = NO_FACTS
) -> Diagnosis:
    """Names the regime of a run.

    Args:
      records: the lines of metrics.jsonl.
      options: of the experiment, by dotted name (`options.flat(options.to_dict(experiment))`).
      rules: names in `RULES`, of those that fit the kind of run (`experiment.rules`).
      facts: what else is known of the run.

    Returns:
      The first regime whose rule finds evidence, in the order of `RULES`: divergence, late
      collapse, discriminator too strong (which starves a generator into a collapse), mode collapse,
      oscillation. Without a fault the first that holds of: learning rate ended, memorising, too
      early to tell, healthy, far from real, images seen too often; else nothing found.
    """
    run = _Run(records, options)
    chosen = {regime: rule for regime, rule in RULES.items() if regime in rules}
    found = {regime: evidence for regime, rule in chosen.items() if (evidence := rule(run))}
    if "divergence" in found or (found and run.lines >= FEWEST):
        regime = next(iter(found))
        return Diagnosis(regime, found[regime], advise(regime, options))
    if run.lines < FEWEST:
        few = f"{run.lines} lines of scalars are logged; from {FEWEST} on something can be said"
        return Diagnosis("too early to tell", [few], [])
    regime, evidence = _outlook(run, facts)
    return Diagnosis(regime, [*evidence, *_health(run)], advise(regime, options))


class _Run:
    """The logs as series.

    Attributes:
      loss: name of the adversarial loss.
      decaying: sides whose learning rate falls to 0.
      lines: how many lines of scalars were logged.
      images: how many images the last of them had seen.
      start: step from which on the run is judged.
    """

    def __init__(self, records: Records, options: Mapping[str, Any]) -> None:
        self._records = records
        self.decaying = [
            side for side in self.moves if options.get(f"{side}_optimizer.decay_end", 0)
        ]
        self.loss = str(options.get("loss"))
        self.wasserstein = self.loss == "wasserstein"
        logged = [int(line["step"]) for line in records if "images_seen" in line]
        self.lines = len(logged)
        self.images = max(
            (line["images_seen"] for line in records if "images_seen" in line), default=0
        )
        self.start = logged[int(LATE * len(logged))] if logged else 0

    def series(self, name: str) -> Series:
        found = [(line["step"], line[name]) for line in self._records if _is_number(line.get(name))]
        steps, values = zip(*found, strict=True) if found else ((), ())
        return np.array(steps, np.int64), np.array(values, np.float64)

    def both(self, one: str, other: str) -> tuple[Series, NDArray[np.float64]]:
        """Two scalars, from the lines that have both."""
        lines = [
            line for line in self._records if all(_is_number(line.get(n)) for n in (one, other))
        ]
        steps, first, second = ([line[n] for line in lines] for n in ("step", one, other))
        return (np.array(steps, np.int64), np.array(first, float)), np.array(second, float)

    def late(self, name: str) -> Series:
        """The steps and values of the judged half."""
        steps, values = self.series(name)
        return steps[steps >= self.start], values[steps >= self.start]

    def median(self, name: str) -> float:
        """The median of the judged half; NaN, which fails every comparison, without any line."""
        return _median(self.late(name)[1])

    @property
    def moves(self) -> list[str]:
        """The sides whose updates were logged."""
        ending = "_update_ratio"
        names = dict.fromkeys(name for line in self._records for name in line)
        return [name.removesuffix(ending) for name in names if name.endswith(ending)]

    @property
    def window(self) -> str:
        """The judged half in words."""
        return f"from step {self.start} on"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else math.nan


def _divergence(run: _Run) -> list[str]:
    evidence = [
        f"numbers were no longer finite at step {step}" for step in run.series("diverged")[0]
    ]
    for side in run.moves:
        ratio = run.median(f"{side}_update_ratio")
        if ratio > JUMP:
            evidence.append(
                f"an update changes the {side}'s params by {ratio:.2g} of their norm (median "
                f"{run.window}; {JUMP} is too much)"
            )
    share = _share(run)
    if share > RUNAWAY:
        evidence.append(
            f"the discriminator's loss is {share:.3g} times that of one that cannot tell real from "
            f"fake (median {run.window}; {RUNAWAY:.0f} is too much)"
        )
    gradient = run.median("generator_gradient_norm")
    behind = run.median("fake_logits") <= run.median("real_logits")
    if gradient < STILL and behind and run.loss != "minimax":
        evidence.append(
            f"the generator's gradient is {gradient:.2g} though it is behind "
            f"(median {run.window}): its outputs are saturated"
        )
    for kind in ("real", "fake"):
        steps, logits = run.series(f"{kind}_logits")
        late = _median(np.abs(logits[steps >= run.start]))
        early = _median(np.abs(logits[steps < run.start]))
        if run.wasserstein and late > GROWTH * early:
            evidence.append(
                f"{kind} logits grew from {early:.3g} to {late:.3g} (medians of halves)"
            )
        elif not run.wasserstein and late > HUGE_LOGIT:
            evidence.append(
                f"{kind} logits are of size {late:.3g} (median {run.window}; "
                f"{HUGE_LOGIT:.0f} is too much)"
            )
    return evidence


def _share(run: _Run) -> float:
    """The discriminator's loss, without the penalty, over that of a blind one; NaN if unknown."""
    losses, penalties = run.late("discriminator_loss")[1], run.late("penalty")[1]
    if penalties.size == losses.size:
        losses = losses - penalties
    return _median(losses) / BLIND.get(run.loss, math.nan)


def _late_collapse(run: _Run) -> list[str]:
    evidence = []
    steps, distances = run.series("frechet")
    if distances.size:
        best = int(np.argmin(distances))
        if distances[-1] > WORSE * distances[best]:
            evidence.append(
                f"the Fréchet distance was {distances[best]:.3g} at step {steps[best]} and is "
                f"{distances[-1]:.3g} at step {steps[-1]}"
            )
    steps, modes = run.series("modes")
    if modes.size and modes[-1] < modes.max() / WORSE:
        best = int(np.argmax(modes))
        evidence.append(
            f"{modes[best]:.0f} modes were found at step {steps[best]}, and {modes[-1]:.0f} at "
            f"step {steps[-1]}"
        )
    if not evidence and not run.series("frechet")[1].size:
        evidence = _lost_variety(run)
    return evidence


def _lost_variety(run: _Run) -> list[str]:
    """Finds samples that were varied while the sides were in balance, and are alike at the end."""
    (steps, diversity), duplicates = run.both("diversity", "duplicate_rate")
    accuracy_steps, fooled = run.series("fake_accuracy")
    varied = (diversity > 2 * ALIKE) & (duplicates < DUPLICATES / 2)
    if not _is_collapsed(run) or not varied[:-1].any():
        return []
    last = int(np.flatnonzero(varied)[-1])
    until = fooled[accuracy_steps <= steps[last]]
    # Against a discriminator that never objects, samples pass through variety on their way.
    if run.loss in SIGNED and not FOOLED < _median(until) < SURE:
        return []
    if steps[last] < run.start / 2:
        return []
    return [
        f"samples had {diversity[last]:.2f} of the real ones' diversity at step {steps[last]}, and "
        f"have {diversity[-1]:.2f} at step {steps[-1]}, where {duplicates[-1]:.0%} have a duplicate"
    ]


def _too_strong(run: _Run) -> list[str]:
    if _improves(run) or run.wasserstein:
        return []
    evidence = []
    if run.loss not in SIGNED:
        share = _share(run)
        if share < LEAST_SHARE:
            evidence.append(
                f"the discriminator's loss is {share:.3f} of that of one that cannot tell real "
                f"from fake (median {run.window}; below {LEAST_SHARE} it wins)"
            )
    else:
        real, fake = run.median("real_accuracy"), run.median("fake_accuracy")
        own, other = (run.median(f"{side}_update_ratio") for side in ("generator", "discriminator"))
        right = f"is right about {real:.1%} of the real and {fake:.1%} of the fake images"
        if real >= SURE and fake >= SURE:
            evidence.append(
                f"the discriminator {right} (medians {run.window}; from {SURE:.0%} on it wins)"
            )
        elif real >= AHEAD and fake >= AHEAD and other > FASTER * own:
            evidence.append(
                f"the discriminator {right}, and changes its params by {other:.2g} of their norm a "
                f"step, the generator by {own:.2g} (medians {run.window}; {FASTER:.0f} times as "
                "much is too fast)"
            )
    if evidence:
        gap = run.median("real_logits") - run.median("fake_logits")
        if gap > 0:
            evidence.append(f"the mean logits of real and fake are {gap:.3g} apart")
        evidence += _variety(run)
    return evidence


def _mode_collapse(run: _Run) -> list[str]:
    evidence = _variety(run) if _is_collapsed(run) else []
    steps, kl = run.series("kl")
    if kl.size and kl[-1] > HALF_LOST:
        evidence.append(
            f"classes or modes are as uneven as if {1 - math.exp(-kl[-1]):.0%} of them were lost "
            f"(KL {kl[-1]:.2g} at step {steps[-1]}; {HALF_LOST:.2g} is half of them)"
        )
    if evidence and run.loss in SIGNED and run.median("fake_accuracy") < FOOLED:
        evidence.append(
            f"the discriminator objects to {run.median('fake_accuracy'):.1%} of the fakes (median "
            f"{run.window}): nothing drives them apart"
        )
    return evidence


def _oscillation(run: _Run) -> list[str]:
    if run.wasserstein:
        # Only differences mean anything: a discriminator that takes real for fake and back, by as
        # much as at first. About 0, where the distance is small, a gap has any sign.
        (steps, real), fake = run.both("real_logits", "fake_logits")
        gap = real - fake
        limit = np.abs(gap).max() / 3 if gap.size else 0.0
        steps, values = steps[steps >= run.start], gap[steps >= run.start]
        what = "the gap between real and fake logits"
    else:
        steps, values = run.late("fake_logits")
        limit, what = EXTREME, "the mean logit of the fakes"
    beyond = np.abs(values) > limit
    sides = np.sign(values[beyond])
    changes = steps[beyond][1:][sides[1:] != sides[:-1]]
    if changes.size < SWINGS:
        return []
    return [
        f"{what} changed {changes.size} times between below {-limit:.2g} and above {limit:.2g} "
        f"from step {steps[0]} to {steps[-1]}, last at step {changes[-1]}"
    ]


def _is_collapsed(run: _Run) -> bool:
    (steps, diversity), duplicates = run.both("diversity", "duplicate_rate")
    diversity, duplicates = diversity[steps >= run.start], duplicates[steps >= run.start]
    return bool(diversity.size and (diversity[-1] < ALIKE or duplicates[-1] > DUPLICATES))


def _improves(run: _Run) -> bool:
    distances = run.series("frechet")[1]
    return distances.size > 1 and bool(distances[-1] <= IMPROVES * distances[-2])


def _variety(run: _Run) -> list[str]:
    (steps, diversity), duplicates = run.both("diversity", "duplicate_rate")
    if not diversity.size:
        return []
    return [
        f"at step {steps[-1]} samples have {diversity[-1]:.2f} of the real ones' diversity (below "
        f"{ALIKE} they are too alike), and {duplicates[-1]:.0%} have a duplicate (above "
        f"{DUPLICATES:.0%} few are left)"
    ]


def _outlook(run: _Run, facts: Facts) -> tuple[Regime, list[str]]:
    """What there is to say of a run without a fault."""
    for side in run.decaying:
        steps, ratios = run.series(f"{side}_update_ratio")
        moved = steps[ratios > 0]
        if moved.size and moved[-1] < steps[-1]:
            return "learning rate ended", [
                f"the {side} last moved at step {moved[-1]}, and the run went on to {steps[-1]}"
            ]
    times = facts.frechet / facts.real if facts.real > 0 else math.nan
    measured = (
        f"at step {facts.step} the Fréchet distance {facts.frechet:.3g} is {times:.3g} times that "
        f"of real data ({facts.real:.3g}); above {FAR:.0f} times samples are far from them"
    )
    adversarial = run.wasserstein or run.loss in BLIND
    if adversarial and not facts.warm and run.images < MANY_IMAGES:
        return "too early to tell", [
            f"{run.images:,} images were seen; below {MANY_IMAGES:,} samples tell little",
            *([measured] if facts.real > 0 else []),
        ]
    heart = (
        f"to the discriminator held-out images are {facts.overfitting:.0%} of the way from "
        f"training images to samples (from {MEMORISED:.0%} on it knows them by heart)"
    )
    if facts.overfitting > MEMORISED:
        return "memorising", [heart]
    often = run.images / facts.samples if adversarial and facts.samples else 0.0
    seen = f"each of the {facts.samples:,} images was seen {often:,.0f} times"
    noted = [heart] if facts.overfitting > EDGE else []
    noted += [seen] if often > SEEN_OFTEN else []
    if times <= FAR:
        return "healthy", [measured, *noted]
    steps, distances = run.series("frechet")
    before = distances[2 * steps <= steps[-1:]]
    if before.size and distances[-1] <= HALVES * before[-1]:
        return "too early to tell", [
            f"the Fréchet distance still falls: {before[-1]:.3g} by half of the steps, "
            f"{distances[-1]:.3g} now"
        ]
    if times > FAR:
        return "far from real", [measured, *noted]
    if often > SEEN_OFTEN:
        return "images seen too often", [f"{seen}; {SEEN_OFTEN:,.0f} times are many", *noted[:-1]]
    unknown = "how near samples are to real data tells: jaxgan evaluate RUN"
    if facts.frechet >= 0:
        unknown = (
            f"at step {facts.step} the Fréchet distance is {facts.frechet:.3g}; how near that is "
            "only a test split would tell"
        )
    return "nothing found", [f"no fault is in the log; {unknown}", *noted]


def _health(run: _Run) -> list[str]:
    """What was examined in a run without a fault."""
    evidence = []
    real, fake = run.median("real_accuracy"), run.median("fake_accuracy")
    if run.loss in SIGNED and not math.isnan(real + fake):
        evidence.append(
            f"the discriminator is right about {real:.1%} of the real and {fake:.1%} of the fake "
            f"images (medians {run.window})"
        )
    evidence += _variety(run)
    for name in ("frechet", "kl", "modes"):
        steps, values = run.series(name)
        if values.size:
            evidence.append(
                f"{name} was {values[0]:.4g} at step {steps[0]} and is {values[-1]:.4g}"
            )
    return evidence


RULES: dict[Regime, Callable[[_Run], list[str]]] = {
    "divergence": _divergence,
    "late collapse": _late_collapse,
    "discriminator too strong": _too_strong,
    "mode collapse": _mode_collapse,
    "oscillation": _oscillation,
}
"""What each regime is recognised by: the evidence, none where it is not there."""
