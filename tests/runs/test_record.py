"""The run directory: started once, read back with its class and its data's specs, and locked."""

import dataclasses
import errno
import json
import os
import subprocess
import sys

import portalocker
import pytest

from jaxgan.data import PairSpec, Spec
from jaxgan.data.stacked import StackedSpec
from jaxgan.experiment import Experiment, GeneratorOptions, UnpairedExperiment
from jaxgan.runs import record as run
from jaxgan.runs.writing import write_json

SPEC = Spec((8, 8, 1), 10, tuple("0123456789"))
OWN_CLASS = """
import dataclasses
from typing import NamedTuple

from jaxgan.experiment import Experiment


class OwnSpec(NamedTuple):
    cells: int

    def to_record(self):
        return {"cells": self.cells}

    @classmethod
    def from_record(cls, values):
        return cls(values["cells"])


@dataclasses.dataclass(frozen=True)
class Blurred(Experiment):
    blur: float = 0.5


class Outer:
    @dataclasses.dataclass(frozen=True)
    class Inner(Experiment):
        pass


experiment = Blurred(name="own", steps=7)
"""


def create(folder, experiment=None):
    """A run of an experiment over one phase of digits."""
    return run.create(folder, experiment or Experiment(), [SPEC])


@pytest.fixture
def own(tmp_path):
    """A file of the user's with a kind of run and a spec of its own."""
    path = tmp_path / "own.py"
    path.write_text(OWN_CLASS)
    return path


def rewrite(folder, **changes):
    """Changes entries of a record; None takes one away."""
    path = folder / "experiment.json"
    record = json.loads(path.read_text()) | changes
    write_json(path, {name: value for name, value in record.items() if value is not None})


def test_a_run_is_read_back_as_it_was_created(tmp_path):
    experiment = Experiment(steps=12, generator=GeneratorOptions(width=3), best_metric="penalty")
    create(tmp_path / "run", experiment)
    loaded, record = run.read(tmp_path / "run")
    assert loaded == experiment
    assert record["class"] == "jaxgan.experiment.generation:Experiment"
    assert record["file"] is None
    assert set(record["versions"]) == set(run.PACKAGES)
    assert "cpu" in record["device"]
    assert run.recorded_specs(tmp_path / "run", record) == [SPEC]
    assert (tmp_path / "run" / "samples").is_dir()


def test_a_kind_is_told_by_its_module_and_its_name(tmp_path):
    create(tmp_path / "run", UnpairedExperiment())
    loaded, record = run.read(tmp_path / "run")
    assert type(loaded) is UnpairedExperiment
    assert record["class"] == "jaxgan.experiment.unpaired:UnpairedExperiment"


def test_a_class_of_the_users_is_found_again(tmp_path, own):
    create(tmp_path / "run", run.load_file(own))
    loaded, record = run.read(tmp_path / "run")
    assert (type(loaded).__name__, loaded.blur, loaded.steps) == ("Blurred", 0.5, 7)
    assert (record["class"], record["file"]) == ("own:Blurred", str(own))
    own.unlink()
    with pytest.raises(ValueError, match=r"there is no experiment file .*own\.py"):
        run.read(tmp_path / "run")


def test_a_file_is_run_anew_only_where_it_has_changed(tmp_path, own):
    experiment = run.load_file(own)
    kind = sys.modules[type(experiment).__module__].OwnSpec
    run.create(tmp_path / "run", experiment, [kind(7)])
    loaded, record = run.read(tmp_path / "run")
    (spec,) = run.recorded_specs(tmp_path / "run", record)
    assert (type(loaded), type(spec)) == (type(experiment), kind)
    text = own.read_text()
    own.write_text(text.replace("OwnSpec", "Other"))
    os.utime(own, ns=(0, 0))
    with pytest.raises(ValueError, match=r"names the class 'own:OwnSpec' of .*, which is none"):
        run.recorded_specs(tmp_path / "run", record)
    own.write_text(text.replace("class OwnSpec", "1 / 0\n\n\nclass OwnSpec"))
    for _ in range(2):  # What failed half-way is not taken for the module.
        with pytest.raises(ValueError, match="does not run: ZeroDivisionError"):
            run.recorded_specs(tmp_path / "run", record)


def test_a_class_is_found_where_it_is_defined_and_not_where_it_is_used(tmp_path, own, monkeypatch):
    """A file may import the class of its experiment; that file is then not asked for."""
    monkeypatch.syspath_prepend(own.parent)
    using = tmp_path / "using.py"
    using.write_text("from own import Blurred\nexperiment = Blurred(blur=0.25)\n")
    experiment = run.load_file(using)
    monkeypatch.delitem(sys.modules, "own")
    with pytest.raises(ValueError, match="the class Blurred is defined in own, and a run must be"):
        create(tmp_path / "run", experiment)  # Nobody knows the file any more.
    create(tmp_path / "run", run.load_file(using))
    monkeypatch.delitem(sys.modules, "own")
    using.unlink()
    loaded, record = run.read(tmp_path / "run")
    assert loaded.blur == 0.25
    assert record["file"] == str(own)


def test_files_of_one_name_are_told_apart(tmp_path):
    experiments = []
    for folder, blur in (("a", 0.25), ("b", 0.75)):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "own.py"
        file.write_text(OWN_CLASS.replace("blur: float = 0.5", f"blur: float = {blur}"))
        experiments.append(run.load_file(file))
    for folder, experiment in zip("ab", experiments, strict=True):
        create(tmp_path / folder / "run", experiment)
        loaded, record = run.read(tmp_path / folder / "run")
        assert record["file"] == str(tmp_path / folder / "own.py")
        assert loaded.blur == experiment.blur
    assert [experiment.blur for experiment in experiments] == [0.25, 0.75]


def test_a_class_that_cannot_be_found_again_is_refused(tmp_path, own, monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Local(Experiment):
        pass

    experiment = run.load_file(own)
    inner = sys.modules[type(experiment).__module__].Outer.Inner
    monkeypatch.setattr(type(experiment), "__module__", "__main__")  # As in a notebook.
    for refused in (Local(), inner(), experiment):
        name = type(refused).__qualname__
        with pytest.raises(ValueError, match="define it at the top of a Python file") as caught:
            create(tmp_path / "run", refused)
        assert str(caught.value).startswith(f"the class {name} is defined in ")
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no experiment file"),
        ("x = 1", "must define `experiment = Experiment.*no such name"),
        ("experiment = 3", "it has a int"),
        ("1 / 0", "does not run: ZeroDivisionError: division by zero"),
        ("experiment = (", "does not run: SyntaxError"),
    ],
)
def test_files_that_are_no_experiment(tmp_path, text, message):
    file = tmp_path / "broken.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=message):
        run.load_file(file)


def test_specs_are_recorded_one_a_phase_each_of_its_class(tmp_path, own):
    experiment = run.load_file(own)
    kind = sys.modules[type(experiment).__module__].OwnSpec
    small, pair = Spec((4, 4, 1), 10), PairSpec(Spec((8, 8, 1), 0), Spec((8, 8, 3), 0))
    specs = [small, StackedSpec((28, 28, 3), 1000, gauge="stacked"), pair, kind(7)]
    run.create(tmp_path / "run", experiment, specs)
    _, record = run.read(tmp_path / "run")
    assert [spec["class"] for spec in record["specs"]] == [
        "jaxgan.data.source:Spec",
        "jaxgan.data.stacked:StackedSpec",
        "jaxgan.data.pair:PairSpec",
        "own:OwnSpec",
    ]
    assert [spec["file"] for spec in record["specs"]] == [None, None, None, str(own)]
    read = run.recorded_specs(tmp_path / "run", record)
    assert read == specs
    assert [type(spec).__name__ for spec in read] == ["Spec", "StackedSpec", "PairSpec", "OwnSpec"]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        *((value, "it holds no specs of the data") for value in (None, [], {}, 3, [3])),
        ([{"class": "jaxgan.data.source:Spec"}], "it holds no specs"),
        ([{"class": "jaxgan.data.source:Spec", "values": {}}], "the spec of the data is damaged"),
        ([{"class": "jaxgan.data.source:Nothing", "values": {}}], "Nothing', which is none"),
        ([{"class": "jaxgan.data.source:ArraySource", "values": {}}], "which is none"),
        ([{"class": "os:system", "values": {}}], "names the class 'os:system' and no file"),
        ([{"values": {}}], "names the class None and no file"),
    ],
)
def test_damaged_specs_are_named(tmp_path, specs, message):
    create(tmp_path / "run")
    rewrite(tmp_path / "run", specs=specs)
    experiment, record = run.read(tmp_path / "run")
    assert experiment == Experiment()
    with pytest.raises(ValueError, match=message):
        run.recorded_specs(tmp_path / "run", record)


def test_specs_of_another_kind_of_run_are_refused_where_they_are_used(tmp_path):
    create(tmp_path / "run", UnpairedExperiment())  # Its spec is that of one domain.
    experiment, record = run.read(tmp_path / "run")
    (spec,) = run.recorded_specs(tmp_path / "run", record)
    message = "the specs in .*experiment.json are not those of a run of UnpairedExperiment"
    refused = pytest.raises(ValueError, match=message)
    with refused, run.fitting(tmp_path / "run", experiment):
        experiment.make_game(spec)


def test_occupied_directories_are_refused_and_left_alone(tmp_path):
    create(tmp_path / "run")
    with pytest.raises(ValueError, match="already holds a run; resume it with"):
        create(tmp_path / "run")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").touch()
    with pytest.raises(ValueError, match="is not an empty directory"):
        create(tmp_path / "full")
    with pytest.raises(ValueError, match="is not an empty directory"):
        create(tmp_path / "full" / "note")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["note"]
    (tmp_path / "empty").mkdir()
    create(tmp_path / "empty")


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a run directory: it has no"):
        run.read(tmp_path)
    path = tmp_path / "experiment.json"
    for text in ("{", "[]", "{}", '{"experiment": 3, "file": null}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"experiment\.json is damaged"):
            run.read(tmp_path)


def test_a_run_of_the_version_before_is_refused(tmp_path):
    old = {
        "kind": "Experiment",
        "file": None,
        "experiment": dataclasses.asdict(Experiment()) | {"evaluation_interval": 0},
        "spec": {"shape": [8, 8, 1], "num_classes": 10, "class_names": []},
        "versions": {"jaxgan": "0.1.0", "jax": "0.9.0"},
    }
    write_json(tmp_path / "experiment.json", old)
    with pytest.raises(ValueError, match=r"was written by jaxgan 0\.1\.0, whose runs .* anew"):
        run.read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class": "jaxgan.experiment.generation:Nothing"}, "Nothing', which is none"),
        ({"class": "jaxgan.nowhere:Experiment"}, "which is none"),
        ({"class": "jaxgan.data.source:Spec"}, "which is none"),
        ({"class": "jaxgan.experiment.generation"}, "and no file that has it"),
        ({"class": "os:system"}, "names the class 'os:system' and no file that has it"),
        ({"class": "jaxgan_of_another:Experiment"}, "and no file that has it"),
        ({"class": None, "versions": None}, "names the class None and no file that has it"),
        ({"class": 3}, "names the class 3 and no file that has it"),
        ({"experiment": {"steps": 0}}, "is damaged: steps must be 1 or more, not 0"),
        ({"experiment": {"nothing": 0}}, "is damaged: Experiment has no option nothing"),
    ],
)
def test_a_record_that_names_no_kind_of_run(tmp_path, changes, message):
    create(tmp_path / "run")
    rewrite(tmp_path / "run", **changes)
    with pytest.raises(ValueError, match=message):
        run.read(tmp_path / "run")


@pytest.mark.parametrize("where", ["relative", "inside", "link"])
def test_a_run_brings_no_code_of_its_own(tmp_path, own, where, monkeypatch):
    """A run from elsewhere must not run what lies in it."""
    folder = tmp_path / "run"
    create(folder, run.load_file(own))
    inside = folder / "code.py"
    inside.write_text("raise SystemExit('it was run')")
    (tmp_path / "link.py").symlink_to(inside)
    monkeypatch.chdir(tmp_path)
    files = {"relative": "own.py", "inside": str(inside), "link": str(tmp_path / "link.py")}
    rewrite(folder, file=files[where])
    with pytest.raises(ValueError, match="must be an absolute path outside the run directory"):
        run.read(folder)


@pytest.mark.parametrize("name", ["Nothing", "OwnSpec", "dataclasses", ""])
def test_a_file_that_has_no_such_class(tmp_path, own, name):
    create(tmp_path / "run", run.load_file(own))
    rewrite(tmp_path / "run", **{"class": f"own:{name}"})
    with pytest.raises(ValueError, match=r"names the class 'own:.*' of .*own\.py, which is none"):
        run.read(tmp_path / "run")


def test_prolonging_records_the_new_steps_only(tmp_path):
    create(tmp_path / "run", Experiment(steps=10))
    before = run.read(tmp_path / "run")[1]
    run.prolong(tmp_path / "run", Experiment(steps=20))
    experiment, after = run.read(tmp_path / "run")
    assert experiment == Experiment(steps=20)
    options = json.loads(json.dumps(dataclasses.asdict(experiment)))  # Tuples are lists there.
    assert after == before | {"experiment": options}
    assert not list((tmp_path / "run").glob("*.partial"))


def test_the_newest_step_is_read_from_the_folder_names(tmp_path):
    assert run.newest_step(tmp_path) == 0
    for name in ("90", "100", "110.orbax-checkpoint-tmp"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert run.newest_step(tmp_path) == 100


def test_a_second_process_is_refused_until_the_first_ends(tmp_path):
    create(tmp_path / "run", Experiment(steps=10))
    hold = "import sys; from pathlib import Path; from jaxgan.runs import record\n"
    hold += "with record.lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, tmp_path / "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        holder.stdout.readline()
        assert run.is_held(tmp_path / "run")
        refused = pytest.raises(ValueError, match="another process is training in")
        with refused, run.lock(tmp_path / "run"):
            run.prolong(tmp_path / "run", Experiment(steps=20))
        holder.kill()  # It frees nothing itself.
    assert not run.is_held(tmp_path / "run")
    assert run.read(tmp_path / "run")[0].steps == 10
    with run.lock(tmp_path / "run"):
        run.prolong(tmp_path / "run", Experiment(steps=20))
    assert run.read(tmp_path / "run")[0].steps == 20


def test_to_look_at_a_run_leaves_nothing_in_it_and_needs_no_right_to_write(tmp_path):
    folder = create(tmp_path / "run")
    before = sorted(folder.rglob("*"))
    assert not run.is_held(folder)  # Nobody has trained in it.
    assert sorted(folder.rglob("*")) == before
    with run.lock(folder):
        (folder / run.LOCK).chmod(0o444)
        folder.chmod(0o555)
        assert run.is_held(folder)
    with run.lock(folder, shared=True):
        assert not run.is_held(folder)
    folder.chmod(0o755)
    assert (folder / run.LOCK).read_bytes() == b""


def test_a_run_that_is_moved_while_it_trains_stays_held(tmp_path):
    folder = create(tmp_path / "run")
    with run.lock(folder):
        moved = folder.rename(tmp_path / "moved")
        assert run.is_held(moved)
    assert not run.is_held(moved)


def test_where_the_file_system_has_no_locks_a_run_trains_all_the_same(tmp_path, monkeypatch):
    def no_locks(file, flags):
        raise portalocker.LockException(OSError(errno.ENOLCK, "No locks available"))

    monkeypatch.setattr(portalocker, "lock", no_locks)
    folder = create(tmp_path / "run")
    with run.lock(folder):
        assert not run.is_held(folder)


def test_the_next_name_is_taken_where_one_is(tmp_path):
    made = [
        run.create(tmp_path / "runs" / "now", Experiment(), [SPEC], or_next=True) for _ in range(3)
    ]
    assert [path.name for path in made] == ["now", "now-2", "now-3"]
    assert all(run.read(path)[0] == Experiment() for path in made)


def test_a_run_that_begins_meanwhile_in_the_same_directory_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "refuse_occupied", lambda directory: None)  # Both looked before.
    create(tmp_path / "run")
    with pytest.raises(ValueError, match="another process has just begun a run in"):
        create(tmp_path / "run")


def test_a_resumed_run_records_where_its_data_lie_now(tmp_path):
    create(tmp_path / "run", Experiment(steps=10))
    run.prolong(tmp_path / "run", Experiment(steps=20, data="moved"), [["who"]])
    assert run.read(tmp_path / "run")[1]["data"] == [["who"]]
    run.prolong(tmp_path / "run", Experiment(steps=30, data="moved"))
    loaded, record = run.read(tmp_path / "run")
    assert (record["data"], loaded.data) == ([["who"]], "moved")
