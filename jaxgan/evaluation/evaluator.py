"""What a run's samples are measured by: one fixed protocol for each kind of data.

- **Labelled images** are judged by a classifier fitted to the training split. Its hidden layer
  gives the features: `frechet` is the distance to the reference, which is the test split where
  there is one, and `frechet_train` to the training images. 10,000 samples.
- **Stacked MNIST** is judged by the classifier of MNIST, each channel by itself, for `modes` of
  1,000 and their `kl` to uniform. Two protocols are published and not mixed: 26,000 samples
  (`stacked_protocol` "pacgan", as in VEEGAN) and 25,600 ("unrolled").
- **Points of a mixture** are judged by the mixture they were drawn from. 10,000 samples.
- **Everything else**, images without labels and other points, by its own numbers: pixels, made
  small (`metrics.reduced_pixels`), or coordinates. 10,000 samples.

During training only the few metrics of `metric_names` are taken. A thorough evaluation adds the
kernel distance, precision, recall, density and coverage, sliced Wasserstein distances (of features,
and for images of patches at each scale), the inception score, and how far samples are from the
training data. Beside each stands what real data score: training samples in place of generated
ones, as many as there are of either. `train_distance` is there that of the reference.
"""

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jaxgan.data import MIXTURES, STACKED, Source, Spec, StackedSource
from jaxgan.data.cache import cache_dir
from jaxgan.experiment.generation import Experiment
from jaxgan.experiment.sampling import draw_inputs, make_sampler
from jaxgan.games.game import Game
from jaxgan.keys import derive
from jaxgan.metrics import (
    CLASSIFIER_PROTOCOL,
    Classifier,
    ModeStatistics,
    by_channel,
    frechet_distance,
    inception_score,
    kernel_distance,
    laplacian_sliced_wasserstein,
    load_or_fit,
    mixture_statistics,
    mode_statistics,
    nearest_neighbours,
    precision_recall_density_coverage,
    reduced_pixels,
    sliced_wasserstein,
    stacked_classes,
)
from jaxgan.networks.network import Variables
from jaxgan.types import Key

SAMPLES = 10_000
"""Samples measured, of every kind of data but stacked MNIST."""
STACKED_PROTOCOLS = {
    "pacgan": ("26,000 samples (VEEGAN, PacGAN)", 26_000),
    "unrolled": ("25,600 samples (unrolled GAN)", 25_600),
}
"""Name and number of samples by `stacked_protocol`."""
HIGHER_IS_BETTER = {
    *("modes", "high_quality", "smallest_share", "label_accuracy", "inception_score"),
    *("precision", "recall", "density", "coverage"),
}
"""Metrics that are better the larger they are; of all others smaller is better, but for
`train_distance`, which is best where that of real data is."""

NEIGHBOURS = 5
SUBSETS, SUBSET = 100, 1000
PATCHES, PROJECTIONS = 16, 128
QUERIES = 1000
"""Samples whose distance to the training data is taken."""

FeatureChoice = Literal["classifier", "pixels"]


class Evaluator(NamedTuple):
    """A measurement and the record without which its numbers mean nothing.

    Attributes:
      measure: `(variables of the generator) -> {name: value}`.
      protocol: all that two measurements must share to be compared.
      real: `() -> {name: value}`, what training data score in place of samples; empty unless the
        measurement is thorough, and where training data are the reference.
    """

    measure: Callable[[Variables], dict[str, float]]
    protocol: dict[str, Any]
    real: Callable[[], dict[str, float]] = dict


class _Seen(NamedTuple):
    """A set as the metrics take it: computed once, used by all of them.

    Attributes:
      samples: uint8 images `[N, H, W, C]` or points `[N, D]`.
      features: `[N, D]`.
      classes: `[N]`, where there is a judge that names them.
      probabilities: `[N, K]` of the classes, where they are not stacks.
    """

    samples: NDArray
    features: NDArray
    classes: NDArray | None = None
    probabilities: NDArray | None = None

    def some(self, count: int) -> "_Seen":
        """So many of them at random, always the same; all when there are not more."""
        if len(self.samples) <= count:
            return self
        rows = _rows(len(self.samples), count)
        return _Seen(
            self.samples[rows],
            self.features[rows],
            None if self.classes is None else self.classes[rows],
            None if self.probabilities is None else self.probabilities[rows],
        )


class _Gauge(NamedTuple):
    """How data of one kind are measured.

    Attributes:
      look: samples as a set to measure.
      quick: the metrics of `metric_names` but for `label_accuracy`.
      reference: what samples are compared with.
      train: `() -> the training set`, or of a large one a part.
      split: of the reference.
      protocol: what the numbers depend on.
    """

    look: Callable[[NDArray], _Seen]
    quick: Callable[[_Seen], dict[str, float]]
    reference: _Seen
    train: Callable[[], _Seen]
    split: str
    protocol: dict[str, Any]


def metric_names(experiment: Experiment, spec: Spec) -> tuple[str, ...]:
    """What an evaluation during training yields."""
    if experiment.data in MIXTURES:
        return ("modes", "high_quality", "kl")
    judged = ("label_accuracy",) if experiment.conditional else ()
    if experiment.data == STACKED:
        return ("frechet", "modes", "kl", "smallest_share", *judged)
    if spec.is_image and spec.num_classes > 1:
        return ("frechet", "frechet_train", "kl", "smallest_share", *judged)
    return ("frechet", "sliced_wasserstein")


def make_evaluator(
    experiment: Experiment,
    source: Source,
    game: Game,
    key: Key,
    *,
    thorough: bool = False,
    features: FeatureChoice | None = None,
) -> Evaluator:
    """The measurement that fits a run's data. May fit and cache a classifier first.

    Args:
      experiment: names the data.
      source: the training data.
      game: samples the generator.
      key: the run's root key; the latents derive from it.
      thorough: take all metrics there are, which takes a minute instead of seconds.
      features: of images: "pixels" leaves a classifier out, "classifier" insists on one; by
        default there is one where the images have labels.

    Raises:
      ValueError: features that the data do not allow.
    """
    gauge = _gauge(experiment, source, features)
    protocol = gauge.protocol
    sampler = make_sampler(game)
    count = protocol["samples"]
    inputs = draw_inputs(experiment, source.spec, derive(key, 0, "evaluate"), count)
    classes = None if inputs[1] is None else np.asarray(inputs[1])

    def measure(variables: Variables) -> dict[str, float]:
        seen = gauge.look(sampler(variables, *inputs))
        found = gauge.quick(seen)
        if classes is not None and seen.classes is not None:
            found["label_accuracy"] = float((seen.classes == classes).mean())
        if thorough:
            found |= _more(seen, gauge, found)
            found["train_distance"] = _distance(seen, gauge.train())
        return found

    def real() -> dict[str, float]:
        if gauge.split == "train":  # Which is the reference itself.
            return {}
        train = gauge.train()
        seen = train.some(count)
        found = gauge.quick(seen)
        found |= _more(seen, gauge, found)
        found.pop("frechet_train", None)  # A part of the training set, to the whole of it
        found["train_distance"] = _distance(gauge.reference, train)
        return found

    if not thorough:
        return Evaluator(measure, protocol)
    return Evaluator(measure, protocol | _more_protocol(gauge), real)


def _gauge(experiment: Experiment, source: Source, features: FeatureChoice | None) -> _Gauge:
    spec = source.spec
    judged = spec.is_image and spec.num_classes > 1
    if features and not spec.is_image:
        raise ValueError(f"features={features} is for images, and {experiment.data!r} holds points")
    if features == "classifier" and not judged:
        raise ValueError(
            f"features=classifier needs labels of 2 classes or more, and {experiment.data!r} has "
            f"{spec.num_classes or 'none'}"
        )
    if experiment.data in MIXTURES:
        return _mixture_gauge(experiment, source)
    if features == "pixels" or not judged:
        return _plain_gauge(experiment, source)
    if isinstance(source, StackedSource):
        return _stacked_gauge(experiment, source)
    return _labelled_gauge(experiment, source)


def _mixture_gauge(experiment: Experiment, source: Source) -> _Gauge:
    mixture = MIXTURES[experiment.data]

    def look(points: NDArray) -> _Seen:
        return _Seen(points, points)

    def quick(seen: _Seen) -> dict[str, float]:
        found = mixture_statistics(seen.samples, mixture.centers, mixture.std)
        return {name: float(value) for name, value in found._asdict().items()}

    reference = look(_part(experiment.open_source("test"), SAMPLES))
    protocol = {
        "protocol": "mixture",
        "samples": SAMPLES,
        "reference": f"mixture {experiment.data}",
        "features": "coordinates",
    }
    train = cache(lambda: look(_part(source, len(source))))
    return _Gauge(look, quick, reference, train, "test", protocol)


def _labelled_gauge(experiment: Experiment, source: Source) -> _Gauge:
    test, split = _test_source(experiment, source)
    train_set = _host(source)
    test_set = train_set if test is source else _host(test)
    judge = kept_judge(source.name, source.spec.num_classes, train_set, test_set)

    def look(images: NDArray) -> _Seen:
        features = judge.features(images)
        probabilities = judge.probabilities_of(features)
        return _Seen(images, features, probabilities.argmax(axis=1), probabilities)

    train = look(train_set["real"])
    reference = train if test is source else look(test_set["real"])

    def quick(seen: _Seen) -> dict[str, float]:
        modes = _modes(seen, source.spec)
        return {
            "frechet": frechet_distance(seen.features, reference.features),
            "frechet_train": frechet_distance(seen.features, train.features),
            "kl": modes.kl,
            "smallest_share": modes.smallest_share,
        }

    protocol = {
        "protocol": "labelled images",
        "samples": SAMPLES,
        **_reference_record(source, split, reference),
        **_judge_record(judge),
    }
    return _Gauge(look, quick, reference, lambda: train, split, protocol)


def _stacked_gauge(experiment: Experiment, source: StackedSource) -> _Gauge:
    name, samples = STACKED_PROTOCOLS[experiment.stacked_protocol]
    test, split = _test_source(experiment, source)
    assert isinstance(test, StackedSource)
    digits = source.digits
    judge = kept_judge(digits.name, digits.spec.num_classes, _host(digits), _host(test.digits))

    def look(images: NDArray) -> _Seen:
        features = by_channel(judge.features, images)  # [3, N, 128]
        answers = np.stack([judge.probabilities_of(channel) for channel in features])
        return _Seen(images, np.concatenate(list(features), axis=1), stacked_classes(answers))

    reference = look(_part(test, samples))

    def quick(seen: _Seen) -> dict[str, float]:
        modes = _modes(seen, source.spec)
        return {
            "frechet": frechet_distance(seen.features, reference.features),
            "modes": float(modes.modes),
            "kl": modes.kl,
            "smallest_share": modes.smallest_share,
        }

    protocol = {
        "protocol": f"stacked MNIST, {name}",
        "samples": samples,
        **_reference_record(source, split, reference),
        **_judge_record(judge),
    }
    train = cache(lambda: look(_part(source, samples)))
    return _Gauge(look, quick, reference, train, split, protocol)


def _plain_gauge(experiment: Experiment, source: Source) -> _Gauge:
    test, split = _test_source(experiment, source)
    is_image = source.spec.is_image

    def look(samples: NDArray) -> _Seen:
        return _Seen(samples, reduced_pixels(samples) if is_image else samples)

    reference = look(_part(test, SAMPLES))

    def quick(seen: _Seen) -> dict[str, float]:
        a, b = seen.features, reference.features
        return {
            "frechet": frechet_distance(a, b),
            "sliced_wasserstein": sliced_wasserstein(
                a, b, key=_metric_key(), projections=PROJECTIONS
            ),
        }

    size = reference.features.shape[1]
    protocol = {
        "protocol": "unlabelled images" if is_image else "points",
        "samples": SAMPLES,
        **_reference_record(source, split, reference),
        "features": f"pixels, halved to {size} numbers" if is_image else "coordinates",
        "projections": PROJECTIONS,
    }
    train = cache(lambda: look(_part(source, SAMPLES)))
    return _Gauge(look, quick, reference, train, split, protocol)


def _modes(seen: _Seen, spec: Spec) -> ModeStatistics:
    assert seen.classes is not None
    return mode_statistics(seen.classes, spec.num_classes)


def _more(seen: _Seen, gauge: _Gauge, found: dict[str, float]) -> dict[str, float]:
    """The metrics that are too dear, or too many, for an evaluation during training."""
    key = _metric_key()
    more: dict[str, float] = {}
    some, reference = seen.some(SAMPLES), gauge.reference.some(SAMPLES)
    sizes = len(some.samples), len(reference.samples)
    a, b = some.features, reference.features
    if min(sizes) > 1:
        distance = kernel_distance(
            a, b, key=derive(key, "kernel"), subset_size=min(SUBSET, *sizes), subsets=SUBSETS
        )
        more |= {"kernel_distance": distance.mean, "kernel_distance_std": distance.std}
    if min(sizes) > NEIGHBOURS:
        more |= precision_recall_density_coverage(b, a, NEIGHBOURS)._asdict()
    if "sliced_wasserstein" not in found:
        more["sliced_wasserstein"] = sliced_wasserstein(a, b, key=key, projections=PROJECTIONS)
    if some.samples.ndim == 4 and min(some.samples.shape[1:3]) >= 7:
        height = some.samples.shape[1]
        scales = laplacian_sliced_wasserstein(
            *(some.samples, reference.samples),
            key=derive(key, "patches"),
            patches=PATCHES,
            projections=PROJECTIONS,
        )
        more |= {f"patches_{height >> level}": d for level, d in enumerate(scales)}
    if seen.probabilities is not None and seen.classes is not None:
        more["modes"] = float(len(np.unique(seen.classes)))
        splits = min(10, len(seen.probabilities))
        more["inception_score"] = inception_score(seen.probabilities, splits=splits).mean
    return more


def _more_protocol(gauge: _Gauge) -> dict[str, Any]:
    reference = min(len(gauge.reference.samples), SAMPLES)
    samples = min(gauge.protocol["samples"], SAMPLES)
    protocol = {
        "kernel_subsets": f"{SUBSETS} of {min(SUBSET, samples, reference)}",
        "neighbours": f"{NEIGHBOURS}, among {samples} samples and {reference} of the reference",
        "projections": PROJECTIONS,
        "train_queries": QUERIES,
        "metric_seed": 0,
    }
    if gauge.reference.samples.ndim == 4:
        protocol["patches"] = f"{PATCHES} of 7x7 an image"
    return protocol


def _metric_key() -> Key:
    """Draws subsets, lines and patches: the same for every run, so that figures compare."""
    return jax.random.key(0)


def _distance(seen: _Seen, train: _Seen) -> float:
    """The median distance from samples to the training sample nearest to each, in the features.

    What has been learnt by heart is nearer to the training data than unseen real data are.
    """
    queries = seen.some(QUERIES).features
    return float(np.median(nearest_neighbours(queries, train.features).distances))


def _test_source(experiment: Experiment, source: Source) -> tuple[Source, str]:
    """The reference and its split's name: the training data where there is no test split."""
    try:
        return experiment.open_source("test"), "test"
    except ValueError as error:
        warnings.warn(f"samples are compared with the training data: {error}", stacklevel=2)
        return source, "train"


def kept_judge(
    name: str,
    classes: int,
    train: Mapping[str, np.ndarray],
    test: Mapping[str, np.ndarray],
    *,
    shift: bool = True,
) -> Classifier:
    """The classifier of a labelled set, fitted when the user's cache does not hold it.

    Args:
      name: the set's.
      classes: number of labels.
      train: `real` uint8 [N, H, W, C] and `label` [N], to fit it to.
      test: the same, for its test accuracy alone.
      shift: as `fit_classifier` takes it.
    """
    slug = re.sub(r"\W+", "-", name).strip("-")
    size = "x".join(map(str, train["real"].shape[1:]))
    path = cache_dir() / "classifiers" / f"{slug}-{size}{'' if shift else '-still'}.npz"
    sets = (train["real"], train["label"], test["real"], test["label"])
    return load_or_fit(path, *sets, classes, shift=shift)


def _judge_record(judge: Classifier) -> dict[str, Any]:
    return {
        "features": f"last hidden layer of the classifier: {CLASSIFIER_PROTOCOL}",
        "classifier_digest": judge.digest,
        "classifier_test_accuracy": judge.test_accuracy,
    }


def _reference_record(source: Source, split: str, reference: _Seen) -> dict[str, str]:
    samples = np.ascontiguousarray(reference.samples)
    noun = "images" if source.spec.is_image else "points"
    return {
        "reference": f"{source.name}, {split} split, {len(samples)} {noun}",
        "reference_digest": hashlib.sha256(samples.tobytes()).hexdigest(),
    }


def _part(source: Source, count: int) -> NDArray:
    """So many of a source's samples at random, always the same; all when there are not more."""
    rows = None if len(source) <= count else _rows(len(source), count)
    return _host(source, rows)["real"]


def _rows(size: int, count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(size)[:count])


def _host(source: Source, rows: NDArray[np.int64] | None = None) -> dict[str, np.ndarray]:
    """A whole set, or those rows, in NumPy arrays, fetched in blocks lest it fill the device."""
    rows = np.arange(len(source)) if rows is None else rows
    blocks = [source.take(rows[start : start + 10_000]) for start in range(0, len(rows), 10_000)]
    return {
        name: np.concatenate([np.asarray(block[name]) for block in blocks]) for name in blocks[0]
    }
