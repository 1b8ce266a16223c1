"""Are VAEs blurred and GANs sharp? Equal decoders, trained for the same time, measured.

    jaxgan data prepare mnist
    python -m benchmarks.blur mnist runs/blur --seeds 0 1 2
    python -m benchmarks.blur faces64.npz runs/blur --seeds 0 1 2

Trains an autoencoder, a VAE, a VAE-GAN and a GAN with the decoder of one and the same shape, each
for as many steps as take the same time on one core, and prints a table of means and deviations over
the seeds; the rows of the autoencoder are of latents drawn from the prior, and from the normal
distribution that fits its codes best. Draws a plate: real images, then a row of each. A run that is
there already is taken as it is, one that was interrupted goes on.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import load, resume, train
from jaxgan.data.minibatch import to_float
from jaxgan.experiment import (
    AutoencodingExperiment,
    BaseExperiment,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
    VAEGANExperiment,
)
from jaxgan.games.autoencoding import encode
from jaxgan.imaging import grid, save_image
from jaxgan.metrics import laplacian_variance
from jaxgan.training.trained import Run

STEPS = {
    "mnist": {"autoencoder": 6800, "vae": 6400, "vae_gan": 1130, "gan": 2880},
    "faces64": {"autoencoder": 4500, "vae": 4200, "vae_gan": 880, "gan": 1600},
}
"""Steps that take four minutes (MNIST) and six (faces at 32 pixels) on one core of a Xeon."""
CODES, SHOWN = 10_000, 12
"""Training samples whose codes are fitted, at most, and samples of a row of the plate."""
METRICS = ("frechet", "sharpness", "precision", "recall", "squared_error")
COLUMNS = ("Fréchet", "sharpness", "precision", "recall", "squared error of reconstructions")


def experiments(data: str) -> dict[str, BaseExperiment]:
    """The four by name, with one decoder."""
    name = Path(data).stem
    decoder = GeneratorOptions(width=32, latent_size=64)
    encoder = DiscriminatorOptions(width=32, normalization="group")
    adam = OptimizerOptions(learning_rate=1e-3, beta1=0.9)
    players = OptimizerOptions(learning_rate=1e-3, beta1=0.0, beta2=0.99)
    common: dict[str, Any] = {"data": data, "log_every": 100}
    if name != "mnist":
        common |= {"image_size": 32, "flip": True}
    coded = common | {"encoder": encoder, "decoder": decoder, "optimizer": adam}
    likelihood = "bernoulli" if name == "mnist" else "gaussian"
    against: dict[str, Any] = {
        "discriminator": encoder,
        "discriminator_optimizer": players,
        "penalty": "r1",
        "penalty_weight": 0.05 if name == "mnist" else 0.5,
    }
    found = {
        "autoencoder": AutoencodingExperiment(**coded, variational=False, likelihood=likelihood),
        "vae": AutoencodingExperiment(**coded, likelihood=likelihood),
        "vae_gan": VAEGANExperiment(**coded | against | {"optimizer": players}),
        "gan": Experiment(**common, **against, generator=decoder, generator_optimizer=players),
    }
    lengths = STEPS[name]
    every = ("checkpoint_every", "sample_every")
    return {
        kind: replace(
            *(experiment,), steps=lengths[kind], **dict.fromkeys(every, lengths[kind] // 5)
        )
        for kind, experiment in found.items()
    }


def trained(experiment: BaseExperiment, directory: Path) -> Run:
    """The run in this directory, begun or ended where it is not yet."""
    if not directory.exists():
        return train(experiment, directory)
    run = load(directory)
    return run if run.step == experiment.steps else resume(directory)


def with_fitted_codes(run: Run) -> Run:
    """The run, with latents of the prior turned to the normal distribution of training codes."""
    source, game = run.experiment.open_source(), run.game
    encoder, _, _ = run.experiment._parts(source.spec)
    plain = jax.jit(lambda side, real: encode(encoder, side, real, variational=False)[0])
    images = source.take(np.arange(min(CODES, len(source))))["real"]
    codes = plain(run.variables, to_float(jnp.asarray(images)))
    mean, factor = codes.mean(0), jnp.linalg.cholesky(jnp.cov(codes.T))

    def sample(side, inputs, way="decode"):
        return game.sample(side, mean + inputs @ factor.T if way == "decode" else inputs, way)

    return replace(run, game=game._replace(sample=sample))


def figures(run: Run, path: Path) -> dict[str, float]:
    """What an evaluation gives, and what real data score as `real <metric>`, kept in a file."""
    if not path.exists():
        record = run.evaluate()
        real = {f"real {name}": value for name, value in record["real"].items()}
        path.write_text(json.dumps(record["metrics"] | real))
    return json.loads(path.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="mnist, or the path of faces64.npz")
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    name = Path(options.data).stem
    found: dict[str, list[dict[str, float]]] = {}
    plate: dict[str, np.ndarray] = {}
    for seed in options.seeds:
        for kind, experiment in experiments(options.data).items():
            directory = options.out / name / f"{kind}_{seed}"
            run = trained(replace(experiment, seed=seed), directory)
            rows = {kind: run}
            if kind == "autoencoder":
                rows["autoencoder, codes fitted"] = with_fitted_codes(run)
            for row, each in rows.items():
                path = directory / f"{row.replace(', ', '_').replace(' ', '_')}.json"
                found.setdefault(row, []).append(figures(each, path))
                plate.setdefault(row, each.sample(SHOWN))
    real = run.experiment.open_source().take(np.arange(SHOWN))["real"]
    rows = [np.asarray(real), *plate.values()]
    picture = grid(np.concatenate(rows), columns=SHOWN, row_labels=["real", *plate])
    save_image(options.out / f"{name}.png", picture)
    source = run.experiment.open_source()
    images = source.take(np.arange(min(CODES, len(source))))["real"]
    sharpness = {"real sharpness": float(laplacian_variance(images).mean())}
    print("| " + " | ".join(("", *COLUMNS)) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    # Where the reference is the training data, nothing else is left to compare with.
    first = next(iter(found.values()))[0]
    for row, runs in {"real": [sharpness | first], **found}.items():
        prefix = "real " if row == "real" else ""
        cells = []
        for metric in METRICS:
            values = [run[prefix + metric] for run in runs if prefix + metric in run]
            cells.append(f"{np.mean(values):.3g} ± {np.std(values):.2g}" if values else "")
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
