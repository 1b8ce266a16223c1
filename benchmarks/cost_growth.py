"""How time and memory of a train step grow with batch, image size and width.

    python -m benchmarks.cost_growth [--only batch] [--json FILE] [--out FILE.png]

A DCGAN (non-saturating, 28x28, width 64, batch 64; sizes at width 32 and batch 32), one thing
changed at a time. Every point has a process of its own. Time: the fastest of five blocks. Memory:
the largest resident memory above that once libraries and data are loaded, the program found in a
compilation cache; of it, what the program's intermediate arrays take.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import jax
import matplotlib.pyplot as plt

from benchmarks.synthetic import Synthetic
from benchmarks.timing import block_size, cached_in, resident, seconds
from jaxgan.experiment import Experiment
from jaxgan.training.program import Program
from jaxgan.training.trainer import make_trainer

ROOT = Path(__file__).parent.parent
AXES = {
    "batch": (8, 16, 32, 64, 128, 256, 512),
    "size": (16, 32, 64, 128),
    "width": (8, 16, 32, 64, 128),
}


def experiment(axis: str, value: int) -> Experiment:
    base = Synthetic()
    if axis == "batch":
        return replace(base, batch_size=value)
    width = 32 if axis == "size" else value
    base = replace(
        base,
        generator=replace(base.generator, width=width),
        discriminator=replace(base.discriminator, width=width),
    )
    return replace(base, shape=(value, value, 1), batch_size=32) if axis == "size" else base


def measure(axis: str, value: int) -> dict[str, float]:
    """Milliseconds a step and MB of this process."""
    program: Program = make_trainer(experiment(axis, value)).programs[0]
    before = resident("VmRSS")
    compiled = program.compile(False)
    state, done = program.start(None), 0

    def run(steps: int) -> None:
        nonlocal state, done
        for _ in range(steps):
            state, _ = program.steps(state, done, 1)
            done += 1
        jax.block_until_ready(state)

    steps = block_size(run)
    milliseconds = 1e3 * min(seconds(run, steps) for _ in range(5))
    return {
        axis: value,
        "ms": milliseconds,
        "mb": (resident("VmHWM") - before) / 1e6,
        "temporary_mb": compiled.memory_analysis().temp_size_in_bytes / 1e6,
    }


def points(axis: str) -> list[dict[str, float]]:
    """Every value of an axis, each in a process that finds its program compiled."""
    found = []
    for value in AXES[axis]:
        command = [sys.executable, "-m", "benchmarks.cost_growth", "--point", axis, str(value)]
        with tempfile.TemporaryDirectory() as cache:
            for _ in range(2):  # The first one's memory is the compiler's too.
                done = subprocess.run(
                    command, cwd=ROOT, env=cached_in(cache), capture_output=True, text=True
                )
                if done.returncode:
                    sys.exit(f"{axis} {value} failed:\n{done.stderr}")
        found.append(json.loads(done.stdout.splitlines()[-1]))
        cells = [f"{found[-1][name]:,.3g}" for name in ("ms", "mb", "temporary_mb")]
        cells.append(f"{found[-1]['ms'] / found[-2]['ms']:.2f}" if len(found) > 1 else "")
        print(f"| {axis} {value} | {' | '.join(cells)} |", flush=True)
    return found


def draw(table: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Time above, memory below, a column an axis, all logarithmic."""
    size = (3 * len(table), 5)
    figure, panels = plt.subplots(
        2, len(table), figsize=size, sharex="col", squeeze=False, layout="constrained"
    )
    for number, (axis, rows) in enumerate(table.items()):
        values = [row[axis] for row in rows]
        labels = {"ms": "ms a step", "mb": "MB"}
        for axes, (name, label) in zip(panels[:, number], labels.items(), strict=True):
            axes.loglog(values, [row[name] for row in rows], "o-", markersize=4)
            axes.set_xticks(values, [str(value) for value in values], minor=False)
            axes.set_xticks([], minor=True)
            axes.grid(alpha=0.3, which="both")
            if number == 0:
                axes.set_ylabel(label)
        panels[-1, number].set_xlabel(axis)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=AXES, help="one axis alone")
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument("--out", type=Path, default=Path("cost_growth.png"))
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        axis, value = options.point
        print(json.dumps(measure(axis, int(value))))
        return
    print(f"float32 on {jax.default_backend()}, {os.cpu_count()} cores, jax {jax.__version__}\n")
    print("| | ms | MB | of them the program's | times the row before |\n|---|---|---|---|---|")
    table = {axis: points(axis) for axis in AXES if options.only in (None, axis)}
    draw(table, options.out)
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
