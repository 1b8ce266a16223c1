"""Are digits that a run translates read as what they were? By a judge of the other domain alone.

    jaxgan train cyclegan_mnist_usps --data-y usps_train.npz --out runs/cycle0
    python -m benchmarks.translation_accuracy runs/cycle0 --y-test usps_test.npz [--confusion]

For each direction a classifier is fitted to the training images of the domain that is translated
*to*, and reads the test images of the other domain: *resized* only, both domains without margins;
in the run's margins, as the generators get them; and translated. Labels serve this measurement
alone. The classifier is the project's judge, which saw shifted images and forgives much, or with
`--still` the same fitted to the images as they are, which knows nothing but its own domain.

*Permuted* is the accuracy under the best renaming of the classes: where it is far above the
accuracy, the mapping permutes classes, and *moved* lists those that are mostly read as another.
*Cycle* is the mean absolute difference, of images in [-1, 1], after the way there and back.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from jaxgan.data import ArraySource, open_domain
from jaxgan.evaluation import kept_judge
from jaxgan.experiment import UnpairedExperiment
from jaxgan.experiment.folders import make_translator
from jaxgan.games.cyclegan import DIRECTIONS
from jaxgan.metrics import Classifier
from jaxgan.training.trained import load


def judge_of(train: ArraySource, test: ArraySource, margin: int, still: bool) -> Classifier:
    """The classifier of a domain, in its margin."""
    name = f"{train.name} in {margin}" if margin else train.name
    return kept_judge(name, train.spec.num_classes, train.host, test.host, shift=not still)


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
    parser.add_argument("--still", action="store_true", help="a classifier that saw no shifts")
    parser.add_argument("--confusion", action="store_true", help="print the counts by class too")
    options = parser.parse_args()
    print(
        "| run | step | direction | resized | in margins | translated | permuted | moved | cycle |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for directory in options.runs:
        loaded = load(directory)
        experiment, step, variables = loaded.experiment, loaded.step, loaded.variables
        if not isinstance(experiment, UnpairedExperiment):
            raise SystemExit(f"{directory} is no run of an UnpairedExperiment")
        translate = make_translator(loaded.game)
        common = {"data_dir": experiment.data_dir, "image_size": experiment.image_size}
        sets = {
            "x": (experiment.data_x, experiment.channels_x, experiment.margin_x, options.x_test),
            "y": (experiment.data_y, experiment.channels_y, experiment.margin_y, options.y_test),
        }
        test, plain, judges, plain_judges = {}, {}, {}, {}
        for name, (data, channels, margin, given) in sets.items():
            opened = partial(open_domain, channels=channels, **common)
            split = "train" if given else "test"
            test[name] = opened(given or data, split=split, margin=margin)
            plain[name] = opened(given or data, split=split)
            judges[name] = judge_of(opened(data, margin=margin), test[name], margin, options.still)
            plain_judges[name] = judge_of(opened(data), plain[name], 0, options.still)
        for direction, (start, end) in DIRECTIONS.items():
            images, labels = test[start].host["real"], test[start].host["label"]
            classes = plain[end].spec.num_classes
            translated = translate(variables, images, direction)
            back = translate(variables, translated, f"{end}_to_{start}")
            cycle = np.abs(back.astype(float) - images).mean() / 127.5
            resized = confusion(plain_judges[end], plain[start].host["real"], labels, classes)
            framed = confusion(judges[end], images, labels, classes)
            counts = confusion(judges[end], translated, labels, classes)
            scores = (
                accuracy(resized),
                accuracy(framed),
                accuracy(counts),
                permuted_accuracy(counts),
            )
            moved = [f"{a} to {b}" for a, b in enumerate(counts.argmax(axis=1)) if a != b]
            print(
                f"| {directory.name} | {step} | {start} to {end} | "
                f"{' | '.join(f'{score:.3f}' for score in scores)} | "
                f"{', '.join(moved) or 'none'} | {cycle:.3f} |",
                flush=True,
            )
            if options.confusion:
                print(f"\njudge's own test accuracy {judges[end].test_accuracy:.3f}\n{counts}\n")


if __name__ == "__main__":
    main()
