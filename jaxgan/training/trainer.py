"""An experiment turned into the programs that the loop calls, one a phase."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
from jax.sharding import Mesh

from jaxgan.devices import sharding
from jaxgan.evaluation import Better
from jaxgan.evaluation.names import direction
from jaxgan.experiment.base import BaseExperiment, check
from jaxgan.training.checkpoints import Expected
from jaxgan.training.program import Place, Program, make_program
from jaxgan.types import Key


class Trainer(NamedTuple):
    """What the loop needs of an experiment.

    Attributes:
      experiment: what is trained.
      root_key: the run's key.
      mesh: the devices, over which every batch is split.
      programs: one a phase, in their order.
      evaluated: what an evaluation measures, each with its better direction.
    """

    experiment: BaseExperiment
    root_key: Key
    mesh: Mesh
    programs: tuple[Program, ...]
    evaluated: Mapping[str, Better]

    def at(self, step: int) -> Program:
        """The program that plays the step of this number; after the end, the last one."""
        return next((p for p in self.programs if step < p.place.last), self.programs[-1])

    def after(self, step: int) -> Program:
        """The program that gave the state after `step` steps; at a border the phase that ends."""
        return self.at(max(step - 1, 0))

    def expected(self, step: int) -> Expected:
        """What a checkpoint after `step` steps holds."""
        program = self.after(step)
        return Expected(program.place.number, program.abstract)

    @property
    def higher_is_better(self) -> bool:
        """Whether the largest value of `best_metric` marks the best checkpoint."""
        metric = self.experiment.best_metric or ""
        return self.evaluated.get(metric, direction(metric)) == "higher"


def make_trainer(experiment: BaseExperiment, mesh: Mesh | None = None) -> Trainer:
    """Opens the data and builds the game and the step of every phase.

    All that can be refused is refused here, by tracing shapes: nothing is compiled or written.

    Args:
      experiment: what is to be trained.
      mesh: on which devices, of `sharding.data_mesh`; None takes all.

    Raises:
      ValueError: when options, data and networks do not fit each other.
    """
    check(experiment)
    phases, root_key = experiment.phases(), jax.random.key(experiment.seed)
    places = places_of(experiment)
    mesh = sharding.data_mesh() if mesh is None else mesh
    programs: list[Program] = []
    images = 0
    for phase, place in zip(phases, places, strict=True):
        source = phase.experiment.open_source()
        place = place._replace(images=images)
        program = make_program(phase, place, source, mesh, root_key)
        images = program.images_seen(place.last)
        programs.append(program)
    evaluated = experiment.metric_names(programs[-1].source.spec)
    _check_best(experiment, programs[-1].scalar_names, evaluated)
    return Trainer(experiment, root_key, mesh, tuple(programs), evaluated)


def places_of(experiment: BaseExperiment) -> list[Place]:
    """Where each phase begins and ends, without the samples seen before it.

    Raises:
      ValueError: when the phases do not add up to the run.
    """
    places, first = [], 0
    for number, phase in enumerate(experiment.phases()):
        if phase.steps < 1:
            raise ValueError(f"phase {number} takes {phase.steps} steps; it must take 1 or more")
        places.append(Place(number, first, first + phase.steps, 0))
        first += phase.steps
    if first != experiment.steps:
        raise ValueError(f"the phases take {first} steps together, and steps is {experiment.steps}")
    return places


def _check_best(
    experiment: BaseExperiment, logged: Sequence[str], evaluated: Mapping[str, Better]
) -> None:
    """Refuses evaluations where nothing can be measured, and a `best_metric` that ranks nothing."""
    metric, every, saved = (
        experiment.best_metric,
        experiment.evaluate_every,
        experiment.checkpoint_every,
    )
    if every and not evaluated:
        raise ValueError(
            f"evaluate_every {every}: there is no measure of a run of {type(experiment).__name__}; "
            "set it to 0"
        )
    known = (*logged, *evaluated) if every else tuple(logged)
    # Without evaluations a metric of theirs marks nothing, which is what `--evaluate-every 0` asks.
    if metric not in (None, *logged, *evaluated):
        raise ValueError(
            f"best_metric {metric!r} is not measured; it may be None or {', '.join(known)}"
        )
    if metric is None or metric not in evaluated or not every:
        return
    meet = math.lcm(every, saved)
    if max(every, saved) <= experiment.steps < meet:  # Trials too short for either are no mistake.
        raise ValueError(
            f"best_metric {metric!r} would rank nothing: evaluate_every {every} and "
            f"checkpoint_every {saved} first meet at step {meet}, and there are "
            f"{experiment.steps} steps; make one a multiple of the other, or best_metric None"
        )
