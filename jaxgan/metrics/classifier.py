"""The judge of labelled image sets: a small classifier, trained on the real images.

It says which class a sample is of, for counting modes, and gives features for a Fréchet distance.
Its figures are comparable with those of the same judge alone, so a result is reported with the
judge's `PROTOCOL`, `digest` and `test_accuracy`; the digest may differ between machines, whose
linear algebra rounds differently.

Images are uint8 `[N, H, W, C]` of one fixed size. All is computed on the CPU, where the network is
small enough, and nothing is drawn from a key: one machine and one set of versions give one judge,
whatever accelerator is in use.
"""

import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxgan.files import whole_file
from jaxgan.metrics.features import check_images
from jaxgan.types import Array
from jaxgan.working import working

if TYPE_CHECKING:  # Metrics need JAX and NumPy alone; who fits or asks a judge has the rest.
    import optax

CHANNELS, HIDDEN = (16, 32, 64), 128
BATCH, LEARNING_RATE = 128, 2e-3
MIN_IMAGES, MIN_EPOCHS, MAX_EPOCHS = 600_000, 5, 200
PROTOCOL = (
    "convolutions 3x3 of 16-32-64, each with ReLU and 2x2 mean, dense 128 ReLU, Adam 2e-3 cosine "
    "to 0, batch 128, seed 0, shifts of 1/14 of a side, 600,000 images in 5 to 200 epochs"
)
"""What the judge is, for the record beside a figure. Changing anything here changes the string."""

_BLOCK = 1000  # images judged at a time

Layers: TypeAlias = Sequence[tuple[Any, Any]]


class Classifier(NamedTuple):
    """A trained judge: plain arrays, and what can be asked of them.

    Attributes:
      layers: a kernel and a bias `[out]` for each layer, float32. Kernels `[3, 3, in, out]` are
        convolutions, followed by a ReLU and a mean over 2x2 pixels (while there are as many);
        `[in, out]` are dense, with a ReLU but for the last.
      test_accuracy: the share of test images it names rightly, in [0, 1].
      image_shape: (H, W, C) of the images it takes; None for any that the layers fit.
    """

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    test_accuracy: float
    image_shape: tuple[int, ...] | None = None

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
        images = check_images(images)
        if self.image_shape is not None and images.shape[1:] != self.image_shape:
            raise ValueError(
                f"the classifier was trained on images of {list(self.image_shape)}, "
                f"not {list(images.shape[1:])}"
            )
        features = np.empty((len(images), len(self.layers[-1][0])), np.float32)
        with _on_cpu():
            for start in range(0, len(images), _BLOCK):
                block = slice(start, start + _BLOCK)
                features[block] = _features_of_a_block(self.layers, images[block])
        return features

    def probabilities(self, images: ArrayLike) -> NDArray[np.float32]:
        """Class probabilities, float32 `[N, K]`, for images as `features` takes them."""
        return self.probabilities_of(self.features(images))

    def probabilities_of(self, features: ArrayLike) -> NDArray[np.float32]:
        """`probabilities` of images whose `features`, `[N, 128]`, were computed before."""
        kernel, bias = self.layers[-1]
        logits = np.asarray(features) @ kernel + bias
        unnormalised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return unnormalised / unnormalised.sum(axis=1, keepdims=True)


def fit_classifier(
    images: ArrayLike,
    labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    num_classes: int,
    *,
    shift: bool = True,
) -> Classifier:
    """Trains the judge, always in the same way: see `PROTOCOL`.

    Each epoch moves half of the images by up to 1/14 of their sides, 2 pixels of 28 and 1 of 8.
    Small sets get more epochs, towards 600,000 images.

    Args:
      images: uint8 `[N, H, W, C]`, to train on.
      labels: integers `[N]` in [0, num_classes).
      test_images: uint8 `[M, H, W, C]`, for `test_accuracy` alone.
      test_labels: integers `[M]`.
      num_classes: K, at least 2.
      shift: False leaves the moving out, which makes a classifier that knows its own data alone.

    Raises:
      ValueError: if images or labels are not as said.
    """
    import optax

    images, labels = _check_set(images, labels, num_classes)
    test_images, test_labels = _check_set(test_images, test_labels, num_classes)
    rng = np.random.default_rng(0)
    layers: Any = _init(images.shape[1:], num_classes, rng)
    batch = min(BATCH, len(images))
    per_epoch = len(images) // batch
    epochs = min(max(MIN_IMAGES // len(images), MIN_EPOCHS), MAX_EPOCHS)
    optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, epochs * per_epoch))
    with _on_cpu():
        opt_state = optimizer.init(layers)
        step = jax.jit(partial(_step, optimizer), donate_argnums=(0, 1))
        with working("fitting the judge", epochs * per_epoch) as reach:
            for epoch in range(epochs):
                moved = _shift(images, rng) if shift else images
                order = rng.permutation(len(images))
                plan = order[: per_epoch * batch].reshape(per_epoch, batch)
                for number, chosen in enumerate(plan, epoch * per_epoch):
                    reach(number)
                    layers, opt_state = step(layers, opt_state, moved[chosen], labels[chosen])
    trained = tuple((np.asarray(kernel), np.asarray(bias)) for kernel, bias in layers)
    judge = Classifier(trained, 0.0, images.shape[1:])
    hits = judge.probabilities(test_images).argmax(axis=1) == test_labels
    return judge._replace(test_accuracy=float(hits.mean()))


def load_or_fit(
    path: str | os.PathLike[str],
    images: ArrayLike,
    labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    num_classes: int,
    *,
    shift: bool = True,
) -> Classifier:
    """`fit_classifier`, kept in an .npz file and trained only when that does not hold it.

    A file that is missing, damaged, or from other data or another protocol is replaced. Folders
    are made as needed, and processes that do this at once do not disturb each other. A file that
    cannot be written costs a warning.
    """
    data = (images, labels, test_images, test_labels)
    protocol = PROTOCOL if shift else f"{PROTOCOL}, no shifts"
    origin = _digest(np.array([protocol, str(num_classes)]), *map(np.asarray, data))
    path = Path(path)
    judge = _load(path, origin)
    if judge is None:
        judge = fit_classifier(images, labels, test_images, test_labels, num_classes, shift=shift)
        try:
            _save(path, origin, judge)
        except OSError as error:
            warnings.warn(
                f"the classifier cannot be kept in {path} ({error.strerror or error}) and will be "
                "fitted anew; set JAXGAN_CACHE to a directory that can be written to",
                stacklevel=2,
            )
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
            image_shape=np.array(judge.image_shape),
            **arrays,
        )


def _load(path: Path, origin: str) -> Classifier | None:
    """The judge in a file, or None when it is not the one asked for or not whole."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            layers = tuple(
                (file[f"kernel_{index}"], file[f"bias_{index}"])
                for index in range(len(CHANNELS) + 2)
            )
            shape = tuple(map(int, file["image_shape"]))
            judge = Classifier(layers, float(file["test_accuracy"]), shape)
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


def _init(shape: tuple[int, ...], num_classes: int, rng: np.random.Generator) -> Layers:
    """Kernels of variance 2 / inputs, which keeps the variance of what ReLUs let through."""
    height, width, inputs = shape
    shapes: list[tuple[int, ...]] = []
    for channels in CHANNELS:
        shapes.append((3, 3, inputs, channels))
        height, width, inputs = _pooled(height), _pooled(width), channels
    shapes += [(height * width * inputs, HIDDEN), (HIDDEN, num_classes)]
    return tuple(
        (
            rng.standard_normal(kernel, np.float32) * np.float32((2 / np.prod(kernel[:-1])) ** 0.5),
            np.zeros(kernel[-1], np.float32),
        )
        for kernel in shapes
    )


def _step(
    optimizer: "optax.GradientTransformation",
    layers: Layers,
    opt_state: "optax.OptState",
    images: Array,
    labels: Array,
) -> "tuple[Any, optax.OptState]":
    import optax

    def loss(layers: Layers) -> Array:
        kernel, bias = layers[-1]
        logits = _features(layers, images) @ kernel + bias
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    updates, opt_state = optimizer.update(jax.grad(loss)(layers), opt_state)
    return optax.apply_updates(layers, updates), opt_state


def _features(layers: Layers, images: Array) -> Array:
    from jaxgan.layers.conv import conv

    x = jnp.asarray(images, jnp.float32) / 255
    for kernel, bias in layers[:-1]:
        if kernel.ndim == 4:
            x = _mean_of_pixels(jax.nn.relu(conv(x, kernel) + bias))
        else:
            x = jax.nn.relu(x.reshape(len(x), -1) @ kernel + bias)
    return x


_features_of_a_block = jax.jit(_features)


def _mean_of_pixels(x: Array) -> Array:
    """The mean of 2x2 pixels, of 2 where there is but one row or column; an odd last one goes."""
    batch, height, width, channels = x.shape
    high, wide = _pooled(height), _pooled(width)
    down, across = min(height, 2), min(width, 2)
    x = x[:, : high * down, : wide * across]
    return x.reshape(batch, high, down, wide, across, channels).mean(axis=(2, 4))


def _pooled(size: int) -> int:
    return max(size // 2, 1)


def _on_cpu() -> AbstractContextManager[Any]:
    """Where JAX may use a CPU, what the block computes is computed there."""
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:  # JAX_PLATFORMS names accelerators alone.
        return nullcontext()


def _shift(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Moves a random half of the images by up to 1/14 of their sides; zeros move in."""
    count, height, width, _ = images.shape
    reach = max(round(min(height, width) / 14), 1)
    offset = rng.integers(0, 2 * reach + 1, (2, count, 1, 1))
    offset[:, rng.random(count) < 0.5] = reach
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    rows = offset[0] + np.arange(height)[:, None]
    columns = offset[1] + np.arange(width)
    return padded[np.arange(count)[:, None, None], rows, columns]


def _check_set(
    images: ArrayLike, labels: ArrayLike, num_classes: int
) -> tuple[NDArray[np.uint8], NDArray]:
    images, labels = check_images(images), np.asarray(labels)
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
