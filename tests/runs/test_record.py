"""The run directory: started once, read back, locked, and mended after a kill."""

import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.experiment import Experiment, GeneratorOptions
from jaxgan.runs import record as run

OWN_CLASS = """
import dataclasses
from jaxgan.experiment import Experiment

@dataclasses.dataclass(frozen=True)
class Blurred(Experiment):
    blur: float = 0.5

experiment = Blurred(name="own", steps=7)
"""


def test_a_run_is_read_back_as_it_was_created(tmp_path):
    experiment = Experiment(steps=12, generator=GeneratorOptions(width=3), best_metric="penalty")
    run.create(tmp_path / "run", experiment)
    loaded, record = run.load(tmp_path / "run")
    assert loaded == experiment
    assert record["file"] is None
    assert set(record["versions"]) == set(run.PACKAGES)
    assert "cpu" in record["device"]
    assert (tmp_path / "run" / "samples").is_dir()


def test_a_class_of_the_users_is_found_again(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN_CLASS)
    run.create(tmp_path / "run", run.load_file(file), file)
    loaded, _ = run.load(tmp_path / "run")
    assert (type(loaded).__name__, loaded.blur, loaded.steps) == ("Blurred", 0.5, 7)
    file.unlink()
    with pytest.raises(ValueError, match=r"there is no experiment file .*own\.py"):
        run.load(tmp_path / "run")


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


def test_occupied_directories_are_refused_and_left_alone(tmp_path):
    run.create(tmp_path / "run", Experiment())
    with pytest.raises(ValueError, match="already holds a run; resume it with"):
        run.create(tmp_path / "run", Experiment())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").touch()
    with pytest.raises(ValueError, match="is not an empty directory"):
        run.create(tmp_path / "full", Experiment())
    with pytest.raises(ValueError, match="is not an empty directory"):
        run.create(tmp_path / "full" / "note", Experiment())
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["note"]
    (tmp_path / "empty").mkdir()
    run.create(tmp_path / "empty", Experiment())


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a run directory: it has no"):
        run.load(tmp_path)
    path = tmp_path / "experiment.json"
    for text in ("{", "[]", "{}", '{"experiment": 3, "file": null}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"experiment\.json is damaged"):
            run.load(tmp_path)


def test_prolonging_records_the_new_steps_only(tmp_path):
    run.create(tmp_path / "run", Experiment(steps=10))
    run.prolong(tmp_path / "run", Experiment(steps=20))
    assert run.load(tmp_path / "run")[0] == Experiment(steps=20)
    assert not list((tmp_path / "run").glob("*.partial"))


def test_the_newest_step_is_read_from_the_folder_names(tmp_path):
    assert run.newest_step(tmp_path) == 0
    for name in ("90", "100", "110.orbax-checkpoint-tmp"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert run.newest_step(tmp_path) == 100


def test_a_second_process_is_refused_until_the_first_ends(tmp_path):
    run.create(tmp_path / "run", Experiment(steps=10))
    hold = "import fcntl, os, sys; d = os.open(sys.argv[1], os.O_RDONLY); "
    hold += "fcntl.flock(d, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, tmp_path / "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        holder.stdout.readline()
        with pytest.raises(ValueError, match="another process is training in"):
            run.prolong(tmp_path / "run", Experiment(steps=20))
        holder.kill()
    with run.lock(tmp_path / "run"):
        pass
    assert run.load(tmp_path / "run")[0].steps == 10


def test_metrics_are_cut_back_to_a_step(tmp_path):
    lines = [{"step": 10, "loss": 0.1 + 0.2}, {"step": 20, "loss": 1e-30}, {"step": 30, "loss": 2}]
    for line in lines:
        run.append_metrics(tmp_path, line)
    written = (tmp_path / "metrics.jsonl").read_bytes()
    assert run.read_metrics(tmp_path) == lines
    run.truncate_metrics(tmp_path, 30)
    assert (tmp_path / "metrics.jsonl").read_bytes() == written
    run.truncate_metrics(tmp_path, 20)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b"".join(written.splitlines(True)[:2])


def test_a_metrics_line_cut_short_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10, "loss": 1.0}\n{"step": 20, "lo')
    assert run.read_metrics(tmp_path) == [{"step": 10, "loss": 1.0}]
    run.truncate_metrics(tmp_path, 20)
    assert path.read_text() == '{"step": 10, "loss": 1.0}\n'


@pytest.mark.parametrize(
    "line", [b'{"step": 1', b'{"loss": 1}', b"7", b"", b'{"step": "a"}', b"\xff"]
)
def test_a_damaged_metrics_line_is_named(tmp_path, line):
    text = b'{"step": 10}\n' + line + b'\n{"step": 30}\n'
    (tmp_path / "metrics.jsonl").write_bytes(text)
    with pytest.raises(ValueError, match=r"line 2 of .*metrics\.jsonl is damaged"):
        run.truncate_metrics(tmp_path, 10)
    assert (tmp_path / "metrics.jsonl").read_bytes() == text


def test_digests_are_recorded_by_step(tmp_path):
    assert run.read_digests(tmp_path) == {}
    run.record_digest(tmp_path, 1, {"w": jnp.ones(2)})
    run.record_digest(tmp_path, 10, {"w": jnp.zeros(2)})
    assert run.read_digests(tmp_path) == {
        "1": run.digest({"w": np.ones(2, np.float32)}),
        "10": run.digest({"w": np.zeros(2, np.float32)}),
    }
    (tmp_path / "digests.json").write_text("{")
    with pytest.raises(ValueError, match=r"digests\.json is damaged"):
        run.read_digests(tmp_path)


def test_a_digest_sees_names_types_shapes_and_every_bit():
    tree = {"w": jnp.zeros((2, 3)), "b": jnp.zeros(2)}
    others = [
        {"w": jnp.zeros((3, 2)), "b": jnp.zeros(2)},
        {"w": jnp.zeros((2, 3)), "c": jnp.zeros(2)},
        {"w": jnp.zeros((2, 3)), "b": jnp.zeros(2, jnp.int32)},
        {"w": jnp.zeros((2, 3)), "b": jnp.array([0.0, -0.0])},
        {"w": jnp.zeros((2, 3))},
    ]
    assert run.digest(tree) == run.digest({"b": np.zeros(2, "f4"), "w": np.zeros((2, 3), "f4")})
    assert run.digest(tree) not in [run.digest(other) for other in others]
    assert len({run.digest(other) for other in others}) == len(others)


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value.json"
    run.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        run.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
