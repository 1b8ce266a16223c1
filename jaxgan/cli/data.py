"""`jaxgan data`: what can be read, and preparing it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.cli.arguments import parse


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


def data(args: list[str]) -> int:
    """`jaxgan data` and `jaxgan data prepare NAME`."""
    from rich.console import Console
    from rich.table import Table

    from jaxgan.data import list_sources, prepare_set

    if args[:1] == ["prepare"]:
        wanted = parse(PrepareOptions, args[1:], "data prepare", "Prepares a stock TFDS set.")
        print(f"{wanted.name}: {prepare_set(wanted.name, wanted.data_dir, wanted.downloads)}")
        return 0
    options = parse(DataOptions, args, "data", "Lists the data that can be read.")
    if options.data_dir and not options.data_dir.is_dir():
        raise ValueError(f"there is no directory {options.data_dir}")
    table = Table("--data", "what", box=None)
    for name, description in list_sources(options.data_dir):
        table.add_row(name, description)
    Console().print(table)
    return 0
