"""`jaxgan report`: a run's page, or that of several."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgan.cli.arguments import check_out, parse

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    import numpy as np

    from jaxgan.runs.neighbours import Closest
    from jaxgan.training.trained import Run

SHOWN = 16
"""Samples that are shown beside the training images nearest to them."""
WALKS, ENDS, FRAMES = 12, 3, 10
"""Walks side by side, latents that each goes through, and pictures from one to the next."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run directory; several are put side by side."""
    out: Path | None = None
    """Where to: an .html file; by default report.html in the run directory (of several runs, in
    the working directory)."""


def report(args: list[str]) -> int:
    """`jaxgan report RUN [RUN ...]`."""
    from jaxgan.runs.record import contents
    from jaxgan.runs.report import see, write_comparison, write_report

    options = parse(
        ReportOptions, args, "report", "Writes all there is to see of runs as one HTML file."
    )
    if not options.runs:
        raise ValueError("report needs a run directory: jaxgan report RUN")
    folder = options.runs[0] if len(options.runs) == 1 else Path()
    path = options.out or folder / "report.html"
    for run in options.runs:
        contents(run)
    if options.out is None and not os.access(folder, os.W_OK):
        raise ValueError(f"{path} cannot be written; --out FILE writes it elsewhere")
    check_out(path, (".html",))
    if len(options.runs) > 1:
        write_comparison(path, options.runs)
    else:
        see(folder)  # What cannot be read is refused before samples are drawn.
        neighbours, walk = _drawn(folder)
        write_report(path, folder, neighbours, walk)
    print(f"{path.stat().st_size / 1e6:.1f} MB: {path}")
    return 0


def _drawn(directory: Path) -> "tuple[Closest | str, list[np.ndarray] | str]":
    """What takes the run's generator, each in words where there is none."""
    from jaxgan.training.trained import load

    try:
        run = load(directory)
    except (ValueError, OSError) as error:
        return (f"There are none: {error}", f"There is none: {error}")
    if run.inputs.draw is None:
        words = "Only runs that draw their samples have"
        return (f"{words} them here.", f"{words} one.")
    if not run.spec.is_image:
        words = "here are of images, and this run makes points."
        return (f"Neighbours {words}", f"Walks {words}")
    return _neighbours(run), _walk(run)


def _neighbours(run: "Run") -> "Closest | str":
    """Some samples of a run beside the training images nearest to them, or why there are none."""
    import jax

    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.sampling import make_sampler
    from jaxgan.keys import derive
    from jaxgan.runs.neighbours import closest

    try:
        source = run.experiment.open_source()
        if source.spec.shape != run.spec.shape or len(source) < 2:
            return f"The data are no longer those of the run: {source.spec.shape}, {len(source)}."
        key = derive(jax.random.key(run.experiment.seed), 0, "preview")
        assert run.inputs.draw is not None
        with kept_programs(run.directory):
            drawn = run.inputs.draw(key, SHOWN, run.inputs.choices())
            samples = make_sampler(run.game)(run.variables, *drawn)
        return closest(samples, source)
    except (ValueError, OSError) as error:
        return f"There are none: {error}"


def _walk(run: "Run") -> "list[np.ndarray] | str":
    """Pictures along walks between latents that end where they began, or why there are none."""
    import jax
    import jax.numpy as jnp

    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.sampling import make_sampler
    from jaxgan.imaging import grid
    from jaxgan.latent import loop

    if run.inputs.walk is None:
        return "There is no way between the samples of this run."
    try:
        with kept_programs(run.directory):
            drawn = [run.draw(WALKS, seed) for seed in range(ENDS)]
            ends = jnp.stack([latents for latents, *_ in drawn])
            latents = loop(ends, FRAMES, run.inputs.walk).reshape(-1, *ends.shape[2:])
            count = ENDS * FRAMES
            held = jax.tree.map(lambda leaf: jnp.concatenate([leaf] * count), drawn[0][1:])
            images = make_sampler(run.game)(run.variables, latents, *held)
    except (ValueError, OSError) as error:
        return f"There is none: {error}"
    return [grid(frame, columns=4) for frame in images.reshape(count, WALKS, *images.shape[1:])]
