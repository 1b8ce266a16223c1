"""Files of a run are there whole, or not at all."""

import json

import jax
import pytest

from jaxgan.runs.writing import write_json, write_text


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_as_it_is(tmp_path):
    path = tmp_path / "text"
    write_text(path, "ä\nb")
    assert path.read_bytes() == "ä\nb".encode()


def test_of_several_processes_the_first_one_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    write_json(tmp_path / "value.json", 1)
    write_text(tmp_path / "text", "")
    assert list(tmp_path.iterdir()) == []
