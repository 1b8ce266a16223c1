"""Curves of what a run logged."""

import pytest

from jaxgan.runs import curves
from jaxgan.runs.curves import draw_curves
from jaxgan.runs.log import append_metrics


@pytest.fixture
def drawn(monkeypatch):
    """What was to be drawn, by path, and not drawn."""
    found = {}
    monkeypatch.setattr(curves, "save_curves", lambda path, columns: found.update({path: columns}))
    return found


def test_all_that_was_logged_is_drawn_over_the_steps(tmp_path, drawn):
    append_metrics(tmp_path, {"step": 10, "images_seen": 640, "a_loss": 1.0})
    append_metrics(tmp_path, {"step": 10, "diversity": 0.5})
    append_metrics(tmp_path, {"step": 20, "images_seen": 1280, "a_loss": 2.0})
    append_metrics(tmp_path, {"step": 21, "diverged": 1})
    columns = {
        "step": [10, 10, 20, 21],
        "a_loss": [1.0, None, 2.0, None],
        "diversity": [None, 0.5, None, None],
    }
    assert draw_curves(tmp_path)
    assert draw_curves(tmp_path, tmp_path / "own.png")
    assert drawn == {tmp_path / "curves.png": columns, tmp_path / "own.png": columns}


def test_a_picture_is_written(tmp_path):
    append_metrics(tmp_path, {"step": 10, "a_loss": 1.0})
    assert draw_curves(tmp_path)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_logged_is_no_picture(tmp_path, drawn):
    assert not draw_curves(tmp_path)
    append_metrics(tmp_path, {"step": 10, "images_seen": 640})
    assert not draw_curves(tmp_path)
    assert drawn == {}
