"""TensorFlow Datasets by name, read without TensorFlow.

A data set is prepared once, which needs TensorFlow (`prepare_set`); what is then on disk, in the
array_record format, is read by Pillow and NumPy. Data sets are found by the folders
`<data_dir>/<name>[/<config>]/<version>`, so that a user's own sets work like the stock ones.
"""

import difflib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data import cache, images
from jaxgan.data.identity import Identity, digest_files
from jaxgan.data.source import ArraySource
from jaxgan.files import expanded

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
    """`$TFDS_DATA_DIR`, else `~/tensorflow_datasets`, as TFDS has it.

    Where there is no home folder it is `/`, as containers have it.

    Raises:
      ValueError: for a variable that begins with a `~` of no home folder.
    """
    if own := os.environ.get("TFDS_DATA_DIR"):
        return expanded(own)
    home = os.path.expanduser("~")
    return Path("/" if home == "~" else home) / "tensorflow_datasets"


def is_stock(name: str) -> bool:
    """Whether `name[/config][:version]` is one that TFDS can prepare."""
    match = _NAME.fullmatch(name)
    return match is not None and match["name"] in stock_names()


def stock_names() -> list[str]:
    """The names of all data sets that TFDS itself defines."""
    import tensorflow_datasets as tfds

    return tfds.list_builders(with_community_datasets=False)


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the names most like it."""
    close = difflib.get_close_matches(name, sorted(set(names)), n=3)
    return f"; nearest: {', '.join(close)}" if close else ""


def prepared_sets(data_dir: Path) -> list[Prepared]:
    """The data sets in a directory, by name and from the oldest version to the newest."""
    found = []
    for info in [
        *data_dir.glob("*/*/dataset_info.json"),
        *data_dir.glob("*/*/*/dataset_info.json"),
    ]:
        name, *config, version = info.parent.relative_to(data_dir).parts
        # Names: not TFDS's and our own hidden and incomplete.* folders.
        if re.fullmatch(r"\w+", name) and re.fullmatch(r"\d+\.\d+\.\d+", version):
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
        raise ValueError(
            f"{name!r} is prepared with several configs in {data_dir}; choose of {names}."
        )
    return found[-1] if found else None


@contextmanager
def _naming(prepared: Prepared) -> Iterator[None]:
    """Names the data set in whatever damaged files make TFDS and array_record raise."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"The files in {prepared.path} are damaged: {images.reason(error)}."
        ) from error


def _builder(prepared: Prepared) -> Any:
    import tensorflow_datasets as tfds

    with _naming(prepared):
        builder = tfds.builder_from_directory(prepared.path)
    if builder.info.file_format.value != "array_record":
        raise ValueError(
            f"{prepared.path} is prepared as {builder.info.file_format.value}, which cannot be "
            "read without TensorFlow; `jaxgan data prepare`, given another directory, writes "
            "array_record."
        )
    return builder


def _image_and_label(builder: Any) -> tuple[str, str | None]:
    """Names of the one image feature and, if there is one, of the label."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    image_keys = [k for k, f in features.items() if isinstance(f, tfds.features.Image)]
    if len(image_keys) != 1:
        raise ValueError(
            f"{builder.info.full_name} has the features {sorted(features)}, of which "
            f"{len(image_keys)} are images; only data sets of one image a sample can be read."
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
    prepared: Prepared,
    split: str,
    image_size: int | None,
    channels: int | None,
    transparency: images.Transparency = "white",
) -> ArraySource:
    """Decodes one split of a prepared data set, or finds it in the cache.

    Args:
      prepared: of `find`.
      split: a split's whole name.
      image_size: side to which images are resized and cropped; None needs images of one size.
      channels: 1, 3, or None for what the data set has.
      transparency: what transparent pixels are laid on.

    Returns:
      The split as a source, labelled when the data set has one class label or one called "label".

    Raises:
      ValueError: an unknown split, a data set that is not of images, or damaged files.
    """
    import tensorflow_datasets as tfds

    builder = _builder(prepared)
    image_key, label_key = _image_and_label(builder)
    splits = builder.info.splits
    if split not in splits:
        raise ValueError(
            f"{prepared.full_name!r} has no split {split!r}; its splits are {', '.join(splits)}."
        )
    height, width, depth = builder.info.features[image_key].shape
    shape = (image_size or height, image_size or width, channels or (1 if depth == 1 else 3))
    if None in shape:
        raise ValueError(
            f"The images of {prepared.full_name!r} have different sizes; choose an image_size."
        )
    size = splits[split].num_examples
    layout: cache.Layout = {"images": ((size, *shape), np.uint8)}
    if label_key:
        layout |= {"labels": ((size,), np.int32)}
    with _naming(prepared):
        stats = [(prepared.path / name).stat() for name in splits[split].filenames]
    facts = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
    depends_on = (str(prepared.path), facts, layout, images.DECODING, transparency)
    key = cache.stem(f"{prepared.full_name}-{split}", *depends_on)
    arrays = cache.find(key, layout)
    if arrays is None:
        with _naming(prepared):
            records = builder.as_data_source(
                split, decoders={image_key: tfds.decode.SkipDecoding()}
            )

        def work(start: int, stop: int) -> dict[str, np.ndarray]:
            with _naming(prepared):
                examples = records.__getitems__(range(start, stop))
            named = [
                (f"Image {i} of {prepared.full_name} {split}", example[image_key])
                for i, example in enumerate(examples, start)
            ]
            block = {"images": images.decode_block(named, image_size, shape, transparency)}
            if label_key:
                block["labels"] = np.array([example[label_key] for example in examples])
            return block

        arrays = cache.store(key, layout, images.in_threads(work, size, shape))
    names = builder.info.features[label_key].names if label_key else ()

    def identify() -> tuple[Identity, ...]:
        with _naming(prepared):
            digest = digest_files([(n, prepared.path / n) for n in splits[split].filenames])
        place = str(prepared.path.resolve())
        return (Identity(prepared.name, place, size, tuple(names), digest),)

    return ArraySource(
        prepared.name,
        arrays["images"],
        arrays.get("labels"),
        class_names=tuple(names),
        identify=identify,
    )


def prepare_set(
    name: str, data_dir: str | Path | None = None, download_dir: str | Path | None = None
) -> Path:
    """Prepares a stock TFDS data set as array_record, from where it is read without TensorFlow.

    Everything happens in a hidden folder within `data_dir`, which goes away at the end: a
    failure leaves nothing behind, and so no downloads to start again from either.

    Args:
      name: `name[/config]`.
      data_dir: directory of data sets; see `default_data_dir`.
      download_dir: a directory that holds downloaded files under their registered plain names
        (train-images-idx3-ubyte.gz, horse2zebra.zip); what it does not hold is downloaded.

    Returns:
      The prepared data set's directory. A set that is there already is left as it is.

    Raises:
      ValueError: an unknown name, TensorFlow is not installed, or the preparation failed.
    """
    import tensorflow_datasets as tfds

    if not is_stock(name):
        raise ValueError(f"TFDS has no data set {name!r}{nearest(name, stock_names())}.")
    folder = expanded(data_dir) if data_dir else default_data_dir()
    if found := find(name, folder):
        _builder(found)
        return found.path
    download_dir = expanded(download_dir) if download_dir else None
    if download_dir and not download_dir.is_dir():
        raise ValueError(f"There is no directory {download_dir} of downloaded files.")
    if importlib.util.find_spec("tensorflow") is None:
        raise ValueError(
            "Preparing a TFDS data set needs TensorFlow (reading it does not), which is not "
            "installed: `pip install jaxgan[prepare]`."
        )
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".preparing-", dir=folder) as scratch:
            builder = tfds.builder(name, data_dir=scratch, file_format="array_record")
            builder.download_and_prepare(
                download_dir=Path(scratch, "downloads"),
                download_config=tfds.download.DownloadConfig(
                    manual_dir=download_dir, try_download_gcs=False
                ),
            )
            target = folder / Path(builder.data_dir).relative_to(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(builder.data_dir, target)
    except Exception as error:  # of the network, the disk, a checksum, or the set's own code
        raise ValueError(
            f"Preparing {name!r} in {folder} failed: {images.reason(error)}."
        ) from error
    return target
