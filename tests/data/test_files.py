"""What users bring: .npz files and folders of images, good and bad."""

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import Spec, files, images, open_source

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def write_npz(folder: Path, **arrays: np.ndarray) -> str:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return str(path)


def write_images(folder: Path, *names: str, value: int = 0, size: tuple[int, int] = (4, 4)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.new("RGB", size, (value + i, 0, 0)).save(folder / name)


def error_of(name: Path | str, **options: object) -> str:
    with pytest.raises(ValueError, match=r"\.$") as caught:  # a sentence
        open_source(str(name), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def npz_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: files._array(path, file, name) for name in file}


class TestNpz:
    def test_images_with_labels_and_names(self, tmp_path):
        path = write_npz(
            tmp_path,
            images=IMAGES[..., None],
            labels=np.array([1, 0, 1]),
            label_names=np.array(["cat", "dog"]),
        )
        source = open_source(path)
        assert source.spec == Spec((4, 5, 1), 2, ("cat", "dog"))
        np.testing.assert_array_equal(source.host["real"][..., 0], IMAGES)
        np.testing.assert_array_equal(source.host["label"], [1, 0, 1])

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_arrays_are_read_where_they_lie_unless_compressed(self, tmp_path, save, order):
        path = tmp_path / "data.npz"
        points = np.asarray(np.random.default_rng(0).normal(size=(7, 3)), order=order)
        save(path, points=points, labels=np.arange(7) % 2)
        found = npz_arrays(path)
        assert isinstance(found["points"], np.memmap) == (save is np.savez)
        np.testing.assert_array_equal(found["points"], points)
        np.testing.assert_array_equal(found["labels"], np.arange(7) % 2)
        source = open_source(str(path))
        np.testing.assert_array_equal(
            source.take(np.array([5, 0]))["real"], points[[5, 0]].astype("f4")
        )

    def test_images_without_a_channel_axis_are_grey(self, tmp_path):
        assert open_source(write_npz(tmp_path, images=IMAGES)).spec == Spec((4, 5, 1), 0)

    def test_points(self, tmp_path):
        source = open_source(write_npz(tmp_path, points=np.ones((3, 2))))
        assert source.spec == Spec((2,), 0)
        assert source.host["real"].dtype == np.float32

    def test_arrays_of_other_names_are_not_read(self, tmp_path):
        extra = np.array([{"not": "read"}], object)
        assert len(open_source(write_npz(tmp_path, images=IMAGES, extra=extra))) == 3

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({}, r"holds the arrays \[\]; it must hold either 'images' or 'points'"),
            ({"x": IMAGES}, r"holds the arrays \['x'\]"),
            ({"images": IMAGES, "points": np.ones((3, 2))}, r"\['images', 'points'\]"),
            ({"images": IMAGES / 255}, r"float64, .* np\.rint\(images \* 255\)"),
            ({"images": IMAGES / 30 - 1}, r"np\.rint\(\(images \+ 1\) \* 127\.5\)"),
            ({"images": IMAGES.astype("f4")}, r"np\.rint\(images\)\.clip\(0, 255\)"),
            ({"images": IMAGES.astype(int)}, "int64 .* must be uint8"),
            ({"images": IMAGES[:0]}, r"shape \[0, 4, 5, 1\]"),
            ({"images": IMAGES.reshape(3, 20)}, r"'images' .* has shape \[3, 20\]"),
            (
                {"images": IMAGES.reshape(1, 3, 4, 5)},
                r"channels first, .* np\.moveaxis\(images, 1, -1\)",
            ),
            ({"images": IMAGES.reshape(1, 5, 3, 4)}, "with 1 or 3 channels"),
            (
                {"images": IMAGES, "labels": np.eye(3, dtype=int)},
                r"one-hot, of shape \[3, 3\], .* labels\.argmax\(axis=1\)",
            ),
            ({"images": IMAGES, "labels": np.eye(3, dtype=bool)}, "one-hot"),
            ({"images": IMAGES, "labels": np.ones((3, 2), int)}, "integers of shape"),
            (
                {"images": IMAGES, "labels": np.array([3, 7, 3])},
                r"are 3, 7, which makes 8 classes from 0 of which 6 have no sample; .* "
                r"np\.unique\(labels, return_inverse=True\)\.",
            ),
            ({"images": IMAGES, "labels": np.array([1, 2, 3])}, "4 classes from 0 of which 1 have"),
            (
                {
                    "images": IMAGES,
                    "labels": np.array([0, 2, 2]),
                    "label_names": np.array(["a", "b", "c"]),
                },
                r"are 0, 2, .*, and label_names = label_names\[found\]",
            ),
            ({"images": np.array([None, 1], object)}, "Python objects"),
            ({"points": np.ones((3, 2), int)}, "int64 .* or floating-point points"),
            ({"points": np.ones((3, 2, 1, 1))}, r"points have \[N, D\]"),
            ({"points": np.array([[np.inf, 0]])}, "infinite"),
            ({"images": IMAGES, "labels": np.array([0, 1])}, r"of shape \[3\], one a sample"),
            ({"images": IMAGES, "labels": np.array([0, 1, -1])}, "from -1 to 1"),
            ({"images": IMAGES, "labels": np.ones(3)}, "must be integers"),
            ({"images": IMAGES, "labels": np.array(["a"] * 3, object)}, "Python objects"),
            ({"images": IMAGES, "label_names": np.array(["a"])}, "beside 'labels'"),
            (
                {"images": IMAGES, "labels": np.arange(3), "label_names": np.array(["a", "b"])},
                "needs 3 class names, and there are 2",
            ),
            (
                {"images": IMAGES, "labels": np.arange(3), "label_names": np.arange(3)},
                "'label_names' .* must be strings",
            ),
        ],
    )
    def test_a_malformed_file_is_one_clear_sentence(self, tmp_path, arrays, message):
        path = write_npz(tmp_path, **arrays)
        error = error_of(path)
        assert path in error
        assert re.search(message, error)

    def test_what_is_no_zip_archive_is_refused(self, tmp_path):
        path = tmp_path / "data.npz"
        path.write_bytes(b"\x80\x04not a zip archive")
        assert f"{path} is damaged or no .npz file" in error_of(path)

    def test_a_file_cut_short_is_refused(self, tmp_path):
        path = Path(write_npz(tmp_path, images=np.zeros((50, 8, 8), np.uint8)))
        path.write_bytes(path.read_bytes()[:-500])
        assert f"{path} is damaged" in error_of(path)

    def test_flipped_bits_are_noticed(self, tmp_path):
        path = Path(write_npz(tmp_path, images=np.zeros((50, 8, 8), np.uint8)))
        contents = bytearray(path.read_bytes())
        contents[1000] ^= 1
        path.write_bytes(contents)
        assert "CRC" in error_of(path)

    def test_a_missing_file(self, tmp_path):
        assert "There is no file" in error_of(tmp_path / "data.npz")

    def test_only_train(self, tmp_path):
        error = error_of(write_npz(tmp_path, images=IMAGES), split="test")
        assert "has no split 'test'; it has train" in error

    def test_size_and_channels(self, tmp_path):
        source = open_source(write_npz(tmp_path, images=IMAGES), image_size=4, channels=3)
        assert source.spec.shape == (4, 4, 3)
        # Of 5 columns the first 4 are the middle, and nothing is resized.
        for channel in range(3):
            np.testing.assert_array_equal(source.host["real"][..., channel], IMAGES[:, :, :4])

    def test_points_have_no_size(self, tmp_path):
        path = write_npz(tmp_path, points=np.ones((3, 2)))
        assert "image_size and channels are for images" in error_of(path, image_size=4)


class TestFolder:
    def test_images_in_order_of_name_and_unlabelled(self, tmp_path):
        write_images(tmp_path / "set", "b.png", "a.bmp", "c.PNG", value=10)
        source = open_source(str(tmp_path / "set"))
        assert source.spec == Spec((4, 4, 3), 0)
        np.testing.assert_array_equal(source.host["real"][:, 0, 0, 0], [11, 10, 12])

    def test_sub_folders_are_classes_in_order_of_name(self, tmp_path):
        write_images(tmp_path / "set/zebra", "1.png", value=5)
        write_images(tmp_path / "set/horse", "1.png", "2.png", value=7)
        source = open_source(str(tmp_path / "set"))
        assert source.spec == Spec((4, 4, 3), 2, ("horse", "zebra"))
        np.testing.assert_array_equal(source.host["label"], [0, 0, 1])
        np.testing.assert_array_equal(source.host["real"][:, 0, 0, 0], [7, 8, 5])

    def test_classes_that_are_numbered_count_as_people_do(self, tmp_path):
        for value, name in enumerate(("10", "2", "1", "a10", "a2", "a")):
            write_images(tmp_path / "set" / name, "1.png", value=value)
        source = open_source(str(tmp_path / "set"))
        assert source.spec.class_names == ("1", "2", "10", "a", "a2", "a10")
        np.testing.assert_array_equal(source.host["real"][:, 0, 0, 0], [2, 1, 0, 5, 4, 3])
        np.testing.assert_array_equal(source.host["label"], range(6))

    def test_train_and_test_folders_are_splits(self, tmp_path):
        for split, count in (("train", 2), ("test", 1)):
            for name in ("x", "y"):
                write_images(tmp_path / split / name, *[f"{i}.png" for i in range(count)])
        assert len(open_source(str(tmp_path))) == 4
        test = open_source(str(tmp_path), split="test")
        assert len(test) == 2
        assert test.spec.class_names == ("x", "y")
        assert "no split 'val'; it has train and test" in error_of(tmp_path, split="val")

    def test_splits_share_their_classes_and_their_channels(self, tmp_path):
        write_images(tmp_path / "train/x", "0.png")
        write_images(tmp_path / "test/x", "0.png")
        Image.new("L", (4, 4)).save(tmp_path / "test/x/0.png")
        assert open_source(str(tmp_path), split="test").spec.shape == (4, 4, 3)
        write_images(tmp_path / "test/y", "0.png")
        assert "the same classes, and have ['x'] and ['x', 'y']" in error_of(tmp_path)

    def test_without_them_there_is_no_test(self, tmp_path):
        write_images(tmp_path / "set", "a.png")
        assert "no split 'test'; it has train" in error_of(tmp_path / "set", split="test")

    def test_hidden_and_other_files_are_passed_over(self, tmp_path):
        write_images(tmp_path / "set", "a.png", ".b.png")
        write_images(tmp_path / "set/.thumbnails", "a.png")
        (tmp_path / "set/README.txt").write_text("not an image")
        assert len(open_source(str(tmp_path / "set"))) == 1

    def test_grey_only_when_all_are(self, tmp_path):
        folder = tmp_path / "set"
        folder.mkdir()
        Image.new("L", (4, 4), 100).save(folder / "a.png")
        assert open_source(str(folder)).spec.shape == (4, 4, 1)
        assert open_source(str(folder), channels=3).spec.shape == (4, 4, 3)
        Image.new("RGB", (4, 4), (255, 0, 0)).save(folder / "b.png")
        assert open_source(str(folder)).spec.shape == (4, 4, 3)
        grey = open_source(str(folder), channels=1).host["real"]
        assert grey.shape == (2, 4, 4, 1)
        assert grey[1, 0, 0, 0] == 76  # .299 of 255, the luma of red

    def test_one_size_or_an_image_size(self, tmp_path):
        write_images(tmp_path / "set", "a.png", size=(6, 4))
        write_images(tmp_path / "set", "b.png", size=(6, 5))
        error = error_of(tmp_path / "set")
        assert re.search(r"b\.png is 5 x 6 and .*a\.png is 4 x 6; choose an image_size", error)
        assert open_source(str(tmp_path / "set"), image_size=3).spec.shape == (3, 3, 3)

    def test_many_files_are_asked_of_the_system_once_each(self, tmp_path, monkeypatch):
        write_images(tmp_path / "set", *(f"{n:02}.png" for n in range(20)))
        open_source(str(tmp_path / "set"))
        asked, stat = [], os.stat

        def noting(path, *args, **options):
            asked.append(str(path))
            return stat(path, *args, **options)

        monkeypatch.setattr(os, "stat", noting)
        open_source(str(tmp_path / "set"))
        photographs = [path for path in asked if path.endswith(".png")]
        assert len(photographs) == len(set(photographs)) == 20

    @pytest.mark.parametrize("keep", [0, 30, -100])
    def test_a_damaged_image_is_named(self, tmp_path, keep):
        noise = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
        write_images(tmp_path / "set", "a.png", size=(32, 32))
        bad = tmp_path / "set/bad.png"
        Image.fromarray(noise).save(bad)
        bad.write_bytes(bad.read_bytes()[:keep])
        assert error_of(tmp_path / "set").startswith(str(bad))
        assert not list(Path(os.environ["JAXGAN_CACHE"]).glob("*.npy"))

    def test_what_only_claims_to_be_an_image_is_named(self, tmp_path):
        write_images(tmp_path / "set", "a.png")
        (tmp_path / "set/b.jpg").write_text("<html>not found</html>")
        assert "b.jpg is not an image" in error_of(tmp_path / "set")

    @pytest.mark.parametrize("size", [(8200, 8200), (12_000, 8_000), (20_000, 20_000)])
    def test_decompression_bombs_are_refused_by_their_headers(self, tmp_path, size):
        # 8 x 8 pixels whose header says otherwise; Pillow checks its checksum.
        import struct
        import zlib

        write_images(tmp_path / "set", "bomb.png", size=(8, 8))
        bomb = tmp_path / "set/bomb.png"
        contents = bytearray(bomb.read_bytes())
        contents[16:24] = struct.pack(">II", *size)
        contents[29:33] = struct.pack(">I", zlib.crc32(contents[12:29]))
        bomb.write_bytes(contents)
        error = error_of(tmp_path / "set", image_size=4)
        assert error.startswith(f"{bomb} cannot be decoded as an image")
        assert "pixels" in error

    def test_sixteen_bit_images_are_refused(self, tmp_path):
        (tmp_path / "set").mkdir()
        Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "set/deep.png")
        assert "only 8-bit grey and colour" in error_of(tmp_path / "set")

    def test_links_are_followed_only_within_the_folder(self, tmp_path):
        write_images(tmp_path / "elsewhere", "a.png")
        write_images(tmp_path / "set", "a.png")
        (tmp_path / "set/b.png").symlink_to(tmp_path / "set/a.png")
        assert len(open_source(str(tmp_path / "set"))) == 2
        link = tmp_path / "set/c.png"
        link.symlink_to(tmp_path / "elsewhere/a.png")
        assert f"{link} is a link that leads out of" in error_of(tmp_path / "set")
        link.unlink()
        link.symlink_to(tmp_path / "nowhere.png")
        assert "or nowhere" in error_of(tmp_path / "set")

    def test_linked_class_folders_must_not_lead_out_either(self, tmp_path):
        write_images(tmp_path / "elsewhere", "a.png")
        write_images(tmp_path / "set/x", "a.png")
        (tmp_path / "set/y").symlink_to(tmp_path / "elsewhere")
        assert "leads out of" in error_of(tmp_path / "set")

    def test_a_link_to_the_folder_itself_is_fine(self, tmp_path):
        write_images(tmp_path / "set", "a.png")
        (tmp_path / "link").symlink_to(tmp_path / "set")
        assert len(open_source(str(tmp_path / "link"))) == 1

    def test_folders_of_the_wrong_form(self, tmp_path):
        assert "There is no folder" in error_of(tmp_path / "missing")
        (tmp_path / "empty").mkdir()
        assert "holds no images (files that end in .png" in error_of(tmp_path / "empty")
        write_images(tmp_path / "mixed", "a.png")
        write_images(tmp_path / "mixed/x", "a.png")
        assert "both images (a.png, ...) and folders (x, ...)" in error_of(tmp_path / "mixed")
        write_images(tmp_path / "deep/x/y", "a.png")
        assert re.search("class folder .*x holds the folder y", error_of(tmp_path / "deep"))
        write_images(tmp_path / "gap/x", "a.png")
        (tmp_path / "gap/y").mkdir()
        assert re.search("class folder .*y holds no images", error_of(tmp_path / "gap"))

    def test_decoded_once_until_a_file_changes(self, tmp_path, monkeypatch):
        decoded = []
        decode = images.decode
        monkeypatch.setattr(
            images, "decode", lambda *args: decoded.append(args[1]) or decode(*args)
        )
        folder = tmp_path / "set"
        write_images(folder, "a.png", "b.png")
        first = open_source(str(folder))
        assert len(decoded) == 2
        again = open_source(str(folder))
        assert len(decoded) == 2
        np.testing.assert_array_equal(first.host["real"], again.host["real"])
        Image.new("RGB", (4, 4), (99, 0, 0)).save(folder / "b.png")
        os.utime(folder / "b.png", (0, 0))  # clocks may be too coarse to tell
        assert open_source(str(folder)).host["real"][1, 0, 0, 0] == 99
        assert open_source(str(folder), image_size=2).spec.shape == (2, 2, 3)

    def test_decoded_again_where_decoding_has_changed(self, tmp_path, monkeypatch):
        write_images(tmp_path / "set", "a.png")
        before = open_source(str(tmp_path / "set"))
        monkeypatch.setattr(images, "DECODING", images.DECODING + 1)
        after = open_source(str(tmp_path / "set"))
        assert before.host["real"].filename != after.host["real"].filename

    def test_other_kinds_of_images_are_counted_and_told_of_once(self, tmp_path):
        write_images(tmp_path / "set/x", "a.png")
        write_images(tmp_path / "set/y", "a.png")
        for name in ("x/b.jfif", "y/b.HEIC", "y/c.heic", "y/.d.heic", "y/notes.txt"):
            (tmp_path / "set" / name).write_text("")
        with pytest.warns(UserWarning, match="are passed over") as told:
            assert len(open_source(str(tmp_path / "set"))) == 2
        (message,) = [str(warning.message) for warning in told]
        assert f"passed over in {tmp_path / 'set'}: 2 .heic, 1 .jfif; convert them" in message


def test_transparency_is_an_option_and_each_has_its_own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    Image.new("RGBA", (4, 4)).save(tmp_path / "set" / "a.png")
    for transparency, value in (("white", 255), ("black", 0), ("white", 255)):
        with warnings.catch_warnings(action="ignore"):
            source = open_source(str(tmp_path / "set"), transparency=transparency)
        assert set(source.host["real"].ravel()) == {value}


@pytest.mark.skipif(os.sys.platform != "linux", reason="elsewhere such names cannot be made")
def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    write_images(tmp_path, "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xff.png")
    with pytest.raises(ValueError, match=r"\\udcff\.png' is not UTF-8: give it"):
        open_source(str(tmp_path))
