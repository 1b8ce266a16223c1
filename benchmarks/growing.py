"""A step of growing networks at each size: beside PyTorch, while it fades in, and on paper.

    python -m benchmarks.growing [--width 128] [--sizes 4 8 ...] [--repeats 3]
    python -m benchmarks.growing --paper

Batches are the paper's for each size, data are noise, and the loss is WGAN-GP with drift. Before
anything is timed both sides take the same two steps; losses and norms of gradients must agree.
Then blocks of a second, or of one step where it takes longer, alternate, and medians are taken.
PyTorch runs in the faster of its memory formats, with a foreach Adam. *Fading* is a step of ours
while its size fades in, over one when it has. GFLOP are XLA's count of the step as it is written
for accelerators, with plain convolutions.

`--paper` runs nothing: it counts the operations of the whole schedule up to the paper's 12 million
images at full width, and how long accelerators of a given speed take for them.
"""

import argparse
import os
import statistics
from dataclasses import dataclass, replace
from unittest.mock import patch

import jax
import numpy as np
import torch

from benchmarks import torch_growing
from benchmarks.timing import Run, seconds
from benchmarks.torch_step import Setting
from benchmarks.train_step import gan_case
from jaxgan.data import Spec
from jaxgan.data.source import ArraySource
from jaxgan.experiment import GrowingExperiment
from jaxgan.experiment.base import Phase
from jaxgan.experiment.growing import GrowingPhase
from jaxgan.networks import growing, parameter_count
from jaxgan.training.program import abstract_state
from jaxgan.training.step import make_train_step

SIZES = growing.sizes((1024,))
SPEED = 48e12
"""Operations a second of an H100 in convolutional steps of float32, as measured (README.md)."""
LINKS = 450e9
"""Bytes a second that an H100 sends over NVLink: half of 900 GB/s both ways (its data sheet)."""
ACCELERATORS = 8


@dataclass(frozen=True)
class Synthetic(GrowingPhase):
    """One size of a growing run, on noise."""

    def open_source(self, split: str = "train") -> ArraySource:
        assert self.image_size is not None
        count = max(2 * self.batch_size, 16)
        shape = count, self.image_size, self.image_size, 3
        return ArraySource("noise", np.random.default_rng(0).integers(0, 256, shape, np.uint8))

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(self.steps, self),)


def of_size(size: int, width: int, fade_steps: int = 0) -> Synthetic:
    described = GrowingExperiment()
    return Synthetic(
        steps=1_000_000,
        image_size=size,
        shown_size=size,
        batch_size=described.batch_sizes[SIZES.index(size)],
        fade_steps=fade_steps,
        generator=replace(described.generator, width=width),
        discriminator=replace(described.discriminator, width=width),
    )


def operations(experiment: GrowingPhase, size: int) -> tuple[float, int]:
    """Operations of a step, by XLA's count, and parameters of both sides."""
    spec = Spec((size, size, 3), 0)
    with patch("jax.default_backend", return_value="tpu"):  # Chooses how convolutions are written.
        game = experiment.make_game(spec)
        step = make_train_step(game, experiment.make_optimizers(), prepare=experiment.prepare)
        state = abstract_state(experiment, game, spec)
        key = jax.eval_shape(lambda: jax.random.key(0))
        lowered = jax.jit(step).lower(state, spec.example(experiment.batch_size), key)
    return lowered.cost_analysis()["flops"], parameter_count(state.params)


def compare(size: int, width: int, repeats: int) -> str:
    """The row of a size."""
    experiment = of_size(size, width)
    case = gan_case(experiment, "cpu", "float32", torch_growing.networks_of)
    difference = case.check()
    if not difference < 0.01:
        raise SystemExit(f"{size} pixels: losses or gradients differ by {difference:.2g}")
    peers = {form: case.peer(Setting(channels_last=form)) for form in (False, True)}
    form = min(peers, key=lambda each: steady(peers[each])[1])
    sides: dict[str, Run] = {"ours": case.ours(), "peer": peers[form]}
    if size > growing.SMALLEST:
        sides["fading"] = gan_case(of_size(size, width, 1_000_000), "cpu", "float32").ours()
    lengths = {name: steady(run)[0] for name, run in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            times[name].append(seconds(run, lengths[name]))
    found = {name: 1e3 * statistics.median(taken) for name, taken in times.items()}
    work, _ = operations(experiment, size)
    fading = f"{found['fading'] / found['ours']:.2f}" if "fading" in found else ""
    cells = [
        *(f"{size}", f"{experiment.batch_size}", f"{found['ours']:.4g}", f"{found['peer']:.4g}"),
        *(f"{found['ours'] / found['peer']:.2f}", fading, f"{work / 1e9:.3g}"),
        *(f"{work / found[side] / 1e6:.0f}" for side in ("ours", "peer")),
        "channels last" if form else "plain",
    ]
    return f"| {' | '.join(cells)} |"


def steady(run: Run) -> tuple[int, float]:
    """Steps that take a second, and how long one takes after the first."""
    run(1)
    each = seconds(run, 1)
    return max(round(1 / each), 1), each


def on_paper() -> None:
    """The schedule of the paper at 1024 pixels, size by size."""
    whole = GrowingExperiment(image_size=1024, final_images=2_400_000).resolved()
    head = ["pixels", "batch", "million images", "TFLOP an image", "10^18 operations"]
    head += [f"hours on {count}" for count in (1, ACCELERATORS)]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    totals: dict[int, list[float]] = {}
    for phase in whole.phases():
        experiment = phase.experiment
        size = experiment.image_size
        each, parameters = operations(experiment, size)
        images, computing = phase.steps * experiment.batch_size, each / SPEED
        # Each of several accelerators has the batch; they exchange both sides' gradients.
        exchanging = 2 * 4 * parameters * (ACCELERATORS - 1) / ACCELERATORS / LINKS
        shared = phase.steps / ACCELERATORS * (computing + exchanging)
        row = [images, each * phase.steps, phase.steps * computing / 3600, shared / 3600]
        totals[size] = [a + b for a, b in zip(totals.get(size, [0.0] * 4), row, strict=True)]
    totals[0] = [sum(column) for column in zip(*totals.values(), strict=True)]
    for size, (images, work, alone, shared) in totals.items():
        batch = f"{of_size(size, 512).batch_size}" if size else ""
        cells = [f"{size}" if size else "all", batch, f"{images / 1e6:.1f}"]
        cells += [f"{work / images / 1e12:.3g}", f"{work / 1e18:.3g}", f"{alone:.3g}"]
        print(f"| {' | '.join([*cells, f'{shared:.3g}'])} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=128, help="the paper's: 512")
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--repeats", type=int, default=3, help="blocks a side")
    parser.add_argument("--paper", action="store_true", help="count the paper's schedule instead")
    options = parser.parse_args()
    if options.paper:
        on_paper()
        return
    torch.set_num_threads(os.cpu_count() or 1)
    head = ["pixels", "batch", "ours ms", "PyTorch ms", "ratio", "fading", "GFLOP"]
    head += ["GFLOP/s ours", "PyTorch", "PyTorch's memory format"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for size in options.sizes:
        print(compare(size, options.width, options.repeats), flush=True)


if __name__ == "__main__":
    main()
