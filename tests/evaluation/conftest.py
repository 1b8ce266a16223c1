"""A judge whose answers are known, and few samples instead of many."""

from typing import ClassVar

import numpy as np
import pytest

from jaxgan.evaluation import judges, protocol


class Judge:
    """Names an image by its first pixel, class `pixel * 9 / 255`; features are the first two."""

    digest, test_accuracy = "d1", 0.75
    looks: ClassVar = []

    def features(self, images):
        self.looks.append(len(images))
        return images.reshape(len(images), -1)[:, :2].astype(np.float32)

    def probabilities_of(self, features):
        classes = np.rint(features[:, 0] * 9 / 255).astype(int)
        return np.eye(10)[classes]


@pytest.fixture
def judge(monkeypatch):
    """The judge; `looks` has how many images it was shown at a time."""
    monkeypatch.setattr(Judge, "looks", [])
    return Judge()


@pytest.fixture(autouse=True)
def judged(monkeypatch, tmp_path, judge):
    """Calls of `load_or_fit`, which returns the judge at once; 40 samples instead of 10,000."""
    calls = []

    def load_or_fit(path, images, labels, test_images, test_labels, num_classes, *, shift):
        calls.append((path, len(images), len(labels), len(test_images), num_classes))
        return judge

    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(judges, "load_or_fit", load_or_fit)
    monkeypatch.setattr(protocol, "SAMPLES", 40)
    for name, less in (("SUBSETS", 3), ("PROJECTIONS", 16), ("PATCHES", 2)):
        monkeypatch.setattr(protocol, name, less)
    return calls
