"""How options are shown in the help: their ranges, their texts, and the common ones first.

tyro knows nothing of `jaxgan.options`' ranges, and breaks a help text where its source breaks. It
is given a subclass of the options, in whose annotations the ranges are what a value is called,
`--steps INT 1 or more`, and the texts are whole paragraphs. `--help` leaves out `ADVANCED` options,
`--help-all` shows them too.
"""

import dataclasses
from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Any, NamedTuple, cast, get_args, get_origin, get_type_hints

import tyro
from docstring_parser import parse_from_object

from jaxgan.options import bounds_of

ADVANCED = (
    *("steps_per_call", "shard_parameters", "log_every", "sample_every", "checkpoint_every"),
    *("data_dir", "transparency", "channels*", "margin_*", "epoch", "simultaneous", "ema*"),
    *("label_use", "classifier_*", "label_smoothing", "label_noise", "label_flip", "codes.*"),
    *(
        "instance_noise*",
        "packing",
        "unrolled_steps",
        "reuse_fakes",
        "stacked_protocol",
        "penalty_every",
    ),
    *("drift_weight", "lecam_start", "optimizer_states", "standing", "perceptual_*"),
    *("*.depth", "*.normalization", "*.spectral_norm", "*.latent_distribution", "*.hidden"),
    *("*.attention", "*.hierarchical", "*.shared_size", "*.orthogonal_weight", "*.dtype"),
    *("*.remat", "*.clip", "*.dropout", "*.inner_bias", "*_optimizer.*"),
)
"""Options that `--help` leaves out, by dotted name; `*` stands for anything."""


EXAMPLES = {
    "train": "jaxgan train dcgan_mnist --steps 5000 --out runs/first",
    "resume": "jaxgan resume runs/latest --steps 10000",
    "sample": "jaxgan sample runs/latest --count 64 --out grid.png",
    "interpolate": "jaxgan interpolate runs/latest --seeds 1 2 3 --loop --out walk.gif",
    "directions": "jaxgan directions runs/latest --labels attributes.csv",
    "edit": "jaxgan edit runs/latest --direction smile --strength -3 0 3 --out edit.png",
    "project": "jaxgan project runs/latest photo.png --out found.png",
    "translate": "jaxgan translate runs/latest --input photos --output results",
    "reconstruct": "jaxgan reconstruct runs/latest --input photos --output again",
    "evaluate": "jaxgan evaluate runs/latest --best",
    "list": "jaxgan list runs",
    "compare": "jaxgan compare runs/a runs/b --format md --plot curves.png",
    "diagnose": "jaxgan diagnose runs/latest",
    "report": "jaxgan report runs/latest --out page.html",
    "watch": "jaxgan watch runs/latest --port 8888",
    "export": "jaxgan export runs/latest --out model.safetensors --licence CC0",
    "verify": "jaxgan verify runs/latest",
    "data": "jaxgan data photos --image-size 64",
    "completion": 'eval "$(jaxgan completion bash)"',
    "experiments": "jaxgan experiments dcgan_mnist > mine.py",
}
"""A command line of each command, for its help."""


class Hidden(NamedTuple):
    """Which options a help leaves out.

    Attributes:
      shown: the only ones that it has; empty: all that are not `left_out`.
      left_out: patterns of dotted names.
    """

    shown: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        if self.shown:
            return name not in self.shown
        return any(fnmatchcase(name, pattern) for pattern in self.left_out)


@cache
def as_shown(kind: Any, hidden: Hidden = Hidden(), prefix: str = "") -> Any:  # noqa: B008
    """The options' class as tyro is to show it.

    Args:
      kind: a dataclass of options.
      hidden: what to leave out; it can be given all the same.
      prefix: of the options' dotted names.
    """
    hints, texts = get_type_hints(kind, include_extras=True), _texts(kind)
    shown = {
        name: _shown(hint, texts.get(name), hidden, prefix + name) for name, hint in hints.items()
    }
    fields: list[Any] = [
        (entry.name, shown[entry.name], _default(entry, shown))
        for entry in dataclasses.fields(kind)
    ]
    frozen = kind.__dataclass_params__.frozen
    return dataclasses.make_dataclass(kind.__name__, fields, bases=(kind,), frozen=frozen)


def hidden_options(kind: Any, hidden: Hidden, prefix: str = "") -> int:
    """How many options `as_shown` leaves out."""
    hints, count = get_type_hints(kind, include_extras=True), 0
    for entry in dataclasses.fields(kind):
        hint, name = hints[entry.name], prefix + entry.name
        if dataclasses.is_dataclass(_bare(hint)):
            count += hidden_options(_bare(hint), hidden, _inner(hint, name))
        else:
            count += hidden.has(name)
    return count


def _texts(kind: Any) -> dict[str, str]:
    """The docstrings of a class's fields, a paragraph each."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__[:-1]):
        documented = parse_from_object(each).params
        found |= {doc.arg_name: " ".join((doc.description or "").split()) for doc in documented}
    return found


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


def _inner(hint: Any, name: str) -> str:
    """The prefix of options within a field: none where tyro is told to leave its name out."""
    notes = get_args(hint)[1:] if _bare(hint) is not hint else ()
    return "" if any(getattr(note, "name", None) == "" for note in notes) else f"{name}."


def _shown(hint: Any, text: str | None, hidden: Hidden, name: str) -> Any:
    """An annotation with its text, and its range as what the help calls the value."""
    bare, bounds = _bare(hint), bounds_of(hint)
    notes = get_args(hint)[1:] if bare is not hint else ()
    if dataclasses.is_dataclass(bare):
        inner = as_shown(cast(type, bare), hidden, _inner(hint, name))
        return Annotated[inner, *notes] if notes else inner
    metavar = None
    if bounds:
        words = " and ".join(bound.words for bound in bounds)
        metavar = f"{bare.__name__.upper()} {words}"
    annotated: Any = Annotated[bare, *notes, tyro.conf.arg(metavar=metavar, help=text)]
    suppress: Any = tyro.conf.Suppress
    return suppress[annotated] if hidden.has(name) else annotated


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
