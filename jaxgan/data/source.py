"""What a data set is: samples that can be taken by index, and a description of one of them.

Images are uint8 `[N, H, W, C]` and stay so until the jitted step normalises them; points are
float32 `[N, D]`. Labels are int32 `[N]`, from 0.
"""

import mmap
import os
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.identity import Identity, digest_arrays
from jaxgan.types import Array, Batch

_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),  # of control groups, version 2 and 1
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_CHUNK = 1 << 26  # bytes
DEVICE_LIMIT = 1 << 30
"""Bytes up to which a set is kept whole on the device."""


def machine_memory() -> int:
    """Bytes of memory that this process may have: the machine's, or fewer in a container."""
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([has, *filter(None, map(_limit, _LIMITS))])


def _limit(path: Path) -> int | None:
    """A limit that the system states in a file; None where there is no such file, or no limit."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max"
        return None


def device_memory() -> int:
    """Bytes of memory that a device may use: the machine's where it says none, as a CPU does."""
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit") or machine_memory()


class Spec(NamedTuple):
    """Description of one sample.

    Attributes:
      shape: `(H, W, C)` of an image, `(D,)` of a point.
      num_classes: number of labels, or 0 when the data are unlabelled.
      class_names: one name a class, or empty when the data name none.
      gauge: what samples are measured by, a name in `evaluation.GAUGES`; empty: by shape and
        labels.
    """

    shape: tuple[int, ...]
    num_classes: int
    class_names: tuple[str, ...] = ()
    gauge: str = ""

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    def to_record(self) -> dict[str, Any]:
        """The spec as JSON holds it."""
        return self._asdict()

    @classmethod
    def from_record(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_record`; a ValueError for what cannot be a spec."""
        try:
            spec = cls(
                tuple(values["shape"]),
                values["num_classes"],
                tuple(values["class_names"]),
                values["gauge"],
            )
            sound = all(type(n) is int and n >= 0 for n in (*spec.shape, spec.num_classes))
        except (KeyError, TypeError) as error:
            raise ValueError(f"the spec of the data is damaged: {values!r}") from error
        if not sound or not all(type(name) is str for name in (*spec.class_names, spec.gauge)):
            raise ValueError(f"the spec of the data is damaged: {values!r}")
        return spec

    def example(self, count: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and types of a batch of `count` samples."""
        kind = jnp.uint8 if self.is_image else jnp.float32
        batch = {"real": jax.ShapeDtypeStruct((count, *self.shape), kind)}
        if self.num_classes:
            batch["label"] = jax.ShapeDtypeStruct((count,), jnp.int32)
        return batch

    def gather(self, arrays: Batch, indices: Array) -> Batch:
        """The samples of `indices` from a source's `arrays`, to be traced."""
        return {name: array[indices] for name, array in arrays.items()}


def class_number(name: str, names: Sequence[str]) -> int | None:
    """The number of the class that a text names; None if there is no such class.

    A class goes by its name, or by its number in digits. Where names are numbers themselves, as
    those of digits and of folders 1, 2, 10, a number is a name and nothing else.

    Args:
      name: what was asked for.
      names: of the classes, by number.
    """
    if name in names:
        return list(names).index(name)
    if not name.isdecimal() or any(each.isdecimal() for each in names):
        return None
    return int(name) if int(name) < len(names) else None


class Source(Protocol):
    """An index-addressable data set; anything with these five members is one.

    A source may have `identities`, as `ArraySource` has: runs then know their data again.

    Attributes:
      name: what results call it.
      spec: description of one sample.
      arrays: the whole set on the device, `{"real": [N, ...], "label": [N]}`, or None when it
        does not fit there.
    """

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> Spec: ...

    @property
    def arrays(self) -> Batch | None: ...

    def __len__(self) -> int: ...

    def take(self, indices: np.ndarray) -> Batch:
        """Samples by index.

        Args:
          indices: integers [n], each in [0, len(self)).

        Returns:
          `real` uint8 [n, H, W, C] or float32 [n, D], and `label` int32 [n] when labelled.
        """


@jax.jit
def _gather(arrays: dict[str, Array], indices: Array) -> dict[str, Array]:
    return {name: array[indices] for name, array in arrays.items()}


class ArraySource:
    """A data set held in NumPy arrays, which may be memory maps of files.

    Opening touches no device: the copy on the device is made when `arrays` or `take` first asks.
    What is too large for that is taken from the file of a memory map by reading: a file cut short
    meanwhile is an error then, where a memory map would kill the process.

    Args:
      name: what results call it.
      real: uint8 [N, H, W, C] with C of 1 or 3, or floats [N, D].
      labels: integers [N] from 0, or None.
      class_names: one name a class; their number then sets `num_classes`, which is otherwise one
        more than the largest label.
      gauge: as `Spec` has it.
      device_limit: bytes of `real` above which batches are gathered on the host instead.
      identify: gives `identities`, where the arrays were made of something else, such as files;
        by default it is the arrays that are known again.

    Raises:
      ValueError: shapes, types or labels that do not fit together.
    """

    def __init__(
        self,
        name: str,
        real: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        class_names: tuple[str, ...] = (),
        gauge: str = "",
        device_limit: int = DEVICE_LIMIT,
        identify: Callable[[], tuple[Identity, ...]] | None = None,
    ) -> None:
        self.name, self._identify = name, identify
        self.device_limit = device_limit
        self.host = {"real": _check_real(name, real)}
        num_classes = 0
        if labels is not None:
            num_classes = _check_labels(name, labels, len(real), class_names)
            self.host["label"] = np.array(labels, np.int32)  # In memory: it is small.
        streamed = self.host["real"].nbytes > device_limit
        self._rows = _row_reader(self.host["real"]) if streamed else None
        self.spec = Spec(tuple(real.shape[1:]), num_classes, tuple(class_names), gauge)

    @cached_property
    def identities(self) -> tuple[Identity, ...]:
        """The identities of the data, one for each set. They are digested when first asked for.

        Raises:
          ValueError: they cannot be read any more.
        """
        if self._identify:
            found = self._identify()
            let_go(self.host["real"])
            return found
        digest = digest_arrays(self.host)
        for array in self.host.values():
            let_go(array)
        return (Identity(self.name, None, len(self), self.spec.class_names, digest),)

    @cached_property
    def arrays(self) -> Batch | None:
        if self.host["real"].nbytes > self.device_limit:
            return None
        return {name: jax.device_put(_in_memory(array)) for name, array in self.host.items()}

    @property
    def amount(self) -> str:
        """How many samples there are, and of what shape, in words."""
        shape = "x".join(map(str, self.spec.shape))
        if self.spec.is_image:
            return f"{len(self):,} images of {shape}"
        return f"{len(self):,} points of {shape} numbers"

    def __len__(self) -> int:
        return len(self.host["real"])

    def take(self, indices: np.ndarray) -> Batch:
        """Samples by index; see `Source.take`.

        Raises:
          ValueError: an index is out of range, or the file of a memory map lost its samples.
        """
        indices = self.checked(indices)
        if self.arrays is not None:
            return _gather(self.arrays, indices)
        rows = {name: array[indices] for name, array in self.host.items() if name != "real"}
        real = self._rows(indices) if self._rows else self.host["real"][indices]
        return {name: jax.device_put(array) for name, array in ({"real": real} | rows).items()}

    def checked(self, indices: np.ndarray) -> np.ndarray:
        """The indices as an array; a ValueError when one is out of range."""
        indices = np.asarray(indices)
        # A gather on the device clamps what is out of range, and NumPy counts -1 from the end.
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self):
            raise ValueError(
                f"Indices into {self.name!r} must be from 0 to {len(self) - 1}, and reach from "
                f"{indices.min()} to {indices.max()}."
            )
        return indices

    def __repr__(self) -> str:
        return f"ArraySource({self.name!r}, {len(self)} samples, {self.spec})"


def _in_memory(array: np.ndarray) -> np.ndarray:
    """An array that no file stands behind, held once.

    A CPU takes arrays as they lie where they begin at a multiple of 64 bytes, and copies others. Of
    a memory map it would go on reading the file.
    """
    if not isinstance(array, np.memmap):
        return array
    room = np.empty(array.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    rows = max(1, _CHUNK * len(array) // array.nbytes)
    for first in range(0, len(array), rows):
        copy[first : first + rows] = array[first : first + rows]
        let_go(array)
    return copy


def let_go(array: np.ndarray) -> None:
    """Gives back the memory of what was read of a memory map; it is read again when needed."""
    if isinstance(array, np.memmap) and hasattr(array._mmap, "madvise"):  # type: ignore[attr-defined]
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def _row_reader(array: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
    """Rows of a memory map by index, read from its file; None for any other array.

    The file is kept open, so that deleting it changes nothing.
    """
    if not (isinstance(array, np.memmap) and array.filename and array.flags.c_contiguous):
        return None
    path = os.fspath(array.filename)
    # A map begins at a whole page of the file, and the array, which may be a part, within it.
    page = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    mapped = np.frombuffer(array._mmap, np.uint8)  # type: ignore[attr-defined]
    start = page + array.ctypes.data - mapped.ctypes.data
    size, shape, dtype = array.nbytes // len(array), array.shape[1:], array.dtype
    descriptor = os.open(path, os.O_RDONLY)

    def rows(indices: np.ndarray) -> np.ndarray:
        block = np.empty((len(indices), *shape), dtype)
        places = block.reshape(-1).view(np.uint8).data
        for row, index in enumerate(indices.tolist()):
            place = places[row * size : (row + 1) * size]
            try:
                count = os.preadv(descriptor, [place], start + index * size)
            except OSError as error:
                raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
            if count != size:
                raise ValueError(f"{path} was cut short while in use: sample {index} is missing.")
        return block

    weakref.finalize(rows, os.close, descriptor)
    return rows


def _check_real(name: str, real: np.ndarray) -> np.ndarray:
    image = real.dtype == np.uint8 and real.ndim == 4 and real.shape[-1] in (1, 3)
    point = np.issubdtype(real.dtype, np.floating) and real.ndim == 2
    if not (image or point) or 0 in real.shape:
        raise ValueError(
            f"{name!r} holds {real.dtype} of shape {list(real.shape)}; samples must be uint8 "
            "images [N, H, W, C] with 1 or 3 channels, or floating-point points [N, D], and at "
            "least one of them."
        )
    if point and not np.isfinite(real).all():
        raise ValueError(f"{name!r} holds points that are infinite or not a number.")
    return real if image else real.astype(np.float32, copy=False)


def _check_labels(name: str, labels: np.ndarray, size: int, class_names: tuple[str, ...]) -> int:
    """Checks labels and returns the number of classes."""
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (size,):
        raise ValueError(
            f"The labels of {name!r} are {labels.dtype} of shape {list(labels.shape)}; they must "
            f"be integers of shape [{size}], one a sample."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > np.iinfo(np.int32).max - 1:
        raise ValueError(
            f"The labels of {name!r} reach from {low} to {high}; they must count from 0 and fit "
            "in 32 bits."
        )
    if class_names and high >= len(class_names):
        raise ValueError(
            f"The labels of {name!r} reach {high}, which needs {high + 1} class names, and there "
            f"are {len(class_names)}."
        )
    return len(class_names) or high + 1
