"""The cache of decoded images: private, complete or absent, and checked."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from jaxgan.data import cache, open_domain, open_source, tfds

ROWS = np.arange(10 * 4, dtype=np.uint8).reshape(10, 4)
LAYOUT = {"images": ((10, 4), np.uint8), "labels": ((10,), np.int32)}


def blocks():
    for start in (0, 4, 8):
        rows = ROWS[start : start + 4]
        yield {"images": rows, "labels": rows[:, 0].astype(np.int64)}


def test_what_is_stored_is_found_as_memory_maps():
    key = cache.stem("some set", 1)
    assert cache.find(key, LAYOUT) is None
    stored, found = cache.store(key, LAYOUT, blocks()), cache.find(key, LAYOUT)
    for arrays in (stored, found):
        assert isinstance(arrays["images"], np.memmap)
        np.testing.assert_array_equal(arrays["images"], ROWS)
        np.testing.assert_array_equal(arrays["labels"], ROWS[:, 0])
        assert arrays["labels"].dtype == np.int32


def test_the_folder_is_private(cache_folder):
    cache.store("x", LAYOUT, blocks())
    assert stat.S_IMODE(cache_folder.stat().st_mode) == 0o700


def test_the_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("JAXGAN_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache.cache_dir() == Path("/own")
    monkeypatch.delenv("JAXGAN_CACHE")
    assert cache.cache_dir() == Path("/shared/jaxgan")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_dir() == Path("/home/me/.cache/jaxgan")


@pytest.fixture
def homeless(monkeypatch, tmp_path) -> Path:
    """A working directory of a user without HOME and without an entry in the list of users."""
    for name in ("JAXGAN_CACHE", "XDG_CACHE_HOME", "TFDS_DATA_DIR", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(user):
        raise KeyError(user)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("pwd.getpwnam", unknown)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_home_the_cache_lasts_as_long_as_the_process(homeless):
    cache._passing_folder.cache_clear()
    with pytest.warns(UserWarning, match="there is no home folder.*set JAXGAN_CACHE"):
        folder = cache.cache_dir()
    assert folder.is_absolute()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache.store(cache.stem("x"), LAYOUT, blocks()).keys() == LAYOUT.keys()
    assert cache.cache_dir() == folder
    assert not list(homeless.iterdir())
    cache._passing_folder.cache_clear()
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["JAXGAN_CACHE", "XDG_CACHE_HOME"])
def test_a_cache_in_no_home_folder_is_refused(homeless, monkeypatch, name):
    monkeypatch.setenv(name, "~nobody-here/cache")
    with pytest.raises(ValueError, match="begins with ~nobody-here, and there is no such home"):
        cache.cache_dir()


def test_data_in_no_home_folder_are_refused(homeless):
    assert tfds.default_data_dir() == Path("/tensorflow_datasets")
    for data_dir, name in ((None, "~/photos"), ("~/sets", "mnist")):
        with pytest.raises(ValueError, match="begins with ~, and there is no such home folder"):
            open_source(name, data_dir=data_dir)
    with pytest.raises(ValueError, match="set HOME, or give the whole path"):
        open_domain("~/both", "A")
    assert not list(homeless.iterdir())


def test_everything_that_matters_changes_the_name():
    names = {cache.stem("set/a:1", *facts) for facts in ([1], [2], [1, 2], ["1"])}
    assert len(names) == 4
    assert cache.stem("set/a:1", 1) == cache.stem("set/a:1", 1)
    assert "/" not in "".join(names)


def cut_short(contents: bytearray) -> bytes:
    return contents[:-1]


def flip_a_pixel(contents: bytearray) -> bytes:
    contents[-1] ^= 1
    return contents


def flip_the_shape(contents: bytearray) -> bytes:
    return contents.replace(b"(10, 4)", b"(4, 10)")


def empty(contents: bytearray) -> bytes:
    return b""


def nonsense(contents: bytearray) -> bytes:
    return b"nonsense" * 50


@pytest.mark.parametrize("damage", [cut_short, flip_a_pixel, flip_the_shape, empty, nonsense])
def test_a_damaged_file_is_as_good_as_absent(cache_folder, damage):
    cache.store("x", LAYOUT, blocks())
    (file,) = cache_folder.glob("x.images.*.npy")
    intact = file.read_bytes()
    file.write_bytes(damage(bytearray(intact)))
    assert cache.find("x", LAYOUT) is None
    np.testing.assert_array_equal(cache.store("x", LAYOUT, blocks())["images"], ROWS)
    assert file.read_bytes() == intact


@pytest.fixture
def stamped(cache_folder):
    """The images' file of an entry that was found whole a while after it was written."""
    cache.store("x", LAYOUT, blocks())
    for file in cache_folder.glob("*.npy"):
        backdate(file)
    assert cache.find("x", LAYOUT) is not None
    (file,) = cache_folder.glob("x.images.*.npy")
    return file


@pytest.fixture
def read_whole(monkeypatch):
    """The shapes of the arrays that were read whole."""
    shapes, checksum = [], cache._checksum

    def noting(array, start):
        shapes.append(array.shape)
        return checksum(array, start)

    monkeypatch.setattr(cache, "_checksum", noting)
    return shapes


def backdate(file: Path) -> None:
    then = file.stat().st_mtime_ns - 10**9
    os.utime(file, ns=(then, then))


def stamp_of(file: Path) -> Path:
    return file.with_name(file.name + ".verified")


def test_a_file_that_was_whole_is_not_read_again(stamped, read_whole):
    found = cache.find("x", LAYOUT)
    assert read_whole == []
    np.testing.assert_array_equal(found["images"], ROWS)
    np.testing.assert_array_equal(found["labels"], ROWS[:, 0])


def test_a_set_that_takes_long_to_write_is_stamped_when_stored(monkeypatch, read_whole):
    replace = os.replace

    def after_a_while(source, target):
        if Path(target).suffix == ".npy":
            backdate(Path(source))
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", after_a_while)
        cache.store("x", LAYOUT, blocks())
    assert cache.find("x", LAYOUT) is not None
    assert read_whole == [(4, 4), (4,), (4, 4), (4,), (2, 4), (2,)]  # As it was written.


@pytest.mark.parametrize("damage", [cut_short, flip_a_pixel, flip_the_shape, empty, nonsense])
def test_damage_after_the_stamp_is_seen(stamped, damage):
    intact = stamped.read_bytes()
    stamped.write_bytes(damage(bytearray(intact)))
    assert cache.find("x", LAYOUT) is None
    np.testing.assert_array_equal(cache.store("x", LAYOUT, blocks())["images"], ROWS)
    assert stamped.read_bytes() == intact


def test_another_file_under_the_name_is_read_whole(stamped, read_whole):
    """A copy with the same size and time of change, in another inode."""
    copy = stamped.with_name("copy")
    shutil.copy2(stamped, copy)
    os.replace(copy, stamped)
    assert cache.find("x", LAYOUT) is not None
    assert read_whole == [(10, 4)]


def test_a_file_that_changed_when_its_stamp_was_written_is_read_whole(stamped, read_whole):
    """Within a tick of the clock a second change has the time of the first."""
    then = stamped.stat().st_mtime_ns
    os.utime(stamp_of(stamped), ns=(then, then))
    assert cache.find("x", LAYOUT) is not None
    assert read_whole == [(10, 4)]


@pytest.mark.parametrize(
    "stamp", [b"", b"1 2 3\n", b"\xff" * 100, None], ids=["empty", "other", "nonsense", "missing"]
)
def test_a_damaged_or_missing_stamp_is_replaced(stamped, read_whole, stamp):
    if stamp is None:
        stamp_of(stamped).unlink()
    else:
        stamp_of(stamped).write_bytes(stamp)
    for _ in range(2):
        assert cache.find("x", LAYOUT) is not None
    assert read_whole == [(10, 4)]


def test_a_stamp_that_cannot_be_written_costs_time_alone(stamped, read_whole):
    stamp_of(stamped).unlink()
    stamp_of(stamped).mkdir()
    for _ in range(2):
        np.testing.assert_array_equal(cache.find("x", LAYOUT)["images"], ROWS)
    assert read_whole == [(10, 4)] * 2
    assert not list(stamped.parent.glob("*.partial"))


def test_many_may_look_at_once(stamped):
    stamp_of(stamped).unlink()
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: cache.find("x", LAYOUT), range(32)):
            np.testing.assert_array_equal(found["images"], ROWS)
    assert stamp_of(stamped).exists()
    assert not list(stamped.parent.glob("*.partial"))


def test_a_failure_half_way_leaves_nothing(cache_folder):
    def failing():
        yield next(blocks())
        raise ValueError("an image is damaged")

    with pytest.raises(ValueError, match="damaged"):
        cache.store("x", LAYOUT, failing())
    assert [path.name for path in cache_folder.iterdir()] == [".writing"]


def test_nothing_is_written_without_room_for_all(cache_folder, monkeypatch):
    free = shutil.disk_usage("/")._replace(free=3_000_000_000)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: free)
    layout = {"images": ((100_000, 256, 256, 3), np.uint8)}

    def blocks():
        raise AssertionError("an image was decoded")
        yield

    with pytest.raises(ValueError, match=r"take 19\.7 GB, and .*cache has room for 3\.0 GB; "):
        cache.store("x", layout, blocks())
    assert [path.name for path in cache_folder.iterdir()] == [".writing"]


KILLED = """
import os, signal, sys
import numpy as np
from jaxgan.data import cache

def blocks():
    yield {"images": np.zeros((4, 4), np.uint8)}
    print("written", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)

cache.store("x", {"images": ((10, 4), np.uint8)}, blocks())
"""


def test_what_a_killed_process_left_goes_when_another_writes(cache_folder):
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", KILLED], text=True, **piped) as writer:
        assert writer.stdout.readline() == "written\n"
        (left,) = cache_folder.glob(".new-*")
        cache.store("y", LAYOUT, blocks())  # While the other writes, its files stay.
        assert list(cache_folder.glob(".new-*")) == [left]
        writer.stdin.write("\n")
    assert writer.returncode == -signal.SIGKILL
    assert left.is_dir()
    assert cache.find("x", ["images"]) is None
    np.testing.assert_array_equal(cache.store("x", LAYOUT, blocks())["images"], ROWS)
    assert not list(cache_folder.glob(".new-*"))


def test_a_cache_of_another_users_costs_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path))
    own = tempfile.TemporaryDirectory

    def refuse(*, prefix, dir):
        if dir == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return own(prefix=prefix, dir=dir)

    monkeypatch.setattr(cache.tempfile, "TemporaryDirectory", refuse)
    with pytest.warns(UserWarning, match=r"cannot be written to \(Permission denied\), so decoded"):
        stored = cache.store("x", LAYOUT, blocks())
    assert not list(tmp_path.iterdir())
    found = cache.find("x", LAYOUT)  # Not decoded again in this process.
    for name, array in stored.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_cache_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"cannot be cached in .*file .*set \$JAXGAN_CACHE"):
        cache.store("x", LAYOUT, blocks())
