"""Stacked MNIST: three digits as the colour channels of one image, a set of 1,000 modes.

A stack is three images of MNIST, drawn at random and independently, as channels; digits a, b, c
make the class 100a + 10b + c. The set is which digits make each stack, three rows of MNIST, drawn
once from a fixed seed: it is the same in every process. Stacks are put together where they are
used, from the digits on the device, so the set takes no more memory than MNIST.

References:
  Metz et al., Unrolled Generative Adversarial Networks, 2017, https://arxiv.org/abs/1611.02163
  Srivastava et al., VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning,
  2017, https://arxiv.org/abs/1705.07761, for the 128,000 training stacks.
"""

import zlib
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.identity import Identity, digest_arrays
from jaxgan.data.source import ArraySource, Spec
from jaxgan.types import Array, Batch

STACKED = "stacked_mnist"
STACKS = {"train": 128_000, "test": 26_000}
"""Stacks of each split, made of the digits of the same split of MNIST."""
_PLACES = np.array([100, 10, 1], np.int32)
_BLOCK = 10_000


class StackedSpec(Spec):
    """The spec of stacks, whose source's `arrays` are digits and the rows that make up stacks."""

    __slots__ = ()

    def gather(self, arrays: Batch, indices: Array) -> Batch:
        """The stacks of `indices`, to be traced."""
        return _gather(arrays, indices)


@jax.jit
def _gather(arrays: Batch, indices: Array) -> Batch:
    rows = arrays["rows"][indices]
    channels = arrays["real"][rows][..., 0]  # [n, 3, H, W]
    label = arrays["label"][rows] @ jnp.asarray(_PLACES)
    return {"real": jnp.moveaxis(channels, 1, -1), "label": label}


class StackedSource(ArraySource):
    """Stacks of three digits.

    Args:
      digits: grey images, labelled 0 to 9.
      rows: which digits make each stack, integers `[N, 3]`.
      name: what results call it.

    Attributes:
      digits: as given.
      rows: as given.
      arrays: on the device, `real` and `label` of the digits and `rows`; None where the digits do
        not fit there. `spec.gather` makes stacks of them.

    Raises:
      ValueError: digits that are not grey, labelled images of 10 classes, or rows that are not of
        them.
    """

    def __init__(self, digits: ArraySource, rows: np.ndarray, name: str = STACKED) -> None:
        if not (digits.spec.is_image and digits.spec.shape[-1] == 1):
            raise ValueError(f"stacks are made of grey images, and {digits.name!r} holds others")
        if digits.spec.num_classes != 10:
            raise ValueError(
                f"stacks are made of images of 10 classes, and {digits.name!r} has "
                f"{digits.spec.num_classes}"
            )
        if rows.ndim != 2 or rows.shape[1] != 3 or not rows.size or rows.dtype.kind not in "iu":
            raise ValueError(f"rows must be integers [N, 3], not {rows.dtype} {list(rows.shape)}")
        if rows.min() < 0 or rows.max() >= len(digits):
            raise ValueError(
                f"rows into {digits.name!r} must be from 0 to {len(digits) - 1}, and reach from "
                f"{rows.min()} to {rows.max()}"
            )
        self.name, self.digits, self.rows = name, digits, rows.astype(np.int32)
        self.device_limit = digits.device_limit
        self.spec = StackedSpec((*digits.spec.shape[:2], 3), 1000, gauge="stacked")

    @cached_property
    def host(self) -> dict[str, np.ndarray]:  # type: ignore[override]
        """All stacks in NumPy arrays, made when first asked for: 301 MB of 28x28 digits."""
        blocks = range(0, len(self), _BLOCK)
        parts = [self._on_host(np.arange(i, min(i + _BLOCK, len(self)))) for i in blocks]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @cached_property
    def identities(self) -> tuple[Identity, ...]:
        """The identity of the stacks: the digits, and the rows they are made of."""
        (digits,) = self.digits.identities
        digest = digest_arrays({"rows": self.rows}, digits.digest)
        return (Identity(self.name, digits.place, len(self), (), digest),)

    @cached_property
    def arrays(self) -> Batch | None:
        digits = self.digits.arrays
        return None if digits is None else digits | {"rows": jax.device_put(self.rows)}

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: np.ndarray) -> Batch:
        """Stacks by index; see `Source.take`. An index out of range is a ValueError."""
        indices = self.checked(indices)
        if self.arrays is not None:
            return _gather(self.arrays, indices)
        return {name: jax.device_put(array) for name, array in self._on_host(indices).items()}

    def _on_host(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        rows, host = self.rows[indices], self.digits.host
        real = np.moveaxis(host["real"][rows][..., 0], 1, -1)
        return {"real": np.ascontiguousarray(real), "label": host["label"][rows] @ _PLACES}


def stack(digits: ArraySource, split: str) -> StackedSource:
    """The stacks of a split, the same whenever the digits are.

    Args:
      digits: MNIST's images of this split.
      split: "train" or "test", which are drawn from different fixed seeds.
    """
    rng = np.random.default_rng(zlib.crc32(f"{STACKED}/{split}".encode()))
    return StackedSource(digits, rng.integers(len(digits), size=(STACKS[split], 3), dtype=np.int32))
