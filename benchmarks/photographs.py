"""What a folder of photographs costs before the first step, and its batches at each step.

    python -m benchmarks.photographs [--images 10000] [--image-size 256] [--folder DIR] [--json FILE]

The photographs are crops of scikit-learn's two, JPEGs of about 500x400 pixels. They are opened in a
new process each time: first decoded, then found in the cache, which is an empty folder before.
Seconds are from outside of Python's imports, cores are processor time by seconds, memory is the
process's peak above what it took after its imports. Whatever the system has in its memory of the
files is left there.

Then a train step of a small DCGAN is timed with the data on the device, and with the data streamed
from the cache, as a set larger than the device takes is: alternating repetitions, medians.
"""

import argparse
import dataclasses
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
from typing import Any

from benchmarks.loop_overhead import time_train

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


def steps(
    folder: Path, image_size: int, batch_size: int, repetitions: int
) -> tuple[list[float], list[float]]:
    """Seconds a step, with the data on the device and streamed."""
    from jaxgan.data import ArraySource
    from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
    from jaxgan.training.trainer import make_trainer

    class Streamed(Experiment):
        def open_source(self, split: str = "train") -> Any:
            host = super().open_source(split).host
            return ArraySource("streamed", host["real"], device_limit=0)

    resident = Experiment(
        data=str(folder),
        image_size=image_size,
        channels=3,
        steps=150,
        batch_size=batch_size,
        generator=GeneratorOptions(width=8),
        discriminator=DiscriminatorOptions(width=8),
        steps_per_call=1,
        sample_every=1000,
        checkpoint_every=1000,
        evaluate_every=0,
        best_metric=None,
    )
    options = {field.name: getattr(resident, field.name) for field in dataclasses.fields(resident)}
    trainers = [make_trainer(resident), make_trainer(Streamed(**options))]
    assert [each.programs[0].source.arrays is None for each in trainers] == [False, True]
    for trainer in trainers:
        time_train(trainer)  # Compiles.
    pairs = [[time_train(trainer) for trainer in trainers] for _ in range(repetitions)]
    on_device, streamed = zip(*pairs, strict=True)
    return list(on_device), list(streamed)


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
        rows = []
        for case in ("decoded", "from the cache"):
            row = {"case": case, **opened(folder, options.image_size, cache)}
            rows.append(row)
            print("{case:<16} {seconds:7.2f} s  {cores:4.2f} cores  {mib:6.0f} MiB".format(**row))
        kept = sum(path.stat().st_size for path in cache.glob("*.npy"))
        print(f"{kept / options.images / 1000:.0f} kB an image in the cache")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
