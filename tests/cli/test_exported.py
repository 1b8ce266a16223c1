"""A model that is shared: one file gives the same samples, and nothing else goes along."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from jaxgan import load
from jaxgan.cli import main as cli
from jaxgan.cli.export import _program, card_of
from jaxgan.data import PairSpec, Spec
from jaxgan.experiment import UnpairedExperiment


def call(capsys, *args):
    capsys.readouterr()
    code = cli.main([str(arg) for arg in args])
    return code, *capsys.readouterr()


@pytest.fixture
def model(digits, tmp_path):
    """The model of a conditional run, in a folder without the run."""
    path = tmp_path / "elsewhere" / "model.safetensors"
    path.parent.mkdir()
    load(digits.folder).export(path)
    return path


def metadata(path):
    with safe_open(path, framework="numpy") as file:
        return file.metadata()


def rewritten(path, change):
    """The file with its arrays changed."""
    known, arrays = metadata(path), load_file(path)
    change(arrays)
    save_file(arrays, path, known)


def test_a_round_trip_gives_the_same_samples(digits, model):
    run, shared = load(digits.folder), load(model)
    np.testing.assert_array_equal(shared.sample(8, seed=3, label=2), run.sample(8, seed=3, label=2))
    assert (shared.step, shared.averaged, shared.data[0].digest) == (
        *(run.step, True, run.data[0].digest),
    )


def test_of_any_checkpoint_and_side(digits, tmp_path):
    chosen = load(digits.folder, step=2, averaged=False)
    chosen.export(tmp_path / "m.safetensors")
    shared = load(tmp_path / "m.safetensors")
    assert (shared.step, shared.averaged) == (2, False)
    np.testing.assert_array_equal(shared.sample(4), chosen.sample(4))


def test_it_names_no_place_of_this_machine(points, tmp_path):
    load(points.folder).export(tmp_path / "m.safetensors")
    known = metadata(tmp_path / "m.safetensors")
    record = json.loads(known["record"])
    assert not {one["place"] for phase in record["data"] for one in phase} - {None}
    assert record["experiment"]["data_dir"] is None
    assert "/" not in record["experiment"]["data"]
    assert str(points.folder.parent) not in (tmp_path / "m.safetensors").read_bytes().decode(
        "latin"
    )


def test_arrays_have_plain_names(model):
    names = sorted(load_file(model))
    assert all(name.startswith(("params/", "state/")) for name in names)
    assert any(name.endswith("/kernel") for name in names)


def test_the_command_writes_a_card_and_samples(digits, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(digits.folder, "run")
    code, output, error = call(
        capsys, *["export", "run", "--out", "m.safetensors", "--licence", "CC0"]
    )
    assert (code, output, error) == (0, "m.safetensors, m.md, m.png\n", "")
    card = Path("m.md").read_text()
    for part in (
        "![samples](m.png)",
        "licence: CC0",
        "digits, 1,437 samples",
        "steps = 4",
        "4 steps",
    ):
        assert part in card
    assert str(tmp_path) not in card
    shutil.rmtree("run")
    assert call(capsys, *["sample", "m.safetensors", "--label", "3", "--out", "s.png"])[0] == 0
    assert call(capsys, *["interpolate", "m.safetensors", "--out", "w.png"])[0] == 0


def test_the_card_tells_no_place_of_this_machine(points):
    run = load(points.folder)
    named = tuple(one._replace(name="/home/me/points.npz") for one in run.data)
    card = card_of(dataclasses.replace(run, data=named), Path("m.npz"), None, "CC0")
    assert "data: points.npz, 20 samples" in card


def test_the_card_of_a_run_that_translates_says_how():
    spec = PairSpec(Spec((8, 8, 3), 0), Spec((8, 8, 3), 0))
    run = SimpleNamespace(inputs=UnpairedExperiment().inputs(spec), spec=spec)
    assert _program(run, Path("m.npz")).splitlines()[2:] == [
        "# images: uint8 [N, H, W, C]",
        "made = load(\"m.npz\").translate(images, direction='x-to-y')",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop(min(a)), "does not fit its experiment: it has no array params/"),
        (lambda a: a.update(more=np.zeros(1)), "does not fit its experiment: it has an array more"),
        (
            lambda a: a.update({min(a): np.zeros((1, 1), np.float32)}),
            r"is float32\[1, 1\] in the file and float32\[",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_named(model, change, message):
    rewritten(model, change)
    with pytest.raises(ValueError, match=message):
        load(model)


def test_what_is_no_model(tmp_path, model):
    other, cut, text = (tmp_path / f"{name}.safetensors" for name in ("other", "cut", "text"))
    save_file({"w": np.zeros(2)}, other)
    cut.write_bytes(model.read_bytes()[:-5])
    text.write_text("no model")
    with pytest.raises(ValueError, match=r"other\.safetensors was not made by `jaxgan export`"):
        load(other)
    for path in (cut, text):
        with pytest.raises(ValueError, match=f"{path.name} is damaged"):
            load(path)
    with pytest.raises(ValueError, match="there is nothing to choose"):
        load(model, step=2)
    with pytest.raises(
        ValueError, match=r"end in \.safetensors, \.npz or \.stablehlo, not 'm\.bin'"
    ):
        load(model).export(tmp_path / "m.bin")
    damaged, foreign = tmp_path / "damaged.npz", tmp_path / "foreign.npz"
    damaged.write_bytes(b"no archive")
    np.savez(foreign, w=np.zeros(2))
    with pytest.raises(ValueError, match=r"damaged\.npz is damaged or no \.npz file"):
        load(damaged)
    with pytest.raises(ValueError, match=r"foreign\.npz was not made by `jaxgan export`"):
        load(foreign)


def test_arrays_alone_are_a_model_too(digits, tmp_path):
    run, path = load(digits.folder), tmp_path / "m.npz"
    run.export(path)
    np.testing.assert_array_equal(load(path).sample(8, label=2), run.sample(8, label=2))
    with np.load(path, allow_pickle=False) as file:
        assert {name.split("/")[0] for name in file} == {"params", "jaxgan"}


def test_the_sampling_as_a_program_that_needs_jax_alone(digits, tmp_path):
    """In a process that cannot import jaxgan, for a batch of a size of its own."""
    run, path = load(digits.folder), tmp_path / "m.stablehlo"
    run.export(path)
    latents, labels = run.draw(5, 3)
    np.savez(tmp_path / "inputs.npz", latents=latents, labels=labels)
    program = """
import sys
sys.modules["jaxgan"] = sys.modules["flax"] = None
import numpy as np
from jax import export
inputs = np.load("inputs.npz")
with open("m.stablehlo", "rb") as file:
    program = export.deserialize(file.read())
np.save("made.npy", program.call(inputs["latents"], inputs["labels"]))
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "made.npy"), run.sample(5, seed=3))


def test_points_as_a_program(points, tmp_path):
    from jax import export

    run, path = load(points.folder), tmp_path / "m.stablehlo"
    run.export(path)
    made = export.deserialize(path.read_bytes()).call(run.draw(6)[0])
    np.testing.assert_allclose(made, run.sample(6), rtol=1e-6)
