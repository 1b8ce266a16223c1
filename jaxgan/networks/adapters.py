"""Modules of Flax Linen, Flax NNX and Equinox as networks."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgan.keys import derive
from jaxgan.networks.network import Network, Variables
from jaxgan.types import Array, Key, PyTree

if TYPE_CHECKING:
    from flax import nnx


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

    most = _most_inputs(module)

    def init(key: Key, *inputs: Array | None) -> Variables:
        variables = dict(module.init(key, *_fitting(module, inputs, most), train=False))
        return Variables(params=variables.pop("params", {}), state=variables)

    def apply(
        variables: Variables, *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Array, PyTree]:
        rngs = None if key is None else {"dropout": derive(key, "dropout")}
        inputs = _fitting(module, inputs, most)
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


def _most_inputs(module: nn.Module) -> int | None:
    """How many inputs the module takes; None: any number."""
    parameters = inspect.signature(type(module).__call__).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    if "train" not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise ValueError(
            f"{type(module).__name__}.__call__ has no argument `train`: write "
            "def __call__(self, x, *, train), whether or not it makes a difference"
        )
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return None
    positional = [
        name
        for name, parameter in parameters.items()
        if parameter.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD and name != "train"
    ]
    return len(positional) - 1  # without self


def _fitting(
    module: nn.Module, inputs: tuple[Array | None, ...], most: int | None
) -> tuple[Array | None, ...]:
    """The inputs, without labels that are None where the module takes none.

    Raises:
      ValueError: where there are labels.
    """
    if most is None or len(inputs) <= most:
        return inputs
    if any(value is not None for value in inputs[most:]):
        raise ValueError(
            f"{type(module).__name__}.__call__ takes {most} input{'s' * (most != 1)} besides "
            f"`train` and is given {len(inputs)}: let it take labels, or leave out conditional"
        )
    return inputs[:most]


def from_nnx(make: "Callable[[nnx.Rngs], nnx.Module]") -> Network:
    """Adapts a module of Flax NNX.

        from_nnx(lambda rngs: Discriminator(width=64, rngs=rngs))

    `nnx.Param`s are trained; all other variables, such as batch statistics, become the state. The
    random streams of a module are none of it: each pass begins them anew from its key, so that
    draws depend on nothing that went before. Passes that train run in the module's training mode
    (`module.train()`), the others in its evaluation mode.

    Args:
      make: makes the module, whose `__call__` takes the inputs, without those that are None.

    Returns:
      A network whose params and state are dicts of arrays by the names of attributes; state under
      `nnx`.

    Raises:
      ValueError: in a training pass without a key, of a module that draws.
    """
    from flax import nnx

    def split(module: "nnx.Module") -> tuple[PyTree, PyTree, PyTree]:
        """What is trained, the random streams, and the rest."""
        _, *parts = nnx.split(module, nnx.Param, nnx.RngState, ...)
        params, streams, state = (_by_name(nnx.to_flat_state(part)) for part in parts)
        return params, streams, state

    def parts(train: bool) -> tuple[Any, Any, PyTree]:
        """The static part, and the shapes of all arrays and of the random streams."""
        module = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
        _ = module.train() if train else module.eval()
        graph, arrays = nnx.split(module)
        return graph, arrays, split(module)[1]

    def init(key: Key, *inputs: Array | None) -> Variables:
        del inputs
        params, _, state = split(make(nnx.Rngs(key)))
        return Variables(params, {"nnx": state})

    def apply(
        variables: Variables, *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Any, PyTree]:
        graph, arrays, streams = parts(train)
        if train and key is None and jax.tree.leaves(streams):
            raise ValueError("the module draws random numbers: a training pass needs a key")
        key = jax.random.key(0) if key is None else key

        def begin(path: tuple, leaf: Any) -> Array:
            if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                return jnp.zeros(leaf.shape, leaf.dtype)  # the count of draws
            own = derive(key, jax.tree_util.keystr(path))
            return jax.random.split(own, leaf.shape) if leaf.shape else own

        begun = jax.tree_util.tree_map_with_path(begin, streams)
        known = _flat(variables.params) | _flat(variables.state["nnx"]) | _flat(begun)
        filled = nnx.from_flat_state(
            [
                (path, leaf.replace(known[tuple(map(str, path))]))
                for path, leaf in nnx.to_flat_state(arrays)
            ]
        )
        module = nnx.merge(graph, filled, copy=True)
        output = module(*(value for value in inputs if value is not None))
        return output, {"nnx": split(module)[2]} if train else variables.state

    return Network(init, apply)


def _by_name(flat: Any) -> PyTree:
    """Nested dicts of plain arrays, with names for numbers, of a flat state of NNX."""
    tree: dict[str, Any] = {}
    for path, variable in flat:
        *branches, last = map(str, path)
        branch = tree
        for name in branches:
            branch = branch.setdefault(name, {})
        branch[last] = variable.get_value()
    return tree


def _flat(tree: PyTree) -> dict[tuple[str, ...], Array]:
    return {
        tuple(part.key for part in path): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def from_equinox(make: Callable[[Key], Any], *, axis_name: str = "batch") -> Network:
    """Adapts a module of Equinox, which maps one sample.

        from_equinox(lambda key: Discriminator(64, key=key))
        from_equinox(eqx.nn.make_with_state(Discriminator))     # with batch norm, `(x, state)`

    Its inexact arrays are trained. It is mapped over the batch; a key, where `__call__` takes one
    by name, is split over it. Passes that do not train run in inference mode
    (`eqx.nn.inference_mode`).

    Args:
      make: `key -> module`, or `key -> (module, state)`. The module's `__call__` takes one sample
        of each input, without those that are None, then the state where there is one.
      axis_name: the name of the batch axis, the one that `eqx.nn.BatchNorm` was given.

    Returns:
      A network whose params are the module with None in place of what is not trained, and whose
      state holds the arrays of Equinox's state by number under `equinox`.
    """
    import equinox as eqx

    def parts(key: Key) -> tuple[Any, Any, Any]:
        """What is trained, the rest of the module, and Equinox's state or None."""
        made = make(key)
        module, state = made if isinstance(made, tuple) else (made, None)
        params, rest = eqx.partition(module, eqx.is_inexact_array)
        return params, rest, state

    def numbered(state: Any) -> PyTree:
        return {"equinox": {str(n): leaf for n, leaf in enumerate(jax.tree.leaves(state))}}

    def init(key: Key, *inputs: Array | None) -> Variables:
        del inputs
        params, _, state = parts(key)
        return Variables(params, numbered(state))

    def apply(
        variables: Variables, *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Any, PyTree]:
        _, rest, state = eqx.filter_eval_shape(parts, jax.random.key(0))
        module = eqx.combine(variables.params, rest)
        if not train:
            module = eqx.nn.inference_mode(module)
        given = [value for value in inputs if value is not None]
        keys = None
        if key is not None and "key" in inspect.signature(type(module).__call__).parameters:
            keys = jax.random.split(derive(key, "equinox"), len(given[0]))

        def one(samples: list[Array], key: Key | None, state: Any) -> tuple[Any, Any]:
            named = {} if key is None else {"key": key}
            if state is None:
                return module(*samples, **named), None
            return module(*samples, state, **named)

        if state is not None:
            old = variables.state["equinox"]
            leaves = [old[str(n)] for n in range(len(old))]
            state = jax.tree.unflatten(jax.tree.structure(state), leaves)
        mapped = jax.vmap(
            one, (0, None if keys is None else 0, None), (0, None), axis_name=axis_name
        )
        output, new = mapped(given, keys, state)
        return output, numbered(new) if train else variables.state

    return Network(init, apply)
