"""Patches of images of any size: where they lie, and that every pixel is in one."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.data.patches import corners, open_patches

RNG = np.random.default_rng(0)


def write(folder, **sizes):
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, (height, width) in sizes.items():
        found[name] = RNG.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(found[name]).save(folder / f"{name}.png")
    return found


def patches(folder, size, **options):
    source = open_patches(str(folder), size, **options)
    return np.asarray(source.take(np.arange(len(source)))["real"])


@pytest.mark.parametrize(
    ("length", "size", "stride", "expected"),
    [
        (8, 4, 4, [0, 4]),
        (9, 4, 4, [0, 4, 5]),  # The last lies at the end.
        (8, 4, 3, [0, 3, 4]),
        (4, 4, 2, [0]),
        (3, 4, 2, []),
    ],
)
def test_where_patches_begin(length, size, stride, expected):
    assert corners(length, size, stride) == expected


def test_patches_are_cut_from_images_of_any_size(tmp_path):
    images = write(tmp_path / "x", a=(6, 9), b=(4, 4), c=(3, 20))
    found = patches(tmp_path / "x", 4, stride=4)
    a, b = images["a"], images["b"]
    expected = [a[top : top + 4, left : left + 4] for top in (0, 2) for left in (0, 4, 5)]
    np.testing.assert_array_equal(found, np.stack([*expected, b]))  # c is too low.


def test_the_stride_is_half_a_patch_by_default(tmp_path):
    write(tmp_path / "x", a=(8, 4))
    assert len(patches(tmp_path / "x", 4)) == 3
    assert len(patches(tmp_path / "x", 4, stride=1)) == 5


def test_splits_and_channels(tmp_path):
    write(tmp_path / "x" / "train", a=(4, 4))
    write(tmp_path / "x" / "test", b=(4, 8))
    assert patches(tmp_path / "x", 4, stride=4, split="test", channels=1).shape == (2, 4, 4, 1)
    assert len(open_patches(str(tmp_path / "x"), 4).identities) == 1


def test_what_cannot_be_cut_is_refused(tmp_path):
    write(tmp_path / "x", a=(6, 9), b=(5, 5))
    with pytest.raises(ValueError, match=r"no image of 7 pixels along both sides.* is of 6"):
        open_patches(str(tmp_path / "x"), 7)
    with pytest.raises(ValueError, match="no split 'test'; it has train"):
        open_patches(str(tmp_path / "x"), 4, split="test")
    with pytest.raises(ValueError, match="There is no folder of images"):
        open_patches(str(tmp_path / "nowhere"), 4)
    (tmp_path / "x" / "a.png").write_bytes((tmp_path / "x" / "a.png").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"a\.png"):
        open_patches(str(tmp_path / "x"), 4)
