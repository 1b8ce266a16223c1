"""What a run's samples are measured by: 10,000 samples of its generator, by one fixed protocol.

Labelled images are judged by a classifier fitted to the training split; its hidden layer gives
the features of two Fréchet distances: `frechet` to the reference, which is the test split where
there is one, and `frechet_train` to the training images. `real_frechet` in the record, from the
training images to the reference, is what a perfect memory of the data would score. Points are
judged by the mixture that the data were drawn from.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data import MIXTURES, Source, Spec
from jaxgan.data.cache import cache_dir
from jaxgan.experiment import Experiment
from jaxgan.games.game import Game
from jaxgan.keys import derive
from jaxgan.metrics import (
    CLASSIFIER_PROTOCOL,
    Classifier,
    frechet_distance,
    load_or_fit,
    mixture_statistics,
    mode_statistics,
)
from jaxgan.networks.network import Variables
from jaxgan.sampling import draw_inputs, make_sampler
from jaxgan.types import Key

SAMPLES = 10_000


class Evaluator(NamedTuple):
    """A measurement and the record without which its numbers mean nothing.

    Attributes:
      measure: `(variables of the generator) -> {name: value}`.
      protocol: samples, seeds, reference and judge.
    """

    measure: Callable[[Variables], dict[str, float]]
    protocol: dict[str, Any]


def metric_names(experiment: Experiment, spec: Spec) -> tuple[str, ...]:
    """What an evaluation of the experiment yields.

    Raises:
      ValueError: when its data give no protocol.
    """
    if experiment.data in MIXTURES:
        return ("modes", "high_quality", "kl")
    if spec.is_image and spec.num_classes > 1:
        judged = ("label_accuracy",) if experiment.conditional else ()
        return ("frechet", "frechet_train", "kl", "smallest_share", *judged)
    raise ValueError(
        f"{experiment.data!r} cannot be evaluated: that takes labelled images, or one of "
        f"{', '.join(MIXTURES)}; set evaluate_every to 0"
    )


def make_evaluator(experiment: Experiment, source: Source, game: Game, key: Key) -> Evaluator:
    """The measurement that fits a run's data. May fit and cache a classifier first.

    Args:
      experiment: names the data.
      source: the training data.
      game: samples the generator.
      key: the run's root key; the latents derive from it.

    Raises:
      ValueError: when the data give no protocol.
    """
    metric_names(experiment, source.spec)
    sampler = make_sampler(game)
    latents, labels = draw_inputs(experiment, source.spec, derive(key, 0, "evaluate"), SAMPLES)
    protocol: dict[str, Any] = {"samples": SAMPLES, "seed": experiment.seed}
    mixture = MIXTURES.get(experiment.data)
    if mixture is not None:

        def measure_points(variables: Variables) -> dict[str, float]:
            found = mixture_statistics(
                sampler(variables, latents, labels), mixture.centers, mixture.std
            )
            return {name: float(value) for name, value in found._asdict().items()}

        return Evaluator(measure_points, protocol | {"reference": f"mixture {experiment.data}"})

    judge, train, reference, split = _judge(experiment, source)
    train_features, reference_features = judge.features(train), judge.features(reference)

    def measure_images(variables: Variables) -> dict[str, float]:
        samples = sampler(variables, latents, labels)
        features = judge.features(samples)
        classes = judge.probabilities(samples).argmax(axis=1)
        modes = mode_statistics(classes, source.spec.num_classes)
        found = {
            "frechet": frechet_distance(features, reference_features),
            "frechet_train": frechet_distance(features, train_features),
            "kl": modes.kl,
            "smallest_share": modes.smallest_share,
        }
        if labels is not None:
            found["label_accuracy"] = float((classes == np.asarray(labels)).mean())
        return found

    return Evaluator(
        measure_images,
        protocol
        | {
            "reference": f"{source.name}, {split} split, {len(reference)} images",
            "real_frechet": frechet_distance(train_features, reference_features),
            "features": f"last hidden layer of the classifier: {CLASSIFIER_PROTOCOL}",
            "classifier_digest": judge.digest,
            "classifier_test_accuracy": judge.test_accuracy,
        },
    )


def _judge(
    experiment: Experiment, source: Source
) -> tuple[Classifier, np.ndarray, np.ndarray, str]:
    """The classifier, the training images, and those of the reference with their split's name."""
    train = _host(source)
    try:
        test, split = _host(experiment.open_source("test")), "test"
    except ValueError as error:
        warnings.warn(f"samples are compared with the training data: {error}", stacklevel=2)
        test, split = train, "train"
    judge = kept_judge(source.name, source.spec.num_classes, train, test)
    return judge, train["real"], test["real"], split


def kept_judge(
    name: str, classes: int, train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]
) -> Classifier:
    """The classifier of a labelled set, fitted when the user's cache does not hold it.

    Args:
      name: the set's.
      classes: number of labels.
      train: `real` uint8 [N, H, W, C] and `label` [N], to fit it to.
      test: the same, for its test accuracy alone.
    """
    slug = re.sub(r"\W+", "-", name).strip("-")
    size = "x".join(map(str, train["real"].shape[1:]))
    path = cache_dir() / "classifiers" / f"{slug}-{size}.npz"
    sets = (train["real"], train["label"], test["real"], test["label"])
    return load_or_fit(path, *sets, classes)


def _host(source: Source) -> dict[str, np.ndarray]:
    """A whole set in NumPy arrays, fetched in blocks lest it fill the device."""
    blocks = [
        source.take(np.arange(start, min(start + 10_000, len(source))))
        for start in range(0, len(source), 10_000)
    ]
    return {
        name: np.concatenate([np.asarray(block[name]) for block in blocks]) for name in blocks[0]
    }
