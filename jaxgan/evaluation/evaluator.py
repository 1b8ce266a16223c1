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
and for images of patches at each scale), the inception score, how sharp images are, and how far
samples are from the training data. Beside each stands what real data score: training samples in
place of generated ones, as many as there are of either. `train_distance` is there that of the
reference.

Samples, reference and training data come in blocks, of which features and patches are kept: no set
of images is held.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxgan.data import Source
from jaxgan.evaluation.gauges import (
    GAUGES,
    FeatureChoice,
    Options,
    check_features,
    gauge_of,
)
from jaxgan.evaluation.protocol import STACKED_PROTOCOLS
from jaxgan.evaluation.sets import Reference, Sample, embed
from jaxgan.evaluation.thorough import Thorough
from jaxgan.networks.network import Variables
from jaxgan.types import Key

Labels: TypeAlias = Callable[[int], ArrayLike | None]
"""`count -> the classes, integers [count], that samples 0..count-1 were asked to be of`, or None
where samples are of no class in particular."""


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


def make_evaluator(
    sample: Sample,
    source: Source,
    reference: Reference,
    key: Key,
    *,
    labels: Labels | None = None,
    thorough: bool = False,
    features: FeatureChoice | None = None,
    stacked_protocol: str = "pacgan",
) -> Evaluator:
    """The measurement that fits the data. May fit and cache a classifier first.

    Args:
      sample: gives the samples of a generator, the same at every call.
      source: the training data. Its spec says by which gauge samples are measured (`gauge_of`).
      reference: what samples are compared with; `Reference(source, "train")` where the data have
        no test split.
      key: draws subsets, lines and patches: `metric_key()`, so that figures of different runs
        compare.
      labels: gives the classes that were asked for, of which `label_accuracy` is taken.
      thorough: take all metrics there are, which takes a minute instead of seconds.
      features: of images: "pixels" leaves a classifier out, "classifier" insists on one, and a
        function of images, uint8 [n, H, W, C] to [n, D], replaces it; by default there is a
        classifier where the images have labels. The protocol names a function as Python does, so
        give one name to one function.
      stacked_protocol: how many samples are measured of stacked MNIST, a key of
        `STACKED_PROTOCOLS`.

    Raises:
      ValueError: features that the data do not allow, a reference of another shape, or a gauge or
        protocol that there is not.
    """
    spec = source.spec
    check_features(source, features)
    if reference.source.spec.shape != spec.shape:
        raise ValueError(
            f"{source.name!r} has samples of shape {list(spec.shape)} and a reference of shape "
            f"{list(reference.source.spec.shape)}"
        )
    if stacked_protocol not in STACKED_PROTOCOLS:
        raise ValueError(
            f"stacked_protocol must be {' or '.join(STACKED_PROTOCOLS)}, not {stacked_protocol!r}"
        )
    gauge = GAUGES[gauge_of(spec, features)]
    count = gauge.samples(stacked_protocol)
    options = Options(count, key, stacked_protocol, features if callable(features) else None)
    fitted = gauge.fit(source, reference, options)
    classes = _classes(labels, count)
    more = Thorough(fitted, key) if thorough else None

    def measure(variables: Variables) -> dict[str, float]:
        patches = more.watch(count) if more else None
        samples = partial(sample, variables)
        seen = fitted.see(embed(samples, count, spec.shape, fitted.features, patches))
        found = fitted.quick(seen)
        if classes is not None and seen.classes is not None:
            found["label_accuracy"] = float((seen.classes == classes).mean())
        if more:
            found |= more.of_samples(seen, patches, found)
        return found

    if more is None:
        return Evaluator(measure, fitted.protocol)
    # Training data that are the reference would be compared with themselves.
    real = dict if reference.split == "train" else more.of_training_data
    return Evaluator(measure, fitted.protocol | more.record(), real)


def _classes(labels: Labels | None, count: int) -> NDArray | None:
    asked = None if labels is None else labels(count)
    if asked is None:
        return None
    classes = np.asarray(asked)
    if classes.shape != (count,):
        raise ValueError(f"labels must be [{count}], one a sample, not {list(classes.shape)}")
    return classes
