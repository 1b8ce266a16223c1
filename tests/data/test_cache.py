"""The cache of decoded images: private, complete or absent, and checked."""

import stat
from pathlib import Path

import numpy as np
import pytest

from jaxgan.data import cache

ROWS = np.arange(10 * 4, dtype=np.uint8).reshape(10, 4)
LAYOUT = {"images": ((10, 4), np.uint8), "labels": ((10,), np.int32)}


def blocks():
    for start in (0, 4, 8):
        rows = ROWS[start : start + 4]
        yield {"images": rows, "labels": rows[:, 0].astype(np.int64)}


def test_what_is_stored_is_loaded_as_memory_maps():
    key = cache.stem("some set", 1)
    assert cache.load(key, LAYOUT) is None
    stored, loaded = cache.store(key, LAYOUT, blocks()), cache.load(key, LAYOUT)
    for arrays in (stored, loaded):
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
    (file,) = cache_folder.glob("x.images.*")
    intact = file.read_bytes()
    file.write_bytes(damage(bytearray(intact)))
    assert cache.load("x", LAYOUT) is None
    np.testing.assert_array_equal(cache.store("x", LAYOUT, blocks())["images"], ROWS)
    assert file.read_bytes() == intact


def test_a_failure_half_way_leaves_nothing(cache_folder):
    def failing():
        yield next(blocks())
        raise ValueError("an image is damaged")

    with pytest.raises(ValueError, match="damaged"):
        cache.store("x", LAYOUT, failing())
    assert list(cache_folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"cannot be cached in .*file .*set \$JAXGAN_CACHE"):
        cache.store("x", LAYOUT, blocks())
