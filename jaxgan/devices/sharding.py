"""Where arrays lie: one mesh of all devices, with one axis, over which batches are split.

Steps are written for the global batch. Its rows are split over the mesh, parameters are whole on
every device or, where they are too large for that, split too, and XLA's partitioner finds what
each device computes and sums. So batch statistics are of the global batch, every draw is the one
of a single device, and nothing but the last places of sums depends on the number of devices.
"""

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, Sharding
from jax.sharding import PartitionSpec as P

from jaxgan.types import Array, Batch, PyTree

AXIS = "data"
SMALLEST_SPLIT = 1 << 14
"""Numbers from which an array is split with `shard_parameters`; a transfer has its price."""


def data_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Devices along the axis `data`, left to XLA's partitioner (`Auto`); by default all there are,
    of all processes."""
    count = jax.device_count() if devices is None else len(devices)
    return jax.make_mesh((count,), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def described(mesh: Mesh) -> str:
    """Which devices compute, and how to choose others, in words."""
    device, count = mesh.devices.flat[0], mesh.size
    if device.platform == "cpu":
        parts = f" as {count} devices" if count > 1 else ""
        cores = f"{os.cpu_count()} cores"
        return f"on the CPU{parts} ({cores}); JAX_PLATFORMS=cuda or tpu takes another device"
    times = f"{count} x " if count > 1 else ""
    fewer = ", CUDA_VISIBLE_DEVICES=0 one GPU" if device.platform == "gpu" and count > 1 else ""
    return f"on {times}{device.device_kind}; JAX_PLATFORMS=cpu takes the CPU{fewer}"


def whole(mesh: Mesh) -> NamedSharding:
    """The sharding of what every device holds whole."""
    return NamedSharding(mesh, P())


def rows(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch: consecutive rows a device."""
    return NamedSharding(mesh, P(AXIS))


def state_shardings(abstract: PyTree, mesh: Mesh, *, split: bool) -> PyTree:
    """A sharding for every array of a state.

    Args:
      abstract: the state's shapes and types.
      mesh: of `data_mesh`.
      split: give each device a part of every large array, cut along its longest axis that divides
        (fully sharded data parallelism), instead of all of it.
    """

    def choose(leaf: Array) -> NamedSharding:
        divisible = [n if n % mesh.size == 0 else 0 for n in leaf.shape]
        if not split or leaf.size < SMALLEST_SPLIT or not any(divisible):
            return whole(mesh)
        longest = int(np.argmax(divisible))
        return NamedSharding(mesh, P(*[None] * longest, AXIS))

    return jax.tree.map(choose, abstract)


def split_rows(array: Array) -> Array:
    """Splits what was drawn for a batch, such as latents, as the batch is split.

    A draw has no sharding of its own, and XLA might make all of it, and what follows from it, on
    every device. Does nothing where no mesh with the axis `data` was set (`jax.set_mesh`), and
    under `pmap` and `shard_map`, where rows are split already.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if dict(zip(mesh.axis_names, mesh.axis_types, strict=True)).get(AXIS) != AxisType.Auto:
        return array
    return jax.lax.with_sharding_constraint(array, P(AXIS))


def place(tree: PyTree, shardings: PyTree) -> PyTree:
    """Global arrays from arrays that every process holds whole; each device takes its part.

    Args:
      tree: arrays of the host or of one device, equal in all processes.
      shardings: one for all, or a tree of them.
    """
    if isinstance(shardings, Sharding):
        shardings = jax.tree.map(lambda _: shardings, tree)

    def put(array: Array | np.ndarray, sharding: Sharding) -> Array:
        if sharding.is_fully_addressable:
            return jax.device_put(array, sharding)
        host = np.asarray(array)  # `device_put` would compare the values of all processes.
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    return jax.tree.map(put, tree, shardings)


def place_rows(take: Callable[[np.ndarray], Batch], indices: np.ndarray, mesh: Mesh) -> Batch:
    """The global batch of `indices`, of which each process takes the rows of its own devices.

    Args:
      take: `indices -> batch`, such as a source's.
      indices: of all rows, in all processes; their number divides among the devices.
      mesh: of `data_mesh`.
    """
    if mesh.size == 1:
        return take(indices)
    sharding = rows(mesh)
    parts = []
    for device, own in sharding.addressable_devices_indices_map(indices.shape).items():
        with jax.default_device(device):
            parts.append(take(indices[own]))

    def join(*columns: Array) -> Array:
        shape = (len(indices), *columns[0].shape[1:])
        return jax.make_array_from_single_device_arrays(shape, sharding, list(columns))

    return jax.tree.map(join, *parts)


def local(tree: PyTree) -> PyTree:
    """All of every global array on one device of this process, for what each does on its own.

    Where arrays are split, all processes must ask at the same time.
    """

    def fetch(array: Array) -> Array:
        if not isinstance(array, jax.Array) or len(array.sharding.device_set) == 1:
            return array
        if not array.is_fully_replicated:
            assert isinstance(array.sharding, NamedSharding)
            array = _gather(array.sharding.mesh)(array)
        return array.addressable_data(0)

    return jax.tree.map(fetch, tree)


@cache
def _gather(mesh: Mesh) -> Callable[[Array], Array]:
    return jax.jit(lambda array: array, out_shardings=whole(mesh))


def collective_bytes(program: str) -> Counter[str]:
    """Bytes that a compiled program exchanges between devices, by kind of exchange.

    Counts each of its `all-reduce`, `all-gather`, `reduce-scatter`, `all-to-all` and
    `collective-permute` once, by the size of its result on one device.

    Args:
      program: the text of a compiled program, `jax.jit(f).lower(...).compile().as_text()`.
    """
    kinds = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
    found: Counter[str] = Counter()
    for result, kind in re.findall(rf" = (.*?) ({kinds})(?:-start)?\(", program):
        for bits, shape in re.findall(r"\b(?:pred|[a-z]+(\d+))\[([\d,]*)\]", result):
            numbers = math.prod(int(n) for n in shape.split(",") if n)
            found[kind] += numbers * max(int(bits or 8) // 8, 1)
    return found


def mean_over(tree: PyTree, axis_name: str | None) -> PyTree:
    """The mean of the parts that the devices of a mapped axis have; None: the tree as it is.

    Numbers that count stay as they are.
    """
    if axis_name is None:
        return tree

    def mean(leaf: Array) -> Array:
        floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        return jax.lax.pmean(leaf, axis_name) if floating else leaf

    return jax.tree.map(mean, tree)
