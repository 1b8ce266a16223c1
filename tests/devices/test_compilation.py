"""Compiled programs kept beside the runs: whose they may be, and that they change no bit."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from jaxgan.devices.compilation import FOLDER, kept_programs, written_if


@pytest.fixture(autouse=True)
def _no_cache_yet():
    """JAX as a command finds it, whatever the machine's settings are."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    reset_cache()
    yield
    jax.config.update("jax_compilation_cache_dir", before)
    reset_cache()


def compute(run):
    """A program's result, compiled as if for the first time in a process."""
    jax.clear_caches()
    with kept_programs(run):
        return np.asarray(jax.jit(lambda x: jnp.sin(x) @ jnp.cos(x.T))(jnp.ones((3, 4)) / 3))


def entries(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*-cache")}


def test_the_next_process_takes_the_program_and_gets_the_same_bits(tmp_path):
    folder, run = tmp_path / FOLDER, tmp_path / "run"
    first = compute(run)
    assert folder.stat().st_mode & 0o777 == 0o700
    kept = entries(folder)
    assert kept
    np.testing.assert_array_equal(compute(run), first)
    assert entries(folder) == kept, "it was compiled again"


def test_settings_hold_for_the_block_only(tmp_path):
    threshold = jax.config.jax_persistent_cache_min_compile_time_secs
    with kept_programs(tmp_path / "run"):
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / FOLDER)
    assert jax.config.jax_compilation_cache_dir is None
    assert jax.config.jax_persistent_cache_min_compile_time_secs == threshold
    kept = entries(tmp_path / FOLDER)
    jax.jit(lambda x: x * 3 + 1)(2.0)
    assert entries(tmp_path / FOLDER) == kept


def test_a_run_named_by_a_dot_has_a_folder_beside_it_too(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    compute(Path("."))
    assert entries(tmp_path / FOLDER)


def test_the_users_own_cache_wins(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    with kept_programs(tmp_path / "run"):
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
    assert not (tmp_path / FOLDER).exists()


def make_open(folder):
    folder.mkdir()
    folder.chmod(0o755)


def make_link(folder):
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_open, "other users can enter it"),
        (make_link, "it is not a directory"),
        (lambda folder: folder.write_text("x"), "File exists"),
    ],
    ids=["open", "link", "file"],
)
def test_a_folder_that_others_may_have_filled_is_not_used(tmp_path, make, reason):
    make(tmp_path / FOLDER)
    with pytest.warns(UserWarning, match=f"not kept in .*{FOLDER}: {reason}"):
        compute(tmp_path / "run")
    assert jax.config.jax_compilation_cache_dir is None
    assert not entries(tmp_path / FOLDER)


def test_another_users_folder_is_not_used(tmp_path, monkeypatch):
    compute(tmp_path / "run")
    monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.warns(UserWarning, match="belongs to another user"):
        compute(tmp_path / "run")


def test_an_entry_cut_short_is_made_again(tmp_path):
    """Such as a kill or a full disk leaves."""
    first = compute(tmp_path / "run")
    sizes = {path: path.stat().st_size for path in (tmp_path / FOLDER).glob("*-cache")}
    for path, size in sizes.items():
        path.write_bytes(path.read_bytes()[: size // 2])
    np.testing.assert_array_equal(compute(tmp_path / "run"), first)
    compute(tmp_path / "run")
    assert {path: path.stat().st_size for path in sizes} == pytest.approx(sizes, rel=0.1)


@pytest.mark.parametrize("kept", [True, False])
def test_a_program_that_cannot_be_kept_is_not_written(tmp_path, kept):
    folder = tmp_path / FOLDER
    with kept_programs(tmp_path / "run"):
        with written_if(kept):
            jax.jit(lambda x: x * 3.25)(jnp.arange(7.0))
        written = entries(folder)
        assert any("lambda" in name for name in written) is kept
        jax.jit(lambda x: x * 4.25)(jnp.arange(7.0))  # As before.
        assert entries(folder) != written
