"""`jaxgan evaluate`: how good a run's samples are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxgan.cli.arguments import parse
from jaxgan.cli.choosing import GeneratorChoice, load_chosen


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(GeneratorChoice):
    against: Path | None = None
    """Another run that was evaluated, or its evaluation.json, to print beside this one; refused
    where the protocols differ."""
    features: Literal["classifier", "pixels"] | None = None
    """What images are compared by; by default a classifier of theirs where they have labels."""


def evaluate(args: list[str]) -> int:
    """`jaxgan evaluate RUN [--against OTHER]`."""
    from jaxgan.runs.evaluations import FILE, read_record, refuse_other_protocol
    from jaxgan.runs.writing import write_json

    options = parse(EvaluateOptions, args, "evaluate", "Measures samples of a run.")
    other = None if options.against is None else read_record(options.against)

    def refuse(protocol: dict[str, object]) -> None:
        if other is not None and options.against is not None:
            refuse_other_protocol(protocol, other, options.against)

    run = load_chosen(options)
    record = run.evaluate(options.features, on_protocol=refuse)
    metrics, real, protocol = record["metrics"], record["real"], record["protocol"]
    path = options.run / FILE
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
