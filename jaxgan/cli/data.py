"""`jaxgan data`: what can be read, how it looks, and preparing it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import tyro

from jaxgan.cli.arguments import check_out, parse

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    import numpy as np

    Sheet: TypeAlias = tuple[np.ndarray, list[str] | None]

ROWS, COLUMNS, POINTS = 10, 8, 2000
"""A contact sheet has at most this many classes, images of each, and points."""
PROBLEMS = 5
"""Files that cannot be read, named at most."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    data_dir: Path | None = None
    """Where prepared TFDS data lie; by default $TFDS_DATA_DIR or ~/tensorflow_datasets."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(DataOptions):
    name: Annotated[str, tyro.conf.Positional]
    """TFDS name, such as mnist or cycle_gan/horse2zebra."""
    downloads: Path | None = None
    """Folder with the set's files, already downloaded; without it TFDS downloads them."""


@dataclass(frozen=True, kw_only=True)
class LookOptions(DataOptions):
    name: Annotated[str, tyro.conf.Positional]
    """What `jaxgan train --data` takes: a name, an .npz file or a folder of images."""
    out: Path | None = None
    """Contact sheet to write (.png); by default NAME-sheet.png in the working directory."""
    split: str = "train"
    """Which part of the data to show."""
    image_size: int | None = None
    """Show images as training at this size would see them; by default a size that fits."""
    channels: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images."""
    transparency: Literal["white", "black", "mean"] = "white"
    """What transparent pixels of image files are laid on."""


def data(args: list[str]) -> int:
    """`jaxgan data`, `jaxgan data NAME` and `jaxgan data prepare NAME`."""
    from rich.console import Console
    from rich.table import Table

    from jaxgan.data import list_sources, prepare_set

    if args[:1] == ["prepare"]:
        wanted = parse(PrepareOptions, args[1:], "data prepare", "Prepares a stock TFDS set.")
        print(f"{wanted.name}: {prepare_set(wanted.name, wanted.data_dir, wanted.downloads)}")
        return 0
    if args and not args[0].startswith("-"):
        described = "Says what data hold and draws a contact sheet of them."
        return look(parse(LookOptions, args, "data", described))
    options = parse(
        DataOptions, args, "data", "Lists the data that can be read; `jaxgan data NAME` shows some."
    )
    if options.data_dir and not options.data_dir.is_dir():
        raise ValueError(f"there is no directory {options.data_dir}")
    table = Table("--data", "what", box=None)
    for name, description in list_sources(options.data_dir):
        table.add_row(name, description)
    Console().print(table)
    return 0


def look(options: LookOptions) -> int:
    """Prints what data hold and writes their contact sheet."""
    from jaxgan.data.catalog import folder_of
    from jaxgan.data.images import check_options
    from jaxgan.experiment.base import name_of_data
    from jaxgan.experiment.sampling import save_samples

    check_options(options.image_size, options.channels)
    out = options.out or Path(f"{name_of_data(options.name)}-sheet.png")
    check_out(out, (".png",))
    folder = folder_of(options.name, options.data_dir)
    samples, names = _of_folder(folder, options) if folder else _of_source(options)
    save_samples(out, samples, names)
    print(f"contact sheet: {out}")
    return 0


def _of_source(options: LookOptions) -> "Sheet":
    import numpy as np

    from jaxgan.data import open_source
    from jaxgan.data.survey import of_classes

    source = open_source(
        options.name,
        data_dir=options.data_dir,
        split=options.split,
        image_size=options.image_size,
        channels=options.channels,
        transparency=options.transparency,
    )
    spec, labels = source.spec, source.host.get("label")
    names = spec.class_names or tuple(map(str, range(spec.num_classes)))
    print(f"{options.split}: {source.amount}{of_classes(labels, names)}")
    if not spec.is_image:
        return source.host["real"][:POINTS], None
    indices = chosen(len(source), labels)
    return _laid_out(np.asarray(source.take(indices)["real"]), labels, indices, names)


def _of_folder(folder: Path, options: LookOptions) -> "Sheet":
    """Decodes what the sheet shows and no more: faults of other images are found by training."""
    import numpy as np

    from jaxgan.data.images import decode
    from jaxgan.data.survey import fitting_size, sentences, survey

    found = survey(folder)
    if options.split not in found.scans:
        splits = " and ".join(found.scans)
        raise ValueError(f"{options.name!r} has no split {options.split!r}; it has {splits}.")
    for line in [*sentences(found, options.transparency), *found.unreadable[:PROBLEMS]]:
        print(line)
    if found.unreadable:
        print(f"files that cannot be read, where training would stop: {len(found.unreadable):,}")
    files, labels, names = found.scans[options.split]
    readable = [n for n, path in enumerate(files) if path in found.headers]
    if not readable:
        raise ValueError(f"no image of the split {options.split!r} in {folder} can be read")
    labels = None if labels is None else labels[readable]
    size = options.image_size or fitting_size(found)
    channels = options.channels or (1 if all(h.grey for h in found.headers.values()) else 3)
    indices = chosen(len(readable), labels)
    paths = [files[readable[index]] for index in indices]
    tiles = np.stack([decode(p, str(p), size, channels, options.transparency) for p in paths])
    print(f"training sees the middle square of each image at {size}x{size}: --image-size {size}")
    if {"trainA", "trainB"} <= set(names):
        print(f"next: jaxgan train cyclegan_folders --data-x {shlex.quote(options.name)}")
    else:
        data = f"--data {shlex.quote(options.name)} --image-size {size}"
        print(f"next: jaxgan train images_folder {data}")
    return _laid_out(tiles, labels, indices, names)


def chosen(count: int, labels: "np.ndarray | None") -> "np.ndarray":
    """The numbers of the samples that a contact sheet shows, evenly from all over.

    Args:
      count: of all samples.
      labels: their classes `[count]`, or None; up to `ROWS` classes are shown.
    """
    import numpy as np

    def evenly(members: np.ndarray, most: int) -> np.ndarray:
        return members[np.linspace(0, len(members) - 1, min(len(members), most)).astype(int)]

    if labels is None:
        return evenly(np.arange(count), COLUMNS**2)
    present = np.unique(labels)[:ROWS]
    return np.concatenate([evenly(np.flatnonzero(labels == n), COLUMNS) for n in present])


def _laid_out(
    tiles: "np.ndarray", labels: "np.ndarray | None", indices: "np.ndarray", names: Sequence[str]
) -> "Sheet":
    """Images as they come, or with classes a row each, and the names of the rows."""
    from jaxgan.imaging import class_rows

    if labels is None:
        return tiles, None
    rows, classes = class_rows(tiles, labels[indices])
    return rows, [names[number] for number in classes]
