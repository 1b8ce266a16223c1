"""`jaxgan list` and `jaxgan compare`: the runs there are, and several side by side."""

import csv
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxgan.cli.arguments import check_out, parse


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    folder: Annotated[Path, tyro.conf.Positional] = Path("runs")
    """Folder to look in, and in its sub-folders."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run directories; runs that differ in their seed alone make one row."""
    format: Literal["table", "md", "csv", "json"] = "table"
    """For the terminal, Markdown, comma-separated values, or JSON with every run's numbers."""
    plot: Path | None = None
    """Where to draw the curves over one another: a .png file."""


def list_runs(args: list[str]) -> int:
    """`jaxgan list [FOLDER]`."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from jaxgan.runs.comparison import runs_in, state_of

    folder = parse(ListOptions, args, "list", "Lists the runs in a folder.").folder
    states = [state_of(run) for run in runs_in(folder)]
    if not states:
        raise ValueError(f"there is no run in {folder}")
    table = Table(box=None)
    longest = max(len(str(each.directory)) for each in states)
    table.add_column("run", min_width=longest, no_wrap=True)  # To be copied, so never cut short.
    for name in ("seed", "step", "state", "best", "at"):
        table.add_column(name)
    for each in states:
        best = each.figure
        shown = (f"{best.metric} {best.best:.4g}", f"{best.best_step:,}") if best else ()
        steps = f"{each.step:,}/{each.steps:,}"
        seed = "" if each.seed is None else str(each.seed)
        cells = str(each.directory), seed, steps, each.state, *shown
        table.add_row(*map(Text, cells))
    console = Console()
    console.print(table, soft_wrap=not console.is_terminal)  # A pipe gets whole lines.
    return 0


def compare(args: list[str]) -> int:
    """`jaxgan compare RUN RUN ... [--format md] [--plot curves.png]`."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from jaxgan.runs.comparison import draw, groups_of, rows_of

    says = "Compares runs: the options in which they differ, and what they measured last."
    options = parse(CompareOptions, args, "compare", says)
    if options.plot is not None:
        check_out(options.plot, (".png",), "--plot")
    groups = groups_of(options.runs)
    head, rows = rows_of(groups)
    if options.format == "json":
        found = [
            {
                "options": each.options,
                "seeds": each.seeds,
                "metrics": {  # JSON has no NaN.
                    name: [value if math.isfinite(value) else None for value in values]
                    for name, values in each.metrics.items()
                },
            }
            for each in groups
        ]
        print(json.dumps(found, indent=2))
    elif options.format == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows([head, *rows])
    elif options.format == "md":
        for row in (head, ["---"] * len(head), *rows):
            print(f"| {' | '.join(row)} |")
    else:
        table = Table(*head, box=None)
        for row in rows:
            table.add_row(*map(Text, row))
        console = Console()
        console.print(table, soft_wrap=not console.is_terminal)
    if options.plot is not None:
        if not groups[0].metrics:
            raise ValueError("these runs have measured nothing that could be drawn")
        draw(groups, options.plot)
    return 0
