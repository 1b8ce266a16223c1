"""`jaxgan evaluate`, `diagnose` and `report`: how good a run is, and how it went."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxgan.cli.arguments import check_out, key_of, parse
from jaxgan.cli.loading import GeneratorChoice, load_samples

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.runs.report import Closest


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(GeneratorChoice):
    against: Path | None = None
    """Another run that was evaluated, or its evaluation.json, to print beside this one; refused
    where the protocols differ."""
    features: Literal["classifier", "pixels"] | None = None
    """What images are compared by; by default a classifier of theirs where they have labels."""


def evaluate(args: list[str]) -> int:
    """`jaxgan evaluate RUN [--against OTHER]`."""
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.evaluation.evaluator import make_evaluator
    from jaxgan.runs.evaluations import FILE, make_record, read_record, refuse_other_protocol
    from jaxgan.runs.record import write_json

    options = parse(EvaluateOptions, args, "evaluate", "Measures samples of a run.")
    other = None if options.against is None else read_record(options.against)
    run = load_samples(options)
    source, key = run.experiment.open_source(), key_of(run.experiment.seed)
    with kept_programs(options.run):
        evaluator = make_evaluator(
            *(run.experiment, source, run.game, key), thorough=True, features=options.features
        )
        if other is not None and options.against is not None:
            refuse_other_protocol(evaluator.protocol, other, options.against)
        metrics, real = evaluator.measure(run.variables), evaluator.real()
    path, protocol = options.run / FILE, evaluator.protocol
    record = make_record(run.experiment, run.step, options.ema, metrics, real, protocol)
    write_json(path, record)
    print(
        f"step {run.step}: {protocol['samples']:,} samples against {protocol['reference']}, by "
        f"{protocol['features'].partition(':')[0]} ({path})"
    )
    columns = {f"{options.run}, step {run.step}": metrics}
    if other is not None:
        columns[f"{options.against}, step {other.get('step')}"] = other["metrics"]
    print_metrics(columns | ({"real": real} if real else {}))
    return 0


def print_metrics(columns: dict[str, dict[str, float]]) -> None:
    """A table on a terminal, a line a metric anywhere else."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from jaxgan.runs.evaluations import table

    console, rows = Console(), table(columns)
    if not console.is_terminal:
        for name, _, *values in rows:
            named = [f"{c} {v}" for c, v in zip(columns, values, strict=True) if v]
            print(f"{name}: {', '.join(named)}")
        return
    shown = Table("metric", "better", box=None)
    for column in columns:
        shown.add_column(Text(column), justify="right")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""


def diagnose(args: list[str]) -> int:
    """`jaxgan diagnose RUN`."""
    from jaxgan.options import flat, to_dict
    from jaxgan.runs import diagnosis
    from jaxgan.runs import record as run
    from jaxgan.training.loop import draw_curves

    options = parse(
        DiagnoseOptions,
        args,
        "diagnose",
        "Names what a run's logs show, the evidence and the options that address it.",
    )
    experiment, _ = run.load(options.run)
    found = diagnosis.diagnose(run.read_metrics(options.run), flat(to_dict(experiment)))
    print(f"{options.run}: {found.regime}")
    for sentence in found.evidence:
        print(f"  {sentence}")
    if found.advice:
        print("options that address it:")
        for option, why in found.advice:
            print(f"  {option}\n      {why}")
    if draw_curves(options.run):
        print(f"curves: {options.run / 'curves.png'}")
    return 0


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    out: Path | None = None
    """Where to: an .html file; by default report.html in the run directory."""


def report(args: list[str]) -> int:
    """`jaxgan report RUN`."""
    from jaxgan.runs import record as run
    from jaxgan.runs.evaluations import FILE, read_record
    from jaxgan.runs.report import write_report
    from jaxgan.training.loop import draw_curves

    options = parse(
        ReportOptions, args, "report", "Writes all there is to see of a run as one HTML file."
    )
    path = options.out or options.run / "report.html"
    run.load(options.run)
    check_out(path, (".html",))
    run.read_metrics(options.run)
    if (options.run / FILE).exists():
        read_record(options.run)
    neighbours = _neighbours(options.run)
    draw_curves(options.run)
    write_report(path, options.run, neighbours)
    print(f"{path.stat().st_size / 1e6:.1f} MB: {path}")
    return 0


def _neighbours(directory: Path) -> "Closest | str":
    """Some samples of a run beside the training images nearest to them, or why there are none."""
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.generation import Experiment
    from jaxgan.experiment.sampling import draw_inputs, make_sampler
    from jaxgan.keys import derive
    from jaxgan.runs import record as run
    from jaxgan.runs.report import closest

    if not isinstance(run.load(directory)[0], Experiment):
        return "They are shown of runs that make samples from latents."
    try:
        loaded = load_samples(GeneratorChoice(run=directory))
        if not loaded.spec.is_image:
            return "They are shown of images, and this run makes points."
        source = loaded.experiment.open_source()
        if source.spec.shape != loaded.spec.shape or len(source) < 2:
            return f"The data are no longer those of the run: {source.spec.shape}, {len(source)}."
        key = derive(key_of(loaded.experiment.seed), 0, "preview")
        with kept_programs(directory):
            latents, labels = draw_inputs(loaded.experiment, loaded.spec, key, 16)
            samples = make_sampler(loaded.game)(loaded.variables, latents, labels)
        return closest(samples, source)
    except (ValueError, OSError) as error:
        return f"There are none: {error}"
