"""The identity of data: where they lie, what they hold, and a digest by which a run knows them."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

WHOLE_BYTES = 1 << 27
"""Data up to this size are digested whole; of larger ones a sample of `PIECES`, and all sizes."""
PIECES, PIECE_BYTES = 512, 1 << 16


class Identity(NamedTuple):
    """Who a data set is.

    Attributes:
      name: what results call it.
      place: absolute path of what was read; None for what lies nowhere.
      samples: how many.
      classes: names of the classes, by number; empty where the data name none.
      digest: SHA-256 of what was read, in hexadecimal; the place is no part of it.
    """

    name: str
    place: str | None
    samples: int
    classes: tuple[str, ...]
    digest: str

    def to_record(self) -> dict[str, Any]:
        """The identity as JSON holds it."""
        return self._asdict()

    @classmethod
    def from_record(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_record`; a ValueError for what cannot be an identity."""
        try:
            found = cls(**values | {"classes": tuple(values["classes"])})
            texts = (found.name, found.digest, found.place or "", *found.classes)
            sound = type(found.samples) is int and all(type(text) is str for text in texts)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the identity of the data is damaged: {values!r}") from error
        if not sound:
            raise ValueError(f"the identity of the data is damaged: {values!r}")
        return found

    def difference(self, before: "Identity") -> str:
        """How these data differ from those that a run was trained on; empty for the same data.

        Where they lie, and what they are called, makes no difference.
        """
        if self[2:] == before[2:]:
            return ""
        moved = self.place != before.place and before.place
        where = f" ({before.place}, and this is {self.place or self.name})" if moved else ""
        if self.samples != before.samples:
            return (
                f"{self.name} holds {self.samples:,} samples, and the run was trained on "
                f"{before.samples:,}{where}"
            )
        if self.classes != before.classes:
            changed = class_difference(self.classes, before.classes)
            return f"{self.name} has other classes than the run was trained on: {changed}{where}"
        return (
            f"{self.name} holds {self.samples:,} samples, as many as the run was trained on, and "
            f"they are others{where}"
        )


def class_difference(names: Sequence[str], before: Sequence[str]) -> str:
    """The classes whose names have changed, by number."""
    gone = [name for name in before if name not in set(names)]
    new = [name for name in names if name not in set(before)]
    if gone or new:
        parts = [f"{_listed(gone)} gone" if gone else "", f"{_listed(new)} new" if new else ""]
        return ", ".join(filter(None, parts))
    number = next((n for n, (a, b) in enumerate(zip(names, before, strict=False)) if a != b), 0)
    return f"number {number} is {names[number]!r}, and was {before[number]!r}"


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:5]]
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"{', '.join(shown)}{more} {'is' if len(names) == 1 else 'are'}"


def digest_arrays(arrays: Mapping[str, np.ndarray], *more: object) -> str:
    """SHA-256 over arrays with their names, and over what `more` says in words.

    Of an array of more than `WHOLE_BYTES`, `PIECES` rows stand for all.
    """
    sha = hashlib.sha256(repr(more).encode())
    for name, array in sorted(arrays.items()):
        sha.update(repr((name, array.shape, array.dtype.str)).encode())
        if array.nbytes > WHOLE_BYTES:
            array = array[_spread(len(array), PIECES)]
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def digest_files(files: Sequence[tuple[str, Path]]) -> str:
    """SHA-256 over files: their names, sizes and bytes, in their order.

    Of files of more than `WHOLE_BYTES` together, `PIECES` pieces of their bytes stand for all; a
    file that changed is then noticed by its size, or by chance.

    Args:
      files: each with the name it has within the data set.

    Raises:
      OSError: one cannot be read.
    """
    sizes = [os.stat(path).st_size for _, path in files]
    sha = hashlib.sha256()
    for (name, _), size in zip(files, sizes, strict=True):
        sha.update(os.fsencode(f"{name}\0{size}\n"))
    whole = sum(sizes) <= WHOLE_BYTES
    chosen = range(len(files)) if whole else _spread(len(files), PIECES)
    for i in chosen:
        with files[i][1].open("rb") as file:
            if whole:
                sha.update(file.read())
                continue
            last = max(sizes[i] - PIECE_BYTES, 0)
            for start in np.linspace(0, last, max(PIECES // len(files), 2)).astype(int).tolist():
                file.seek(start)
                sha.update(file.read(PIECE_BYTES))
    return sha.hexdigest()


def _spread(count: int, most: int) -> np.ndarray:
    """Indices from all over [0, count), the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
