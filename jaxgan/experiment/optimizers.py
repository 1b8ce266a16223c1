"""An optimiser as plain options.

Every update rule is the paper's, whose constants are not the defaults of each library:

- Adam (Kingma 2015): epsilon 1e-8 outside the root, means corrected for their start at 0.
- RMSProp as the WGAN authors ran it, in PyTorch: epsilon 1e-8 outside the root, a mean of squares
  that starts at 0 and is not corrected. By default optax has epsilon inside, so that the root is
  1e-4 at least: of a gradient of 1e-6, as a clipped WGAN has them, the first update would be 91
  times smaller. TensorFlow 1 has 1e-10 inside, and a mean of squares that starts at 1.
- SGD: without momentum.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import optax

from jaxgan.options import Above, AtLeast, Within

EPSILON = 1e-8
"""Adam's and RMSProp's, outside the root."""


@dataclass(frozen=True)
class OptimizerOptions:
    """One side's optimiser."""

    name: Literal["adam", "rmsprop", "sgd"] = "adam"
    """Update rule: adam and rmsprop with epsilon 1e-8 outside the root, sgd without momentum."""
    learning_rate: Annotated[float, Above(0)] = 2e-4
    """Step size."""
    beta1: Annotated[float, Within(0, 1)] = 0.5
    """Adam's decay of the mean of gradients."""
    beta2: Annotated[float, Within(0, 1)] = 0.999
    """Adam's and RMSProp's decay of the mean of squared gradients; the WGAN authors have .99."""
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

    def check_length(self, prefix: str, updates: int) -> None:
        """Raises a ValueError where the learning rate reaches 0 before the last update."""
        if 0 < self.decay_end < updates:
            raise ValueError(
                f"{prefix}decay_end {self.decay_end}: the learning rate is 0 from that update on, "
                f"and these steps make {updates}; set it to {updates} or more, or take fewer steps"
            )

    def build(self, differentiable: bool = False) -> optax.GradientTransformation:
        """The optax transformation.

        Args:
          differentiable: for updates that a game foresees and differentiates. The root of a mean
            of squares that is 0, as a dead unit's, has no derivative: epsilon goes, squared, into
            the root. The state has the same form, and updates are the same where gradients are
            large against epsilon.
        """
        schedule: optax.ScalarOrSchedule = self.learning_rate
        if self.decay_end:
            length = self.decay_end - self.decay_start
            schedule = optax.linear_schedule(self.learning_rate, 0.0, length, self.decay_start)
        if self.name == "adam":
            inside = EPSILON**2 if differentiable else 0.0
            return optax.adam(schedule, b1=self.beta1, b2=self.beta2, eps=EPSILON, eps_root=inside)
        if self.name == "rmsprop":
            eps = EPSILON**2 if differentiable else EPSILON
            return optax.rmsprop(schedule, decay=self.beta2, eps=eps, eps_in_sqrt=differentiable)
        return optax.sgd(schedule)
