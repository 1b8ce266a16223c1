"""What truncated latents cost: precision rises and recall falls as the limit does.

    python -m benchmarks.truncation RUN [RUN ...] --plot truncation.png

Each RUN is of one labelled set of images, its generator from normal latents. With `--standing 100`
batch statistics are those of 100 batches at each limit, else those that training left. 5,000
samples against 5,000 test images, 3 neighbours, features of the set's classifier.
"""

import argparse
import dataclasses
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import jaxgan
from jaxgan.evaluation.judges import judge_of
from jaxgan.evaluation.sets import host
from jaxgan.experiment.sampling import make_sampler, reference_of
from jaxgan.metrics import frechet_distance, precision_recall_density_coverage
from jaxgan.metrics.classifier import Classifier
from jaxgan.training.trained import Run

LIMITS = (None, 2.0, 1.5, 1.0, 0.7, 0.5, 0.3, 0.1)
SAMPLES = 5_000


def curve(run: Run, judge: Classifier, real: np.ndarray, standing: int) -> list[tuple[float, ...]]:
    """Precision, recall, Fréchet distance and label accuracy at each limit, printed as they come;
    `real` are the judge's features of test images."""
    found = []
    for limit in LIMITS:
        choices = dataclasses.replace(run.inputs.choices(), truncation=limit)
        settled = run.with_standing(standing, choices) if standing else run
        drawn = run.draw(SAMPLES, 0, choices)
        features = judge.features(make_sampler(run.game)(settled.variables, *drawn))
        near = precision_recall_density_coverage(real, features, k=3)
        named = judge.probabilities_of(features).argmax(1)
        right = float("nan") if drawn[1] is None else (named == np.asarray(drawn[1])).mean()
        found.append((near.precision, near.recall, frechet_distance(features, real), right))
        cells = "{:.3f} | {:.3f} | {:.2f} | {:.3f}".format(*found[-1])
        print(f"| {run.directory.name} | {limit or '-'} | {cells} |", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--standing", type=int, default=0, help="batches; 0: the training's")
    parser.add_argument("--plot", type=Path, help="picture of the curves (.png)")
    options = parser.parse_args()
    runs = [jaxgan.load(directory) for directory in options.runs]
    experiment = runs[0].experiment
    source = experiment.open_source()
    reference = reference_of(experiment, source).source
    judge = judge_of(source, reference)
    rows = np.random.default_rng(0).permutation(len(reference))[:SAMPLES]
    real = judge.features(host(reference, rows)["real"])
    print("| run | limit | precision | recall | Fréchet | label |\n|---|---|---|---|---|---|")
    curves = {run.directory.name: curve(run, judge, real, options.standing) for run in runs}
    if options.plot:
        figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
        for name, points in curves.items():
            precision, recall = np.array(points)[:, :2].T
            axes.plot(recall, precision, marker="o", label=name)
            for limit, x, y in zip(LIMITS, recall, precision, strict=True):
                axes.annotate(str(limit or "none"), (x, y), (4, 4), textcoords="offset points")
        axes.set(xlabel="recall", ylabel="precision")
        axes.legend()
        figure.savefig(options.plot, dpi=120)


if __name__ == "__main__":
    main()
