"""`jaxgan resume`: a run goes on."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from jaxgan.cli.arguments import HELP, leading_path, parse_both, read_file
from jaxgan.cli.progress import ShowOptions
from jaxgan.cli.train import SHOWN, Log, finish
from jaxgan.working import working


@dataclass(frozen=True, kw_only=True)
class ResumeOptions(ShowOptions):
    from_start: bool = False
    """Begin anew, from the same key, where no checkpoint was saved yet."""
    log: Annotated[Log | None, SHOWN] = None
    """Where to log; by default where the run was logged before. Without a name: nowhere."""


def resume(args: list[str]) -> int:
    """`jaxgan resume RUN [EXPERIMENT.py] [options]`: options may prolong the run, not change it."""
    with working("starting"):
        from jaxgan.experiment import Experiment
        from jaxgan.runs.record import read
        from jaxgan.training import launch

    directory = leading_path(args)
    if directory is None and not HELP & set(args):
        raise ValueError("resume needs a run directory first: jaxgan resume RUN")
    recorded = read(directory)[0] if directory else Experiment()
    file = leading_path(args)
    asked = read_file(file) if file else recorded
    options, experiment = parse_both(
        ResumeOptions,
        asked,
        args,
        "resume RUN [EXPERIMENT.py]",
        "Resumes a run. It can be prolonged, and what it writes can change; its data may lie "
        "elsewhere. For all else, begin a new run with its weights: jaxgan train --from RUN.",
        only=("from_start", "log", "quiet", "verbose", *launch.MAY_CHANGE, *asked.places),
    )
    assert directory is not None
    go_on = partial(
        launch.go_on, directory, experiment, from_start=options.from_start, log=options.log
    )
    return finish(lambda display: (directory, *go_on(display=display)), options)
