"""The program as its users meet it, every command; what they may get wrong: test_bad_inputs.py."""

import io
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_runs import SMALL

from jaxgan import imaging, load
from jaxgan.cli import evaluate
from jaxgan.cli import main as cli
from jaxgan.devices.compilation import FOLDER
from jaxgan.evaluation import judges, protocol
from jaxgan.imaging import picture
from jaxgan.metrics import Classifier
from jaxgan.runs import curves, writing
from jaxgan.training.trained import Run

OWN = """
from __future__ import annotations
from dataclasses import dataclass
from typing import Literal
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions, OptimizerOptions

@dataclass(frozen=True)
class Own(Experiment):
    \"\"\"Two optimisers at a fixed ratio.\"\"\"
    ratio: float = 2.0
    \"\"\"Rate of the discriminator over that of the generator.\"\"\"
    layers: tuple[int, ...] = (1, 2)
    mode: Literal["a", "b"] = "a"

    def make_optimizers(self):
        rate = self.generator_optimizer.learning_rate
        slow, fast = (OptimizerOptions(learning_rate=r) for r in (rate, self.ratio * rate))
        return {"generator": slow.build(), "discriminator": fast.build()}

experiment = Own(
    name="own", steps=2, batch_size=8, conditional=True,
    generator=GeneratorOptions(family="mlp", width=8, normalization="none", latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=8, normalization="none"),
)
"""


@pytest.fixture
def root(tmp_path_factory, digits, points, monkeypatch) -> Path:
    """The working directory: `digits` is a conditional run, `points` one whose data are gone."""
    root = tmp_path_factory.mktemp("cli")
    for name, trained in (("digits", digits), ("points", points)):
        shutil.copytree(trained.folder, root / name)
    monkeypatch.chdir(root)
    return root


def call(capsys, *args) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    capsys.readouterr()
    code = cli.main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def samples(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def scalars(run: Path) -> list[dict[str, float]]:
    """The lines of a run's metrics.jsonl, without those of its samples."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if "generator_loss" in line]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("sample points --out new.png --label 0", "label 0 was asked of a generator that takes no"),
        ("interpolate points --out new.png", "interpolate shows images, and points makes points"),
        ("evaluate points", "There is no file points.npz"),
        (
            "evaluate digits --against points",
            "there is no evaluation points/evaluation.json; evalu",
        ),
    ],
)
def test_what_cannot_be_had_of_points(root, capsys, command, says):
    code, output, error = call(capsys, *command.split())
    assert (code, output, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"jaxgan: {says}")
    assert sorted(os.listdir(root)) == ["digits", "points"]


def test_the_programs_exit_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-tfds"))

    def program(*args):
        code = "import sys; from jaxgan.cli.main import main; sys.exit(main())"
        return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)

    done = program("train", "--steps", "0", "--out", "new")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "jaxgan: steps must be 1 or more, not 0\n"
    assert not os.listdir(tmp_path)
    done = program("data")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *("--data", "digits", "ring", "grid")
    ]


def module(*args: str, **options) -> subprocess.CompletedProcess:
    """`python -m jaxgan`, in a process of its own."""
    command = [sys.executable, "-m", "jaxgan", *args]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, **options)


def test_a_device_that_is_not_there_is_one_line(tmp_path):
    asked = os.environ | {"JAX_PLATFORMS": "cuda"}
    done = module("train", "--out", "new", cwd=tmp_path, env=asked, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "jaxgan: JAX_PLATFORMS is 'cuda', and JAX finds no such device here; unset it, which "
        "takes what there is, or set it to cpu\n"
    )
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("args", [["--help"], ["sample", "--help"]])
def test_a_reader_that_goes_away_is_no_error(args):
    reader, writer = os.pipe()
    os.close(reader)
    done = module(*args, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("output", "reason"), [("/dev/full", "No space left on device"), ("pipe", "Broken pipe")]
)
def test_training_goes_on_where_its_output_cannot(tmp_path, output, reason):
    reader, writer = os.pipe() if output == "pipe" else (None, os.open(output, os.O_WRONLY))
    if reader is not None:
        os.close(reader)
    train = f"train {SMALL} --best-metric None --out run"
    done = module(*train.split(), cwd=tmp_path, stdout=writer)
    os.close(writer)
    assert done.stderr == (
        f"jaxgan: warning: standard output cannot be written ({reason}); training goes on\n"
    )
    assert done.returncode == 0
    assert (tmp_path / "run" / "checkpoints" / "4").is_dir()
    assert (tmp_path / "run" / "curves.png").is_file()


def test_the_home_folder_where_the_shell_leaves_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("")
    code, _, error = call(capsys, "train", "--out=~/mine")
    assert code == 2
    assert error.startswith(f"jaxgan: {tmp_path}/mine is not an empty directory")
    assert os.listdir(tmp_path) == ["mine"]


def test_help(capsys):
    for args in ([], ["--help"]):
        assert call(capsys, *args)[:2] == (0, cli.USAGE)
    for command in (
        *("train", "resume", "sample", "interpolate", "translate", "evaluate", "diagnose"),
        *("report", "watch", "verify", "data", "experiments", "completion", "sweep", "list"),
        *("compare", "export"),
    ):
        assert f"  {command} " in cli.USAGE
        with pytest.raises(SystemExit) as stop:
            cli.main([command, "--help"])
        assert stop.value.code == 0
        assert f"usage: jaxgan {command}" in capsys.readouterr().out


def test_a_training_leaves_a_run_directory(root):
    run = root / "digits"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line.get("images_seen")) for line in lines] == [
        (2, 16),
        (4, 32),
        (4, None),
    ]
    assert set(lines[2]) == {"step", "diversity", "duplicate_rate"}
    assert [path.name for path in (run / "samples").iterdir()] == ["step_000004.png"]
    assert (run / "curves.png").is_file()
    record = json.loads((run / "experiment.json").read_text())
    assert record["experiment"]["generator"]["width"] == 8
    assert record["class"] == "jaxgan.experiment.generation:Experiment"
    (spec,) = record["specs"]
    assert spec["class"] == "jaxgan.data.source:Spec"
    assert spec["values"]["shape"] == [8, 8, 1]


def test_samples_as_arrays(root, capsys, tmp_path):
    code, output, error = call(
        capsys, "sample", "digits", "--count", 11, "--out", tmp_path / "a.npz"
    )
    assert (code, output, error) == (0, f"11 samples: {tmp_path / 'a.npz'}\n", "")
    arrays = samples(tmp_path / "a.npz")
    assert arrays["images"].dtype == np.uint8
    assert arrays["images"].shape == (11, 8, 8, 1)
    assert arrays["labels"].tolist() == [*range(10), 0]

    call(capsys, "sample", "digits", "--count", 3, "--out", tmp_path / "b.npz")
    fewer = samples(tmp_path / "b.npz")["images"].astype(int)
    assert abs(fewer - arrays["images"][:3]).max() <= 1  # Another batch size, other rounding
    call(capsys, "sample", "digits", "--count", 11, "--out", tmp_path / "c.npz")
    assert np.array_equal(samples(tmp_path / "c.npz")["images"], arrays["images"])
    call(capsys, "sample", "digits", "--count", 11, "--seed", 1, "--out", tmp_path / "d.npz")
    assert not np.array_equal(samples(tmp_path / "d.npz")["images"], arrays["images"])


def test_samples_of_one_class_and_of_a_chosen_checkpoint(root, capsys, tmp_path):
    def draw(*options):
        assert call(capsys, "sample", "digits", *options, "--out", tmp_path / "x.npz")[0] == 0
        return samples(tmp_path / "x.npz")

    assert draw("--label", 3, "--count", 2)["labels"].tolist() == [3, 3]
    newest = draw()["images"]
    assert np.array_equal(draw("--step", 4)["images"], newest)
    first = draw("--step", 2)["images"]
    assert not np.array_equal(first, newest)
    assert not np.array_equal(draw("--no-ema")["images"], newest)


def test_samples_of_the_best_checkpoint(root, capsys, tmp_path):
    def draw(*options):
        assert call(capsys, "sample", "points", *options, "--out", tmp_path / "x.npz")[0] == 0
        return samples(tmp_path / "x.npz")["points"]

    best = min(scalars(root / "points"), key=lambda line: line["generator_loss"])["step"]
    assert np.array_equal(draw("--best"), draw("--step", best))
    assert not np.array_equal(draw("--best"), draw("--step", {2: 4, 4: 2}[best]))


def test_samples_as_a_grid(root, capsys, tmp_path):
    def drawn(*options):
        assert call(capsys, "sample", "digits", *options, "--out", tmp_path / "a.PNG")[0] == 0
        with Image.open(tmp_path / "a.PNG") as picture:
            return np.asarray(picture)

    assert drawn("--label", 3, "--count", 6).shape == (2 * (176 + 2) + 2, 3 * (176 + 2) + 2)
    # Without a label there is a row for each class, with its name at the left.
    whole = drawn()
    height, width = whole.shape
    margin = width - (8 * (64 + 2) + 2)
    assert (height, margin > 8) == (10 * (64 + 2) + 2, True)
    names = [whole[2 + row * 66 : 66 + row * 66, :margin].tobytes() for row in range(10)]
    assert len(set(names)) == 10
    call(capsys, "sample", "digits", "--count", 80, "--out", tmp_path / "a.npz")
    arrays = samples(tmp_path / "a.npz")
    for label in range(10):
        row = whole[2 + label * 66 :][:64:8, margin + 2 :]
        shown = np.stack([row[:, n * 66 : n * 66 + 64 : 8] for n in range(8)]).astype(int)
        members = arrays["images"][arrays["labels"] == label][..., 0]
        assert abs(shown - members).max() <= 1


def test_points_are_drawn_where_the_data_are_not(root, capsys, tmp_path):
    code, _, error = call(capsys, "sample", "points", "--count", 5, "--out", tmp_path / "a.npz")
    assert (code, error) == (0, "")
    arrays = samples(tmp_path / "a.npz")
    assert list(arrays) == ["points"]
    assert arrays["points"].dtype == np.float32
    assert arrays["points"].shape == (5, 2)
    assert call(capsys, "sample", "points", "--out", tmp_path / "a.png")[0] == 0


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        (["--frames", "5"], 5),
        (["--frames", "3", "--seeds", "4", "5", "6", "--method", "linear"], 5),
        (["--frames", "3", "--seeds", "4", "5", "6", "--loop"], 6),
    ],
)
def test_walks(root, capsys, tmp_path, options, frames):
    walk = ["interpolate", "digits", "--rows", "2", *options]
    assert call(capsys, *walk, "--scale", 4, "--out", tmp_path / "w.png")[0] == 0
    with Image.open(tmp_path / "w.png") as picture:
        assert picture.size == (frames * (32 + 2) + 2, 2 * (32 + 2) + 2)
    assert call(capsys, *walk, "--out", tmp_path / "w.gif")[0] == 0
    with Image.open(tmp_path / "w.gif") as animation:
        assert animation.n_frames == frames
        assert animation.info["loop"] == 0


def test_a_walk_is_as_long_and_large_as_one_sees(root, capsys, tmp_path):
    av = pytest.importorskip("av")
    code, output, error = call(capsys, "interpolate", "digits", "--out", tmp_path / "w.mp4")
    assert (code, error) == (0, "")
    assert output == f"8 walks of 60 images: {tmp_path / 'w.mp4'}\n"
    with av.open(tmp_path / "w.mp4") as film:
        stream = film.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.width) == (60, 30, 3 * (176 + 2) + 2)


def test_a_walk_begins_at_its_first_seed(root, capsys, tmp_path):
    """The first column of a grid of walks is the grid of that seed's samples."""
    walk = ["--rows", "2", "--frames", "2", "--label", "1", "--scale", "8"]
    call(capsys, "interpolate", "digits", "--seeds", 7, 8, *walk, "--out", tmp_path / "w.png")
    with Image.open(tmp_path / "w.png") as picture:
        first = np.asarray(picture)[:, 2 : 2 + 64 : 8].astype(int)
    call(
        *(capsys, "sample", "digits", "--seed", 7, "--label", 1, "--count", 2),
        *("--out", tmp_path / "s.npz"),
    )
    images = samples(tmp_path / "s.npz")["images"][..., 0]
    for row, image in enumerate(images):
        shown = first[2 + row * (64 + 2) :][:64:8]
        assert abs(shown - image).max() <= 1


def test_an_evaluation_is_recorded_with_its_protocol_and_compared(root, capsys, monkeypatch):
    noise = np.random.default_rng(0)
    layers = tuple((noise.normal(size=(n, m)), np.zeros(m)) for n, m in [(64, 4), (4, 10)])
    judge = Classifier(layers, test_accuracy=0.5)
    monkeypatch.setattr(judges, "load_or_fit", lambda *data, **options: judge)
    for name, less in (("SAMPLES", 50), ("SUBSETS", 3), ("PROJECTIONS", 16), ("PATCHES", 2)):
        monkeypatch.setattr(protocol, name, less)
    path = root / "digits" / "evaluation.json"
    code, output, _ = call(capsys, "evaluate", "digits", "--step", 2)
    assert code == 0
    head, *lines = output.splitlines()
    assert head.startswith("step 2: 50 samples against digits, test split, 360 images, by last hid")
    record = json.loads(path.read_text())
    metrics, real = record["metrics"], record["real"]
    assert {"frechet", "kl", "label_accuracy", "precision", "train_distance"} < set(metrics)
    assert [line.split(":")[0] for line in lines] == list(metrics)
    assert lines[0] == (
        f"frechet: digits, step 2 {metrics['frechet']:.4g}, real {real['frechet']:.4g}"
    )
    assert (record["step"], record["ema"], record["experiment"]["seed"]) == (2, True, 0)
    assert record["protocol"]["samples"] == 50
    assert record["protocol"]["classifier_digest"] == judge.digest

    code, output, _ = call(capsys, "evaluate", "digits", "--against", "digits")
    assert code == 0
    assert json.loads(path.read_text())["step"] == 4
    assert f"digits, step 2 {metrics['kl']:.4g}" in output
    kept = path.read_text()
    monkeypatch.setattr(protocol, "SAMPLES", 40)
    code, output, error = call(capsys, "evaluate", "digits", "--against", "digits")
    assert (code, output, error.count("\n")) == (2, "", 1)
    assert "samples is 50 there, 40 here" in error
    assert path.read_text() == kept


@pytest.fixture
def read_only(root, monkeypatch) -> Path:
    """A run of another user's. The tests may be those of root, whom no mode binds."""
    run, access = Path("digits"), os.access

    def unless_in_run(write):
        def guarded(path, *args):
            if path.parent == run:
                raise PermissionError(13, "Permission denied", str(path))
            write(path, *args)

        return guarded

    monkeypatch.setattr(os, "access", lambda path, mode: path != run and access(path, mode))
    monkeypatch.setattr(writing, "write_json", unless_in_run(writing.write_json))
    monkeypatch.setattr(curves, "save_curves", unless_in_run(curves.save_curves))
    measured = {
        "metrics": {"kl": 0.5},
        "real": {},
        "protocol": {"samples": 50, "reference": "digits", "features": "pixels"},
    }
    monkeypatch.setattr(Run, "evaluate", lambda self, features, **_: measured)
    return run


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_run_that_cannot_be_written_to_is_measured(read_only, capsys, tmp_path):
    code, output, error = call(capsys, "evaluate", read_only)
    assert code == 0
    assert output.splitlines() == [
        "step 4: 50 samples against digits, by pixels (not recorded)",
        "kl: digits, step 4 0.5",
    ]
    path = "digits/evaluation.json cannot be written"
    assert error.splitlines() == [
        f"jaxgan: warning: {path}; --out FILE records elsewhere",
        f"jaxgan: warning: these numbers are not recorded: {path} (Permission denied); --out FILE "
        "records elsewhere",
    ]
    out = tmp_path / "elsewhere.json"
    code, output, error = call(capsys, "evaluate", read_only, "--out", out)
    assert (code, error) == (0, "")
    assert f"by pixels ({out})" in output
    assert json.loads(out.read_text())["metrics"] == {"kl": 0.5}
    assert call(capsys, "evaluate", read_only, "--out", "a.txt")[0] == 2


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_run_that_cannot_be_written_to_is_diagnosed(read_only, capsys, tmp_path):
    code, output, error = call(capsys, "diagnose", read_only)
    assert (code, output.splitlines()[0]) == (0, "digits: too early to tell")
    assert error == (
        "jaxgan: warning: the curves are not drawn: digits/curves.png cannot be written "
        "(Permission denied); --out FILE draws them elsewhere\n"
    )
    code, output, error = call(capsys, "diagnose", read_only, "--out", tmp_path / "c.png")
    assert (code, error) == (0, "")
    assert output.splitlines()[-1] == f"curves: {tmp_path / 'c.png'}"
    assert (tmp_path / "c.png").is_file()


def test_a_run_that_cannot_be_written_to_is_reported_elsewhere(read_only, capsys, tmp_path):
    assert call(capsys, "report", read_only) == (
        2,
        "",
        "jaxgan: digits/report.html cannot be written; --out FILE writes it elsewhere\n",
    )
    code, _, error = call(capsys, "report", read_only, "--out", tmp_path / "r.html")
    assert (code, error) == (0, "")
    assert '"title":"loss"' in (tmp_path / "r.html").read_text()


def test_a_training_ends_with_its_best_and_last(points):
    *_, done, samples, curves, log, course, _, sample, _, _ = points.output.splitlines()
    assert done == "done after 4 steps: run"
    assert [line.split()[-1] for line in (samples, curves, log)] == [
        *("run/samples/step_000004.png", "run/curves.png", "run/metrics.jsonl")
    ]
    assert sample.endswith("jaxgan sample run --out samples.png")
    lines = scalars(points.folder)
    best = min(lines, key=lambda line: line["generator_loss"])
    assert course == (
        f"generator_loss: best {best['generator_loss']:.4g} at step {best['step']}, "
        f"last {lines[-1]['generator_loss']:.4g} at step 4"
    )


def test_a_diagnosis_is_printed_and_the_curves_drawn(root, capsys, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(root / "digits", run)
    (run / "curves.png").unlink()
    code, output, error = call(capsys, "diagnose", run)
    assert (code, error) == (0, "")
    assert output.splitlines() == [
        f"{run}: too early to tell",
        "  2 lines of scalars are logged; from 6 on something can be said",
        f"curves: {run / 'curves.png'}",
    ]
    assert (run / "curves.png").read_bytes() == (root / "digits" / "curves.png").read_bytes()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "diverged": 1}\n')
    code, output, _ = call(capsys, "diagnose", run)
    lines = output.splitlines()
    assert (code, lines[0]) == (0, f"{run}: divergence")
    assert "step 5" in lines[1]
    assert any(line.strip().startswith("--generator-optimizer.learning-rate") for line in lines)
    (run / "metrics.jsonl").write_text("x\n")
    assert call(capsys, "diagnose", run)[0] == call(capsys, "report", run)[0] == 2
    (run / "metrics.jsonl").unlink()
    code, output, _ = call(capsys, "diagnose", run)
    assert (code, output.count("\n"), "0 lines" in output) == (0, 2, True)


def test_a_report_shows_neighbours_where_the_data_are(root, capsys, tmp_path):
    path = tmp_path / "r.html"
    code, output, error = call(capsys, "report", "digits", "--out", path)
    assert (code, error) == (0, "")
    assert output.endswith(f" MB: {path}\n")
    page = path.read_text()
    assert "of 1,437. Distances" in page
    assert 'alt="30 of 30"' in page  # The walk's last picture.
    code, output, _ = call(capsys, "report", "points")
    assert (code, output.split()[1:]) == (0, ["MB:", "points/report.html"])
    assert "this run makes points" in (root / "points" / "report.html").read_text()
    shutil.copytree(root / "digits", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert call(capsys, "report", tmp_path / "run")[0] == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "There are none: " in page
    assert "has no checkpoint yet" in page


def test_a_report_of_several_runs_lies_in_the_working_directory(root, capsys):
    code, output, _ = call(capsys, "report", "digits", "points")
    assert (code, output.split()[1:]) == (0, ["MB:", "report.html"])
    assert "2 runs side by side" in (root / "report.html").read_text()
    (root / "report.html").unlink()


def test_verify_agrees_until_a_digest_is_changed(root, capsys):
    code, output, _ = call(capsys, "verify", "digits")
    assert (code, output) == (0, "parameters agree to the bit after steps 1\n")
    (root / "digits" / "digests.json").write_text(json.dumps({"1": "0" * 64}))
    code, output, _ = call(capsys, "verify", "digits")
    assert code == 1
    assert output.startswith("parameters differ after step 1")


def test_a_class_of_the_users_trains_resumes_and_samples(root, capsys, tmp_path):
    file, run = tmp_path / "mine.py", tmp_path / "run"
    file.write_text(OWN)
    code, _, error = call(
        *(capsys, "train", file, "--ratio", 3, "--layers", 4, "--mode", "b", "--out", run)
    )
    assert (code, error) == (0, "")
    recorded = json.loads((run / "experiment.json").read_text())["experiment"]
    assert (recorded["ratio"], recorded["layers"], recorded["mode"]) == (3, [4], "b")
    # The file as it stands says ratio 2.
    code, _, error = call(capsys, "resume", run, file, "--steps", 3)
    assert code == 2
    assert "ratio was 3.0, asked 2.0" in error
    options = ["--ratio", "3", "--layers", "4", "--mode", "b", "--steps", "3"]
    code, output, _ = call(capsys, "resume", run, file, *options)
    assert code == 0
    assert "from step 2" in output
    assert call(capsys, "sample", run, "--out", tmp_path / "s.png")[0] == 0
    assert call(capsys, "verify", run)[0] == 0
    file.unlink()
    code, _, error = call(capsys, "sample", run, "--out", tmp_path / "s.png")
    assert code == 2
    assert "no experiment file" in error


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (["train", "--out", "my  run"], "jaxgan resume 'my  run'"),
        (["translate", "my  run"], "jaxgan sample 'my  run'"),
        (["evaluate", "my  run", "--against", "the  other"], "jaxgan evaluate 'the  other'"),
        (
            ["train", "--data", "mnist", "--data-dir", "the  other"],
            "jaxgan data prepare mnist --data-dir 'the  other'",
        ),
        (
            ["train", "--data", "stacked_mnist", "--data-dir", "the  other"],
            "jaxgan data prepare mnist --data-dir 'the  other'",
        ),
    ],
)
def test_hints_can_be_pasted_into_a_shell(root, capsys, command, hint):
    (root / "digits").rename(root / "my  run")
    (root / "the  other").mkdir()
    code, _, error = call(capsys, *command)
    assert code == 2
    assert hint in error


def test_a_resumed_run_may_make_more_steps_a_call(root, capsys, tmp_path):
    run = tmp_path / "run"
    options = ("--conditional", "--best-metric", "None", "--steps", 2, "--steps-per-call", 1)
    assert call(capsys, "train", *SMALL.split(), *options, "--out", run)[0] == 0
    code, output, _ = call(capsys, "resume", run, "--steps", 4, "--steps-per-call", 25)
    assert (code, "resuming" in output) == (0, True)
    for name in ("metrics.jsonl", "digests.json"):
        assert (run / name).read_bytes() == (root / "digits" / name).read_bytes()


@pytest.mark.usefixtures("no_cache_yet")
def test_programs_are_kept_beside_the_runs(root, capsys, tmp_path):
    assert call(capsys, "sample", "digits", "--out", tmp_path / "s.png")[0] == 0
    assert list((root / FOLDER).glob("jit_*-cache"))


def test_a_diverged_run_ends_with_one_line_too(capsys, tmp_path):
    options = ("--generator-optimizer.learning-rate", 1e38, "--best-metric", "None")
    code, _, error = call(capsys, "train", *SMALL.split(), *options, "--out", tmp_path / "run")
    assert code == 1
    assert error.startswith("jaxgan: training diverged at step ")
    assert error.count("\n") == 1


def test_errors_that_are_not_the_users(capsys, monkeypatch):
    def fail(error):
        def command(args):
            raise error

        monkeypatch.setattr(cli, "verify", command)
        return call(capsys, "verify")

    assert fail(KeyboardInterrupt())[0::2] == (130, "jaxgan: interrupted\n")
    code, _, error = fail(MemoryError())
    assert (code, error.count("\n")) == (1, 1)
    assert "smaller batch_size or width" in error
    code, _, error = fail(OSError(28, "No space left on device", "run/metrics.jsonl"))
    assert (code, error) == (2, "jaxgan: run/metrics.jsonl: No space left on device\n")
    with pytest.raises(TypeError):  # A bug keeps its traceback.
        fail(TypeError("bug"))
    monkeypatch.setenv("JAXGAN_TRACEBACK", "1")
    with pytest.raises(ValueError, match="asked for"):
        fail(ValueError("asked for"))


def test_warnings_are_lines_too_and_handled_so_for_one_command_only(capsys, monkeypatch):
    def command(args):
        warnings.simplefilter("always")
        warnings.warn("checkpoint 3 is damaged", stacklevel=1)
        warnings.warn("of no concern to the user", DeprecationWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(cli, "verify", command)
    before = warnings.showwarning
    code, _, error = call(capsys, "verify")
    assert (code, error) == (0, "jaxgan: warning: checkpoint 3 is damaged\n")
    assert warnings.showwarning is before


def test_metrics_are_a_table_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    evaluate.print_metrics(
        {"runs/[red]a": {"frechet": 1.5, "modes": 10.0}, "real": {"frechet": 0.5}}
    )
    lines = capsys.readouterr().out.splitlines()
    assert "runs/[red]a" in lines[0]  # No markup
    assert [line.split() for line in lines[1:]] == [
        ["frechet", "lower", "1.5", "0.5"],
        ["modes", "higher", "10"],
    ]


def test_a_notebook_shows_a_run_by_its_samples(root):
    run = load(root / "digits")
    with Image.open(io.BytesIO(run._repr_png_())) as shown:
        np.testing.assert_array_equal(shown, picture(imaging.grid(run.sample())))
    assert load(root / "points")._repr_png_() is None
