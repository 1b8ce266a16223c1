"""Several discriminators as one, each on images that are smaller than the last one's.

References:
  Wang et al., High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs
  (pix2pixHD), 2018 (arXiv:1711.11585), section 3.2.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax

from jaxgan.arrays import floating
from jaxgan.keys import derive
from jaxgan.layers.resample import average_pool
from jaxgan.networks.network import Network, Variables, join, run, start
from jaxgan.types import Array, Key, PyTree


def multi_scale(networks: Sequence[Network], *, factor: int = 2) -> Network:
    """Joins discriminators of which each sees images pooled once more than the one before it.

    The first sees images as they are, the second averages over squares of `factor` by `factor`
    pixels, the third averages over squares of these. `losses.multi_scale` sums a loss over the
    list of logits that they give, and `games.adversarial` takes the two together.

    pix2pixHD averages over 3x3 pixels with a stride of 2, of which those beyond the border do not
    count. Squares that do not overlap blur less and lie between the pixels of the larger image;
    they need sides that they divide.

    Args:
      networks: one a scale, from the images' own size down. They may be equal: each has variables
        of its own. They may be spectrally normalised, and so may be what they are joined to.
      factor: 1 or more; with 1 all see the images themselves.

    Returns:
      A network whose `apply` gives a list of what each of the networks gives, such as logits or a
      dict of logits and features. Of its inputs, all arrays `[B, H, W, C]` are pooled, condition
      images beside the images too, and others, such as labels, are given to all scales as they
      are. Params and state are dicts by `scale_0`, `scale_1`, ...

    Raises:
      ValueError: if there are no networks or the factor is below 1. When applied, if a side of the
        images is no multiple of `factor ** (scales - 1)` or they are not floating point, and what
        a network itself refuses, such as images that have become too small for it.
    """
    if not networks:
        raise ValueError("multi_scale must be given at least one network, and has none")
    if factor < 1:
        raise ValueError(f"the factor between two scales must be 1 or more, not {factor}")
    scales = {f"scale_{i}": network for i, network in enumerate(networks)}

    def pyramid(inputs: PyTree) -> dict[str, PyTree]:
        """The inputs of each scale."""
        largest = factor ** (len(scales) - 1)
        for leaf in jax.tree.leaves(inputs):
            if leaf.ndim != 4:
                continue
            floating(leaf, "what a multi_scale pools")
            if leaf.shape[1] % largest or leaf.shape[2] % largest:
                raise ValueError(
                    f"a multi_scale of {len(scales)} networks and factor {factor} takes images "
                    f"whose sides are multiples of {largest}, not {leaf.shape[1]}x{leaf.shape[2]}"
                )
        levels = [inputs]
        while len(levels) < len(scales):
            levels.append(jax.tree.map(pool, levels[-1]))
        return dict(zip(scales, levels, strict=True))

    def pool(leaf: Array) -> Array:
        return average_pool(leaf, factor) if leaf.ndim == 4 else leaf

    def init(key: Key, *inputs: Array | None) -> Variables:
        levels = pyramid(inputs)
        return join(
            {
                name: start(network, f"network of {name}", derive(key, name), *levels[name])
                for name, network in scales.items()
            }
        )

    def apply(
        variables: Variables, *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Any, PyTree]:
        levels, outputs, state = pyramid(inputs), [], {}
        for name, network in scales.items():
            own_key = None if key is None else derive(key, name)
            output, state[name] = run(
                network,
                f"network of {name}",
                variables[name],
                *levels[name],
                train=train,
                key=own_key,
            )
            outputs.append(output)
        return outputs, state

    def advance(variables: Variables) -> Variables:
        moved = join({name: network.advance(variables[name]) for name, network in scales.items()})
        # Beside the scales, the state holds what a wrapper of all of them keeps there.
        return replace(moved, state={**variables.state, **moved.state})

    return Network(init, apply, advance)
