"""Checkpoints of a state small enough to damage byte by byte."""

import errno
import functools
import json
import os
import pwd
import random
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks import Variables
from jaxgan.runs.log import digest
from jaxgan.training import Side, TrainingState
from jaxgan.training.checkpoints import Checkpoints, Expected


def make_state(step=0, width=50):
    values = jnp.arange(width * 8, dtype=jnp.float32).reshape(width, 8) / 7 + step
    variables = Variables({"kernel": values, "bias": values[0] + 1}, {"mean": values[1] * 2})
    side = Side(variables, {"count": jnp.array(step), "mu": values - 1})
    sides = {"generator": side, "discriminator": side}
    ema = jax.tree.map(lambda leaf: leaf / 3, variables)
    return TrainingState(jnp.array(step), sides, ema, {"pool": jnp.zeros((2, 3), jnp.uint8)})


ABSTRACT = jax.eval_shape(make_state)


def open_checkpoints(folder, abstract=ABSTRACT, phase=0, **options):
    """Checkpoints of a run of one phase; or with `phase` a function of the step."""
    number = phase if callable(phase) else lambda step: phase
    expected = lambda step: Expected(number(step), abstract)  # noqa: E731
    return Checkpoints(folder / "checkpoints", expected, **options)


ELSEWHERE = Path(tempfile.mkdtemp(prefix="jaxgan-checkpoints-"))


@pytest.fixture(scope="module", autouse=True)
def nothing_left():
    yield
    shutil.rmtree(ELSEWHERE)


def write(folder, steps, values=None, **options):
    """Puts checkpoints into a folder."""
    values = [None] * len(steps) if values is None else values
    shutil.copytree(written(tuple(steps), tuple(values), **options), folder, dirs_exist_ok=True)


@functools.cache
def written(steps, values, **options):
    """Where checkpoints were written, once: tests take copies, for TensorStore caches files."""
    folder = Path(tempfile.mkdtemp(dir=ELSEWHERE))
    with open_checkpoints(folder, **options) as checkpoints:
        for step, value in zip(steps, values, strict=True):
            checkpoints.save(step, make_state(step), value)
    return folder


def largest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def test_restores_to_the_bit(tmp_path):
    write(tmp_path, [1, 2])
    with open_checkpoints(tmp_path) as checkpoints:
        step, state = checkpoints.restore()
        assert step == 2
        assert digest(state) == digest(make_state(2))
        step, state = checkpoints.restore(1)
        assert step == 1
        assert digest(state) == digest(make_state(1))


def test_nothing_to_restore(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore() is None
        assert checkpoints.steps() == []
        assert checkpoints.best_step() is None


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    for read_only in (False, True):
        with pytest.raises(ValueError, match="checkpoints is not a folder of checkpoints"):
            open_checkpoints(tmp_path, read_only=read_only)


def test_an_asked_step_must_exist(tmp_path):
    write(tmp_path, [1, 2])
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.raises(ValueError, match="no checkpoint of step 7; it has: 1, 2"),
    ):
        checkpoints.restore(7)


def test_keeps_the_latest_three_and_the_best(tmp_path):
    write(tmp_path, [1, 2, 3, 4, 5, 6], [3.0, 1.0, 2.0, 4.0, 5.0, 6.0])
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [2, 4, 5, 6]
        assert checkpoints.best_step() == 2
        # Reopened, the ranking goes on: 7 is no better than 2, and 8 is.
        checkpoints.save(7, make_state(7), 1.5)
        checkpoints.save(8, make_state(8), 0.5)
        checkpoints.wait()
        assert checkpoints.best_step() == 8
        checkpoints.save(9, make_state(9))
        checkpoints.save(10, make_state(10))
        checkpoints.save(11, make_state(11))
        checkpoints.wait()
        assert checkpoints.steps() == [8, 9, 10, 11]


def test_the_largest_value_marks_the_best_where_higher_is_better(tmp_path):
    values = [3.0, 7.0, 2.0, 7.0, 5.0, 6.0, float("inf")]
    write(tmp_path, [1, 2, 3, 4, 5, 6, 7], values, higher_is_better=True)
    with open_checkpoints(tmp_path, higher_is_better=True) as checkpoints:
        assert checkpoints.best_step() == 4, "the latest of equals"
        assert checkpoints.steps() == [4, 5, 6, 7]
        # Reopened, the ranking goes on.
        checkpoints.save(8, make_state(8), 6.9)
        checkpoints.wait()
        assert checkpoints.best_step() == 4
        checkpoints.save(9, make_state(9), 8.0)
        checkpoints.wait()
        assert checkpoints.best_step() == 9
        assert checkpoints.steps() == [7, 8, 9]
    with open_checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.best_step() == 8


def test_none_and_not_finite_values_never_rank(tmp_path):
    values = [None, float("nan"), 9.0, float("-inf"), None, float("nan"), None]
    write(tmp_path, [1, 2, 3, 4, 5, 6, 7], values)
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [3, 5, 6, 7]
        assert checkpoints.best_step() == 3


def test_a_save_is_of_the_state_as_it_was(tmp_path):
    """Donating the state right after a save must not change what is written."""
    advance = jax.jit(
        lambda state: jax.tree.map(lambda leaf: leaf * 2 + 1, state), donate_argnums=0
    )
    width = 20_000  # Large enough that writing goes on while the next steps run.
    state = jax.tree.map(jnp.copy, make_state(1, width))
    abstract = jax.eval_shape(lambda: state)
    expected = {}
    with open_checkpoints(tmp_path, abstract) as checkpoints:
        for step in (1, 2, 3):
            expected[step] = jax.tree.map(lambda leaf: np.array(leaf, copy=True), state)
            checkpoints.save(step, state)
            for _ in range(5):
                state = advance(state)
        checkpoints.wait()
        for step, saved in expected.items():
            assert digest(checkpoints.restore(step)[1]) == digest(saved)


def test_the_averaged_variables_are_read_alone(tmp_path):
    """Without the rest, whose files may even be gone."""
    write(tmp_path, [1, 2])
    for step in (1, 2):
        shutil.rmtree(tmp_path / "checkpoints" / str(step) / "state")
    with open_checkpoints(tmp_path, read_only=True) as checkpoints:
        step, variables = checkpoints.restore_averaged()
        assert step == 2
        assert digest(variables) == digest(make_state(2).ema)
        step, variables = checkpoints.restore_averaged(1)
        assert step == 1
        assert digest(variables) == digest(make_state(1).ema)
        with (
            pytest.warns(UserWarning, match=r"checkpoints/\d is damaged and passed over"),
            pytest.raises(ValueError, match="can be read"),
        ):
            checkpoints.restore()


def test_no_averaged_variables_where_there_is_no_checkpoint(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore_averaged() is None
    write(tmp_path, [1, 2])
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.raises(ValueError, match="no checkpoint of step 7; it has: 1, 2"),
    ):
        checkpoints.restore_averaged(7)


def damage_truncate(folder, item):
    path = largest_file(folder / item)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_flip(folder, item):
    path = largest_file(folder / item / "ocdbt.process_0")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(data)


def damage_metadata(folder, item):
    (folder / item / "_METADATA").write_bytes(b"garbage")


def damage_record(folder, item):
    path = folder / "record" / "metadata"
    path.write_text(path.read_text().replace("float32[50, 8]", "float32[51, 8]", 1))


def empty(folder, item):
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGES = {
    "truncated": damage_truncate,
    "flipped": damage_flip,
    "metadata": damage_metadata,
    "record": damage_record,
    "data deleted": lambda folder, item: shutil.rmtree(folder / item / "ocdbt.process_0"),
    "manifest deleted": lambda folder, item: (folder / item / "manifest.ocdbt").unlink(),
    "item deleted": lambda folder, item: shutil.rmtree(folder / item),
    "record deleted": lambda folder, item: shutil.rmtree(folder / "record"),
    "emptied": empty,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("item", ["state", "averaged"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage, item, capfd):
    write(tmp_path, [1, 2], [2.0, 1.0])
    damage(tmp_path / "checkpoints" / "2", item)
    before = sorted(tmp_path.rglob("*"))

    with (
        open_checkpoints(tmp_path, read_only=True) as checkpoints,
        pytest.warns(UserWarning, match=r"checkpoints/2 is damaged and passed over"),
    ):
        assert checkpoints.restore()[0] == 1
    assert sorted(tmp_path.rglob("*")) == before, "read-only use moved something"

    with open_checkpoints(tmp_path) as checkpoints:
        with pytest.warns(UserWarning, match=r"checkpoints/2 is damaged and passed over"):
            step, state = checkpoints.restore()
        assert step == 1
        assert digest(state) == digest(make_state(1))
        assert checkpoints.best_step() == 1
        checkpoints.save(2, make_state(2))  # Its step is free again.
    assert (tmp_path / "damaged" / "2").is_dir()
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore()[0] == 2
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("item", ["record", "state"])
def test_what_the_system_does_not_let_one_read_is_not_damage(tmp_path, item):
    """Such as another user's files, or a file server's that is away: a loop of links here."""
    write(tmp_path, [1, 2], [2.0, 1.0])
    folder = tmp_path / "checkpoints" / "2" / item
    file = folder / {"record": "metadata", "state": "manifest.ocdbt"}[item]
    file.rename(tmp_path / "kept")
    file.symlink_to(file.name)
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.raises(OSError, match=r"checkpoints/2 cannot be read: .*may be whole, and nothing"),
    ):
        checkpoints.restore()
    assert not (tmp_path / "damaged").exists()
    file.unlink()
    (tmp_path / "kept").rename(file)
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore()[0] == 2


@pytest.mark.parametrize("code", ["EACCES", "EIO", "ESTALE", "EMFILE"])
def test_errors_of_the_system_that_orbax_tells_of_are_not_damage(tmp_path, code, monkeypatch):
    write(tmp_path, [1, 2], [2.0, 1.0])
    number = getattr(errno, code)

    def fail(*_):
        raise ValueError(f"PERMISSION_DENIED: opening a file [os_error_code='{number}' ...]")

    with open_checkpoints(tmp_path) as checkpoints:
        monkeypatch.setattr(checkpoints, "_read", fail)
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            checkpoints.restore()
    assert not (tmp_path / "damaged").exists()


def test_a_checkpoint_under_another_steps_name_is_damaged(tmp_path):
    write(tmp_path, [1, 2], [2.0, 1.0])
    shutil.copytree(tmp_path / "checkpoints" / "1", tmp_path / "checkpoints" / "3")
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.warns(UserWarning, match=r"checkpoints/3 is damaged.*it is that of step 1"),
    ):
        assert checkpoints.restore()[0] == 2


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_in_the_averaged_variables_is_found_where_they_are_read_alone(tmp_path, damage):
    write(tmp_path, [1, 2], [2.0, 1.0])
    damage(tmp_path / "checkpoints" / "2", "averaged")
    before = sorted(tmp_path.rglob("*"))
    with (
        open_checkpoints(tmp_path, read_only=True) as checkpoints,
        pytest.warns(UserWarning, match=r"checkpoints/2 is damaged and passed over"),
    ):
        step, variables = checkpoints.restore_averaged()
    assert step == 1
    assert digest(variables) == digest(make_state(1).ema)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("item", ["state", "averaged"])
def test_no_flipped_bit_goes_unnoticed(tmp_path, item):
    """Without the digest none of these is noticed: neither Orbax nor TensorStore checks data."""
    write(tmp_path, [1])
    path = largest_file(tmp_path / "checkpoints" / "1" / item / "ocdbt.process_0")
    data = path.read_bytes()
    expected, draw, noticed = digest(make_state(1)), random.Random(0), 0
    with open_checkpoints(tmp_path, read_only=True) as checkpoints:
        for _ in range(25):
            damaged = bytearray(data)
            damaged[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            path.write_bytes(damaged)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    restored = checkpoints.restore()[1]
                except ValueError:
                    restored = None
            assert restored is None or digest(restored) == expected
            noticed += restored is None
    assert noticed >= 10  # The others hit bytes that mean nothing.


def test_when_every_checkpoint_is_damaged(tmp_path):
    write(tmp_path, [1, 2])
    for step in ("1", "2"):
        damage_truncate(tmp_path / "checkpoints" / step, "state")
    with (
        open_checkpoints(tmp_path) as checkpoints,
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(ValueError, match=r"no checkpoint in .* can be read"),
    ):
        checkpoints.restore()
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [1, 2], "left where they are: a later attempt may succeed"


def test_another_experiments_state_is_an_error(tmp_path):
    write(tmp_path, [1, 2])
    wider = jax.eval_shape(lambda: make_state(width=60))
    other_optimizer = jax.tree_util.tree_map_with_path(
        lambda path, leaf, wide: wide if "'mu'" in jax.tree_util.keystr(path) else leaf,
        *(ABSTRACT, wider),
    )
    for abstract, name in ((wider, "kernel"), (other_optimizer, "mu")):
        message = (
            rf"checkpoints/2 does not fit .*'{name}'.* is float32\[50, 8\] in .* float32\[60, 8\]"
        )
        with (
            open_checkpoints(tmp_path, abstract) as checkpoints,
            pytest.raises(ValueError, match=message),
        ):
            checkpoints.restore()
    with open_checkpoints(tmp_path, other_optimizer) as checkpoints:
        assert checkpoints.restore_averaged()[0] == 2, "which reads no optimiser"
    with (
        open_checkpoints(tmp_path, wider) as checkpoints,
        pytest.raises(ValueError, match=r"'kernel'.* is float32\[50, 8\] in .* float32\[60, 8\]"),
    ):
        checkpoints.restore_averaged()
    assert not (tmp_path / "damaged").exists()


def test_sides_of_other_names_are_another_experiment(tmp_path):
    write(tmp_path, [1])

    def renamed():
        state = make_state()
        return state.replace(sides={"generator": state.sides["generator"]})

    message = r"does not fit .*'discriminator'.* is .* in the checkpoint and missing in the experim"
    with (
        open_checkpoints(tmp_path, jax.eval_shape(renamed)) as checkpoints,
        pytest.raises(ValueError, match=message),
    ):
        checkpoints.restore()


def test_each_step_is_expected_to_be_of_its_phase(tmp_path):
    """From step 3 on the second phase, whose arrays are others."""

    def expected(step):
        wide = jax.eval_shape(lambda: make_state(width=60))
        return Expected(1, wide) if step >= 3 else Expected(0, ABSTRACT)

    folder = tmp_path / "checkpoints"
    with Checkpoints(folder, expected) as checkpoints:
        for step in (1, 2, 3, 4):
            checkpoints.save(step, make_state(step, 60 if step >= 3 else 50))
        checkpoints.wait()
    with Checkpoints(folder, expected, read_only=True) as checkpoints:
        assert digest(checkpoints.restore(2)[1]) == digest(make_state(2))
        assert digest(checkpoints.restore(3)[1]) == digest(make_state(3, 60))
        assert digest(checkpoints.restore_averaged()[1]) == digest(make_state(4, 60).ema)


def test_a_checkpoint_of_another_phase_is_an_error(tmp_path):
    """Even where its arrays would fit: what they stand for is not what is expected."""
    write(tmp_path, [1, 2], phase=lambda step: step - 1)
    message = (
        r"checkpoint .*checkpoints/2 does not fit the experiment: it was saved in phase 1, and the "
        "experiment is in phase 0 then"
    )
    with open_checkpoints(tmp_path) as checkpoints:
        for restore in (checkpoints.restore, checkpoints.restore_averaged):
            with pytest.raises(ValueError, match=message):
                restore()
        assert checkpoints.restore(1)[0] == 1
    assert not (tmp_path / "damaged").exists()


def test_what_a_kill_leaves_behind_is_cleaned_up_but_not_by_readers(tmp_path):
    write(tmp_path, [1])
    leftover = tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "checkpoints" / "1", leftover)
    with open_checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.restore()[0] == 1
    assert leftover.exists()
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore()[0] == 1
        checkpoints.save(2, make_state(2))  # Orbax cleans up in a thread, for which saving waits.
        checkpoints.wait()
        assert not leftover.exists()
        assert checkpoints.steps() == [1, 2]


def test_what_is_measured_after_a_save_ranks_it(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        for step, value in ((1, 2.0), (2, 5.0), (3, float("nan"))):
            checkpoints.save(step, make_state(step))
            checkpoints.wait()
            checkpoints.rank(step, value)
        assert checkpoints.best_step() == 1
        checkpoints.save(4, make_state(4), 3.0)
        checkpoints.save(5, make_state(5))
    with open_checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.steps() == [1, 3, 4, 5]  # The latest three and the best.
        assert checkpoints.best_step() == 1
        checkpoints.wait()
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.rank(5, 1.0)
        assert checkpoints.best_step() == 5
    kept = json.loads((tmp_path / "ranks.json").read_text())
    assert kept == {"1": 2.0, "3": None, "5": 1.0}  # Not of checkpoints that are gone.


def test_the_latest_of_every_phase_is_kept(tmp_path):
    with open_checkpoints(tmp_path, phase=lambda step: (step - 1) // 3) as checkpoints:
        for step in range(1, 12):
            checkpoints.save(step, make_state(step))
            checkpoints.wait()
        assert checkpoints.last_steps() == [3, 6, 9, 11]
        assert checkpoints.steps() == [3, 6, 9, 10, 11]


def test_an_owner_without_a_name_is_told_of_in_one_sentence(tmp_path, monkeypatch):
    write(tmp_path, [1])
    (tmp_path / "checkpoints" / "1" / "_CHECKPOINT_METADATA").unlink()

    def nameless(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", nameless)
    with pytest.raises(ValueError, match=r"no name on this machine \(getpwuid\(\): uid not found"):
        open_checkpoints(tmp_path)
