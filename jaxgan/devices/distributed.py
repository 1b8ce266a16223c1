"""Several processes that run one program, such as the hosts of a TPU pod slice.

The engine is JAX's own: every process runs the same commands in the same order on its own devices,
and JAX connects them. What the processes could see differently, such as a directory that one of
them has just made or a signal that one of them got, they must agree on before they act on it, for
a process that turns away leaves the others waiting. With one process all of this does nothing.
"""

import json
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from jaxgan.devices import sharding
from jaxgan.types import Array

Value = TypeVar("Value")
HEARTBEAT_SECONDS = 20
"""Without a sign of life for so long, a process counts as gone and JAX ends the others."""
_BLOCK = 4096


def join(
    address: str | None = None, processes: int | None = None, index: int | None = None
) -> None:
    """Connects this process with the others; before anything else touches a device.

    Args:
      address: HOST:PORT at which process 0 can be reached; None where JAX finds all three itself,
        as on a TPU VM, under SLURM and under Open MPI.
      processes: how many there are.
      index: which one this is, from 0.

    Raises:
      ValueError: when the three are not given together, do not fit, or nobody answers there.
    """
    given = {"coordinator": address, "processes": processes, "process": index}
    missing = [f"--{name}" for name, value in given.items() if value is None]
    if 0 < len(missing) < 3:
        raise ValueError(
            f"--coordinator, --processes and --process go together; missing: {', '.join(missing)}"
        )
    if address is not None and not address.rpartition(":")[2].isdecimal():
        raise ValueError(f"--coordinator must be HOST:PORT of process 0, not {address!r}")
    if processes is not None and index is not None and not 0 <= index < processes:
        raise ValueError(f"--process must be from 0 to {processes - 1}, not {index}")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # What CPUs talk through.
    # SIGTERM is the loop's: with this service, JAX would catch it first.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            *(address, processes, index), heartbeat_timeout_seconds=HEARTBEAT_SECONDS
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"the processes cannot be connected: {reason}") from error


def is_first() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def together(action: Callable[[], Value]) -> Value:
    """Runs an action in all processes; when it fails in one of them, it fails in all.

    Raises:
      ValueError: what the action raised here as a ValueError or an OSError, or else elsewhere.
    """
    if jax.process_count() == 1:
        return action()
    try:
        value, refusal = action(), None
    except (ValueError, OSError) as error:
        refusal = error
    heard = _tell_all(str(refusal or ""))
    if refusal is not None:
        raise refusal
    for index, reason in enumerate(heard):
        if reason:
            raise ValueError(f"process {index} had to stop: {reason}")
    return value


def from_first(value: Callable[[], Value]) -> Value:
    """Gives all processes the result of the first one's function; its error is raised in all.

    Args:
      value: called in the first process alone; gives what JSON can hold.

    Raises:
      ValueError: what the function raised as a ValueError or an OSError.
    """
    if jax.process_count() == 1:
        return value()
    given = together(lambda: json.dumps(value()) if is_first() else "")
    return json.loads(_tell_all(given)[0])


def as_first(value: Value) -> Value:
    """The first process's value, where each has its own and rounding may differ."""
    return from_first(lambda: value)


def all_agree(yes: bool) -> bool:
    """Whether all processes say yes; each gets the same answer."""
    return yes if jax.process_count() == 1 else not any(_tell_all("" if yes else "no"))


def _tell_all(text: str) -> list[str]:
    """What each process says here, in their order; first how long it is, then the text."""
    said = np.frombuffer(text.encode(errors="backslashreplace"), np.uint8)
    lengths = _gather(np.array([len(said)], np.int32)).ravel()
    if not lengths.any():  # Nobody says anything, and all know it.
        return [""] * len(lengths)
    size = -(-int(lengths.max()) // _BLOCK) * _BLOCK  # Few sizes: each is a program to compile.
    texts = _gather(np.pad(said, (0, size - len(said))))
    return [row[:n].tobytes().decode() for row, n in zip(texts, lengths, strict=True)]


def _gather(array: np.ndarray) -> np.ndarray:
    """One row a process, of arrays of one shape."""
    return np.asarray(multihost_utils.process_allgather(array)).reshape(-1, len(array))


def make_vote(mesh: Mesh) -> Callable[[bool], bool]:
    """A function `ask -> anyone asked`, which all processes call equally often.

    With several processes it gives the answer to the call before, so that no device waits for it:
    each answer reaches all processes at the same call.
    """
    if jax.process_count() == 1:
        return lambda ask: ask
    places = sharding.rows(mesh)
    anyone = jax.jit(jnp.any, in_shardings=places, out_shardings=sharding.whole(mesh))
    pending: list[Array] = []

    def vote(ask: bool) -> bool:
        own = np.full(jax.local_device_count(), ask)
        votes = jax.make_array_from_process_local_data(places, own, (mesh.size,))
        pending.append(anyone(votes))
        return len(pending) > 1 and bool(pending.pop(0))

    return vote
