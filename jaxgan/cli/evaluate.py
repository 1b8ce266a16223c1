"""`jaxgan evaluate`: how good a run's samples are."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jaxgan.cli.arguments import check_out
from jaxgan.cli.choosing import GeneratorChoice, load_chosen, parse_with_places
from jaxgan.cli.progress import ShowOptions, shown
from jaxgan.working import working


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(GeneratorChoice, ShowOptions):
    against: Path | None = None
    """Another run that was evaluated, or its evaluation.json, to print beside this one; refused
    where the protocols differ."""
    features: Literal["classifier", "pixels"] | None = None
    """What images are compared by; by default a classifier of theirs where they have labels."""
    out: Path | None = None
    """Where to record it: a .json file; by default evaluation.json in the run directory."""


def evaluate(args: list[str]) -> int:
    """`jaxgan evaluate RUN [--against OTHER]`.

    Exit code 1: `--out` could not be written after all; the numbers were printed.
    """
    from jaxgan.runs.evaluations import FILE, read_record, refuse_other_protocol

    says = "Measures samples of a run."
    options, places = parse_with_places(EvaluateOptions, args, "evaluate", says)
    other = None if options.against is None else read_record(options.against)

    def refuse(protocol: dict[str, object]) -> None:
        if other is not None and options.against is not None:
            refuse_other_protocol(protocol, other, options.against)

    run, path = load_chosen(options), options.out or options.run / FILE
    if options.out is not None:
        check_out(options.out, (".json",))
    elif not os.access(options.run, os.W_OK):  # Better said now than after minutes of waiting.
        warnings.warn(f"{path} cannot be written; --out FILE records elsewhere", stacklevel=2)
    with shown(options), working("evaluating"):
        record = run.evaluate(options.features, on_protocol=refuse, **places)
    metrics, real, protocol = record["metrics"], record["real"], record["protocol"]
    failure = _write(path, record)
    where = "not recorded" if failure else path
    print(
        f"step {run.step}: {protocol['samples']:,} samples against {protocol['reference']}, by "
        f"{protocol['features'].partition(':')[0]} ({where})"
    )
    columns = {f"{options.run}, step {run.step}": metrics}
    if other is not None:
        columns[f"{options.against}, step {other.get('step')}"] = other["metrics"]
    print_metrics(columns | ({"real": real} if real else {}))
    if failure:
        warnings.warn(
            f"these numbers are not recorded: {path} cannot be written ({failure}); --out FILE "
            "records elsewhere",
            stacklevel=2,
        )
    return 1 if failure and options.out else 0


def _write(path: Path, record: dict[str, Any]) -> str:
    """Records an evaluation; if that fails, returns why, as its numbers took minutes."""
    from jaxgan.runs.writing import write_json

    try:
        write_json(path, record)
    except OSError as error:
        return error.strerror or str(error)
    return ""


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
