"""A folder of your own images: looked at, named, and trained on with what suits it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.cli.main import main
from jaxgan.runs.record import load_file
from jaxgan.runs.shipped import shipped, summary

pytestmark = pytest.mark.filterwarnings("default:images with transparent pixels")
TINY = (
    "--steps 1 --batch-size 2 --evaluate-every 0 --generator.width 4 --discriminator.width 4 "
    "--generator.latent-size 4"
)


def save(path: Path, height: int, width: int, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height), 200).save(path)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working directory with `photos`: four images of four sizes."""
    monkeypatch.chdir(tmp_path)
    save(Path("photos/a.png"), 40, 60)
    save(Path("photos/b.jpg"), 90, 50)
    save(Path("photos/c.jpg"), 70, 70, "L")
    save(Path("photos/d.png"), 36, 30, "RGBA")
    return tmp_path


def call(capsys, command: str) -> tuple[int, list[str], str]:
    code = main(command.split())
    output, error = capsys.readouterr()
    return code, output.splitlines(), error


def test_what_a_folder_holds(here, capsys):
    code, lines, error = call(capsys, "data photos")
    assert (code, error) == (
        0,
        "jaxgan: warning: images with transparent pixels are laid on white\n",
    )
    assert lines == [
        "train: 4 images",
        "sizes: 4 different ones from 36 x 30 to 70 x 70 (height x width), the shorter side 45 in "
        "the median",
        "kinds: 2 png, 2 jpg; 1 grey; 1 with transparency, laid on white",
        "training sees the middle square of each image at 32x32: --image-size 32",
        "next: jaxgan train images_folder --data photos --image-size 32",
        "contact sheet: photos-sheet.png",
    ]
    with Image.open("photos-sheet.png") as sheet:
        assert sheet.size == (2 * (256 + 2) + 2,) * 2  # Two by two, enlarged, and gaps.


def test_images_that_cannot_be_read_are_named_and_the_others_shown(here, capsys):
    Path("photos/e.png").write_text("no image")
    code, lines, _ = call(capsys, "data photos --out sheet.png --image-size 16")
    assert code == 0
    assert lines[3:5] == [
        "photos/e.png is not an image, or a damaged one.",
        "files that cannot be read, where training would stop: 1",
    ]
    assert Path("sheet.png").is_file()


def test_a_class_has_a_row_and_a_held_out_part_is_told(here, capsys):
    for split, count in (("train", 3), ("test", 1)):
        for number in range(count):
            save(Path(f"pets/{split}/cat/{number}.png"), 8, 8, "L")
            save(Path(f"pets/{split}/dog/{number}.png"), 8, 8, "L")
    code, lines, error = call(capsys, "data pets --image-size 8")
    assert (code, error) == (0, "")
    assert lines[:3] == [
        "train: 6 images in 2 classes (cat: 3, dog: 3)",
        "test: 2 images in 2 classes (cat: 1, dog: 1)",
        "sizes: all 8 x 8 (height x width)",
    ]
    with Image.open("pets-sheet.png") as sheet:
        side = sheet.height // 2 - 3
        assert sheet.height == 2 * (side + 2) + 2
        assert 3 * (side + 2) < sheet.width < 4 * (side + 2)  # Three images a row, and its name.


def test_two_domains_are_told_how_they_are_trained(here, capsys):
    for name in ("trainA", "trainB"):
        save(Path(f"both/{name}/0.png"), 8, 8)
    assert call(capsys, "data both")[1][-2:] == [
        "next: jaxgan train cyclegan_folders --data-x both",
        "contact sheet: both-sheet.png",
    ]


def test_data_that_are_no_folder(here, capsys):
    np.savez("few.npz", images=np.zeros((3, 8, 8), np.uint8), labels=[0, 0, 1])
    code, lines, _ = call(capsys, "data few.npz")
    assert (code, lines[0]) == (0, "train: 3 images of 8x8x1 in 2 classes (0: 2, 1: 1)")
    code, lines, _ = call(capsys, "data ring --out ring.png")
    assert (code, lines[0].partition(" in ")[0]) == (0, "train: 100,000 points of 2 numbers")


def test_a_run_is_named_after_its_data_and_says_what_it_makes_of_them(here, capsys, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form: "now")
    code, lines, _ = call(capsys, f"train --data ./photos --image-size 32 {TINY}")
    assert code == 0
    assert lines[1] == (
        "runs/photos/now: 4 images of 32x32x3, each seen 0.5 times, the middle square of each at "
        "that size"
    )
    assert lines[3].startswith("4 images are few, and the discriminator may learn them by heart")
    record = json.loads(Path("runs/photos/now/experiment.json").read_text())["experiment"]
    assert (record["name"], record["data"]) == ("photos", "./photos")
    assert (record["flip"], record["lecam_weight"]) == (True, 0.3)  # Of images_folder.


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("digits", "digits"),
        ("some/where/photos/", "photos"),
        ("faces.npz", "faces"),
        ("cycle_gan/horse2zebra:1.0.0", "horse2zebra"),
        ("..", "above"),
    ],
)
def test_what_data_are_called(tmp_path, monkeypatch, data, name):
    from jaxgan.experiment import Experiment
    from jaxgan.experiment.base import named

    (tmp_path / "above/here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above/here")
    assert named(Experiment(data=data)).name == name
    assert named(Experiment(data=data, name="mine")).name == "mine"


def test_the_experiments_that_come_with_it(here, capsys):
    code, lines, error = call(capsys, "experiments")
    assert (code, error) == (0, "")
    listed = [line.split()[0] for line in lines if line[:1].strip()]
    assert listed == [path.stem for path in shipped()]
    for path in shipped():  # Each says what it is, and what it gave or that it was not measured.
        assert all(summary(path))
    code, lines, _ = call(capsys, "experiments ring")
    assert code == 0
    Path("mine.py").write_text("\n".join(lines))
    assert load_file(Path("mine.py")).name == "ring"


def test_an_experiment_is_trained_by_its_name_unless_a_file_has_it(here, capsys):
    code, lines, _ = call(
        capsys, f"train images_folder --data photos --image-size 32 --out a {TINY}"
    )
    assert (code, "done after 1 steps: a" in lines) == (0, True)
    Path("ring").mkdir()  # A folder, such as of runs, is no experiment.
    assert main(["train", "ring", "--steps", "1", "--out", "b"]) == 0
    Path("ring").rmdir()
    Path("ring").write_text("no Python")
    code, _, error = call(capsys, "train ring --out c")
    assert (code, error) == (2, "jaxgan: ring is not a Python file: experiment files end in .py\n")
