"""What a run's `sample` takes: drawn from a key, or read from images."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxgan.data import Spec, class_number
from jaxgan.latent import Prior
from jaxgan.networks.network import Variables
from jaxgan.types import Array, Key

SHOWN = 20
"""Names of classes in a sentence, at most."""


@dataclass(frozen=True)
class NoChoice:
    """Nothing to choose about a run's samples."""


@dataclass(frozen=True)
class LabelChoice:
    """What may be chosen about samples from latents."""

    label: str | int | None = None
    """Class asked for, by its name or its number; where names are numbers, as those of folders may
    be, a number is a name. By default a conditional run gives each class in turn."""
    truncation: float | None = None
    """Cut normal latents off at this distance from 0, above 0: samples become likelier and more
    alike (BigGAN: 2 down to 0.04)."""


class Reading(NamedTuple):
    """How images become what a game's `sample` takes.

    Attributes:
      spec: of the images that are read.
      margin: black pixels on each side, inside the size that a run was trained on.
      extra: what `sample` takes after the images, such as a direction; not traced.
      unit: sides that the network takes are multiples of this.
      own_size: images keep their own height and width, or the nearest multiples to them.
      holes: the last channel of the spec is a mask, 255 where something is missing.
      tile: larger images go through the network in squares of this side; 0: always whole.
      overlap: pixels that neighbouring squares share on either side of their seam, as many as an
        output depends on.
    """

    spec: Spec
    margin: int = 0
    extra: tuple[Any, ...] = ()
    unit: int = 4
    own_size: bool = False
    holes: bool = False
    tile: int = 0
    overlap: int = 0


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
      told: `(choices) -> words`, what was chosen about samples, such as "of class 3, cat"; empty
        where nothing was.
      sweeps: by the name of a code, `(latents [R, L]) -> [R, K, L]`: each latent with that code at
        each of its values (InfoGAN).
      kernel: `(variables) -> [L, ...]`, the weights that latents of L numbers meet first; None:
        there are no such weights.
    """

    choices: type = NoChoice
    draw: Callable[[Key, int, Any], tuple[Any, ...]] | None = None
    walk: Callable[[Array, Array, int], Array] | None = None
    read: Callable[[Any], Reading] | None = None
    told: Callable[[Any], str] = lambda choices: ""
    sweeps: Mapping[str, Callable[[Array], Array]] = {}
    kernel: Callable[[Variables], Array] | None = None


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
    prior: Prior,
    num_classes: int,
    walk: Callable[[Array, Array, int], Array] | None,
    class_names: tuple[str, ...] = (),
    truncate: Callable[[Array, float], Array] | None = None,
) -> Inputs:
    """The inputs of a generator from latents, conditional where there are classes.

    Args:
      prior: of the latents.
      num_classes: of a conditional run, else 0.
      walk: between latents, as `Inputs.walk`.
      class_names: by which a class may be asked for, one a class or none.
      truncate: `(latents, limit) -> latents`, such as `latent.truncated`; None: the latents' tails
        cannot be cut off.
    """

    def draw(key: Key, count: int, choices: LabelChoice) -> tuple[Any, Array | None]:
        label = label_number(choices.label, num_classes, class_names)
        latents = prior(key, count)
        if choices.truncation is not None:
            if truncate is None:
                raise ValueError(
                    f"truncation {choices.truncation} is of normal latents, and this run's are not"
                )
            latents = truncate(latents, choices.truncation)
        if not num_classes:
            return latents, None
        if label is None:
            return latents, jnp.arange(count, dtype=jnp.int32) % num_classes
        return latents, jnp.full(count, label, jnp.int32)

    def told(choices: LabelChoice) -> str:
        label = label_number(choices.label, num_classes, class_names)
        words = []
        if label is not None:
            name = class_names[label] if class_names else str(label)
            words.append(f"of class {label}" + (f", {name}" if name != str(label) else ""))
        if choices.truncation is not None:
            words.append(f"of latents within {choices.truncation:g}")
        return ", ".join(words)

    return Inputs(LabelChoice, draw, walk, told=told)


def label_number(
    label: str | int | None, num_classes: int, class_names: tuple[str, ...] = ()
) -> int | None:
    """The number of a class that was asked for; None stands for any.

    Args:
      label: a number, or as text what `data.class_number` takes: a name, or a number in digits.
      num_classes: of a generator; 0 where it takes no labels.
      class_names: one a class, or none.

    Raises:
      ValueError: a label that does not exist.
    """
    if label is None:
        return None
    if not num_classes:
        raise ValueError(f"label {label} was asked of a generator that takes no labels")
    numbers = tuple(map(str, range(num_classes)))
    number = class_number(label, class_names or numbers) if isinstance(label, str) else label
    if number is not None and 0 <= number < num_classes:
        return number
    allowed = f"labels are 0 to {num_classes - 1}"
    if class_names and class_names != numbers:
        names = ", ".join(class_names[:SHOWN]) + (", ..." if num_classes > SHOWN else "")
        only_names = isinstance(label, str) and any(name.isdecimal() for name in class_names)
        allowed = f"classes are named {names}" if only_names else f"{allowed}, or {names}"
    raise ValueError(f"label {label} does not exist: {allowed}")
