"""TensorFlow Datasets on disk, read without TensorFlow."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxgan.data import Spec, list_sources, open_source, prepare_set


@pytest.fixture
def own_sets(tfds_dir: Path, tmp_path: Path) -> Path:
    """A copy of the prepared sets that a test may damage."""
    return Path(shutil.copytree(tfds_dir, tmp_path / "own-sets"))


def test_images_and_labels_are_read(tfds_dir):
    source = open_source("tiny", data_dir=tfds_dir)
    assert source.name == "tiny"
    assert source.spec == Spec((4, 6, 1), 3, ("a", "b", "c"))
    real, label = source.host["real"], source.host["label"]
    np.testing.assert_array_equal(np.bincount(label), [2, 2, 2])
    expected = np.broadcast_to(10 * label[:, None, None, None], real.shape)
    np.testing.assert_array_equal(real, expected)


def test_images_equal_those_that_tfds_decodes(tfds_dir):
    import tensorflow_datasets as tfds

    source = open_source("tiny", data_dir=tfds_dir, split="test")
    theirs = tfds.builder_from_directory(tfds_dir / "tiny/1.2.0").as_data_source("test")
    assert len(source) == len(theirs) == 3
    for i, example in enumerate(theirs):
        np.testing.assert_array_equal(source.host["real"][i], example["image"])
        assert source.host["label"][i] == example["label"]


def test_a_set_is_known_by_its_files_wherever_it_lies(tfds_dir, own_sets):
    (before,) = open_source("tiny", data_dir=tfds_dir, image_size=4).identities
    (copied,) = open_source("tiny", data_dir=own_sets).identities
    assert before[:4] == ("tiny", str(tfds_dir / "tiny/1.2.0"), 6, ("a", "b", "c"))
    assert copied.place == str(own_sets / "tiny/1.2.0")
    assert copied.difference(before) == ""
    (test,) = open_source("tiny", data_dir=tfds_dir, split="test").identities
    assert test.digest != before.digest


@pytest.mark.parametrize("name", ["tiny:1.2.0", "tones/light", "tones/dark:2.0.0"])
def test_configs_and_versions(tfds_dir, name):
    assert len(open_source(name, data_dir=tfds_dir, image_size=4)) in (2, 6)


def test_the_newest_version_is_taken(own_sets):
    for version in ("1.10.0", "1.9.0"):
        shutil.copytree(own_sets / "tiny/1.2.0", own_sets / "tiny" / version)
    shutil.rmtree(own_sets / "tiny/1.9.0")
    (own_sets / "tiny/1.2.0/dataset_info.json").write_text("{")  # must not be touched
    assert len(open_source("tiny", data_dir=own_sets)) == 6


def test_several_configs_need_a_choice(tfds_dir):
    with pytest.raises(ValueError, match=r"several configs .* choose of tones/dark, tones/light"):
        open_source("tones", data_dir=tfds_dir, image_size=4)


def test_images_of_any_size_need_an_image_size(tfds_dir):
    with pytest.raises(ValueError, match="have different sizes; choose an image_size"):
        open_source("tones/light", data_dir=tfds_dir)
    source = open_source("tones/light", data_dir=tfds_dir, image_size=4, channels=1)
    assert source.spec == Spec((4, 4, 1), 0)
    np.testing.assert_array_equal(source.host["real"], np.full((2, 4, 4, 1), 200))


def test_the_data_dir_comes_from_the_environment(tfds_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_dir))
    assert len(open_source("tiny")) == 6


def test_decoded_once(own_sets, cache_folder):
    first = {k: v.copy() for k, v in open_source("tiny", data_dir=own_sets).host.items()}
    files = {path: path.stat().st_mtime_ns for path in cache_folder.glob("*.npy")}
    assert len(files) == 2
    again = open_source("tiny", data_dir=own_sets)
    np.testing.assert_array_equal(first["real"], again.host["real"])
    assert {path: path.stat().st_mtime_ns for path in cache_folder.glob("*.npy")} == files
    # A damaged entry is decoded again.
    for path in files:
        path.write_bytes(b"damaged")
    repaired = open_source("tiny", data_dir=own_sets)
    np.testing.assert_array_equal(first["label"], repaired.host["label"])


def test_an_unknown_split_names_the_known_ones(tfds_dir):
    with pytest.raises(ValueError, match="no split 'valid'; its splits are train, test"):
        open_source("tiny", data_dir=tfds_dir, split="valid")


def test_a_stock_set_that_is_not_prepared_says_how(tmp_path):
    command = f"`jaxgan data prepare mnist --data-dir {tmp_path}`"
    with pytest.raises(ValueError, match=f"not prepared in .*{re.escape(command)}"):
        open_source("mnist", data_dir=tmp_path)
    with pytest.raises(ValueError, match="jaxgan data prepare cycle_gan/horse2zebra"):
        open_source("cycle_gan/horse2zebra", data_dir=tmp_path)


def overwrite(path: Path) -> None:
    path.write_bytes(b"damaged" * 30_000)


def flip(path: Path) -> None:
    contents = bytearray(path.read_bytes())
    contents[contents.index(b"IDAT") + 5] ^= 1
    path.write_bytes(contents)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("dataset_info.json", overwrite),
        ("features.json", Path.unlink),
        ("tiny-train.array_record-00000-of-00001", overwrite),
        ("tiny-train.array_record-00000-of-00001", flip),
        ("tiny-train.array_record-00000-of-00001", Path.unlink),
    ],
)
def test_damaged_sets_are_named(own_sets, cache_folder, file, damage):
    folder = own_sets / "tiny/1.2.0"
    damage(folder / file)
    with pytest.raises(ValueError, match=f"{re.escape(str(folder))} are damaged: [^\n]*$"):
        open_source("tiny", data_dir=own_sets)
    assert not list(cache_folder.glob("*.npy"))


def test_other_formats_are_refused(own_sets):
    info = own_sets / "tiny/1.2.0/dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(ValueError, match="prepared as tfrecord, which cannot be read without"):
        open_source("tiny", data_dir=own_sets)


def test_prepared_sets_are_listed(own_sets):
    hidden = own_sets / ".preparing-x/mnist/3.0.1"
    shutil.copytree(own_sets / "tiny/1.2.0", hidden)
    (own_sets / "tones/dark/2.0.0/features.json").unlink()
    listed = dict(list_sources(own_sets))
    assert set(listed) == {
        "digits",
        "ring",
        "grid",
        "tiny:1.2.0",
        "tones/light:2.0.0",
        "tones/dark:2.0.0",
    }
    assert listed["tiny:1.2.0"] == "4x6x1 images, train 6, test 3"
    assert listed["tones/light:2.0.0"] == "?x?x3 images, train 2"
    assert listed["tones/dark:2.0.0"].startswith("cannot be read: ")


def test_without_a_directory_the_built_in_data_are_listed(tmp_path):
    assert [name for name, _ in list_sources(tmp_path / "none")] == ["digits", "ring", "grid"]


def test_reading_imports_no_tensorflow(tfds_dir):
    program = (
        "import sys\n"
        "from jaxgan.data import list_sources, open_source\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'sklearn', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"assert len(open_source('tiny', data_dir={str(tfds_dir)!r})) == 6\n"
        f"assert len(list_sources({str(tfds_dir)!r})) == 6\n"
        "assert 'tensorflow_datasets' in sys.modules\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


class TestPrepare:
    def test_unknown_names(self, tmp_path):
        with pytest.raises(ValueError, match="no data set 'mnsit'; nearest: mnist"):
            prepare_set("mnsit", tmp_path)

    def test_a_prepared_set_is_left_as_it_is(self, own_sets, monkeypatch):
        monkeypatch.setattr("jaxgan.data.tfds.is_stock", lambda name: True)
        assert prepare_set("tiny", own_sets) == own_sets / "tiny/1.2.0"

    def test_without_tensorflow_it_names_the_extra(self, tmp_path, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ValueError, match=re.escape("pip install jaxgan[prepare]")):
            prepare_set("mnist", tmp_path / "sets")
        assert not (tmp_path / "sets").exists()

    def test_a_missing_directory_of_downloads(self, tmp_path, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
        with pytest.raises(ValueError, match=r"no directory .*downloads of downloaded files"):
            prepare_set("mnist", tmp_path / "sets", tmp_path / "downloads")

    def test_a_failure_leaves_nothing_behind(self, tmp_path, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
        downloads = tmp_path / "downloads"
        downloads.mkdir()
        for part in (
            "train-images-idx3",
            "train-labels-idx1",
            "t10k-images-idx3",
            "t10k-labels-idx1",
        ):
            (downloads / f"{part}-ubyte.gz").write_bytes(b"not what it was")
        with pytest.raises(ValueError, match=r"Preparing 'mnist' .* failed: .*wrong checksum"):
            prepare_set("mnist", tmp_path / "sets", downloads)
        assert list((tmp_path / "sets").iterdir()) == []
