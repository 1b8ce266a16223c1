"""Options mean what they say: what is given on the command line counts, and beats a file."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from small_runs import SMALL, call

from jaxgan import load
from jaxgan.cli.train import as_asked
from jaxgan.experiment import (
    AutoencodingExperiment,
    Experiment,
    GrowingExperiment,
    OptimizerOptions,
    UnpairedExperiment,
)
from jaxgan.runs.log import digest, read_metrics


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_rate_for_all_sides():
    experiment = as_asked(Experiment(), ["--steps", "5", "--lr", "1e-3"])
    assert experiment.generator_optimizer.learning_rate == 1e-3
    assert experiment.discriminator_optimizer.learning_rate == 1e-3
    assert experiment.discriminator_optimizer.beta1 == 0.5
    assert as_asked(AutoencodingExperiment(), ["--lr=0.5"]).optimizer.learning_rate == 0.5


def test_a_sides_own_rate_beats_it(here, capsys):
    own = "--discriminator-optimizer.learning-rate 3e-3"
    assert call(capsys, f"train --out run {SMALL} --lr 1e-3 {own} --best-metric None")[0] == 0
    options = json.loads(Path("run/experiment.json").read_text())["experiment"]
    assert options["generator_optimizer"]["learning_rate"] == 1e-3
    assert options["discriminator_optimizer"]["learning_rate"] == 3e-3


def test_it_beats_a_files_table_of_rates():
    table = GrowingExperiment(learning_rates=(1e-3,) * 9)
    assert as_asked(table, ["--steps", "5"]).learning_rates == table.learning_rates
    experiment = as_asked(table, ["--lr", "2e-3"])
    assert experiment.learning_rates == ()
    assert experiment.generator_optimizer == OptimizerOptions(
        learning_rate=2e-3, beta1=0.0, beta2=0.99
    )


def test_steps_beat_a_files_epochs():
    file = UnpairedExperiment(epochs=200, decay_epochs=100, steps=7)
    asked = as_asked(file, ["--steps=50"])
    assert (asked.epochs, asked.decay_epochs) == (0, 0)
    assert as_asked(file, ["--batch-size", "2"]) == file
    assert as_asked(file, ["--epochs", "3"]) == file  # tyro takes these.


def test_without_evaluations_any_metric_may_mark_the_best(here, capsys):
    assert call(capsys, f"train --out run {SMALL} --best-metric smallest_share")[0] == 0
    assert call(capsys, "sample run --best --out a.png") == (
        2,
        "",
        "jaxgan: run ranked no checkpoint: it ran without best_metric, or without the evaluations "
        "that measure it; leave out best for the newest, or name a step\n",
    )


def test_resume_lists_what_it_takes_with_the_runs_values(points, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        call(capsys, f"resume {points.folder} --help")
    page = capsys.readouterr().out
    options = re.findall(r"^[│ ] --([a-z][a-z-]+)", page, re.MULTILINE)
    assert options == [
        *("quiet", "verbose", "from-start", "log", "steps", "data-dir", "steps-per-call"),
        *("shard-parameters", "log-every"),
        *("sample-every", "checkpoint-every", "evaluate-every", "data"),
    ]
    for name in ("steps", "log_every", "checkpoint_every"):
        value = getattr(load(points.folder).experiment, name)
        assert re.search(rf"--{name.replace('_', '-')} INT[^-]*\(default:\s+{value}\)", page), name


def test_what_a_run_writes_may_change_when_it_goes_on(here, capsys):
    """As often as asked from there on, the same bits, and no line is missed later."""
    small = f"{SMALL} --best-metric None"
    call(capsys, f"train --out whole {small} --steps 12")
    call(capsys, f"train --out run {small} --log-every 4")
    more = "--log-every 1 --sample-every 3 --checkpoint-every 3"
    assert call(capsys, f"resume run --steps 8 {more}")[::2] == (0, "")
    assert call(capsys, "resume run --steps 12 --log-every 2")[::2] == (0, "")
    assert digest(load("run").state()) == digest(load("whole").state())
    assert [line["step"] for line in read_metrics(Path("run")) if "generator_loss" in line] == [
        *(4, 5, 6, 7, 8, 10, 12)
    ]
    assert Path("run/samples/step_000006.png").exists()
    assert call(capsys, "verify run")[0] == 0


def test_a_run_without_a_checkpoint_begins_anew_when_asked(here, capsys):
    small = f"{SMALL} --best-metric None"
    call(capsys, f"train --out run {small}")
    whole = digest(load("run").state())
    Path("run/checkpoints").rename("elsewhere")
    assert call(capsys, "resume run")[0] == 2
    assert call(capsys, "resume run --from-start")[0] == 0
    assert digest(load("run").state()) == whole


def test_every_field_that_others_supersede_is_one():
    for kind in (UnpairedExperiment, GrowingExperiment):
        names = {entry.name for entry in dataclasses.fields(kind)}
        assert {one for several in kind.superseded.values() for one in several} <= names
