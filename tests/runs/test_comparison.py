"""Runs side by side: what there are, and what several came to over their seeds."""

import csv
import io
import json
import math
import shutil
from pathlib import Path

import pytest
from PIL import Image

from jaxgan.cli import main as cli
from jaxgan.experiment import Experiment
from jaxgan.runs import record
from jaxgan.runs.comparison import groups_of, rows_of, runs_in, spread, state_of
from jaxgan.runs.log import append_metrics


def make(
    folder, *, loss="hinge", seed=0, frechet=(4.0, 2.0), best_metric="frechet", name="a", **options
):
    """A run as a training leaves it, with evaluations at steps 10, 20, ..."""
    experiment = Experiment(
        loss=loss,
        seed=seed,
        steps=20,
        evaluate_every=10,
        best_metric=best_metric,
        name=name,
        **options,
    )
    record.create(folder, experiment, [])
    for number, value in enumerate(frechet, 1):
        append_metrics(folder, {"step": 10 * number, "images_seen": 1, "generator_loss": 0.5})
        append_metrics(folder, {"step": 10 * number, "diversity": 0.9})
        append_metrics(folder, {"step": 10 * number, "frechet": value, "recall": value / 10})
    (folder / "checkpoints" / str(10 * len(frechet))).mkdir(parents=True)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def four(here):
    """Two losses, two seeds each."""
    values = {
        ("hinge", 0): 2.0,
        ("hinge", 1): 4.0,
        ("wasserstein", 0): 5.0,
        ("wasserstein", 1): 9.0,
    }
    return [
        make(Path(f"{loss}{seed}"), loss=loss, seed=seed, frechet=(20.0, last))
        for (loss, seed), last in values.items()
    ]


def call(capsys, *args):
    capsys.readouterr()
    code = cli.main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def test_a_run_in_a_line(here):
    done = state_of(make(Path("done")))
    assert (done.name, done.seed, done.step, done.steps, done.state) == (*("a", 0, 20, 20, "done"),)
    assert (done.figure.metric, done.figure.best, done.figure.best_step) == ("frechet", 2.0, 20)
    stopped = make(Path("stopped"), frechet=(4.0,), best_metric=None)
    assert (state_of(stopped).state, state_of(stopped).figure.metric) == ("stopped", "frechet")
    with record.lock(stopped):
        assert state_of(stopped).state == "running"
    append_metrics(stopped, {"step": 13, "diverged": 1})
    assert state_of(stopped).state == "diverged"
    Path("damaged").mkdir()
    Path("damaged/experiment.json").write_text("{")
    assert "damaged/experiment.json is damaged" in state_of(Path("damaged")).state


def test_a_metric_that_rises_has_its_best_at_the_top(here):
    run = make(Path("run"), best_metric="recall", frechet=(4.0, 2.0))
    assert (state_of(run).figure.best, state_of(run).figure.best_step) == (0.4, 10)


def test_runs_of_a_folder_without_the_link_to_the_latest(here, capsys):
    made = [make(Path(f"runs/{name}")) for name in ("b/2", "a/1", "alone")]
    record.mark_latest(made[1])
    assert sorted(Path("runs").iterdir()) == [
        *(Path("runs/a"), Path("runs/alone"), Path("runs/b"), Path("runs/latest")),
    ]
    assert runs_in(Path("runs")) == [Path("runs/a/1"), Path("runs/alone"), Path("runs/b/2")]
    code, output, error = call(capsys, "list")
    lines = [line.split() for line in output.splitlines()]
    assert (code, error) == (0, "")
    assert lines[0] == ["run", "seed", "step", "state", "best", "at"]
    assert lines[1] == ["runs/a/1", "0", "20/20", "done", "frechet", "2", "20"]
    assert len(lines) == 4


def test_latest_leads_to_the_run_that_began_last(here):
    first, second = (make(Path(f"runs/x/{n}")) for n in (1, 2))
    record.mark_latest(first)
    record.mark_latest(second)
    assert Path("runs/latest").resolve() == second.resolve()
    shutil.rmtree(second)
    record.mark_latest(first)  # A link that leads nowhere is replaced too.
    assert Path("runs/latest").resolve() == first.resolve()
    own = make(Path("own/latest/1"))  # Of an experiment of that name.
    record.mark_latest(own)
    assert not Path("own/latest").is_symlink()


def test_runs_that_differ_in_their_seed_are_one_row(four):
    groups = groups_of(four)
    assert [group.options for group in groups] == [{"loss": "hinge"}, {"loss": "wasserstein"}]
    assert [group.seeds for group in groups] == [[0, 1], [0, 1]]
    assert groups[0].metrics["frechet"] == [2.0, 4.0]  # The last, not the best.
    assert groups[0].curves["frechet"] == [([10, 20], [20.0, 2.0]), ([10, 20], [20.0, 4.0])]
    head, rows = rows_of(groups)
    assert head == ["loss", "seeds", "diversity", "frechet", "recall"]
    assert rows[1] == ["wasserstein", "0, 1", "0.9 ± 0", "7 ± 2.8", "0.7 ± 0.28"]


def test_what_is_only_written_otherwise_is_no_difference(here):
    runs = [
        make(Path("a"), checkpoint_every=10),
        make(Path("b"), checkpoint_every=20, name="other"),
    ]
    (group,) = groups_of(runs)
    assert (group.options, group.seeds) == ({}, [0, 0])


def test_mean_and_spread():
    assert spread([1.0, 2.0, 3.0]) == "2 ± 1"
    assert spread([1.0, math.nan]) == "1"
    assert spread([math.nan]) == ""


def test_every_format(four, capsys):
    code, output, _ = call(capsys, "compare", *four, "--format", "md")
    assert code == 0
    assert output.splitlines()[1:] == [
        "| --- | --- | --- | --- | --- |",
        "| hinge | 0, 1 | 0.9 ± 0 | 3 ± 1.4 | 0.3 ± 0.14 |",
        "| wasserstein | 0, 1 | 0.9 ± 0 | 7 ± 2.8 | 0.7 ± 0.28 |",
    ]
    _, output, _ = call(capsys, "compare", *four, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(output)))
    assert rows[0]["frechet"] == "3 ± 1.4"
    make(Path("never"), loss="minimax", frechet=())
    _, output, _ = call(capsys, "compare", *four, "never", "--format", "json")
    found = json.loads(output)
    assert found[0] == {
        "options": {"loss": "hinge"},
        "seeds": [0, 1],
        "metrics": {"diversity": [0.9, 0.9], "frechet": [2.0, 4.0], "recall": [0.2, 0.4]},
    }
    assert found[2]["metrics"]["frechet"] == [None]
    _, output, _ = call(capsys, "compare", *four)
    assert max(map(len, output.splitlines())) <= 80


def test_curves_over_one_another(four, capsys, tmp_path):
    assert call(capsys, "compare", *four, "--plot", tmp_path / "c.png")[::2] == (0, "")
    image = Image.open(tmp_path / "c.png").convert("RGB")
    blue, orange = (31, 119, 180), (255, 127, 14)
    colours = {colour for _, colour in image.getcolors(image.width * image.height)}
    assert {blue, orange} <= colours
