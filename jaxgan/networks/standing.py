"""Batch statistics of a finished network, taken anew over many batches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.keys import derive
from jaxgan.networks.network import Network, Variables
from jaxgan.types import Array, Key, PyTree


def standing_statistics(
    network: Network,
    variables: Variables,
    draw: Callable[[Key], tuple[Any, ...]],
    key: Key,
    batches: int = 100,
) -> Variables:
    """The variables with the statistics of many batches, each normalized by its own (BigGAN).

    Running averages of the training lag behind the weights, are of few batches, and are of other
    inputs than truncated latents. Here training passes are run without any training, and the
    states that they leave are averaged, but for the first half: by then nothing of the old
    statistics is left. BigGAN's code averages the statistics of the batches themselves, which
    comes to the same.

    Args:
      network: of the variables.
      variables: params stay as they are.
      draw: `key -> inputs` of one batch.
      key: consumed.
      batches: 2 or more (the paper: about 100).

    Returns:
      Variables with a new state. What passes do not move in it is as it was.

    Raises:
      ValueError: for fewer than 2 batches, or a network that keeps no statistics.

    References:
      Brock et al., Large Scale GAN Training for High Fidelity Natural Image Synthesis, 2019
      (arXiv:1809.11096), section 4.1 and appendix B.
    """
    if batches < 2:
        raise ValueError(f"standing statistics are of 2 batches or more, not {batches}")

    @jax.jit
    def after(state: PyTree, index: int) -> PyTree:
        own = derive(key, "standing", index)
        inputs = draw(derive(own, "inputs"))
        passed = replace(variables, state=state)
        return network.apply(passed, *inputs, train=True, key=derive(own, "pass"))[1]

    state, total, first = variables.state, None, batches // 2
    for index in range(batches):
        state = after(state, index)
        if index >= first:
            total = state if total is None else jax.tree.map(jnp.add, total, state)
    moved = jax.tree.map(lambda old, new: bool((old != new).any()), variables.state, state)
    if not any(jax.tree.leaves(moved)):
        raise ValueError("there are no batch statistics: no pass changes the network's state")

    def mean(is_moved: bool, old: Array, total: Array) -> Array:
        return total / (batches - first) if is_moved else old

    return replace(variables, state=jax.tree.map(mean, moved, variables.state, total))
