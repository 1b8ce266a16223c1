"""Do directions of faces change what they are named after, and nothing else?

    python -m benchmarks.directions RUN faces64.npz faces64_male.npz [--csv attributes.csv]

RUN is of `experiments/faces64.py`, trained on the folder that `benchmarks.held_out` makes of
`faces64.npz`. Two classifiers of faces at 32x32 pixels, smiling or not and male or not, are fitted
to one half of the training faces each: the first labels samples, by which directions are found, and
the second judges them. So a direction cannot please its judge by the mistakes of what found it.

For three seeds, with 10,000 samples each:

- *probe*: the share of 2,000 samples, which the direction was not fitted to, that a threshold
  along it names as the first classifier does; beside it the share of the commoner answer.
- *response*: the share of 1,000 other latents that the second classifier sees the attribute in,
  at strengths from -3 to 3.
- *leakage*: how much the share of the other attribute changes from -3 to 3, with the direction as
  it is and with the other's direction taken out of it.

`--csv` writes the first seed's labels for `jaxgan directions RUN --labels`.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import jaxgan
from jaxgan import latent
from jaxgan.experiment.sampling import make_sampler
from jaxgan.metrics.classifier import Classifier, fit_classifier
from jaxgan.training.trained import Run

SAMPLES, HELD_OUT, MOVED = 10_000, 2_000, 1_000
SEEDS = (0, 1, 2)
STRENGTHS = (-3, -2, -1, 0, 1, 2, 3)
NAMES = ("smiling", "male")


def halved(images: np.ndarray) -> np.ndarray:
    """Means over 2x2 pixels, uint8: what the classifiers look at."""
    count, height, width, channels = images.shape
    tiles = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    return np.round(tiles.mean((2, 4))).astype(np.uint8)


def fit(faces: Path, males: Path, test: int) -> tuple[Classifier, Classifier]:
    """Two classifiers of four classes, smiling + 2 male, fitted to disjoint halves of the faces
    that `benchmarks.held_out` leaves for training; both tested on those it holds out."""
    with np.load(faces) as arrays, np.load(males) as more:
        images, smiling, male = halved(arrays["images"]), arrays["labels"], more["male"]
    order = np.random.default_rng(0).permutation(len(images))  # as benchmarks.held_out has it
    held_out, rest = (rows[male[rows] >= 0] for rows in (order[:test], order[test:]))
    classes = smiling + 2 * male.astype(np.int32)

    def fitted(rows: np.ndarray) -> Classifier:
        sets = images[rows], classes[rows], images[held_out], classes[held_out]
        return fit_classifier(*sets, num_classes=4)

    pair = fitted(rest[::2]), fitted(rest[1::2])
    for role, classifier in zip(("labels", "judges"), pair, strict=True):
        seen = attributes(classifier, images[held_out], small=True)
        truth = np.stack([smiling[held_out], male[held_out]], axis=1) == 1
        accuracies = zip(NAMES, (seen == truth).mean(0), strict=True)
        print(f"the classifier that {role} is right on {len(truth)} held-out faces: ", end="")
        print(", ".join(f"{name} {accuracy:.1%}" for name, accuracy in accuracies))
    return pair


def attributes(classifier: Classifier, images: np.ndarray, small: bool = False) -> NDArray[np.bool]:
    """What a classifier sees in images, `[N, 2]`: smiling, male."""
    shares = classifier.probabilities(images if small else halved(images))
    return np.stack([shares[:, 1] + shares[:, 3], shares[:, 2] + shares[:, 3]], axis=1) > 0.5


def probe_accuracy(
    direction: np.ndarray, latents: np.ndarray, present: np.ndarray, fitted: int
) -> float:
    """The share of rows from `fitted` on that the best threshold of those before names rightly."""
    places = latents @ direction
    order = np.argsort(places[:fitted])
    hits = present[:fitted][order]
    right = (
        np.concatenate([[0], np.cumsum(~hits)]) + hits.sum() - np.concatenate([[0], hits]).cumsum()
    )
    threshold = np.append(places[:fitted][order], np.inf)[right.argmax()]
    return float(((places[fitted:] >= threshold) == present[fitted:]).mean())


def responses(
    run: Run, judge: Classifier, latents: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """The shares that the judge sees each attribute in, `[strengths, 2]`."""
    sample = make_sampler(run.game)
    moved = (latents + strength * direction for strength in STRENGTHS)
    return np.stack([attributes(judge, sample(run.variables, each)).mean(0) for each in moved])


def of_seed(run: Run, labeller: Classifier, judge: Classifier, seed: int) -> np.ndarray:
    """Prints the rows of a seed; gives the labels of its samples."""
    drawn = run.draw(SAMPLES, seed)
    latents = np.asarray(drawn[0])
    present = attributes(labeller, make_sampler(run.game)(run.variables, *drawn))
    fitted = SAMPLES - HELD_OUT
    found = [
        np.asarray(latent.attribute_direction(latents[:fitted], present[:fitted, i]))
        for i in range(2)
    ]
    others = np.asarray(run.draw(MOVED, 1000 + seed)[0])
    for i, name in enumerate(NAMES):
        accuracy = probe_accuracy(found[i], latents, present[:, i], fitted)
        common = max(share := present[fitted:, i].mean(), 1 - share)
        cosine = float(found[0] @ found[1])
        alone = np.asarray(latent.without(found[i], found[1 - i][None]))
        for kind, direction in ((name, found[i]), (f"{name} alone", alone)):
            shares = responses(run, judge, others, direction)
            own = " ".join(f"{share:.2f}" for share in shares[:, i])
            leak = shares[-1, 1 - i] - shares[0, 1 - i]
            print(
                f"| {seed} | {kind} | {accuracy:.3f} ({common:.3f}) | {cosine:.2f} | {own} "
                f"| {leak:+.2f} |",
                flush=True,
            )
    return present


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("faces", type=Path, help=".npz with images and labels (1: smiling)")
    parser.add_argument("males", type=Path, help=".npz with male: 1, 0, or -1 where unknown")
    parser.add_argument("--test", type=int, default=500, help="faces that held_out held out")
    parser.add_argument("--csv", type=Path, help="table to write the first seed's labels to")
    options = parser.parse_args()
    run = jaxgan.load(options.run)
    labeller, judge = fit(options.faces, options.males, options.test)
    print("| seed | direction | probe (commoner) | cosine | response, -3 to 3 | leakage |")
    print("|---|---|---|---|---|---|")
    labels = [of_seed(run, labeller, judge, seed) for seed in SEEDS]
    if options.csv:
        with options.csv.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["sample", *NAMES])
            table.writerows([i, *row] for i, row in enumerate(labels[0].astype(int)))


if __name__ == "__main__":
    main()
