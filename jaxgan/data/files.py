"""Data that users bring: .npz files of arrays and folders of images."""

import math
import os
import re
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from jaxgan.data import cache, images
from jaxgan.data.identity import Identity, digest_arrays, digest_files
from jaxgan.data.source import ArraySource, machine_memory
from jaxgan.files import refuse_undecodable
from jaxgan.working import working

_KEYS = ("images", "points", "labels", "label_names")
_CHUNK = 1 << 24


def open_npz(path: Path) -> ArraySource:
    """Reads a .npz file.

    Its arrays: `images` uint8 [N, H, W, C] or [N, H, W] with 1 or 3 channels, or `points` floats
    [N, D]; and optionally `labels`, integers [N] from 0, with `label_names`, strings [K]. Nothing
    is ever unpickled.

    Raises:
      ValueError: anything else, named together with the file.
    """
    arrays, found = read_npz(path, _KEYS)
    kinds = [key for key in ("images", "points") if key in arrays]
    if len(kinds) != 1:
        raise ValueError(
            f"{path} holds the arrays {found}; it must hold either 'images' or 'points', "
            "and may hold 'labels' and 'label_names'."
        )
    real, labels, names = arrays[kinds[0]], arrays.get("labels"), arrays.get("label_names")
    if names is None:
        names = np.empty(0, str)
    elif names.dtype.kind != "U" or names.ndim != 1 or labels is None:
        raise ValueError(
            f"'label_names' in {path} is {names.dtype} of shape {list(names.shape)}; it must be "
            "strings of shape [K], beside 'labels'."
        )
    if kinds == ["images"]:
        check_images(path, "images", real)
    if labels is not None:
        _check_one_hot(path, labels)
    if kinds == ["images"] and real.ndim == 3:
        real = real[..., None]
    if real.ndim != (4 if kinds == ["images"] else 2):
        raise ValueError(
            f"{kinds[0]!r} in {path} has shape {list(real.shape)}; images have [N, H, W, C] or "
            "[N, H, W], points have [N, D]."
        )
    _check_classes(path, labels, names)
    class_names = tuple(map(str, names))

    def identify() -> tuple[Identity, ...]:
        read = {"real": real} | ({} if labels is None else {"label": labels})
        digest = digest_arrays(read)
        return (Identity(str(path), str(path.resolve()), len(real), class_names, digest),)

    return ArraySource(str(path), real, labels, class_names=class_names, identify=identify)


def read_npz(path: Path, keys: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of a .npz file that have one of these names, and the names of all.

    Raises:
      ValueError: a file that is missing, damaged, or larger than memory.
    """
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is damaged or no .npz file: those are zip archives.")
    try:
        size = _unpacked_size(path, keys)
    except Exception as error:  # as below
        raise ValueError(f"{path} is damaged: {images.reason(error)}.") from error
    if size > machine_memory():
        raise ValueError(
            f"{path} unpacks to {size / 1e9:,.0f} GB, and this machine has "
            f"{machine_memory() / 1e9:,.0f} GB of memory."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            found = sorted(file)
            return {key: _array(path, file, key) for key in keys if key in found}, found
    except Exception as error:  # NumPy and zipfile raise ten types for damaged files
        raise ValueError(
            f"{path} cannot be read as a .npz file of arrays without Python objects: "
            f"{images.reason(error)}."
        ) from error


def _array(path: Path, file: "np.lib.npyio.NpzFile", key: str) -> np.ndarray:
    """An array of an archive: as it lies in the file where it is not compressed, without a copy."""
    archive = file.zip
    assert archive is not None  # It is open.
    entry = archive.getinfo(key if key in archive.namelist() else f"{key}.npy")
    with archive.open(entry) as stream:
        if entry.compress_type != zipfile.ZIP_STORED or np.lib.format.read_magic(stream) != (1, 0):
            return file[key]
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        if dtype.hasobject or math.prod(shape) == 0:
            return file[key]
        header = stream.tell()
        while stream.read(_CHUNK):  # To the end, where the archive's checksum is compared.
            pass
    with path.open("rb") as raw:
        raw.seek(entry.header_offset + 26)  # Lengths of the name and of what follows it.
        header += 30 + sum(struct.unpack("<HH", raw.read(4)))
    order: Literal["C", "F"] = "F" if fortran else "C"
    return np.memmap(path, dtype, "r", entry.header_offset + header, shape, order)


def check_images(path: Path, key: str, real: np.ndarray) -> None:
    """Raises a ValueError that says how to convert images of the commonest other forms."""
    if np.issubdtype(real.dtype, np.floating):
        low = float(real.min()) if real.size else 0.0
        scale = "images * 255" if low >= 0 else "(images + 1) * 127.5"
        if real.size and real.max() > 1:
            scale = "images"
        scale = scale.replace("images", key)
        raise ValueError(
            f"{key!r} in {path} are {real.dtype}, and must be uint8 from 0 to 255; convert them "
            f"with np.rint({scale}).clip(0, 255).astype(np.uint8)."
        )
    if real.ndim == 4 and real.shape[1] in (1, 3) and real.shape[-1] not in (1, 3):
        raise ValueError(
            f"{key!r} in {path} has shape {list(real.shape)}, channels first, and must be "
            f"[N, H, W, C]; convert them with np.moveaxis({key}, 1, -1)."
        )


def _check_one_hot(path: Path, labels: np.ndarray) -> None:
    """Raises a ValueError that says how to convert labels that are rows of zeros and a one."""
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return
    if ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all():
        raise ValueError(
            f"'labels' in {path} are one-hot, of shape {list(labels.shape)}, and must be integers "
            f"[{len(labels)}]; convert them with labels.argmax(axis=1)."
        )


def _check_classes(path: Path, labels: np.ndarray | None, names: np.ndarray) -> None:
    """Raises a ValueError for classes without a sample, which no network could learn."""
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size:
        return  # `ArraySource` says what is wrong with other labels.
    found = np.unique(labels)
    count = max(len(names), int(found[-1]) + 1)
    if found[0] < 0 or len(found) == count or (len(names) and count > len(names)):
        return
    shown = ", ".join([*map(str, found[:8]), *(["..."] if len(found) > 8 else [])])
    named = ", and label_names = label_names[found]" if len(names) else ""
    raise ValueError(
        f"'labels' in {path} are {shown}, which makes {count:,} classes from 0 of which "
        f"{count - len(found):,} have no sample; number them anew with found, labels = "
        f"np.unique(labels, return_inverse=True){named}."
    )


def _unpacked_size(path: Path, keys: Sequence[str]) -> int:
    """Bytes of the arrays that would be read, as the archive's directory tells; no more is read."""
    names = {name for key in keys for name in (key, f"{key}.npy")}
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist() if entry.filename in names)


def folder_splits(folder: Path) -> list[str]:
    """The splits of a folder of images: its sub-folders train and test, or else all as "train"."""
    names = {entry.name for entry in _listed(folder, folder) if entry.is_dir()}
    return ["train", "test"] if names >= {"train", "test"} else ["train"]


def open_folder(
    folder: Path,
    split: str,
    image_size: int | None,
    channels: int | None,
    transparency: images.Transparency = "white",
) -> ArraySource:
    """Decodes a folder of images, or a folder of one sub-folder a class.

    Images are taken in the order of their paths, and classes in the natural order of their names:
    1, 2, 10. Hidden files, and files whose names do not end like an image's, are passed over; there
    is one level of classes. The decoded images are cached under a fingerprint of every
    file's path, size and time of change.

    Args:
      folder: holds images (unlabelled), or folders of images (labelled), or `train` and `test`,
        each of which is such a folder.
      split: one of `folder_splits(folder)`.
      image_size: side to which images are resized and cropped; None needs images of one size.
      channels: 1, 3, or None for grey when all images are grey, and colour otherwise.
      transparency: what transparent pixels are laid on.

    Returns:
      The split as a source.

    Raises:
      ValueError: a folder that is missing, empty or mixed, a link that leads out of it, or an
        image that is damaged, too large or of another size.
    """
    scans = scan_splits(folder)
    if len({found.class_names for found in scans.values()}) > 1:
        raise ValueError(
            f"train and test in {folder} must have the same classes, and have "
            f"{list(scans['train'].class_names)} and {list(scans['test'].class_names)}."
        )
    files, labels, class_names = scans[split]
    # Both splits decide on size and channels, so that they have one shape.
    every = [path for found in scans.values() for path in found.files]
    options = (split, image_size, channels, images.DECODING, transparency)
    key = cache.stem(folder.name, str(folder.resolve()), facts_of(every, folder), *options)
    arrays = cache.find(key, ["images"])
    if arrays is None:
        shape = common_shape(every, image_size, channels)

        def work(start: int, stop: int) -> dict[str, np.ndarray]:
            named = [(str(path), path) for path in files[start:stop]]
            return {"images": images.decode_block(named, image_size, shape, transparency)}

        layout: cache.Layout = {"images": ((len(files), *shape), np.uint8)}
        arrays = cache.store(key, layout, images.in_threads(work, len(files), shape))

    identify = partial(identify_files, folder, files, class_names)
    return ArraySource(
        str(folder), arrays["images"], labels, class_names=class_names, identify=identify
    )


def facts_of(files: Sequence[Path], folder: Path) -> list[tuple[str, int, int]]:
    """Path within the folder, size and time of change of each file: another one is seen by them."""
    stats = zip(names_within(files, folder), map(os.stat, files), strict=True)
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def names_within(files: Sequence[Path], folder: Path) -> list[str]:
    """Each file's path from the folder on; `relative_to` takes a second for 100,000 of them."""
    skipped = len((folder / "_").as_posix()) - 1
    return [path.as_posix()[skipped:] for path in files]


def identify_files(
    folder: Path, files: Sequence[Path], class_names: tuple[str, ...] = ()
) -> tuple[Identity, ...]:
    """The identity of a set read from these files of a folder; a ValueError where one is gone."""
    try:
        digest = digest_files(list(zip(names_within(files, folder), files, strict=True)))
    except OSError as error:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return (Identity(str(folder), str(folder.resolve()), len(files), class_names, digest),)


class Scan(NamedTuple):
    """Images of a folder by path, with their classes where it holds folders of images."""

    files: list[Path]
    labels: np.ndarray | None
    class_names: tuple[str, ...]


def scan_splits(folder: Path) -> dict[str, Scan]:
    """The images and classes of each split of a folder, by `folder_splits`."""
    splits = folder_splits(folder)
    return {s: scan(folder / s if len(splits) > 1 else folder, folder) for s in splits}


def scan(folder: Path, root: Path) -> Scan:
    """Finds the images and classes of a folder within `root`."""
    files, classes = entries(folder, root)
    tell_passed_over([folder, *classes])
    if files and classes:
        raise ValueError(
            f"{folder} holds both images ({files[0].name}, ...) and folders ({classes[0].name}, "
            "...); it must hold either images, or one folder of images a class."
        )
    if files:
        return Scan(files, None, ())
    labels = []
    classes.sort(key=lambda path: natural(path.name))
    for label, class_folder in enumerate(classes):
        members, deeper = entries(class_folder, root)
        if deeper or not members:
            found = f"the folder {deeper[0].name}" if deeper else "no images"
            raise ValueError(
                f"The class folder {class_folder} holds {found}; it must hold images only."
            )
        files += members
        labels += [label] * len(members)
    if not files:
        raise ValueError(
            f"{folder} holds no images (files that end in {', '.join(images.EXTENSIONS)})."
        )
    return Scan(files, np.array(labels, np.int32), tuple(path.name for path in classes))


def natural(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sorts names as people number them: 1, 2, 10, and a2 before a10."""
    parts = re.findall("[0-9]+|[^0-9]+", name)
    order = [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]
    return order, name  # 1 and 01 are of one place, and apart.


def entries(folder: Path, root: Path) -> tuple[list[Path], list[Path]]:
    """Image files and folders directly in a folder, in order of name; hidden ones are left out.

    Args:
      folder: where to look.
      root: what links must not lead out of.

    Raises:
      ValueError: the folder cannot be read, or a link leads out of `root` or nowhere.
    """
    found, endings = _listed(folder, root), images.EXTENSIONS
    files = [e.name for e in found if e.name.lower().endswith(endings) and e.is_file()]
    folders = [entry.name for entry in found if entry.is_dir()]
    return [folder / name for name in files], [folder / name for name in folders]


def _listed(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    """What is not hidden in a folder, in order of name, and checked as `entries` says.

    An entry knows what kind it is, for which a path would ask the system again.
    """
    try:
        with os.scandir(folder) as every:
            found = [entry for entry in every if not entry.name.startswith(".")]
    except OSError as error:
        raise ValueError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    found.sort(key=lambda entry: entry.name)
    for entry in found:
        refuse_undecodable(entry.path)
        if entry.is_symlink() and not leads_into(Path(entry.path), root):
            raise ValueError(
                f"{entry.path} is a link that leads out of {root} or nowhere; only links within it "
                "are followed."
            )
    return found


def tell_passed_over(folders: Sequence[Path]) -> None:
    """Warns, once for all folders, of images in them of kinds that are not read."""
    found: Counter[str] = Counter()
    for folder in folders:
        with suppress(OSError):  # `entries` says what cannot be read.
            names = [name.lower() for name in os.listdir(folder) if not name.startswith(".")]
            unread = [name for name in names if name.endswith(images.UNREAD)]
            found.update(os.path.splitext(name)[1] for name in unread)
    if found:
        counts = ", ".join(f"{count} {ending}" for ending, count in sorted(found.items()))
        warnings.warn(
            f"images of kinds that are not read are passed over in {folders[0]}: {counts}; "
            f"convert them to one of {', '.join(images.EXTENSIONS)}",
            stacklevel=2,
        )


def leads_into(path: Path, root: Path) -> bool:
    """Whether a path, all links followed, is something within `root`."""
    try:
        return path.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # nowhere, or in a circle
        return False


def common_shape(
    files: Sequence[Path], image_size: int | None, channels: int | None
) -> tuple[int, int, int]:
    """The shape [H, W, C] that all images will have; reads no more than their headers."""
    headers = []
    with working("reading headers", len(files)) as reach:
        for number, path in enumerate(files):
            headers.append(images.probe(path))
            reach(number)
    if channels is None:
        channels = 1 if all(header.grey for header in headers) else 3
    if image_size is not None:
        return image_size, image_size, channels
    height, width = headers[0][:2]
    for path, header in zip(files, headers, strict=True):
        if header[:2] != (height, width):
            raise ValueError(
                f"{path} is {header[0]} x {header[1]} and {files[0]} is {height} x {width}; "
                "choose an image_size to resize all images to one size."
            )
    return height, width, channels
