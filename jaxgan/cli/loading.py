"""Which generator of a run a command takes, and how it is restored."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import tyro

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.data import PairSpec, Spec
    from jaxgan.experiment.generation import BaseExperiment, Experiment
    from jaxgan.games import Game
    from jaxgan.networks import Variables


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


class Loaded(NamedTuple):
    """What a run has learnt."""

    experiment: "BaseExperiment"
    spec: "Spec | PairSpec"
    game: "Game"
    step: int
    variables: "Variables"


class Samples(NamedTuple):
    """What a run that makes samples from latents has learnt."""

    experiment: "Experiment"
    spec: "Spec"
    game: "Game"
    step: int
    variables: "Variables"


def load_samples(options: GeneratorChoice) -> Samples:
    """`load` for what is about latents."""
    from jaxgan.data import Spec
    from jaxgan.experiment.generation import Experiment
    from jaxgan.runs import record as run

    if not isinstance(run.load(options.run)[0], Experiment):
        raise ValueError(
            f"{options.run} translates images, and this takes a run that makes them from latents; "
            f"see jaxgan translate {options.run}"
        )
    loaded = load(options)
    assert isinstance(loaded.experiment, Experiment)
    assert isinstance(loaded.spec, Spec)
    return Samples(loaded.experiment, loaded.spec, *loaded[2:])


def load(options: GeneratorChoice) -> Loaded:
    """Restores a run's generator. Data are opened only when the run did not record their spec."""
    from jaxgan.data import PairSpec
    from jaxgan.experiment.generation import Experiment, check
    from jaxgan.experiment.unpaired import UnpairedExperiment
    from jaxgan.runs import record as run
    from jaxgan.training.checkpoints import Checkpoints
    from jaxgan.training.trainer import abstract_state

    if options.best and options.step is not None:
        raise ValueError(f"--best and --step {options.step} ask for two checkpoints; take one")
    experiment, record = run.load(options.run)
    check(experiment)
    folder = options.run / "checkpoints"
    if not folder.is_dir():
        raise ValueError(f"{options.run} has no checkpoint yet")
    spec = run.recorded_spec(record) or experiment.open_source().spec
    other = Experiment if isinstance(spec, PairSpec) else UnpairedExperiment
    if isinstance(experiment, other):
        raise ValueError(f"the spec in experiment.json is not that of a run of {other.__name__}")
    game = experiment.make_game(spec)
    abstract = abstract_state(experiment, game, spec)
    with Checkpoints(folder, abstract, read_only=True) as checkpoints:
        step = checkpoints.best_step() if options.best else options.step
        if options.best and step is None:
            raise ValueError(f"{options.run} ranked no checkpoint: it ran without best_metric")
        restored = checkpoints.restore(step)
    if restored is None:
        raise ValueError(f"{options.run} has no checkpoint yet")
    step, state = restored
    variables = state.ema if options.ema else state.generator.variables
    return Loaded(experiment, spec, game, step, variables)
