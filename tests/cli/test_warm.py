"""Warm starts by the commands: what is taken over, what is named, and what is refused."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits
from small_runs import SMALL, call

from jaxgan import load, train
from jaxgan.cli.main import main
from jaxgan.runs.log import digest, read_digests, read_metrics
from jaxgan.runs.record import read
from jaxgan.training import launch, warm
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.trainer import make_trainer

pytestmark = pytest.mark.usefixtures("undrawn")
RATE = "--generator-optimizer.learning-rate .01"
DECAYED = "--generator-optimizer.decay-start 1 --generator-optimizer.decay-end 4"


@pytest.fixture(scope="module")
def root(digits, tmp_path_factory) -> Path:
    """`old`, the run of the digits, and `warm`, which goes on from it at another rate."""
    root = tmp_path_factory.mktemp("warm")
    shutil.copytree(digits.folder, root / "old")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main(f"train --from old --out warm {RATE}".split()) == 0
    return root


@pytest.fixture
def here(root, tmp_path, monkeypatch) -> Path:
    shutil.copytree(root, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def unplayed(monkeypatch):
    """Runs are begun, and no step is played."""
    monkeypatch.setattr(launch, "_run", lambda *_: SimpleNamespace(step=0))


def start_of(run: str):
    """The state that a run began with."""
    experiment, record = read(Path(run))
    return warm.restore(Path(run), record, make_trainer(experiment))


def count(opt_state) -> int:
    return int(opt_state[0].count)


def test_it_begins_with_the_weights_and_their_average(here):
    old, start = load("old").state(), start_of("warm")
    assert old.step > 0 == start.step
    assert digest(start.variables) == digest(old.variables)
    assert digest(start.ema) == digest(old.ema) != digest(old.sides["generator"].variables)
    assert count(start.sides["generator"].opt_state) == 0 < count(old.sides["generator"].opt_state)
    # It trains on from there: the first update moves a weight by the rate at most, and does move.
    one = read_digests(here / "warm")["1"]
    assert one != digest(old.params)


def test_its_record_says_so(here):
    record = json.loads(Path("warm/experiment.json").read_text())
    old = load("old")
    assert record["start"].pop("run").endswith("/old")
    assert record["start"] == {
        "step": old.step,
        "optimizer_states": False,
        "digest": digest(old.state()),
        "fresh": [],
    }
    assert record["experiment"]["generator_optimizer"]["learning_rate"] == 0.01
    assert record["experiment"]["conditional"]  # As the other run had it.
    assert read_metrics(here / "warm")[0]["step"] == 2


def test_its_report_says_so(here, capsys):
    assert call(capsys, "report warm")[0] == 0
    assert "It began with the weights of " in Path("warm/report.html").read_text()


def test_it_is_verified_and_resumed_where_the_other_is_gone(here, capsys):
    whole = digest(load("warm").state())
    assert call(capsys, f"train --from old --steps 2 --out cut {RATE}")[0] == 0
    shutil.rmtree("old")
    assert call(capsys, "verify warm")[0] == 0
    assert call(capsys, "resume cut --steps 4")[0] == 0
    assert digest(load("cut").state()) == whole
    assert json.loads(Path("cut/experiment.json").read_text())["start"]["step"] == 4
    shutil.rmtree("warm/checkpoints")  # As if killed before the first one.
    assert call(capsys, "resume warm")[0] == 2
    assert call(capsys, "resume warm --from-start")[0] == 0
    assert digest(load("warm").state()) == whole


@pytest.mark.usefixtures("unplayed")
def test_a_checkpoint_is_chosen(here, capsys):
    with Checkpoints(here / "old/checkpoints", lambda step: None, read_only=True) as kept:
        first, *_, last = kept.steps()
    assert call(capsys, f"train --from old --step {first} --out chosen")[0] == 0
    assert digest(start_of("chosen").params) == digest(load("old", step=first).state().params)
    assert digest(start_of("chosen").params) != digest(load("old", step=last).state().params)


def test_optimizer_states_are_taken_over_and_schedules_are_not(here, capsys, request):
    command = f"train --from old --optimizer-states {DECAYED} --steps 4 --out"
    assert call(capsys, f"{command} first")[0] == 0
    old, start = load("old").state(), start_of("first")
    for side in ("generator", "discriminator"):
        adam, before = start.sides[side].opt_state[0], old.sides[side].opt_state[0]
        assert count(start.sides[side].opt_state) == count(old.sides[side].opt_state) > 0
        assert digest(adam.nu) == digest(before.nu)
    again = command.replace("old", "first")
    first = load("first").state()  # Its schedule is over.
    request.getfixturevalue("unplayed")
    assert call(capsys, f"{again} second")[0] == 0
    second = start_of("second")
    assert int(first.sides["generator"].opt_state[1].count) == 4
    assert int(second.sides["generator"].opt_state[1].count) == 0


@pytest.mark.filterwarnings("default:of old these")
@pytest.mark.usefixtures("unplayed")
def test_what_does_not_fit_is_named_and_starts_afresh(here, capsys):
    """Digits 0 to 6 alone: what reads classes is of other shapes, the rest is the same."""
    images, labels = load_digits(return_X_y=True)
    few = labels < 7
    images = (images[few].reshape(-1, 8, 8) * 15).astype(np.uint8)
    np.savez("seven.npz", images=images, labels=labels[few])
    code, _, error = call(capsys, "train --from old --data seven.npz --out seven")
    assert code == 0
    fresh = json.loads(Path("seven/experiment.json").read_text())["start"]["fresh"]
    assert fresh
    assert all(name.split(".")[0] in ("generator", "discriminator") for name in fresh)
    assert f"jaxgan: warning: of old these do not fit and start afresh: {fresh[0]} is " in error
    assert error.count("\n") == 1
    old, start = load("old").state(), start_of("seven")
    found = dict(jax.tree_util.tree_leaves_with_path(start.params))
    same = [
        np.array_equal(found[path], leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(old.params)
    ]
    assert len(same) - sum(same) == len(fresh)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("train --from gone", "gone is not a run directory"),
        ("train --from", "Missing value"),
        ("train --from old --step 7", "has no checkpoint of step 7"),
        ("train --from old --best", "old ranked no checkpoint"),
        ("train --from old --best --step 1", "--best and --step 1 ask for two checkpoints"),
        ("train --step 0", "--step goes with --from RUN"),
        ("train --best", "--best goes with --from RUN"),
        ("train --optimizer-states", "--optimizer-states goes with --from RUN"),
        (
            "train --from old --no-conditional --generator.width 16 --discriminator.width 16",
            "no kernel of old fits the new run: discriminator.params['Dense_0']",
        ),
        ("train --from old --out old", "old already holds a run"),
        (
            "train --generator-optimizer.decay-end 9 --steps 10",
            "generator_optimizer.decay_end 9: the learning rate is 0 from that update on, and "
            "these steps make 10",
        ),
        (
            "train --discriminator-optimizer.decay-end 19 --discriminator-steps 2 --steps 10",
            "discriminator_optimizer.decay_end 19: the learning rate is 0 from that update on, and "
            "these steps make 20",
        ),
    ],
)
def test_what_cannot_be_is_refused(here, capsys, command, reason):
    before = sorted(here.rglob("*"))
    code, output, error = call(capsys, command)
    assert (code, output) == (2, "")
    assert reason in error
    assert error.count("\n") == 1
    assert sorted(here.rglob("*")) == before


def test_a_decayed_run_is_not_prolonged_and_the_way_out_is_told(here, capsys, request):
    assert call(capsys, f"train {SMALL} --best-metric None {DECAYED} --steps 4 --out done")[0] == 0
    code, _, error = call(capsys, "resume done --steps 8")
    assert code == 2
    assert error == (
        "jaxgan: done cannot go on to step 8: generator_optimizer.decay_end 4: the learning rate "
        "is 0 from that update on, and these steps make 8; set it to 8 or more, or take fewer "
        "steps; or begin a new run with its weights: jaxgan train --from done\n"
    )
    request.getfixturevalue("unplayed")
    way = "train --from done --steps 8 --generator-optimizer.decay-end 8 --out on"
    assert call(capsys, way)[0] == 0


def test_a_start_that_is_lost_is_told(here, capsys):
    shutil.rmtree("warm/start")
    shutil.rmtree("warm/checkpoints")
    code, _, error = call(capsys, "verify warm")
    assert code == 2
    assert "warm began with the weights of" in error
    assert error.endswith("and the folder start that holds them is missing\n")


def test_from_python(here):
    experiment, _ = read(Path("old"))
    with pytest.raises(ValueError, match="optimizer_states are those of a run"):
        train(experiment, "python", optimizer_states=True)
    run = train(experiment, "python", start_from=load("old"), optimizer_states=True)
    assert run.step == experiment.steps
    assert digest(start_of("python").params) == digest(load("old").state().params)
