"""Records of evaluations: what is in them, and which of them compare."""

import pytest

from jaxgan.experiment import Experiment
from jaxgan.runs import evaluations as records
from jaxgan.runs.record import PACKAGES
from jaxgan.runs.writing import write_json

PROTOCOL = {"protocol": "labelled images", "samples": 10_000, "features": "f" * 100}


def record(**changes):
    experiment = Experiment(name="own", data="ring", seed=3)
    return records.make_record(
        experiment, "a ring", 7, True, 100, {"kl": 0.5}, {"kl": 0.1}, PROTOCOL | changes
    )


def test_a_record_says_what_was_measured_how_and_with_what(tmp_path):
    path = tmp_path / "evaluation.json"
    write_json(path, record())
    read = records.read_record(path)
    assert read == record()
    assert read == records.read_record(tmp_path)
    assert read["experiment"] == {"name": "own", "data": "a ring", "seed": 3}
    assert (read["step"], read["ema"], read["standing"]) == (7, True, 100)
    assert (read["metrics"], read["real"]) == ({"kl": 0.5}, {"kl": 0.1})
    assert set(read["versions"]) == set(PACKAGES)
    assert len(read["code"]) == 64


def test_the_code_is_told_by_its_files(monkeypatch, tmp_path):
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.setattr(records.jaxgan, "__file__", str(tmp_path / "__init__.py"))
    first = records.code_digest()
    (tmp_path / "note.txt").write_text("no code")
    assert records.code_digest() == first
    (tmp_path / "a.py").write_text("")
    second = records.code_digest()
    (tmp_path / "a.py").write_text("x = 1")
    assert len({first, second, records.code_digest()}) == 3


def test_one_protocol_compares(tmp_path):
    records.refuse_other_protocol(PROTOCOL, record(), tmp_path)


def test_another_is_refused_with_the_fields_that_differ(tmp_path):
    other = record(samples=25_600, features="g" * 100, extra=1)
    with pytest.raises(ValueError, match="measured by another protocol") as caught:
        records.refuse_other_protocol(PROTOCOL, other, tmp_path / "b.json")
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "b.json"))
    assert "samples is 25600 there, 10000 here" in message
    assert "extra is 1 there, missing here" in message
    assert f"features is {'g' * 57}... there" in message
    assert "protocol is" not in message


@pytest.mark.parametrize("text", ["{", "[]", "3", "{}", '{"metrics": {}}', '{"protocol": 1}'])
def test_what_is_no_record(tmp_path, text):
    path = tmp_path / "evaluation.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"evaluation\.json is (damaged|not the record)"):
        records.read_record(tmp_path)


def test_what_is_missing(tmp_path):
    with pytest.raises(ValueError, match=r"there is no evaluation .*nothing$"):
        records.read_record(tmp_path / "nothing")
    with pytest.raises(ValueError, match=f"evaluate it first: jaxgan evaluate {tmp_path}"):
        records.read_record(tmp_path)


def test_a_table_of_two_runs_and_real_data():
    columns = {
        "a": {"frechet": 1.23456, "modes": 10.0, "train_distance": 0.5, "odd": 2.0},
        "b": {"frechet": 2.0, "modes": 9.0, "train_distance": 0.25, "other": 3.0},
    }
    assert records.table(columns) == [
        ["frechet", "lower", "1.235", "2"],
        ["modes", "higher", "10", "9"],
        ["train_distance", "", "0.5", "0.25"],
        ["odd", "lower", "2", ""],
    ]
