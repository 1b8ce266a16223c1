"""Whether `jaxgan.runs.diagnosis` names what was broken on purpose, and leaves healthy runs alone.

    python -m benchmarks.diagnosis [--seeds 3] [--steps 1500] [--only frozen]

Perceptrons on the digits, trained by the loop as a user would, without evaluations: what the
diagnosis has are scalars, and how varied the samples are. One row is one case: the regime found for
each seed, the evidence for seed 0, and, hidden from the diagnosis, the Fréchet distance in the end.
"""

import argparse
import dataclasses
import math
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from jaxgan.devices.compilation import kept_programs
from jaxgan.experiment import DIGITS, DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.options import flat, to_dict
from jaxgan.runs import record as run
from jaxgan.runs.diagnosis import Diagnosis, diagnose
from jaxgan.runs.log import read_metrics
from jaxgan.training.loop import Diverged, train
from jaxgan.training.trainer import make_trainer


def cases(steps: int) -> dict[str, tuple[str, Experiment]]:
    """The regime expected and the experiment of each case."""
    base = dataclasses.replace(
        DIGITS,
        steps=steps,
        log_every=max(steps // 60, 1),
        sample_every=max(steps // 10, 1),
        checkpoint_every=steps,
        evaluate_every=0,
        best_metric=None,
        generator=GeneratorOptions(family="mlp", width=128, normalization="none", latent_size=32),
        discriminator=DiscriminatorOptions(family="mlp", width=128, normalization="none"),
    )

    def faster(experiment: Experiment, generator: float, discriminator: float) -> Experiment:
        """Both rates multiplied."""
        own, other = experiment.generator_optimizer, experiment.discriminator_optimizer
        return dataclasses.replace(
            experiment,
            generator_optimizer=dataclasses.replace(
                own, learning_rate=generator * own.learning_rate
            ),
            discriminator_optimizer=dataclasses.replace(
                other, learning_rate=discriminator * other.learning_rate
            ),
        )

    adam = dataclasses.replace(base.generator_optimizer, learning_rate=2e-4, beta1=0.5)
    plain = dataclasses.replace(
        base,
        loss="non_saturating",
        penalty="none",
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )
    fewer = max(steps // 5, 1)  # Each is 50 times as long.
    updates: dict[str, Any] = {
        "steps": fewer,
        "log_every": max(fewer // 60, 1),
        "sample_every": max(fewer // 10, 1),
        "discriminator_steps": 50,
        "batch_size": 16,
    }
    return {
        "healthy: hinge, R1": ("nothing found", base),
        "healthy: non-saturating, R1": (
            "nothing found",
            dataclasses.replace(base, loss="non_saturating"),
        ),
        "healthy: non-saturating": ("nothing found", plain),
        # At .05, against its penalty, it does not win: it swings.
        "discriminator's rate x 50: hinge, R1": ("oscillation", faster(base, 1, 50)),
        "discriminator's rate x 50: non-saturating": (
            "discriminator too strong",
            faster(plain, 1, 50),
        ),
        # The penalty lets it be no steeper than a generator can use, however often it learns.
        "50 discriminator updates a step: hinge, R1": (
            "nothing found",
            dataclasses.replace(base, **updates),
        ),
        "50 discriminator updates a step: non-saturating": (
            "discriminator too strong",
            dataclasses.replace(plain, **updates),
        ),
        "generator's rate / 50: hinge, R1": ("discriminator too strong", faster(base, 1 / 50, 1)),
        "generator's rate / 50: non-saturating": (
            "discriminator too strong",
            faster(plain, 1 / 50, 1),
        ),
        "discriminator frozen: hinge, R1": ("mode collapse", faster(base, 1, 1e-6)),
        "discriminator frozen: non-saturating": ("mode collapse", faster(plain, 1, 1e-6)),
        "both rates x 100: hinge, R1": ("divergence", faster(base, 100, 100)),
        "both rates x 100: non-saturating, R1": (
            "divergence",
            faster(dataclasses.replace(base, loss="non_saturating"), 100, 100),
        ),
        # From 2e-4 to .02, which perceptrons stand: its distances are those of the healthy one.
        "both rates x 100: non-saturating": ("nothing found", faster(plain, 100, 100)),
    }


class Silent:
    """A reporter without a reader."""

    def step(self, step: int) -> None: ...

    def log(self, step: int, scalars: dict[str, float]) -> None: ...

    def say(self, message: str) -> None: ...


def diagnosed(experiment: Experiment, directory: Path) -> tuple[Diagnosis, float]:
    """Trains, and reads what the run logged; with the Fréchet distance, which it did not log."""
    trainer, frechet = make_trainer(experiment), math.nan
    (program,) = trainer.programs
    run.create(directory, experiment, [program.source.spec])
    with kept_programs(directory), suppress(Diverged):
        state = train(trainer, directory, Silent())
        evaluator = experiment.evaluator(program.source, program.game, trainer.root_key)
        assert evaluator is not None
        frechet = evaluator.measure(state.ema)["frechet"]
    options = flat(to_dict(experiment))
    return diagnose(read_metrics(directory), options, experiment.rules), frechet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--only", help="cases whose name holds this")
    options = parser.parse_args()
    print("| case | expected | found, by seed | Fréchet distance | evidence of seed 0 |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for number, (name, (expected, experiment)) in enumerate(cases(options.steps).items()):
            if options.only and options.only not in name:
                continue
            found = [
                diagnosed(
                    dataclasses.replace(experiment, seed=seed),
                    Path(temporary) / f"{number}-{seed}",
                )
                for seed in range(options.seeds)
            ]
            regimes = ", ".join(diagnosis.regime for diagnosis, _ in found)
            distances = ", ".join(f"{frechet:.3g}" for _, frechet in found)
            evidence = "; ".join(found[0][0].evidence)
            print(f"| {name} | {expected} | {regimes} | {distances} | {evidence} |", flush=True)


if __name__ == "__main__":
    main()
