"""Who plays whom for what: each kind of GAN as a few pure functions."""

from jaxgan.games.adversarial import adversarial
from jaxgan.games.cyclegan import cyclegan
from jaxgan.games.game import Aux, Game, Turn

__all__ = ["Aux", "Game", "Turn", "adversarial", "cyclegan"]
