"""Curves of what a run logged."""

import math

import pytest

from jaxgan.runs import curves
from jaxgan.runs.curves import draw_curves, figures, figures_over
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


LOGGED = [
    {
        "step": 10,
        "images_seen": 640,
        "a_loss": 1.23456789,
        "b_loss": math.nan,
        "a_gradient_norm": 1,
    },
    {"step": 10, "diversity": 0.5},
    {"step": 15, "frechet": 9.0, "frechet_train": math.inf, "precision": 0.5},
    {"step": 20, "images_seen": 1280, "a_loss": 2.0, "b_loss": 3.0, "a_gradient_norm": 2},
    {"step": 25, "frechet": 8.0, "frechet_train": 7.0, "precision": 0.7},
    {"step": 35, "frechet": math.nan, "frechet_train": 7.5, "precision": 0.6},
    {"step": 36, "diverged": 1},
]


def test_the_figures_of_a_page():
    """Metrics by their first word, with the best and what real data score; losses by their last."""
    x = [15, 25, 35]
    assert figures(LOGGED, {"frechet": 0.5}) == [
        {
            "section": "metrics",
            "title": "diversity",
            "curves": [{"name": "diversity", "x": [10], "y": [0.5]}],
        },
        {
            "section": "metrics",
            "title": "frechet",
            "curves": [
                {"name": "frechet", "x": x, "y": [9, 8, None], "best": [25, 8], "real": 0.5},
                {"name": "frechet_train", "x": x, "y": [None, 7, 7.5], "best": [25, 7]},
            ],
        },
        {
            "section": "metrics",
            "title": "precision",
            "curves": [{"name": "precision", "x": x, "y": [0.5, 0.7, 0.6], "best": [25, 0.7]}],
        },
        {
            "section": "training",
            "title": "loss",
            "curves": [
                {"name": "a_loss", "x": [10, 20], "y": [1.23457, 2]},
                {"name": "b_loss", "x": [10, 20], "y": [None, 3]},
            ],
        },
        {
            "section": "training",
            "title": "a gradient norm",
            "curves": [{"name": "a_gradient_norm", "x": [10, 20], "y": [1, 2]}],
        },
    ]
    assert figures([], {}) == []


def test_the_figures_of_several_runs():
    other = [{"step": 5, "images_seen": 5, "c_loss": 1.0}, {"step": 5, "frechet": math.nan}]
    found = {each["title"]: each for each in figures_over({"one": LOGGED, "two": other})}
    assert list(found)[-1] == "c loss"
    assert found["c loss"]["curves"] == [{"name": "two", "x": [5], "y": [1]}]
    assert found["frechet"]["section"] == "metrics"
    assert [curve["name"] for curve in found["frechet"]["curves"]] == ["one", "two"]
    assert found["frechet"]["curves"][1] == {"name": "two", "x": [5], "y": [None]}


def test_a_long_curve_keeps_its_extremes_its_ends_and_its_gaps(monkeypatch):
    monkeypatch.setattr(curves, "POINTS", 20)
    values = [math.sin(step / 50) for step in range(10_000)]
    values[1234], values[4321], values[7000] = 5.0, -5.0, math.nan
    records = [{"step": n, "images_seen": n, "a_loss": y} for n, y in enumerate(values)]
    ((curve,),) = (figure["curves"] for figure in figures(records, {}))
    points = dict(zip(curve["x"], curve["y"], strict=True))
    assert len(points) <= 20 + 2 + 1
    assert sorted(points) == list(points)
    assert (points[1234], points[4321], points[7000]) == (5, -5, None)
    assert {0, 9999} <= set(points)
