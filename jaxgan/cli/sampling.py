"""`jaxgan sample`, `interpolate` and `translate`: what a run's generator makes."""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxgan.cli.arguments import check_out, complain, key_of, parse
from jaxgan.cli.loading import GeneratorChoice, Samples, load, load_samples


@dataclass(frozen=True, kw_only=True)
class SampleOptions(GeneratorChoice):
    out: Path
    """Where to: a grid of images (.png), or arrays (.npz: images or points, and labels)."""
    count: int = 64
    """Number of samples."""
    seed: int = 0
    """Of the latents; latent i is the same whatever the count."""
    label: int | None = None
    """Class asked for; by default a conditional run gives each class in turn."""


def sample(args: list[str]) -> int:
    """`jaxgan sample RUN --out FILE`."""
    import numpy as np

    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.sampling import (
        check_label,
        draw_inputs,
        make_sampler,
        save_samples,
        write_npz,
    )

    options = parse(SampleOptions, args, "sample", "Samples from a run's generator.")
    if options.count < 1:
        raise ValueError(f"--count must be 1 or more, not {options.count}")
    key = key_of(options.seed)
    kind = check_out(options.out, (".png", ".npz"))
    run = load_samples(options)
    check_label(run.experiment, run.spec, options.label)
    _refuse_more_than_memory(run, f"--count {options.count}", options.count, kind)
    with kept_programs(options.run):
        latents, labels = draw_inputs(run.experiment, run.spec, key, options.count, options.label)
        samples = make_sampler(run.game)(run.variables, latents, labels)
    if kind == ".npz":
        arrays = {"images" if run.spec.is_image else "points": samples}
        write_npz(options.out, arrays | ({} if labels is None else {"labels": np.asarray(labels)}))
    else:
        save_samples(options.out, samples, run.experiment.data)
    print(f"{options.count} samples: {options.out}")
    return 0


def _refuse_more_than_memory(run: Samples, asked: str, count: int, kind: str) -> None:
    """Refuses so many samples that they alone, with their latents, are larger than the memory."""
    from jaxgan.data.source import machine_memory

    pixels = math.prod(run.spec.shape)
    shown = pixels if kind == ".npz" else max(pixels, 64 * 64)  # Small images are enlarged.
    size = count * (shown + 4 * run.experiment.generator.latent_size)
    if size > machine_memory():
        raise ValueError(
            f"{asked} would take {size / 1e9:,.0f} GB, and this machine has "
            f"{machine_memory() / 1e9:,.0f} GB of memory"
        )


@dataclass(frozen=True, kw_only=True)
class InterpolateOptions(GeneratorChoice):
    out: Path
    """Where to: a grid, one walk a row (.png), or an animation (.gif)."""
    seeds: tuple[int, ...] = (0, 1)
    """Latents to walk through, by seed; two or more."""
    method: Literal["spherical", "linear"] | None = None
    """Along the arc, which keeps the length of normal latents, or straight, which keeps uniform
    ones within their cube; by default what suits the run's latents."""
    frames: int = 10
    """Images from one seed to the next, both included (in a loop: without the next)."""
    rows: int = 8
    """Walks side by side, each through latents of its own."""
    loop: bool = False
    """Return to the first seed."""
    label: int | None = None
    """Class asked for; by default the rows of a conditional run go through the classes."""


def interpolate(args: list[str]) -> int:
    """`jaxgan interpolate RUN --out FILE`."""
    import jax.numpy as jnp

    from jaxgan import latent
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.sampling import check_label, draw_inputs, make_sampler
    from jaxgan.imaging import grid, save_animation, save_image

    options = parse(InterpolateOptions, args, "interpolate", "Images along walks between latents.")
    if len(options.seeds) < 2 or options.frames < 2 or options.rows < 1:
        raise ValueError(
            "a walk needs 2 --seeds, 2 --frames and 1 --rows or more, not "
            f"{len(options.seeds)}, {options.frames} and {options.rows}"
        )
    keys = [key_of(seed) for seed in options.seeds]
    kind = check_out(options.out, (".png", ".gif"))
    run = load_samples(options)
    if not run.spec.is_image:
        raise ValueError(f"interpolate shows images, and {options.run} makes points")
    check_label(run.experiment, run.spec, options.label)
    ways = len(keys) - (not options.loop)
    asked = f"--frames {options.frames} and --rows {options.rows}"
    _refuse_more_than_memory(run, asked, options.frames * options.rows * ways, kind)
    normal = run.experiment.generator.latent_distribution == "normal"
    walk = getattr(latent, options.method or ("spherical" if normal else "linear"))
    with kept_programs(options.run):
        ends = []
        for key in keys:
            drawn, labels = draw_inputs(run.experiment, run.spec, key, options.rows, options.label)
            ends.append(drawn)
        if options.loop:
            ends.append(ends[0])
        legs = [walk(a, b, options.frames) for a, b in itertools.pairwise(ends)]
        # Every leg ends where the next begins; a loop ends where it began.
        latents = jnp.concatenate(
            [leg[:-1] for leg in legs] + ([] if options.loop else [ends[-1][None]])
        )
        frames = len(latents)
        flat = latents.reshape(frames * options.rows, -1)
        repeated = None if labels is None else jnp.tile(labels, frames)
        images = make_sampler(run.game)(run.variables, flat, repeated)
    images = images.reshape(frames, options.rows, *images.shape[1:])
    if kind == ".gif":
        save_animation(options.out, [grid(frame) for frame in images])
    else:
        rows = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
        save_image(options.out, grid(rows, columns=frames))
    print(f"{options.rows} walks of {frames} images: {options.out}")
    return 0


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(GeneratorChoice):
    input: Path
    """Folder of images; all directly in it are translated."""
    output: Path
    """Folder to write them to, as PNG files of the same names."""
    direction: Literal["x-to-y", "y-to-x"]
    """From the run's first domain to its second, or back."""
    keep_size: bool = False
    """Translate each image at its own height and width, or the nearest multiples of 4 to them,
    instead of resizing and cropping it to the square that the run was trained on."""
    overwrite: bool = False
    """Write into an output folder that holds files already."""


def translate(args: list[str]) -> int:
    """`jaxgan translate RUN --input FOLDER --output FOLDER --direction x-to-y`.

    Exit code 1: some images could not be read; the others were translated.
    """
    from rich.console import Console

    from jaxgan.data import PairSpec
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.folders import make_translator, plan_folder, translate_folder
    from jaxgan.experiment.generation import Experiment
    from jaxgan.experiment.unpaired import UnpairedExperiment
    from jaxgan.runs import record as run
    from jaxgan.training.progress import counting

    options = parse(
        TranslateOptions, args, "translate", "Translates a folder of images to the other domain."
    )
    if isinstance(run.load(options.run)[0], Experiment):
        raise ValueError(
            f"{options.run} makes images from latents, and translate takes a run that translates "
            "(UnpairedExperiment)"
        )
    job = plan_folder(options.input, options.output, options.overwrite)
    loaded = load(options)
    assert isinstance(loaded.spec, PairSpec)
    direction = options.direction.replace("-", "_")
    experiment, spec = loaded.experiment, loaded.spec
    assert isinstance(experiment, UnpairedExperiment)
    domain, margin = (
        (spec.x, experiment.margin_x)
        if direction.startswith("x")
        else (spec.y, experiment.margin_y)
    )
    size = None if options.keep_size else min(domain.shape[:2])
    translator, bad = make_translator(loaded.game), 0
    count = len(job.files)
    with (
        kept_programs(options.run),
        counting("translating", count, Console(stderr=True)) as reach,
    ):
        for complaint in translate_folder(
            job,
            lambda batch: translator(loaded.variables, batch, direction),
            domain,
            size,
            reach,
            margin,
        ):
            bad += 1
            complain(complaint, 1)
    how = "sides at multiples of 4" if size is None else f"resized and cropped to {size}x{size}"
    print(f"{count - bad} of {count} images translated, {how}: {options.output}")
    return 1 if bad else 0
