"""What a step computes and exchanges on many chips, and what efficiency that allows on paper.

    python -m benchmarks.scaling [--chips 8 64 512] [--batch 2048] [--dtype float32] [--json FILE]

No chip is needed: libtpu (the extra `tpu`) compiles a step for a TPU v5p slice that is only
described to it. From the compiled program come the floating-point operations of one chip and the
bytes that it exchanges with the others; the chip's published speeds turn them into times. A ring
reduces b bytes over n chips by sending 2 b (n - 1) / n from each. Efficiency is the time of
computing over that of computing and exchanging one after the other, as if nothing overlapped and
no message took any time to start: the first is a bound from below, the second from above.
"""

import argparse
import json
import os
from collections import Counter
from typing import Literal, NamedTuple
from unittest.mock import patch

import jax
import numpy as np
from jax.experimental import topologies

from jaxgan.data import Spec
from jaxgan.devices import sharding
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.networks import parameter_count
from jaxgan.training.program import abstract_state
from jaxgan.training.step import make_train_step

SLICES = {8: "v5p:2x2x2", 64: "v5p:4x4x4", 512: "v5p:8x8x8"}
PEAK = 459e12
"""bfloat16 operations a second of a v5p chip (Cloud TPU documentation)."""
LINKS = 600e9
"""Bytes a second that a v5p chip sends over all its links: half of 1,200 GB/s both ways (same)."""
USED = (1.0, 0.4)
"""Shares of the peak that computing may reach; a fast chip waits longer for its links."""


def experiment(
    pixels: int, width: int, batch_size: int, dtype: Literal["float32", "bfloat16"]
) -> tuple[Experiment, Spec]:
    """A DCGAN with the non-saturating loss and batch statistics in its generator."""
    described = Experiment(
        batch_size=batch_size,
        generator=GeneratorOptions(width=width, dtype=dtype),
        discriminator=DiscriminatorOptions(width=width, normalization="none", dtype=dtype),
    )
    return described, Spec((pixels, pixels, 3), 0)


CASES = {"DCGAN, 64x64, width 64": (64, 64), "DCGAN, 128x128, width 208": (128, 208)}
"""The second has 149 million parameters; BigGAN at 128x128 has 158, and this batch."""


class Compiled(NamedTuple):
    """What one chip computes and exchanges."""

    operations: float
    exchanged: Counter[str]
    gradients: int


def compile_step(
    case: str, chips: int, batch_size: int, dtype: Literal["float32", "bfloat16"]
) -> Compiled:
    """Compiles the case's step for a slice."""
    described, spec = experiment(*CASES[case], batch_size, dtype)
    slice_ = topologies.get_topology_desc(platform="tpu", topology_name=SLICES[max(chips, 8)])
    mesh = sharding.data_mesh(slice_.devices[:chips])
    with patch("jax.default_backend", return_value="tpu"):  # Chooses how convolutions are written.
        game = described.make_game(spec)
        step = make_train_step(game, described.make_optimizers(), prepare=described.prepare)
        state = abstract_state(described, game, spec)
        places = sharding.whole(mesh), sharding.rows(mesh), sharding.whole(mesh)
        program = jax.jit(
            step, donate_argnums=0, in_shardings=places, out_shardings=sharding.whole(mesh)
        )
        with jax.set_mesh(mesh):
            key = jax.eval_shape(lambda: jax.random.key(0))
            compiled = program.lower(state, spec.example(batch_size), key).compile()
    exchanged = sharding.collective_bytes(compiled.as_text())
    gradients = 4 * parameter_count(state.params)
    return Compiled(compiled.cost_analysis()["flops"], exchanged, gradients)


def efficiency(step: Compiled, chips: int, used: float) -> float:
    computing = step.operations / (PEAK * used)
    exchanging = 2 * sum(step.exchanged.values()) * (chips - 1) / chips / LINKS
    return computing / (computing + exchanging)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chips", type=int, nargs="+", default=list(SLICES))
    parser.add_argument("--batch", type=int, default=2048, help="images of a step, on all chips")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--json", type=argparse.FileType("w"))
    options = parser.parse_args()
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")  # There is no machine to ask about itself.
    rows = []
    for case in CASES:
        for chips in options.chips:
            each = options.batch // chips
            alone = compile_step(case, 1, each, options.dtype)
            step = compile_step(case, chips, options.batch, options.dtype)
            rows.append(
                {
                    "case": case,
                    "chips": chips,
                    "images a chip": each,
                    "GFLOP a chip": step.operations / 1e9,
                    "of alone": step.operations / alone.operations,
                    "MB gradients": step.gradients / 1e6,
                    "MB exchanged": sum(step.exchanged.values()) / 1e6,
                    "kinds": sorted(step.exchanged),
                    **{f"efficiency at {u:.0%}": efficiency(step, chips, u) for u in USED},
                }
            )
            shown = (
                f"{value:.4g}" if isinstance(value, float) else str(value)
                for value in rows[-1].values()
            )
            print(" | ".join(shown), flush=True)
    if options.json:
        json.dump(rows, options.json, indent=2, default=np.asarray)


if __name__ == "__main__":
    main()
