"""An optimiser as plain options."""

from dataclasses import dataclass
from typing import Annotated, Literal

import optax

from jaxgan import penalties
from jaxgan.options import Above, AtLeast, Within


@dataclass(frozen=True)
class OptimizerOptions:
    """One side's optimiser."""

    name: Literal["adam", "rmsprop", "sgd"] = "adam"
    """Update rule, from optax."""
    learning_rate: Annotated[float, Above(0)] = 2e-4
    """Step size."""
    beta1: Annotated[float, Within(0, 1)] = 0.5
    """Adam's decay of the mean of gradients."""
    beta2: Annotated[float, Within(0, 1)] = 0.999
    """Adam's and RMSProp's decay of the mean of squared gradients."""
    decay_start: Annotated[int, AtLeast(0)] = 0
    """Update from which the learning rate falls linearly."""
    decay_end: Annotated[int, AtLeast(0)] = 0
    """Update at which it reaches 0; 0: it never falls."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for a decay that ends before it starts."""
        if self.decay_end and not self.decay_start < self.decay_end:
            raise ValueError(
                f"{prefix}decay_end must be 0 or lie beyond decay_start {self.decay_start}, "
                f"not {self.decay_end}"
            )

    def build(self, lazy_every: int = 1) -> optax.GradientTransformation:
        """The optax transformation; Adam corrected for a penalty every `lazy_every` updates."""
        rate, beta1, beta2 = self.learning_rate, self.beta1, self.beta2
        if self.name == "adam" and lazy_every > 1:
            corrected = penalties.lazy_adam(rate, beta1, beta2, lazy_every)
            rate, beta1, beta2 = (corrected[name] for name in ("learning_rate", "b1", "b2"))
        schedule: optax.ScalarOrSchedule = rate
        if self.decay_end:
            length = self.decay_end - self.decay_start
            schedule = optax.linear_schedule(rate, 0.0, length, self.decay_start)
        if self.name == "adam":
            return optax.adam(schedule, b1=beta1, b2=beta2)
        if self.name == "rmsprop":
            return optax.rmsprop(schedule, decay=beta2)
        return optax.sgd(schedule)
