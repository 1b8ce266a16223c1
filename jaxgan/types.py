"""Names for the few kinds of value that travel through the library."""

from typing import Any, TypeAlias

import jax

Array: TypeAlias = jax.Array
Key: TypeAlias = jax.Array
"""A typed PRNG key (`jax.random.key`); a function that takes one consumes it."""
Number: TypeAlias = jax.Array | float
"""A number that may be traced."""
PyTree: TypeAlias = Any
Batch: TypeAlias = dict[str, Array]
"""`real` [B, H, W, C] or [B, D]; `label` int32 [B] when the data are labelled."""
Scalars: TypeAlias = dict[str, Array]
