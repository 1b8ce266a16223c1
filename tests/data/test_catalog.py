"""Names of data sets, and what a wrong one is told."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import list_sources, open_source
from jaxgan.data.catalog import folder_of


def test_every_listed_name_opens(tfds_dir):
    for name, description in list_sources(tfds_dir):
        options = {"image_size": 4} if name.startswith("tones") else {}
        source = open_source(name, data_dir=tfds_dir, **options)
        assert f"train {len(source):,}" in description


def test_built_in_images_take_a_size_and_channels():
    digits, large = open_source("digits"), open_source("digits", image_size=16, channels=3)
    assert large.spec.shape == (16, 16, 3)
    np.testing.assert_array_equal(large.host["label"], digits.host["label"])


def test_points_take_neither():
    with pytest.raises(ValueError, match="'ring' holds points"):
        open_source("ring", channels=3)


@pytest.mark.parametrize("name", ["digits", "grid"])
def test_built_in_splits(name):
    with pytest.raises(ValueError, match=f"'{name}' has no split 'val'; it has train and test"):
        open_source(name, split="val")


def test_a_folder_called_as_an_npz_file_is_none_of_images(tmp_path):
    (tmp_path / "x.npz").mkdir()
    assert folder_of(str(tmp_path / "x.npz")) is None
    with pytest.raises(ValueError, match=r"There is no file .*x\.npz"):
        open_source(str(tmp_path / "x.npz"))


def test_a_prepared_set_goes_before_a_folder_of_its_name(tfds_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("tiny", "mine"):
        (tmp_path / name).mkdir()
        Image.new("L", (3, 3)).save(tmp_path / name / "a.png")
    assert len(open_source("tiny", data_dir=tfds_dir)) == 6
    assert len(open_source("./tiny", data_dir=tfds_dir)) == 1
    assert len(open_source("mine", data_dir=tfds_dir)) == 1


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "a.npz", points=np.ones((3, 2)))
    assert len(open_source("~/a.npz")) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit", "no data set 'digit'.*nearest: digits"),
        ("mnsit", "nearest: mnist"),
        ("tinny", "nearest: tiny"),
        ("qqqqqq", "a .npz file or a folder of images.$"),
        ("", "no data set ''"),
        ("./nothing", "no folder of images ./nothing"),
        ("some/where", "no folder of images some/where"),
        ("~nosuchuser/data", "~nosuchuser/data begins with ~nosuchuser, and there is no such home"),
        ("~/nothing", "no folder of images"),
        ("nothing.npz", "no file nothing.npz"),
    ],
)
def test_unknown_names(tfds_dir, name, message):
    with pytest.raises(ValueError, match=message):
        open_source(name, data_dir=tfds_dir)


def test_files_of_other_kinds(tmp_path):
    (tmp_path / "data.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"is a file; data are read from .npz files and folders"):
        open_source(str(tmp_path / "data.csv"))


@pytest.mark.parametrize("name", ["digits", "ring", "mnist", "nothing.npz"])
def test_impossible_options_are_refused_for_every_kind(name):
    with pytest.raises(ValueError, match="channels must be 1"):
        open_source(name, channels=2)
