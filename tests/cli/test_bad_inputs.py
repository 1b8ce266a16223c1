# ruff: noqa: E501 -- what a row prints is not broken into pieces.
"""What every bad input prints: a table, a heading a subject, a row an input.

A row says what lies in the working directory, the command, and the whole of what it prints on
standard error. In all of them the exit code is 2, nothing is printed on standard output, and no
file is written, changed or touched. `TINY` is `train` with perceptrons of 8 units into `new`; `run`
is a run that such a training left; {here} is the working directory, and {...} what Python or a
library says there, which their next version may say otherwise. Every line begins with `jaxgan: `,
which the rows leave out. The machine has 16 GB of memory.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_runs import SMALL, Trained

from jaxgan.cli import main as cli
from jaxgan.data import PairSpec, Spec
from jaxgan.experiment import UnpairedExperiment
from jaxgan.runs.record import create, lock

TINY = f"train --out new {SMALL} --best-metric None"
PIXELS = np.random.default_rng(0).integers(256, size=(8, 8, 8, 3), dtype=np.uint8)
HEADER = """
from dataclasses import dataclass
from jaxgan.experiment import Experiment, GeneratorOptions, OptimizerOptions
"""

MACHINE = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4_000_000}
Setup = Callable[[Path], object]


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
    """A run of the digits with checkpoints of steps 2 and 4, to damage."""
    shutil.copytree(here.parent / "digits", here / "run")


def translation(here: Path) -> None:
    """A run of two domains that has no checkpoint yet."""
    image = Spec((8, 8, 3), 0)
    create(here / "run", UnpairedExperiment(), [PairSpec(image, image)])


def recorded(**changes: object) -> Setup:
    """Changes entries of the run's experiment.json, `generator__width` one of a dict.

    `spec__shape` is one of the values in the record's only spec.
    """

    def write(here: Path) -> None:
        path = here / "run" / "experiment.json"
        record = json.loads(path.read_text())
        for name, value in changes.items():
            *parents, last = name.split("__")
            inner = record
            if parents[:1] == ["spec"]:
                inner, parents = record["specs"][0]["values"], parents[1:]
            for parent in parents:
                inner = inner[parent]
            inner[last] = str(here / str(value)[7:]) if str(value).startswith("{here}/") else value
        path.write_text(json.dumps(record))

    return write


def old(here: Path) -> None:
    """A run as jaxgan 0.1.0 left it, as far as its record goes."""
    path = here / "run" / "experiment.json"
    record = json.loads(path.read_text())
    (spec,) = (spec["values"] for spec in record.pop("specs"))
    del record["class"], spec["gauge"]
    record["versions"]["jaxgan"] = "0.1.0"
    path.write_text(json.dumps({"kind": "Experiment", **record, "spec": spec}))


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


HELD = ExitStack()


def held(here: Path) -> None:
    """Locks the run, as a process that trains in it does."""
    HELD.enter_context(lock(here / "run"))


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
    "from jaxgan.experiment import UnpairedExperiment\n"
    "experiment = UnpairedExperiment(data_x='a')\n",
)

ONE_DOMAIN = [
    {
        "class": "jaxgan.data.source:Spec",
        "file": None,
        "values": {"shape": [8, 8, 1], "num_classes": 0, "class_names": [], "gauge": ""},
    }
]
TWO_DOMAINS = [
    {
        "class": "jaxgan.data.pair:PairSpec",
        "file": None,
        "values": dict.fromkeys("xy", ONE_DOMAIN[0]["values"]),
    }
]
HALF_A_KIND = {"class": "jaxgan.experiment.base:BaseExperiment", "experiment": {}}
OF_OLD = (
    "run was written by jaxgan 0.1.0, whose runs this version cannot read: use that version, or "
    "train anew"
)

# fmt: off
TABLE: dict[str, list[tuple[str, list[Setup], str, str]]] = {
    "Several processes": [
        ("an address alone", [], "train --out new --coordinator host0:5600",
         "--coordinator, --processes and --process go with --distributed"),
        ("no address", [], "train --out new --distributed --processes 2 --process 0",
         "--coordinator, --processes and --process go together; missing: --coordinator"),
        ("no number", [], "resume run --distributed --coordinator host0:5600",
         "--coordinator, --processes and --process go together; missing: --processes, --process"),
        ("an address without a port", [], "evaluate run --distributed --coordinator host0 --processes 2 --process 0",
         "--coordinator must be HOST:PORT of process 0, not 'host0'"),
        ("a process beyond the last", [], "train --out new --distributed --coordinator host0:5600 --processes 2 --process 2",
         "--process must be from 0 to 1, not 2"),
        ("a word for a number of processes", [], "train --out new --distributed --processes two",
         "argument --processes: invalid int value: 'two'"),
    ],
    "The command line": [
        ("a command that is none", [], "trainn",
         "unknown command 'trainn'; perhaps you meant train"),
        ("an option that is none", [], "train --out new --stepz 4",
         "Unrecognized options: --stepz, 4; perhaps you meant --step or --steps"),
        ("an option of another side", [], "train --out new --generator.dropout .5",
         "Unrecognized options: --generator.dropout, .5; perhaps you meant --generator.depth"),
        ("fakes that a CycleGAN does not reuse", [], "train cyclegan_mnist_usps --out new --reuse-fakes",
         "Unrecognized options: --reuse-fakes"),
        ("a misspelt option of a network", [], "train --out new --generator.widht 4",
         "Unrecognized options: --generator.widht, 4; perhaps you meant --generator.width or --generator.depth or --generator.dtype"),
        ("a number of channels that is none", [], "train --out new --channels 2",
         "invalid choice '2' for argument '--channels'. Expected one of '1', '3', 'None'."),
        ("an option without its value", [], "train --out new --steps",
         "Missing value for argument '--steps'. Expected 1 values."),
        ("two values for one", [], "train --out new --steps 3 4",
         "Unrecognized options: 4"),
        ("a word for a number", [], "train --out new --steps many",
         "--steps must be a whole number, not 'many'"),
        ("a word for a fraction", [], "train --out new --penalty-weight much",
         "--penalty-weight must be a number, not 'much'"),
        ("a word for one of several", [run], "interpolate run --out a.png --seeds 1 two",
         "--seeds cannot take the values '1', 'two'"),
        ("a fraction for a count", [], "train --out new --steps 4.5",
         "--steps must be a whole number, not '4.5'"),
        ("a choice that is none", [], "train --out new --loss hing",
         "invalid choice 'hing' for argument '--loss'. Expected one of 'hinge', 'least_squares', 'minimax', 'non_saturating', 'relativistic_average', 'relativistic_pairing', 'wasserstein'."),
        ("a loss by its paper's name", [], "train --out new --loss lsgan",
         "invalid choice 'lsgan' for argument '--loss'. Expected one of 'hinge', 'least_squares', 'minimax', 'non_saturating', 'relativistic_average', 'relativistic_pairing', 'wasserstein'; that is least_squares here."),
        ("a loss with its penalty", [], "train --out new --loss WGAN-GP",
         "invalid choice 'WGAN-GP' for argument '--loss'. Expected one of 'hinge', 'least_squares', 'minimax', 'non_saturating', 'relativistic_average', 'relativistic_pairing', 'wasserstein'; that is wasserstein --penalty gradient_penalty here."),
        ("another hyphen", [], "train --out new --loss non-saturating",
         "invalid choice 'non-saturating' for argument '--loss'. Expected one of 'hinge', 'least_squares', 'minimax', 'non_saturating', 'relativistic_average', 'relativistic_pairing', 'wasserstein'; that is non_saturating here."),
        ("a log that is none", [], "train --out new --log wanb",
         "invalid choice 'wanb' for argument '--log'. Expected one of 'tensorboard', 'wandb'."),
        ("the file after a log", [file("experiment = Experiment()")], "train --log wandb mine.py",
         "the experiment file mine.py must come before the options"),
        ("a log of a resumed run that is none", [run], "resume run --steps 8 --log mlflow",
         "invalid choice 'mlflow' for argument '--log'. Expected one of 'None', 'tensorboard', 'wandb'."),
        ("a value for a switch", [], "train --out new --conditional yes",
         "Unrecognized options: yes"),
        ("the file after the options", [file("experiment = Experiment()")], "train --steps 4 mine.py",
         "the experiment file mine.py must come before the options"),
        ("the run after the options", [run], "resume --steps 8 run",
         "resume needs a run directory first: jaxgan resume RUN"),
        ("resume what", [], "resume",
         "resume needs a run directory first: jaxgan resume RUN"),
        ("sample what", [], "sample",
         "Missing from jaxgan sample: PATH --out PATH"),
        ("sample where to", [run], "sample run",
         "Missing from jaxgan sample: --out PATH"),
        ("a step that is no number", [run], "sample run --out a.png --step last",
         "--step must be None or INT, not 'last'"),
        ("diagnose what", [], "diagnose",
         "Missing from jaxgan diagnose: PATH"),
        ("report what", [], "report",
         "report needs a run directory: jaxgan report RUN"),
        ("watch what", [], "watch",
         "Missing from jaxgan watch: PATH"),
        ("a port that is no number", [run], "watch run --port http",
         "--port must be a whole number, not 'http'"),
        ("two runs to watch", [run], "watch run other",
         "Unrecognized options: other"),
        ("steps of a diagnosis", [run], "diagnose run --steps 3",
         "Unrecognized options: --steps, 3"),
        ("prepare what", [], "data prepare",
         "Missing from jaxgan data prepare: STR"),
        ("data that are not there", [], "data ./list",
         "There is no folder of images ./list."),
        ("data shown by halves", [images("photos")], "data photos --split half",
         "'photos' has no split 'half'; it has train."),
        ("data shown at no size", [images("photos")], "data photos --image-size 0",
         "image_size must be from 1 to 4096 pixels, and is 0."),
        ("a contact sheet of another kind", [images("photos")], "data photos --out sheet.gif",
         "--out sheet.gif must end in .png"),
        ("a folder without an image to show", [folder("photos")], "data photos",
         "photos holds no images (files that end in .png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff, .ppm, .pgm)."),
        ("completion of no shell", [], "completion",
         "Missing from jaxgan completion: {bash,zsh,tcsh}"),
        ("completion of another shell", [], "completion fish",
         "invalid choice 'fish' for argument 'shell'. Expected one of 'bash', 'tcsh', 'zsh'."),
        ("the direction of other programs", [], "train pix2pix_maps --direction AtoB",
         "invalid choice 'AtoB' for argument '--direction'. Expected one of 'a-to-b', 'b-to-a'; that is a-to-b here."),
        ("no experiment of that name", [], "experiments dcgan_mnst",
         "there is no experiment 'dcgan_mnst', which must be a Python file or the name of one that comes with jaxgan; perhaps you meant dcgan_mnist"),
        ("training what does not come with it", [], "train zzzzzz",
         "there is no experiment 'zzzzzz', which must be a Python file or the name of one that comes with jaxgan; jaxgan experiments lists them"),
        ("diagnose two", [run], "diagnose run run",
         "Unrecognized options: run"),
        ("reconstruct with a GAN", [run], "reconstruct run --input in --output out",
         "run makes its samples from latents, and translate takes a run that translates images; see jaxgan sample run"),
        ("translate whither", [translation], "translate run --input a --output b --direction back",
         "invalid choice 'back' for argument '--direction'. Expected one of 'x-to-y', 'y-to-x'."),
    ],
    "Values": [
        ("no steps", [], "train --out new --steps 0",
         "steps must be 1 or more, not 0"),
        ("steps beyond 32 bits", [], "train --out new --steps 3000000000",
         "steps must be at most 2147483647, not 3000000000"),
        ("negative steps", [], "train --out new --steps -4",
         "steps must be 1 or more, not -4"),
        ("no samples in a batch", [], "train --out new --batch-size 0",
         "batch_size must be 1 or more, not 0"),
        ("a batch beyond the data", [], "train --out new --batch-size 1438",
         "batch_size 1438 is larger than the data set 'digits' with its 1437 samples"),
        ("a huge batch", [], "train --out new --batch-size 1000000000000",
         "batch_size must be at most 2147483647, not 1000000000000"),
        ("a seed beyond 32 bits", [], "train --out new --seed 4294967296",
         "seed must be from 0 to 2**32 - 1, not 4294967296"),
        ("a negative seed", [], "train --out new --seed -1",
         "seed must be from 0 to 2**32 - 1, not -1"),
        ("not a number", [], "train --out new --penalty-weight nan",
         "penalty_weight must be finite, not nan"),
        ("an infinite number", [], "train --out new --generator-optimizer.learning-rate inf",
         "generator_optimizer.learning_rate must be finite, not inf"),
        ("a learning rate that is not a number", [], "TINY --generator-optimizer.learning-rate nan",
         "generator_optimizer.learning_rate must be finite, not nan"),
        ("an infinite weight", [], "TINY --penalty-weight inf",
         "penalty_weight must be finite, not inf"),
        ("a number beyond float32", [], "train --out new --generator-optimizer.learning-rate 1e300",
         "generator_optimizer.learning_rate must be at most 3.4e+38, not 1e+300"),
        ("no learning rate", [], "train --out new --discriminator-optimizer.learning-rate 0",
         "discriminator_optimizer.learning_rate must be above 0, not 0.0"),
        ("a decay of 1", [], "train --out new --generator-optimizer.beta1 1",
         "generator_optimizer.beta1 must be in [0, 1), not 1.0"),
        ("a decay that ends before it starts", [],
         "train --out new --generator-optimizer.decay-start 9 --generator-optimizer.decay-end 9",
         "generator_optimizer.decay_end must be 0 or lie beyond decay_start 9, not 9"),
        ("an average that never moves", [], "TINY --ema-decay 1",
         "ema_decay must be in [0, 1), not 1.0"),
        ("all activations dropped", [], "TINY --discriminator.dropout 1",
         "discriminator.dropout must be in [0, 1), not 1.0"),
        ("more activations dropped than there are", [], "TINY --discriminator.dropout 1.5",
         "discriminator.dropout must be in [0, 1), not 1.5"),
        ("a negative weight", [], "train --out new --penalty-weight -1",
         "penalty_weight must be 0 or more, not -1.0"),
        ("a name with a slash", [], "train --name ../elsewhere",
         "name must be that of one folder, without slashes, not '../elsewhere'"),
        ("a name too long", [], f"train --name {'x' * 300}",
         "name must be that of a folder, of at most 255 bytes, not 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"),
        ("a metric that is none", [], "TINY --best-metric beauty",
         "best_metric 'beauty' is not measured; it may be None or discriminator_gradient_norm, discriminator_loss, discriminator_update_ratio, fake_accuracy, fake_logits, generator_gradient_norm, generator_loss, generator_update_ratio, real_accuracy, real_logits"),
        ("a sweep without a place", [], "sweep --seeds 0-1",
         "a sweep needs a folder for its runs: --out FOLDER"),
        ("seeds that are none", [], "sweep --out s --seeds 4-0",
         "--seeds 4-0 must be like 0-4 or 0,3,7"),
        ("an axis without values", [], "sweep --out s --set loss",
         "--set loss must be like loss=hinge,wasserstein"),
        ("an axis of an option that is none", [], "sweep --out s --set los=hinge,minimax",
         "Unrecognized options: --los, hinge; perhaps you meant --loss or --log"),
        ("no run at a time", [], "sweep --out s --jobs 0",
         "--jobs must be 1 or more, not 0"),
        ("a model without a place", [run], "export run --out new/m.safetensors",
         "--out new/m.safetensors: there is no folder new"),
        ("a model of another format", [run], "export run --out m.bin",
         "--out m.bin must end in .safetensors or .npz or .stablehlo"),
        ("a model to resume", [], "resume m.safetensors",
         "resume takes a run directory, not an exported model: m.safetensors"),
        ("a rate of 0", [], "train --lr 0",
         "--lr must be above 0, not 0"),
        ("a rate that is no number", [], "train --lr fast",
         "--lr must be None or FLOAT, not 'fast'"),
        ("a rate of what has none", [file("from jaxgan.experiment import MixtureExperiment\nexperiment = MixtureExperiment(data='ring')")], "train mine.py --lr 1e-3",
         "--lr: MixtureExperiment has no learning rate"),
        ("steps and epochs", [file("from jaxgan.experiment import UnpairedExperiment\nexperiment = UnpairedExperiment()")], "train mine.py --steps 5 --epochs 3",
         "give --steps or --epochs, not both"),
        ("a metric that rises, never measured in time", [],
         "TINY --evaluate-every 3 --checkpoint-every 2 --best-metric smallest_share",
         "best_metric 'smallest_share' would rank nothing: evaluate_every 3 and checkpoint_every 2 first meet at step 6, and there are 4 steps; make one a multiple of the other, or best_metric None"),
        ("evaluations of what has no measure", [images("a/trainA"), images("a/trainB"), PAIR],
         "train mine.py --out new --generator.blocks 0 --discriminator.layers 1 --evaluate-every 2",
         "evaluate_every 2: there is no measure of a run of UnpairedExperiment; set it to 0"),
        ("no evaluations, by a negative number", [], "TINY --evaluate-every -1",
         "evaluate_every must be 0 or more, not -1"),
        ("a metric never measured in time", [],
         "TINY --evaluate-every 2 --checkpoint-every 3 --best-metric frechet",
         "best_metric 'frechet' would rank nothing: evaluate_every 2 and checkpoint_every 3 first meet at step 6, and there are 4 steps; make one a multiple of the other, or best_metric None"),
        ("several updates at once", [], "TINY --discriminator-steps 2 --simultaneous",
         "simultaneous updates take one discriminator step, not 2: set discriminator_steps to 1 or simultaneous to False"),
        ("images for a discriminator that is not there", [],
         "train pix2pix_maps --out new --adversarial-weight 0 --reuse-fakes",
         "reuse_fakes shares images with a discriminator, and with adversarial_weight 0 there is none: set reuse_fakes to False"),
        ("smoothed targets of a loss without", [], "TINY --loss hinge --label-smoothing .1",
         "label smoothing, noise and flips act on the targets of minimax and non_saturating, and hinge has none (least squares takes its own in make_least_squares)"),
        ("an auxiliary classifier without labels", [], "TINY --label-use classifier",
         "label_use classifier needs labels: set conditional to True, or leave label_use out"),
        ("a code of one category", [], "TINY --codes.categorical 1",
         "a categorical code has 2 categories or more, not 1"),
        ("codes of packs", [], "TINY --codes.continuous 1 --packing 2",
         "packing 2 shows samples together, and codes are of each alone: set packing to 1 or leave codes out"),
        ("packs with labels", [], "TINY --conditional --packing 2",
         "packing 2 takes no labels: set conditional to False or packing to 1"),
    ],
    "Sizes": [
        ("no width", [], "TINY --generator.width 0",
         "generator.width must be 1 or more, not 0"),
        ("a negative width", [], "TINY --discriminator.width -8",
         "discriminator.width must be 1 or more, not -8"),
        ("an absurd width", [], "TINY --generator.width 999999999",
         "generator.width 999999999 is too large: a run takes 16,000,001,088 GB at least, above all for the generator, its average and its optimiser, and there are 16 GB of memory"),
        ("the widest that 32 bits hold", [], "train --out new --generator.width 2147483647",
         "generator.width 2147483647 is too large: a run takes 2,361,183,349,805 GB at least, above all for the generator, its average and its optimiser, and there are 16 GB of memory"),
        ("a resnet of that width", [],
         "train --out new --generator.family resnet --generator.width 2147483647 --image-size 32",
         "generator.width 2147483647 is too large: a run takes 4,205,857,701,754 GB at least, above all for the generator, its average and its optimiser, and there are 16 GB of memory"),
        ("a discriminator of that width", [], "TINY --discriminator.width 2147483647",
         "discriminator.width 2147483647 is too large: a run takes 55,340,233,896 GB at least, above all for the discriminator and its optimiser, and there are 16 GB of memory"),
        ("a width beyond 32 bits", [], "TINY --generator.width 1000000000000000000000000",
         "generator.width must be at most 2147483647, not 1000000000000000000000000"),
        ("an absurd latent", [], "TINY --generator.latent-size 2000000000",
         "generator.latent_size 2000000000 is too large: a run takes 256 GB at least, above all for the generator, its average and its optimiser, and there are 16 GB of memory"),
        ("a latent beyond 32 bits", [], "TINY --generator.latent-size 1000000000000",
         "generator.latent_size must be at most 2147483647, not 1000000000000"),
        ("no latent", [], "TINY --generator.latent-size 0",
         "generator.latent_size must be 1 or more, not 0"),
        ("no depth", [], "TINY --generator.depth 0",
         "generator.depth must be 1 or more, not 0"),
        ("an absurd depth", [], "TINY --generator.depth 100000",
         "generator.depth must be 100 or less, not 100000"),
        ("absurdly many updates a step", [], "TINY --discriminator-steps 100000",
         "discriminator_steps must be 1000 or less, not 100000"),
        ("absurdly many updates foreseen", [], "TINY --unrolled-steps 100000",
         "unrolled_steps must be 100 or less, not 100000"),
        ("a schedule beyond 32 bits", [], "TINY --lecam-weight 1 --lecam-start 1000000000000",
         "lecam_start must be at most 2147483647, not 1000000000000"),
        ("packs that do not divide the batch", [], "TINY --packing 3",
         "packing must divide batch_size 8, and 3 does not"),
        ("images of no size", [], "TINY --image-size 0",
         "image_size must be from 1 to 4096 pixels, and is 0."),
        ("images of an absurd size", [], "TINY --image-size 100000",
         "image_size must be from 1 to 4096 pixels, and is 100000."),
        ("more pixels than memory", [], "TINY --image-size 4096 --channels 3",
         "image_size 4096 makes 72 GB of 1,437 images, and this machine has 16 GB of memory."),
        ("images that the network cannot make", [], "train --out new --image-size 30",
         "DCGAN images have a height of m * 2**k pixels with m from 4 to 7 and k >= 1, which 30 is not; the nearest allowed are 28 and 32 (image_size resizes images)."),
        ("a huge batch of a file", [npz(points=np.ones((20, 2)))],
         "TINY --data data.npz --batch-size 2000000000",
         "batch_size 2000000000 is larger than the data set 'data.npz' with its 20 samples"),
        ("an absurd translator", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --generator.width 99999999",
         "generator.width 99999999 is too large: a run takes 887,039,983,462 GB at least, above all for the generator, its average and its optimiser, and there are 16 GB of memory"),
        ("absurdly many blocks", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --generator.blocks 100000",
         "generator.blocks must be 100 or less, not 100000"),
        ("absurdly many layers", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --discriminator.layers 100000",
         "discriminator.layers must be 100 or less, not 100000"),
        ("an absurd pool", [images("a/trainA", (64, 64)), images("a/trainB", (64, 64)), PAIR],
         "train mine.py --out new --pool-size 2000000000",
         "pool_size 2000000000 is too large: a run takes 196,608 GB at least, above all for what the game remembers, and there are 16 GB of memory"),
    ],
    "Experiment files": [
        ("a missing file", [], "train mine.py --out new",
         "there is no experiment file mine.py"),
        ("a folder", [folder("mine.py")], "train mine.py --out new",
         "there is no experiment file mine.py"),
        ("another kind of file", [text("note.txt")], "train note.txt --out new",
         "note.txt is not a Python file: experiment files end in .py"),
        ("no experiment in it", [file("x = 1")], "train mine.py --out new",
         "mine.py must define `experiment = Experiment(...)`; it has no such name"),
        ("another thing of that name", [file("experiment = 3")], "train mine.py --out new",
         "mine.py must define `experiment = Experiment(...)`; it has a int"),
        ("a class instead", [file("experiment = Experiment")], "train mine.py --out new",
         "mine.py must define `experiment = Experiment(...)`; it has a type"),
        ("no Python", [file("experiment = (")], "train mine.py --out new",
         "mine.py does not run: SyntaxError: '(' was never closed (mine.py, line 4)"),
        ("no text", [raw("mine.py", b"\xff\xfe")], "train mine.py --out new",
         "mine.py does not run: SyntaxError: {...}"),
        ("an error in it", [file("raise KeyError('boom')")], "train mine.py --out new",
         "mine.py does not run: KeyError: 'boom'"),
        ("an error of two lines", [file("raise ValueError('one\\ntwo')")], "train mine.py --out new",
         "mine.py does not run: ValueError: one two"),
        ("an exit", [file("import sys; sys.exit(3)")], "train mine.py --out new",
         "mine.py does not run: SystemExit: 3"),
        ("without end", [file("def f(): f()\nf()")], "train mine.py --out new",
         "mine.py does not run: RecursionError: {...}"),
        ("a missing import", [file("import nosuchmodule")], "train mine.py --out new",
         "mine.py does not run: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("an option that is none", [file("experiment = Experiment(stepz=3)")], "train mine.py --out new",
         "mine.py does not run: TypeError: Experiment.__init__() got an unexpected keyword argument 'stepz'"
         + (". Did you mean 'steps'?" if sys.version_info >= (3, 13) else "")),
        ("a word for a number", [file("experiment = Experiment(steps='many')")], "train mine.py --out new",
         "mine.py: steps must be int, not 'many'"),
        ("a truth for a number", [file("experiment = Experiment(steps=True)")], "train mine.py --out new",
         "mine.py: steps must be int, not True"),
        ("a number for a truth", [file("experiment = Experiment(flip=1)")], "train mine.py --out new",
         "mine.py: flip must be bool, not 1"),
        ("a fraction for a count", [file("experiment = Experiment(batch_size=8.0)")], "train mine.py --out new",
         "mine.py: batch_size must be int, not 8.0"),
        ("nothing for a number", [file("experiment = Experiment(steps=None)")], "train mine.py --out new",
         "mine.py: steps must be int, not None"),
        ("an unknown choice", [file("experiment = Experiment(loss='hing')")], "train mine.py --out new",
         "mine.py: loss must be one of minimax, non_saturating, least_squares, wasserstein, hinge, relativistic_pairing, relativistic_average, not 'hing'"),
        ("a dict for options", [file("experiment = Experiment(generator={'width': 8})")],
         "train mine.py --out new",
         "mine.py: generator must be GeneratorOptions, not {'width': 8}"),
        ("not a number", [file("experiment = Experiment(penalty_weight=float('nan'))")],
         "train mine.py --out new",
         "mine.py: penalty_weight must be finite, not nan"),
        ("no width", [file("experiment = Experiment(generator=GeneratorOptions(width=0))")],
         "train mine.py --out new",
         "mine.py: generator.width must be 1 or more, not 0"),
        ("a network of no width",
         [file("from jaxgan.networks.mlp import MLPGenerator\nexperiment = Experiment(seed=MLPGenerator((8, 8, 1), width=-2).width)")],
         "train mine.py --out new",
         "mine.py does not run: ValueError: MLPGenerator has width=-2; allowed is 1 or more."),
        ("half a kind of run", [text("mine.py", "from jaxgan.experiment import BaseExperiment\nexperiment = BaseExperiment()\n")],
         "train mine.py --out new",
         "BaseExperiment is not a whole kind of run: it has no open_source"),
        ("a kind of run without a game",
         [file("from jaxgan.experiment import BaseExperiment\nclass Own(BaseExperiment):\n    open_source = Experiment(data='ring').open_source\nexperiment = Own()")],
         "train mine.py --out new",
         "Own is not a whole kind of run: it has no make_game"),
        ("an option of a network of your own",
         [file("@dataclass(frozen=True)\nclass Own(Experiment):\n    def make_generator(self, spec): ...\nexperiment = Own()")],
         "train mine.py --out new --generator.width 8",
         "generator.width 8 has no effect, for Own has a make_generator of its own: leave it out, or give the class an option for it"),
        ("a name that no folder can have", [file("experiment = Experiment(name='a\\0b')")],
         "train mine.py --out new",
         "mine.py: name must be that of a folder, of at most 255 bytes, not 'a\\x00b'"),
        ("a field that no record can hold",
         [file("@dataclass(frozen=True)\nclass Own(Experiment):\n    when: complex = 1j\nexperiment = Own()")],
         "train mine.py --out new",
         "mine.py: when is annotated complex, which experiment.json cannot hold: take bool, int, float, str, None, Literal, tuple[..., ...] or a dataclass of these"),
    ],
    "Data by name": [
        ("an unknown name", [], "TINY --data mnits",
         "There is no data set 'mnits', which must be one that `jaxgan data` lists, a TFDS data set, a .npz file or a folder of images; nearest: mnist, kmnist, emnist."),
        ("no name", [], "TINY --data=",
         "There is no data set '', which must be one that `jaxgan data` lists, a TFDS data set, a .npz file or a folder of images."),
        ("a TFDS set that is not prepared", [], "TINY --data mnist",
         "The data set 'mnist' is known to TFDS but not prepared in tfds: run `jaxgan data prepare mnist --data-dir tfds`."),
        ("one made of it", [], "TINY --data stacked_mnist",
         "'stacked_mnist' is made of MNIST, which is not prepared in tfds: run `jaxgan data prepare mnist --data-dir tfds`."),
        ("a data_dir that is none", [], "TINY --data mnist --data-dir nowhere",
         "The data set 'mnist' is known to TFDS but not prepared in nowhere: run `jaxgan data prepare mnist --data-dir nowhere`."),
        ("several configs", [tfds("tones/light/1.0.0"), tfds("tones/dark/1.0.0")],
         "TINY --data tones",
         "'tones' is prepared with several configs in tfds; choose of tones/dark, tones/light."),
        ("a damaged set", [tfds("tones/1.0.0", "{")], "TINY --data tones",
         "The files in tfds/tones/1.0.0 are damaged: {...}."),
        ("a version that is not there", [tfds("mnist/3.0.1")], "TINY --data mnist:9.9.9",
         "The data set 'mnist:9.9.9' is known to TFDS but not prepared in tfds: run `jaxgan data prepare mnist:9.9.9 --data-dir tfds`."),
        ("points to mirror", [], "TINY --data ring --flip",
         "flip needs images, and 'ring' holds points: set flip to False"),
        ("points for an image network", [], "TINY --data ring --generator.family dcgan",
         "generator.family=dcgan is for images, and the data are points of shape (2,): take generator.family=mlp"),
        ("a size of points", [], "TINY --data ring --image-size 8",
         "'ring' holds points; image_size and channels are for images."),
        ("a list of nowhere", [], "data --data-dir nowhere",
         "there is no directory nowhere"),
        ("preparing an unknown set", [], "data prepare nosuchset --data-dir new",
         "TFDS has no data set 'nosuchset'."),
        ("preparing from nowhere", [], "data prepare mnist --data-dir new --downloads nowhere",
         "There is no directory nowhere of downloaded files."),
    ],
    "Data in an .npz file": [
        ("a missing file", [], "TINY --data data.npz",
         "There is no file data.npz."),
        ("a folder", [folder("data.npz")], "TINY --data data.npz",
         "There is no file data.npz."),
        ("no archive", [text("data.npz")], "TINY --data data.npz",
         "data.npz is damaged or no .npz file: those are zip archives."),
        ("cut short", [npz(images=PIXELS), cut("data.npz")], "TINY --data data.npz",
         "data.npz is damaged or no .npz file: those are zip archives."),
        ("other arrays", [npz(x=PIXELS)], "TINY --data data.npz",
         "data.npz holds the arrays ['x']; it must hold either 'images' or 'points', and may hold 'labels' and 'label_names'."),
        ("both kinds", [npz(images=PIXELS, points=np.ones((8, 2)))], "TINY --data data.npz",
         "data.npz holds the arrays ['images', 'points']; it must hold either 'images' or 'points', and may hold 'labels' and 'label_names'."),
        ("no samples", [npz(images=PIXELS[:0])], "TINY --data data.npz",
         "'data.npz' holds uint8 of shape [0, 8, 8, 3]; samples must be uint8 images [N, H, W, C] with 1 or 3 channels, or floating-point points [N, D], and at least one of them."),
        ("images of floats", [npz(images=PIXELS / 255)], "TINY --data data.npz",
         "'images' in data.npz are float64, and must be uint8 from 0 to 255; convert them with np.rint(images * 255).clip(0, 255).astype(np.uint8)."),
        ("images with channels first", [npz(images=PIXELS.transpose(0, 3, 1, 2))], "TINY --data data.npz",
         "'images' in data.npz has shape [8, 3, 8, 8], channels first, and must be [N, H, W, C]; convert them with np.moveaxis(images, 1, -1)."),
        ("one image only", [npz(images=PIXELS[0, 0])], "TINY --data data.npz",
         "'images' in data.npz has shape [8, 3]; images have [N, H, W, C] or [N, H, W], points have [N, D]."),
        ("points of whole numbers", [npz(points=np.ones((8, 2), int))], "TINY --data data.npz",
         "'data.npz' holds int64 of shape [8, 2]; samples must be uint8 images [N, H, W, C] with 1 or 3 channels, or floating-point points [N, D], and at least one of them."),
        ("points that are not finite", [npz(points=np.full((8, 2), np.nan))], "TINY --data data.npz",
         "'data.npz' holds points that are infinite or not a number."),
        ("Python objects", [npz(images=np.array([None], object))], "TINY --data data.npz",
         "data.npz cannot be read as a .npz file of arrays without Python objects: Object arrays cannot be loaded when allow_pickle=False."),
        ("too few labels", [npz(images=PIXELS, labels=np.arange(3))], "TINY --data data.npz",
         "The labels of 'data.npz' are int64 of shape [3]; they must be integers of shape [8], one a sample."),
        ("negative labels", [npz(images=PIXELS, labels=np.arange(8) - 1)], "TINY --data data.npz",
         "The labels of 'data.npz' reach from -1 to 6; they must count from 0 and fit in 32 bits."),
        ("labels of floats", [npz(images=PIXELS, labels=np.ones(8))], "TINY --data data.npz",
         "The labels of 'data.npz' are float64 of shape [8]; they must be integers of shape [8], one a sample."),
        ("absurd labels", [npz(images=PIXELS, labels=np.full(8, 2_000_000_000))],
         "TINY --data data.npz --conditional",
         "'labels' in data.npz are 2000000000, which makes 2,000,000,001 classes from 0 of which 2,000,000,000 have no sample; number them anew with found, labels = np.unique(labels, return_inverse=True)."),
        ("names without labels", [npz(images=PIXELS, label_names=np.array(["a"]))], "TINY --data data.npz",
         "'label_names' in data.npz is <U1 of shape [1]; it must be strings of shape [K], beside 'labels'."),
        ("too few names", [npz(images=PIXELS, labels=np.arange(8), label_names=np.array(["a"]))],
         "TINY --data data.npz",
         "The labels of 'data.npz' reach 7, which needs 8 class names, and there are 1."),
        ("no labels to give the networks", [npz(images=PIXELS)], "TINY --data data.npz --conditional",
         "conditional needs labelled data, and 'data.npz' has no labels: set conditional to False"),
    ],
    "Data in a folder": [
        ("a missing folder", [], "TINY --data ./photos",
         "There is no folder of images ./photos."),
        ("nobody's home", [], "TINY --data ~nobody-at-all/photos",
         "~nobody-at-all/photos begins with ~nobody-at-all, and there is no such home folder: set HOME, or give the whole path"),
        ("an empty folder", [folder("photos")], "TINY --data photos",
         "photos holds no images (files that end in .png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff, .ppm, .pgm)."),
        ("another file", [text("note.txt")], "TINY --data note.txt",
         "note.txt is a file; data are read from .npz files and folders of images."),
        ("a damaged image", [images("photos"), cut("photos/8_5.png")], "TINY --data photos",
         "photos/8_5.png cannot be decoded as an image: {...}."),
        ("an image that ends at once", [images("photos"), raw("photos/8_2.png", b"\x89PNG and no more")],
         "TINY --data photos",
         "photos/8_2.png is not an image, or a damaged one."),
        ("images that the network cannot make", [images("photos", (30, 30))],
         "TINY --data photos --image-size None --generator.family dcgan --discriminator.family dcgan",
         "DCGAN images have a height of m * 2**k pixels with m from 4 to 7 and k >= 1, which 30 is not; the nearest allowed are 28 and 32 (image_size resizes images)."),
        ("images that are not square", [images("photos", (64, 48))],
         "TINY --data photos --image-size None --generator.family dcgan --discriminator.family dcgan",
         "DCGAN images of 48x64 pixels need 3 doublings of the height and 4 of the width; the widths allowed with this height are 32, 40, 48, 56 (image_size 48 makes squares)."),
        ("no labels to give the networks", [images("photos")], "TINY --data photos --conditional",
         "conditional needs labelled data, and 'photos' has no labels: set conditional to False"),
        ("no image", [images("photos"), text("photos/a.png")], "TINY --data photos --image-size None",
         "photos/a.png is not an image, or a damaged one."),
        ("an image of absurd size", [images("photos"), claims("photos/8_0.png", 100_000, 100_000)],
         "TINY --data photos --image-size None",
         "photos/8_0.png cannot be decoded as an image: images of more than 67,108,864 pixels are refused."),
        ("images of two sizes", [images("photos"), images("photos", (9, 8))], "TINY --data photos --image-size None",
         "photos/9_0.png is 8 x 9 and photos/8_0.png is 8 x 8; choose an image_size to resize all images to one size."),
        ("images beside classes", [images("photos"), images("photos/cats")], "TINY --data photos",
         "photos holds both images (8_0.png, ...) and folders (cats, ...); it must hold either images, or one folder of images a class."),
        ("a class of none", [images("photos/cats"), folder("photos/dogs")], "TINY --data photos",
         "The class folder photos/dogs holds no images; it must hold images only."),
        ("classes within classes", [images("photos/cats/old")], "TINY --data photos",
         "The class folder photos/cats holds the folder old; it must hold images only."),
        ("other classes to test", [images("photos/train/cats"), images("photos/test/dogs")],
         "TINY --data photos",
         "train and test in photos must have the same classes, and have ['cats'] and ['dogs']."),
        ("a link out of it", [images("photos"), text("secret.png"), link("photos/a.png", "../secret.png")],
         "TINY --data photos",
         "photos/a.png is a link that leads out of photos or nowhere; only links within it are followed."),
        ("a link to nowhere", [images("photos"), link("photos/a.png", "b.png")], "TINY --data photos",
         "photos/a.png is a link that leads out of photos or nowhere; only links within it are followed."),
        ("a link in a circle", [images("photos"), link("photos/a.png", "a.png")], "TINY --data photos",
         "photos/a.png is a link that leads out of photos or nowhere; only links within it are followed."),
        ("one domain only", [images("a/trainA"),
         PAIR],
         "train mine.py --out new",
         "'a' has no split 'trainB'; it has train. One data set holds both domains in splits or folders trainA and trainB."),
        ("domains of two sizes", [images("a/trainA"), images("a/trainB", (16, 16)),
         PAIR],
         "train mine.py --out new",
         "the images of '{here}/a/trainA' and '{here}/a/trainB' are of different sizes, 8x8 and 16x16; choose an image_size for both"),
        ("a domain without the class", [images("a/cats"), images("a/dogs"),
         PAIR],
         "train mine.py --data-y a --out new --class-x cats --class-y cows",
         "'a' has no class 'cows'; its classes are cats, dogs"),
        ("a margin beyond the image", [images("a/trainA"), images("a/trainB"),
         PAIR],
         "train mine.py --out new --image-size 8 --margin-x 4",
         "a margin must be at least 0 and leave something of the 8 pixels, and is 4"),
        ("epochs beyond 32 bits", [images("a/trainA"), images("a/trainB"),
         PAIR],
         "train mine.py --out new --epochs 2000000000",
         "steps must be at most 2147483647, not 16000000000"),
    ],
    "Where a run goes": [
        ("onto a run", [run], "TINY --out run",
         "run already holds a run; resume it with `jaxgan resume run` or choose another --out"),
        ("onto a folder of other things", [images("photos")], "TINY --out photos",
         "photos is not an empty directory; choose another --out"),
        ("onto a file", [text("note.txt")], "TINY --out note.txt",
         "note.txt is not an empty directory; choose another --out"),
        ("under a file", [text("note.txt")], "TINY --out note.txt/new",
         "note.txt/new cannot be made: {here}/note.txt is no folder to write to"),
        ("onto a link to nowhere", [link("new", "nowhere")], "TINY",
         "new is a link that leads nowhere; choose another --out"),
    ],
    "Run directories": [
        ("a missing run", [], "resume run",
         "run is not a run directory: it has no experiment.json"),
        ("a file", [text("run")], "verify run",
         "run is not a run directory: it has no experiment.json"),
        ("an empty folder", [folder("run")], "diagnose run",
         "run is not a run directory: it has no experiment.json"),
        ("another folder", [images("run")], "report run",
         "run is not a run directory: it has no experiment.json"),
        ("a missing run to sample", [], "sample run --out a.png",
         "run is not a run directory: it has no experiment.json"),
        ("a missing run to diagnose", [], "diagnose run",
         "run is not a run directory: it has no experiment.json"),
        ("another folder to resume", [images("run")], "resume run",
         "run is not a run directory: it has no experiment.json"),
        ("another folder to diagnose", [images("run")], "diagnose run",
         "run is not a run directory: it has no experiment.json"),
        ("another folder to verify", [images("run")], "verify run",
         "run is not a run directory: it has no experiment.json"),
        ("a record cut short", [run, cut("run/experiment.json")], "sample run --out a.png",
         "run/experiment.json is damaged: {...}"),
        ("an empty record without a copy", [run, without("run/checkpoints"), text("run/experiment.json", "")],
         "diagnose run", "run/experiment.json is empty, and no checkpoint holds a copy: put back one of your own, or "
         "train anew in another directory"),
        ("a run whose name is not UTF-8", [], "sample run\udcff --out a.png",
         "'run\\udcff' is not UTF-8: give it, or its folder, another name"),
        ("a record that is no text", [run, raw("run/experiment.json", b"\xff\xfe")], "diagnose run",
         "run/experiment.json is damaged: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("a record of another shape", [run, text("run/experiment.json", "[]")], "diagnose run",
         "run/experiment.json is damaged: it holds no experiment"),
        ("a record nested without end", [run, text("run/experiment.json", "[" * 100_000)], "diagnose run",
         "run/experiment.json is damaged: {...}"),
        ("a record without experiment", [run, text("run/experiment.json", "{}")], "verify run",
         "run/experiment.json is damaged: it holds no experiment"),
        ("a folder for a record", [folder("run/experiment.json")], "verify run",
         "run is not a run directory: it has no experiment.json"),
        ("an unknown option in it", [run, recorded(experiment__stepz=3)], "sample run --out a.png",
         "run/experiment.json is damaged: Experiment has no option stepz"),
        ("a word for a number in it", [run, recorded(experiment__steps="many")], "diagnose run",
         "run/experiment.json is damaged: steps must be int, not 'many'"),
        ("a class of nowhere", [run, recorded(**{"class": "mine:Own"})], "sample run --out a.png",
         "run/experiment.json names the class 'mine:Own' and no file that has it"),
        ("a class of another library", [run, recorded(**{"class": "os:system"})], "resume run --steps 8",
         "run/experiment.json names the class 'os:system' and no file that has it"),
        ("a function for a class", [run, recorded(**{"class": "jaxgan.options:flat"})], "diagnose run",
         "run/experiment.json names the class 'jaxgan.options:flat', which is none"),
        ("a class of a missing module", [run, recorded(**{"class": "jaxgan.nothing:X"})], "verify run",
         "run/experiment.json names the class 'jaxgan.nothing:X', which is none"),
        ("no class", [run, recorded(**{"class": None})], "report run",
         "run/experiment.json names the class None and no file that has it"),
        ("a spec of words", [run, recorded(spec__shape=["a", 8, 1])], "sample run --out a.png",
         "the spec of the data is damaged: {'shape': ['a', 8, 1], 'num_classes': 10, 'class_names': ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'], 'gauge': ''}"),
        ("a spec of two domains", [run, recorded(specs=TWO_DOMAINS)], "sample run --out a.png",
         "the specs in run/experiment.json are not those of a run of Experiment"),
        ("a spec of two domains at an evaluation", [run, recorded(specs=TWO_DOMAINS)], "evaluate run",
         "the specs in run/experiment.json are not those of a run of Experiment"),
        ("a spec of two domains in a report", [run, recorded(specs=TWO_DOMAINS)], "report run",
         "the specs in run/experiment.json are not those of a run of Experiment"),
        ("a spec of one domain", [translation, recorded(specs=ONE_DOMAIN), copy("../digits/checkpoints", "run/checkpoints"), images("in")],
         "translate run --input in --output out --direction x-to-y",
         "the specs in run/experiment.json are not those of a run of UnpairedExperiment"),
        ("a damaged spec", [run, recorded(spec__shape=3)], "sample run --out a.png",
         "the spec of the data is damaged: {'shape': 3, 'num_classes': 10, 'class_names': ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'], 'gauge': ''}"),
        ("a spec of nothing", [run, recorded(specs=[{"class": "jaxgan.data.source:Spec", "file": None, "values": {}}])],
         "sample run --out a.png",
         "the spec of the data is damaged: {}"),
        ("no spec", [run, recorded(specs=[])], "sample run --out a.png",
         "run/experiment.json is damaged: it holds no specs of the data"),
        ("a word for a spec", [run, recorded(specs=["images"])], "evaluate run",
         "run/experiment.json is damaged: it holds no specs of the data"),
        ("a spec too many", [run, recorded(specs=2 * ONE_DOMAIN)], "sample run --out a.png",
         "run records 2 specs, and its experiment has 1 phases"),
        ("a spec of another class", [run, recorded(specs=[ONE_DOMAIN[0] | {"class": "jaxgan.options:flat"}])],
         "sample run --out a.png",
         "run/experiment.json names the class 'jaxgan.options:flat', which is none"),
        ("another shape of data", [run, recorded(spec__shape=[8, 8, 3])], "sample run --out a.png",
         "checkpoint {here}/run/checkpoints/4 does not fit the experiment: .params['Dense_2']['bias'] is float32[64] in the checkpoint and float32[192] in the experiment"),
        ("a class of your own that moved", [run, recorded(file="/nowhere/mine.py")], "diagnose run",
         "there is no experiment file /nowhere/mine.py"),
        ("a class by a relative path", [run, file("experiment = Experiment()"), recorded(file="mine.py")],
         "diagnose run",
         "run/experiment.json names the class file 'mine.py', which would be run and must be an absolute path outside the run directory"),
        ("a class inside the run",
         [run, text("run/mine.py", f"{HEADER}experiment = Experiment()"), recorded(file="{here}/run/mine.py")],
         "diagnose run",
         "run/experiment.json names the class file '{here}/run/mine.py', which would be run and must be an absolute path outside the run directory"),
        ("a class that is no path", [run, recorded(file=7)], "diagnose run",
         "run/experiment.json names the class file 7, which would be run and must be an absolute path outside the run directory"),
        ("a damaged line of scalars", [run, text("run/metrics.jsonl", '{"step": 2}\n{"st\n{"step": 4}\n')],
         "diagnose run",
         "line 2 of run/metrics.jsonl is damaged: '{\"st'"),
        ("a scalar that is a word", [run, text("run/metrics.jsonl", '{"step": 2, "generator_loss": "low"}\n')],
         "diagnose run",
         "line 1 of run/metrics.jsonl is damaged: '{\"step\": 2, \"generator_loss\": \"low\"}'"),
        ("a scalar beyond all sense", [run, text("run/metrics.jsonl", '{"step": 2, "generator_loss": 1e308}\n')],
         "diagnose run",
         "line 1 of run/metrics.jsonl is damaged: '{\"step\": 2, \"generator_loss\": 1e308}'"),
        ("a step without end", [run, text("run/metrics.jsonl", '{"step": Infinity}\n')], "report run",
         "line 1 of run/metrics.jsonl is damaged: '{\"step\": Infinity}'"),
        ("a folder of scalars", [run, without("run/metrics.jsonl"), folder("run/metrics.jsonl")],
         "report run",
         "run/metrics.jsonl: Is a directory"),
        ("damaged scalars at a resume", [run, text("run/metrics.jsonl", "x\n")], "resume run --steps 8",
         "line 1 of run/metrics.jsonl is damaged: 'x'"),
        ("damaged digests", [run, cut("run/digests.json")], "verify run",
         "run/digests.json is damaged: Unterminated string starting at: line 2 column 8 (char 9)"),
        ("digests of another shape", [run, text("run/digests.json", "[]")], "verify run",
         "run/digests.json is damaged: it holds no digests by step"),
        ("digests of no step", [run, text("run/digests.json", '{"one": "0"}')], "verify run",
         "run/digests.json is damaged: it holds no digests by step"),
        ("no digests", [run, without("run/digests.json")], "verify run",
         "run recorded no digest within 100 steps; it has digests after steps: none"),
        ("no digest as early", [run], "verify run --steps 0",
         "run recorded no digest within 0 steps; it has digests after steps: [1]"),
        ("a run in which another process trains", [run, held], "resume run --steps 8",
         "another process is training in run"),
        ("a run without a checkpoint", [run, without("run/checkpoints")], "resume run --steps 8",
         "run has no checkpoint to go on from; begin it anew, from the same key, with --from-start"),
        ("runs of a folder that is not there", [], "list elsewhere",
         "there is no folder elsewhere"),
        ("runs of a folder without any", [images("in")], "list in",
         "there is no run in in"),
        ("one run to compare", [run], "compare run",
         "to compare takes 2 runs or more"),
        ("what is no run to compare", [run, images("in")], "compare run in",
         "in is not a run directory: it has no experiment.json"),
        ("a comparison drawn as a .jpg", [run], "compare run run --plot a.jpg",
         "--plot a.jpg must end in .png"),
        ("an option by another program's name", [], "train --output new",
         "--output is --out here"),
        ("an option by another program's name, which is a command here", [], "train --resume",
         "--resume is the command `jaxgan resume RUN` here"),
        ("a run that is done", [run], "resume run",
         "run has done 4 of 4 steps; ask for more with --steps"),
        ("a run changed", [run], "resume run --steps 8 --batch-size 3",
         "run cannot be resumed with a changed experiment: batch_size was 8, asked 3; a new run can begin with its weights: jaxgan train --from run"),
        ("a run resumed with another file", [run, file("experiment = 3")], "resume run mine.py",
         "mine.py must define `experiment = Experiment(...)`; it has a int"),
        ("a run resumed with a file of nothing", [run, file("x = 1")], "resume run mine.py",
         "mine.py must define `experiment = Experiment(...)`; it has no such name"),
        ("the data gone", [run, recorded(experiment__data="data.npz")], "evaluate run",
         "There is no file data.npz."),
    ],
    "Runs of jaxgan 0.1.0": [
        (command.split()[0], [run, old, images("in")], command, OF_OLD)
        for command in (
            "resume run --steps 8",
            "sample run --out a.png",
            "interpolate run --out a.gif",
            "translate run --input in --output out --direction x-to-y",
            "evaluate run",
            "diagnose run",
            "report run",
            "verify run",
        )
    ],
    "Checkpoints": [
        ("none yet", [run, without("run/checkpoints")], "sample run --out a.png",
         "run has no checkpoint yet"),
        ("a file in their place", [run, without("run/checkpoints"), text("run/checkpoints")],
         "sample run --out a.png",
         "run has no checkpoint yet"),
        ("an empty folder of them", [run, without("run/checkpoints"), folder("run/checkpoints")],
         "sample run --out a.png",
         "run has no checkpoint yet"),
        ("another step", [run], "sample run --out a.png --step 3",
         "{here}/run/checkpoints has no checkpoint of step 3; it has: 2, 4"),
        ("a negative step", [run], "sample run --out a.png --step -1",
         "{here}/run/checkpoints has no checkpoint of step -1; it has: 2, 4"),
        ("two steps", [run], "sample run --out a.png --step 2 --best",
         "--best and --step 2 ask for two checkpoints; take one"),
        ("the best of none", [run], "sample run --out a.png --best",
         "run ranked no checkpoint: it ran without best_metric, or without the evaluations that measure it; leave out best for the newest, or name a step"),
        ("an empty checkpoint", [run, without("run/checkpoints/4"), folder("run/checkpoints/4")],
         "sample run --out a.png --step 4",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over ({...})\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("a checkpoint cut short", [run, cut("run/checkpoints/4/averaged/**/*")],
         "sample run --out a.png --step 4",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over ({...})\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("the generator in training cut short", [run, cut("run/checkpoints/4/state/**/*")],
         "sample run --out a.png --step 4 --no-ema",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over ({...})\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("another step's arrays", [run, without("run/checkpoints/4/averaged"), copy("run/checkpoints/2/averaged", "run/checkpoints/4/averaged")],
         "sample run --out a.png --step 4",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over (its arrays are not those that were saved)\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("another step's arrays in training", [run, without("run/checkpoints/4/state"), copy("run/checkpoints/2/state", "run/checkpoints/4/state")],
         "sample run --out a.png --step 4 --no-ema",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over (its arrays are not those that were saved)\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("a changed record", [run, replaced("run/checkpoints/4/record/metadata", '"value": null', '"value": 0.1')],
         "sample run --out a.png --step 4",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over (its record is not the one that was saved)\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("all of them cut short", [run, cut("run/checkpoints/*/averaged/**/*")], "sample run --out a.png",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over ({...})\n"
         "warning: checkpoint {here}/run/checkpoints/2 is damaged and passed over ({...})\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("a file in their place at a resume", [run, without("run/checkpoints"), text("run/checkpoints")],
         "resume run --steps 8",
         "run/checkpoints is not a folder of checkpoints"),
        ("all of them at a resume", [run, cut("run/checkpoints/*/state/**/*")], "resume run --steps 8",
         "warning: checkpoint {here}/run/checkpoints/4 is damaged and passed over ({...})\n"
         "warning: checkpoint {here}/run/checkpoints/2 is damaged and passed over ({...})\n"
         "no checkpoint in {here}/run/checkpoints can be read"),
        ("of another experiment", [run, recorded(experiment__generator__width=9)],
         "sample run --out a.png",
         "checkpoint {here}/run/checkpoints/4 does not fit the experiment: .params['Dense_0']['bias'] is float32[8] in the checkpoint and float32[9] in the experiment"),
        ("of another experiment at a resume", [run, recorded(experiment__generator__width=9)],
         "resume run --steps 8",
         "checkpoint {here}/run/checkpoints/4 does not fit the experiment: .params['Dense_0']['bias'] is float32[8] in the checkpoint and float32[9] in the experiment"),
    ],
    "What is made of a run": [
        ("another kind of file", [run], "sample run --out a.jpg",
         "--out a.jpg must end in .png or .npz"),
        ("into no folder", [run], "sample run --out nowhere/a.png",
         "--out nowhere/a.png: there is no folder nowhere"),
        ("under a file", [run, text("note.txt")], "sample run --out note.txt/a.npz",
         "--out note.txt/a.npz: there is no folder note.txt"),
        ("onto a folder", [run, folder("a.png")], "sample run --out a.png",
         "--out a.png cannot be written"),
        ("no samples", [run], "sample run --out a.png --count 0",
         "--count must be 1 or more, not 0"),
        ("more samples than memory", [run], "sample run --out a.npz --count 1000000000000",
         "--count 1000000000000 would take 84,000 GB, and this machine has 16 GB of memory"),
        ("a grid beyond all screens", [run], "sample run --out a.png --count 100000000",
         "--count 100000000 would take 412 GB, and this machine has 16 GB of memory"),
        ("a negative seed", [run], "sample run --out a.png --seed -1",
         "seed must be from 0 to 2**32 - 1, not -1"),
        ("a class that is none", [run], "sample run --out a.png --label 10",
         "label 10 does not exist: labels are 0 to 9"),
        ("latents cut off at 0", [run], "sample run --out a.png --truncation 0",
         "latents are truncated at a limit above 0, not 0"),
        ("statistics of one batch", [run], "sample run --out a.png --standing 1",
         "standing statistics are of 2 batches or more, not 1"),
        ("a sweep without codes", [run], "sample run --out a.png --sweep number",
         "run has no codes to sweep; see --codes.categorical of train"),
        ("a walk of one class", [run], "interpolate run --out a.png --labels 3",
         "a walk needs 2 --labels, 2 --frames and 1 --rows or more, not 1, 10 and 8"),
        ("a walk to a class that is none", [run], "interpolate run --out a.png --labels 3 10",
         "label 10 does not exist: labels are 0 to 9"),
        ("a projection of nothing", [run], "project run a.png --out b.png --label 3",
         "there is no image a.png"),
        ("a projection of text", [run, text("a.png")], "project run a.png --out b.png --label 3",
         "a.png is not an image, or a damaged one."),
        ("a projection without its class", [run, images("in")], "project run in/8_0.png --out b.png",
         "run makes images of classes: say which by --label"),
        ("a projection of no steps", [run, images("in")], "project run in/8_0.png --out b.png --steps 0",
         "a projection takes 1 of the --samples and --steps or more, not 1000 and 0"),
        ("a projection backwards", [run, images("in")], "project run in/8_0.png --out b.png --learning-rate -1",
         "--learning-rate must be above 0, and --prior-weight and --lpips-weight 0 or more, not -1.0, 0.0 and 0.0"),
        ("a projection in a translation", [translation, images("in")], "project run in/8_0.png --out b.png",
         "run makes its images from images, and this takes a run that draws its samples; see jaxgan translate run"),
        ("a walk of one seed", [run], "interpolate run --out a.png --seeds 1",
         "a walk needs 2 --seeds, 2 --frames and 1 --rows or more, not 1, 10 and 8"),
        ("a walk of one frame", [run], "interpolate run --out a.png --frames 1",
         "a walk needs 2 --seeds, 2 --frames and 1 --rows or more, not 2, 1 and 8"),
        ("a walk without end", [run], "interpolate run --out a.gif --frames 1000000000000",
         "--frames 1000000000000 and --rows 8 would take 263,424,000 GB, and this machine has 16 GB of memory"),
        ("more walks than memory", [run], "interpolate run --out a.png --rows 1000000000000",
         "--frames 10 and --rows 1000000000000 would take 41,160,000 GB, and this machine has 16 GB of memory"),
        ("arrays of a walk", [run], "interpolate run --out a.npz",
         "--out a.npz must end in .png or .gif or .mp4"),
        ("a walk too small to see", [run], "interpolate run --out a.gif --scale 0",
         "--scale must be 1 or more, not 0"),
        ("an edit too small to see", [run], "edit run --direction smile --out a.png --scale -1",
         "--scale must be 1 or more, not -1"),
        ("a training quiet and verbose", [], "train --out new --quiet --verbose",
         "--quiet and --verbose ask for two things; take one"),
        ("a resumed one too", [run], "resume run --steps 8 --quiet --verbose",
         "--quiet and --verbose ask for two things; take one"),
        ("and an evaluation", [run], "evaluate run --quiet --verbose",
         "--quiet and --verbose ask for two things; take one"),
        ("an unknown method", [run], "interpolate run --out a.png --method straight",
         "invalid choice 'straight' for argument '--method'. Expected one of 'None', 'linear', 'spherical'."),
        ("directions by labels without a table", [run], "directions run --by labels",
         "--labels FILE and --by labels go together, and --by is labels"),
        ("a table that is not there", [run], "directions run --labels a.csv",
         "--labels a.csv cannot be read: [Errno 2] No such file or directory: 'a.csv'"),
        ("more directions than numbers", [run], "directions run --number 5",
         "the number of directions must be from 1 to 4, not 5"),
        ("no directions", [run], "directions run --number 0",
         "directions take 2 --count and 1 --number or more, not 2000 and 0"),
        ("a direction apart from none", [run], "directions run --orthogonal-to smile",
         "run has no direction 'smile'; it has none; jaxgan directions run finds some"),
        ("directions of a translation", [translation], "directions run",
         "run makes its images from images, and this takes a run that draws its samples; see jaxgan translate run"),
        ("an edit along no direction", [run], "edit run --direction smile --out a.png",
         "run has no direction 'smile'; it has none; jaxgan directions run finds some"),
        ("an edit without end", [run], "edit run --direction smile --strength inf --out a.png",
         "--strength must be finite, not (inf,)"),
        ("arrays of an edit", [run], "edit run --direction smile --out a.npz",
         "--out a.npz must end in .png or .gif or .mp4"),
        ("samples of a translation", [translation], "sample run --out a.png",
         "run makes its images from images, and this takes a run that draws its samples; see jaxgan translate run"),
        ("samples of a kind without inputs", [run, recorded(**HALF_A_KIND)], "sample run --out a.png",
         "run is of a kind that has no inputs, and nothing can be made of it"),
        ("a translation by a kind without inputs", [run, recorded(**HALF_A_KIND), images("in")],
         "translate run --input in --output out",
         "run is of a kind that has no inputs, and nothing can be made of it"),
        ("a walk in a translation", [translation], "interpolate run --out a.gif",
         "run makes its images from images, and this takes a run that draws its samples; see jaxgan translate run"),
        ("a translation by samples", [run, images("in")],
         "translate run --input in --output out --direction x-to-y",
         "run makes its samples from latents, and translate takes a run that translates images; see jaxgan sample run"),
        ("a translation of nothing", [translation], "translate run --input in --output out --direction x-to-y",
         "--input in is not a folder"),
        ("a translation of no images", [translation, folder("in")],
         "translate run --input in --output out --direction x-to-y",
         "--input in holds no images (files that end in .png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff, .ppm, .pgm)"),
        ("a translation of a link out", [translation, images("in"), text("secret.png"), link("in/a.png", "../secret.png")],
         "translate run --input in --output out --direction x-to-y",
         "in/a.png is a link that leads out of in or nowhere; only links within it are followed."),
        ("a translation into its input", [translation, images("in")],
         "translate run --input in --output in --direction x-to-y",
         "--output in is the input; take another folder"),
        ("a translation over others", [translation, images("in"), images("out")],
         "translate run --input in --output out --direction x-to-y",
         "--output out holds files; --overwrite writes over them"),
        ("a translation onto a file", [translation, images("in"), text("out")],
         "translate run --input in --output out --direction x-to-y",
         "--output out is not a folder"),
        ("a translation that has not begun", [translation, images("in")],
         "translate run --input in --output out --direction x-to-y",
         "run has no checkpoint yet"),
        ("a report of a run and none", [run], "report run nowhere --out a.html",
         "nowhere is not a run directory: it has no experiment.json"),
        ("a report of a run and itself", [run, link("same", "run")], "report run same --out a.html",
         "same is named twice"),
        ("a report of a run and an exported model", [run], "report run a.safetensors --out a.html",
         "report takes a run directory, not an exported model: a.safetensors"),
        ("to watch no run", [], "watch nowhere",
         "nowhere is not a run directory: it has no experiment.json"),
        ("to watch a damaged run", [run, text("run/metrics.jsonl", "x\n")], "watch run",
         "line 1 of run/metrics.jsonl is damaged: 'x'"),
        ("a port beyond all", [run], "watch run --port 65536",
         "--port must be from 0 to 65535, not 65536"),
        ("a port below all", [run], "watch run --port -1",
         "--port must be from 0 to 65535, not -1"),
        ("to serve on no interface", [run], "watch run --host nowhere.invalid",
         "nothing can be served on 'nowhere.invalid', port 0: {...}"),
        ("a report of another kind", [run], "report run --out a.pdf",
         "--out a.pdf must end in .html"),
        ("a report into no folder", [run], "report run --out nowhere/a.html",
         "--out nowhere/a.html: there is no folder nowhere"),
        ("against no run", [run], "evaluate run --against nowhere",
         "there is no evaluation nowhere"),
        ("against a run not evaluated", [run, folder("other")], "evaluate run --against other",
         "there is no evaluation other/evaluation.json; evaluate it first: jaxgan evaluate other"),
        ("against another file", [run, text("note.txt")], "evaluate run --against note.txt",
         "note.txt is damaged: Expecting value: line 1 column 1 (char 0)"),
        ("against a file of another shape", [run, text("a.json", "[1]")], "evaluate run --against a.json",
         "a.json is not the record of an evaluation: it has no protocol"),
        ("against an evaluation of words",
         [run, text("a.json", '{"metrics": {"kl": "low"}, "protocol": {}}')], "evaluate run --against a.json",
         "a.json is damaged: its kl is 'low', which is no number"),
        ("a report of a damaged evaluation", [run, text("run/evaluation.json", "{")], "report run",
         "run/evaluation.json is damaged: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("against a damaged evaluation", [run, folder("other"), text("other/evaluation.json", "{")],
         "evaluate run --against other",
         "other/evaluation.json is damaged: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("unknown features", [run], "evaluate run --features eyes",
         "invalid choice 'eyes' for argument '--features'. Expected one of 'None', 'classifier', 'pixels'."),
    ],
}
# fmt: on

ROWS = [
    pytest.param(*row[1:], id=f"{heading}: {row[0]}")
    for heading, rows in TABLE.items()
    for row in rows
]


def contents(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that lies in a folder: kind, size, time of change, and what is in it."""

    def of(path: Path) -> tuple[object, ...]:
        state = path.lstat()
        held = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None
        size = state.st_size if stat.S_ISREG(state.st_mode) else 0
        return stat.S_IFMT(state.st_mode), size, state.st_mtime_ns, held

    return {str(path.relative_to(folder)): of(path) for path in [folder, *folder.rglob("*")]}


def pattern(says: str, here: Path) -> str:
    """A row's text as a regular expression of all of standard error."""
    lines = [f"jaxgan: {line}\n".replace("{here}", str(here)) for line in says.split("\n")]
    return re.escape("".join(lines)).replace(re.escape("{...}"), ".+")


@pytest.fixture
def here(tmp_path: Path, digits: Trained, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, on a machine that does not depend on the tests' own."""
    sysconf = os.sysconf
    monkeypatch.setattr(os, "sysconf", lambda name: MACHINE.get(name) or sysconf(name))
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", "tfds")
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "digits").symlink_to(digits.folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "here"
    HELD.close()


@pytest.mark.filterwarnings("always::UserWarning")
@pytest.mark.parametrize(("setups", "command", "says"), ROWS)
def test_a_bad_input_is_told_in_one_line_and_changes_nothing(here, capfd, setups, command, says):
    for setup in setups:
        setup(here)
    before = contents(here)
    capfd.readouterr()
    code = cli.main(command.replace("TINY", TINY).split())
    output, error = capfd.readouterr()
    assert re.fullmatch(pattern(says, here), error), error
    assert (code, output) == (2, "")
    assert contents(here) == before


def test_every_row_has_a_name_of_its_own():
    names = [row.id for row in ROWS]
    assert len(set(names)) == len(names)
    assert len(names) >= 249


def test_the_documentation_counts_the_rows():
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    assert f"bad input, in {len(ROWS)} ways" in page.read_text()


def test_every_command_is_in_the_table():
    first = {command.replace("TINY", TINY).split()[0] for _, command, _ in (r.values for r in ROWS)}
    assert first >= set(re.findall(r"^  (\w+) ", cli.USAGE, re.MULTILINE))
