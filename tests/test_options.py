"""Options as plain values: what their annotations allow, and how they are told, kept and compared.

Ranges stand in annotations, where `check_values` reads them.
"""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from jaxgan.experiment import Experiment, UnpairedExperiment
from jaxgan.options import (
    Above,
    AtLeast,
    AtMost,
    Whole32,
    Within,
    bounds_of,
    check_range,
    check_values,
    differences,
    flat,
    from_dict,
    ranges,
    to_dict,
)


@dataclass(frozen=True)
class Schedule:
    start: Annotated[int, AtLeast(0)] = 0
    end: int = 10
    rate: Annotated[float, Above(0)] = 0.5

    def check(self, prefix):
        if self.start >= self.end:
            raise ValueError(f"{prefix}end must lie beyond {prefix}start")


@dataclass(frozen=True)
class Side:
    schedule: Schedule = field(default_factory=Schedule)
    dropout: Annotated[float, Within(0, 1)] = 0.0


@dataclass(frozen=True)
class Options:
    width: Annotated[int, AtLeast(1), AtMost(64)] = 8
    limit: Annotated[float, AtMost(2)] | None = None
    other: Annotated[float | None, Above(1.5)] = None
    seed: Annotated[int, Whole32()] = 0
    count: int = 0
    weight: float = 0.0
    sizes: tuple[int, ...] = ()
    decay: tuple[Annotated[float, AtLeast(0)], ...] = ()
    mode: Literal["slow", 3] = "slow"
    side: Side = field(default_factory=Side)


def refusal(options) -> str:
    with pytest.raises(ValueError, match=" must ") as caught:
        check_values(options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("bound", "allowed", "refused", "words"),
    [
        (AtLeast(1), [1, 2, 1.0, math.inf], [0, 0.999, -math.inf], "1 or more"),
        (AtMost(2.5), [2.5, 2, -math.inf], [2.6, 3, math.inf], "2.5 or less"),
        (Above(0), [5e-324, 1], [0, 0.0, -1], "above 0"),
        (Within(0, 1), [0, 0.0, 0.999], [-0.1, 1, 1.0], "in [0, 1)"),
        (Whole32(), [0, 1, 2**32 - 1], [-1, 2**32], "from 0 to 2**32 - 1"),
    ],
)
def test_what_each_bound_allows_and_how_it_is_called(bound, allowed, refused, words):
    assert bound.words == words
    for value in allowed:
        assert bound.allows(value), value
    for value in (*refused, math.nan):
        assert not bound.allows(value), value
    check_range("a", allowed[0], (bound,))
    with pytest.raises(ValueError, match=r"^a must be ") as caught:
        check_range("a", refused[0], (bound,))
    assert str(caught.value) == f"a must be {words}, not {refused[0]}"


def test_bounds_are_found_in_annotations():
    assert bounds_of(Annotated[int, AtLeast(1), "a note", AtMost(9)]) == (AtLeast(1), AtMost(9))
    assert bounds_of(Annotated[float, Above(0)] | None) == (Above(0),)
    assert bounds_of(Annotated[float | None, Above(0)]) == (Above(0),)
    assert bounds_of(tuple[Annotated[int, AtLeast(1)], ...]) == (AtLeast(1),)
    for plain in (int, str, float | None, tuple[int, ...], Literal["a"], Annotated[int, "a note"]):
        assert bounds_of(plain) == ()


def test_defaults_are_allowed():
    check_values(Options())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be 1 or more, not 0"),
        ({"width": 65}, "width must be 64 or less, not 65"),
        ({"seed": -1}, "seed must be from 0 to 2**32 - 1, not -1"),
        ({"seed": 1 << 32}, "seed must be from 0 to 2**32 - 1, not 4294967296"),
        ({"side": Side(dropout=1.0)}, "side.dropout must be in [0, 1), not 1.0"),
        (
            {"side": Side(Schedule(rate=0.0))},
            "side.schedule.rate must be above 0, not 0.0",
        ),
    ],
)
def test_values_out_of_their_bounds_are_named_with_what_is_allowed(changes, message):
    assert refusal(Options(**changes)) == message


@pytest.mark.parametrize("value", [True, False, "1", None, [1], 1.5])
def test_a_type_is_told_before_a_range(value):
    assert refusal(Options(width=value)) == f"width must be int, not {value!r}"


def test_optional_numbers_are_bounded_where_they_are_numbers():
    for name in ("limit", "other"):
        check_values(Options(**{name: None}))
        check_values(Options(**{name: 2}))
    assert refusal(Options(limit=2.5)) == "limit must be 2 or less, not 2.5"
    assert refusal(Options(other=1.5)) == "other must be above 1.5, not 1.5"
    assert refusal(Options(limit="2")) == "limit must be float | None, not '2'"
    assert refusal(Options(other="2")) == "other must be float | None, not '2'"


def test_every_number_of_a_tuple_is_bounded():
    check_values(Options(decay=(0, 0.5), sizes=(-1, 2**31 - 1)))
    assert refusal(Options(decay=(0.5, -0.1))) == "decay must be 0 or more, not -0.1"
    assert refusal(Options(sizes=(1, 2**31))) == "sizes must be at most 2147483647, not 2147483648"


def test_a_check_of_a_class_is_told_by_its_dotted_name():
    assert refusal(Schedule(start=10)) == "end must lie beyond start"
    crossed = Options(side=Side(Schedule(start=12)))
    assert refusal(crossed) == "side.schedule.end must lie beyond side.schedule.start"
    assert refusal(Side(Schedule(start=12))).startswith("schedule.end must")


def test_a_check_of_a_class_comes_after_its_fields():
    """It may rely on what the annotations say."""
    assert refusal(Schedule(start="12")) == "start must be int, not '12'"
    assert refusal(Options(side=Side(Schedule(start=-1, end=-2)))).startswith("side.schedule.start")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 2**31}, "count must be at most 2147483647, not 2147483648"),
        ({"count": -(2**31)}, "count must be at least -2147483647, not -2147483648"),
        ({"weight": 1e39}, "weight must be at most 3.4e+38, not 1e+39"),
        ({"weight": -1e39}, "weight must be at least -3.4e+38, not -1e+39"),
        ({"weight": 2**31}, "weight must be at most 2147483647, not 2147483648"),
        ({"weight": math.inf}, "weight must be finite, not inf"),
        ({"weight": math.nan}, "weight must be finite, not nan"),
        ({"limit": -1e39}, "limit must be at least -3.4e+38, not -1e+39"),
    ],
)
def test_numbers_fit_into_32_bits(changes, message):
    assert refusal(Options(**changes)) == message


def test_the_largest_that_32_bits_hold():
    check_values(Options(count=2**31 - 1, weight=3.4e38, limit=-3.4e38, seed=2**32 - 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "fast"}, "mode must be one of slow, 3, not 'fast'"),
        ({"mode": 3.0}, "mode must be one of slow, 3, not 3.0"),
        ({"sizes": [1]}, "sizes must be tuple[int, ...], not [1]"),
        ({"sizes": (1, "2")}, "sizes must be tuple[int, ...], not (1, '2')"),
        ({"side": {"dropout": 0.5}}, "side must be Side, not {'dropout': 0.5}"),
    ],
)
def test_values_of_other_types(changes, message):
    assert refusal(Options(**changes)) == message


def test_an_int_is_a_float_and_a_bool_is_neither():
    check_values(Options(weight=1, limit=1))
    assert refusal(Options(weight=True)) == "weight must be float, not True"
    assert refusal(Options(count=True)) == "count must be int, not True"


def test_what_a_record_cannot_hold():
    @dataclass(frozen=True)
    class Bounded(Options):
        where: Annotated[Path, "a note"] = Path("x")

    with pytest.raises(
        ValueError, match=r"^where is annotated Path, which experiment\.json cannot"
    ):
        check_values(Bounded())


def test_ranges_are_listed_by_dotted_name():
    assert dict(ranges(Options)) == {
        "width": (AtLeast(1), AtMost(64)),
        "limit": (AtMost(2),),
        "other": (Above(1.5),),
        "seed": (Whole32(),),
        "decay": (AtLeast(0),),
        "side.schedule.start": (AtLeast(0),),
        "side.schedule.rate": (Above(0),),
        "side.dropout": (Within(0, 1),),
    }
    assert [name for name, _ in ranges(Side, "own.")] == [
        *("own.schedule.start", "own.schedule.rate", "own.dropout")
    ]


@pytest.mark.parametrize("kind", [Experiment, UnpairedExperiment])
def test_every_range_of_an_experiment_holds(kind):
    """A value just outside each bound is refused, and what is refused is the one that is wrong."""
    outside = {
        AtLeast: lambda bound: bound.limit - 1,
        AtMost: lambda bound: bound.limit + 1,
        Above: lambda bound: bound.limit,
        Within: lambda bound: bound.high,
        Whole32: lambda bound: 1 << 32,
    }
    found = dict(ranges(kind))
    assert {"steps", "generator.width", "generator_optimizer.learning_rate"} < set(found)
    for name, bounds in found.items():
        for bound in bounds:
            value = outside[type(bound)](bound)
            message = refusal(changed(kind(), name.split("."), value))
            assert message == f"{name} must be {bound.words}, not {value}"


def changed(options, path, value):
    """Options with another value at a path of names."""
    name, *rest = path
    new = changed(getattr(options, name), rest, value) if rest else value
    return dataclasses.replace(options, **{name: new})


def test_options_are_read_back_from_json():
    options = Options(sizes=(1, 2), mode=3, limit=0.5, side=Side(Schedule(start=3)))
    assert from_dict(Options, json.loads(json.dumps(to_dict(options)))) == options
    assert from_dict(Options, {}) == Options()
    assert from_dict(Options, {"side": {"dropout": 0.5}}) == Options(side=Side(dropout=0.5))


def test_unknown_options_are_named():
    with pytest.raises(ValueError, match=r"^Options has no option widht$"):
        from_dict(Options, {"widht": 3})
    with pytest.raises(ValueError, match=r"^Schedule has no option side\.schedule\.begin$"):
        from_dict(Options, {"side": {"schedule": {"begin": 3}}})


def test_differences_are_named_in_order():
    old = {"b": {"y": 1, "x": 2}, "a": 0, "c": 5}
    new = {"b": {"y": 1, "x": 3}, "a": 1, "d": 6}
    assert differences(old, new) == [
        ("a", 0, 1),
        ("b.x", 2, 3),
        ("c", 5, None),
        ("d", None, 6),
    ]
    assert differences(old, old) == []


def test_nested_values_are_flattened_by_dotted_names():
    assert flat({"a": 1, "b": {"c": {"d": 2}, "e": [3]}}) == {"a": 1, "b.c.d": 2, "b.e": [3]}
    assert list(flat(to_dict(Side()))) == [
        *("schedule.start", "schedule.end", "schedule.rate", "dropout")
    ]


def test_annotations_keep_the_range_that_they_were_given():
    """`typing` gives an equal annotation again where it has one."""
    for kind in (Above, AtLeast, AtMost):
        (bound,) = bounds_of(Annotated[float, kind(0.125)])
        assert type(bound) is kind
