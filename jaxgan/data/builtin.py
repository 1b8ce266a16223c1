"""Data that need no download and no file: scikit-learn's digits and mixtures of Gaussians."""

import zlib
from typing import NamedTuple

import numpy as np

from jaxgan.data.identity import Identity, digest_arrays
from jaxgan.data.source import ArraySource

POINTS = 100_000
"""Points a mixture has in each split."""


class Mixture(NamedTuple):
    """Equally likely round Gaussians in the plane.

    Attributes:
      centers: float32 [K, 2].
      std: their standard deviation along each axis.
    """

    centers: np.ndarray
    std: float


def _ring(modes: int, radius: float) -> np.ndarray:
    angles = 2 * np.pi * np.arange(modes) / modes
    return (radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def _grid(side: int, spacing: float) -> np.ndarray:
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2).astype("f4")


MIXTURES = {
    "ring": Mixture(_ring(8, radius=1.0), std=0.01),
    "grid": Mixture(_grid(5, spacing=2.0), std=0.05),
}
"""The mixtures by name. A label is the row of `centers` that its point was drawn around.

References:
  Lin et al., PacGAN: The power of two samples in generative adversarial networks, 2018
  (arXiv:1712.04086), section 4.1, for the sizes.
"""


def mixture(name: str, split: str) -> ArraySource:
    """A finite set of `POINTS` points of a mixture, the same in every process.

    Args:
      name: a key of `MIXTURES`.
      split: "train" or "test", which are drawn from different fixed seeds.

    Returns:
      Points float32 [POINTS, 2], not scaled, labelled with their component.
    """
    centers, std = MIXTURES[name]
    rng = np.random.default_rng(zlib.crc32(f"{name}/{split}".encode()))
    labels = rng.integers(len(centers), size=POINTS, dtype=np.int32)
    points = centers[labels] + std * rng.standard_normal((POINTS, 2), dtype=np.float32)
    names = tuple(map(str, range(len(centers))))

    def identify() -> tuple[Identity, ...]:
        # By what all machines have to the bit: their sines and logarithms may differ in the last.
        digest = digest_arrays({"label": labels}, name, split, std)
        return (Identity(name, None, POINTS, names, digest),)

    return ArraySource(name, points, labels, class_names=names, gauge="mixture", identify=identify)


def digits(split: str) -> ArraySource:
    """The 1,797 handwritten digits embedded in scikit-learn, 8x8 grey.

    Pixels of 0 to 16 become round(255 pixel / 16). The 1,437 of "train" and the 360 of "test"
    are those of scikit-learn's `train_test_split` with `test_size=360`, `random_state=0` and
    stratified by digit.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)[..., None]
    train, test = train_test_split(
        np.arange(len(images)), test_size=360, random_state=0, stratify=data.target
    )
    rows = {"train": train, "test": test}[split]
    names = tuple(map(str, range(10)))
    return ArraySource("digits", images[rows], data.target[rows], class_names=names)
