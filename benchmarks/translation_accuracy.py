"""Are digits that a run translates read as what they were? By a judge of the other domain alone.

    jaxgan train experiments/cyclegan_mnist_usps.py --data-y usps_train.npz --out runs/cycle0
    python -m benchmarks.translation_accuracy runs/cycle0 --y-test usps_test.npz [--confusion]

For each direction a classifier is fitted, in the way of all the project's judges, to the training
images of the domain that is translated *to*, and reads the test images of the other domain: as they
are (the baseline, only resized), and translated. Labels serve this measurement alone. *Permuted* is
the accuracy under the best renaming of the classes: where it is far above the accuracy, the mapping
permutes classes, and *moved* lists those that are mostly read as another. *Cycle* is the mean
absolute difference, of images in [-1, 1], after the way there and back.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from jaxgan import run
from jaxgan.data import open_source
from jaxgan.evaluation import kept_judge
from jaxgan.games.cyclegan import DIRECTIONS
from jaxgan.metrics import Classifier
from jaxgan.networks import Variables
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.trainer import abstract_state
from jaxgan.translating import Translator, make_translator
from jaxgan.translation import TranslationExperiment


def load(directory: Path) -> tuple[TranslationExperiment, Translator, Variables, int]:
    """A run's newest averaged generators."""
    experiment, record = run.load(directory)
    if not isinstance(experiment, TranslationExperiment):
        raise SystemExit(f"{directory} is no run of a TranslationExperiment")
    spec = run.recorded_spec(record)
    game = experiment.make_game(spec)
    abstract = abstract_state(experiment, game, spec)
    with Checkpoints(directory / "checkpoints", abstract, read_only=True) as checkpoints:
        step, state = checkpoints.restore()
    return experiment, make_translator(game), state.ema, step


def confusion(
    judge: Classifier, images: np.ndarray, labels: np.ndarray, classes: int
) -> np.ndarray:
    """Counts [true class, class read]."""
    read = judge.probabilities(images).argmax(axis=1)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, read), 1)
    return counts


def accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum())


def permuted_accuracy(counts: np.ndarray) -> float:
    """Under the renaming of the classes that makes it largest."""
    rows, columns = linear_sum_assignment(-counts)
    return float(counts[rows, columns].sum() / counts.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--x-test", help="labelled test images of x; by default its test split")
    parser.add_argument("--y-test", help="labelled test images of y; by default its test split")
    parser.add_argument("--confusion", action="store_true", help="print the counts by class too")
    options = parser.parse_args()
    print("| run | step | direction | untranslated | translated | permuted | moved | cycle |")
    print("|---|---|---|---|---|---|---|---|")
    for directory in options.runs:
        experiment, translate, variables, step = load(directory)
        common = {"data_dir": experiment.data_dir, "image_size": experiment.image_size}
        train, test = {}, {}
        for name, data, channels, given in (
            ("x", experiment.data_x, experiment.channels_x, options.x_test),
            ("y", experiment.data_y, experiment.channels_y, options.y_test),
        ):
            train[name] = open_source(data, channels=channels, **common)
            split = "train" if given else "test"
            test[name] = open_source(given or data, split=split, channels=channels, **common)
        judges = {
            name: kept_judge(
                train[name].name, train[name].spec.num_classes, train[name].host, test[name].host
            )
            for name in train
        }
        for direction, (start, end) in DIRECTIONS.items():
            images, labels = test[start].host["real"], test[start].host["label"]
            classes = train[end].spec.num_classes
            translated = translate(variables, images, direction)
            back = translate(variables, translated, f"{end}_to_{start}")
            cycle = np.abs(back.astype(float) - images).mean() / 127.5
            plain = confusion(judges[end], images, labels, classes)
            counts = confusion(judges[end], translated, labels, classes)
            moved = [f"{a} to {b}" for a, b in enumerate(counts.argmax(axis=1)) if a != b]
            print(
                f"| {directory.name} | {step} | {start} to {end} | {accuracy(plain):.3f} | "
                f"{accuracy(counts):.3f} | {permuted_accuracy(counts):.3f} | "
                f"{', '.join(moved) or 'none'} | {cycle:.3f} |",
                flush=True,
            )
            if options.confusion:
                print(f"\njudge's own test accuracy {judges[end].test_accuracy:.3f}\n{counts}\n")


if __name__ == "__main__":
    main()
