"""Spectral normalisation: every weight matrix of a network divided by its largest singular value.

It acts on parameters and not on layers, so it serves any network. The weights are all
parameters of rank 2 and more, kernels and embeddings, reshaped to W `[rest, out]`. For each of them
a vector u `[out]` is carried, which follows the leading right singular vector of W by power
iteration, and σ = ‖W u‖ approaches the spectral norm from below.

The vectors are constants to the gradient, which passes through σ. A forward pass never moves
them: `advance` does, once a discriminator update, so that all passes of an update, over real, over
fake and in a penalty, see the same σ. (PyTorch and `nnx.SpectralNorm` iterate in every forward
pass; the latter also overwrites the trained kernel.)

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

from jaxgan.keys import derive
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


def _matrix(weight: Array) -> Array:
    return weight.reshape(-1, weight.shape[-1]).astype(jnp.promote_types(weight.dtype, jnp.float32))


def _map(
    function: Callable[[Array | None, Array], Array | None], vectors: PyTree, params: PyTree
) -> PyTree:
    """Maps over (u, weight) where there is a vector and over (None, parameter) elsewhere."""
    return jax.tree.map(function, vectors, params, is_leaf=lambda u: u is None)


def init_vectors(key: Key, params: PyTree, iterations: int = 10) -> PyTree:
    """Makes a vector for every weight.

    Args:
      key: consumed.
      params: a pytree of arrays.
      iterations: power iterations from random vectors, without which the first σ would be some
        two times too small in each layer.

    Returns:
      A pytree like `params` with a unit vector `[out]` for each weight and None elsewhere.
    """

    def draw(path: tuple, leaf: Array) -> Array | None:
        if leaf.ndim < 2:
            return None
        leaf_key = derive(key, jax.tree_util.keystr(path))
        return _unit(jax.random.normal(leaf_key, leaf.shape[-1:]))

    vectors = jax.tree_util.tree_map_with_path(draw, params)
    for _ in range(iterations):
        vectors = power_iteration(params, vectors)
    return vectors


def power_iteration(params: PyTree, vectors: PyTree) -> PyTree:
    """Moves every vector by one power iteration, u ← WᵀW u / ‖WᵀW u‖, without gradient.

    Where W u is 0 that would be 0 for ever after. So a vector stays as it is while W counts as 0;
    and one that is 0 itself, or orthogonal to every row of a W that is not, becomes the direction
    of the longest row, of which W u is not 0.

    Args:
      params: the weights.
      vectors: from `init_vectors` or this function.

    Returns:
      The new vectors.
    """

    def iterate(u: Array | None, weight: Array) -> Array | None:
        if u is None:
            return None
        matrix = _matrix(weight)
        image = matrix @ u
        lengths = jnp.linalg.norm(matrix, axis=1)
        longest = lengths.max()
        moved = _unit(matrix.T @ _unit(image))
        lost = jnp.linalg.norm(image) <= _ROUNDING * longest
        moved = jnp.where(lost, _unit(matrix[lengths.argmax()]), moved)
        return jax.lax.stop_gradient(jnp.where(longest < SMALLEST, u, moved))

    return _map(iterate, vectors, params)


def normalize_weights(params: PyTree, vectors: PyTree) -> PyTree:
    """Divides every weight by its σ; the other parameters stay as they are.

    A weight with a σ below `SMALLEST` stays as it is too: it counts as 0, where the gradient is
    then that of the result, and not 1e12 times that.

    Args:
      params: the weights as they are trained.
      vectors: from `init_vectors` or `power_iteration`.

    Returns:
      Parameters for the network to be applied with.
    """

    def divide(u: Array | None, weight: Array) -> Array:
        if u is None:
            return weight
        matrix = _matrix(weight)
        u = jax.lax.stop_gradient(_unit(u))  # averaged variables hold averaged, shorter vectors
        v = jax.lax.stop_gradient(_unit(matrix @ u))
        sigma = v @ matrix @ u
        divisor = jnp.where(sigma < SMALLEST, 1.0, sigma + EPSILON)
        return (weight / divisor).astype(weight.dtype)

    return _map(divide, vectors, params)


def spectrally_normalized(network: "Network") -> "Network":
    """Wraps a network so that it is applied with normalised weights.

    Args:
      network: any whose `Variables.state` is a dict, as that of a Linen module is.

    Returns:
      A network with the vectors in the collection `spectral_norm` of its state, never moved by
      `apply`: see `advance`.
    """

    def init(key: Key, *inputs: Array | None) -> "Variables":
        variables = network.init(key, *inputs)
        vectors = init_vectors(derive(key, COLLECTION), variables.params)
        return replace(variables, state={**variables.state, COLLECTION: vectors})

    def apply(
        variables: "Variables", *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Array, PyTree]:
        state = dict(variables.state)
        vectors = state.pop(COLLECTION)
        variables = replace(
            variables, params=normalize_weights(variables.params, vectors), state=state
        )
        output, state = network.apply(variables, *inputs, train=train, key=key)
        return output, {**state, COLLECTION: vectors}

    return network._replace(init=init, apply=apply)


def advance(variables: "Variables") -> "Variables":
    """Moves the vectors of a network's variables once; call it once a discriminator update.

    Args:
      variables: of any network.

    Returns:
      The variables, with new vectors if they have the collection `spectral_norm` and as they were
      if not.
    """
    state = variables.state
    if not isinstance(state, dict) or COLLECTION not in state:
        return variables
    vectors = power_iteration(variables.params, state[COLLECTION])
    return replace(variables, state={**state, COLLECTION: vectors})
