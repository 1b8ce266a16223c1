"""What all runs of a generator against a discriminator share."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import optax

from jaxgan.experiment.base import EVERY_RULE, BaseExperiment
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.options import AtLeast, AtMost


@dataclass(frozen=True)
class AdversarialExperiment(BaseExperiment):
    """Two sides, each with an optimiser, and the order in which they play."""

    rules: ClassVar[tuple[str, ...]] = EVERY_RULE

    generator_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator_steps: Annotated[int, AtLeast(1), AtMost(1000)] = 1
    """Discriminator updates a step, each on a minibatch of its own."""
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
        return {"ema_decay": self.ema_decay, "simultaneous": self.simultaneous}
