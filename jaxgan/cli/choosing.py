"""Which generator of a run a command takes, and what may be chosen about its inputs."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxgan.cli.arguments import parse_both
from jaxgan.working import working

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from collections.abc import Callable

    from jaxgan.experiment.inputs import Inputs
    from jaxgan.training.trained import Run


@dataclass(frozen=True, kw_only=True)
class GeneratorChoice:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    step: int | None = None
    """Checkpoint to take; the newest by default."""
    best: bool = False
    """Take the best checkpoint."""
    ema: bool = True
    """Take the averaged generator, or the one in training."""
    standing: int = 0
    """Take the batch statistics of this many batches of samples instead of those that training left
    (BigGAN's standing statistics, of 100), within the truncation where that is given."""


def load_chosen(options: GeneratorChoice, choices: Any = None) -> "Run":
    """The run that the options name, by the checkpoint that they ask for.

    Args:
      options: of the command.
      choices: about samples, of which standing statistics are taken.
    """
    from jaxgan.training.trained import load

    if options.best and options.step is not None:
        raise ValueError(f"--best and --step {options.step} ask for two checkpoints; take one")
    with working(f"loading {options.run}"):
        run = load(options.run, step=options.step, best=options.best, averaged=options.ema)
        return run.with_standing(options.standing, choices) if options.standing else run


def parse_with_places(
    kind: type, args: list[str], command: str, description: str
) -> tuple[Any, dict[str, str | None]]:
    """Parses a command's options and, beside them, those that say where the run's data lie now.

    Args:
      kind: the command's options.
      args: the arguments; the run stands first.
      command: its name.
      description: for its help.

    Returns:
      The options, and the places, None where one is as it was.
    """
    from jaxgan.experiment import Experiment
    from jaxgan.runs.record import read

    run = args[0] if args and not args[0].startswith("-") else None
    names = (type(read(Path(run))[0]) if run is not None else Experiment).places
    moved = tyro.conf.arg(help="Where the same data lie now.")
    places = dataclasses.make_dataclass(
        "Places",
        [(name, Annotated[str | None, moved], dataclasses.field(default=None)) for name in names],
        frozen=True,
    )
    both = parse_both(kind, places, args, command, description)
    return both[0], vars(both[1])


def parse_with_choices(
    kind: type,
    args: list[str],
    command: str,
    description: str,
    refuse: "Callable[[Inputs, Path], None]",
    usual: type | None = None,
) -> tuple[Any, Any]:
    """Parses a command's options and, beside them, what the run's kind lets one choose.

    Args:
      kind: the command's options.
      args: the arguments; the run stands first.
      command: its name.
      description: for its help.
      refuse: raises a ValueError for a run that the command is not for.
      usual: the choices that are listed without a run, for `--help`; by default those of runs that
        make images from latents.

    Returns:
      The options, and the choices, an instance of the run's `inputs.choices`.
    """
    from jaxgan.experiment.inputs import LabelChoice
    from jaxgan.runs.record import fitting, read, recorded_specs

    run = args[0] if args and not args[0].startswith("-") else None
    choices = usual or LabelChoice
    if run is not None:
        directory = Path(run)
        experiment, record = read(directory)
        spec = recorded_specs(directory, record)[-1]
        with fitting(directory, experiment):
            inputs = experiment.inputs(spec)
        refuse(inputs, directory)
        choices = inputs.choices
    return parse_both(kind, choices, args, command, description)
