"""Several seeds and values of options: each run once, to its end, and a table of them."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from small_runs import SMALL, call

import jaxgan
from jaxgan import load
from jaxgan.cli.sweep import arguments_of, axis_of, environments, option_of, seeds_of
from jaxgan.runs.log import digest
from jaxgan.training import loop

BASE = f"{SMALL} --best-metric None"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def options(folder):
    return json.loads((Path(folder) / "experiment.json").read_text())["experiment"]


def test_seeds():
    assert seeds_of("0-3") == ["0", "1", "2", "3"]
    assert seeds_of("7,2") == ["7", "2"]
    assert seeds_of("5") == ["5"]


def test_every_combination_in_the_order_given():
    runs, jobs = arguments_of(
        ["own.py", "--set", "loss=hinge,minimax", "--seeds", "0-1", "--out", "s", "--lr", "1e-3"]
    )
    assert jobs == 1
    assert [train[-1] for train, _ in runs] == [
        *("s/loss=hinge,seed=0", "s/loss=hinge,seed=1"),
        *("s/loss=minimax,seed=0", "s/loss=minimax,seed=1"),
    ]
    train, alone = runs[3]
    assert train == [
        *("own.py", "--lr", "1e-3", "--loss", "minimax", "--seed", "1"),
        *("--out", "s/loss=minimax,seed=1"),
    ]
    assert arguments_of(alone) == ([runs[3]], 1)


def test_options_that_are_on_or_off():
    assert axis_of("discriminator.spectral_norm=true,false") == (
        *("discriminator.spectral-norm", ["true", "false"]),
    )
    assert option_of("discriminator.spectral-norm", "true") == ["--discriminator.spectral-norm"]
    assert option_of("discriminator.spectral-norm", "false") == ["--discriminator.no-spectral-norm"]


def test_a_sweep_ends_in_its_table(here, capsys):
    command = f"sweep --out s --seeds 0-1 --set generator.width=8,16 {BASE}"
    code, output, error = call(capsys, command)
    assert (code, error) == (0, "")
    assert output.count("done after 4 steps") == 4
    assert len(list(Path("s").glob("*/experiment.json"))) == 4
    assert options("s/generator.width=16,seed=1")["seed"] == 1
    table = output.splitlines()[-3:]
    assert table[0].split()[:2] == ["generator.width", "seeds"]
    assert [row.split()[:3] for row in table[1:]] == [["8", "0,", "1"], ["16", "0,", "1"]]
    code, again, _ = call(capsys, command)  # All are done.
    assert code == 0
    assert again.splitlines() == table


def test_a_stopped_sweep_goes_on_with_the_same_command(here, capsys, monkeypatch):
    command = f"sweep --out s --seeds 0-1 {BASE}"
    call(capsys, command)
    whole = [digest(load(f"s/seed={seed}").state()) for seed in (0, 1)]
    Path("s").rename("whole")
    play, calls = loop._play, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)  # The second run ends after its first call.
        return play(*args)

    monkeypatch.setattr(loop, "_play", interrupted)
    code, output, _ = call(capsys, f"{command} --steps-per-call 1")
    assert (code, f"jaxgan {command}" in output) == (0, True)
    assert "diversity" not in output  # No table yet.
    code, output, _ = call(capsys, f"{command} --steps-per-call 1")
    assert (code, "resuming s/seed=1" in output, "s/seed=0" in output) == (0, True, False)
    assert [digest(load(f"s/seed={seed}").state()) for seed in (0, 1)] == whole


def test_what_cannot_be_is_refused_before_the_first_run(here, capsys):
    code, output, error = call(capsys, f"sweep --out s --set generator.width=8,-1 {BASE}")
    assert (code, output) == (2, "")
    assert error == "jaxgan: generator.width must be 1 or more, not -1\n"
    assert not Path("s").exists()


def test_runs_side_by_side_are_those_of_one_after_the_other(here, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(jaxgan.__file__).parents[1]))
    code, output, error = call(capsys, f"sweep --jobs 2 --out two --seeds 0-1 {BASE}")
    assert (code, error) == (0, "")
    assert sorted(line for line in output.splitlines() if line.startswith("run ")) == [
        *("run 1 of 2 done: two/seed=0.log", "run 1 of 2: two/seed=0, two/seed=0.log"),
        *("run 2 of 2 done: two/seed=1.log", "run 2 of 2: two/seed=1, two/seed=1.log"),
    ]
    assert "0, 1" in output.splitlines()[-1]  # The table has both seeds in one row.
    assert "done after 4 steps" in Path("two/seed=1.log").read_text()
    assert call(capsys, f"sweep --out one --seeds 0-1 {BASE}")[0] == 0
    for seed in (0, 1):
        sides = [load(f"{folder}/seed={seed}").state() for folder in ("one", "two")]
        assert digest(sides[0]) == digest(sides[1])


@pytest.mark.parametrize(
    ("seen", "jobs", "expected"),
    [
        (None, 2, [("0", None), ("1", None)]),
        (None, 3, [("0", "0.45"), ("1", "0.45"), ("0", "0.45")]),
        ("5", 1, [("5", None)]),
        ("", 2, [("", None), ("", None)]),
    ],
)
def test_runs_side_by_side_have_a_gpu_each_or_share_them(here, monkeypatch, seen, jobs, expected):
    program = Path("nvidia-smi")
    program.write_text("#!/bin/sh\necho 'GPU 0: one'\necho 'GPU 1: another'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}:{os.environ['PATH']}")
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    names = ("CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_MEM_FRACTION")
    assert [tuple(map(one.get, names)) for one in environments(jobs)] == expected


def test_a_run_that_fails_leaves_its_words_and_ends_the_sweep(here, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(jaxgan.__file__).parents[1]))
    Path("s/seed=0").mkdir(parents=True)
    Path("s/seed=0/own.txt").write_text("mine")
    code, output, _ = call(capsys, f"sweep --jobs 2 --out s --seeds 0 {BASE}")
    assert code == 2
    assert output.splitlines()[-1] == "run 1 of 1 failed: s/seed=0.log"
    assert "s/seed=0 is not an empty directory" in Path("s/seed=0.log").read_text()


def test_a_signal_ends_runs_side_by_side_which_go_on_with_the_same_command(
    here, capsys, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(Path(jaxgan.__file__).parents[1]))
    folders = [Path(f"s/seed={seed}") for seed in (0, 1)]
    options = BASE.replace("--steps 4", "--steps 1000000")
    assert options != BASE
    command = f"sweep --jobs 2 --out s --seeds 0-2 {options}"

    def stop():
        while not all((folder / "metrics.jsonl").exists() for folder in folders):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    code, output, error = call(capsys, command)
    assert (code, error) == (0, "")
    lines = output.splitlines()
    assert sorted(lines[2:4]) == [
        "run 1 of 3 stopped: s/seed=0.log",
        "run 2 of 3 stopped: s/seed=1.log",
    ]
    assert lines[4:] == [f"go on with the same command: jaxgan {command}"]
    assert all(load(folder).step for folder in folders)
