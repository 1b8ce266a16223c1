"""What a run logs: lines of metrics that are mended after a kill, and digests of its parameters."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.runs.log import (
    append_metrics,
    digest,
    has_line,
    lost_lines,
    read_digests,
    read_metrics,
    record_digest,
    truncate_metrics,
)


def test_metrics_are_cut_back_to_a_step(tmp_path):
    lines = [{"step": 10, "loss": 0.1 + 0.2}, {"step": 20, "loss": 1e-30}, {"step": 30, "loss": 2}]
    for line in lines:
        append_metrics(tmp_path, line)
    written = (tmp_path / "metrics.jsonl").read_bytes()
    assert read_metrics(tmp_path) == lines
    truncate_metrics(tmp_path, 30)
    assert (tmp_path / "metrics.jsonl").read_bytes() == written
    truncate_metrics(tmp_path, 20)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b"".join(written.splitlines(True)[:2])


def test_a_metrics_line_cut_short_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10, "loss": 1.0}\n{"step": 20, "lo')
    assert read_metrics(tmp_path) == [{"step": 10, "loss": 1.0}]
    truncate_metrics(tmp_path, 20)
    assert path.read_text() == '{"step": 10, "loss": 1.0}\n'


@pytest.mark.parametrize(
    "line", [b'{"step": 1', b'{"loss": 1}', b"7", b"", b'{"step": "a"}', b"\xff"]
)
def test_a_damaged_metrics_line_is_named(tmp_path, line):
    text = b'{"step": 10}\n' + line + b'\n{"step": 30}\n'
    (tmp_path / "metrics.jsonl").write_bytes(text)
    with pytest.raises(ValueError, match=r"line 2 of .*metrics\.jsonl is damaged"):
        truncate_metrics(tmp_path, 10)
    assert (tmp_path / "metrics.jsonl").read_bytes() == text


def test_digests_are_recorded_by_step(tmp_path):
    assert read_digests(tmp_path) == {}
    record_digest(tmp_path, 1, {"w": jnp.ones(2)})
    record_digest(tmp_path, 10, {"w": jnp.zeros(2)})
    assert read_digests(tmp_path) == {
        "1": digest({"w": np.ones(2, np.float32)}),
        "10": digest({"w": np.zeros(2, np.float32)}),
    }
    for text in ("{", "[]", '{"first": "0"}'):
        (tmp_path / "digests.json").write_text(text)
        with pytest.raises(ValueError, match=r"digests\.json is damaged"):
            read_digests(tmp_path)


def test_a_digest_sees_names_types_shapes_and_every_bit():
    tree = {"w": jnp.zeros((2, 3)), "b": jnp.zeros(2)}
    others = [
        {"w": jnp.zeros((3, 2)), "b": jnp.zeros(2)},
        {"w": jnp.zeros((2, 3)), "c": jnp.zeros(2)},
        {"w": jnp.zeros((2, 3)), "b": jnp.zeros(2, jnp.int32)},
        {"w": jnp.zeros((2, 3)), "b": jnp.array([0.0, -0.0])},
        {"w": jnp.zeros((2, 3))},
    ]
    assert digest(tree) == digest({"b": np.zeros(2, "f4"), "w": np.zeros((2, 3), "f4")})
    assert digest(tree) not in [digest(other) for other in others]
    assert len({digest(other) for other in others}) == len(others)


def test_of_many_lines_of_scalars_some_are_read_and_all_others(tmp_path):
    for step in range(1, 101):
        append_metrics(tmp_path, {"step": step, "images_seen": step, "loss": 1.0})
        if step % 50 == 0:
            append_metrics(tmp_path, {"step": step, "frechet": 2.0})
    found = read_metrics(tmp_path, most=10)
    assert [line["step"] for line in found if "loss" in line] == list(range(10, 101, 10))
    assert [line["step"] for line in found if "frechet" in line] == [50, 100]
    assert read_metrics(tmp_path, most=100) == read_metrics(tmp_path)
    assert read_metrics(tmp_path, most=3)[-1] == {"step": 100, "frechet": 2.0}


def test_lines_that_are_not_there_are_known(tmp_path):
    for step in (10, 20, 40):
        append_metrics(tmp_path, {"step": step, "images_seen": step})
    append_metrics(tmp_path, {"step": 30, "frechet": 1.0})
    assert lost_lines(tmp_path, 45, [(0, 10)]) == [30]
    assert lost_lines(tmp_path, 45, [(0, 10), (25, 4)]) == [28, 32, 36, 44]
    assert lost_lines(tmp_path, 25, [(0, 20), (40, 1)]) == []
    assert has_line(tmp_path, 30, {"frechet", "kl"})
    assert not has_line(tmp_path, 20, {"frechet"})
