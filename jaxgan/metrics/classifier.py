"""The judge of labelled image sets: a small classifier, trained on the real images.

It says which class a sample is of, for counting modes, and gives features for a Fréchet distance.
Its figures are comparable with those of the same judge alone, so a result is reported with the
judge's `PROTOCOL`, `digest` and `test_accuracy`; the digest may differ between machines, whose
linear algebra rounds differently.

Images are uint8 `[N, H, W, C]` of one fixed size. Everything is NumPy on the host: the network is
so small that this costs seconds, and it leaves the accelerator and its random draws alone.
"""

import hashlib
import os
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxgan.files import whole_file

HIDDEN = (256, 128)
MIN_IMAGES, MIN_EPOCHS, MAX_EPOCHS = 300_000, 20, 200
PROTOCOL = (
    "MLP 256-128 ReLU, Adam 1e-3, batch 200, seed 0, shifts of 1 pixel, "
    "300,000 images in 20 to 200 epochs"
)
"""What the judge is, for the record beside a figure. Changing anything here changes the string."""


class Classifier(NamedTuple):
    """A trained judge: plain arrays, and what can be asked of them.

    Attributes:
      layers: a kernel float32 `[in, out]` and a bias float32 `[out]` for each layer.
      test_accuracy: the share of test images it names rightly, in [0, 1].
    """

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    test_accuracy: float

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, in hexadecimal."""
        return _digest(*(array for layer in self.layers for array in layer))

    def features(self, images: ArrayLike) -> NDArray[np.float32]:
        """The last hidden layer after its ReLU, float32 `[N, 128]`.

        Args:
          images: uint8 `[N, H, W, C]`.

        Raises:
          ValueError: if the images are not uint8 or not of the size it was trained on.
        """
        hidden = _inputs(_check_images(images))
        if hidden.shape[1] != len(self.layers[0][0]):
            raise ValueError(
                f"the classifier was trained on images of {len(self.layers[0][0])} numbers, "
                f"not {hidden.shape[1]}"
            )
        for kernel, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ kernel + bias, 0)
        return hidden

    def probabilities(self, images: ArrayLike) -> NDArray[np.float32]:
        """Class probabilities, float32 `[N, K]`, for images as `features` takes them."""
        kernel, bias = self.layers[-1]
        logits = self.features(images) @ kernel + bias
        unnormalised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return unnormalised / unnormalised.sum(axis=1, keepdims=True)


def fit_classifier(
    images: ArrayLike,
    labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    num_classes: int,
) -> Classifier:
    """Trains the judge, always in the same way: see `PROTOCOL`.

    Each epoch moves half of the images by a pixel or none in each direction, which makes up for
    what the network lacks in convolutions. Small sets get more epochs, towards 300,000 images.

    Args:
      images: uint8 `[N, H, W, C]`, to train on.
      labels: integers `[N]` in [0, num_classes).
      test_images: uint8 `[M, H, W, C]`, for `test_accuracy` alone.
      test_labels: integers `[M]`.
      num_classes: K, at least 2.

    Raises:
      ValueError: if images or labels are not as said.
    """
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits  # of scikit-learn

    images, labels = _check_set(images, labels, num_classes)
    test_images, test_labels = _check_set(test_images, test_labels, num_classes)
    network = MLPClassifier(HIDDEN, random_state=0)
    rng = np.random.default_rng(0)
    # One thread: sums do not depend on the number of cores, and on a busy machine, where the
    # threads of so many small products wait for each other, it takes seconds instead of a minute.
    with threadpool_limits(1, "blas"):
        for _ in range(min(max(MIN_IMAGES // len(images), MIN_EPOCHS), MAX_EPOCHS)):
            inputs = _inputs(_shift(images, rng))
            network.partial_fit(inputs, labels, classes=np.arange(num_classes))
    layers = list(zip(network.coefs_, network.intercepts_, strict=True))
    if num_classes == 2:  # One logit there; two here, of which the first is 0.
        kernel, bias = layers[-1]
        layers[-1] = np.insert(kernel, 0, 0, axis=1), np.insert(bias, 0, 0)
    judge = Classifier(tuple(layers), 0.0)
    hits = judge.probabilities(test_images).argmax(axis=1) == test_labels
    return judge._replace(test_accuracy=float(hits.mean()))


def load_or_fit(
    path: str | os.PathLike[str],
    images: ArrayLike,
    labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    num_classes: int,
) -> Classifier:
    """`fit_classifier`, kept in an .npz file and trained only when that does not hold it.

    A file that is missing, damaged, or from other data or another protocol is replaced. Folders
    are made as needed, and processes that do this at once do not disturb each other.
    """
    data = (images, labels, test_images, test_labels)
    origin = _digest(np.array([PROTOCOL, str(num_classes)]), *map(np.asarray, data))
    path = Path(path)
    judge = _load(path, origin)
    if judge is None:
        judge = fit_classifier(images, labels, test_images, test_labels, num_classes)
        _save(path, origin, judge)
    return judge


def _save(path: Path, origin: str, judge: Classifier) -> None:
    arrays: dict[str, NDArray] = {}
    for index, (kernel, bias) in enumerate(judge.layers):
        arrays |= {f"kernel_{index}": kernel, f"bias_{index}": bias}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        np.savez(
            file,
            allow_pickle=False,
            origin=np.array(origin),
            digest=np.array(judge.digest),
            test_accuracy=np.array(judge.test_accuracy),
            **arrays,
        )


def _load(path: Path, origin: str) -> Classifier | None:
    """The judge in a file, or None when it is not the one asked for or not whole."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            layers = tuple(
                (file[f"kernel_{index}"], file[f"bias_{index}"]) for index in range(len(HIDDEN) + 1)
            )
            judge = Classifier(layers, float(file["test_accuracy"]))
            whole = file["origin"] == origin and file["digest"] == judge.digest
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
    return judge if whole else None


def _digest(*arrays: NDArray) -> str:
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _inputs(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)


def _shift(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Moves a random half of the images by -1, 0 or 1 in each direction; zeros move in."""
    count, height, width, _ = images.shape
    offset = rng.integers(0, 3, (2, count, 1, 1))
    offset[:, rng.random(count) < 0.5] = 1
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = offset[0] + np.arange(height)[:, None]
    columns = offset[1] + np.arange(width)
    return padded[np.arange(count)[:, None, None], rows, columns]


def _check_images(images: ArrayLike) -> NDArray[np.uint8]:
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(
            f"images must be uint8 [N, H, W, C], not {images.dtype} {list(images.shape)}"
        )
    return images


def _check_set(
    images: ArrayLike, labels: ArrayLike, num_classes: int
) -> tuple[NDArray[np.uint8], NDArray]:
    images, labels = _check_images(images), np.asarray(labels)
    if num_classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes, not {num_classes}")
    if labels.shape != (len(images),) or not len(labels) or labels.dtype.kind not in "iu":
        raise ValueError(
            "there must be an integer label for each image, and an image, "
            f"not {labels.dtype} {list(labels.shape)} for {len(images)} images"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"labels must be in [0, {num_classes}), not {labels.min()} to {labels.max()}"
        )
    return images, labels
