"""`jaxgan diagnose`: how a run went."""

import math
import shlex
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgan.cli.arguments import check_out, parse

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.runs.diagnosis import Diagnosis


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    out: Path | None = None
    """Where to draw the curves: a .png file; by default curves.png in the run directory."""


def diagnose(args: list[str]) -> int:
    """`jaxgan diagnose RUN`."""
    from jaxgan.options import flat, to_dict
    from jaxgan.runs import diagnosis
    from jaxgan.runs.curves import draw_curves
    from jaxgan.runs.log import SEEN, read_metrics
    from jaxgan.runs.record import read

    options = parse(
        DiagnoseOptions,
        args,
        "diagnose",
        "Names what a run's logs show, the evidence and the options that address it.",
    )
    experiment, record = read(options.run)
    if options.out is not None:
        check_out(options.out, (".png",))
    path = options.out or options.run / "curves.png"
    records = read_metrics(options.run, SEEN)
    facts = diagnosis.facts_of(options.run, record, _overfitting(options.run, experiment.rules))
    found = diagnosis.diagnose(records, flat(to_dict(experiment)), experiment.rules, facts)
    _print(options.run, found)
    try:
        drawn = draw_curves(options.run, path)
    except OSError as error:  # A run of another user's can be diagnosed too.
        warnings.warn(
            f"the curves are not drawn: {path} cannot be written ({error.strerror or error}); "
            "--out FILE draws them elsewhere",
            stacklevel=2,
        )
        return 1 if options.out else 0
    if drawn:
        print(f"curves: {path}")
    return 0


def _overfitting(run: Path, rules: Sequence[str]) -> float:
    """How far the discriminator overfits; NaN where it or a test split is not to be had."""
    from jax.errors import JaxRuntimeError

    from jaxgan.training.held_out import overfitting
    from jaxgan.training.trained import load

    if "mode collapse" not in rules:
        return math.nan
    try:
        with warnings.catch_warnings(action="ignore"):
            return overfitting(load(run))
    except (ValueError, OSError, JaxRuntimeError):  # The run may fill the accelerator's memory.
        return math.nan


COLOURS = {"good": "green", "open": "yellow", "bad": "red"}
"""By a diagnosis's severity."""


def _print(run: Path, found: "Diagnosis") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()

    def say(*parts: str | Text) -> None:
        console.print(Text.assemble(*parts), soft_wrap=True)

    def named(text: str) -> str:
        return text.replace(" RUN", f" {shlex.quote(str(run))}")

    say(f"{run}: ", Text(found.regime, f"bold {COLOURS[found.severity]}"))
    for sentence in found.evidence:
        say(f"  {named(sentence)}")
    if found.advice:
        say("options that address it:")
        for option, why in found.advice:
            say("  ", Text(option, "bold"), f"\n      {named(why)}")
