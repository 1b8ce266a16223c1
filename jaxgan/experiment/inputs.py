"""What a run's `sample` takes: drawn from a key, or read from images."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgan.data import Spec
from jaxgan.latent import Prior
from jaxgan.types import Array, Key


@dataclass(frozen=True)
class NoChoice:
    """Nothing to choose about a run's samples."""


@dataclass(frozen=True)
class LabelChoice:
    """What may be chosen about samples from latents."""

    label: int | None = None
    """Class asked for; by default a conditional run gives each class in turn."""


class Reading(NamedTuple):
    """How images become what a game's `sample` takes.

    Attributes:
      spec: of the images that are read.
      margin: black pixels on each side, inside the size that a run was trained on.
      extra: what `sample` takes after the images, such as a direction; not traced.
    """

    spec: Spec
    margin: int = 0
    extra: tuple[Any, ...] = ()


class Inputs(NamedTuple):
    """What `game.sample` takes besides variables, and what a caller may choose about it.

    Attributes:
      choices: a frozen dataclass, whose fields are options of the commands and of `Run.sample`.
      draw: `(key, count, choices) -> inputs`, a tuple of arrays (pytrees) whose first axis is
        `count`, or None each; a smaller count gives the head of a larger one. None: nothing is
        drawn. A ValueError for a choice that cannot be.
      walk: `(from, to, steps) -> latents [steps, ...]`, between two draws of the first input, such
        as `latent.spherical`; None: there is no way between them.
      read: `(choices) -> Reading`, for runs that take images; None: images are not taken.
    """

    choices: type = NoChoice
    draw: Callable[[Key, int, Any], tuple[Any, ...]] | None = None
    walk: Callable[[Array, Array, int], Array] | None = None
    read: Callable[[Any], Reading] | None = None


def refuse_undrawn(inputs: Inputs, run: Path) -> None:
    """Raises a ValueError for a run whose samples are not drawn."""
    _refuse_inputless(inputs, run)
    if inputs.draw is None:
        raise ValueError(
            f"{run} makes its images from images, and this takes a run that draws its samples; "
            f"see jaxgan translate {shlex.quote(str(run))}"
        )


def refuse_unread(inputs: Inputs, run: Path) -> None:
    """Raises a ValueError for a run that takes no images."""
    _refuse_inputless(inputs, run)
    if inputs.read is None:
        raise ValueError(
            f"{run} makes its samples from latents, and translate takes a run that translates "
            f"images; see jaxgan sample {shlex.quote(str(run))}"
        )


def _refuse_inputless(inputs: Inputs, run: Path) -> None:
    if inputs.draw is None and inputs.read is None:
        raise ValueError(f"{run} is of a kind that has no inputs, and nothing can be made of it")


def latents_and_labels(
    prior: Prior, num_classes: int, walk: Callable[[Array, Array, int], Array] | None
) -> Inputs:
    """The inputs of a generator from latents, conditional where there are classes.

    Args:
      prior: of the latents.
      num_classes: of a conditional run, else 0.
      walk: between latents, as `Inputs.walk`.
    """

    def draw(key: Key, count: int, choices: LabelChoice) -> tuple[Any, Array | None]:
        check_label(choices.label, num_classes)
        latents = prior(key, count)
        if not num_classes:
            return latents, None
        if choices.label is None:
            return latents, jnp.arange(count, dtype=jnp.int32) % num_classes
        return latents, jnp.full(count, choices.label, jnp.int32)

    return Inputs(LabelChoice, draw, walk)


def check_label(label: int | None, num_classes: int) -> None:
    """Raises a ValueError for a label that does not exist; None stands for any."""
    if label is None:
        return
    if not num_classes:
        raise ValueError(f"label {label} was asked of a generator that takes no labels")
    if not 0 <= label < num_classes:
        raise ValueError(f"label {label} does not exist: labels are 0 to {num_classes - 1}")
