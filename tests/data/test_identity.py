"""Who data are: the same wherever they lie, and others once anything in them has changed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import ArraySource, Identity, PairSource, StackedSource, open_domain, open_source
from jaxgan.data import identity as module
from jaxgan.data.identity import digest_arrays, digest_files

PIXELS = np.random.default_rng(0).integers(256, size=(6, 4, 4, 3), dtype=np.uint8)


def write_photos(folder: Path, *names: str) -> Path:
    for name, pixels in zip(names, PIXELS, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    return folder


def who(name: Path | str, **options) -> Identity:
    (found,) = open_source(str(name), **options).identities
    return found


def test_a_folder_says_where_it_lies_and_what_it_holds(tmp_path, monkeypatch):
    write_photos(tmp_path / "photos", "cat/a.png", "cat/b.png", "dog/a.png")
    monkeypatch.chdir(tmp_path)
    found = who("photos", image_size=2)
    assert found[:4] == ("photos", str(tmp_path / "photos"), 3, ("cat", "dog"))
    assert found == who("photos")  # Of the files, not of the pixels made of them.
    assert Identity.from_record(json.loads(json.dumps(found.to_record()))) == found


def test_a_folder_that_moved_is_the_same(tmp_path):
    before = who(write_photos(tmp_path / "photos", "cat/a.png", "dog/a.png"))
    shutil.move(tmp_path / "photos", tmp_path / "moved")
    after = who(tmp_path / "moved")
    assert after.place != before.place
    assert after.difference(before) == ""


def change_a_byte(folder: Path) -> None:
    path = folder / "cat/a.png"
    Image.fromarray(255 - PIXELS[0]).save(path)


CHANGES = {
    "grown": (
        lambda folder: write_photos(folder, "cat/a.png", "cat/b.png", "cat/c.png"),
        "holds 4 samples, and the run was trained on 3",
    ),
    "an image replaced": (change_a_byte, "holds 3 samples, as many as .*, and they are others"),
    "an image renamed": (
        lambda folder: (folder / "dog/a.png").rename(folder / "dog/z.png"),
        "and they are others",
    ),
    "a class for another": (
        lambda folder: (folder / "cat").rename(folder / "owl"),
        "has other classes than .* trained on: 'cat' is gone, 'owl' is new",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_folder_that_changed_is_another(tmp_path, name):
    change, expected = CHANGES[name]
    folder = write_photos(tmp_path / "photos", "cat/a.png", "cat/b.png", "dog/a.png")
    before = who(folder)
    change(folder)
    after = who(folder)
    assert after.digest != before.digest
    with pytest.raises(AssertionError, match=expected):
        raise AssertionError(after.difference(before))


def test_classes_in_another_order_are_named():
    names = Identity("photos", None, 3, ("1", "2", "10"), "a")
    before = names._replace(classes=("1", "10", "2"))
    assert names.difference(before).endswith("trained on: number 1 is '2', and was '10'")


def test_a_move_is_named_beside_a_change():
    before = Identity("photos", "/a/photos", 3, (), "a")
    now = before._replace(place="/b/photos", samples=4)
    assert now.difference(before).endswith("trained on 3 (/a/photos, and this is /b/photos)")


def test_arrays_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.array([0, 1] * 3)
    np.savez("a.npz", images=PIXELS, labels=labels)
    np.savez_compressed("b.npz", images=PIXELS, labels=labels)
    before = who("a.npz")
    assert before[:4] == ("a.npz", str(tmp_path / "a.npz"), 6, ())
    assert who("b.npz").difference(before) == ""  # The same arrays.
    assert who("a.npz", image_size=2) == before
    np.savez("a.npz", images=PIXELS, labels=1 - labels)
    assert "they are others" in who("a.npz").difference(before)


def test_what_is_built_in_lies_nowhere():
    for name, count, classes in (("digits", 1437, 10), ("ring", 100_000, 8), ("grid", 100_000, 25)):
        found = who(name)
        assert found[:3] == (name, None, count)
        assert len(found.classes) == classes
        assert found == who(name)
        assert found.digest != who(name, split="test").digest


def test_stacks_are_known_by_their_digits_and_rows():
    digits = ArraySource("mnist", PIXELS[..., :1], np.arange(6), class_names=tuple("0123456789"))
    rows = np.zeros((4, 3), np.int32)
    (found,) = StackedSource(digits, rows).identities
    (other,) = StackedSource(digits, rows + 1).identities
    assert found[:4] == ("stacked_mnist", None, 4, ())
    assert "they are others" in other.difference(found)


def test_a_pair_is_two(tmp_path):
    write_photos(tmp_path, "x/cat/a.png", "x/cat/b.png", "x/dog/a.png", "y/a.png")
    x = open_domain(str(tmp_path / "x"), class_name="cat", image_size=4, margin=1)
    y = open_domain(str(tmp_path / "y"), image_size=4)
    found = PairSource(x, y).identities
    assert [one.place for one in found] == [str(tmp_path / "x"), str(tmp_path / "y")]
    assert [one.samples for one in found] == [2, 1]


def test_of_large_data_pieces_are_read_and_all_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WHOLE_BYTES", 10)
    monkeypatch.setattr(module, "PIECES", 4)
    monkeypatch.setattr(module, "PIECE_BYTES", 2)
    array = np.arange(100)
    before = digest_arrays({"a": array})
    array[[0, -1]] += 1
    assert digest_arrays({"a": array}) != before
    paths = [tmp_path / name for name in "abcdefgh"]
    for path in paths:
        path.write_bytes(bytes(100))
    files = [(path.name, path) for path in paths]
    before = digest_files(files)
    assert before == digest_files(files)
    for path, contents in ((paths[0], bytes(99) + b"1"), (paths[1], bytes(101))):
        path.write_bytes(contents)
        assert digest_files(files) != before
        path.write_bytes(bytes(100))
    assert digest_files(files) == before


@pytest.mark.parametrize("change", [{"samples": "3"}, {"classes": 3}, {"digest": None}, {"x": 1}])
def test_a_damaged_identity_is_refused(change):
    record = Identity("photos", None, 3, (), "a").to_record()
    with pytest.raises(ValueError, match="the identity of the data is damaged"):
        Identity.from_record(record | change)
