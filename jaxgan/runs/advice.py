"""What to change about a run, by the regime that its diagnosis names, as command-line options."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

Regime: TypeAlias = Literal[
    "healthy",
    "discriminator too strong",
    "mode collapse",
    "oscillation",
    "divergence",
    "late collapse",
    "too early to tell",
]

Candidate: TypeAlias = tuple[list[tuple[str, Any]], str]
"""Options with their new values, and what they do."""


def advise(regime: Regime, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What addresses a regime, of the options that the experiment has and does not use yet.

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
    get = options.get
    loss = get("loss")
    rates = [f"{side}_optimizer.learning_rate" for side in ("generator", "discriminator")]
    own, other = (get(name, math.nan) for name in rates)
    logistic, wasserstein = loss in ("minimax", "non_saturating"), loss == "wasserstein"
    unpenalised = get("penalty") == "none"
    batch_norm = get("discriminator.normalization") == "batch"
    # A penalty on each image's gradient is not defined where images share statistics, and a
    # Wasserstein loss has no targets.
    targets = ("label_smoothing", "label_noise", "label_flip")
    critic: list[tuple[str, Any]] = [("penalty", "gradient_penalty"), ("penalty_weight", 10.0)]
    critic += [("discriminator.normalization", "none")] if batch_norm else []
    critic += [(name, 0.0) for name in targets if get(name)]
    r1: Candidate = (
        [("penalty", "r1"), ("penalty_weight", 0.1)],
        "R1 keeps the discriminator's gradient at real images small",
    )
    decay: Candidate = (
        [
            (f"{side}_optimizer.{end}", get("steps", 0) // part)
            for side in ("generator", "discriminator")
            for end, part in (("decay_start", 4), ("decay_end", 1))
        ],
        "learning rates that fall to 0",
    )
    slower = [(name, get(name, math.nan) / 10) for name in rates]
    found: list[tuple[bool, Candidate]] = []

    def offer(condition: bool, changes: list[tuple[str, Any]], why: str) -> None:
        found.append((condition, (changes, why)))

    match regime:
        case "discriminator too strong":
            offer(True, [(rates[1], other / 10)], "a discriminator that learns more slowly")
            offer(
                get("discriminator.width", 0) >= 16,
                [("discriminator.width", get("discriminator.width", 0) // 4)],
                "fewer filters",
            )
            offer(
                not get("instance_noise"),
                [("instance_noise", 0.5), ("instance_noise_steps", get("steps", 0) // 2)],
                "noise on real and fake images, until they overlap",
            )
            offer(logistic and not get("label_flip"), [("label_flip", 0.1)], "wrong targets, some")
            offer(logistic and not get("label_noise"), [("label_noise", 0.3)], "noisy targets")
            offer(
                logistic and not get("label_smoothing"),
                [("label_smoothing", 0.1)],
                "targets that it cannot be too sure of",
            )
            offer(
                not get("discriminator.dropout"),
                [("discriminator.dropout", 0.5)],
                "half of its activations at a time",
            )
            offer(unpenalised, *r1)
            offer(get("discriminator_steps", 1) > 1, [("discriminator_steps", 1)], "fewer updates")
            offer(
                loss == "minimax",
                [("loss", "non_saturating")],
                "a generator's loss whose gradient does not vanish",
            )
        case "mode collapse":
            offer(other < own, [(rates[1], own)], "a discriminator that keeps up")
            offer(
                get("discriminator_steps", 5) < 5 and not get("simultaneous"),
                [("discriminator_steps", 5)],
                "more discriminator updates, so that it notices",
            )
            offer(
                get("packing") == 1 and not get("conditional") and get("batch_size", 0) % 2 == 0,
                [("packing", 2)],
                "a discriminator that sees two samples at once, and that they are alike",
            )
            offer(not wasserstein, [("loss", "wasserstein"), *critic], "WGAN-GP")
            offer(wasserstein and unpenalised, [("discriminator.clip", 0.0), *critic], "WGAN-GP")
            offer(unpenalised and not wasserstein, *r1)
        case "oscillation":
            offer(True, slower, "smaller steps, both sides")
            offer(unpenalised and not wasserstein, *r1)
            offer(get("generator_optimizer.decay_end") == 0, *decay)
            offer(
                (get("generator_optimizer.beta1") or 0) > 0,
                [("generator_optimizer.beta1", 0.0), ("discriminator_optimizer.beta1", 0.0)],
                "no momentum, which overshoots in a game",
            )
        case "divergence":
            offer(True, slower, "smaller steps, both sides")
            offer(unpenalised and not wasserstein, *r1)
            offer(
                wasserstein and unpenalised and not get("discriminator.clip"),
                critic,
                "a Wasserstein discriminator needs a bound on its slope",
            )
            offer(
                wasserstein and not get("drift_weight"),
                [("drift_weight", 1e-3)],
                "keeps its logits near 0",
            )
            offer(
                get("discriminator.spectral_norm") is False,
                [("discriminator.spectral_norm", True)],
                "bounds every layer of the discriminator",
            )
            offer(
                get("discriminator.dtype") == "bfloat16",
                [("generator.dtype", "float32"), ("discriminator.dtype", "float32")],
                "more digits",
            )
        case "late collapse":
            offer(
                get("best_metric") is None and get("evaluate_every", 0) > 0,
                [("best_metric", "kl" if get("data") in ("ring", "grid") else "frechet")],
                "keeps the best checkpoint, which `jaxgan sample RUN --best` takes",
            )
            offer(get("generator_optimizer.decay_end") == 0, *decay)
            offer(unpenalised and not wasserstein, *r1)
            offer(True, [(rates[1], other / 2)], "a discriminator that learns more slowly")
    return [candidate for condition, candidate in found if condition]
