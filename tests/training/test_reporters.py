"""A run in TensorBoard's event files and in an offline run of Weights & Biases, read back."""

import errno
import io
import os
import shutil
import signal
import struct
import sys

import pytest
import wandb
from PIL import Image
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter
from wandb.proto.wandb_internal_pb2 import Record

import jaxgan
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.runs.log import read_metrics
from jaxgan.training import reporters
from jaxgan.training.reporters import check, logged_before

pytestmark = pytest.mark.usefixtures("drawn", "offline")
TINY = Experiment(
    name="tiny",
    steps=4,
    batch_size=8,
    generator=GeneratorOptions(family="mlp", width=8, depth=1, latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=8, depth=1, normalization="none"),
    log_every=1,
    sample_every=2,
    checkpoint_every=2,
    best_metric="generator_loss",
)
BOTH = ("tensorboard", "wandb")


class Heard:
    """A reporter that remembers, and may act after a step."""

    def __init__(self, after=None):
        self.said, self.steps, self.after = [], [], after or {}

    def step(self, step):
        self.steps.append(step)
        self.after.get(step, lambda: None)()

    def log(self, step, scalars):
        pass

    def say(self, message):
        self.said.append(message)


@pytest.fixture(scope="module")
def drawn():
    """The curves are drawn at once: as four pixels."""

    def draw(directory):
        Image.new("RGB", (2, 2), "red").save(directory / "curves.png")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgan.training.loop.draw_curves", draw)
        yield


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """Weights & Biases without a network, a key or the user's settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        patch.delenv("WANDB_API_KEY", raising=False)
        wandb.teardown()  # What another test began has read these variables already.
        yield
        wandb.teardown()


@pytest.fixture(scope="module")
def bare(tmp_path_factory, drawn):
    """A run that is logged nowhere."""
    folder = tmp_path_factory.mktemp("bare") / "run"
    jaxgan.train(TINY, folder, reporter=Heard())
    return folder


@pytest.fixture(scope="module")
def logged(tmp_path_factory, drawn, offline):
    """The same run, logged everywhere, and what was said of it."""
    folder, heard = tmp_path_factory.mktemp("logged") / "run", Heard()
    jaxgan.train(TINY, folder, reporter=heard, log=BOTH)
    return folder, heard


def events(folder):
    """The events of all files, the oldest first."""
    found = []
    for path in sorted((folder / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            (size,) = struct.unpack("<Q", data[:8])  # Each number is followed by its checksum.
            found.append(Event.FromString(data[12 : 12 + size]))
            data = data[16 + size :]
    return found


def shown(folder):
    """What TensorBoard shows: by name and step the values that no later start supersedes."""
    found = {}
    for event in events(folder):
        if event.session_log.status == SessionLog.START:
            found = {key: value for key, value in found.items() if key[1] < event.step}
        for value in event.summary.value:
            found[value.tag, event.step] = value
    return found


def records(path):
    """The records of an offline run: blocks of 32 KiB hold parts with a checksum, size and kind."""
    data, place, parts, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # A whole record, or the last part of one.
            found.append(Record.FromString(parts))
            parts = b""
    return found


def runs_of(folder):
    """The records of every offline run in a run's folder, the oldest first."""
    return [records(path) for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"))]


def history(run):
    """By step and name the values of an offline run, as JSON."""
    return {
        (line.history.step.num, item.key or item.nested_key[0]): item.value_json
        for line in run
        if line.HasField("history")
        for item in line.history.item
    }


def scalars_of(folder):
    lines = read_metrics(folder)
    return {(n, line["step"]): v for line in lines for n, v in line.items() if n != "step"}


def test_a_run_is_the_same_to_the_bit_wherever_it_is_logged(bare, logged):
    folder, _ = logged
    for name in ("metrics.jsonl", "digests.json", "experiment.json", "samples/step_000004.png"):
        assert (folder / name).read_bytes() == (bare / name).read_bytes()
    assert logged_before(bare) == ()
    assert logged_before(folder) == BOTH


def test_tensorboard_gets_scalars_samples_options_and_curves(logged):
    folder, heard = logged
    found = shown(folder)
    for key, value in scalars_of(folder).items():
        assert found[key].simple_value == pytest.approx(value)
    assert found["curves", 4].image.width == 2
    for step in (2, 4):
        with Image.open(folder / f"samples/step_{step:06d}.png") as picture:
            sent = Image.open(io.BytesIO(found["samples", step].image.encoded_image_string))
            assert sent.tobytes() == picture.convert("RGB").tobytes()
    options = found["_hparams_/session_start_info", 0].metadata.plugin_data.content
    assert b"generator.width" in options
    assert f"TensorBoard: tensorboard --logdir {folder}/tensorboard" in heard.said


def test_weights_and_biases_gets_scalars_samples_options_and_curves(logged):
    folder, heard = logged
    (run,) = runs_of(folder)
    found = history(run)
    for (name, step), value in scalars_of(folder).items():
        assert float(found[step, name]) == pytest.approx(value)
    pictures = sorted(path.name[:9] for path in folder.glob("wandb/offline*/files/media/images/*"))
    assert pictures == ["curves_4_", "samples_2", "samples_4"]
    (begun,) = (line.run for line in run if line.HasField("run"))
    assert begun.run_id == (folder / "wandb/id").read_text().strip()
    assert begun.display_name == "tiny run"
    assert '"width":8' in "".join(u.value_json for u in begun.config.update).replace(" ", "")
    assert any(text.startswith("Weights & Biases: offline; send it") for text in heard.said)


def interrupt():
    signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory, logged):
    """A run that was stopped after step 3 and lost that checkpoint, and was then resumed."""
    folder = tmp_path_factory.mktemp("resumed") / "run"
    jaxgan.train(TINY, folder, reporter=Heard({3: interrupt}), log=BOTH)
    shutil.rmtree(folder / "checkpoints" / "3")
    jaxgan.resume(folder, reporter=Heard())
    return folder


def test_a_resumed_run_is_logged_where_it_was_and_shows_no_step_twice(logged, resumed):
    found = shown(resumed)
    assert found == shown(logged[0])
    values = [v.tag for e in events(resumed) for v in e.summary.value if e.step == 3]
    assert values.count("generator_loss") == 2


def test_a_resumed_run_is_the_same_run_at_weights_and_biases(resumed):
    first, second = runs_of(resumed)
    ids = {line.run.run_id for run in (first, second) for line in run if line.HasField("run")}
    assert ids == {(resumed / "wandb/id").read_text().strip()}
    both = history(first) | history(second)
    assert {step for step, _ in history(second)} == {2, 3, 4}
    assert all((step, name) in both for name, step in scalars_of(resumed))


def test_a_log_that_begins_late_gets_all_that_came_before(bare, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(bare, folder)
    jaxgan.resume(folder, steps=6, reporter=Heard(), log=["tensorboard"])
    assert scalars_of(folder).keys() <= shown(folder).keys()
    jaxgan.resume(folder, steps=8, reporter=Heard(), log=())
    assert max(step for _, step in shown(folder)) == 6
    assert logged_before(folder) == ("tensorboard",)


def test_a_log_that_fails_ends_without_the_run(bare, monkeypatch, tmp_path):
    """As on a full disk."""
    heard = Heard({2: lambda: monkeypatch.setattr(RecordWriter, "flush", fail)})

    def fail(writer):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.warns(UserWarning, match=r"to tensorboard failed \(.* No space left") as warned:
        jaxgan.train(TINY, tmp_path / "run", reporter=heard, log=["tensorboard"])
    assert len(warned) == 1
    assert heard.steps[-1] == 4
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == (bare / "metrics.jsonl").read_bytes()


def test_weights_and_biases_that_cannot_begin_is_gone_without(monkeypatch, tmp_path):
    def fail(**options):
        raise wandb.errors.CommError("no such host\nfound")

    monkeypatch.setattr(wandb, "init", fail)
    with pytest.warns(
        UserWarning, match=r"to wandb failed \(no such host found\); training goes on"
    ):
        jaxgan.train(TINY, tmp_path / "run", reporter=Heard(), log=["wandb"])


@pytest.mark.parametrize("name", BOTH)
def test_a_package_that_is_not_installed_is_named(monkeypatch, tmp_path, name):
    package = reporters.PACKAGES[name]
    monkeypatch.setitem(sys.modules, package, None)
    message = f"logging to {name} needs {package}, .*: pip install 'jaxgan\\[{name}\\]'"
    with pytest.raises(ValueError, match=message):
        jaxgan.train(TINY, tmp_path / "run", log=[name])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("log", ["wandb", ("wand",)])
def test_a_log_that_is_not_known(log):
    with pytest.raises(ValueError, match=r"log must be a tuple of names out of tensorboard, wandb"):
        check(log)


@pytest.mark.parametrize(
    ("key", "message"),
    [(None, "finds no API key: log in once"), ("short", "API key must have 40")],
)
def test_without_a_key_nothing_is_asked_and_nothing_begins(monkeypatch, tmp_path, key, message):
    monkeypatch.setenv("WANDB_MODE", "online")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    wandb.teardown()
    try:
        with pytest.raises(ValueError, match=message):
            jaxgan.train(TINY, tmp_path / "run", log=["wandb"])
    finally:
        wandb.teardown()
    assert not (tmp_path / "run").exists()


def test_only_what_is_asked_for_is_logged(bare):
    assert not {"tensorboard", "wandb"} & {path.name for path in bare.iterdir()}
