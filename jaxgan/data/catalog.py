"""What a data set's name may be, and what can be read."""

import shlex
from pathlib import Path

from jaxgan.data import builtin, images, stacked, tfds
from jaxgan.data.files import folder_splits, open_folder, open_npz
from jaxgan.data.source import ArraySource
from jaxgan.files import expanded

BUILTIN = {
    "digits": "8x8x1 images, train 1,437, test 360 (scikit-learn)",
    "ring": "points of 8 Gaussians on a circle, train 100,000, test 100,000",
    "grid": "points of 25 Gaussians on a square, train 100,000, test 100,000",
}


def open_source(
    name: str,
    *,
    data_dir: str | Path | None = None,
    split: str = "train",
    image_size: int | None = None,
    channels: int | None = None,
    transparency: images.Transparency = "white",
) -> ArraySource:
    """Opens a data set by name.

    Args:
      name: the first of these that it is: a key of `BUILTIN`; `stacked_mnist`
        (`jaxgan.data.stacked`), made of MNIST in `data_dir`; a path that ends in .npz (`open_npz`);
        a TFDS data set that is prepared in `data_dir`, `name[/config][:version]`; a folder of
        images (`open_folder`). A folder that has a data set's name is `./name`.
      data_dir: directory of prepared TFDS data sets; $TFDS_DATA_DIR by default, else
        ~/tensorflow_datasets.
      split: "train" or "test"; for TFDS any split's whole name.
      image_size: side to which images are resized (antialiased, the shorter side) and cropped
        about the centre. None leaves them as they are and needs images of one size.
      channels: 1 or 3; None leaves images as they are.
      transparency: what transparent pixels of image files are laid on.

    Returns:
      The source.

    Raises:
      ValueError: an unknown name or split, or data that cannot be read.
    """
    images.check_options(image_size, channels)
    path, tfds_dir = expanded(name), _data_dir(data_dir)
    if name == stacked.STACKED:
        return _stacked(split, tfds_dir, image_size, channels)
    if name in BUILTIN:
        _check_split(name, split, ["train", "test"])
        source = builtin.digits(split) if name == "digits" else builtin.mixture(name, split)
        return _refit(source, image_size, channels)
    if path.suffix == ".npz":
        _check_split(name, split, ["train"])
        return _refit(open_npz(path), image_size, channels)
    is_path = path.is_absolute() or name.startswith((".", "~"))
    if folder := folder_of(name, data_dir):
        _check_split(name, split, folder_splits(folder))
        return open_folder(folder, split, image_size, channels, transparency)
    if not is_path and (prepared := tfds.find(name, tfds_dir)):
        return tfds.open_prepared(prepared, split, image_size, channels, transparency)
    if not is_path and tfds.is_stock(name):
        raise ValueError(
            f"The data set {name!r} is known to TFDS but not prepared in {tfds_dir}: run "
            f"`jaxgan data prepare {name} --data-dir {shlex.quote(str(tfds_dir))}`."
        )
    if path.is_file():
        raise ValueError(f"{name} is a file; data are read from .npz files and folders of images.")
    if is_path or "/" in name:
        raise ValueError(f"There is no folder of images {name}.")
    here = [p.name for p in tfds.prepared_sets(tfds_dir)]
    known = [*BUILTIN, stacked.STACKED, *here, *tfds.stock_names()]
    raise ValueError(
        f"There is no data set {name!r}, which must be one that `jaxgan data` lists, a TFDS data "
        f"set, a .npz file or a folder of images{tfds.nearest(name, known)}."
    )


def folder_of(name: str, data_dir: str | Path | None = None) -> Path | None:
    """The folder of images that a data set's name means; None where it means anything else."""
    path = expanded(name)
    if not name or name in (*BUILTIN, stacked.STACKED) or path.suffix == ".npz":
        return None
    if not path.is_dir():
        return None
    is_path = path.is_absolute() or name.startswith((".", "~"))
    return path if is_path or not tfds.find(name, _data_dir(data_dir)) else None


def list_sources(data_dir: str | Path | None = None) -> list[tuple[str, str]]:
    """Names that `open_source` takes, each with a description: built in, and prepared by TFDS."""
    prepared = tfds.prepared_sets(_data_dir(data_dir))
    listed = [*BUILTIN.items(), *((p.full_name, tfds.describe(p)) for p in prepared)]
    if any(p.name == "mnist" for p in prepared):
        counts = ", ".join(f"{split} {count:,}" for split, count in stacked.STACKS.items())
        what = f"three digits of mnist as 28x28x3 images of 1,000 classes, {counts}"
        listed.append((stacked.STACKED, what))
    return listed


def _stacked(
    split: str, data_dir: Path, image_size: int | None, channels: int | None
) -> stacked.StackedSource:
    name = stacked.STACKED
    _check_split(name, split, list(stacked.STACKS))
    if channels == 1:
        raise ValueError(f"{name!r} has a digit in each of 3 channels, and channels is 1.")
    mnist = tfds.find("mnist", data_dir)
    if mnist is None:
        raise ValueError(
            f"{name!r} is made of MNIST, which is not prepared in {data_dir}: run "
            f"`jaxgan data prepare mnist --data-dir {shlex.quote(str(data_dir))}`."
        )
    return stacked.stack(tfds.open_prepared(mnist, split, image_size, 1), split)


def _data_dir(data_dir: str | Path | None) -> Path:
    return expanded(data_dir) if data_dir else tfds.default_data_dir()


def _check_split(name: str, split: str, splits: list[str]) -> None:
    if split not in splits:
        raise ValueError(f"{name!r} has no split {split!r}; it has {' and '.join(splits)}.")


def _refit(source: ArraySource, image_size: int | None, channels: int | None) -> ArraySource:
    if image_size is None and channels is None:
        return source
    if not source.spec.is_image:
        raise ValueError(f"{source.name!r} holds points; image_size and channels are for images.")
    real = images.refit(source.host["real"], image_size, channels)
    labels, names = source.host.get("label"), source.spec.class_names
    return ArraySource(
        source.name, real, labels, class_names=names, identify=lambda: source.identities
    )
