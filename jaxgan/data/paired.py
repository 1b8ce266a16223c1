"""Images in pairs: what a generator is given, and what it should make of it."""

from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import jax
import numpy as np

from jaxgan.data import cache, images
from jaxgan.data.catalog import open_source
from jaxgan.data.files import (
    check_images,
    common_shape,
    entries,
    facts_of,
    folder_splits,
    identify_files,
    read_npz,
    scan,
)
from jaxgan.data.identity import Identity, digest_arrays
from jaxgan.data.source import ArraySource, Spec
from jaxgan.files import expanded
from jaxgan.types import Array, Batch

Direction = Literal["a-to-b", "b-to-a"]


class PairedSpec(NamedTuple):
    """Descriptions of the image that should be made and of its condition.

    Attributes:
      real: of the image.
      condition: of what it is made from; None: that is made of the image inside the step.
    """

    real: Spec
    condition: Spec | None = None

    def to_record(self) -> dict[str, Any]:
        """The spec as JSON holds it."""
        return {"real": self.real.to_record()} | (
            {"condition": self.condition.to_record()} if self.condition else {}
        )

    @classmethod
    def from_record(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_record`; a ValueError for what cannot be a spec."""
        try:
            return cls(**{name: Spec.from_record(values[name]) for name in values})
        except (KeyError, TypeError) as error:
            raise ValueError(f"the spec of the data is damaged: {values!r}") from error

    def example(self, count: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and types of a batch of `count` pairs."""
        kinds = {"real": self.real, "condition": self.condition}
        return {name: spec.example(count)["real"] for name, spec in kinds.items() if spec}

    def gather(self, arrays: Batch, indices: Array) -> Batch:
        """The pairs of `indices` from a source's `arrays`, to be traced."""
        return {name: array[indices] for name, array in arrays.items()}


class PairedSource:
    """Images and their conditions by one index, or images alone where a condition is made of them.

    Attributes:
      real: the images that should be made.
      condition: as many images of the same height and width, but perhaps of other channels, or
        None.

    Raises:
      ValueError: for points, and halves of different number or size.
    """

    def __init__(
        self, real: ArraySource, condition: ArraySource | None = None, name: str | None = None
    ) -> None:
        self.real, self.condition = real, condition
        self.name = name or real.name
        if not real.spec.is_image:
            raise ValueError(f"pairs are of images, and {real.name!r} holds points")
        plain = Spec(real.spec.shape, 0)
        if condition is None:
            self.spec = PairedSpec(plain)
            return
        if not condition.spec.is_image:
            raise ValueError(f"pairs are of images, and {condition.name!r} holds points")
        if len(real) != len(condition):
            raise ValueError(
                f"{condition.name!r} has {len(condition):,} images and {real.name!r} "
                f"{len(real):,}: every image needs a partner"
            )
        sizes = [spec.shape[:2] for spec in (condition.spec, real.spec)]
        if sizes[0] != sizes[1]:
            told = " and ".join("x".join(map(str, size)) for size in sizes)
            raise ValueError(
                f"the images of {condition.name!r} and {real.name!r} are of different sizes, "
                f"{told}; choose an image_size for both"
            )
        self.spec = PairedSpec(plain, Spec(condition.spec.shape, 0))

    @cached_property
    def arrays(self) -> Batch | None:
        """`{"real": [N, H, W, C], "condition": [N, H, W, C']}` on the device, or None."""
        found = {name: half.arrays for name, half in self._halves().items()}
        if None in found.values():
            return None
        return {name: arrays["real"] for name, arrays in found.items() if arrays is not None}

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The identities of the data: one for what holds both, or one for each half."""
        found = [identity for half in self._halves().values() for identity in half.identities]
        return tuple(dict.fromkeys(found))

    def __len__(self) -> int:
        return len(self.real)

    def take(self, indices: np.ndarray) -> Batch:
        """Pairs by index.

        Args:
          indices: integers [n], each in [0, len(self)).

        Returns:
          `real` uint8 [n, H, W, C], and `condition` uint8 [n, H, W, C'] where there are some.
        """
        return {name: half.take(indices)["real"] for name, half in self._halves().items()}

    def _halves(self) -> dict[str, ArraySource]:
        halves = {"real": self.real}
        return halves if self.condition is None else {**halves, "condition": self.condition}


def open_paired(
    data: str,
    data_b: str | None = None,
    *,
    direction: Direction = "a-to-b",
    split: str = "train",
    image_size: int | None = None,
    channels: dict[str, int | None] | None = None,
    transparency: images.Transparency = "white",
) -> PairedSource:
    """Opens images in pairs of A and B.

    Args:
      data: of A and B together, an .npz file of the arrays `a` and `b`, or a folder of images that
        hold both side by side, A on the left (the pix2pix convention), or of `train` and `test` or
        `val`, each such a folder; with data_b a folder of A alone.
      data_b: folder of B, with a file for every one of A, of the same name but for its ending.
      direction: "a-to-b": images of A are the condition, those of B should be made.
      split: "train" or "test".
      image_size: side to which each half is resized and cropped about its centre.
      channels: 1, 3 or None of "a" and "b".
      transparency: what transparent pixels of image files are laid on.

    Returns:
      A source; A and B are its condition and its image, or the other way round.

    Raises:
      ValueError: data that are not as said: what has no partner, is of another size or damaged is
        named.
    """
    channels = channels or {}
    for one in ("a", "b"):
        images.check_options(image_size, channels.get(one))
    if data_b is not None:
        halves = _two_folders(data, data_b, split, image_size, channels, transparency)
    elif expanded(data).suffix == ".npz":
        halves = _arrays(expanded(data), split, image_size, channels)
    else:
        halves = _side_by_side(expanded(data), split, image_size, channels, transparency)
    real = direction.split("-to-")[1]
    condition = "b" if real == "a" else "a"
    name = data if data_b is None else f"{data} and {data_b}"
    return PairedSource(halves[real], halves[condition], name)


def _two_folders(
    data: str,
    data_b: str,
    split: str,
    image_size: int | None,
    channels: dict[str, int | None],
    transparency: images.Transparency,
) -> dict[str, ArraySource]:
    folders = {"a": expanded(data), "b": expanded(data_b)}
    stems = {}
    for one, folder in folders.items():
        if not folder.is_dir():
            raise ValueError(f"There is no folder of images {folder}.")
        within = folder / split if len(folder_splits(folder)) > 1 else folder
        files = scan(within, folder).files
        stems[one] = [path.relative_to(within).with_suffix("").as_posix() for path in files]
    for one, other in (("a", "b"), ("b", "a")):
        alone = sorted(set(stems[one]) - set(stems[other]))
        if alone:
            have = f"and {len(alone) - 1:,} more of {folders[one]} have"
            raise ValueError(
                f"{alone[0]!r} {have if alone[1:] else f'of {folders[one]} has'} no partner of the "
                f"same name in {folders[other]}"
            )
        twice = next((stem for stem in stems[one] if stems[one].count(stem) > 1), None)
        if twice is not None:
            raise ValueError(f"{folders[one]} holds two images named {twice!r}")
    return {
        one: open_source(
            str(folder.absolute()),
            split=split,
            image_size=image_size,
            channels=channels.get(one),
            transparency=transparency,
        )
        for one, folder in folders.items()
    }


def _arrays(
    path: Path, split: str, image_size: int | None, channels: dict[str, int | None]
) -> dict[str, ArraySource]:
    if split != "train":
        raise ValueError(f"{str(path)!r} has no split {split!r}; it has train.")
    arrays, found = read_npz(path, ("a", "b"))
    if len(arrays) < 2:
        raise ValueError(
            f"{path} holds the arrays {found}; pairs are two, 'a' and 'b', uint8 [N, H, W, C] each."
        )
    for one, array in arrays.items():
        check_images(path, one, array)
    read = {one: array[..., None] if array.ndim == 3 else array for one, array in arrays.items()}

    def identify() -> tuple[Identity, ...]:
        digest = digest_arrays(read)
        return (Identity(str(path), str(path.resolve()), len(read["a"]), (), digest),)

    sources = {
        one: ArraySource(f"{path}, {one}", array, identify=identify) for one, array in read.items()
    }
    for one, source in sources.items():
        if source.spec.is_image and (image_size or channels.get(one)):
            fitted = images.refit(source.host["real"], image_size, channels.get(one))
            sources[one] = ArraySource(source.name, fitted, identify=identify)
    return sources


def _side_by_side(
    folder: Path,
    split: str,
    image_size: int | None,
    channels: dict[str, int | None],
    transparency: images.Transparency,
) -> dict[str, ArraySource]:
    if not folder.is_dir():
        raise ValueError(f"There is no folder of images {folder}.")
    within = _split_folder(folder, split)
    files, deeper = entries(within, folder)
    if deeper or not files:
        found = f"the folder {deeper[0].name}" if deeper else "no images"
        raise ValueError(
            f"{within} holds {found}; it must hold images of two halves side by side, or train and "
            "test or val that do."
        )
    grey = all(images.probe(path).grey for path in files)
    if image_size is None:
        height, width, _ = common_shape(files, None, None)
    else:
        height, width = image_size, 2 * image_size
    depths = {one: channels.get(one) or (1 if grey else 3) for one in ("a", "b")}
    shapes = {one: (height, width // 2, depths[one]) for one in depths}
    options = ("side by side", split, *shapes.values(), images.DECODING, transparency)
    key = cache.stem(folder.name, str(folder.resolve()), facts_of(files, folder), *options)
    arrays = cache.find(key, ["a", "b"])
    if arrays is None:

        def work(start: int, stop: int) -> dict[str, np.ndarray]:
            block = {one: np.empty((stop - start, *shapes[one]), np.uint8) for one in shapes}
            for i, path in enumerate(files[start:stop]):
                for one, half in _halves_of(path, max(depths.values()), transparency).items():
                    name = f"{path} ({one})"
                    whole = images.decode(half, name, image_size, depths[one], transparency)
                    block[one][i] = whole
            return block

        layout: cache.Layout = {one: ((len(files), *shapes[one]), np.uint8) for one in shapes}
        largest = (shapes["a"][0], 2 * shapes["a"][1], max(depths.values()))
        arrays = cache.store(key, layout, images.in_threads(work, len(files), largest))

    identify = partial(identify_files, folder, files)
    return {
        one: ArraySource(f"{folder}, {one}", arrays[one], identify=identify) for one in ("a", "b")
    }


def _split_folder(folder: Path, split: str) -> Path:
    """The files of a split: train, and for test those of the folder test or else val."""
    if not (folder / "train").is_dir():
        if split == "train":
            return folder
        raise ValueError(f"{str(folder)!r} has no split {split!r}; it has train.")
    names = [split] if split == "train" else [split, "val"]
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise ValueError(f"{folder} has no folder {' or '.join(names)}")


def _halves_of(
    path: Path, channels: int, transparency: images.Transparency
) -> dict[str, np.ndarray]:
    """The left and the right half of an image file."""
    whole = images.decode(path, str(path), None, channels, transparency)
    height, width = whole.shape[:2]
    if width % 2 or width < 2:
        raise ValueError(
            f"{path} is {height} x {width}: two images side by side have an even width"
        )
    return {"a": whole[:, : width // 2], "b": whole[:, width // 2 :]}
