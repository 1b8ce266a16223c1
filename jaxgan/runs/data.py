"""A run and its data: their identity when it was trained, and whether it is still the same.

A record holds `data`, one entry a phase: the identities of its source, or null for a source that
has none, such as one of the user's. Runs recorded by earlier versions have no such entry.
"""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgan.data import Identity
from jaxgan.data.identity import class_difference
from jaxgan.experiment.base import BaseExperiment
from jaxgan.runs.record import FILE, recorded_specs

Known = tuple[Identity, ...] | None
"""Who a phase's data are; None where nobody can say."""


def identities_of(sources: Sequence[Any]) -> list[Known]:
    """The identity of each phase's data, for which the data are read.

    Raises:
      ValueError: data that cannot be read any more.
    """
    return [getattr(source, "identities", None) for source in sources]


def to_record(found: Sequence[Known]) -> list[Any]:
    """Identities as JSON holds them."""
    return [None if known is None else [one.to_record() for one in known] for known in found]


def recorded_identities(directory: Path, record: dict[str, Any]) -> list[Known]:
    """The identities that a run's record holds, one entry a phase; empty where it holds none.

    Raises:
      ValueError: they are damaged.
    """
    kept = record.get("data") or []
    try:
        return [
            None if known is None else tuple(Identity.from_record(one) for one in known)
            for known in kept
        ]
    except (TypeError, ValueError) as error:
        reason = error if isinstance(error, ValueError) else f"the data are {kept!r}"
        raise ValueError(f"{directory / FILE} is damaged: {reason}") from error


def refuse_other(directory: Path, before: Known, now: Known) -> None:
    """Refuses data that are not those that a phase was trained on.

    Raises:
      ValueError: naming what differs.
    """
    for old, new in zip(before or (), now or (), strict=False):
        if difference := new.difference(old):
            raise ValueError(f"{directory} cannot take these data: {difference}")


def pointed_to(
    directory: Path, experiment: BaseExperiment, known: Any, places: Mapping[str, str | None]
) -> BaseExperiment:
    """A run's experiment, with the places where its data lie now.

    Args:
      directory: of the run.
      experiment: of the run, or of a phase.
      known: who the data were; without it nobody can tell whether these are they.
      places: values of the options `experiment.places`; None leaves one as it was.

    Raises:
      ValueError: an option that says no place, or data that were not recorded.
    """
    given: dict[str, Any] = {name: value for name, value in places.items() if value is not None}
    if unknown := sorted(set(given) - set(experiment.places)):
        raise ValueError(
            f"{directory} takes {', '.join(experiment.places)} to say where its data lie, "
            f"not {unknown[0]}"
        )
    if given and not known:
        raise ValueError(
            f"{directory} recorded no identity of its data: nobody can tell whether those of "
            f"{', '.join(given)} are they"
        )
    return dataclasses.replace(experiment, **given)


def check_data(directory: Path, record: dict[str, Any], sources: Sequence[Any]) -> list[Known]:
    """Refuses data that are not those of a run; a run that recorded none is warned about.

    Args:
      directory: of the run.
      record: of `runs.record.read`.
      sources: of its phases, as they are opened now.

    Returns:
      Who the data are now.

    Raises:
      ValueError: naming what differs.
    """
    now = identities_of(sources)
    before = recorded_identities(directory, record)
    if not before:
        warnings.warn(
            f"{directory} recorded no identity of its data: nobody can tell whether these are they",
            stacklevel=2,
        )
    for old, new in zip(before, now, strict=False):
        refuse_other(directory, old, new)
    for spec, source in zip(recorded_specs(directory, record), sources, strict=False):
        old_names, names = (getattr(each, "class_names", ()) for each in (spec, source.spec))
        if old_names != names:  # Earlier versions numbered classes in the order of strings.
            raise ValueError(
                f"{directory} cannot take these data: {source.name} has other classes than the run "
                f"was trained on: {class_difference(names, old_names)}"
            )
    return now


def refuse_inside(directory: Path, found: Sequence[Known]) -> None:
    """Refuses to write a run into a folder of its data, which would then be other data.

    Raises:
      ValueError: naming the folder.
    """
    for one in (one for known in found for one in known or ()):
        if one.place and directory.resolve().is_relative_to(one.place):
            raise ValueError(
                f"{directory} lies in the data {one.place}, which would be read as such; choose "
                "another --out"
            )
