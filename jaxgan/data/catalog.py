"""Opens a source by its name."""

from pathlib import Path

from jaxgan.data import builtin
from jaxgan.data.source import ArraySource


def open_source(
    name: str,
    *,
    data_dir: str | Path | None = None,
    split: str = "train",
    image_size: int | None = None,
    channels: int | None = None,
) -> ArraySource:
    if name == "digits":
        return builtin.digits(split)
    return builtin.mixture(name, split)


def list_sources(data_dir: str | Path | None = None) -> list[tuple[str, str]]:
    return []
