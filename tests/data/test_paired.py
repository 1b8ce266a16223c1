"""Images in pairs: side by side, in two folders, in an archive, and what has no partner."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import ArraySource
from jaxgan.data.paired import PairedSource, PairedSpec, open_paired

RNG = np.random.default_rng(0)


def image(height=6, width=6, channels=3):
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)


@pytest.fixture
def pairs():
    return {name: (image(), image()) for name in ("cat", "dog", "owl")}


def taken(source):
    batch = source.take(np.arange(len(source)))
    return {name: np.asarray(array) for name, array in batch.items()}


def side_by_side(folder, pairs):
    for name, (a, b) in pairs.items():
        write(folder / f"{name}.png", np.concatenate([a, b], axis=1))


def test_halves_of_files(tmp_path, pairs):
    side_by_side(tmp_path / "x", pairs)
    source = open_paired(str(tmp_path / "x"))
    assert len(source) == 3
    assert source.spec.real.shape == source.spec.condition.shape == (6, 6, 3)
    batch = taken(source)
    for i, (a, b) in enumerate(pairs.values()):  # In the order of names.
        np.testing.assert_array_equal(batch["condition"][i], a)
        np.testing.assert_array_equal(batch["real"][i], b)
    back = taken(open_paired(str(tmp_path / "x"), direction="b-to-a"))
    np.testing.assert_array_equal(back["condition"], batch["real"])
    np.testing.assert_array_equal(back["real"], batch["condition"])
    assert len(source.identities) == 1  # One folder, which holds both.


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_splits_are_those_of_pix2pix(tmp_path, pairs, held_out):
    side_by_side(tmp_path / "train", pairs)
    side_by_side(tmp_path / held_out, {"cat": pairs["dog"]})
    assert len(open_paired(str(tmp_path))) == 3
    (b,) = taken(open_paired(str(tmp_path), split="test"))["real"]
    np.testing.assert_array_equal(b, pairs["dog"][1])


def test_halves_are_resized_each_by_itself(tmp_path):
    flat = {"a": np.full((8, 8, 3), 10, np.uint8), "b": np.full((8, 8, 3), 200, np.uint8)}
    write(tmp_path / "one.png", np.concatenate(list(flat.values()), axis=1))
    batch = taken(open_paired(str(tmp_path), image_size=4, channels={"a": 1, "b": None}))
    np.testing.assert_array_equal(batch["condition"], np.full((1, 4, 4, 1), 10))
    np.testing.assert_array_equal(batch["real"], np.full((1, 4, 4, 3), 200))


def test_folders_of_equal_names(tmp_path, pairs):
    for name, (a, b) in pairs.items():
        write(tmp_path / "a" / f"{name}.png", a)
        write(tmp_path / "b" / f"{name}.bmp", b)
    source = open_paired(str(tmp_path / "a"), str(tmp_path / "b"))
    batch = taken(source)
    np.testing.assert_array_equal(batch["condition"][1], pairs["dog"][0])
    np.testing.assert_array_equal(batch["real"][1], pairs["dog"][1])
    assert len(source.identities) == 2
    (tmp_path / "b" / "dog.bmp").unlink()
    with pytest.raises(ValueError, match=r"'dog' of .*a has no partner of the same name in .*b"):
        open_paired(str(tmp_path / "a"), str(tmp_path / "b"))
    (tmp_path / "b" / "owl.bmp").unlink()
    with pytest.raises(ValueError, match=r"'dog' and 1 more of .*a have no partner"):
        open_paired(str(tmp_path / "a"), str(tmp_path / "b"))


def test_arrays_of_an_archive(tmp_path):
    a, b = RNG.integers(0, 256, (2, 5, 4, 4, 1), np.uint8)
    np.savez(tmp_path / "pairs.npz", a=a, b=b)
    batch = taken(open_paired(str(tmp_path / "pairs.npz"), direction="b-to-a"))
    np.testing.assert_array_equal(batch["condition"], b)
    np.testing.assert_array_equal(batch["real"], a)


def test_images_alone_have_no_condition():
    source = PairedSource(ArraySource("photos", RNG.integers(0, 256, (5, 4, 4, 3), np.uint8)))
    assert source.spec == PairedSpec(source.spec.real, None)
    assert set(taken(source)) == set(source.spec.example(2)) == set(source.arrays) == {"real"}


@pytest.mark.parametrize("conditioned", [True, False])
def test_a_spec_is_read_back_from_its_record(conditioned):
    condition = ArraySource("a", RNG.integers(0, 256, (5, 4, 4, 1), np.uint8))
    real = ArraySource("b", RNG.integers(0, 256, (5, 4, 4, 3), np.uint8))
    spec = PairedSource(real, condition if conditioned else None).spec
    assert PairedSpec.from_record(spec.to_record()) == spec
    for damaged in ({}, {"real": 3}, {"wrong": {}}):
        with pytest.raises(ValueError, match="the spec of the data is damaged"):
            PairedSpec.from_record(damaged)


def test_a_damaged_partner_is_named(tmp_path, pairs):
    side_by_side(tmp_path, pairs)
    (tmp_path / "dog.png").write_bytes((tmp_path / "dog.png").read_bytes()[:80])
    with pytest.raises(ValueError, match=r"dog\.png"):
        open_paired(str(tmp_path), image_size=4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: write(p / "odd.png", image(6, 7)), r"odd.png is 6 x 7: two images side by side"),
        (lambda p: None, "holds no images"),
        (lambda p: write(p / "train" / "x" / "a.png", image()), "holds the folder x"),
        (lambda p: np.savez(p / "x.npz", a=image()[None]), r"holds the arrays \['a'\]; pairs are"),
        (
            lambda p: np.savez(p / "x.npz", a=image()[None], b=image()[None] / 255),
            r"'b' in .*x.npz are float64, .*np.rint\(b \* 255\)",
        ),
        (
            lambda p: np.savez(p / "x.npz", a=image(4, 4)[None], b=image()[None]),
            "of different sizes, 4x4 and 6x6; choose an image_size for both",
        ),
        (
            lambda p: np.savez(p / "x.npz", a=np.stack([image()] * 2), b=image()[None]),
            "has 2 images and .* 1: every image needs a partner",
        ),
    ],
)
def test_what_is_no_set_of_pairs_is_refused(tmp_path, make, message):
    make(tmp_path)
    archive = tmp_path / "x.npz"
    with pytest.raises(ValueError, match=message):
        open_paired(str(archive if archive.exists() else tmp_path))


def test_a_split_that_is_not_there_is_refused(tmp_path, pairs):
    side_by_side(tmp_path, pairs)
    with pytest.raises(ValueError, match="has no split 'test'; it has train"):
        open_paired(str(tmp_path), split="test")
    with pytest.raises(ValueError, match="There is no folder of images"):
        open_paired(str(tmp_path / "nowhere"))
