"""What the library knows of a network: two pure functions over arrays.

Games, steps and loops see only `Network`. A Linen module becomes one through `from_linen`; a
network written with NNX, Equinox or by hand becomes one by naming its own two functions.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from flax import struct

from jaxgan.keys import derive
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


class Network(NamedTuple):
    """A network as two pure functions.

    Attributes:
      init: `(key, *inputs) -> Variables`. Inputs are examples; only their shapes and types matter.
      apply: `(variables, *inputs, train, key=None) -> (output, new_state)`. `train` is a Python
        bool; `key` is consumed by dropout and the like and needed by networks that have them. The
        new state equals the old one when `train` is False.
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[Array, PyTree]]


def from_linen(module: nn.Module, *, remat: bool = False) -> Network:
    """Adapts a Linen module whose `__call__` takes the inputs and a keyword `train`.

    Every variable collection besides `params` becomes `Variables.state`, so batch statistics need
    no further word. The key of `apply` feeds the rng name `dropout`.

    Args:
      module: the Linen module.
      remat: keep no activations of a training pass for its gradient, but run the pass again there.
        The passes of a loss (real, fake, penalty) then no longer hold their activations at the same
        time. Values and gradients stay. XLA undoes it on a CPU, where it drops the barrier that
        keeps the second run from being merged with the first, unless the flag
        `--xla_disable_hlo_passes=cse_barrier_expander` tells it not to.
    """

    def init(key: Key, *inputs: Array | None) -> Variables:
        variables = dict(module.init(key, *inputs, train=False))
        return Variables(params=variables.pop("params", {}), state=variables)

    def apply(
        variables: Variables, *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Array, PyTree]:
        rngs = None if key is None else {"dropout": derive(key, "dropout")}
        if train:
            return train_pass(variables, rngs, *inputs)
        collections = {"params": variables.params, **variables.state}
        output: Any = module.apply(collections, *inputs, train=False, rngs=rngs)
        return output, variables.state

    def train_pass(
        variables: Variables, rngs: dict[str, Key] | None, *inputs: Array | None
    ) -> tuple[Array, PyTree]:
        collections = {"params": variables.params, **variables.state}
        mutable = list(variables.state)
        return module.apply(collections, *inputs, train=True, rngs=rngs, mutable=mutable)

    if remat:
        train_pass = jax.checkpoint(train_pass)

    return Network(init, apply)


def parameter_count(params: PyTree) -> int:
    """The number of trained scalars; shapes alone will do."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
