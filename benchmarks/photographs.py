"""What a folder of photographs costs before the first step, and its batches at each step.

    python -m benchmarks.photographs [--images 10000] [--image-size 256] [--json FILE]

The photographs are crops of scikit-learn's two, JPEGs of about 500x400 pixels. They are opened in a
new process each time: first decoded, then found in the cache, which is an empty folder before.
Seconds are from outside of Python's imports, cores are processor time by seconds, memory is the
process's peak above what it took after its imports. Whatever the system has in its memory of the
files is left there.

Then a train step on the first 2,000 of them at 28 pixels is timed with the data on the device, and
with the same streamed from the cache, as a set is that the device has no room for: alternating
repetitions, medians. The networks are perceptrons so small that reading would show. Last comes how
long a batch takes to read, which larger steps hide.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

WARM_UP, TIMED, REPETITIONS = 10, 100, 5  # steps, steps, times
PEAK = 1024 if sys.platform != "darwin" else 1  # bytes in a unit of `ru_maxrss`


def make(folder: Path, count: int) -> None:
    """Writes the photographs that are not there yet; each is a function of its number."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    pictures = [Image.fromarray(image) for image in load_sample_images().images]
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"photo_{number:06d}.jpg"
        if path.exists():
            continue
        draw = random.Random(number)
        picture = pictures[number % len(pictures)]
        size = draw.randint(420, 580), draw.randint(340, 460)
        width, height = (int(side * draw.uniform(0.3, 1)) for side in picture.size)
        left, top = draw.randint(0, picture.width - width), draw.randint(0, picture.height - height)
        box = (left, top, left + width, top + height)
        crop = picture.resize(size, Image.Resampling.BICUBIC, box=box)
        crop.save(path, quality=draw.choice([85, 90, 95]))


def open_once(folder: str, image_size: int) -> dict[str, float]:
    """Opens the folder and identifies it, as a run does; what that took of this process."""
    from jaxgan.data import open_source

    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    source = open_source(folder, image_size=image_size, channels=3)
    source.identities  # noqa: B018  It is read when first asked for.
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": seconds,
        "cores": worked / seconds,
        "mib": (after.ru_maxrss - before.ru_maxrss) * PEAK / 2**20,
    }


def opened(folder: Path, image_size: int, cache: Path) -> dict[str, float]:
    """The same in a process of its own."""
    program = (
        "import json; from benchmarks.photographs import open_once; "
        f"print(json.dumps(open_once({str(folder)!r}, {image_size})))"
    )
    environment = os.environ | {"JAXGAN_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def steps(folder: Path, image_size: int, batch_size: int) -> dict[str, list[float]]:
    """Seconds a step with the data on the device, and streamed."""
    from jaxgan.data import ArraySource
    from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
    from jaxgan.training.trainer import make_trainer

    class Streamed(Experiment):
        def open_source(self, split: str = "train") -> Any:
            return ArraySource("streamed", super().open_source(split).host["real"], device_limit=0)

    options: dict[str, Any] = {
        "data": str(folder),
        "image_size": image_size,
        "channels": 3,
        "steps": WARM_UP + TIMED,
        "batch_size": batch_size,
        "generator": GeneratorOptions(family="mlp", width=16, depth=1),
        "discriminator": DiscriminatorOptions(family="mlp", width=16, depth=1),
        "steps_per_call": 1,
    }
    kinds = {"on the device": Experiment, "streamed": Streamed}
    programs = {case: make_trainer(kind(**options)).programs[0] for case, kind in kinds.items()}
    assert [each.source.arrays is None for each in programs.values()] == [False, True]
    seconds: dict[str, list[float]] = {case: [] for case in programs}
    for _ in range(REPETITIONS):
        for case, program in programs.items():
            seconds[case].append(seconds_a_step(program))
    return seconds


def reading(folder: Path, image_size: int, batch_size: int) -> list[float]:
    """Seconds in which a batch is read from the cache, which is what a step hides."""
    import jax
    import numpy as np

    from jaxgan.data import ArraySource, open_source

    host = open_source(str(folder), image_size=image_size, channels=3).host["real"]
    source, draw = ArraySource("streamed", host, device_limit=0), np.random.default_rng(0)
    seconds = []
    for _ in range(TIMED):
        indices = draw.integers(len(source), size=batch_size)
        start = time.perf_counter()
        jax.block_until_ready(source.take(indices))
        seconds.append(time.perf_counter() - start)
    return seconds


def seconds_a_step(program: Any) -> float:
    """The mean over the steps after the warm-up, which compiles at the first call."""
    import jax

    state, start = program.start(None), 0.0
    for step in range(WARM_UP + TIMED):
        if step == WARM_UP:
            jax.block_until_ready(state)
            start = time.perf_counter()
        state, _ = program.steps(state, step, 1)
    jax.block_until_ready(state)
    return (time.perf_counter() - start) / TIMED


def main(args: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--folder", type=Path, help="keep the photographs here")
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = options.folder or Path(scratch, "photographs"), Path(scratch, "cache")
        make(folder, options.images)
        rows: list[dict[str, Any]] = []
        for case in ("decoded", "from the cache"):
            row = {"case": case, **opened(folder, options.image_size, cache)}
            rows.append(row)
            print("{case:<16} {seconds:7.2f} s  {cores:4.2f} cores  {mib:6.0f} MiB".format(**row))
        kept = sum(path.stat().st_size for path in cache.glob("*.npy"))
        print(f"{kept / options.images / 1000:.0f} kB an image in the cache")
        few = Path(scratch, "few")
        make(few, min(options.images, 2000))
        os.environ["JAXGAN_CACHE"] = str(cache)
        timed = {f"step, {case}": seconds for case, seconds in steps(few, 28, 64).items()}
        for size in (28, options.image_size):
            timed[f"batch of 64 at {size}"] = reading(few, size, 64)
        for case, seconds in timed.items():
            rows.append({"case": case, "ms": 1e3 * median(seconds)})
            print("{case:<24} {ms:7.2f} ms".format(**rows[-1]))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
