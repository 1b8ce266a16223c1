"""`jaxgan report`: a run's page."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgan.cli.arguments import check_out, parse

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.runs.report import Closest

SHOWN = 16
"""Samples that are shown beside the training images nearest to them."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    out: Path | None = None
    """Where to: an .html file; by default report.html in the run directory."""


def report(args: list[str]) -> int:
    """`jaxgan report RUN`."""
    from jaxgan.runs.curves import draw_curves
    from jaxgan.runs.evaluations import FILE, read_record
    from jaxgan.runs.log import SEEN, read_metrics
    from jaxgan.runs.record import fitting, read, recorded_specs
    from jaxgan.runs.report import write_report
    from jaxgan.runs.summary import course

    options = parse(
        ReportOptions, args, "report", "Writes all there is to see of a run as one HTML file."
    )
    path = options.out or options.run / "report.html"
    experiment, record = read(options.run)
    if options.out is None and not os.access(options.run, os.W_OK):
        raise ValueError(f"{path} cannot be written; --out FILE writes it elsewhere")
    check_out(path, (".html",))
    metrics, spec = read_metrics(options.run, SEEN), recorded_specs(options.run, record)[-1]
    with fitting(options.run, experiment):
        course(experiment, spec, metrics)
    if (options.run / FILE).exists():
        read_record(options.run)
    neighbours = _neighbours(options.run)
    with tempfile.TemporaryDirectory() as scratch:  # The run may be another user's.
        curves = Path(scratch, "curves.png")
        draw_curves(options.run, curves)
        write_report(path, options.run, neighbours, curves)
    print(f"{path.stat().st_size / 1e6:.1f} MB: {path}")
    return 0


def _neighbours(directory: Path) -> "Closest | str":
    """Some samples of a run beside the training images nearest to them, or why there are none."""
    import jax

    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.sampling import make_sampler
    from jaxgan.keys import derive
    from jaxgan.runs.report import closest
    from jaxgan.training.trained import load

    try:
        run = load(directory)
        inputs = run.inputs
        if inputs.draw is None:
            return "They are shown of runs that draw their samples."
        if not run.spec.is_image:
            return "They are shown of images, and this run makes points."
        source = run.experiment.open_source()
        if source.spec.shape != run.spec.shape or len(source) < 2:
            return f"The data are no longer those of the run: {source.spec.shape}, {len(source)}."
        key = derive(jax.random.key(run.experiment.seed), 0, "preview")
        with kept_programs(directory):
            drawn = inputs.draw(key, SHOWN, inputs.choices())
            samples = make_sampler(run.game)(run.variables, *drawn)
        return closest(samples, source)
    except (ValueError, OSError) as error:
        return f"There are none: {error}"
