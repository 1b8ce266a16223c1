"""Translating from the command line: what a run leaves, and folders of files of every kind."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from jaxgan.cli.main import main
from jaxgan.data import Spec
from jaxgan.experiment import Experiment
from jaxgan.experiment import folders as translating
from jaxgan.experiment.folders import Job, batch_limit, fitting, plan_folder, translate_folder
from jaxgan.runs import record as run
from jaxgan.runs.log import digest
from jaxgan.training import launch, trained
from jaxgan.training.checkpoints import Checkpoints, Expected
from jaxgan.training.program import abstract_state

pytestmark = pytest.mark.usefixtures("undrawn")
EXPERIMENT = """
from jaxgan.experiment import PatchOptions, UnpairedExperiment, TranslatorOptions

experiment = UnpairedExperiment(
    name="tiny", data_x="grey.npz", data_y="both/trainB", image_size=8, batch_size=2, steps=4,
    generator=TranslatorOptions(width=2, blocks=0), discriminator=PatchOptions(width=2, layers=1),
    pool_size=3, log_every=1, sample_every=2, checkpoint_every=2, best_metric="x_cycle",
)
"""


def call(capsys, *args) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def write(path: Path, height: int, width: int, *, grey: bool = False, seed: int = 0) -> None:
    shape = (height, width) if grey else (height, width, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A run of 4 steps between 8 grey and 5 colour images, in the folder `run`."""
    root = tmp_path_factory.mktemp("translating")
    grey = np.random.default_rng(0).integers(256, size=(8, 8, 8), dtype=np.uint8)
    np.savez(root / "grey.npz", images=grey)
    for index in range(5):
        write(root / "both" / "trainB" / f"{index}.png", 9 + index, 12, seed=index)
    (root / "tiny.py").write_text(EXPERIMENT)
    (root / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("JAXGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TFDS_DATA_DIR", str(root / "no-tfds"))
        assert main(["train", "tiny.py", "--out", "run"]) == 0
        yield root


def left_by(folder: Path) -> dict[str, bytes]:
    paths = [folder / name for name in ("metrics.jsonl", "curves.png", "digests.json")]
    paths += sorted((folder / "samples").iterdir())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_what_a_run_leaves(root):
    assert set(left_by(root / "run")) == {
        *("metrics.jsonl", "curves.png", "digests.json"),
        *("samples/step_000002.png", "samples/step_000004.png"),
    }
    record = json.loads((root / "run" / "experiment.json").read_text())
    assert record["class"] == "jaxgan.experiment.unpaired:UnpairedExperiment"
    assert record["file"] is None
    (spec,) = record["specs"]
    assert spec["class"] == "jaxgan.data.pair:PairSpec"
    assert [spec["values"][domain]["shape"] for domain in "xy"] == [[8, 8, 1], [8, 8, 3]]
    with Image.open(root / "run" / "samples" / "step_000004.png") as picture:
        # Six rows of five images, enlarged to 88 pixels, in colour beside their labels.
        assert picture.mode == "RGB"
        assert picture.height == 6 * (88 + 2) + 2
        assert picture.width > 5 * (88 + 2) + 2


def test_a_run_resumes_to_the_bit_with_its_pools(root, capsys):
    # Beside the other run, where its compiled programs are.
    code, _, _ = call(capsys, "train", "tiny.py", "--steps", 2, "--out", "resumed")
    assert code == 0
    code, output, _ = call(capsys, "resume", "resumed", "--steps", 4)
    assert code == 0
    assert "resuming" in output
    assert left_by(root / "resumed") == left_by(root / "run")
    experiment, record = run.read(root / "run")
    (spec,) = run.recorded_specs(root / "run", record)
    expected = Expected(0, abstract_state(experiment, experiment.make_game(spec), spec))
    states = []
    for folder in (root / "run", root / "resumed"):
        with Checkpoints(
            folder / "checkpoints", lambda step: expected, read_only=True
        ) as checkpoints:
            states.append(checkpoints.restore(4)[1])
    pools = states[0].carry["pools"]
    assert int(pools["x"].count) == 3
    assert float(abs(pools["y"].images).max()) > 0
    assert digest(states[0]) == digest(states[1])


def test_a_run_is_verified_and_not_resumed_with_other_options(root, capsys):
    code, output, _ = call(capsys, "verify", "run")
    assert (code, output) == (0, "parameters agree to the bit after steps 1\n")
    code, _, error = call(capsys, "resume", "run", "--steps", 6, "--pool-size", 4)
    assert code == 2
    assert "pool_size was 3, asked 4" in error


def test_epochs_are_recorded_in_steps(root, capsys, tmp_path, monkeypatch):
    def record_only(trainer, directory, reporter, display, log, on_restored):
        on_restored(0)
        return SimpleNamespace(step=0)

    folder = tmp_path / "run"
    monkeypatch.setattr(launch, "_run", record_only)
    options = ["--epochs", 3, "--decay-epochs", 1]
    assert call(capsys, "train", "tiny.py", *options, "--out", folder)[0] == 0
    values = json.loads((folder / "experiment.json").read_text())["experiment"]
    assert (values["steps"], values["epochs"], values["decay_epochs"]) == (12, 0, 0)
    optimizer = values["generator_optimizer"]
    assert (optimizer["decay_start"], optimizer["decay_end"]) == (8, 12)
    # The file and its options say the same run again.
    assert call(capsys, "resume", folder, "tiny.py", *options, "--from-start")[0::2] == (0, "")
    assert "decay_end was 12" in call(capsys, "resume", folder, "tiny.py", "--epochs", 3)[2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sample run --out a.png", "run makes its images from images, and this takes a run that"),
        ("interpolate run --out a.png", "run makes its images from images, and this takes a run"),
        ("evaluate run", "run cannot be evaluated: there is no measure of a run of UnpairedExper"),
    ],
)
def test_what_is_about_latents_says_so(root, capsys, line, message):
    code, output, error = call(capsys, *line.split())
    assert (code, output) == (2, "")
    assert error.startswith(f"jaxgan: {message}")
    assert error.count("\n") == 1


@pytest.fixture
def photographs(tmp_path) -> Path:
    """100 images of sizes from 5x5 to 21x17, grey and colour, of which 57.png is damaged."""
    folder = tmp_path / "photographs"
    for index in range(100):
        name = f"{index:02d}.{'jpg' if index % 3 else 'png'}"
        write(folder / name, 5 + index % 17, 5 + index % 13, grey=index % 2 == 0, seed=index)
    (folder / "57.png").write_bytes((folder / "57.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("neither")
    return folder


def test_a_hundred_images_of_which_one_is_damaged(root, capsys, photographs, tmp_path):
    output = tmp_path / "made" / "here"
    code, said, error = call(
        *(capsys, "translate", "run", "--input", photographs, "--output", output),
        *("--direction", "x-to-y"),
    )
    assert code == 1
    assert error.count("\n") == 1
    assert error.startswith(f"jaxgan: {photographs / '57.png'} ")
    assert said == f"99 of 100 images translated, resized and cropped to 8x8: {output}\n"
    names = {path.name for path in output.iterdir()}
    assert names == {f"{index:02d}.png" for index in range(100) if index != 57}
    with Image.open(output / "00.png") as image:
        assert (image.size, image.mode) == ((8, 8), "RGB")


def test_images_of_their_own_sizes(root, capsys, tmp_path):
    for name, size in {"a.png": (8, 12), "b.png": (13, 9), "c.png": (8, 12)}.items():
        write(tmp_path / "in" / name, *size, seed=size[0])
    code, said, error = call(
        *(capsys, "translate", "run", "--input", tmp_path / "in", "--output", tmp_path / "out"),
        *("--direction", "y-to-x", "--keep-size"),
    )
    assert (code, error) == (0, "")
    assert said.startswith("3 of 3 images translated, sides at multiples of 4")
    sizes = {}
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as image:
            assert image.mode == "L"
            sizes[path.name] = (image.height, image.width)
    assert sizes == {"a.png": (8, 12), "b.png": (12, 8), "c.png": (8, 12)}
    assert (tmp_path / "out/a.png").read_bytes() == (tmp_path / "out/c.png").read_bytes()


def test_an_occupied_output_needs_overwrite(root, capsys, tmp_path):
    write(tmp_path / "in" / "a.png", 8, 8)
    line = ["translate", "run", "--input", tmp_path / "in", "--output", tmp_path / "out"]
    line += ["--direction", "x-to-y"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    code, _, error = call(capsys, *line)
    assert code == 2
    assert error == (
        f"jaxgan: --output {tmp_path / 'out'} holds files; --overwrite writes over them\n"
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"mine.txt"}
    assert call(capsys, *line, "--overwrite")[0] == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"mine.txt", "a.png"}


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("run --input empty --output new --direction x-to-y", ["empty holds no images"]),
        ("run --input missing --output new --direction x-to-y", ["missing is not a folder"]),
        ("run --input tiny.py --output new --direction x-to-y", ["tiny.py is not a folder"]),
        ("run --input both/trainB --output both/trainB --direction y-to-x", ["is the input"]),
        ("run --input both/trainB --output tiny.py --direction y-to-x", ["not a folder"]),
        ("run --input both/trainB --output new --direction a-to-b", ["'a-to-b'", "x-to-y"]),
        ("run --input both/trainB --output new", ["--direction"]),
        ("run --output new --direction x-to-y", ["--input"]),
        ("empty --input both/trainB --output new --direction x-to-y", ["not a run directory"]),
        ("run --input both/trainB --output new --direction x-to-y --step 3", ["of step 3"]),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(root, capsys, line, parts):
    before = {path for path in root.rglob("*") if ".jax_cache" not in str(path)}
    code, output, error = call(capsys, "translate", *line.split())
    assert (code, output, error.count("\n")) == (2, "", 1)
    for part in parts:
        assert part in error
    assert {path for path in root.rglob("*") if ".jax_cache" not in str(path)} == before


def test_a_run_of_latents_does_not_translate(root, capsys, tmp_path):
    run.create(tmp_path / "latents", Experiment(), [Spec((8, 8, 1), 10)])
    code, _, error = call(
        *(capsys, "translate", tmp_path / "latents", "--input", "both/trainB", "--output", "new"),
        *("--direction", "x-to-y"),
    )
    assert code == 2
    assert "makes its samples from latents, and translate takes a run that translates" in error


def test_files_of_one_name_keep_their_endings(tmp_path):
    for name in ("a.png", "a.jpg", "b.jpg"):
        write(tmp_path / "in" / name, 8, 8)
    job = plan_folder(tmp_path / "in", tmp_path / "out")
    assert [target.name for _, target in job.files] == ["a.jpg.png", "a.png.png", "b.png"]
    assert not (tmp_path / "out").exists()


def test_images_that_are_not_read_are_told_of(tmp_path):
    write(tmp_path / "in" / "a.png", 8, 8)
    (tmp_path / "in" / "b.avif").write_text("")
    with pytest.warns(UserWarning, match="passed over in .*in: 1 .avif"):
        job = plan_folder(tmp_path / "in", tmp_path / "out")
    assert len(job.files) == 1


@pytest.mark.parametrize(
    ("names", "written"),
    [
        ("a.png a.jpg a.jpg.bmp", "a.jpg.bmp.png a.jpg.png a.png.png"),
        ("a.png a.jpg.bmp", "a.jpg.png a.png"),
        ("a.jpg a.jpg.bmp", "a.jpg.bmp.png a.png"),
        ("a.png a.png.png a.png.png.bmp", "a.png a.png.png.png a.png.png.bmp.png"),
    ],
)
def test_every_image_has_a_file_of_its_own(tmp_path, names, written):
    for name in names.split():
        write(tmp_path / "in" / name, 8, 8)
    job = plan_folder(tmp_path / "in", tmp_path / "out")
    assert sorted(target.name for _, target in job.files) == sorted(written.split())


def test_folders_may_begin_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "in" / "a.png", 8, 8)
    job = plan_folder(Path("~/in"), Path("~/out"))
    assert job.files == [(tmp_path / "in" / "a.png", tmp_path / "out" / "a.png")]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((8, 8), (8, 8)), ((9, 11), (8, 12)), ((1, 5), (8, 8)), ((255, 258), (256, 256))],
)
def test_sizes_that_generators_take(shape, expected):
    assert fitting(shape) == expected


def test_batches_are_of_one_size_and_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(translating, "BATCH_PIXELS", 200)
    assert (batch_limit((8, 8)), batch_limit((20, 20))) == (3, 1)
    sizes = [(8, 8), (8, 8), (12, 8), (8, 8), (8, 8), (20, 20)]
    for index, size in enumerate(sizes):
        write(tmp_path / "in" / f"{index}.png", *size)
    batches, reached = [], []

    def translate(batch):
        batches.append(batch.shape)
        return batch

    job = plan_folder(tmp_path / "in", tmp_path / "out")
    assert isinstance(job, Job)
    bad = list(translate_folder(job, translate, Spec((8, 8, 3), 0), None, reached.append))
    assert bad == []
    assert sorted(batches) == [(1, 8, 8, 3), (1, 12, 8, 3), (1, 20, 20, 3), (3, 8, 8, 3)]
    assert reached[-1] == 6
    assert reached == sorted(reached)
    for index in range(6):
        one, other = (Image.open(tmp_path / d / f"{index}.png") for d in ("in", "out"))
        np.testing.assert_array_equal(one, other)  # `translate` changed nothing.
    shutil.rmtree(tmp_path / "out")


def test_a_margin_is_put_around_as_in_training(tmp_path):
    path = tmp_path / "in" / "0.png"
    write(path, 8, 8)
    batches = []

    def translate(batch):
        batches.append(batch)
        return batch

    job = plan_folder(tmp_path / "in", tmp_path / "out")
    spec = Spec((12, 12, 3), 0)
    assert list(translate_folder(job, translate, spec, 12, lambda done: None, 2)) == []
    (batch,) = batches
    np.testing.assert_array_equal(batch[0, 2:10, 2:10], np.asarray(Image.open(path)))
    assert batch.sum() == batch[0, 2:10, 2:10].sum()


def test_a_failure_leaves_whole_files_only(tmp_path):
    for index in range(3):
        write(tmp_path / "in" / f"{index}.png", 8 + 4 * index, 8)
    job = plan_folder(tmp_path / "in", tmp_path / "out")

    def translate(batch):
        if batch.shape[1] == 12:
            raise MemoryError
        return batch

    with pytest.raises(MemoryError):
        list(translate_folder(job, translate, Spec((8, 8, 3), 0), None, lambda done: None))
    (left,) = (tmp_path / "out").iterdir()
    with Image.open(left) as image:
        image.load()


def test_batches_that_are_filled_up_give_the_same(root, monkeypatch):
    loaded = trained.load(root / "run")
    batch = np.random.default_rng(1).integers(256, size=(5, 8, 8, 1), dtype=np.uint8)
    translate = translating.make_translator(loaded.game)
    whole = translate(loaded.variables, batch, "x_to_y")
    monkeypatch.setattr(translating, "BATCH_PIXELS", 128)
    parts = translate(loaded.variables, batch, "x_to_y")
    assert whole.shape == (5, 8, 8, 3)
    assert abs(whole.astype(int) - parts).max() <= 1  # Another batch size, other rounding
    np.testing.assert_array_equal(loaded.translate(batch, direction="x-to-y"), parts)
