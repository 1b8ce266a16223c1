"""TensorFlow Datasets by name, read without TensorFlow.

A data set is prepared once, which needs TensorFlow (`prepare`); what is then on disk, in the
array_record format, is read by Pillow and NumPy. Data sets are found by the folders
`<data_dir>/<name>[/<config>]/<version>`, so that a user's own sets work like the stock ones.
"""

import importlib.util
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data import cache, images
from jaxgan.data.source import ArraySource

_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w\-.]+))?(:(?P<version>\d+\.\d+\.\d+))?")


class Prepared(NamedTuple):
    """A prepared data set on disk; `config` is empty when the set has none."""

    name: str
    config: str
    version: str
    path: Path

    @property
    def full_name(self) -> str:
        """What `find` takes: `name[/config]:version`."""
        return "/".join(filter(None, (self.name, self.config))) + ":" + self.version


def default_data_dir() -> Path:
    """`$TFDS_DATA_DIR`, else `~/tensorflow_datasets`, as TFDS has it."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def is_stock(name: str) -> bool:
    """Whether `name[/config][:version]` is one that TFDS can prepare."""
    match = _NAME.fullmatch(name)
    return match is not None and match["name"] in stock_names()


def stock_names() -> list[str]:
    """The names of all data sets that TFDS itself defines."""
    import tensorflow_datasets as tfds

    return tfds.list_builders(with_community_datasets=False)


def prepared_sets(data_dir: Path) -> list[Prepared]:
    """The data sets in a directory, by name and from the oldest version to the newest."""
    found = []
    for info in [*data_dir.glob("*/*/dataset_info.json"), *data_dir.glob("*/*/*/dataset_info.json")]:
        name, *config, version = info.parent.relative_to(data_dir).parts
        if re.fullmatch(r"\d+\.\d+\.\d+", version):
            found.append(Prepared(name, "".join(config), version, info.parent))
    return sorted(found, key=lambda p: (p.name, p.config, [int(n) for n in p.version.split(".")]))


def find(name: str, data_dir: Path) -> Prepared | None:
    """The prepared data set `name[/config][:version]`, by default the newest version.

    Raises:
      ValueError: no config is named and several are prepared.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    found = [
        p
        for p in prepared_sets(data_dir)
        if p.name == match["name"]
        and match["config"] in (None, p.config)
        and match["version"] in (None, p.version)
    ]
    if len({p.config for p in found}) > 1:
        names = ", ".join(sorted({f"{p.name}/{p.config}" for p in found}))
        raise ValueError(f"{name!r} is prepared with several configs in {data_dir}; choose of {names}.")
    return found[-1] if found else None


def _builder(prepared: Prepared) -> Any:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(prepared.path)
    except Exception as error:  # whatever a damaged description makes TFDS raise
        raise ValueError(f"TFDS cannot read its data set in {prepared.path}: {error}.") from error
    if builder.info.file_format.value != "array_record":
        raise ValueError(
            f"{prepared.path} is prepared as {builder.info.file_format.value}, which cannot be "
            f"read without TensorFlow; prepare it in another directory with `jaxgan data prepare "
            f"{prepared.full_name.split(':')[0]} --data-dir DIR`, which writes array_record."
        )
    return builder


def _image_and_label(builder: Any) -> tuple[str, str | None]:
    """Names of the one image feature and, if there is one, of the label."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    image_keys = [k for k, f in features.items() if isinstance(f, tfds.features.Image)]
    if len(image_keys) != 1:
        raise ValueError(
            f"{builder.info.full_name} has the features {sorted(features)}, of which {len(image_keys)} are "
            "images; only data sets of one image a sample can be read."
        )
    labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
    if "label" in labels:
        labels = ["label"]
    return image_keys[0], labels[0] if len(labels) == 1 else None


def describe(prepared: Prepared) -> str:
    """Image shape and number of samples, for a list."""
    try:
        builder = _builder(prepared)
        shape = builder.info.features[_image_and_label(builder)[0]].shape
    except ValueError as error:
        return f"cannot be read: {error}"
    size = "x".join("?" if side is None else str(side) for side in shape)
    counts = (f"{name} {split.num_examples:,}" for name, split in builder.info.splits.items())
    return f"{size} images, {', '.join(counts)}"


def open_prepared(
    prepared: Prepared, split: str, image_size: int | None, channels: int | None
) -> ArraySource:
    """Decodes one split of a prepared data set, or finds it in the cache.

    Args:
      prepared: of `find`.
      split: a split's whole name.
      image_size: side to which images are resized and cropped; None needs images of one size.
      channels: 1, 3, or None for what the data set has.

    Returns:
      The split as a source, labelled when the data set has one class label or one called "label".

    Raises:
      ValueError: an unknown split, a data set that is not of images, or damaged files.
    """
    import tensorflow_datasets as tfds

    builder = _builder(prepared)
    image_key, label_key = _image_and_label(builder)
    if split not in builder.info.splits:
        raise ValueError(
            f"{prepared.full_name!r} has no split {split!r}; it has {', '.join(builder.info.splits)}."
        )
    height, width, depth = builder.info.features[image_key].shape
    height, width = image_size or height, image_size or width
    channels = channels or (1 if depth == 1 else 3)
    if height is None or width is None:
        raise ValueError(
            f"The images of {prepared.full_name!r} have different sizes; choose an image_size."
        )
    size = builder.info.splits[split].num_examples
    names = ["images"] + (["labels"] if label_key else [])
    files = sorted(prepared.path.glob(f"*-{split}.array_record*"))
    facts = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    key = cache.stem(
        f"{prepared.full_name}-{split}", prepared, facts, image_size, channels
    )
    arrays = cache.load(key, names)
    if arrays is None:
        ...
    label = builder.info.features[label_key] if label_key else None
    return ArraySource(
        prepared.name,
        arrays["images"],
        arrays.get("labels"),
        class_names=tuple(label.names) if label else (),
    )
