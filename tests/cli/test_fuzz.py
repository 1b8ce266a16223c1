"""Experiments drawn at random: every one is refused at once, or trains two steps.

A draw has sane values, mostly made to fit each other, and then perhaps one or two wicked ones:
out of range, not finite, beyond 32 bits, of another type. What is refused is refused with one
sentence, before anything is compiled or written. What is accepted goes through the training loop,
which samples, saves and evaluates on the way.

Ranges are read from the fields: the smallest numbers in one are sane, those at its borders wicked.
Sizes that would only fill the memory (a width of a billion) are not drawn here.
"""

import contextlib
import dataclasses
import io
import math
import shutil
import typing
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from jaxgan.cli.main import main
from jaxgan.experiment import BaseExperiment, Experiment, UnpairedExperiment, check
from jaxgan.options import Whole32, bounds_of, flat, ranges, to_dict
from jaxgan.runs import record as run
from jaxgan.training.loop import Diverged, all_finite, train
from jaxgan.training.trainer import Trainer, make_trainer

KINDS = (Experiment, Experiment, Experiment, UnpairedExperiment)
"""How often either kind is drawn; a translation takes the longest."""
IMAGES = {"grey8.npz": 8, "digits": 8, "colour8.npz": 8, "colour16.npz": 16, "odd.npz": None}
"""Sane sets of images, with their side if a network takes them as they are."""
POINTS = ("points2.npz", "ring", "points1.npz")
UNLABELLED = ("colour16.npz", "odd.npz", "points1.npz")
DAMAGED = (
    *("single.npz", "constant.npz", "one_class.npz", "empty.npz", "nan.npz", "text.npz"),
    *("pickled.npz", "many_labels.npz", "notes.txt", "empty", ".", "nowhere.npz", "./nowhere"),
    *("mnist", "stacked_mnist", "cycle_gan/horse2zebra", "~nosuchuser/x", "both"),
)
"""Sets that are damaged, missing or strange; of some of them one can learn nevertheless."""

ALIENS = ("x", None, [1], {}, 1.5, 1, True, b"x", (1,))
BOUNDS = ((1 << 31) - 1, 1 << 31, 1 << 32, 1 << 63, 10**400)
FLOATS = (
    *(0.0, -0.0, -1.0, 1.0, 1.5, 1e-45, 5e-324, 1e30, 3e38, 1e39, 1e300, 10**400),
    *(math.nan, math.inf, -math.inf),
)
TEXTS = ("", "..", "a/b", "nonsense", "\0", "\ud800", " ", "\n", "~nosuchuser", "x" * 300)
COSTLY = (
    *("width", "depth", "latent_size", "blocks", "layers", "batch_size", "discriminator_steps"),
    *("unrolled_steps", "packing", "pool_size", "image_size", "load_size", "steps_per_call"),
    *("margin_x", "margin_y"),
)
"""Options whose large values take memory or time before they are refused, if ever."""


def leaves(kind: type, prefix: str = "") -> dict[str, Any]:
    """The annotation of every option of an experiment by its dotted name, with its range."""
    hints, found = typing.get_type_hints(kind, include_extras=True), {}
    for entry in dataclasses.fields(kind):
        name, hint = prefix + entry.name, hints[entry.name]
        found |= leaves(hint, f"{name}.") if dataclasses.is_dataclass(hint) else {name: hint}
    return found


def build(kind: type, values: dict[str, Any], prefix: str = "") -> Any:
    """The dataclass of values by dotted name."""
    given, hints = {}, typing.get_type_hints(kind)
    for entry in dataclasses.fields(kind):
        name, hint = prefix + entry.name, hints[entry.name]
        nested = dataclasses.is_dataclass(hint)
        given[entry.name] = build(hint, values, f"{name}.") if nested else values[name]
    return kind(**given)


pytestmark = pytest.mark.usefixtures("undrawn")
OPTIMIZER = {
    "learning_rate": (1e-3, 1, 1e-8),
    "beta2": (0.99, 0.0),
    "decay_end": (0, 1, 5),
}
SHARED = {
    "name": ("fuzz", "a b", "é"),
    "seed": (0, 7, (1 << 32) - 1),
    "steps": (2, 3, 1000),
    "batch_size": (4, 2, 1, 6),
    "data_dir": (None, "prepared"),
    "image_size": (None, 8, 12),
    **{f"generator_optimizer.{name}": values for name, values in OPTIMIZER.items()},
    **{f"discriminator_optimizer.{name}": values for name, values in OPTIMIZER.items()},
    "ema_decay": (0.9, 0.0, 0),
    "log_every": (1, 2, 50),
    "sample_every": (50, 2, 1),
    "checkpoint_every": (50, 2, 1),
}
SANE = {
    Experiment: SHARED
    | {
        "best_metric": (None, "generator_loss", "frechet", "smallest_share", "penalty"),
        "data": (*POINTS, *IMAGES),
        "generator.family": ("mlp", "mlp", "mlp", "mlp", "dcgan", "resnet", "biggan"),
        "discriminator.family": ("mlp", "mlp", "mlp", "mlp", "resnet", "dcgan", "biggan"),
        "generator.width": (4, 1, 3),
        "generator.latent_size": (2, 1, 5),
        "generator.attention": (0,),
        "generator.hidden": (0,),
        "generator.hierarchical": (True,),
        "generator.shared_size": (128,),
        "discriminator.attention": (0,),
        "discriminator.hidden": (0,),
        "label_use": ("projection", "channels", "classifier"),
        "codes.categorical": ((), (), (3,)),
        "codes.continuous": (0, 0, 2),
        "codes.hidden": (0, 4),
        "ema_start": (0, 0, 1),
        "discriminator.width": (4, 1, 3),
        "penalty_weight": (1.0, 0.0),
        "penalty_every": (1, 2, 16),
        "lecam_start": (0, 1, 1000),
        "label_smoothing": (0.0, 0.1),
        "label_noise": (0.0, 0.1),
        "label_flip": (0.0, 0.05),
        "instance_noise_steps": (1000, 1),
        "packing": (1, 2),
        "unrolled_steps": (0, 0, 0, 1),
        "evaluate_every": (0, 0, 2, 1, 50),
    },
    UnpairedExperiment: SHARED
    | {
        "best_metric": (None, "generator_loss", "x_cycle"),
        "batch_size": (1, 2),
        "evaluate_every": (0,),
        "data_x": ("./both", *IMAGES),
        "data_y": (None, *IMAGES),
        "class_x": (None, "0", "1"),
        "class_y": (None, "0"),
        "margin_x": (0, 1),
        "margin_y": (0, 1),
        "load_size": (None, 16, 12),
        "decay_epochs": (0, 1),
        "generator.width": (2, 1),
        "generator.blocks": (0, 1),
        "discriminator.width": (2, 1),
        "discriminator.layers": (1, 2),
        "cycle_weight": (10.0, 0),
    },
}
"""What most experiments take, the plainest first, where it is not the smallest of a range. Literals
and bools speak for themselves."""


def number_of(hint: Any) -> type | None:
    """Whether an annotation is of whole numbers or of all, perhaps in a range."""
    parts = {hint, *typing.get_args(hint)}
    return next((kind for kind in (int, float) if kind in parts), None)


def smallest(hint: Any) -> tuple[Any, ...]:
    """Small numbers in an annotation's range."""
    candidates = (0, 1, 2, 3) if number_of(hint) is int else (0.0, 0.1, 0.5)
    allowed = (n for n in candidates if all(bound.allows(n) for bound in bounds_of(hint)))
    return tuple(allowed)[:3]


def borders(hint: Any) -> list[Any]:
    """Numbers at the borders of an annotation's range, within and without."""
    bounds = bounds_of(hint)
    limits = [limit for bound in bounds for limit in dataclasses.astuple(bound)]
    limits += (0, (1 << 32) - 1) if Whole32() in bounds else ()
    return [number for limit in limits for number in (limit - 1, limit, limit + 1)]


def sane(kind: type) -> dict[str, tuple[Any, ...]]:
    """Sane values of every option that has any."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in leaves(kind).items():
        if hint is bool:
            found[name] = (False, True)
        elif typing.get_origin(hint) is Literal:
            found[name] = typing.get_args(hint)
        elif set(typing.get_args(hint)) == {Literal[1, 3], type(None)}:
            found[name] = (None, 1, 3)
        elif bounds_of(hint):
            found[name] = smallest(hint)
    return found | SANE[kind]


def wicked(name: str, hint: Any) -> list[Any]:
    """Values of one option that are out of range, at its border, or of another type."""
    parts = {hint, *typing.get_args(hint)}
    values: list[Any] = list(ALIENS)
    if number_of(hint) is int:
        values += [0, -1, -(1 << 63), 2, 3]
        values += [] if costly(name) else [*BOUNDS, *borders(hint)]
        values += [n for n in borders(hint) if not all(b.allows(n) for b in bounds_of(hint))]
        values += (5, 7, 13, 24) if "size" in name else ()
    if number_of(hint) is float:
        values += [*FLOATS, *map(float, borders(hint))]
    if str in parts or any(isinstance(part, str) for part in parts):
        values += TEXTS
    if name in ("data", "data_x", "data_y"):
        values += DAMAGED * 2
    return values


def costly(name: str) -> bool:
    return name.rpartition(".")[2] in COSTLY


def fit(values: dict[str, Any]) -> None:
    """Makes sane values of an `Experiment` fit each other."""
    data = values["data"]
    for side in ("generator", "discriminator"):
        if values[f"{side}.family"] == "biggan":
            values[f"{side}.family"] = "dcgan"  # It takes 32 pixels, and minutes to compile.
    if data in POINTS:
        values |= {"generator.family": "mlp", "discriminator.family": "mlp", "flip": False}
        values |= {"image_size": None, "channels": None}
    elif IMAGES.get(data, 8) is None and not values["image_size"]:
        values["image_size"] = 8
    if data in UNLABELLED:
        values["conditional"] = False
    if not values["conditional"]:
        values["label_use"] = "projection"
    if values["conditional"] or values["batch_size"] % 2:
        values["packing"] = 1
    if values["packing"] > 1:
        values |= {"codes.categorical": (), "codes.continuous": 0}
    for side in ("generator", "discriminator"):
        single = values["batch_size"] <= values["packing"] or values[f"{side}.width"] == 1
        if values[f"{side}.family"] == "mlp" and single:
            values[f"{side}.normalization"] = "none"  # What is left of a single number is 0.
    if values["loss"] not in ("minimax", "non_saturating"):
        values |= {"label_smoothing": 0.0, "label_noise": 0.0, "label_flip": 0.0}
    measured = {"ring": "smallest_share"}.get(data, "frechet")
    if values["best_metric"] in ("frechet", "smallest_share") and (
        not values["evaluate_every"] or values["best_metric"] != measured
    ):
        values["best_metric"] = None
    if {values["generator.family"], values["discriminator.family"]} != {"mlp"}:
        values["unrolled_steps"] = 0  # These take a minute to compile.
    if values["best_metric"] == "penalty" and values["penalty"] == "none":
        values["best_metric"] = None


def fit_translation(values: dict[str, Any]) -> None:
    """Makes sane values of a `UnpairedExperiment` fit each other."""
    if values["data_y"] is None:
        values["data_x"] = "./both"
    elif values["data_x"] == "./both":
        values["data_x"] = "grey8.npz"
    names = values["data_x"], values["data_y"] or "grey8.npz"
    sides = {IMAGES.get(name, 8) for name in names}
    if values["image_size"] is None and (len(sides) > 1 or None in sides):
        values["image_size"] = 8
    if values["image_size"] is None:
        values |= {"margin_x": 0, "margin_y": 0}
    if values["image_size"] != 12:
        values["discriminator.layers"] = 1
    for domain, name in zip("xy", names, strict=True):
        if name in UNLABELLED or values["data_y"] is None:
            values[f"class_{domain}"] = None
    if values["identity_weight"]:
        values |= {"channels_x": 1, "channels_y": 1}
    if values["load_size"] and sides == {16}:
        values["load_size"] = 16
    values["decay_epochs"] = min(values["epochs"], values["decay_epochs"])


def decode(
    kinds: tuple[type, ...],
    wickedness: tuple[int, ...],
    fixed: dict[str, tuple[Any, ...]],
    data: bytes,
) -> BaseExperiment:
    """The experiment of these bytes; zeros are the plainest one."""
    rest = iter(data)

    def choose(values: Sequence[Any]) -> Any:
        return values[next(rest) % len(values)]

    kind, count = choose(kinds), choose(wickedness)
    fitted = choose((True, True, True, True, True, True, False))
    hints, chances = leaves(kind), sane(kind) | fixed
    # A byte for where to look and one for what to take there.
    spoilt = [choose(list(hints)) for _ in range(2)][:count]
    instead = [choose(wicked(name, hints[name])) for name in spoilt]
    values = {name: choose(chances[name]) for name in hints}
    if values.get("data") == "digits":
        values["evaluate_every"] = 0  # To fit their judge takes half a minute.
    if fitted:
        if values["simultaneous"]:
            values["discriminator_steps"] = 1
        for side in ("generator", "discriminator"):
            if values[f"{side}_optimizer.decay_end"] <= values[f"{side}_optimizer.decay_start"]:
                values[f"{side}_optimizer.decay_start"] = 0
        (fit if kind is Experiment else fit_translation)(values)
    return build(kind, values | dict(zip(spoilt, instead, strict=True)))


def experiments(
    kinds: tuple[type, ...] = KINDS,
    wickedness: tuple[int, ...] = (0, 0, 0, 1, 2),
    **fixed: tuple[Any, ...],
) -> st.SearchStrategy[BaseExperiment]:
    """Whole experiments, with one of these numbers of wicked values.

    `fixed` take the place of an option's sane values.

    Of one string of bytes: hypothesis follows each new draw of several values by five copies of
    it with some values repeated, and an experiment that trains is too expensive for that.
    """
    size = max(len(leaves(kind)) for kind in KINDS) + 10
    return st.binary(min_size=size, max_size=size).map(partial(decode, kinds, wickedness, fixed))


def write_data(folder: Path) -> None:
    """The sets that experiments name: a few samples each."""
    rng = np.random.default_rng(0)

    def images(*shape: int) -> np.ndarray:
        return rng.integers(256, size=shape, dtype=np.uint8)

    def save(name: str, **arrays: Any) -> None:
        np.savez(folder / f"{name}.npz", **arrays)

    names = np.array(["cat", "0", "1"])
    save("grey8", images=images(12, 8, 8), labels=np.arange(12) % 3)
    save("colour8", images=images(10, 8, 8, 3), labels=np.arange(10) % 3, label_names=names)
    save("colour16", images=images(9, 16, 16, 3))
    save("odd", images=images(8, 9, 12))
    save("points1", points=rng.normal(size=(11, 1)))
    save("points2", points=rng.normal(size=(20, 2)), labels=np.arange(20) % 4)
    save("single", images=images(1, 8, 8), labels=np.zeros(1, int))
    save("constant", images=np.zeros((9, 8, 8), np.uint8))
    save("one_class", images=images(9, 8, 8), labels=np.zeros(9, int))
    save("empty", images=images(0, 8, 8))
    save("nan", points=np.full((9, 2), np.nan))
    save("many_labels", images=images(9, 8, 8), labels=np.arange(8))
    save("pickled", images=np.array([{}], object))
    (folder / "text.npz").write_text("no archive")
    (folder / "notes.txt").write_text("no data")
    (folder / "empty").mkdir()
    (folder / "prepared").mkdir()
    for part, count in (("trainA", 3), ("trainB", 4)):
        (folder / "both" / part).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(images(8, 8)).save(folder / "both" / part / f"{number}.png")


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A working folder that holds all data, with everything a run could write to within."""
    folder = tmp_path_factory.mktemp("fuzz")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HOME", str(folder))
        patch.setenv("TFDS_DATA_DIR", str(folder / "prepared"))
        # Elsewhere: decoded images are kept there before a run is accepted.
        patch.setenv("JAXGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@contextlib.contextmanager
def compilations() -> Iterator[list[str]]:
    """What XLA compiles within the block, an entry a program."""
    found: list[str] = []

    def listen(event: str, duration: float, **details: Any) -> None:
        if event.endswith("backend_compile_duration"):
            found.append(str(details.get("fun_name", event)))

    jax.random.key(0)  # A key needs a program of its own, once a process.
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def listing() -> list[str]:
    return sorted(map(str, Path().rglob("*")))


class Silent:
    """A reporter."""

    def step(self, step: int) -> None: ...

    def log(self, step: int, scalars: dict[str, float]) -> None: ...

    def say(self, message: str) -> None: ...


def accepted(experiment: BaseExperiment) -> tuple[BaseExperiment, Trainer] | str:
    """The experiment in steps and its trainer, or why it is refused; leaves no trace."""
    before = listing()
    with compilations() as compiled:
        try:
            check(experiment)
            resolved = experiment.resolved()
            outcome: Any = resolved, make_trainer(resolved)
        except ValueError as error:
            outcome = str(error)
    assert not compiled
    assert listing() == before
    return outcome


def check_refusal(experiment: BaseExperiment, message: str) -> None:
    """A refused experiment, as the user of the command line meets it."""
    assert message
    assert message == message.strip()
    assert "\n" not in message
    file = Path("refused.py")
    file.write_text(
        "from math import inf, nan\nfrom jaxgan.experiment import *\n"
        f"from jaxgan.experiment import *\nexperiment = {experiment!r}\n"
    )
    before = listing()
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = main(["train", str(file), "--out", "run"])
    assert (code, stdout.getvalue()) == (2, "")
    assert stderr.getvalue().startswith("jaxgan: ")
    assert stderr.getvalue().count("\n") == 1
    assert listing() == before


def check_training(experiment: BaseExperiment, trainer: Trainer) -> None:
    """Two steps through the loop: an end at a finite state, or one that is said to be none."""
    short = dataclasses.replace(experiment, steps=min(experiment.steps, 2))
    (program,) = trainer.programs
    programs = (program._replace(place=program.place._replace(last=short.steps)),)
    folder = Path("run")
    try:
        run.create(folder, short, [program.source.spec])
        assert run.read(folder)[0] == short
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "samples are compared with the training data")
            state = train(trainer._replace(experiment=short, programs=programs), folder, Silent())
        assert state.step == short.steps
        assert all_finite(state)
    except Diverged:
        pass
    finally:
        shutil.rmtree(folder)
        jax.clear_caches()  # No program is used again.


def judge(experiment: BaseExperiment, *, training: bool = True) -> str:
    """Holds one experiment against all that is promised of it; "refused" or "accepted"."""
    outcome = accepted(experiment)
    if isinstance(outcome, str):
        check_refusal(experiment, outcome)
        return "refused"
    if training:
        check_training(*outcome)
    return "accepted"


def draws(strategy: st.SearchStrategy, count: int, number: int, **options: Any) -> Counter[str]:
    """Judges this many experiments, the same for each number; how many had which end."""
    ends: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def holds(experiment: BaseExperiment) -> None:
        ends[judge(experiment, **options)] += 1

    holds()
    return ends


@pytest.mark.parametrize("kind", SANE)
def test_every_option_is_drawn(kind):
    hints, drawn = leaves(kind), sane(kind)
    assert [name for name in hints if name not in drawn] == []
    assert [name for name in drawn if name not in hints] == []  # That is gone.
    for name, hint in hints.items():
        if typing.get_origin(hint) is Literal:
            assert set(typing.get_args(hint)) == set(drawn[name])
        for value in drawn[name]:
            assert value is None or all(bound.allows(value) for bound in bounds_of(hint))


@pytest.mark.parametrize("kind", SANE)
def test_a_number_beyond_its_border_is_refused_and_one_within_is_not(kind):
    hints, plain = leaves(kind), flat(to_dict(kind()))
    bounded = dict(ranges(kind))
    assert set(bounded) == {name for name, hint in hints.items() if bounds_of(hint)}
    for name, bounds in bounded.items():
        assert not all(bound.allows(n) for n in borders(hints[name]) for bound in bounds)
        for number in map(number_of(hints[name]), borders(hints[name])):
            said = ""
            try:
                check(build(kind, plain | {name: number}))
            except ValueError as error:
                said = str(error)
            broken = [bound.words for bound in bounds if not bound.allows(number)]
            of_range = {f"{name} must be {words}, not {number}" for words in broken}
            assert said in of_range if broken else not said.startswith(f"{name} must be "), said


def test_compilations_are_counted():
    with compilations() as compiled:
        jax.eval_shape(lambda x: x + 1, 1.0)
    assert not compiled
    with compilations() as compiled:
        jax.jit(lambda x: jnp.sin(x) + 1234.5)(2.0)
    assert compiled
    with compilations() as compiled:
        jax.jit(lambda x: jnp.cos(x)).lower(2.0).compile()
    assert compiled


def test_some_are_refused_and_some_accepted():
    ends = draws(experiments(wickedness=(1, 2)), 30, 0, training=False)
    assert ends["refused"] >= 10
    assert ends["accepted"]


def test_a_few_small_ones_train():
    plain = {"data": POINTS, "unrolled_steps": (0,), "evaluate_every": (0,)}
    ends = draws(experiments((Experiment,), (0,), **plain), 2, 0)
    assert ends["accepted"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
def test_many(number):
    ends = draws(experiments(), 75, number)
    print(dict(ends))
    assert ends["accepted"] >= 0.4 * sum(ends.values())
