"""`jaxgan diagnose`: how a run went."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.cli.arguments import check_out, parse


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
    experiment, _ = read(options.run)
    if options.out is not None:
        check_out(options.out, (".png",))
    path = options.out or options.run / "curves.png"
    found = diagnosis.diagnose(
        read_metrics(options.run, SEEN), flat(to_dict(experiment)), experiment.rules
    )
    print(f"{options.run}: {found.regime}")
    for sentence in found.evidence:
        print(f"  {sentence}")
    if found.advice:
        print("options that address it:")
        for option, why in found.advice:
            print(f"  {option}\n      {why}")
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
