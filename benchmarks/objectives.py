"""Every objective on the ring and the grid, five seeds each: modes, quality, balance and time.

    python -m benchmarks.objectives [--seeds 5] [--steps 16000] [--data grid] [--only wgan_gp]

One row is one experiment with only the named options changed. The time is processor time, on all
cores together, so that other work on the machine hardly shows.
Measured by PacGAN's protocol: 100,000 samples; one is of high quality within 3 standard
deviations of a centre; a mode counts when it has one such sample; KL is over the modes.
"""

import argparse
import dataclasses
import time
from functools import partial

import jax
import numpy as np

from jaxgan.data import MIXTURES, batch_indices
from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)
from jaxgan.experiment.sampling import make_sampler
from jaxgan.imaging import NotFinite
from jaxgan.metrics import mixture_statistics
from jaxgan.training import init_state, make_train_step

CALL = 400
"""Steps a call, looped by `jax.lax.scan`: a step of these networks takes under a millisecond."""


def base(data: str, steps: int) -> Experiment:
    """What all rows share: a 4-layer perceptron a side, Adam 2e-3 that falls to 0."""
    adam = OptimizerOptions(
        learning_rate=2e-3, beta1=0.0, beta2=0.99, decay_start=steps // 4, decay_end=steps
    )
    return Experiment(
        name=data,
        data=data,
        steps=steps,
        batch_size=256,
        generator=GeneratorOptions(
            family="mlp", width=64, depth=4, normalization="none", latent_size=2
        ),
        discriminator=DiscriminatorOptions(family="mlp", width=64, depth=4, normalization="none"),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )


def rows(experiment: Experiment) -> dict[str, Experiment]:
    """The experiments compared, by name."""
    change = partial(dataclasses.replace, experiment)
    adam = experiment.discriminator_optimizer
    plain = experiment.discriminator

    def with_discriminator(loss: str = experiment.loss, **options: object) -> Experiment:
        return change(loss=loss, discriminator=dataclasses.replace(plain, **options))

    slow = dataclasses.replace(adam, name="rmsprop", beta2=0.99, learning_rate=5e-4)
    wgan = dataclasses.replace(
        with_discriminator("wasserstein", clip=0.1),
        generator_optimizer=slow,
        discriminator_optimizer=slow,
        discriminator_steps=5,
    )
    gp = change(loss="wasserstein", penalty="gradient_penalty", penalty_weight=0.1)
    pairing = change(loss="relativistic_pairing")
    faster = dataclasses.replace(adam, learning_rate=4 * adam.learning_rate)
    return {
        "minimax": change(loss="minimax"),
        "non-saturating (GAN)": experiment,
        "least squares (LSGAN)": change(loss="least_squares"),
        "Wasserstein, clipped (WGAN)": wgan,
        "Wasserstein + gradient penalty (WGAN-GP)": gp,
        "WGAN-GP, batch 512": dataclasses.replace(gp, batch_size=512),
        "WGAN-GP, batch 1024": dataclasses.replace(gp, batch_size=1024),
        "WGAN-GP + drift 1e-3": dataclasses.replace(gp, drift_weight=1e-3),
        "hinge": change(loss="hinge"),
        "hinge + spectral norm": with_discriminator("hinge", spectral_norm=True),
        "relativistic pairing": pairing,
        "relativistic pairing + R1 + R2 (R3GAN)": dataclasses.replace(
            pairing, penalty="r1_r2", penalty_weight=0.1
        ),
        "relativistic average": change(loss="relativistic_average"),
        "GAN + R1": change(penalty="r1", penalty_weight=0.1),
        "GAN + R2": change(penalty="r2", penalty_weight=0.1),
        "GAN + DRAGAN": change(penalty="dragan", penalty_weight=0.1),
        "GAN + LeCam .3": change(lecam_weight=0.3),
        "GAN + orthogonal 1e-4": with_discriminator(orthogonal_weight=1e-4),
        "GAN, label smoothing .1": change(label_smoothing=0.1),
        "GAN, label noise .2": change(label_noise=0.2),
        "GAN, label flips .05": change(label_flip=0.05),
        "GAN, instance noise .3 to 0": change(
            instance_noise=0.3, instance_noise_steps=experiment.steps // 2
        ),
        "GAN, discriminator rate x 4 (TTUR)": change(discriminator_optimizer=faster),
        "GAN, packing 2 (PacGAN2)": change(packing=2),
        "GAN, packing 4 (PacGAN4)": change(packing=4),
        "GAN, unrolled 5 steps": change(unrolled_steps=5),
    }


def measure(experiment: Experiment, seeds: int, samples: int = 100_000) -> str:
    """Trains one row and returns its cells."""
    source = experiment.open_source()
    game, optimizers = experiment.make_game(source.spec), experiment.make_optimizers()
    step = make_train_step(
        game,
        optimizers,
        constraints=experiment.make_constraints(),
        **experiment.make_step_options(),
    )
    start = {name: leaf[: experiment.batch_size] for name, leaf in source.arrays.items()}
    init = jax.jit(partial(init_state, game, optimizers))

    @jax.jit
    def run(state, arrays, indices, key):
        def one(state, indices):
            batch = {name: leaf[indices] for name, leaf in arrays.items()}
            return step(state, batch, key)[0], None

        return jax.lax.scan(one, state, indices)[0]

    count = experiment.batch_size * game.minibatches
    sampler, inputs = make_sampler(game), experiment.inputs(source.spec)
    drawn = inputs.draw(jax.random.key(10_000), samples, inputs.choices())
    mixture = MIXTURES[experiment.data]
    found, seconds = [], 0.0
    for seed in range(seeds):
        key = jax.random.key(seed)
        state = init(start, key)
        indices = np.stack(
            [batch_indices(seed, n * count, count, len(source)) for n in range(experiment.steps)]
        )
        jax.block_until_ready(run(state, source.arrays, indices[:CALL], key))  # Compiled.
        began = time.process_time()
        for first in range(0, experiment.steps, CALL):
            state = run(state, source.arrays, indices[first : first + CALL], key)
        jax.block_until_ready(state)
        seconds += time.process_time() - began
        try:
            points = sampler(state.ema, *drawn)
        except NotFinite:  # Diverged: no sample of any quality.
            points = np.full((samples, *source.spec.shape), 1e6, np.float32)
        found.append(mixture_statistics(points, mixture.centers, mixture.std))
    columns = np.array(found)
    cells = [f"{m:.3g} ± {s:.2g}" for m, s in zip(columns.mean(0), columns.std(0), strict=True)]
    cells.insert(1, f"{columns[:, 0].min():.0f}")
    cells.insert(3, f"{columns[:, 1].min():.4f}")
    return " | ".join([*cells, f"{seconds / seeds:.0f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--data", nargs="+", default=["ring", "grid"])
    parser.add_argument("--only", help="rows whose name holds this")
    options = parser.parse_args()
    print("| data | objective | modes | fewest | high quality | worst | KL | CPU s a seed |")
    print("|---|---|---|---|---|---|---|---|")
    for data in options.data:
        for name, experiment in rows(base(data, options.steps)).items():
            if not options.only or options.only in name:
                print(f"| {data} | {name} | {measure(experiment, options.seeds)} |", flush=True)


if __name__ == "__main__":
    main()
