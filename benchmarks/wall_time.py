"""An evaluated number against the time that training took, for groups of runs.

    python -m benchmarks.wall_time "growing=RUN RUN" "full size=RUN RUN" --plot time.png

A run's time is that of its steps alone: those of each phase are timed here, in turns with the other
phases, on an otherwise idle machine, and added up to the step of every evaluation. So runs count
the same whatever else their machine did, and compiling, sampling and evaluating count as nothing.
Runs of a group differ in their seed.
"""

import argparse
import statistics
import time
from pathlib import Path

import jax
import matplotlib.pyplot as plt

from benchmarks.seeds import groups_of
from jaxgan.runs import record
from jaxgan.runs.log import read_metrics
from jaxgan.training.program import Program
from jaxgan.training.trainer import make_trainer

BLOCKS = 3
SECONDS = 4
"""Least length of a block."""


def step_times(programs: list[Program]) -> list[float]:
    """Seconds of a step of each: medians of blocks that alternate."""
    states = [program.start(None) for program in programs]
    times: list[list[float]] = [[] for _ in programs]
    for block in range(BLOCKS + 1):  # The first warms up.
        for number, program in enumerate(programs):
            most, steps, begun = program.steps_per_call, 0, time.perf_counter()
            while steps == 0 or (block and time.perf_counter() - begun < SECONDS):
                states[number], _ = program.steps(states[number], program.place.first, most)
                jax.block_until_ready(states[number])
                steps += most
            times[number].append((time.perf_counter() - begun) / steps)
    return [statistics.median(each[1:]) for each in times]


def minutes(programs: tuple[Program, ...], times: list[float], step: int) -> float:
    """Minutes of training until a step is done."""
    done = [max(min(step, each.place.last) - each.place.first, 0) for each in programs]
    return sum(count * each for count, each in zip(done, times, strict=True)) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="+", help="NAME=RUN RUN ...")
    parser.add_argument("--metric", default="frechet")
    parser.add_argument("--plot", type=Path, help="picture of the curves (.png)")
    options = parser.parse_args()
    groups = groups_of(options.groups)
    trainers = {name: make_trainer(record.read(runs[0])[0]) for name, runs in groups.items()}
    programs = [program for trainer in trainers.values() for program in trainer.programs]
    times = step_times(programs)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    print("| | phase | batch | steps | ms a step |\n|---|---|---|---|---|")
    for number, (name, trainer) in enumerate(trainers.items()):
        own, times = times[: len(trainer.programs)], times[len(trainer.programs) :]
        for program, each in zip(trainer.programs, own, strict=True):
            shape = "x".join(map(str, program.source.spec.shape))
            steps = program.place.last - program.place.first
            cells = name, shape, program.experiment.batch_size, steps, f"{1e3 * each:.4g}"
            print(f"| {' | '.join(map(str, cells))} |")
        for run in groups[name]:
            lines = [line for line in read_metrics(run) if options.metric in line]
            x = [minutes(trainer.programs, own, line["step"]) for line in lines]
            y = [line[options.metric] for line in lines]
            print(f"{run}: " + ", ".join(f"{a:.1f} min {b:.4g}" for a, b in zip(x, y, strict=True)))
            axes.plot(x, y, f"C{number}o-", label=name if run == groups[name][0] else None, ms=3)
    if options.plot:
        axes.set(xlabel="minutes of training", ylabel=options.metric, yscale="log")
        axes.legend()
        figure.savefig(options.plot, dpi=120)


if __name__ == "__main__":
    main()
