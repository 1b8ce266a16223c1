"""What a person sees of commands at work, on terminals of 60 and 80 columns and off them."""

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_runs import SMALL, call

from jaxgan.cli import ending
from jaxgan.devices import sharding

OWN = f"{SMALL} --best-metric None --steps 40 --log-every 20 --sample-every 30"
CODE, COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(folder: Path, columns: int, command: str, **environment: str) -> str:
    """All that a command writes to a terminal, in a process of its own."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    program = subprocess.Popen(
        [sys.executable, "-m", "jaxgan", *command.split()],
        **dict.fromkeys(("stdin", "stdout", "stderr"), inside),
        cwd=folder,
        env=kept | {"TERM": "xterm-256color"} | environment,
    )
    os.close(inside)
    written = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # The other end is closed.
            break
        written += part
    os.close(terminal)
    assert program.wait() == 0, written.decode()
    return written.decode()


def lines_of(written: str) -> list[str]:
    return [line.rstrip() for line in re.split(r"[\r\n]+", CODE.sub("", written)) if line.strip()]


@pytest.mark.parametrize(("columns", "losses"), [(60, 1), (80, 2)])
def test_a_training_keeps_step_bar_and_time(tmp_path, columns, losses):
    written = on_terminal(tmp_path, columns, f"train {OWN} --out run", NO_COLOR="1")
    lines = lines_of(written)
    bars = [line for line in lines if line.startswith("step ")]
    assert bars
    for line in bars:
        assert len(line) == columns
        assert re.match(r"step [ \d]\d/40 ", line)
        assert re.search(r" (\d:\d\d:\d\d|\d+ s)$", line)
    full = [line for line in bars if "discriminator" in line]
    assert full
    assert all("━" in line and ("generator" in line) == (losses == 2) for line in full)
    assert {line.split()[0] for line in lines} >= {"starting", "preparing", "compiling", "drawing"}
    assert not COLOUR.search(written)  # No colour was asked for.


def test_a_training_names_its_device_and_what_comes_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output, error = call(capsys, f"train {OWN} --out my-run")
    assert (code, error) == (0, "")
    first, second, *lines = output.splitlines()
    assert re.fullmatch(r"on .*; JAX_PLATFORMS=\w+ .*takes .*", first)
    assert second.startswith("my-run: 1,437")
    assert Path("my-run/samples/step_000040.png").is_file()  # Off its schedule.
    name = ending.program()
    assert lines[-8:] == [
        "done after 40 steps: my-run",
        "  samples:    my-run/samples/step_000040.png",
        "  curves:     my-run/curves.png",
        "  log:        my-run/metrics.jsonl",
        "next:",
        f"  {name} sample my-run --out samples.png",
        f"  {name} report my-run",
        f"  {name} resume my-run --steps 80",
    ]


def test_the_program_is_named_by_its_interpreter_where_it_is_not_on_path(monkeypatch, tmp_path):
    beside = Path(sys.executable).parent / "jaxgan"
    monkeypatch.setattr(ending.shutil, "which", lambda name: str(beside))
    assert ending.program() == "jaxgan"
    for other in (None, str(tmp_path / "jaxgan")):  # That of another environment is no help.
        monkeypatch.setattr(ending.shutil, "which", lambda name, found=other: found)
        assert ending.program() == f"{shlex.quote(sys.executable)} -m jaxgan"


def test_quiet_and_verbose(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output, error = call(capsys, f"train {OWN} --out a --quiet")
    assert (code, error) == (0, "")
    assert output.startswith("done after 40 steps: a\n")
    code, output, _ = call(capsys, f"train {OWN} --out b --verbose")
    assert code == 0
    for work in ("compiling", "drawing samples", "saving a checkpoint", "drawing curves"):
        assert re.search(rf"^{work}: \d+\.\d s$", output, re.MULTILINE), work
    for name in ("metrics.jsonl", "digests.json", "curves.png"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()
    assert "quiet" not in Path("a/experiment.json").read_text()


def test_help_has_no_colour_where_none_is_wanted(tmp_path):
    assert COLOUR.search(on_terminal(tmp_path, 80, "resume --help"))
    assert not COLOUR.search(on_terminal(tmp_path, 80, "resume --help", NO_COLOR="1"))


@pytest.mark.parametrize(
    ("platform", "kind", "count", "sentence"),
    [
        ("cpu", "cpu", 1, "on the CPU (2 cores); JAX_PLATFORMS=cuda or tpu takes another device"),
        (
            *("cpu", "cpu", 8),
            "on the CPU as 8 devices (2 cores); JAX_PLATFORMS=cuda or tpu takes another device",
        ),
        ("gpu", "NVIDIA H100", 1, "on NVIDIA H100; JAX_PLATFORMS=cpu takes the CPU"),
        (
            *("gpu", "NVIDIA H100", 2),
            "on 2 x NVIDIA H100; JAX_PLATFORMS=cpu takes the CPU, CUDA_VISIBLE_DEVICES=0 one GPU",
        ),
        ("tpu", "TPU v4", 4, "on 4 x TPU v4; JAX_PLATFORMS=cpu takes the CPU"),
    ],
)
def test_devices_in_words(monkeypatch, platform, kind, count, sentence):
    monkeypatch.setattr(sharding.os, "cpu_count", lambda: 2)
    device = SimpleNamespace(platform=platform, device_kind=kind)
    mesh = SimpleNamespace(devices=np.array([device] * count), size=count)
    assert sharding.described(mesh) == sentence
