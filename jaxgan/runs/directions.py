"""Directions in a run's latent space, named and kept beside the run."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgan.files import whole_file

FILE = "directions.npz"


class Direction(NamedTuple):
    """One direction.

    Attributes:
      vector: float32 `[L]`, of length 1.
      method: how it was found, in words.
      step: of the checkpoint that it was found for.
    """

    vector: np.ndarray
    method: str
    step: int


def read_directions(directory: Path) -> dict[str, Direction]:
    """The directions of a run by name; none where nothing was found yet.

    Raises:
      ValueError: for a damaged file.
    """
    path = directory / FILE
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[key] for key in ("names", "vectors", "methods", "steps")]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged: delete it and find its directions anew") from error
    return {
        str(name): Direction(vector, str(method), int(step))
        for name, vector, method, step in zip(*arrays, strict=True)
    }


def write_directions(directory: Path, directions: dict[str, Direction]) -> Path:
    """Writes all directions of a run, whole or not at all; returns the file's path."""
    path = directory / FILE
    with whole_file(path) as file:
        np.savez(
            file,
            names=np.array(list(directions)),
            vectors=np.stack([each.vector for each in directions.values()]),
            methods=np.array([each.method for each in directions.values()]),
            steps=np.array([each.step for each in directions.values()]),
        )
    return path
