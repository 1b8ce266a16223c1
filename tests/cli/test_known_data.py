"""Runs that know their data, by the commands: moved, grown, replaced, and on the way."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_runs import SMALL, call

from jaxgan.cli import main as cli
from jaxgan.data import Identity, PairSpec, Spec
from jaxgan.experiment import Experiment, UnpairedExperiment
from jaxgan.runs import record
from jaxgan.runs.data import pointed_to, to_record
from jaxgan.training.launch import refuse_changes

pytestmark = pytest.mark.usefixtures("undrawn")
PAIR = UnpairedExperiment(data_x="x", data_y="y", steps=5)
PIXELS = np.random.default_rng(0).integers(256, size=(12, 4, 4, 3), dtype=np.uint8)
TRAIN = f"train {SMALL} --best-metric None --data photos --conditional"


def write_photos(folder: Path) -> None:
    """Six images of each of the classes 2 and 10."""
    for i, pixels in enumerate(PIXELS):
        path = folder / ("10", "2")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder of `photos` and a run of them."""
    root = tmp_path_factory.mktemp("trained")
    write_photos(root / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert cli.main(f"{TRAIN} --out run".split()) == 0
    return root


@pytest.fixture
def here(trained, tmp_path, monkeypatch) -> Path:
    """The working directory: a copy of them."""
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_data_that_moved_are_pointed_to(here, trained, capsys):
    shutil.move("photos", "moved")
    assert call(capsys, "resume run --steps 5")[0] == 2
    assert call(capsys, "verify run")[0] == 2
    assert call(capsys, "verify run --data moved")[::2] == (0, "")
    code, _, error = call(capsys, "resume run --steps 5 --data moved")
    assert (code, error) == (0, "")
    kept = json.loads(Path("run/experiment.json").read_text())
    assert kept["experiment"]["data"] == "moved"
    ((now,),), ((before,),) = (
        kept["data"],
        json.loads((trained / "run/experiment.json").read_text())["data"],
    )
    assert now == before | {"name": "moved", "place": str(here / "moved")}
    assert now["classes"] == ["2", "10"]
    assert call(capsys, "verify run")[0] == 0


@pytest.mark.filterwarnings("default:samples are compared with the training data")
def test_a_run_that_is_done_is_evaluated_where_its_data_lie_now(here, capsys):
    shutil.move("photos", "moved")
    assert call(capsys, "evaluate run --features pixels")[0] == 2
    code, output, _ = call(capsys, "evaluate run --features pixels --data moved")
    assert code == 0
    assert "against moved, train split, 12 images" in output
    shutil.copy("moved/2/1.png", "moved/2/13.png")
    code, _, error = call(capsys, "evaluate run --features pixels --data moved")
    assert code == 2
    assert "moved holds 13 samples" in error


def test_only_places_are_pointed_to_and_only_of_known_data():
    known, run = (Identity("photos", "/photos", 3, (), "a"),), Path("run")
    experiment = Experiment(data="photos")
    assert pointed_to(run, experiment, None, {"data": None}) == experiment
    assert pointed_to(run, experiment, known, {"data": "new"}).data == "new"
    with pytest.raises(ValueError, match=r"run takes .* to say where its data lie, not seed"):
        pointed_to(run, experiment, known, {"seed": "1"})
    with pytest.raises(ValueError, match="nobody can tell whether those of data are they"):
        pointed_to(run, experiment, None, {"data": "new"})


def test_the_domains_of_a_pair_may_move_too(tmp_path):
    known = [Identity(name, f"/{name}", 3, (), "a") for name in "xy"]
    asked = {"data_x": "a", "data_y": "b", "data_dir": "c"}
    moved = dataclasses.replace(PAIR, **asked)
    spec = PairSpec(Spec((8, 8, 1), 0), Spec((8, 8, 1), 0))
    record.create(tmp_path / "run", PAIR, [spec], to_record([known]))
    refuse_changes(tmp_path / "run", moved)
    # Nobody could compare: a run from before, and a source that does not say who it is.
    for name, data in (("old", []), ("own", [None])):
        record.create(tmp_path / name, PAIR, [spec], data)
        with pytest.raises(ValueError, match="data_x was 'x', asked 'a'"):
            refuse_changes(tmp_path / name, moved)


@pytest.mark.parametrize("command", ["resume run --steps 5", "verify run", "evaluate run"])
def test_data_that_changed_are_refused(here, capsys, command):
    before = Path("run/experiment.json").read_bytes()
    shutil.copy("photos/2/1.png", "photos/2/13.png")
    code, output, error = call(capsys, command)
    assert (code, output) == (2, "")
    assert error.startswith("jaxgan: run cannot take these data: photos holds 13 samples, and the ")
    assert error.count("\n") == 1
    assert Path("run/experiment.json").read_bytes() == before


def test_other_data_of_the_same_name_are_refused(here, capsys, tmp_path, monkeypatch):
    shutil.copytree("photos", tmp_path / "photos")
    (tmp_path / "photos/2").rename(tmp_path / "photos/3")
    monkeypatch.chdir(tmp_path)
    code, _, error = call(capsys, "resume here/run --steps 5")
    assert code == 2
    assert "photos has other classes than the run was trained on: '2' is gone, '3' is new" in error
    assert f"/photos, and this is {tmp_path}/photos)" in error


@pytest.mark.filterwarnings("default:run recorded no identity")
def test_a_run_that_recorded_no_data_goes_on_and_knows_them_then(here, capsys):
    path = Path("run/experiment.json")
    kept = json.loads(path.read_text())
    del kept["data"]
    path.write_text(json.dumps(kept))
    shutil.move("photos", "moved")
    code, _, error = call(capsys, "resume run --steps 5 --data moved")
    assert code == 2  # Nobody could tell whether they are the same.
    assert "data was 'photos', asked 'moved'" in error
    shutil.move("moved", "photos")
    code, _, error = call(capsys, "resume run --steps 5")
    assert code == 0
    assert error.count("run recorded no identity of its data") == 1
    assert len(json.loads(path.read_text())["data"]) == 1
    assert call(capsys, "resume run --steps 6")[::2] == (0, "")


@pytest.mark.parametrize("out", ["--out photos/run", "--out photos/2/run", ""])
def test_a_run_within_its_data_is_refused(here, capsys, monkeypatch, out):
    if not out:
        monkeypatch.chdir(here / "photos")
    command = TRAIN if out else TRAIN.replace("photos", ".")
    code, output, error = call(capsys, f"{command} {out}")
    assert (code, output) == (2, "")
    assert f"lies in the data {here}/photos, which would be read as such" in error
    assert sorted(path.name for path in (here / "photos").iterdir()) == ["10", "2"]


def test_two_runs_of_one_second_have_two_names(here, capsys, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form: "now")
    for _ in range(2):
        assert call(capsys, TRAIN)[0] == 0
    assert sorted(path.name for path in Path("runs/photos").iterdir()) == ["now", "now-2"]


def test_a_class_is_asked_for_by_its_name(here, capsys):
    code, output, error = call(capsys, "sample run --label 10 --count 2 --out a.npz")
    assert (code, output, error) == (0, "2 samples of class 1, 10: a.npz\n", "")
    with np.load("a.npz") as file:
        assert file["labels"].tolist() == [1, 1]
        assert file["label_names"].tolist() == ["2", "10"]
    code, _, error = call(capsys, "sample run --label 1 --out a.npz")
    assert (code, error) == (2, "jaxgan: label 1 does not exist: classes are named 2, 10\n")
    command = "interpolate run --label 2 --rows 2 --frames 2 --out a.png"
    assert call(capsys, command)[1] == "2 walks of 2 images of class 0, 2: a.png\n"
