"""Options as plain values: dataclasses held against their annotations, to and from nested dicts."""

import dataclasses
import math
import types
import typing
from typing import Any, Literal, TypeVar

Options = TypeVar("Options")


def check_types(options: Any, prefix: str = "") -> None:
    """Holds values against their annotations: an experiment file is Python and takes anything.

    Raises:
      ValueError: naming the option, its value and what its annotation allows.
    """
    hints = typing.get_type_hints(type(options))
    for entry in dataclasses.fields(options):
        name, hint, value = prefix + entry.name, hints[entry.name], getattr(options, entry.name)
        if dataclasses.is_dataclass(hint) and type(value) is hint:
            check_types(value, f"{name}.")
        elif not _is_a(value, hint, name):
            raise ValueError(f"{name} must be {_describe(hint)}, not {value!r}")


def _is_a(value: Any, hint: Any, name: str) -> bool:
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
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
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
