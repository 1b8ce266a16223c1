"""Options in the help with the ranges that stand in their annotations.

tyro knows nothing of `jaxgan.options`' ranges. It is given a subclass of the options, in whose
annotations they are what a value is called: `--steps INT 1 or more`.
"""

import dataclasses
from functools import cache
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import tyro

from jaxgan.options import bounds_of


@cache
def with_ranges(kind: Any) -> Any:
    """The options' class as tyro is to show it: with the ranges that stand in its annotations."""
    hints = get_type_hints(kind, include_extras=True)
    shown = {name: _shown(hint) for name, hint in hints.items()}
    own = [
        entry for entry in dataclasses.fields(kind) if shown[entry.name] is not hints[entry.name]
    ]
    if not own:
        return kind
    fields: list[Any] = [(entry.name, shown[entry.name], _default(entry, shown)) for entry in own]
    frozen = kind.__dataclass_params__.frozen
    return dataclasses.make_dataclass(kind.__name__, fields, bases=(kind,), frozen=frozen)


def _default(entry: dataclasses.Field[Any], shown: dict[str, Any]) -> Any:
    """A field's default, as an instance of the class that is shown."""
    kind, factory = _bare(shown[entry.name]), entry.default_factory
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=lambda: as_kind(kind, factory()))
    if entry.default is dataclasses.MISSING:
        return dataclasses.field(kw_only=entry.kw_only)
    return dataclasses.field(default=as_kind(kind, entry.default), kw_only=entry.kw_only)


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _shown(hint: Any) -> Any:
    """An annotation with its range as what the help calls the value."""
    bare, bounds = _bare(hint), bounds_of(hint)
    if dataclasses.is_dataclass(bare):
        inner = with_ranges(cast(type, bare))
        notes = get_args(hint)[1:] if bare is not hint else ()
        return hint if inner is bare else Annotated[inner, *notes] if notes else inner
    if not bounds:
        return hint
    words = " and ".join(bound.words for bound in bounds)
    metavar = f"{bare.__name__.upper()} {words}"
    return Annotated[bare, *get_args(hint)[1:], tyro.conf.arg(metavar=metavar)]


def as_kind(kind: Any, options: Any) -> Any:
    """What was parsed, as instances of the options' own classes."""
    if not dataclasses.is_dataclass(kind):
        return options
    hints = get_type_hints(kind)  # Without notes.
    values = {
        entry.name: as_kind(hints[entry.name], getattr(options, entry.name))
        for entry in dataclasses.fields(kind)
    }
    return cast(type, kind)(**values)
