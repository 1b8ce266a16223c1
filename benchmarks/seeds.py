"""Evaluations of several seeds as one table: mean ± standard deviation, and the worst.

    jaxgan evaluate RUN                        # of every run, first
    python -m benchmarks.seeds "DCGAN=runs/dcgan0 runs/dcgan1" ... [--metrics frechet kl]

A row is a group of runs that differ in their seed. The first row is what real data score. Records
of different protocols are refused.
"""

import argparse
import statistics
from pathlib import Path

from jaxgan.evaluation import HIGHER_IS_BETTER
from jaxgan.runs.evaluations import read_record, refuse_other_protocol

METRICS = ["frechet", "kernel_distance", "precision", "recall", "density", "coverage", "kl"]


def cell(name: str, values: list[float]) -> str:
    """Mean, spread and the worst of a metric's values."""
    if len(values) == 1:
        return f"{values[0]:.3g}"
    worst = min(values) if name in HIGHER_IS_BETTER else max(values)
    return f"{statistics.fmean(values):.3g} ± {statistics.stdev(values):.2g} ({worst:.3g})"


def groups_of(given: list[str]) -> dict[str, list[Path]]:
    """`NAME=RUN RUN ...` of the command line as runs by name."""
    parts = {name: runs for name, _, runs in (group.partition("=") for group in given)}
    return {name: [Path(run) for run in runs.split()] for name, runs in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="+", help="NAME=RUN RUN ...")
    parser.add_argument("--metrics", nargs="+", default=METRICS)
    options = parser.parse_args()
    groups = {
        name: {run: read_record(run) for run in runs}
        for name, runs in groups_of(options.groups).items()
    }
    records = {path: record for group in groups.values() for path, record in group.items()}
    first = next(iter(records.values()))
    for path, record in records.items():
        # Each run draws latents of its own seed, which its record holds beside the protocol.
        refuse_other_protocol(first["protocol"], record, path)
    print(f"| | seeds | {' | '.join(options.metrics)} |")
    print("|---|---|" + "---|" * len(options.metrics))
    real = [
        f"{first['real'][name]:.3g}" if name in first["real"] else "" for name in options.metrics
    ]
    print(f"| real | | {' | '.join(real)} |")
    for name, group in groups.items():
        seeds = ", ".join(str(record["experiment"]["seed"]) for record in group.values())
        cells = [
            cell(metric, [record["metrics"][metric] for record in group.values()])
            for metric in options.metrics
        ]
        print(f"| {name} | {seeds} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
