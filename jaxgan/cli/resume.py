"""`jaxgan resume`: a run goes on."""

from jaxgan.cli.arguments import leading_path, parse, read_file
from jaxgan.cli.train import finish


def resume(args: list[str]) -> int:
    """`jaxgan resume RUN [EXPERIMENT.py] [options]`: options may prolong the run, not change it."""
    from jaxgan.experiment import Experiment
    from jaxgan.runs.record import read
    from jaxgan.training import launch

    directory = leading_path(args)
    if directory is None and not {"-h", "--help"} & set(args):
        raise ValueError("resume needs a run directory first: jaxgan resume RUN")
    recorded = read(directory)[0] if directory else Experiment()
    file = leading_path(args)
    asked = read_file(file) if file else recorded
    experiment = parse(
        type(asked),
        args,
        "resume RUN [EXPERIMENT.py]",
        "Resumes a run. --steps may prolong it, --steps-per-call and --shard-parameters change; "
        "--data says where the same data lie now.",
        default=asked,
    )
    assert directory is not None
    return finish(lambda: (directory, *launch.go_on(directory, experiment)))
