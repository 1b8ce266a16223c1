"""What the training loop costs over the bare jitted step.

    python -m benchmarks.loop_overhead [--steps 1100] [--repetitions 5] [--json FILE]

The peer calls the compiled step on resident data with indices computed beforehand, a step a call,
and nothing else. Ours is `train` as `jaxgan train` calls it, off a terminal: index plan, logging
and progress; in the cases ending in `whole`, samples, checkpoints and evaluations at the
experiment's own intervals too. On the ring a call makes several steps; `ring, one a call` forbids
it. Both are timed from the end of a warm-up on, in alternating repetitions; medians are printed.
"""

import argparse
import dataclasses
import io
import json
import statistics
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from rich.console import Console

from jaxgan.devices import sharding
from jaxgan.experiment import Experiment
from jaxgan.runs import record as run
from jaxgan.training.loop import train
from jaxgan.training.progress import Display
from jaxgan.training.trainer import Trainer, make_trainer

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
WARM_UP = 50


class Clock(Display):
    """The usual display, which also notes when calls were made, from the end of the warm-up on."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps, Console(file=io.StringIO()))
        self.times: list[tuple[int, float]] = []

    def step(self, step: int) -> None:
        super().step(step)
        if step >= WARM_UP:
            self.times.append((step, time.perf_counter()))

    def seconds_per_step(self) -> float:
        (first, start), (last, end) = self.times[0], self.times[-2]  # The last one saves too.
        return (end - start) / (last - first)


def time_train(trainer: Trainer) -> float:
    """Seconds a step of the whole loop, between the warm-up and the call before the last."""
    experiment, specs = trainer.experiment, [each.source.spec for each in trainer.programs]
    with tempfile.TemporaryDirectory() as folder, Clock(experiment.steps) as clock:
        directory = Path(folder) / "run"
        run.create(directory, experiment, specs)
        train(trainer, directory, clock)
        return clock.seconds_per_step()


def time_bare(trainer: Trainer) -> float:
    """Seconds a step of the compiled step alone.

    Args:
      trainer: of an experiment of one step a call.
    """
    (program,), places, count = trainer.programs, sharding.whole(trainer.mesh), np.int32(1)
    compiled, steps = program.compile(True), trainer.experiment.steps
    plans = [program.indices(step)[None] for step in range(steps)]
    data = sharding.place(program.source.arrays, places)
    words = sharding.place(jax.random.key_data(trainer.root_key), places)
    key, state = jax.random.wrap_key_data(words), program.start(None)
    for plan in plans[:WARM_UP]:
        state, _ = compiled(state, data, plan, count, key)
    jax.block_until_ready(state)
    start = time.perf_counter()
    for plan in plans[WARM_UP:]:
        state, _ = compiled(state, data, plan, count, key)
    jax.block_until_ready(state)
    return (time.perf_counter() - start) / (steps - WARM_UP)


def compare(case: str, experiment: Experiment, repetitions: int) -> dict[str, object]:
    """Medians of both, in milliseconds a step."""
    trainer = make_trainer(experiment)
    alone = make_trainer(dataclasses.replace(experiment, steps_per_call=1))
    time_train(trainer)  # Compiles.
    ours, peer = [], []
    for _ in range(repetitions):
        peer.append(time_bare(alone))
        ours.append(time_train(trainer))
    ours_ms, peer_ms = 1e3 * statistics.median(ours), 1e3 * statistics.median(peer)
    return {"case": case, "ours_ms": ours_ms, "peer_ms": peer_ms, "ratio": ours_ms / peer_ms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1100, help="steps of one repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args()
    never = options.steps + 1
    rows = []
    for name in ("digits", "ring"):
        whole = run.load_file(EXPERIMENTS / f"{name}.py")
        whole = dataclasses.replace(whole, steps=options.steps)
        loop = dataclasses.replace(
            whole,
            sample_every=never,
            checkpoint_every=never,
            evaluate_every=0,
            best_metric=None,
        )
        cases = {name: loop, f"{name} whole": whole}
        if name == "ring":
            cases["ring, one a call"] = dataclasses.replace(loop, steps_per_call=1)
        for case, experiment in cases.items():
            row = compare(case, experiment, options.repetitions)
            rows.append(row)
            print(
                f"{row['case']:<18} ours {row['ours_ms']:7.3f} ms  bare {row['peer_ms']:7.3f} ms  "
                f"ratio {row['ratio']:.3f}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
