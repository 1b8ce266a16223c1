"""Whole generators and discriminators, and what the library knows of a network."""

from jaxgan.networks.adapters import from_equinox, from_linen, from_nnx
from jaxgan.networks.network import Network, Variables, join, parameter_count

__all__ = [
    "Network",
    "Variables",
    "from_equinox",
    "from_linen",
    "from_nnx",
    "join",
    "parameter_count",
]
