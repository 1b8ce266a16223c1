"""Files appear whole or not at all; a path's `~` is a home folder or refused."""

from pathlib import Path

import pytest

from jaxgan.files import expanded, whole_file


def test_a_file_appears_with_all_its_bytes(tmp_path):
    with whole_file(tmp_path / "a.bin") as file:
        file.write(b"one ")
        assert not (tmp_path / "a.bin").exists()
        file.write(b"two")
    assert (tmp_path / "a.bin").read_bytes() == b"one two"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_leaves_what_was_there_before(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), whole_file(path) as file:  # noqa: PT012
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_may_begin_in_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/runs") == Path("/home/me/runs")
    for plain in ("runs/~", "./~/runs", "/runs"):
        assert expanded(plain) == Path(plain)
    with pytest.raises(ValueError, match="~nobody-here/runs begins with ~nobody-here, and there"):
        expanded("~nobody-here/runs")
