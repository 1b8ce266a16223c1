"""What each training tip does to a generator whose discriminator wins by far.

    python -m benchmarks.tips [--seeds 3] [--steps 500]

The setting: the digits' DCGAN with the minimax loss, whose generator gradient vanishes where the
discriminator is sure, and a discriminator without normalisation that learns fast. One row changes
one option. Measured over the second half of the steps, mean ± standard deviation over seeds: the
norm of the generator's gradient, the share of fakes that the discriminator recognises, and the gap
between its mean logits on real and on fake.
"""

import argparse
import dataclasses

import numpy as np

from jaxgan.experiment import (
    DIGITS,
    DiscriminatorOptions,
    Experiment,
    OptimizerOptions,
)
from jaxgan.training.trainer import make_trainer


def rows() -> dict[str, Experiment]:
    """The experiments compared, by name of the tip."""
    fast = OptimizerOptions(learning_rate=5e-4, beta1=0.5)
    base = dataclasses.replace(
        DIGITS,
        loss="minimax",
        penalty="none",
        discriminator=DiscriminatorOptions(width=64, normalization="none"),
        generator_optimizer=OptimizerOptions(learning_rate=2e-5, beta1=0.5),
        discriminator_optimizer=fast,
    )

    def change(**options: object) -> Experiment:
        return dataclasses.replace(base, **options)

    def weaker(**options: object) -> Experiment:
        return change(discriminator=dataclasses.replace(base.discriminator, **options))

    slow = dataclasses.replace(fast, learning_rate=5e-5)
    return {
        "none": base,
        "dropout .5": weaker(dropout=0.5),
        "discriminator rate / 10": change(discriminator_optimizer=slow),
        "filters / 8": weaker(width=8),
        "label noise .3": change(label_noise=0.3),
        "label flips .1": change(label_flip=0.1),
        "label smoothing .1": change(label_smoothing=0.1),
        "instance noise .5": change(instance_noise=0.5, instance_noise_steps=100_000),
    }


def measure(experiment: Experiment, steps: int) -> np.ndarray:
    """The three means of one run."""
    (program,) = make_trainer(experiment).programs
    state, rows = program.start(None), []
    for step in range(0, steps, program.steps_per_call):
        count = min(program.steps_per_call, steps - step)
        state, vectors = program.steps(state, step, count)
        rows += list(np.asarray(vectors)[:count])
    late = dict(zip(program.scalar_names, np.mean(rows[steps // 2 :], axis=0), strict=True))
    gap = late["real_logits"] - late["fake_logits"]
    return np.array([late["generator_gradient_norm"], late["fake_accuracy"], gap])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    print("| tip | generator gradient norm | fakes recognised | logit gap |")
    print("|---|---|---|---|")
    for name, experiment in rows().items():
        runs = [
            measure(dataclasses.replace(experiment, seed=seed), options.steps)
            for seed in range(options.seeds)
        ]
        mean, spread = np.mean(runs, axis=0), np.std(runs, axis=0)
        cells = " | ".join(f"{m:.3g} ± {s:.2g}" for m, s in zip(mean, spread, strict=True))
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
