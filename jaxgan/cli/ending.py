"""The last lines of a training: where everything lies, and what comes next."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.training.trainer import Trainer


def ending(directory: Path, trainer: "Trainer") -> list[str]:
    """The lines on a run that has done all its steps: what there is, and where."""
    from jaxgan.runs.log import SEEN, read_metrics
    from jaxgan.runs.summary import course
    from jaxgan.training.loop import picture_of

    experiment, spec = trainer.experiment, trainer.programs[-1].source.spec
    lines = [f"done after {experiment.steps:,} steps: {directory}"]
    files = {
        "samples": picture_of(directory, experiment.steps),
        "curves": directory / "curves.png",
        "evaluation" if experiment.evaluate_every else "log": directory / "metrics.jsonl",
    }
    lines += [f"  {name + ':':<12}{path}" for name, path in files.items() if path.exists()]
    if sentence := course(experiment, spec, read_metrics(directory, SEEN)):
        lines.append(sentence)
    return lines


def following(directory: Path, trainer: "Trainer") -> list[str]:
    """The commands that come next, to be pasted into a shell."""
    run, last = shlex.quote(str(directory)), trainer.programs[-1]
    drawn = last.experiment.inputs(last.source.spec).draw is not None
    commands = [
        f"sample {run} --out samples.png" if drawn else f"translate {run} --help",
        f"report {run}",
        f"resume {run} --steps {2 * trainer.experiment.steps}",
    ]
    return ["next:", *(f"  {program()} {command}" for command in commands)]


def program() -> str:
    """How this program is called in a shell: by its interpreter where it is not on PATH."""
    found = shutil.which("jaxgan")
    if found and Path(found).resolve().parent == Path(sys.executable).parent.resolve():
        return "jaxgan"
    return f"{shlex.quote(sys.executable)} -m jaxgan"
