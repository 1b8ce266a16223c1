"""What all runs of a generator against a discriminator share."""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import optax

from jaxgan import penalties
from jaxgan.experiment.base import EVERY_RULE, BaseExperiment
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.games import Turn
from jaxgan.games.adversarial import DiscriminatorFn, Penalty
from jaxgan.keys import derive
from jaxgan.options import AtLeast, AtMost
from jaxgan.types import Array

LossName = Literal[
    "minimax",
    "non_saturating",
    "least_squares",
    "wasserstein",
    "hinge",
    "relativistic_pairing",
    "relativistic_average",
]
PenaltyName = Literal["none", "r1", "r2", "r1_r2", "gradient_penalty", "dragan"]


@dataclass(frozen=True)
class AdversarialExperiment(BaseExperiment):
    """Two sides, each with an optimiser, and the order in which they play."""

    rules: ClassVar[tuple[str, ...]] = EVERY_RULE

    generator_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator_steps: Annotated[int, AtLeast(1), AtMost(1000)] = 1
    """Discriminator updates a step, each on a minibatch of its own."""
    ema_start: Annotated[int, AtLeast(0)] = 0
    """Step before which the average is the generator itself (BigGAN: 20,000)."""
    simultaneous: bool = False
    """Update the generator against the discriminator from before the step."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for simultaneous updates of more than one discriminator step."""
        if self.simultaneous and self.discriminator_steps > 1:
            raise ValueError(
                "simultaneous updates take one discriminator step, not "
                f"{self.discriminator_steps}: set discriminator_steps to 1 or simultaneous to False"
            )

    def check_length(self) -> None:
        """Raises a ValueError where a learning rate reaches 0 before the run's last update."""
        self.generator_optimizer.check_length("generator_optimizer.", self.steps)
        updates = self.steps * self.discriminator_steps
        self.discriminator_optimizer.check_length("discriminator_optimizer.", updates)

    def make_optimizers(self) -> dict[str, optax.GradientTransformation]:
        return {
            "generator": self.generator_optimizer.build(),
            "discriminator": self.discriminator_optimizer.build(),
        }

    def make_step_options(self) -> dict[str, Any]:
        return {
            "ema_decay": self.ema_decay,
            "ema_start": self.ema_start,
            "simultaneous": self.simultaneous,
        }


def make_penalty(
    name: PenaltyName, weight: float, *, every: int = 1, plain: bool = False
) -> Penalty | None:
    """The penalty of this name as a game takes it.

    Args:
      name: of `jaxgan.penalties`, or none.
      weight: multiplies it.
      every: apply it at every k-th update of the discriminator, times k.
      plain: for games that differentiate it twice.
    """

    given: dict[str, Any] = {"plain": plain, "scale": weight}

    def weighted(discriminator_fn: DiscriminatorFn, real: Array, fake: Array, turn: Turn) -> Array:
        key = derive(turn.key, "penalty")
        match name:
            case "r1":
                return penalties.r1_penalty(discriminator_fn, real, **given)
            case "r2":
                return penalties.r2_penalty(discriminator_fn, fake, **given)
            case "r1_r2":
                on_real = penalties.r1_penalty(discriminator_fn, real, **given)
                return on_real + penalties.r2_penalty(discriminator_fn, fake, **given)
            case "gradient_penalty":
                return penalties.gradient_penalty(discriminator_fn, real, fake, key, **given)
            case "dragan":
                return penalties.dragan_penalty(discriminator_fn, real, key, **given)
        raise ValueError(f"unknown penalty {name!r}")

    def applied(discriminator_fn: DiscriminatorFn, real: Array, fake: Array, turn: Turn) -> Array:
        penalty = partial(weighted, discriminator_fn, real, fake, turn)
        return penalties.lazy(penalty, turn.number, every)

    return None if name == "none" else applied
