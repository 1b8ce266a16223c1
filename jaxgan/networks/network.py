"""What the library knows of a network: two pure functions over arrays.

Games, steps and loops see only `Network`. Modules of Linen, NNX and Equinox become one through the
functions of `networks.adapters`, a network written by hand by naming its own two functions.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
from flax import struct
from flax.errors import FlaxError

from jaxgan.types import Array, Key, PyTree


@struct.dataclass
class Variables:
    """The arrays of a network, or of all networks on one side of a game.

    Attributes:
      params: what the side's optimiser trains.
      state: what the network itself moves, such as batch statistics and spectral-norm vectors.
    """

    params: PyTree
    state: PyTree

    def __getitem__(self, name: str) -> "Variables":
        """One network's variables, on a side that `join` made."""
        return Variables(self.params[name], self.state[name])


def join(networks: Mapping[str, Variables]) -> Variables:
    """One side of several networks: `join({"x_to_y": ..., "y_to_x": ...})["x_to_y"]`."""
    return Variables(
        params={name: variables.params for name, variables in networks.items()},
        state={name: variables.state for name, variables in networks.items()},
    )


def _unmoved(variables: Variables) -> Variables:
    return variables


class Network(NamedTuple):
    """A network as two pure functions.

    Attributes:
      init: `(key, *inputs) -> Variables`. Inputs are examples; only their shapes and types matter.
      apply: `(variables, *inputs, train, key=None) -> (output, new_state)`. `train` is a Python
        bool; `key` is consumed by dropout and the like and needed by networks that have them. The
        new state equals the old one when `train` is False.
      advance: `variables -> variables`, called by games once before each update of the network's
        side: moves what is neither trained nor moved by a pass, such as spectral-norm vectors.
        A wrapper made by `network._replace(apply=...)` keeps it.
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[Array, PyTree]]
    advance: Callable[[Variables], Variables] = _unmoved


@contextmanager
def explained(name: str, inputs: tuple[Any, ...]) -> Iterator[None]:
    """A TypeError of JAX's, or a shape that Flax refuses, as a ValueError that says what was given.

    The network is somebody's own, or of another library; ours refuse what does not fit.
    """
    try:
        yield
    except (TypeError, FlaxError) as error:
        given = " and ".join(
            "None" if value is None else str(jax.tree.map(lambda leaf: list(leaf.shape), value))
            for value in inputs
        )
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"the {name} fails on inputs of shape {given}: {reason}") from error


def start(network: Network, name: str, key: Key, *inputs: Array | None) -> Variables:
    """`network.init`, checked.

    Args:
      network: whose.
      name: of the network in errors.
      key: consumed.
      *inputs: examples.

    Raises:
      ValueError: where it gives no `Variables`.
    """
    with explained(name, inputs):
        variables = network.init(key, *inputs)
    if not isinstance(variables, Variables):
        raise ValueError(
            f"init of the {name} must give Variables(params, state), not a "
            f"{type(variables).__name__}; networks.from_linen, from_nnx and from_equinox make "
            "networks of modules"
        )
    return variables


def run(
    network: Network,
    name: str,
    variables: Variables,
    *inputs: Array | None,
    train: bool = True,
    key: Key | None = None,
) -> tuple[Any, PyTree]:
    """`network.apply`, checked: its output and new state.

    Raises:
      ValueError: where it gives something else, such as the output alone.
    """
    with explained(name, inputs):
        result = network.apply(variables, *inputs, train=train, key=key)
    if not isinstance(result, tuple) or len(result) != 2:
        raise ValueError(
            f"apply of the {name} must give (output, new state), not "
            + (f"{len(result)} values" if isinstance(result, tuple) else _kind(result))
        )
    return result


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" if shape is None else f"an array of {shape} alone"


def parameter_count(params: PyTree) -> int:
    """The number of trained scalars; shapes alone will do."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
