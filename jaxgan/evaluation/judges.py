"""The classifier of a labelled set, fitted once and kept in the user's cache."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxgan.data import Source
from jaxgan.data.cache import cache_dir
from jaxgan.evaluation import protocol
from jaxgan.evaluation.sets import host, pick
from jaxgan.metrics import CLASSIFIER_PROTOCOL, Classifier, load_or_fit


def judge_of(train: Source, test: Source) -> Classifier:
    """`kept_judge` of two sources, of which at most `JUDGE_BYTES` each are held for it.

    Args:
      train: labelled images, to fit it to.
      test: the same, for its test accuracy alone; may be `train` itself.
    """
    images = host(train, _room(train))
    others = images if test is train else host(test, _room(test))
    return kept_judge(train.name, train.spec.num_classes, images, others)


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


def judge_record(judge: Classifier) -> dict[str, Any]:
    """What a protocol says of a judge."""
    return {
        "features": f"last hidden layer of the classifier: {CLASSIFIER_PROTOCOL}",
        "classifier_digest": judge.digest,
        "classifier_test_accuracy": judge.test_accuracy,
    }


def _room(source: Source) -> NDArray[np.int64]:
    """The rows that may be held in memory."""
    return pick(len(source), max(protocol.JUDGE_BYTES // math.prod(source.spec.shape), 1))
