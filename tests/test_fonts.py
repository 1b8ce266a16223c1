"""Names of classes in pictures, in scripts that Pillow's own font does not have."""

import warnings

import numpy as np
import pytest

from jaxgan import fonts
from jaxgan.fonts import font_for
from jaxgan.imaging import grid


def test_ascii_keeps_its_font():
    font, labels = font_for(["cat", "dog 2"], 12)
    assert labels == ["cat", "dog 2"]
    assert font.getname()[0] != "DejaVu Sans"


@pytest.mark.parametrize("label", ["žába", "кошка", "σκύλος", "قطة"])
def test_each_letter_is_written_and_not_a_box(label):
    font, (written,) = font_for([label], 16)
    assert written == label
    box = np.asarray(font.getmask("\U000e0fff"))  # Of a character that no font has.
    assert all(not np.array_equal(np.asarray(font.getmask(letter)), box) for letter in label)
    assert font.getname()[0] == "DejaVu Sans"


def test_the_machines_fonts_are_asked_next(monkeypatch, tmp_path):
    (tmp_path / "no.ttf").write_bytes(b"no font")
    asked = []

    def has_all(path, characters):
        asked.append((path, characters))
        return path == "b.ttf"

    monkeypatch.setattr(fonts, "_has_all", has_all)
    monkeypatch.setattr(fonts, "_files", lambda: iter(["a.ttf", "b.ttf", "c.ttf"]))
    monkeypatch.setattr("PIL.ImageFont.truetype", lambda path, size, **_: (path, size))
    assert font_for(["猫", "犬 1"], 16) == (("b.ttf", 16), ["猫", "犬 1"])
    assert asked == [("a.ttf", {"猫", "犬", "1"}), ("b.ttf", {"猫", "犬", "1"})]
    monkeypatch.undo()
    assert not fonts._has_all(str(tmp_path / "no.ttf"), {"a"})


def test_where_no_font_has_them_rows_are_numbered(monkeypatch):
    monkeypatch.setattr(fonts, "_files", lambda: iter(()))
    with pytest.warns(UserWarning, match="no font of this machine has all characters of '猫'"):
        _, labels = font_for(["cat", "猫"], 16)
    assert labels == ["0", "1"]


def test_a_grid_has_its_rows_named():
    images = np.zeros((2, 16, 16, 1), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.array_equal(
            grid(images, row_labels=["кот", "пёс"]), grid(images, row_labels=["пёс", "кот"])
        )
