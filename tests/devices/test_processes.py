"""Whole processes on devices of their own: how many there are changes no draw and no course.

Two processes of two devices stand for two hosts. Fast tests of one process are in test_mesh.py.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from whole_runs import left_by

from jaxgan.runs import record as run
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.trainer import make_trainer

pytestmark = pytest.mark.slow
KILLS = 13
"""Kills of each of two runs, of one of its two processes, by SIGKILL or SIGTERM."""
PROGRAM = Path(__file__).with_name("program.py")
JAXGAN = "import sys; from jaxgan.cli.main import main; sys.exit(main())"
EXPERIMENT = """
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="tiny",
    steps=60,
    batch_size=16,
    conditional=True,
    generator=GeneratorOptions(
        family="mlp", width=128, depth=1, normalization="group", latent_size=8
    ),
    discriminator=DiscriminatorOptions(
        family="mlp", width=128, depth=1, normalization="none", dropout=0.1
    ),
    penalty="r1",
    log_every=2,
    sample_every=6,
    checkpoint_every=3,
    best_metric="generator_loss",
    steps_per_call=1,
    shard_parameters={split},
)
"""


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def python(*args, devices, output=subprocess.PIPE):
    return subprocess.Popen(
        [sys.executable, *map(str, args)],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)},
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


def on_one(*args, devices=4):
    """`jaxgan ...` in one process."""
    process = python("-c", JAXGAN, *args, devices=devices)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def launch_two(*args):
    """`jaxgan ... --distributed` as two processes of two devices."""
    hosts = ["--distributed", "--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2]
    return [
        python("-c", JAXGAN, *args, *hosts, "--process", index, devices=2) for index in range(2)
    ]


def finish(processes, codes=(0, 0)):
    """What each of two processes printed."""
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert tuple(process.returncode for process in processes) == codes, "\n---\n".join(outputs)
    return outputs


def wait_for(folder, step, processes):
    while not (folder / "checkpoints").exists() or run.newest_step(folder) < step:
        for process in processes:
            assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


def state_of(folder, step):
    expected = make_trainer(run.read(folder)[0]).expected
    with Checkpoints(folder / "checkpoints", expected, read_only=True) as checkpoints:
        return jax.tree.map(np.asarray, checkpoints.restore(step)[1])


def largest_difference(a, b):
    return max(
        np.abs(x - y).max() for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.fixture(params=[False, True], ids=["whole", "split"])
def file(request, tmp_path):
    """An experiment's file, with parameters whole on each device or split over them."""
    path = tmp_path / "tiny.py"
    path.write_text(EXPERIMENT.format(split=request.param))
    return path


@pytest.mark.parametrize(("precision", "bound"), [("float32", 1e-5), ("float64", 1e-10)])
def test_the_number_of_devices_changes_no_draw_and_no_course(tmp_path, precision, bound):
    """100 steps on 1, 2, 4 and 8 devices and on two processes of two."""

    def wait(*processes):
        for process in processes:
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, output

    paths = {}
    for devices in (1, 2, 4, 8):
        paths[devices] = tmp_path / f"{devices}.npz"
        wait(python(PROGRAM, paths[devices], precision, 100, devices=devices))
    paths["two processes"], port = tmp_path / "two.npz", free_port()
    args = PROGRAM, paths["two processes"], precision, 100, "--host"
    wait(*(python(*args, index, port, devices=2) for index in range(2)))
    results = {name: np.load(path) for name, path in paths.items()}
    alone = results.pop(1)
    for name, result in results.items():
        assert int(result["devices"]) == (4 if name == "two processes" else name)
        for array in alone:
            if array.startswith("start"):
                np.testing.assert_array_equal(result[array], alone[array], err_msg=array)
        ends = [array for array in alone if array.startswith("end")]
        apart = max(np.abs(result[array] - alone[array]).max() for array in ends)
        print(f"{precision}, {name}: largest difference after 100 steps {apart:.1e}")
        assert apart < bound
        np.testing.assert_allclose(result["scalars"], alone["scalars"], rtol=1e-4, atol=1e-4)


def test_a_run_goes_on_with_other_devices(file, tmp_path):
    """From one device to eight, to two processes, and back to one."""
    straight, moved = tmp_path / "straight", tmp_path / "moved"
    on_one("train", file, "--out", straight, devices=1)
    on_one("train", file, "--out", moved, "--steps", 15, devices=1)
    assert "bits may differ" in on_one("resume", moved, "--steps", 30, devices=8)
    finish(launch_two("resume", moved, "--steps", 45))
    on_one("resume", moved, "--steps", 60, devices=1)
    assert largest_difference(state_of(straight, 60), state_of(moved, 60)) < 1e-4
    assert "agree to the bit after steps 1, 10" in on_one("verify", moved, "--steps", 10, devices=1)


def test_two_processes_leave_what_one_leaves(file, tmp_path):
    """The same devices in two processes: the same course and files, written by the first alone."""
    one, two = tmp_path / "one", tmp_path / "two"
    on_one("train", file, "--out", one, "--evaluate-every", 30)
    first, second = finish(launch_two("train", file, "--out", two, "--evaluate-every", 30))
    assert "done after 60 steps" in first
    assert "step" not in second  # Only the first process talks.
    assert largest_difference(state_of(one, 60), state_of(two, 60)) < 1e-4
    assert left_by(two)[0].keys() == left_by(one)[0].keys()
    for command in (["sample", two, "--out", tmp_path / "a.png"], ["evaluate", two]):
        finish(launch_two(*command))
    assert (tmp_path / "a.png").exists()
    assert (two / "evaluation.json").exists()


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_one_process_stops_all_at_one_step(file, tmp_path, index, number):
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "stopped"
    finish(launch_two("train", file, "--out", undisturbed))
    processes = launch_two("train", file, "--out", folder)
    wait_for(folder, 6, processes)
    os.kill(processes[index].pid, number)
    output, _ = finish(processes)
    stopped = run.newest_step(folder)
    assert f"stopped at step {stopped} of 60 and saved" in output
    finish(launch_two("resume", folder))
    files, steps, best = left_by(folder)
    expected = left_by(undisturbed)
    assert (files, best) == (expected[0], expected[2])
    assert steps[60] == expected[1][60]


def test_killed_at_random_moments(file, tmp_path):
    """One of two, at any moment, saves included; the other ends by itself."""
    undisturbed = tmp_path / "undisturbed"
    finish(launch_two("train", file, "--out", undisturbed))
    expected, draw, saving, steps = left_by(undisturbed), random.Random(0), 0, []
    for attempt in range(KILLS):
        folder = tmp_path / f"killed{attempt}"
        number = draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        processes = launch_two("train", file, "--out", folder)
        wait_for(folder, 3 * draw.randrange(16), processes)
        time.sleep(draw.uniform(0, 0.3))
        before = run.newest_step(folder)
        processes[draw.randrange(2)].send_signal(number)
        for process in processes:
            output, _ = process.communicate(timeout=60)
            assert (process.returncode == 0) == (number == signal.SIGTERM), output
        stopped = run.newest_step(folder)
        assert before <= stopped <= 60
        saving += any("tmp" in path.name for path in (folder / "checkpoints").iterdir())
        steps.append(stopped)
        if stopped < 60:
            for output in finish(launch_two("resume", folder, "--from-start")):
                assert "damaged" not in output
        files, kept, best = left_by(folder)
        assert (files, best) == (expected[0], expected[2]), f"{number}, saved: {stopped}"
        assert kept[60] == expected[1][60]
    print(f"{KILLS} kills, {saving} of them during a save, last saved steps: {steps}")


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_vanishes_ends_the_others_within_a_minute(tmp_path, index, number):
    file, folder = tmp_path / "tiny.py", tmp_path / "run"
    file.write_text(EXPERIMENT.format(split=False))
    processes = launch_two("train", file, "--out", folder, "--steps", 100_000)
    wait_for(folder, 6, processes)
    gone, other = processes[index], processes[1 - index]
    os.kill(gone.pid, number)
    start = time.monotonic()
    try:
        output, _ = other.communicate(timeout=60)
    finally:
        gone.kill()
        gone.communicate()
    print(f"ended after {time.monotonic() - start:.1f} s")
    assert other.returncode not in (0, None)
    assert "another process is gone" in output or "another task died" in output
    finish(launch_two("resume", folder, "--steps", run.newest_step(folder) + 3))


def test_what_one_process_refuses_all_refuse(tmp_path):
    """Data that lie on one host only."""
    hosts = ["--distributed", "--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2]
    processes = [
        python(
            *("-c", JAXGAN, "train", "--data", data, "--out", tmp_path / "run"),
            *(*hosts, "--process", index),
            devices=1,
        )
        for index, data in enumerate(["digits", tmp_path / "nowhere.npz"])
    ]
    first, second = finish(processes, (2, 2))
    sentence = f"There is no file {tmp_path}/nowhere.npz."
    assert f"jaxgan: process 1 had to stop: {sentence}" in first
    assert f"jaxgan: {sentence}" in second
    assert list(tmp_path.iterdir()) == []


def test_two_runs_cannot_have_one_directory(file, tmp_path):
    folder = tmp_path / "run"
    processes = launch_two("train", file, "--out", folder, "--steps", 100_000)
    wait_for(folder, 6, processes)
    for output in finish(launch_two("resume", folder, "--steps", 200_000), (2, 2)):
        assert f"another process is training in {folder}" in output
    processes[1].terminate()
    finish(processes)


def test_a_damaged_checkpoint_is_passed_over_by_all(file, tmp_path):
    folder = tmp_path / "run"
    finish(launch_two("train", file, "--out", folder))
    largest = max((folder / "checkpoints" / "60").rglob("*"), key=lambda p: p.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:100])
    first, second = finish(launch_two("resume", folder, "--steps", 63))
    assert f"resuming {folder} from step 57" in first
    for output in (first, second):
        assert f"{folder}/checkpoints/60 is damaged and passed over" in output
    assert (folder / "damaged" / "60").is_dir()
    assert run.newest_step(folder) == 63
