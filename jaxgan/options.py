"""Options as plain values: dataclasses held against their annotations, to and from nested dicts.

A field's range stands in its annotation, `width: Annotated[int, AtLeast(1)] = 64`, where the check,
the command line's help and the tests find it.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeVar

Options = TypeVar("Options")
_LARGEST = {int: 2**31 - 1, float: 3.4e38}
"""That JAX's 32 bits hold."""


class Bound(Protocol):
    """A range that a number must lie in.

    Ranges of two classes must not be equal, as tuples of one limit are: `typing` keeps annotations,
    and would give `Annotated[float, AtLeast(0)]` where it was asked for one with `Above(0)`.
    """

    def allows(self, value: float) -> bool: ...

    @property
    def words(self) -> str: ...


@dataclass(frozen=True)
class AtLeast:
    """`limit` or more."""

    limit: float

    def allows(self, value: float) -> bool:
        return value >= self.limit

    @property
    def words(self) -> str:
        return f"{self.limit} or more"


@dataclass(frozen=True)
class AtMost:
    """`limit` or less."""

    limit: float

    def allows(self, value: float) -> bool:
        return value <= self.limit

    @property
    def words(self) -> str:
        return f"{self.limit} or less"


@dataclass(frozen=True)
class Above:
    """More than `limit`."""

    limit: float

    def allows(self, value: float) -> bool:
        return value > self.limit

    @property
    def words(self) -> str:
        return f"above {self.limit}"


@dataclass(frozen=True)
class Within:
    """In [low, high)."""

    low: float
    high: float

    def allows(self, value: float) -> bool:
        return self.low <= value < self.high

    @property
    def words(self) -> str:
        return f"in [{self.low}, {self.high})"


@dataclass(frozen=True)
class Whole32:
    """From 0 to 2**32 - 1: a seed, of which JAX would drop further bits."""

    def allows(self, value: float) -> bool:
        return 0 <= value < 1 << 32

    @property
    def words(self) -> str:
        return "from 0 to 2**32 - 1"


def bounds_of(hint: Any) -> tuple[Bound, ...]:
    """The ranges in an annotation; of an optional number, those of the number."""
    if typing.get_origin(hint) is Annotated:
        return tuple(part for part in hint.__metadata__ if hasattr(part, "allows"))
    return tuple(bound for part in typing.get_args(hint) for bound in bounds_of(part))


def ranges(kind: type, prefix: str = "") -> Iterator[tuple[str, tuple[Bound, ...]]]:
    """The dotted name and the ranges of every field that has any."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for entry in dataclasses.fields(kind):
        hint = hints[entry.name]
        if dataclasses.is_dataclass(hint):
            yield from ranges(typing.cast(type, hint), f"{prefix}{entry.name}.")
        elif bounds := bounds_of(hint):
            yield prefix + entry.name, bounds


def check_values(options: Any, prefix: str = "") -> None:
    """Holds values against their annotations: an experiment file is Python and takes anything.

    Options of a class with a method `check(prefix)` are asked for what concerns several fields.

    Raises:
      ValueError: naming the option, its value and what its annotation allows.
    """
    hints = typing.get_type_hints(type(options), include_extras=True)
    for entry in dataclasses.fields(options):
        name, hint, value = prefix + entry.name, hints[entry.name], getattr(options, entry.name)
        if dataclasses.is_dataclass(hint) and type(value) is hint:
            check_values(value, f"{name}.")
        elif not _is_a(value, hint, name):
            raise ValueError(f"{name} must be {_describe(hint)}, not {value!r}")
        else:
            check_range(name, value, bounds_of(hint))
    if hasattr(options, "check"):
        options.check(prefix)


def check_range(name: str, value: Any, bounds: tuple[Bound, ...]) -> None:
    """Raises a ValueError for a number out of its bounds, or beyond 32 bits without any.

    Of a tuple every number is held against them.
    """
    if isinstance(value, tuple):
        for part in value:
            check_range(name, part, bounds)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    for bound in bounds:
        if not bound.allows(value):
            raise ValueError(f"{name} must be {bound.words}, not {value}")
    largest = math.inf if Whole32() in bounds else _LARGEST.get(type(value), math.inf)
    if abs(value) > largest:
        allowed = f"at most {largest}" if value > 0 else f"at least -{largest}"
        raise ValueError(f"{name} must be {allowed}, not {value}")


def _is_a(value: Any, hint: Any, name: str) -> bool:
    if typing.get_origin(hint) is Annotated:
        return _is_a(value, hint.__origin__, name)
    origin, parameters = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return any(value == allowed and type(value) is type(allowed) for allowed in parameters)
    if origin in (typing.Union, types.UnionType):
        return any(_is_a(value, parameter, name) for parameter in parameters)
    if origin is tuple and parameters[1:] == (...,):
        return isinstance(value, tuple) and all(_is_a(v, parameters[0], name) for v in value)
    if dataclasses.is_dataclass(hint):
        return False  # `from_dict` could not tell a subclass from it.
    if hint not in (bool, int, float, str, types.NoneType):
        raise ValueError(
            f"{name} is annotated {_describe(hint)}, which experiment.json cannot hold: take bool, "
            "int, float, str, None, Literal, tuple[..., ...] or a dataclass of these"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value}")
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _describe(hint: Any) -> str:
    if typing.get_origin(hint) is Annotated:
        return _describe(hint.__origin__)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(map(_describe, typing.get_args(hint)))
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    if hint is types.NoneType:
        return "None"
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def to_dict(options: Any) -> dict[str, Any]:
    """Options as plain values, nested as they are."""
    return dataclasses.asdict(options)


def from_dict(kind: type[Options], values: dict[str, Any]) -> Options:
    """The inverse of `to_dict`.

    Raises:
      ValueError: for a field that `kind` does not have.
    """
    return _build(kind, values, "")


def _build(kind: Any, values: dict[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - {entry.name for entry in dataclasses.fields(kind)})
    if unknown:
        raise ValueError(f"{kind.__name__} has no option {prefix}{unknown[0]}")
    return kind(
        **{
            name: _build(hints[name], value, f"{prefix}{name}.")
            if dataclasses.is_dataclass(hints[name])
            else _tuples(value)
            for name, value in values.items()
        }
    )


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """What differs between two nested dicts: `(dotted name, old value, new value)`, by name."""
    old, new = flat(old), flat(new)
    names = sorted(old | new)
    return [(n, old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n)]


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested dict as one with dotted names."""
    named: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            named |= flat(value, f"{prefix}{name}.")
        else:
            named[prefix + name] = value
    return named
