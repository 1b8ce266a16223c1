"""`jaxgan train`: a new run of an experiment."""

import argparse
import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import tyro

from jaxgan.cli.arguments import complain, leading_path, parse_both, read_file
from jaxgan.cli.choosing import GeneratorChoice, load_chosen
from jaxgan.cli.ending import ending, following
from jaxgan.cli.progress import ShowOptions, shown
from jaxgan.working import working

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from collections.abc import Callable

    from jaxgan.experiment.base import BaseExperiment
    from jaxgan.training.progress import Display
    from jaxgan.training.state import TrainingState
    from jaxgan.training.trained import Run
    from jaxgan.training.trainer import Trainer


Log: TypeAlias = tuple[Literal["tensorboard", "wandb"], ...]
SHOWN: Any = tyro.conf.arg(metavar="{tensorboard,wandb} ...")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(ShowOptions):
    lr: float | None = None
    """Learning rate of every optimiser; --generator-optimizer.learning-rate sets one."""
    out: Path | None = None
    """Run directory to make; by default runs/<name>/<time>."""
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Run whose weights to begin with; without EXPERIMENT.py its options are taken over too."""
    step: int | None = None
    """Checkpoint of that run to take; the newest by default."""
    best: bool = False
    """Take its best checkpoint."""
    optimizer_states: bool = False
    """Take over the states of its optimisers too."""
    log: Annotated[Log, SHOWN] = ()
    """Where to log besides the run directory: TensorBoard, Weights & Biases, or both."""


def train(args: list[str]) -> int:
    """`jaxgan train [EXPERIMENT.py] [--from RUN] [--out RUN] [options of the experiment]`."""
    options, experiment = parse_train(args)
    return finish(lambda display: begin(options, experiment, display), options)


def begin(
    options: "TrainOptions", experiment: "BaseExperiment", display: "Callable[[int], Display]"
) -> "tuple[Path, Trainer, TrainingState]":
    """Trains a new run."""
    from jaxgan.training import launch

    run = _run_to_start_from(options)
    return launch.start(
        experiment,
        options.out,
        start_from=run,
        optimizer_states=options.optimizer_states,
        display=display,
        log=options.log,
    )


def parse_train(args: list[str]) -> "tuple[TrainOptions, BaseExperiment]":
    """The options of `jaxgan train`, and the experiment that they describe."""
    file = leading_path(args)
    with working("starting"):
        default = as_asked(read_file(file) if file else _usual(args), args)
    return parse_both(
        TrainOptions,
        default,
        args,
        "train [EXPERIMENT]",
        "Trains the experiment of a Python file, or one that `jaxgan experiments` lists; without "
        "one the embedded digits, or a folder of images. --from RUN begins with the weights of "
        "another run.",
    )


def _usual(args: list[str]) -> "BaseExperiment":
    """The experiment whose options apply where none is named: a run's, a folder's, the digits'."""
    from jaxgan.data.catalog import folder_of
    from jaxgan.experiment import DIGITS

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--from", dest="run", type=Path)
    parser.add_argument("--data")
    parser.add_argument("--data-dir")
    try:
        given = parser.parse_known_args(args)[0]
    except argparse.ArgumentError:
        return DIGITS  # Nothing follows an option, which is refused with all the others.
    if given.run:
        from jaxgan.runs.record import read

        return read(given.run)[0]
    if given.data and folder_of(given.data, given.data_dir):
        return read_file(Path("images_folder"))
    return DIGITS


def as_asked(default: "BaseExperiment", args: list[str]) -> "BaseExperiment":
    """The experiment without what the given options supersede, and with the rate of --lr.

    tyro does not tell an option that was given from one that was not. So this comes before it.
    """
    default = _without_superseded(default, args)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--lr", type=float)
    try:
        rate = parser.parse_known_args(args)[0].lr
    except argparse.ArgumentError:
        return default  # No number, which is refused with all the others.
    return default if rate is None else _with_rate(default, rate)


def _without_superseded(default: "BaseExperiment", args: list[str]) -> "BaseExperiment":
    names = [arg.split("=")[0][2:].replace("-", "_") for arg in args if arg.startswith("--")]
    for name, others in default.superseded.items():
        both = [other for other in others if name in names and other in names]
        if both:
            raise ValueError(f"give --{name} or --{both[0].replace('_', '-')}, not both")
        if name in names:
            every = dataclasses.fields(default)
            unset: dict[str, Any] = {f.name: f.default for f in every if f.name in others}
            default = dataclasses.replace(default, **unset)
    return default


def _with_rate(default: "BaseExperiment", rate: float) -> "BaseExperiment":
    if not rate > 0:
        raise ValueError(f"--lr must be above 0, not {rate:g}")
    sides = [f.name for f in dataclasses.fields(default) if f.name.endswith("optimizer")]
    if not sides:
        raise ValueError(f"--lr: {type(default).__name__} has no learning rate")
    changed = {
        name: dataclasses.replace(getattr(default, name), learning_rate=rate) for name in sides
    }
    return dataclasses.replace(default, **changed)


def _run_to_start_from(options: TrainOptions) -> "Run | None":
    if options.start_from is not None:
        step, best = options.step, options.best
        return load_chosen(GeneratorChoice(run=options.start_from, step=step, best=best))
    for name in ("step", "best", "optimizer_states"):
        if getattr(options, name) is not getattr(TrainOptions(), name):
            raise ValueError(f"--{name.replace('_', '-')} goes with --from RUN")
    return None


def finish(
    work: "Callable[[Callable[[int], Display]], tuple[Path, Trainer, TrainingState]]",
    options: ShowOptions,
    then: bool = True,
) -> int:
    """Does the training, and says how it ended.

    Args:
      work: given what makes the display of a number of steps.
      options: how much is shown.
      then: say which commands come next.
    """
    from jaxgan.training.loop import Halted, Lost, owes_evaluation, unfinished
    from jaxgan.training.output import lasting_output
    from jaxgan.training.progress import Display

    with shown(options), lasting_output():
        try:
            directory, trainer, state = work(
                partial(Display, quiet=options.quiet, verbose=options.verbose)
            )
        except Lost as error:
            return complain(
                f"another process is gone ({error}); what was saved is whole, go on with all of "
                "them: jaxgan resume RUN",
                1,
            )
        except Halted as error:
            return complain(str(error), 1)
        experiment, step = trainer.experiment, int(state.step)
        owed = owes_evaluation(directory, experiment, trainer.programs[-1].source.spec, step)
        rest = unfinished(directory, experiment.steps, step, owed)
        if not rest:
            after = following(directory, trainer) if then else []
            print(*ending(directory, trainer), *after, sep="\n")
        elif options.quiet:  # Others were told when it stopped.
            print(rest)
    return 0
