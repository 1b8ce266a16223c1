"""Whole systems that the library does not know, each in a file of its own beside this one.

An autoencoder (one side), a mixture fitted by EM (an update instead of a loss), a game of three
sides, a DCGAN that grows in two phases; and beside them the growing networks that the library does
know, in three. Each trains, is killed, resumes to the bit, verifies,
samples, evaluates and reports, by the same code as every GAN.
"""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan import load
from jaxgan.cli.main import main
from jaxgan.evaluation import protocol
from jaxgan.runs.data import identities_of, to_record
from jaxgan.runs.log import digest, read_metrics
from jaxgan.runs.record import create, load_file
from jaxgan.training.loop import train
from jaxgan.training.trainer import make_trainer

HERE = Path(__file__).parent
STEPS, BORDER = 8, 4
SCHEDULE = {
    "steps": STEPS,
    "log_every": 1,
    "sample_every": 4,
    "checkpoint_every": 4,
    "evaluate_every": 0,
}


class Killed(BaseException):
    """No handler of the loop knows it: what was written stays as a kill leaves it."""


class Reporter:
    """Kills the run, or signals it to stop, when told of a step."""

    def __init__(self, kill=None, stop=None):
        self.kill, self.stop_at = kill, stop

    def step(self, step):
        if step == self.kill:
            raise Killed
        if step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def log(self, step, scalars):
        pass

    def say(self, message):
        pass


pytestmark = pytest.mark.usefixtures("undrawn")
SYSTEMS = ["autoencoder", "mixture", "three_sides", "growing", "progressive"]
GROWING = pytest.mark.parametrize("system", ["growing"], indirect=True, scope="module")
PROGRESSIVE = pytest.mark.parametrize("system", ["progressive"], indirect=True, scope="module")
MIXTURE = pytest.mark.parametrize("system", ["mixture"], indirect=True, scope="module")


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request, tmp_path_factory):
    """The trainer of a system, and a run of it that nothing disturbed."""
    experiment = load_file(HERE / f"{request.param}.py")
    trainer = make_trainer(dataclasses.replace(experiment, **SCHEDULE))
    folder = tmp_path_factory.mktemp(request.param) / "run"
    return request.param, trainer, folder, run(trainer, folder)


def run(trainer, folder, **disturbed):
    """Starts or resumes; the digest of the last state."""
    if not folder.exists():
        sources = [program.source for program in trainer.programs]
        known = to_record(identities_of(sources))
        create(folder, trainer.experiment, [source.spec for source in sources], known)
    return digest(train(trainer, folder, Reporter(**disturbed)))


def written(folder):
    paths = [folder / name for name in ("metrics.jsonl", "curves.png", "digests.json")]
    return {path.name: path.read_bytes() for path in (*paths, *(folder / "samples").iterdir())}


def test_what_it_logs_is_its_own(system):
    name, _, folder, _ = system
    own = {
        "autoencoder": {"autoencoder_loss", "autoencoder_gradient_norm", "code_norm"},
        "mixture": {"log_likelihood", "mixture_update_ratio"},
        "three_sides": {"encoder_loss", "generator_loss", "discriminator_loss"},
        "growing": {"generator_loss", "discriminator_loss"},
        "progressive": {"generator_loss", "discriminator_loss"},
    }[name]
    lines = [line for line in read_metrics(folder) if "images_seen" in line]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert all(own < set(line) for line in lines)
    assert ("discriminator_loss" in lines[0]) == (name in ("three_sides", "growing", "progressive"))
    assert any("diversity" in line for line in read_metrics(folder))


def test_samples_are_counted_through_the_phases(system):
    name, _, folder, _ = system
    seen = [line["images_seen"] for line in read_metrics(folder) if "images_seen" in line]
    sizes = {"autoencoder": [32] * 8, "mixture": [200] * 8, "three_sides": [32] * 8}
    assert seen == np.cumsum(sizes.get(name, [16] * 4 + [8] * 4)).tolist()


@pytest.mark.parametrize(
    "disturbed",
    [
        *({"kill": 3}, {"stop": 3}, {"stop": BORDER}, {"kill": BORDER + 1}, {"stop": BORDER + 1}),
        {"stop": BORDER + 2},  # where the library's growing networks have faded in
    ],
    ids=[
        *("before any checkpoint", "in a phase", "at its border", "killed behind it", "behind it"),
        "at the next border",
    ],
)
def test_resumes_to_the_bit(system, tmp_path, disturbed):
    _, trainer, undisturbed, expected = system
    folder = tmp_path / "run"
    try:
        run(trainer, folder, **disturbed)
    except Killed:
        pass
    else:
        assert (folder / "checkpoints" / str(disturbed["stop"])).is_dir()
    assert run(trainer, folder) == expected
    assert written(folder) == written(undisturbed)


@GROWING
def test_a_checkpoint_knows_its_phase(system):
    _, trainer, folder, _ = system
    assert [trainer.expected(step).phase for step in (1, 4, 5, 8)] == [0, 0, 1, 1]
    assert load(folder, step=BORDER).sample(2).shape == (2, 8, 8, 1)
    assert load(folder).sample(2).shape == (2, 16, 16, 1)


@PROGRESSIVE
def test_a_fading_size_has_a_phase_of_its_own(system):
    _, trainer, folder, _ = system
    assert [trainer.expected(step).phase for step in (1, 4, 5, 6, 7, 8)] == [0, 0, 1, 1, 2, 2]
    # Images of all sizes are shown at the last one, those of 4 pixels in squares of 2.
    small, large = (load(folder, step=step).sample(2) for step in (BORDER, STEPS))
    assert small.shape == large.shape == (2, 8, 8, 1)
    np.testing.assert_array_equal(small, small[:, ::2, ::2].repeat(2, 1).repeat(2, 2))
    assert not np.array_equal(large, large[:, ::2, ::2].repeat(2, 1).repeat(2, 2))


@PROGRESSIVE
def test_optimisers_restart_with_a_size_and_not_where_it_has_faded_in(system):
    _, trainer, _, _ = system
    state, counts = None, []
    for program, steps in zip(trainer.programs, (4, 2, 2), strict=True):
        state = program.start(state)
        counts.append([int(side.opt_state[0].count) for side in state.sides.values()])
        for _ in range(steps):
            state, _ = program.steps(state, int(state.step), 1)
    assert counts == [[0, 0], [0, 0], [2, 2]]


@GROWING
def test_a_grown_network_keeps_what_fits_and_its_optimisers_restart(system):
    _, trainer, _, _ = system
    first, second = trainer.programs
    state = first.start(None)
    for step in range(BORDER):
        state, _ = first.steps(state, step, 1)
    grown = second.start(state)
    assert int(grown.step) == BORDER
    old, new = (
        dict(jax.tree_util.tree_leaves_with_path(each.sides["generator"].variables.params))
        for each in (state, grown)
    )
    kept = [path for path in new if path in old and old[path].shape == new[path].shape]
    assert kept
    assert len(kept) < len(new)
    assert all(np.array_equal(old[path], new[path]) for path in kept)
    assert [int(side.opt_state[0].count) for side in grown.sides.values()] == [0, 0]


@GROWING
def test_phases_must_add_up(system):
    _, trainer, _, _ = system
    wrong = dataclasses.replace(trainer.experiment, grow_after=STEPS)
    with pytest.raises(ValueError, match=r"phase 1 takes 0 steps; it must take 1 or more"):
        make_trainer(wrong)


def test_every_command_takes_it(system, tmp_path, capsys, monkeypatch):
    name, _, made, _ = system
    monkeypatch.setattr(protocol, "SAMPLES", 40)
    folder = tmp_path / "moved"
    shutil.copytree(made, folder)
    images = name != "mixture"
    assert main(["verify", str(folder)]) == 0
    assert "agree to the bit after steps 1" in capsys.readouterr().out
    assert main(["sample", str(folder), "--out", str(tmp_path / "s.png"), "--count", "4"]) == 0
    assert main(["sample", str(folder), "--out", str(tmp_path / "s.npz"), "--count", "4"]) == 0
    with np.load(tmp_path / "s.npz") as arrays:
        found = arrays["images" if images else "points"]
    assert np.array_equal(found, load(folder).sample(4))
    features = ["--features", "pixels"] if images else []
    assert main(["evaluate", str(folder), *features]) == 0
    record = json.loads((folder / "evaluation.json").read_text())
    assert {"frechet", "sliced_wasserstein", "precision"} <= set(record["metrics"])
    assert main(["diagnose", str(folder)]) == 0
    assert main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert "no measure" not in page
    if images:
        assert main(["interpolate", str(folder), "--out", str(tmp_path / "walk.png")]) == 0


@MIXTURE
def test_em_finds_the_two_gaussians(system):
    _, _, folder, _ = system
    params = load(folder).variables.params
    means = params["means"][np.argsort(params["means"][:, 0])]
    np.testing.assert_allclose(means, [[-2, 0], [2, 1]], atol=0.2)
    logged = [line["log_likelihood"] for line in read_metrics(folder) if "images_seen" in line]
    assert all(after >= before - 1e-5 for before, after in pairwise(logged))


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_processes_killed_at_random_moments(name, tmp_path):
    options = [f"--{option.replace('_', '-')}={value}" for option, value in SCHEDULE.items()]
    code = "import sys; from jaxgan.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code]
    file, random = str(HERE / f"{name}.py"), np.random.default_rng(len(name))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    started = time.monotonic()
    options += ["--steps=400", "--grow-after=200"] if name == "growing" else ["--steps=400"]
    subprocess.run([*command, "train", file, *options, "--out", str(whole)], check=True)
    took = time.monotonic() - started
    call = [*command, "train", file, *options, "--out", str(killed)]
    for _ in range(4):
        process = subprocess.Popen(call)
        time.sleep(random.uniform(0.3, 1.0) * took)
        process.kill()
        process.wait()
        if (killed / "experiment.json").exists():
            call = [*command, "resume", str(killed), "--from-start"]
    subprocess.run(call, check=False)  # Exit code 2 where the last process had finished it.
    assert written(killed) == written(whole)
