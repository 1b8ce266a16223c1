"""What every bad input prints: a table, a heading a subject, a row an input.

A row says what lies in the working directory, the command, and the whole of what it prints on
standard error. In all of them the exit code is 2, nothing is printed on standard output, and no
file is written, changed or touched. `TINY` is `train` with perceptrons of 8 units into `new`; `run`
is a run that such a training left; {here} is the working directory.
"""

import hashlib
import json
import re
import shutil
import stat
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan import cli
from jaxgan.run import create
from jaxgan.translation import TranslationExperiment

TINY = (
    "train --out new --generator.family mlp --generator.width 8 --generator.latent-size 4 "
    "--generator.normalization none --discriminator.family mlp --discriminator.width 8 "
    "--discriminator.normalization none --penalty none --steps 4 --batch-size 8 --log-every 2 "
    "--checkpoint-every 2 --sample-every 4 --evaluate-every 0 --best-metric None"
)
PIXELS = np.random.default_rng(0).integers(256, size=(8, 8, 8, 3), dtype=np.uint8)
HEADER = """
from dataclasses import dataclass
from jaxgan.experiment import Experiment, GeneratorOptions, OptimizerOptions
"""

Setup = Callable[[Path], object]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the digits with checkpoints of steps 2 and 4, to copy and damage."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.main([*TINY.split(), "--conditional"]) == 0
    return folder / "new"


# What lies in the working directory


def text(name: str, contents: str = "no run, no experiment\n") -> Setup:
    return lambda here: (here / name).write_text(contents)


def raw(name: str, contents: bytes) -> Setup:
    return lambda here: (here / name).write_bytes(contents)


def file(body: str) -> Setup:
    """An experiment file."""
    return text("mine.py", f"{HEADER}{body}\n")


def folder(name: str) -> Setup:
    return lambda here: (here / name).mkdir(parents=True)


def link(name: str, target: str) -> Setup:
    return lambda here: (here / name).symlink_to(target)


def npz(**arrays: np.ndarray) -> Setup:
    return lambda here: np.savez(here / "data.npz", **arrays)


def images(name: str, size: tuple[int, int] = (8, 8), count: int = 8) -> Setup:
    def write(here: Path) -> None:
        (here / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            picture = Image.fromarray(PIXELS[index]).resize(size)
            picture.save(here / name / f"{size[0]}_{index}.png")

    return write


def claims(name: str, width: int, height: int) -> Setup:
    """A small PNG file whose header claims another size."""

    def write(here: Path) -> None:
        contents = bytearray((here / name).read_bytes())
        contents[16:24] = struct.pack(">II", width, height)
        contents[29:33] = struct.pack(">I", zlib.crc32(contents[12:29]))
        (here / name).write_bytes(contents)

    return write


def run(here: Path) -> None:
    shutil.copytree(here.parent / "trained", here / "run")


def translation(here: Path) -> None:
    """A run of two domains that has no checkpoint yet."""
    create(here / "run", TranslationExperiment())


def recorded(**changes: object) -> Setup:
    """Changes entries of the run's experiment.json, `generator__width` one of a dict."""

    def write(here: Path) -> None:
        path = here / "run" / "experiment.json"
        record = json.loads(path.read_text())
        for name, value in changes.items():
            *parents, last = name.split("__")
            inner = record
            for parent in parents:
                inner = inner[parent]
            inner[last] = str(here / str(value)[7:]) if str(value).startswith("{here}/") else value
        path.write_text(json.dumps(record))

    return write


def without(name: str) -> Setup:
    def remove(here: Path) -> None:
        path = here / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def cut(pattern: str) -> Setup:
    """Cuts all files of that name to half their length."""

    def write(here: Path) -> None:
        paths = [path for path in here.glob(pattern) if path.is_file()]
        assert paths
        for path in paths:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return write


def tfds(name: str, info: str = "{}") -> Setup:
    """A prepared data set as far as its name goes."""

    def write(here: Path) -> None:
        (here / "tfds" / name).mkdir(parents=True)
        (here / "tfds" / name / "dataset_info.json").write_text(info)

    return write


def copy(source: str, target: str) -> Setup:
    return lambda here: shutil.copytree(here / source, here / target)


def replaced(name: str, old: str, new: str) -> Setup:
    def write(here: Path) -> None:
        contents = (here / name).read_text()
        assert old in contents
        (here / name).write_text(contents.replace(old, new))

    return write


PAIR = text(
    "mine.py",
    "from jaxgan.translation import TranslationExperiment\n"
    "experiment = TranslationExperiment(data_x='a')\n",
)

# fmt: off
TABLE: dict[str, list[tuple[str, list[Setup], str, str]]] = {
    "The command line": [
        ("a command that is none", [], "trainn", ""),
        ("an option that is none", [], "train --out new --stepz 4", ""),
        ("an option of another side", [], "train --out new --generator.dropout .5", ""),
        ("an option without its value", [], "train --out new --steps", ""),
        ("two values for one", [], "train --out new --steps 3 4", ""),
        ("a word for a number", [], "train --out new --steps many", ""),
        ("a fraction for a count", [], "train --out new --steps 4.5", ""),
        ("a choice that is none", [], "train --out new --loss hing", ""),
        ("a value for a switch", [], "train --out new --conditional yes", ""),
        ("the file after the options", [file("experiment = Experiment()")], "train --steps 4 mine.py", ""),
        ("the run after the options", [run], "resume --steps 8 run", ""),
        ("resume what", [], "resume", ""),
        ("sample what", [], "sample", ""),
        ("sample where to", [run], "sample run", ""),
        ("a step that is no number", [run], "sample run --out a.png --step last", ""),
        ("prepare what", [], "data prepare", ""),
        ("an unknown word after data", [], "data list", ""),
        ("diagnose two", [run], "diagnose run run", ""),
        ("translate whither", [translation], "translate run --input a --output b --direction back", ""),
    ],
    "Values": [
        ("no steps", [], "train --out new --steps 0", ""),
        ("steps beyond 32 bits", [], "train --out new --steps 3000000000", ""),
        ("negative steps", [], "train --out new --steps -4", ""),
        ("no samples in a batch", [], "train --out new --batch-size 0", ""),
        ("a batch beyond the data", [], "train --out new --batch-size 1438", ""),
        ("a huge batch", [], "train --out new --batch-size 1000000000000", ""),
        ("a seed beyond 32 bits", [], "train --out new --seed 4294967296", ""),
        ("a negative seed", [], "train --out new --seed -1", ""),
        ("not a number", [], "train --out new --penalty-weight nan", ""),
        ("an infinite number", [], "train --out new --generator-optimizer.learning-rate inf", ""),
        ("a number beyond float32", [], "train --out new --generator-optimizer.learning-rate 1e300", ""),
        ("no learning rate", [], "train --out new --discriminator-optimizer.learning-rate 0", ""),
        ("a decay of 1", [], "train --out new --generator-optimizer.beta1 1", ""),
        ("a decay that ends before it starts", [],
         "train --out new --generator-optimizer.decay-start 9 --generator-optimizer.decay-end 9", ""),
        ("an average that never moves", [], "TINY --ema-decay 1", ""),
        ("all activations dropped", [], "TINY --discriminator.dropout 1", ""),
        ("a negative weight", [], "train --out new --penalty-weight -1", ""),
        ("a name with a slash", [], "train --name ../elsewhere", ""),
        ("a name too long", [], f"train --name {'x' * 300}", ""),
        ("no name", [], "train --name=", ""),
        ("a metric that is none", [], "TINY --best-metric beauty", ""),
        ("a metric that rises", [], "TINY --evaluate-every 2 --best-metric smallest_share", ""),
        ("a metric never measured in time", [],
         "TINY --evaluate-every 2 --checkpoint-every 3 --best-metric frechet", ""),
        ("several updates at once", [], "TINY --discriminator-steps 2 --simultaneous", ""),
        ("smoothed targets of a loss without", [], "TINY --loss hinge --label-smoothing .1", ""),
        ("a penalty in play of labels", [], "TINY --conditional --packing 2", ""),
    ],
    "Sizes": [
        ("no width", [], "TINY --generator.width 0", ""),
        ("a negative width", [], "TINY --discriminator.width -8", ""),
        ("an absurd width", [], "TINY --generator.width 999999999", ""),
        ("the widest that fits in 32 bits", [], "train --out new --generator.width 2147483647", ""),
        ("a resnet of that width", [],
         "train --out new --generator.family resnet --generator.width 2147483647 --image-size 32", ""),
        ("a discriminator of that width", [], "TINY --discriminator.width 2147483647", ""),
        ("a width beyond 32 bits", [], "TINY --generator.width 1000000000000000000000000", ""),
        ("an absurd latent", [], "TINY --generator.latent-size 2000000000", ""),
        ("a latent beyond 32 bits", [], "TINY --generator.latent-size 1000000000000", ""),
        ("no latent", [], "TINY --generator.latent-size 0", ""),
        ("no depth", [], "TINY --generator.depth 0", ""),
        ("an absurd depth", [], "TINY --generator.depth 100000", ""),
        ("absurdly many updates a step", [], "TINY --discriminator-steps 100000", ""),
        ("absurdly many updates foreseen", [], "TINY --unrolled-steps 100000", ""),
        ("a schedule beyond 32 bits", [], "TINY --lecam-weight 1 --lecam-start 1000000000000", ""),
        ("packs that do not divide the batch", [], "TINY --packing 3", ""),
        ("images of no size", [], "TINY --image-size 0", ""),
        ("images of an absurd size", [], "TINY --image-size 100000", ""),
        ("more pixels than memory", [], "TINY --image-size 4096 --channels 3", ""),
        ("images that the network cannot make", [], "train --out new --image-size 30", ""),
        ("a batch beyond memory", [npz(points=np.ones((20, 2)))],
         "TINY --data data.npz --batch-size 2000000000", ""),
        ("an absurd translator", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --generator.width 99999999", ""),
        ("absurdly many blocks", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --generator.blocks 100000", ""),
        ("absurdly many layers", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --discriminator.layers 100000", ""),
        ("an absurd pool", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --pool-size 2000000000", ""),
    ],
    "Experiment files": [
        ("a missing file", [], "train mine.py --out new", ""),
        ("a folder", [folder("mine.py")], "train mine.py --out new", ""),
        ("another kind of file", [text("note.txt")], "train note.txt --out new", ""),
        ("no experiment in it", [file("x = 1")], "train mine.py --out new", ""),
        ("another thing of that name", [file("experiment = 3")], "train mine.py --out new", ""),
        ("a class instead", [file("experiment = Experiment")], "train mine.py --out new", ""),
        ("no Python", [file("experiment = (")], "train mine.py --out new", ""),
        ("no text", [raw("mine.py", b"\xff\xfe")], "train mine.py --out new", ""),
        ("an error in it", [file("raise KeyError('boom')")], "train mine.py --out new", ""),
        ("an error of two lines", [file("raise ValueError('one\\ntwo')")], "train mine.py --out new", ""),
        ("an exit", [file("import sys; sys.exit(3)")], "train mine.py --out new", ""),
        ("without end", [file("def f(): f()\nf()")], "train mine.py --out new", ""),
        ("a missing import", [file("import nosuchmodule")], "train mine.py --out new", ""),
        ("an option that is none", [file("experiment = Experiment(stepz=3)")], "train mine.py --out new", ""),
        ("a word for a number", [file("experiment = Experiment(steps='many')")], "train mine.py --out new", ""),
        ("a truth for a number", [file("experiment = Experiment(steps=True)")], "train mine.py --out new", ""),
        ("a number for a truth", [file("experiment = Experiment(flip=1)")], "train mine.py --out new", ""),
        ("a fraction for a count", [file("experiment = Experiment(batch_size=8.0)")], "train mine.py --out new", ""),
        ("nothing for a number", [file("experiment = Experiment(steps=None)")], "train mine.py --out new", ""),
        ("an unknown choice", [file("experiment = Experiment(loss='hing')")], "train mine.py --out new", ""),
        ("a dict for options", [file("experiment = Experiment(generator={'width': 8})")],
         "train mine.py --out new", ""),
        ("not a number", [file("experiment = Experiment(penalty_weight=float('nan'))")],
         "train mine.py --out new", ""),
        ("a name that no folder can have", [file("experiment = Experiment(name='a\\0b')")],
         "train mine.py --out new", ""),
        ("a field that no record can hold",
         [file("@dataclass(frozen=True)\nclass Own(Experiment):\n    when: complex = 1j\nexperiment = Own()")],
         "train mine.py --out new", ""),
    ],
    "Data by name": [
        ("an unknown name", [], "TINY --data mnits", ""),
        ("no name", [], "TINY --data=", ""),
        ("a TFDS set that is not prepared", [], "TINY --data mnist", ""),
        ("one made of it", [], "TINY --data stacked_mnist", ""),
        ("a data_dir that is none", [], "TINY --data mnist --data-dir nowhere", ""),
        ("several configs", [tfds("tones/light/1.0.0"), tfds("tones/dark/1.0.0")],
         "TINY --data tones", ""),
        ("a damaged set", [tfds("tones/1.0.0", "{")], "TINY --data tones", ""),
        ("a version that is not there", [tfds("mnist/3.0.1")], "TINY --data mnist:9.9.9", ""),
        ("labels that points have not", [], "TINY --data ring --flip", ""),
        ("points for an image network", [], "TINY --data ring --generator.family dcgan", ""),
        ("a size of points", [], "TINY --data ring --image-size 8", ""),
        ("a list of nowhere", [], "data --data-dir nowhere", ""),
        ("preparing an unknown set", [], "data prepare nosuchset --data-dir new", ""),
        ("preparing from nowhere", [], "data prepare mnist --data-dir new --downloads nowhere", ""),
    ],
    "Data in an .npz file": [
        ("a missing file", [], "TINY --data data.npz", ""),
        ("a folder", [folder("data.npz")], "TINY --data data.npz", ""),
        ("no archive", [text("data.npz")], "TINY --data data.npz", ""),
        ("cut short", [npz(images=PIXELS), cut("data.npz")], "TINY --data data.npz", ""),
        ("other arrays", [npz(x=PIXELS)], "TINY --data data.npz", ""),
        ("both kinds", [npz(images=PIXELS, points=np.ones((8, 2)))], "TINY --data data.npz", ""),
        ("no samples", [npz(images=PIXELS[:0])], "TINY --data data.npz", ""),
        ("images of floats", [npz(images=PIXELS / 255)], "TINY --data data.npz", ""),
        ("images with channels first", [npz(images=PIXELS.transpose(0, 3, 1, 2))], "TINY --data data.npz", ""),
        ("one image only", [npz(images=PIXELS[0, 0])], "TINY --data data.npz", ""),
        ("points of whole numbers", [npz(points=np.ones((8, 2), int))], "TINY --data data.npz", ""),
        ("points that are not finite", [npz(points=np.full((8, 2), np.nan))], "TINY --data data.npz", ""),
        ("Python objects", [npz(images=np.array([None], object))], "TINY --data data.npz", ""),
        ("too few labels", [npz(images=PIXELS, labels=np.arange(3))], "TINY --data data.npz", ""),
        ("negative labels", [npz(images=PIXELS, labels=np.arange(8) - 1)], "TINY --data data.npz", ""),
        ("labels of floats", [npz(images=PIXELS, labels=np.ones(8))], "TINY --data data.npz", ""),
        ("absurd labels", [npz(images=PIXELS, labels=np.full(8, 2_000_000_000))],
         "TINY --data data.npz --conditional", ""),
        ("names without labels", [npz(images=PIXELS, label_names=np.array(["a"]))], "TINY --data data.npz", ""),
        ("too few names", [npz(images=PIXELS, labels=np.arange(8), label_names=np.array(["a"]))],
         "TINY --data data.npz", ""),
        ("no labels to give the networks", [npz(images=PIXELS)], "TINY --data data.npz --conditional", ""),
    ],
    "Data in a folder": [
        ("a missing folder", [], "TINY --data ./photos", ""),
        ("an empty folder", [folder("photos")], "TINY --data photos", ""),
        ("another file", [text("note.txt")], "TINY --data note.txt", ""),
        ("a damaged image", [images("photos"), cut("photos/8_5.png")], "TINY --data photos", ""),
        ("no image", [images("photos"), text("photos/a.png")], "TINY --data photos", ""),
        ("an image of absurd size", [images("photos"), claims("photos/8_0.png", 100_000, 100_000)],
         "TINY --data photos", ""),
        ("images of two sizes", [images("photos"), images("photos", (9, 8))], "TINY --data photos", ""),
        ("images beside classes", [images("photos"), images("photos/cats")], "TINY --data photos", ""),
        ("a class of none", [images("photos/cats"), folder("photos/dogs")], "TINY --data photos", ""),
        ("classes within classes", [images("photos/cats/old")], "TINY --data photos", ""),
        ("other classes to test", [images("photos/train/cats"), images("photos/test/dogs")],
         "TINY --data photos", ""),
        ("a link out of it", [images("photos"), text("secret.png"), link("photos/a.png", "../secret.png")],
         "TINY --data photos", ""),
        ("a link to nowhere", [images("photos"), link("photos/a.png", "b.png")], "TINY --data photos", ""),
        ("a link in a circle", [images("photos"), link("photos/a.png", "a.png")], "TINY --data photos", ""),
        ("one domain only", [images("a/trainA"),
         PAIR],
         "train mine.py --out new", ""),
        ("domains of two sizes", [images("a/trainA"), images("a/trainB", (16, 16)),
         PAIR],
         "train mine.py --out new", ""),
        ("a domain without the class", [images("a/cats"), images("a/dogs"),
         PAIR],
         "train mine.py --data-y a --out new --class-x cats --class-y cows", ""),
        ("a margin beyond the image", [images("a/trainA"), images("a/trainB"),
         PAIR],
         "train mine.py --out new --image-size 8 --margin-x 4", ""),
        ("epochs beyond 32 bits", [images("a/trainA"), images("a/trainB"),
         PAIR],
         "train mine.py --out new --epochs 2000000000", ""),
    ],
    "Where a run goes": [
        ("onto a run", [run], "TINY --out run", ""),
        ("onto a folder of other things", [images("photos")], "TINY --out photos", ""),
        ("onto a file", [text("note.txt")], "TINY --out note.txt", ""),
        ("under a file", [text("note.txt")], "TINY --out note.txt/new", ""),
        ("onto a link to nowhere", [link("new", "nowhere")], "TINY", ""),
    ],
    "Run directories": [
        ("a missing run", [], "resume run", ""),
        ("a file", [text("run")], "verify run", ""),
        ("an empty folder", [folder("run")], "diagnose run", ""),
        ("another folder", [images("run")], "report run", ""),
        ("a record cut short", [run, cut("run/experiment.json")], "sample run --out a.png", ""),
        ("an empty record", [run, text("run/experiment.json", "")], "diagnose run", ""),
        ("a record that is no text", [run, raw("run/experiment.json", b"\xff\xfe")], "diagnose run", ""),
        ("a record of another shape", [run, text("run/experiment.json", "[]")], "diagnose run", ""),
        ("a record nested without end", [run, text("run/experiment.json", "[" * 100_000)], "diagnose run", ""),
        ("a record without experiment", [run, text("run/experiment.json", "{}")], "verify run", ""),
        ("a folder for a record", [folder("run/experiment.json")], "verify run", ""),
        ("an unknown option in it", [run, recorded(experiment__stepz=3)], "sample run --out a.png", ""),
        ("a word for a number in it", [run, recorded(experiment__steps="many")], "diagnose run", ""),
        ("an unknown kind", [run, recorded(kind="Own")], "sample run --out a.png", ""),
        ("a spec of words", [run, recorded(spec__shape=["a", 8, 1])], "sample run --out a.png", ""),
        ("a damaged spec", [run, recorded(spec__shape=3)], "sample run --out a.png", ""),
        ("another shape of data", [run, recorded(spec__shape=[8, 8, 3])], "sample run --out a.png", ""),
        ("a class of one's own that moved", [run, recorded(file="/nowhere/mine.py")], "diagnose run", ""),
        ("a class by a relative path", [run, file("experiment = Experiment()"), recorded(file="mine.py")],
         "diagnose run", ""),
        ("a class inside the run",
         [run, text("run/mine.py", f"{HEADER}experiment = Experiment()"), recorded(file="{here}/run/mine.py")],
         "diagnose run", ""),
        ("a class that is no path", [run, recorded(file=7)], "diagnose run", ""),
        ("a damaged line of scalars", [run, text("run/metrics.jsonl", '{"step": 2}\n{"st\n{"step": 4}\n')],
         "diagnose run", ""),
        ("a scalar that is a word", [run, text("run/metrics.jsonl", '{"step": 2, "generator_loss": "low"}\n')],
         "diagnose run", ""),
        ("a folder of scalars", [run, without("run/metrics.jsonl"), folder("run/metrics.jsonl")],
         "report run", ""),
        ("damaged scalars at a resume", [run, text("run/metrics.jsonl", "x\n")], "resume run --steps 8", ""),
        ("damaged digests", [run, cut("run/digests.json")], "verify run", ""),
        ("digests of another shape", [run, text("run/digests.json", "[]")], "verify run", ""),
        ("digests of no step", [run, text("run/digests.json", '{"one": "0"}')], "verify run", ""),
        ("no digests", [run, without("run/digests.json")], "verify run", ""),
        ("no digest as early", [run], "verify run --steps 0", ""),
        ("a run that is done", [run], "resume run", ""),
        ("a run changed", [run], "resume run --steps 8 --batch-size 3", ""),
        ("a run resumed with another file", [run, file("experiment = 3")], "resume run mine.py", ""),
        ("the data gone", [run, recorded(experiment__data="data.npz")], "evaluate run", ""),
    ],
    "Checkpoints": [
        ("none yet", [run, without("run/checkpoints")], "sample run --out a.png", ""),
        ("a file in their place", [run, without("run/checkpoints"), text("run/checkpoints")],
         "sample run --out a.png", ""),
        ("an empty folder of them", [run, without("run/checkpoints"), folder("run/checkpoints")],
         "sample run --out a.png", ""),
        ("another step", [run], "sample run --out a.png --step 3", ""),
        ("a negative step", [run], "sample run --out a.png --step -1", ""),
        ("two steps", [run], "sample run --out a.png --step 2 --best", ""),
        ("the best of none", [run], "sample run --out a.png --best", ""),
        ("an empty checkpoint", [run, without("run/checkpoints/4"), folder("run/checkpoints/4")],
         "sample run --out a.png --step 4", ""),
        ("a checkpoint cut short", [run, cut("run/checkpoints/4/state/**/*")],
         "sample run --out a.png --step 4", ""),
        ("another step's arrays", [run, without("run/checkpoints/4/state"), copy("run/checkpoints/2/state", "run/checkpoints/4/state")],
         "sample run --out a.png --step 4", ""),
        ("a changed record", [run, replaced("run/checkpoints/4/record/metadata", '"value": null', '"value": 0.1')],
         "sample run --out a.png --step 4", ""),
        ("all of them cut short", [run, cut("run/checkpoints/*/state/**/*")], "sample run --out a.png", ""),
        ("a file in their place at a resume", [run, without("run/checkpoints"), text("run/checkpoints")],
         "resume run --steps 8", ""),
        ("all of them at a resume", [run, cut("run/checkpoints/*/state/**/*")], "resume run --steps 8", ""),
        ("of another experiment", [run, recorded(experiment__generator__width=9)],
         "sample run --out a.png", ""),
        ("of another experiment at a resume", [run, recorded(experiment__generator__width=9)],
         "resume run --steps 8", ""),
    ],
    "What is made of a run": [
        ("another kind of file", [run], "sample run --out a.jpg", ""),
        ("into no folder", [run], "sample run --out nowhere/a.png", ""),
        ("under a file", [run, text("note.txt")], "sample run --out note.txt/a.npz", ""),
        ("onto a folder", [run, folder("a.png")], "sample run --out a.png", ""),
        ("no samples", [run], "sample run --out a.png --count 0", ""),
        ("more samples than memory", [run], "sample run --out a.npz --count 1000000000000", ""),
        ("a grid beyond all screens", [run], "sample run --out a.png --count 100000000", ""),
        ("a negative seed", [run], "sample run --out a.png --seed -1", ""),
        ("a class that is none", [run], "sample run --out a.png --label 10", ""),
        ("a walk of one seed", [run], "interpolate run --out a.png --seeds 1", ""),
        ("a walk of one frame", [run], "interpolate run --out a.png --frames 1", ""),
        ("a walk without end", [run], "interpolate run --out a.gif --frames 1000000000000", ""),
        ("more walks than memory", [run], "interpolate run --out a.png --rows 1000000000000", ""),
        ("arrays of a walk", [run], "interpolate run --out a.npz", ""),
        ("an unknown method", [run], "interpolate run --out a.png --method straight", ""),
        ("samples of a translation", [translation], "sample run --out a.png", ""),
        ("a translation by samples", [run, images("in")],
         "translate run --input in --output out --direction x-to-y", ""),
        ("a translation of nothing", [translation], "translate run --input in --output out --direction x-to-y", ""),
        ("a translation of no images", [translation, folder("in")],
         "translate run --input in --output out --direction x-to-y", ""),
        ("a translation of a link out", [translation, images("in"), text("secret.png"), link("in/a.png", "../secret.png")],
         "translate run --input in --output out --direction x-to-y", ""),
        ("a translation into its input", [translation, images("in")],
         "translate run --input in --output in --direction x-to-y", ""),
        ("a translation over others", [translation, images("in"), images("out")],
         "translate run --input in --output out --direction x-to-y", ""),
        ("a translation onto a file", [translation, images("in"), text("out")],
         "translate run --input in --output out --direction x-to-y", ""),
        ("a translation that has not begun", [translation, images("in")],
         "translate run --input in --output out --direction x-to-y", ""),
        ("a report of another kind", [run], "report run --out a.pdf", ""),
        ("a report into no folder", [run], "report run --out nowhere/a.html", ""),
        ("against no run", [run], "evaluate run --against nowhere", ""),
        ("against a run not evaluated", [run, folder("other")], "evaluate run --against other", ""),
        ("against another file", [run, text("note.txt")], "evaluate run --against note.txt", ""),
        ("against a file of another shape", [run, text("a.json", "[1]")], "evaluate run --against a.json", ""),
        ("against a damaged evaluation", [run, folder("other"), text("other/evaluation.json", "{")],
         "evaluate run --against other", ""),
        ("unknown features", [run], "evaluate run --features eyes", ""),
    ],
}
# fmt: on
