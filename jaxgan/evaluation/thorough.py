"""The metrics that are too expensive, or too many, for an evaluation during training."""

from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jaxgan.evaluation import protocol
from jaxgan.evaluation.gauges import Fitted, Seen
from jaxgan.evaluation.sets import Real, blocks, fetch, pick
from jaxgan.keys import derive
from jaxgan.metrics import (
    inception_score,
    kernel_distance,
    laplacian_variance,
    nearest_neighbours,
    precision_recall_density_coverage,
    sliced_wasserstein,
)
from jaxgan.metrics.sliced import PATCH, PatchGatherer, Scales, patch_distances
from jaxgan.types import Key


class ImageWatch:
    """A `Watch` of some of a set's images, as many as are compared: their patches and sharpness.

    Args:
      key: draws the places of patches.
      side: "a" of what is measured, "b" of the reference.
      size: images of the set.
      patches: whether images are large enough for patches.
    """

    def __init__(self, key: Key, side: Literal["a", "b"], size: int, *, patches: bool) -> None:
        self._rows = pick(size, protocol.SAMPLES)
        self._sharpness: list[NDArray] = []
        count = len(self._rows)
        self._gatherer = PatchGatherer(key, side, count, protocol.PATCHES) if patches else None

    def __call__(self, start: int, block: NDArray) -> None:
        first, last = np.searchsorted(self._rows, (start, start + len(block)))
        images = block[self._rows[first:last] - start]
        self._sharpness.append(laplacian_variance(images))
        if self._gatherer is not None:
            self._gatherer.add(images)

    def scales(self) -> Scales | None:
        """The patches, when the whole set has passed by; None of images too small for them."""
        return None if self._gatherer is None else self._gatherer.scales()

    def sharpness(self) -> float:
        """The mean variance of the Laplacian, when the whole set has passed by."""
        return float(np.concatenate(self._sharpness).mean(dtype=np.float64))


class Thorough:
    """All metrics that `Fitted.quick` leaves out.

    Args:
      fitted: the gauge.
      key: draws subsets, lines and patches.
    """

    def __init__(self, fitted: Fitted, key: Key) -> None:
        self._fitted, self._key = fitted, key
        spec = fitted.reference.source.spec
        self._is_image = spec.is_image
        self._has_patches = spec.is_image and min(spec.shape[:2]) >= PATCH

    def watch(self, size: int) -> ImageWatch | None:
        """What must see the `size` samples as they pass by."""
        return self._watch("a", size)

    def of_samples(
        self, seen: Seen, images: ImageWatch | None, found: dict[str, float]
    ) -> dict[str, float]:
        """The metrics of samples.

        Args:
          seen: the samples.
          images: of `watch`.
          found: the metrics taken so far.
        """
        more = self._metrics(seen, images, found)
        more["train_distance"] = self._distance(seen.features)
        return more

    def of_training_data(self) -> dict[str, float]:
        """All metrics of training samples in place of generated ones, as many.

        `train_distance` is that of the reference; `frechet_train` would be of a part of the
        training set to the whole of it, and is left out.
        """
        fitted = self._fitted
        train = fitted.train().some(fitted.protocol["samples"])
        seen = fitted.see(train.features)
        found = fitted.quick(seen)
        found |= self._metrics(seen, self._watched("a", train), found)
        found.pop("frechet_train", None)
        found["train_distance"] = self._distance(fitted.reference.features)
        return found

    def record(self) -> dict[str, Any]:
        """What these metrics depend on."""
        samples = min(self._fitted.protocol["samples"], protocol.SAMPLES)
        reference = min(len(self._fitted.reference.rows), protocol.SAMPLES)
        subset = min(protocol.SUBSET, samples, reference)
        record = {
            "kernel_subsets": f"{protocol.SUBSETS} of {subset}",
            "neighbours": f"{protocol.NEIGHBOURS}, among {samples} samples and {reference} of the "
            "reference",
            "projections": protocol.PROJECTIONS,
            "train_queries": protocol.QUERIES,
            "metric_seed": protocol.metric_seed(self._key),
        }
        if self._fitted.train_size > protocol.TRAIN_ROWS:
            record["train_rows"] = protocol.TRAIN_ROWS
        if self._has_patches:
            record["patches"] = f"{protocol.PATCHES} of {PATCH}x{PATCH} an image"
        return record

    def _metrics(
        self, seen: Seen, images: ImageWatch | None, found: dict[str, float]
    ) -> dict[str, float]:
        key = self._key
        more: dict[str, float] = {}
        a = _some(seen.features, protocol.SAMPLES)
        b = _some(self._fitted.reference.features, protocol.SAMPLES)
        least = min(len(a), len(b))
        lines = {"projections": protocol.PROJECTIONS}
        if least > 1:
            distance = kernel_distance(
                *(a, b),
                key=derive(key, "kernel"),
                subset_size=min(protocol.SUBSET, least),
                subsets=protocol.SUBSETS,
            )
            more |= {"kernel_distance": distance.mean, "kernel_distance_std": distance.std}
        if least > protocol.NEIGHBOURS:
            more |= precision_recall_density_coverage(b, a, protocol.NEIGHBOURS)._asdict()
        if "sliced_wasserstein" not in found:
            more["sliced_wasserstein"] = sliced_wasserstein(a, b, key=key, **lines)
        if images is not None:
            more["sharpness"] = images.sharpness()
        patches = None if images is None else images.scales()
        if patches is not None and self._reference_patches is not None:
            height = self._fitted.reference.source.spec.shape[0]
            key = derive(key, "patches")
            scales = patch_distances(patches, self._reference_patches, key=key, **lines)
            more |= {f"patches_{height >> level}": d for level, d in enumerate(scales)}
        if seen.probabilities is not None and seen.classes is not None:
            more["modes"] = float(len(np.unique(seen.classes)))
            splits = min(10, len(seen.probabilities))
            more["inception_score"] = inception_score(seen.probabilities, splits=splits).mean
        return more

    @cached_property
    def _reference_patches(self) -> Scales | None:
        images = self._watched("b", self._fitted.reference)
        return None if images is None else images.scales()

    def _watched(self, side: Literal["a", "b"], real: Real) -> ImageWatch | None:
        """What is seen of real images, which are fetched once more for it."""
        real = real.some(protocol.SAMPLES)
        watch = self._watch(side, len(real.rows))
        if watch is not None:
            images = fetch(real.source, real.rows)
            for start, block in blocks(images, len(real.rows), real.source.spec.shape):
                watch(start, block)
        return watch

    def _watch(self, side: Literal["a", "b"], size: int) -> ImageWatch | None:
        if not self._is_image:
            return None
        return ImageWatch(derive(self._key, "patches"), side, size, patches=self._has_patches)

    def _distance(self, features: NDArray) -> float:
        """The median distance from samples to the training sample nearest to each.

        What has been learnt by heart is nearer to the training data than unseen real data are.
        """
        train = self._fitted.train().some(protocol.TRAIN_ROWS)
        queries = _some(features, protocol.QUERIES)
        return float(np.median(nearest_neighbours(queries, train.features).distances))


def _some(features: NDArray, count: int) -> NDArray:
    """At most `count` of them, at random and always the same."""
    return features if len(features) <= count else features[pick(len(features), count)]
