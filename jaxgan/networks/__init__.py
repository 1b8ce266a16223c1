"""Whole generators and discriminators, and what the library knows of a network."""

from jaxgan.networks.network import Network, Variables, from_linen, join, parameter_count

__all__ = ["Network", "Variables", "from_linen", "join", "parameter_count"]
