"""Checks of what a network is built with, shared by all families."""

import flax.linen as nn

from jaxgan.layers.normalization import check_normalization

_AT_LEAST = {
    "width": 1,
    "depth": 1,
    "channels": 1,
    "blocks": 0,
    "layers": 1,
    "num_classes": 0,
    "label_features": 1,
    "attention": 0,
    "hidden": 0,
    "shared_size": 1,
    "outputs": 0,
}


def check_options(network: nn.Module) -> None:
    """Raises a ValueError for an attribute of the network that is out of its range.

    Networks call it from `__post_init__`, so a wrong option is found when it is written and not
    when the first batch arrives. Attributes that a network does not have are not looked at.
    """
    name = type(network).__name__
    for option, least in _AT_LEAST.items():
        value = getattr(network, option, least)
        if value < least:
            raise ValueError(f"{name} has {option}={value}; allowed is {least} or more.")
    dropout = getattr(network, "dropout", 0.0)
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"{name} has dropout={dropout}; allowed is 0 <= dropout < 1.")
    check_normalization(getattr(network, "normalization", "none"))
    shape = getattr(network, "shape", (1,))
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise ValueError(
            f"{name} has shape={tuple(shape)}; allowed are images (H, W, C) and points (D,)."
        )
