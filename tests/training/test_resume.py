"""Whole processes, killed and resumed: what they leave is what an undisturbed run leaves.

A killed process may be anywhere: compiling, training, in the middle of a line or of a checkpoint.
The fast tests of resuming, in one process, are in test_loop.py.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
from whole_runs import left_by

from jaxgan.runs import record

pytestmark = pytest.mark.slow
KILLS = 17
"""Kills of each of the three runs, by SIGKILL or SIGTERM."""
EXPERIMENT = """
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

experiment = Experiment(
    name="tiny",
    steps=60 * {scale},
    batch_size=16,
    conditional={conditional},
    generator=GeneratorOptions(family="{family}", width=8, depth=1, latent_size=8),
    discriminator=DiscriminatorOptions(
        family="{family}", width=8, depth=1, normalization="none", dropout=0.1
    ),
    penalty="r1",
    log_every=2 * {scale},
    sample_every=6 * {scale},
    checkpoint_every=3 * {scale},
    best_metric="generator_loss",
)
"""

TRANSLATION = """
from jaxgan.experiment import PatchOptions, UnpairedExperiment, TranslatorOptions

experiment = UnpairedExperiment(
    name="tiny",
    steps=60 * {scale},
    batch_size=4,
    data_x="digits",
    class_x="3",
    data_y="digits",
    class_y="8",
    generator=TranslatorOptions(width=4, blocks=1),
    discriminator=PatchOptions(width=4, layers=1),
    identity_weight=1.0,
    pool_size=10,
    flip=True,
    load_size=10,
    log_every=2 * {scale},
    sample_every=6 * {scale},
    checkpoint_every=3 * {scale},
    best_metric="generator_loss",
)
"""
"""Its pools are full after three steps, and every later one may swap images."""


def launch(*args):
    command = "import sys; from jaxgan.cli.main import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", command, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def wait_for(folder, step, process):
    """Returns when the checkpoint of a step is there; of step 0, when the loop begins."""
    while not (folder / "checkpoints").exists() or record.newest_step(folder) < step:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


@pytest.fixture(params=["unconditional", "conditional", "translation"])
def undisturbed(request, tmp_path):
    """An experiment's file, its scale, and what its undisturbed run leaves.

    The one is nearly always saving; the other trains a while between its saves.
    """
    file, folder = tmp_path / "tiny.py", tmp_path / "undisturbed"
    conditional = request.param == "conditional"
    family = "mlp" if conditional else "dcgan"
    scale = 30 if conditional else 1
    text = TRANSLATION if request.param == "translation" else EXPERIMENT
    file.write_text(text.format(conditional=conditional, family=family, scale=scale))
    finish(launch("train", file, "--out", folder))
    return file, scale, left_by(folder)


def test_killed_at_random_moments(undisturbed, tmp_path):
    file, scale, expected = undisturbed
    draw, saving, steps = random.Random(0), 0, []
    for attempt in range(KILLS):
        folder = tmp_path / f"killed{attempt}"
        number = draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        process = launch("train", file, "--out", folder)
        wait_for(folder, 3 * scale * draw.randrange(16), process)
        time.sleep(draw.uniform(0, 0.3))  # Steps and a save or two.
        before = record.newest_step(folder)
        process.send_signal(number)
        output, _ = process.communicate()
        stopped = record.newest_step(folder)
        assert process.returncode == (0 if number == signal.SIGTERM else -number), output
        assert before <= stopped <= 60 * scale
        saving += any("tmp" in path.name for path in (folder / "checkpoints").iterdir())
        steps.append(stopped)
        if stopped < 60 * scale:
            assert "damaged" not in finish(launch("resume", folder, "--from-start"))
        files, kept, best = left_by(folder)
        # A step that was saved because of SIGTERM may still be among the kept ones.
        assert (files, best) == (expected[0], expected[2]), f"{number}, saved: {stopped}"
        same = kept == expected[1] if number == signal.SIGKILL else set(kept) & set(expected[1])
        assert same
        assert kept[60 * scale] == expected[1][60 * scale]
    print(f"{KILLS} kills, {saving} of them during a save, last saved steps: {steps}")


def test_terminated(undisturbed, tmp_path):
    file, scale, expected = undisturbed
    for number in (signal.SIGTERM, signal.SIGINT):
        folder = tmp_path / f"signal{number}"
        process = launch("train", file, "--out", folder)
        wait_for(folder, 3 * scale, process)
        os.kill(process.pid, number)
        output = finish(process)
        assert f"go on with: jaxgan resume {folder}" in output
        stopped = record.newest_step(folder)
        assert f"stopped at step {stopped} of {60 * scale} and saved" in output
        finish(launch("resume", folder))
        files, steps, best = left_by(folder)
        assert files == expected[0]
        assert steps[60 * scale] == expected[1][60 * scale]
        assert best == expected[2]


def test_a_disk_that_fills_up(undisturbed, tmp_path):
    """No file of the process may grow beyond 2 kB: the next save fails in its middle."""
    file, scale, expected = undisturbed
    folder = tmp_path / "full"
    process = launch("train", file, "--out", folder)
    wait_for(folder, 6 * scale, process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2000, 2000))
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output
    saved = record.newest_step(folder)
    assert f"; step {saved} is saved, go on with: jaxgan resume {folder}" in output
    assert "Traceback" not in output
    assert "damaged" not in finish(launch("resume", folder))
    assert left_by(folder) == expected
