"""A run's sampling as one compiled program that JAX alone can call: StableHLO, weights included."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.games import Game
from jaxgan.networks import Variables
from jaxgan.runs.writing import write_bytes
from jaxgan.types import Array

SUFFIX = ".stablehlo"
PLATFORMS = ("cpu", "cuda", "tpu")


def write(path: Path, game: Game, variables: Variables, drawn: tuple[Any, ...]) -> None:
    """Writes the program `(latents [B, L], labels [B] if conditional) -> samples`, for any B.

    It is read by `jax.export.deserialize(bytes).call`. Images are uint8 [B, H, W, C] as
    `imaging.to_uint8` has them, points float32 [B, D].

    Args:
      path: of the file.
      game: of the run.
      variables: of the generator; they become constants of the program.
      drawn: inputs of a sample or more, of which the shapes and types are taken.
    """
    from jax import export

    leaves, structure = jax.tree.flatten(drawn)

    def one(*inputs: Array) -> Array:
        # A batch of one inside `vmap`: the forms of convolutions ask for a number of images.
        batch = jax.tree.unflatten(structure, [leaf[None] for leaf in inputs])
        sample = game.sample(variables, *batch)[0]
        if sample.ndim == 1:
            return sample
        return jnp.rint((sample.astype(jnp.float32) + 1) * 127.5).clip(0, 255).astype(jnp.uint8)

    (size,) = export.symbolic_shape("B")
    shapes = [jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
    program = export.export(jax.jit(jax.vmap(one)), platforms=PLATFORMS)(*shapes)
    write_bytes(path, bytes(program.serialize()))
