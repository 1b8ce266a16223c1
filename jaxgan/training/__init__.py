"""The state, the step, the loop and the checkpoints."""

from jaxgan.training.lookahead import lookahead
from jaxgan.training.state import Optimizers, Side, TrainingState, inherit, init_state
from jaxgan.training.step import make_train_step

__all__ = [
    "Optimizers",
    "Side",
    "TrainingState",
    "inherit",
    "init_state",
    "lookahead",
    "make_train_step",
]
