"""Spectral normalisation: every weight matrix of a network divided by its largest singular value.

It acts on parameters and not on layers, so it serves any network. Which of them are weights, and
how each is a matrix W `[in, out]`, is said by a rule: `usual_axes` knows the common layers, and a
rule of your own knows others, or leaves layers out. For each weight a vector u `[out]` is carried,
which follows the leading right singular vector of W by power iteration, and σ = ‖W u‖ approaches
the spectral norm from below.

The vectors are constants to the gradient, which passes through σ. A forward pass never moves
them: the network's `advance` does, once an update of its side, so that all passes of an update,
over real, over fake and in a penalty, see the same σ. (PyTorch and `nnx.SpectralNorm` iterate in
every forward pass; the latter also overwrites the trained kernel.)

A weight whose rows are all below 1e-6 counts as 0, such as that of a last layer which starts so: it
has no direction and no slope (W / σ jumps there). Its vector stays as it is, its σ counts as 1, and
so gradients are those of the plain weight. From the first update that takes it away from 0, power
iteration finds the vector as it does any other.

References:
  Miyato et al., Spectral Normalization for GANs, 2018 (arXiv:1802.05957).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxgan.arrays import wide
from jaxgan.keys import derive
from jaxgan.matrices import Axes, Rule, matrices, names, order, usual_axes
from jaxgan.types import Array, Key, PyTree

if TYPE_CHECKING:  # networks are made of layers: no import of them while running
    from jaxgan.networks.network import Network, Variables

COLLECTION = "spectral_norm"
EPSILON = 1e-12
SMALLEST = 1e-6
"""Below this a weight counts as 0: gradients are at most its inverse times those of the normalised
weight. The squares of such numbers are well within float32."""
_ROUNDING = 1e-7  # of float32: what is left of W u where u is orthogonal to every row of W


def _unit(vector: Array) -> Array:
    return vector / (jnp.linalg.norm(vector) + EPSILON)


def _per_matrix(function: Callable[..., Array], axes: Axes) -> Callable[..., Array]:
    for _ in axes.stacked:
        function = jax.vmap(function)
    return function


def _map(
    function: Callable[[Array, Array, Axes], Array], vectors: PyTree, params: PyTree, rule: Rule
) -> PyTree:
    """Maps over (u, weight, axes); None where there is no vector."""

    def at(path: tuple, u: Array | None, weight: Array) -> Array | None:
        if u is None:
            return None
        axes = rule(names(path), weight)
        assert axes is not None  # by the rule that the vector was made with
        return function(u, weight, axes)

    return jax.tree_util.tree_map_with_path(at, vectors, params, is_leaf=lambda u: u is None)


def init_vectors(
    key: Key, params: PyTree, iterations: int = 10, *, axes: Rule = usual_axes
) -> PyTree:
    """Makes a vector for every weight.

    Args:
      key: consumed.
      params: a pytree of arrays.
      iterations: power iterations from random vectors, without which the first σ would be some
        two times too small in each layer.
      axes: which parameters are weights, and of which axes.

    Returns:
      A pytree like `params` with a unit vector `[stack..., out]` for each weight and None
      elsewhere.

    Raises:
      ValueError: for axes that the weight does not have, and what the rule refuses.
    """

    def draw(path: tuple, leaf: Array) -> Array | None:
        given = axes(names(path), leaf)
        if given is None:
            return None
        leaf_key = derive(key, jax.tree_util.keystr(path))
        form = jax.eval_shape(lambda leaf: matrices(leaf, given), leaf)
        shape = (*form.shape[:-2], form.shape[-1])
        return _per_matrix(_unit, given)(jax.random.normal(leaf_key, shape, form.dtype))

    def iterate(_: int, vectors: PyTree) -> PyTree:
        return power_iteration(params, vectors, axes=axes)

    vectors = jax.tree_util.tree_map_with_path(draw, params)
    return jax.lax.fori_loop(0, iterations, iterate, vectors)  # Written out, it compiles slowly.


def power_iteration(params: PyTree, vectors: PyTree, *, axes: Rule = usual_axes) -> PyTree:
    """Moves every vector by one power iteration, u ← WᵀW u / ‖WᵀW u‖, without gradient.

    Where W u is 0 that would be 0 for ever after. So a vector stays as it is while W counts as 0;
    and one that is 0 itself, or orthogonal to every row of a W that is not, becomes the direction
    of the longest row, of which W u is not 0.

    Args:
      params: the weights.
      vectors: from `init_vectors` or this function.
      axes: the rule that the vectors were made with.

    Returns:
      The new vectors.
    """

    def move(u: Array, matrix: Array) -> Array:
        image = matrix @ u
        lengths = jnp.linalg.norm(matrix, axis=1)
        longest = lengths.max()
        moved = _unit(matrix.T @ _unit(image))
        lost = jnp.linalg.norm(image) <= _ROUNDING * longest
        moved = jnp.where(lost, _unit(matrix[lengths.argmax()]), moved)
        return jax.lax.stop_gradient(jnp.where(longest < SMALLEST, u, moved))

    def iterate(u: Array, weight: Array, axes: Axes) -> Array:
        return _per_matrix(move, axes)(u, matrices(weight, axes))

    return _map(iterate, vectors, params, axes)


def normalize_weights(params: PyTree, vectors: PyTree, *, axes: Rule = usual_axes) -> PyTree:
    """Divides every weight by its σ; the other parameters stay as they are.

    A weight with a σ below `SMALLEST` stays as it is too: it counts as 0, where the gradient is
    then that of the result, and not 1e12 times that.

    Args:
      params: the weights as they are trained.
      vectors: from `init_vectors` or `power_iteration`.
      axes: the rule that the vectors were made with.

    Returns:
      Parameters for the network to be applied with.
    """

    def divisor(u: Array, matrix: Array) -> Array:
        u = jax.lax.stop_gradient(_unit(u))  # averaged variables hold averaged, shorter vectors
        v = jax.lax.stop_gradient(_unit(matrix @ u))
        sigma = v @ matrix @ u
        return jnp.where(sigma < SMALLEST, 1.0, sigma + EPSILON)

    def divide(u: Array, weight: Array, axes: Axes) -> Array:
        divisors = _per_matrix(divisor, axes)(u, matrices(weight, axes))
        stacked, inputs, outputs = order(axes, weight.ndim)
        rest = len(inputs) + len(outputs)
        if stacked:
            last = divisors.reshape(*divisors.shape, *[1] * rest)
            divisors = jnp.moveaxis(last, range(len(stacked)), stacked)
        return (wide(weight) / divisors).astype(weight.dtype)

    divided = _map(divide, vectors, params, axes)
    return jax.tree.map(
        lambda new, old: old if new is None else new,
        divided,
        params,
        is_leaf=lambda leaf: leaf is None,
    )


def spectrally_normalized(network: "Network", axes: Rule = usual_axes) -> "Network":
    """Wraps a network so that it is applied with normalised weights.

    To leave layers out, give a rule that says None for them:

        def axes(path, weight):
            return None if "embed" in path[0] else usual_axes(path, weight)

    Args:
      network: any whose `Variables.state` is a dict, as that of a Linen module is.
      axes: which parameters are weights, and of which axes.

    Returns:
      A network with the vectors in the collection `spectral_norm` of its state. `apply` never moves
      them, the network's `advance` does.

    Raises:
      ValueError: in `init`, as `init_vectors`.
    """

    def init(key: Key, *inputs: Array | None) -> "Variables":
        variables = network.init(key, *inputs)
        vectors = init_vectors(derive(key, COLLECTION), variables.params, axes=axes)
        return replace(variables, state={**variables.state, COLLECTION: vectors})

    def apply(
        variables: "Variables", *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Array, PyTree]:
        state = dict(variables.state)
        vectors = state.pop(COLLECTION)
        params = normalize_weights(variables.params, vectors, axes=axes)
        variables = replace(variables, params=params, state=state)
        output, state = network.apply(variables, *inputs, train=train, key=key)
        return output, {**state, COLLECTION: vectors}

    def advance(variables: "Variables") -> "Variables":
        state = dict(variables.state)
        vectors = state.pop(COLLECTION)  # The network's own `advance` knows nothing of them.
        variables = network.advance(replace(variables, state=state))
        vectors = power_iteration(variables.params, vectors, axes=axes)
        return replace(variables, state={**variables.state, COLLECTION: vectors})

    return network._replace(init=init, apply=apply, advance=advance)
