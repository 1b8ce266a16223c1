"""`jaxgan diagnose`: how a run went."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.cli.arguments import parse


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""


def diagnose(args: list[str]) -> int:
    """`jaxgan diagnose RUN`."""
    from jaxgan.options import flat, to_dict
    from jaxgan.runs import diagnosis
    from jaxgan.runs.curves import draw_curves
    from jaxgan.runs.log import read_metrics
    from jaxgan.runs.record import read

    options = parse(
        DiagnoseOptions,
        args,
        "diagnose",
        "Names what a run's logs show, the evidence and the options that address it.",
    )
    experiment, _ = read(options.run)
    found = diagnosis.diagnose(
        read_metrics(options.run), flat(to_dict(experiment)), experiment.rules
    )
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
