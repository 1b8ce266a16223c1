"""What to change about a run, by the regime that its diagnosis names, as command-line options."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

Regime: TypeAlias = Literal[
    "healthy",
    "nothing found",
    "far from real",
    "learning rate ended",
    "memorising",
    "images seen too often",
    "discriminator too strong",
    "mode collapse",
    "oscillation",
    "divergence",
    "late collapse",
    "too early to tell",
]

MANY_IMAGES = 50_000
"""Images seen below which it is too early to tell. After 19,000 the digits' DCGAN is at 9 times the
Fréchet distance of real data and MNIST's at hundreds; from 50,000 on the digits' is below 4."""
SIDES = ("generator", "discriminator")
Changes: TypeAlias = list[tuple[str, Any]]
"""Options with their new values."""
Candidate: TypeAlias = tuple[Changes, str]
"""Changes, and what they do."""
Offer: TypeAlias = tuple[bool, Changes, str]
"""Whether it applies, the changes, and what they do."""


def advise(regime: Regime, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The options that address a regime, among those that the experiment has and does not use yet.

    Args:
      regime: as a diagnosis names it.
      options: of the experiment, by dotted name.

    Returns:
      Options of the command line, each with what it does.
    """
    return [
        (" ".join(_option(name, value) for name, value in changes), why)
        for changes, why in _candidates(regime, options)
        if all(name in options for name, _ in changes)
    ]


def _option(name: str, value: Any) -> str:
    """As the command line takes it."""
    head, _, last = name.replace("_", "-").rpartition(".")
    if isinstance(value, bool):
        return f"--{head}{'.' if head else ''}{'' if value else 'no-'}{last}"
    return f"--{name.replace('_', '-')} {f'{value:.3g}' if isinstance(value, float) else value}"


def _candidates(regime: Regime, options: Mapping[str, Any]) -> list[Candidate]:
    """Changes of options and what they do, those measured to do most first (benchmarks.tips)."""
    if regime not in _ADVICE:
        return []
    found = _ADVICE[regime](_Setting(options))
    return [(changes, why) for condition, changes, why in found if condition]


class _Setting:
    """What advice depends on, read once from an experiment's options.

    Attributes:
      get: the value of an option, or None where the experiment has no such option.
      loss: the adversarial loss.
      rates: names of both learning rates, the generator's first.
      decays: names of the updates at which they reach 0.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.get = options.get
        self.loss = options.get("loss")
        self.rates = [f"{side}_optimizer.learning_rate" for side in SIDES]
        self.own, self.other = (options.get(name, math.nan) for name in self.rates)
        self.decays = [f"{side}_optimizer.decay_end" for side in SIDES]
        self.logistic = self.loss in ("minimax", "non_saturating")
        self.wasserstein = self.loss == "wasserstein"
        self.unpenalised = options.get("penalty") == "none"

    @property
    def gradient_penalty(self) -> Changes:
        """A gradient penalty, and what has to go for it.

        It is not defined where images share statistics, and a Wasserstein loss has no targets.
        """
        changes: Changes = [("penalty", "gradient_penalty"), ("penalty_weight", 10.0)]
        if self.get("discriminator.normalization") == "batch":
            changes.append(("discriminator.normalization", "none"))
        targets = ("label_smoothing", "label_noise", "label_flip")
        return changes + [(name, 0.0) for name in targets if self.get(name)]

    @property
    def r1(self) -> Offer:
        condition = self.unpenalised and not self.wasserstein
        why = "R1 keeps the discriminator's gradient at real images small"
        return condition, [("penalty", "r1"), ("penalty_weight", 0.1)], why

    @property
    def decay(self) -> Offer:
        steps = self.get("steps", 0)
        changes: Changes = [
            (f"{side}_optimizer.{end}", steps // part)
            for side in SIDES
            for end, part in (("decay_start", 4), ("decay_end", 1))
        ]
        still = self.get("generator_optimizer.decay_end") == 0
        return still, changes, "learning rates that fall to 0"

    @property
    def slower(self) -> Offer:
        changes: Changes = [(name, self.get(name, math.nan) / 10) for name in self.rates]
        return True, changes, "smaller steps, both sides"

    def slower_discriminator(self, part: int) -> Offer:
        changes: Changes = [(self.rates[1], self.other / part)]
        return True, changes, "a discriminator that learns more slowly"


def _against_a_strong_discriminator(now: _Setting) -> list[Offer]:
    get, width, steps = now.get, now.get("discriminator.width", 0), now.get("steps", 0)
    return [
        now.slower_discriminator(10),
        (width >= 16, [("discriminator.width", width // 4)], "fewer filters"),
        (
            not get("instance_noise"),
            [("instance_noise", 0.5), ("instance_noise_steps", steps // 2)],
            "noise on real and fake images, until they overlap",
        ),
        (now.logistic and not get("label_flip"), [("label_flip", 0.1)], "wrong targets, some"),
        (now.logistic and not get("label_noise"), [("label_noise", 0.3)], "noisy targets"),
        (
            now.logistic and not get("label_smoothing"),
            [("label_smoothing", 0.1)],
            "targets that it cannot be too sure of",
        ),
        (
            not get("discriminator.dropout"),
            [("discriminator.dropout", 0.5)],
            "half of its activations at a time",
        ),
        (now.unpenalised, *now.r1[1:]),
        (get("discriminator_steps", 1) > 1, [("discriminator_steps", 1)], "fewer updates"),
        (
            now.loss == "minimax",
            [("loss", "non_saturating")],
            "a generator's loss whose gradient does not vanish",
        ),
    ]


def _against_mode_collapse(now: _Setting) -> list[Offer]:
    get = now.get
    packable = get("packing") == 1 and not get("conditional") and get("batch_size", 0) % 2 == 0
    return [
        (now.other < now.own, [(now.rates[1], now.own)], "a discriminator that keeps up"),
        (
            get("discriminator_steps", 5) < 5 and not get("simultaneous"),
            [("discriminator_steps", 5)],
            "more discriminator updates, so that it notices",
        ),
        (
            packable,
            [("packing", 2)],
            "a discriminator that sees two samples at once, and that they are alike",
        ),
        (not now.wasserstein, [("loss", "wasserstein"), *now.gradient_penalty], "WGAN-GP"),
        (
            now.wasserstein and now.unpenalised,
            [("discriminator.clip", 0.0), *now.gradient_penalty],
            "WGAN-GP",
        ),
        now.r1,
    ]


def _against_oscillation(now: _Setting) -> list[Offer]:
    return [
        now.slower,
        now.r1,
        now.decay,
        (
            (now.get("generator_optimizer.beta1") or 0) > 0,
            [(f"{side}_optimizer.beta1", 0.0) for side in SIDES],
            "no momentum, which overshoots in a game",
        ),
    ]


def _against_divergence(now: _Setting) -> list[Offer]:
    get = now.get
    return [
        now.slower,
        now.r1,
        (
            now.wasserstein and now.unpenalised and not get("discriminator.clip"),
            now.gradient_penalty,
            "a Wasserstein discriminator needs a bound on its slope",
        ),
        (
            now.wasserstein and not get("drift_weight"),
            [("drift_weight", 1e-3)],
            "keeps its logits near 0",
        ),
        (
            get("discriminator.spectral_norm") is False,
            [("discriminator.spectral_norm", True)],
            "bounds every layer of the discriminator",
        ),
        (
            get("discriminator.dtype") == "bfloat16",
            [(f"{side}.dtype", "float32") for side in SIDES],
            "more digits",
        ),
    ]


def _against_late_collapse(now: _Setting) -> list[Offer]:
    unranked = now.get("best_metric") is None and now.get("evaluate_every", 0) > 0
    metric = "kl" if now.get("data") in ("ring", "grid") else "frechet"
    return [
        (
            unranked,
            [("best_metric", metric)],
            "keeps the best checkpoint, which `jaxgan sample RUN --best` takes",
        ),
        now.decay,
        now.r1,
        now.slower_discriminator(2),
    ]


def _of_too_few_steps(now: _Setting) -> list[Offer]:
    steps = now.get("steps", 0)
    more: Changes = [("steps", max(2 * steps, -(-MANY_IMAGES // now.get("batch_size", 1))))]
    falls = [name for name in now.decays if now.get(name)]
    ends: Changes = [(name, 2 * now.get(name, 0)) for name in falls]
    return [
        (not falls, more, f"go on: jaxgan resume RUN --steps {more[0][1]}"),
        (bool(falls), more + ends, "in a new run with these weights: jaxgan train --from RUN"),
    ]


def _against_distance(now: _Setting) -> list[Offer]:
    get = now.get
    wider: Changes = [(f"{side}.width", 2 * get(f"{side}.width", 0)) for side in SIDES]
    return [now.r1, (True, wider, "larger networks"), *_of_too_few_steps(now)]


def _against_an_ended_rate(now: _Setting) -> list[Offer]:
    ends: Changes = [(name, 2 * now.get("steps", 0)) for name in now.decays if now.get(name)]
    again = "in a new run with these weights: jaxgan train --from RUN"
    return [(bool(ends), ends, f"rates that last longer, {again}")]


def _against_memorising(now: _Setting) -> list[Offer]:
    get = now.get
    return [
        (
            get("flip") is False,
            [("flip", True)],
            "twice the images, where a mirrored one is as real",
        ),
        (
            not get("discriminator.dropout"),
            [("discriminator.dropout", 0.5)],
            "half of the discriminator's activations at a time",
        ),
        (
            get("lecam_weight") == 0,
            [("lecam_weight", 0.1)],
            "LeCam's regulariser, made for few images",
        ),
        now.r1,
        now.slower_discriminator(2),
    ]


_ADVICE: dict[Regime, Callable[[_Setting], list[Offer]]] = {
    "discriminator too strong": _against_a_strong_discriminator,
    "mode collapse": _against_mode_collapse,
    "oscillation": _against_oscillation,
    "divergence": _against_divergence,
    "late collapse": _against_late_collapse,
    "too early to tell": _of_too_few_steps,
    "far from real": _against_distance,
    "learning rate ended": _against_an_ended_rate,
    "memorising": _against_memorising,
    "images seen too often": _against_memorising,
}
