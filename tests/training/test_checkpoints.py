"""Checkpoints of a state small enough to damage byte by byte."""

import random
import shutil
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks import Variables
from jaxgan.runs import record as run
from jaxgan.training import GANState, TrainState
from jaxgan.training.checkpoints import Checkpoints


def make_state(step=0, width=50):
    values = jnp.arange(width * 8, dtype=jnp.float32).reshape(width, 8) / 7 + step
    variables = Variables({"kernel": values, "bias": values[0] + 1}, {"mean": values[1] * 2})
    side = TrainState(variables, {"count": jnp.array(step), "mu": values - 1})
    ema = jax.tree.map(lambda leaf: leaf / 3, variables)
    return GANState(jnp.array(step), side, side, ema, {"pool": jnp.zeros((2, 3), jnp.uint8)})


ABSTRACT = jax.eval_shape(make_state)


def open_checkpoints(folder, **options):
    return Checkpoints(folder / "checkpoints", ABSTRACT, **options)


def write(folder, steps, values=None):
    """Writes checkpoints elsewhere and copies them: within a process TensorStore caches files."""
    elsewhere = folder.with_name(folder.name + "_written")
    with open_checkpoints(elsewhere) as checkpoints:
        for step, value in zip(steps, values or [None] * len(steps), strict=True):
            checkpoints.save(step, make_state(step), value)
    shutil.copytree(elsewhere, folder, dirs_exist_ok=True)


def largest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def test_restores_to_the_bit(tmp_path):
    write(tmp_path, [1, 2])
    with open_checkpoints(tmp_path) as checkpoints:
        step, state = checkpoints.restore()
        assert step == 2
        assert run.digest(state) == run.digest(make_state(2))
        step, state = checkpoints.restore(1)
        assert step == 1
        assert run.digest(state) == run.digest(make_state(1))


def test_nothing_to_restore(tmp_path):
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore() is None
        assert checkpoints.steps() == []
        assert checkpoints.best_step() is None


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
    with Checkpoints(tmp_path / "checkpoints", abstract) as checkpoints:
        for step in (1, 2, 3):
            expected[step] = jax.tree.map(lambda leaf: np.array(leaf, copy=True), state)
            checkpoints.save(step, state)
            for _ in range(5):
                state = advance(state)
        checkpoints.wait()
        for step, saved in expected.items():
            assert run.digest(checkpoints.restore(step)[1]) == run.digest(saved)


def damage_truncate(folder):
    path = largest_file(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_flip(folder):
    path = largest_file(folder / "state" / "ocdbt.process_0")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(data)


def damage_metadata(folder):
    (folder / "state" / "_METADATA").write_bytes(b"garbage")


def damage_record(folder):
    path = folder / "record" / "metadata"
    path.write_text(path.read_text().replace("float32[50, 8]", "float32[51, 8]", 1))


DAMAGES = {
    "truncated": damage_truncate,
    "flipped": damage_flip,
    "metadata": damage_metadata,
    "record": damage_record,
    "data deleted": lambda folder: shutil.rmtree(folder / "state" / "ocdbt.process_0"),
    "manifest deleted": lambda folder: (folder / "state" / "manifest.ocdbt").unlink(),
    "record deleted": lambda folder: shutil.rmtree(folder / "record"),
    "emptied": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage, capfd):
    write(tmp_path, [1, 2], [2.0, 1.0])
    damage(tmp_path / "checkpoints" / "2")
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
        assert run.digest(state) == run.digest(make_state(1))
        assert checkpoints.best_step() == 1
        checkpoints.save(2, make_state(2))  # Its step is free again.
    assert (tmp_path / "damaged" / "2").is_dir()
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore()[0] == 2
    assert "Traceback" not in capfd.readouterr().err


def test_no_flipped_bit_goes_unnoticed(tmp_path):
    """Without the digest none of these is noticed: neither Orbax nor TensorStore checks data."""
    write(tmp_path, [1])
    path = largest_file(tmp_path / "checkpoints" / "1" / "state" / "ocdbt.process_0")
    data = path.read_bytes()
    expected, draw, noticed = run.digest(make_state(1)), random.Random(0), 0
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
            assert restored is None or run.digest(restored) == expected
            noticed += restored is None
    assert noticed >= 10  # The others hit bytes that mean nothing.


def test_when_every_checkpoint_is_damaged(tmp_path):
    write(tmp_path, [1, 2])
    for step in ("1", "2"):
        damage_truncate(tmp_path / "checkpoints" / step)
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
    message = r"checkpoints/2 does not fit .*'mu'.* is float32\[50, 8\] in .* float32\[60, 8\] in"
    with (
        Checkpoints(tmp_path / "checkpoints", wider) as checkpoints,
        pytest.raises(ValueError, match=message),
    ):
        checkpoints.restore()
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
    assert not leftover.exists()
