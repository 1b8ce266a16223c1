"""Who plays whom for what: each kind of model as an ordered list of moves."""

from jaxgan.games.adversarial import Head, Memory, adversarial
from jaxgan.games.cyclegan import cyclegan
from jaxgan.games.game import Aux, Game, Move, Sides, Turn

__all__ = [
    "Aux",
    "Game",
    "Head",
    "Memory",
    "Move",
    "Sides",
    "Turn",
    "adversarial",
    "cyclegan",
]
