"""How well do runs obey labels, how varied are their classes, and what do their codes mean?

    python -m benchmarks.classes RUN [RUN ...]

All runs are of one labelled set of images, and its judge looks at 10,000 samples of each.

- Conditional runs: *label*, the share read as the class that was asked for; *diversity*, the mean
  distance between samples of a class over that between test images of the class, in the judge's
  features, averaged over classes (1: as varied as the data); *within*, the mean over classes of the
  Fréchet distance to the test images of that class; *Fréchet*, to the test set.
- Runs with a categorical code: *error*, the share of samples read as another class than the one
  that the best assignment of categories to classes says (InfoGAN's paper: about 5 %).
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

import jaxgan
from jaxgan.codes import take_apart
from jaxgan.evaluation.judges import judge_of
from jaxgan.evaluation.sets import host
from jaxgan.experiment.sampling import make_sampler, reference_of
from jaxgan.metrics import frechet_distance
from jaxgan.metrics.classifier import Classifier
from jaxgan.training.trained import Run

SAMPLES = 10_000


def mean_distance(features: np.ndarray) -> float:
    """The root of the mean squared distance between two of the rows."""
    return float(np.sqrt(2 * features.astype(np.float64).var(axis=0, ddof=1).sum()))


def within_classes(
    samples: np.ndarray, labels: np.ndarray, real: np.ndarray, real_labels: np.ndarray
) -> tuple[float, float]:
    """Diversity and Fréchet distance within classes, of features."""
    ratios, distances = [], []
    for label in np.unique(real_labels):
        own, others = samples[labels == label], real[real_labels == label]
        ratios.append(mean_distance(own) / mean_distance(others))
        distances.append(frechet_distance(own, others))
    return float(np.mean(ratios)), float(np.mean(distances))


def assignment_error(categories: np.ndarray, classes: np.ndarray, count: int) -> float:
    """The share of samples that the best assignment of categories to classes gets wrong."""
    table = np.zeros((categories.max() + 1, count))
    np.add.at(table, (categories, classes), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(1 - table[rows, columns].sum() / len(categories))


def row(run: Run, judge: Classifier, real: np.ndarray, real_labels: np.ndarray) -> list[str]:
    """The cells of a run; `real` are the judge's features of test images."""
    drawn = run.draw(SAMPLES)
    images = make_sampler(run.game)(run.variables, *drawn)
    features = judge.features(images)
    classes = judge.probabilities_of(features).argmax(1)
    cells = [f"{frechet_distance(features, real):.2f}"]
    labels = None if drawn[1] is None else np.asarray(drawn[1])
    if labels is None:
        cells += ["", "", ""]
    else:
        diversity, within = within_classes(features, labels, real, real_labels)
        cells += [f"{(classes == labels).mean():.4f}", f"{diversity:.3f}", f"{within:.2f}"]
    codes = run.experiment.codes.codes()
    if not codes.categorical:
        return [*cells, ""]
    categories = np.asarray(take_apart(drawn[0], codes).categorical[0]).argmax(1)
    return [*cells, f"{assignment_error(categories, classes, run.spec.num_classes):.4f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    options = parser.parse_args()
    runs = {str(directory): jaxgan.load(directory) for directory in options.runs}
    experiment = next(iter(runs.values())).experiment
    source = experiment.open_source()
    reference = reference_of(experiment, source).source
    judge, test = judge_of(source, reference), host(reference, np.arange(len(reference)))
    real = judge.features(test["real"])
    print("| run | Fréchet | label | diversity | within | error |\n|---|---|---|---|---|---|")
    for name, run in runs.items():
        cells = row(run, judge, real, test["label"])
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
