"""What data of each kind are measured by: a gauge, chosen by the spec of the data.

A new kind of data brings a gauge of its own: an entry of `GAUGES`, which the `gauge` of its spec
names.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jaxgan.data import MIXTURES, Source, Spec
from jaxgan.evaluation import protocol
from jaxgan.evaluation.judges import judge_of, judge_record
from jaxgan.evaluation.names import Better, direction
from jaxgan.evaluation.sets import Digest, Features, Real, Reference, look
from jaxgan.metrics import (
    FeatureFn,
    ModeStatistics,
    by_channel,
    frechet_distance,
    mixture_statistics,
    mode_statistics,
    reduced_pixels,
    sliced_wasserstein,
    stacked_classes,
)
from jaxgan.types import Key

FeatureChoice: TypeAlias = Literal["classifier", "pixels"] | FeatureFn
"""What stands for an image in a distance."""


class Seen(NamedTuple):
    """Samples as the metrics take them.

    Attributes:
      features: `[N, D]`.
      classes: `[N]`, where there is a judge that names them.
      probabilities: `[N, K]` of the classes, where they are not stacks.
    """

    features: NDArray
    classes: NDArray | None = None
    probabilities: NDArray | None = None


class Options(NamedTuple):
    """What was asked of a gauge.

    Attributes:
      samples: how many are measured.
      key: draws lines.
      stacked_protocol: a key of `STACKED_PROTOCOLS`.
      features: a function of images, or None for the gauge's own features.
    """

    samples: int
    key: Key
    stacked_protocol: str = "pacgan"
    features: FeatureFn | None = None


class Fitted(NamedTuple):
    """A gauge that is set up for certain data.

    Attributes:
      features: of a block of samples.
      see: `(features [N, D] of a whole set) -> the set as the metrics take it`.
      quick: the metrics of an evaluation during training, but for `label_accuracy`.
      reference: what samples are compared with.
      train: `() -> the training set`, or of a large one a part.
      train_size: samples of that.
      protocol: all that the numbers depend on; `samples` is the number of them.
    """

    features: Features
    see: Callable[[NDArray], Seen]
    quick: Callable[[Seen], dict[str, float]]
    reference: Real
    train: Callable[[], Real]
    train_size: int
    protocol: dict[str, Any]


class Gauge(NamedTuple):
    """How data of one kind are measured.

    Attributes:
      metrics: names of what `Fitted.quick` gives, in its order.
      fit: `(training data, reference, options) -> the gauge set up for them`.
      names_classes: whether `Fitted.see` tells the classes of samples, so that those that were
        asked for can be compared.
      samples: `(stacked_protocol) -> how many samples are measured`.
    """

    metrics: tuple[str, ...]
    fit: Callable[[Source, Reference, Options], Fitted]
    names_classes: bool = False
    samples: Callable[[str], int] = lambda _: protocol.SAMPLES


def gauge_of(spec: Spec, features: FeatureChoice | None = None) -> str:
    """The name of the gauge that measures data of a spec, a key of `GAUGES`.

    Args:
      spec: of the data.
      features: as `make_evaluator` takes them.

    Raises:
      ValueError: for a spec that names no gauge there is.
    """
    if spec.gauge and spec.gauge not in GAUGES:
        raise ValueError(f"there is no gauge {spec.gauge!r}; there are {', '.join(GAUGES)}")
    if features == "pixels" or callable(features):
        return "plain"
    name = spec.gauge or ("labelled" if _has_classes(spec) else "plain")
    if features == "classifier" and not GAUGES[name].names_classes:
        return "labelled"
    return name


def check_features(source: Source, features: FeatureChoice | None) -> None:
    """Raises a ValueError for features that the data do not allow."""
    if features is None:
        return
    if not callable(features) and features not in ("classifier", "pixels"):
        raise ValueError(f"features must be classifier, pixels or a function, not {features!r}")
    spec = source.spec
    if not spec.is_image:
        raise ValueError(
            f"features={feature_name(features)} is for images, and {source.name!r} holds points"
        )
    if features == "classifier" and not _has_classes(spec):
        raise ValueError(
            f"features=classifier needs labels of 2 classes or more, and {source.name!r} has "
            f"{spec.num_classes or 'none'}"
        )


def protocol_samples(
    spec: Spec,
    stacked_protocol: str = "pacgan",
    features: FeatureChoice | None = None,
) -> int:
    """How many samples an evaluation takes."""
    return GAUGES[gauge_of(spec, features)].samples(stacked_protocol)


def metric_names(spec: Spec, *, conditional: bool = False) -> dict[str, Better]:
    """What an evaluation during training yields, and which way each is better.

    Args:
      spec: of the data.
      conditional: whether samples are of classes that were asked for.
    """
    gauge = GAUGES[gauge_of(spec)]
    judged = ("label_accuracy",) if conditional and gauge.names_classes else ()
    return {name: direction(name) for name in (*gauge.metrics, *judged)}


def feature_name(features: FeatureChoice) -> str:
    """What messages and protocols call features."""
    if isinstance(features, str):
        return features
    return getattr(features, "__qualname__", type(features).__qualname__)


def _has_classes(spec: Spec) -> bool:
    return spec.is_image and spec.num_classes > 1


def _mixture(source: Source, reference: Reference, options: Options) -> Fitted:
    mixture = MIXTURES.get(source.name)
    if mixture is None:
        raise ValueError(f"{source.name!r} is none of the mixtures {', '.join(MIXTURES)}")

    def quick(seen: Seen) -> dict[str, float]:
        found = mixture_statistics(seen.features, mixture.centers, mixture.std)
        return {name: float(value) for name, value in found._asdict().items()}

    return Fitted(
        features=_coordinates,
        see=Seen,
        quick=quick,
        reference=look(reference.source, _coordinates, most=options.samples),
        train=cache(lambda: look(source, _coordinates)),
        train_size=len(source),
        protocol={
            "protocol": "mixture",
            "samples": options.samples,
            "reference": f"mixture {source.name}",
            "features": "coordinates",
        },
    )


def _labelled(source: Source, reference: Reference, options: Options) -> Fitted:
    judge = judge_of(source, reference.source)
    digest = Digest()
    compared = look(reference.source, judge.features, watch=digest)
    train = compared if reference.source is source else look(source, judge.features)

    def see(features: NDArray) -> Seen:
        probabilities = judge.probabilities_of(features)
        return Seen(features, probabilities.argmax(axis=1), probabilities)

    def quick(seen: Seen) -> dict[str, float]:
        modes = _modes(seen, source.spec)
        return {
            "frechet": frechet_distance(seen.features, compared.features),
            "frechet_train": frechet_distance(seen.features, train.features),
            "kl": modes.kl,
            "smallest_share": modes.smallest_share,
        }

    record = {
        "protocol": "labelled images",
        "samples": options.samples,
        **_reference_record(source, reference, compared, digest),
        **judge_record(judge),
    }
    return Fitted(judge.features, see, quick, compared, lambda: train, len(source), record)


def _stacked(source: Source, reference: Reference, options: Options) -> Fitted:
    digits, test = (getattr(each, "digits", None) for each in (source, reference.source))
    if digits is None or test is None:
        raise ValueError(f"the gauge stacked is for a StackedSource, and {source.name!r} is none")
    name, _ = protocol.STACKED_PROTOCOLS[options.stacked_protocol]
    judge = judge_of(digits, test)

    def features(images: NDArray) -> NDArray:
        return np.concatenate(list(by_channel(judge.features, images)), axis=1)  # [n, 3 * 128]

    def see(found: NDArray) -> Seen:
        channels = np.split(found, 3, axis=1)
        answers = np.stack([judge.probabilities_of(channel) for channel in channels])
        return Seen(found, stacked_classes(answers))

    digest = Digest()
    compared = look(reference.source, features, most=options.samples, watch=digest)

    def quick(seen: Seen) -> dict[str, float]:
        modes = _modes(seen, source.spec)
        return {
            "frechet": frechet_distance(seen.features, compared.features),
            "modes": float(modes.modes),
            "kl": modes.kl,
            "smallest_share": modes.smallest_share,
        }

    record = {
        "protocol": f"stacked MNIST, {name}",
        "samples": options.samples,
        **_reference_record(source, reference, compared, digest),
        **judge_record(judge),
    }
    train = cache(lambda: look(source, features, most=options.samples))
    size = min(len(source), options.samples)
    return Fitted(features, see, quick, compared, train, size, record)


def _plain(source: Source, reference: Reference, options: Options) -> Fitted:
    is_image = source.spec.is_image
    own = reduced_pixels if is_image else _coordinates
    features = options.features or own
    digest = Digest()
    compared = look(reference.source, features, most=options.samples, watch=digest)
    width = compared.features.shape[1]

    def quick(seen: Seen) -> dict[str, float]:
        a, b = seen.features, compared.features
        return {
            "frechet": frechet_distance(a, b),
            "sliced_wasserstein": sliced_wasserstein(
                a, b, key=options.key, projections=protocol.PROJECTIONS
            ),
        }

    if options.features:
        described = f"{feature_name(options.features)}, {width} numbers"
    else:
        described = f"pixels, halved to {width} numbers" if is_image else "coordinates"
    record = {
        "protocol": "unlabelled images" if is_image else "points",
        "samples": options.samples,
        **_reference_record(source, reference, compared, digest),
        "features": described,
        "projections": protocol.PROJECTIONS,
    }
    train = cache(lambda: look(source, features, most=options.samples))
    size = min(len(source), options.samples)
    return Fitted(features, Seen, quick, compared, train, size, record)


def _coordinates(points: NDArray) -> NDArray:
    return points


def _modes(seen: Seen, spec: Spec) -> ModeStatistics:
    assert seen.classes is not None
    return mode_statistics(seen.classes, spec.num_classes)


def _reference_record(
    source: Source, reference: Reference, compared: Real, digest: Digest
) -> dict[str, str]:
    noun = "images" if source.spec.is_image else "points"
    return {
        "reference": f"{source.name}, {reference.split} split, {len(compared.rows)} {noun}",
        "reference_digest": digest.hex(),
    }


GAUGES: dict[str, Gauge] = {
    "mixture": Gauge(("modes", "high_quality", "kl"), _mixture),
    "labelled": Gauge(
        ("frechet", "frechet_train", "kl", "smallest_share"), _labelled, names_classes=True
    ),
    "stacked": Gauge(
        ("frechet", "modes", "kl", "smallest_share"),
        _stacked,
        names_classes=True,
        samples=lambda name: protocol.STACKED_PROTOCOLS[name][1],
    ),
    "plain": Gauge(("frechet", "sliced_wasserstein"), _plain),
}
"""The gauges by name."""
