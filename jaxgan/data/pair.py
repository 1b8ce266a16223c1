"""Two sets of images without pairs: the domains x and y of a translation."""

from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeVar

import jax
import numpy as np

from jaxgan.data import images
from jaxgan.data.catalog import open_source
from jaxgan.data.files import leads_into
from jaxgan.data.identity import Identity
from jaxgan.data.plan import batch_indices
from jaxgan.data.source import ArraySource, Spec, class_number
from jaxgan.data.stacked import StackedSource
from jaxgan.files import expanded
from jaxgan.types import Array, Batch

Indices = TypeVar("Indices", Array, np.ndarray)


class PairSpec(NamedTuple):
    """Descriptions of one image of each domain."""

    x: Spec
    y: Spec

    def to_record(self) -> dict[str, Any]:
        """The spec as JSON holds it."""
        return {domain: spec.to_record() for domain, spec in self._asdict().items()}

    @classmethod
    def from_record(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_record`; a ValueError for what cannot be a spec."""
        try:
            return cls(Spec.from_record(values["x"]), Spec.from_record(values["y"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"the spec of the data is damaged: {values!r}") from error

    def example(self, count: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and types of a batch of `count` images of each domain."""
        return {name: spec.example(count)["real"] for name, spec in self._asdict().items()}

    def gather(self, arrays: Batch, indices: Array) -> Batch:
        """The images of `indices`, as `PairSource.take` has them, from `arrays`, to be traced."""
        return {name: arrays[name][column] for name, column in _columns(indices).items()}


class PairSource:
    """Two sources side by side, of lengths of their own.

    Attributes:
      x: images of the first domain.
      y: images of the second; of the same height and width, but perhaps of other channels.
      epoch: which of the two is used once in an epoch, the longer or the shorter.

    Raises:
      ValueError: for points, and images of different sizes.
    """

    def __init__(
        self, x: ArraySource, y: ArraySource, epoch: Literal["longer", "shorter"] = "longer"
    ) -> None:
        self.x, self.y, self.epoch = x, y, epoch
        self.name = f"{x.name} and {y.name}"
        self.spec = PairSpec(x.spec, y.spec)
        for source in (x, y):
            if not source.spec.is_image:
                raise ValueError(f"only images can be translated, and {source.name!r} holds points")
        if x.spec.shape[:2] != y.spec.shape[:2]:
            sizes = ("x".join(map(str, spec.shape[:2])) for spec in self.spec)
            raise ValueError(
                f"the images of {x.name!r} and {y.name!r} are of different sizes, "
                f"{' and '.join(sizes)}; choose an image_size for both"
            )

    @cached_property
    def arrays(self) -> Batch | None:
        """`{"x": [N, H, W, C], "y": [M, H, W, C']}` on the device, or None."""
        x, y = self.x.arrays, self.y.arrays
        return None if x is None or y is None else {"x": x["real"], "y": y["real"]}

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Who the data are: the first domain, and the second."""
        return (*self.x.identities, *self.y.identities)

    @property
    def amount(self) -> str:
        """How many images there are, in words."""
        return f"{len(self.x):,} and {len(self.y):,} images"

    def __len__(self) -> int:
        """Images in an epoch."""
        return (max if self.epoch == "longer" else min)(len(self.x), len(self.y))

    def indices(self, seed: int, images_seen: int, batch_size: int) -> np.ndarray:
        """int32 [batch_size, 2]: the images of the batch after `images_seen`, a column a domain.

        Each domain goes through permutations of its own (`batch_indices`), the shorter one more
        often, so any image may meet any other.
        """
        columns = [
            batch_indices(seed, images_seen, batch_size, len(source), stream)
            for stream, source in enumerate((self.x, self.y))
        ]
        return np.stack(columns, axis=1)

    def take(self, indices: np.ndarray) -> Batch:
        """Images by index.

        Args:
          indices: integers [n, 2], a column a domain, or [n] for both alike.

        Returns:
          `x` uint8 [n, H, W, C] and `y` uint8 [n, H, W, C'].
        """
        return {
            name: (self.x if name == "x" else self.y).take(column)["real"]
            for name, column in _columns(np.asarray(indices)).items()
        }


def _columns(indices: Indices) -> dict[str, Indices]:
    if indices.ndim == 1:
        return {"x": indices, "y": indices}
    return {"x": indices[:, 0], "y": indices[:, 1]}


def open_domain(
    name: str,
    domain: Literal["A", "B"] | None = None,
    *,
    data_dir: str | Path | None = None,
    split: str = "train",
    image_size: int | None = None,
    channels: int | None = None,
    class_name: str | None = None,
    margin: int = 0,
    transparency: images.Transparency = "white",
) -> ArraySource:
    """Opens the images of one domain; see `open_source` for what is not said here.

    Args:
      name: as `open_source` takes it.
      domain: given where one data set holds both: of a folder that holds trainA and trainB, or of
        a TFDS set with such splits, as all of cycle_gan/* are. None takes a whole data set.
      data_dir: directory of prepared TFDS data sets.
      split: "train" or "test".
      image_size: side to which images are resized and cropped about the centre.
      channels: 1 or 3.
      class_name: takes the images of this class only, by its name or its number.
      margin: black pixels on each side, inside image_size, around what was resized; where objects
        fill their images in one domain and not in the other, it brings them to one scale.
      transparency: what transparent pixels of image files are laid on.

    Returns:
      A source; without labels, if one class was chosen.

    Raises:
      ValueError: what `open_source` raises, no such domain, no labels or no such class, a margin
        that leaves nothing of the image.
    """
    side = inner_size(image_size, margin)
    options: dict[str, Any] = {"data_dir": data_dir, "image_size": side, "channels": channels}
    options["transparency"] = transparency
    if domain is None:
        source = open_source(name, split=split, **options)
    elif (folder := expanded(name) / f"{split}{domain}").is_dir():
        if not leads_into(folder, folder.parent):
            raise ValueError(f"{folder} is a link that leads out of {name}.")
        source = open_source(str(folder.absolute()), **options)
    else:
        try:
            source = open_source(name, split=f"{split}{domain}", **options)
        except ValueError as error:
            raise ValueError(
                f"{error} One data set holds both domains in splits or folders trainA and trainB."
            ) from error
    if class_name is not None:
        source = _of_class(source, class_name)
    if margin or isinstance(source, StackedSource):  # Pairs gather images that lie whole in memory.
        real, names = images.pad(source.host["real"], margin), source.spec.class_names
        return ArraySource(
            source.name,
            real,
            source.host.get("label"),
            class_names=names,
            identify=lambda: source.identities,
        )
    return source


def inner_size(image_size: int | None, margin: int) -> int | None:
    """What a margin leaves of a side.

    Raises:
      ValueError: when it is nothing, or the margin is negative.
    """
    inner = None if image_size is None else image_size - 2 * margin
    if margin < 0 or (inner is not None and inner < 1):
        room = "" if image_size is None else f" and leave something of the {image_size} pixels"
        raise ValueError(f"a margin must be at least 0{room}, and is {margin}")
    return inner


def _of_class(source: ArraySource, class_name: str) -> ArraySource:
    spec = source.spec
    names = spec.class_names or tuple(map(str, range(spec.num_classes)))
    if not names:
        raise ValueError(f"class {class_name!r} was asked for, and {source.name!r} has no labels")
    label = class_number(class_name, names)
    if label is None:
        raise ValueError(
            f"{source.name!r} has no class {class_name!r}; its classes are {', '.join(names)}"
        )
    real = source.host["real"][source.host["label"] == label]
    identify = partial(_identify_class, source, names[label], len(real))
    return ArraySource(f"{source.name}, {class_name}", real, identify=identify)


def _identify_class(source: ArraySource, name: str, count: int) -> tuple[Identity, ...]:
    """The identity of one class of a set: that of the whole set, with the class."""
    (whole,) = source.identities
    return (whole._replace(name=f"{source.name}, {name}", samples=count),)
