"""Decoding: sizes, channels and orientation."""

import io
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import images
from jaxgan.working import shown_by


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_come_back_exactly(random_image, channels):
    pixels = random_image(5, 7, grey=channels == 1)
    array = images.decode(encoded(Image.fromarray(pixels)), "x", None, channels)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, pixels.reshape(5, 7, channels))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_eight_bit_mode_gives_the_channels_asked_for(mode, channels):
    image = Image.new("RGB", (4, 4), "white").convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    array = images.decode(encoded(image, kind), "x", None, channels)
    assert array.shape == (4, 4, channels)
    assert array.min() >= 254


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_is_laid_on_white_and_told(channels):
    """Whatever colour a file has where nobody sees it, in every mode with transparency."""
    hidden = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    grey = Image.new("LA", (4, 4), (10, 0))
    keyed = encoded(Image.new("RGB", (4, 4), (10, 20, 30)), transparency=(10, 20, 30))
    for image in (
        encoded(hidden),
        encoded(grey),
        encoded(palette, transparency=b"\xff\x00"),
        encoded(hidden, "WEBP", lossless=True, exact=True),
        keyed,
    ):
        with pytest.warns(UserWarning, match="transparent pixels are laid on white"):
            array = images.decode(image, "x", None, channels)
        assert array.min() == 255


def test_what_is_half_transparent_is_half_white():
    with pytest.warns(UserWarning, match="laid on white"):
        array = images.decode(encoded(Image.new("LA", (4, 4), (0, 128))), "x", None, 1)
    assert set(array.ravel()) == {127}


def test_transparency_may_be_laid_on_black_or_the_mean_of_what_is_seen():
    hidden = np.zeros((2, 2, 4), np.uint8)
    hidden[0] = (
        (200, 100, 0, 255),
        (100, 200, 50, 85),
    )  # All of the one is seen, a third of the other
    hidden[1] = 10, 20, 30, 0
    image = encoded(Image.fromarray(hidden))
    with pytest.warns(UserWarning, match="laid on black"):
        array = images.decode(image, "x", None, 3, "black")
    np.testing.assert_array_equal(array[0, 0], [200, 100, 0])
    np.testing.assert_array_equal(array[1], 0)
    with pytest.warns(UserWarning, match="laid on their mean colour"):
        array = images.decode(image, "x", None, 3, "mean")
    # (200 + 100 / 3) / (4 / 3) = 175 and so on.
    np.testing.assert_array_equal(array[1], [[175, 125, 12]] * 2)
    with pytest.warns(UserWarning, match="laid on their mean colour"):
        array = images.decode(encoded(Image.new("RGBA", (2, 2))), "x", None, 3, "mean")
    assert array.min() == 255  # Nothing is seen.


def test_the_middle_square_is_kept(random_image):
    pixels = random_image(4, 10)
    array = images.decode(pixels, "x", 4, 3)
    np.testing.assert_array_equal(array, pixels[:, 3:7])
    tall = images.decode(pixels.swapaxes(0, 1), "x", 4, 3)
    np.testing.assert_array_equal(tall, pixels.swapaxes(0, 1)[3:7])


def test_shrinking_is_antialiased():
    # One-pixel stripes: sampling would give 0 or 255, averaging gives their mean.
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))[..., None]
    small = images.decode(stripes, "x", 8, 1)
    assert np.abs(small[:, 1:-1].astype(int) - 127).max() < 8


def test_resizing_keeps_a_constant():
    array = images.decode(np.full((9, 13, 3), 77, np.uint8), "x", 32, 3)
    np.testing.assert_array_equal(array, np.full((32, 32, 3), 77))


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_photographs_are_turned_upright(tmp_path, kind):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the left is the top
    path = tmp_path / f"photo.{kind}"
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    assert images.probe(path) == (16, 8, False, False)
    array = images.decode(path, "x", None, 3)
    assert array.shape == (16, 8, 3)
    assert array[:7].min() > 240
    assert array[9:].max() < 15


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    array = images.decode(tmp_path / "a.gif", "x", None, 1)
    np.testing.assert_array_equal(array, np.full((4, 4, 1), 10))


def test_one_step_equals_resizing_and_then_cropping(random_image):
    pixels = random_image(8, 16)
    resized = Image.fromarray(pixels).resize((8, 4), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(images.decode(pixels, "x", 4, 3), np.asarray(resized)[:, 2:6])


def test_a_strip_does_not_grow_before_it_shrinks():
    # The whole of it, enlarged, would be 1 x 60,000 times 512 squared.
    strip = np.full((1, 60_000, 1), 9, np.uint8)
    np.testing.assert_array_equal(images.decode(strip, "x", 512, 1), np.full((512, 512, 1), 9))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1000, 1000, 3)])
def test_blocks_come_in_order(shape):
    def work(start, stop):
        return {"x": np.arange(start, stop)}

    blocks = [block["x"] for block in images.in_threads(work, 1000, shape)]
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(1000))
    assert max(map(len, blocks)) * shape[0] * shape[1] * shape[2] < 1 << 24


def test_the_first_error_ends_the_work():
    calls = []

    def fails(start, stop):
        calls.append(start)
        raise ValueError(f"block {start}")

    with pytest.raises(ValueError, match="block 0"):
        list(images.in_threads(fails, 10**6, (100, 100, 3)))
    assert len(calls) < 1000  # of 3,571


@pytest.mark.parametrize("image_size", [0, -8, 5000])
def test_impossible_sizes(image_size):
    with pytest.raises(ValueError, match=f"from 1 to 4096 pixels, and is {image_size}"):
        images.check_options(image_size, None)


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_impossible_channels(channels):
    with pytest.raises(ValueError, match=f"and is {channels}"):
        images.check_options(None, channels)


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(monkeypatch):
    """At twice the asked size or more: 400 pixels at a quarter, of 32 at twice, are enough."""
    wave = 128 + 100 * np.sin(np.arange(400) / 30)
    pixels = np.rint(wave[:, None, None] * np.ones((1, 500, 3))).astype(np.uint8)
    photograph, sizes = encoded(Image.fromarray(pixels), "JPEG", quality=95), []
    resize = Image.Image.resize

    def seen(image, *args, **options):
        sizes.append(image.size)
        return resize(image, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", seen)
    small = images.decode(photograph, "x", 32, 3)
    monkeypatch.setattr(images, "_ENOUGH", 1000)
    whole = images.decode(photograph, "x", 32, 3)
    assert sizes == [(125, 100), (500, 400)]
    np.testing.assert_allclose(small.astype(int), whole, atol=3)


def test_decoding_tells_how_far_it_is(monkeypatch):
    told = []

    @contextmanager
    def show(what, total):
        told.append((what, total))
        yield told.append

    monkeypatch.setattr(images.os, "cpu_count", lambda: 1)
    work = lambda start, stop: {"n": np.arange(start, stop)}  # noqa: E731
    with shown_by(show):
        blocks = list(images.in_threads(work, 2000, (1,)))
    assert np.concatenate([block["n"] for block in blocks]).tolist() == list(range(2000))
    (what, *counts) = told
    assert what == ("decoding images", 2000)
    assert counts == sorted(set(counts))
    assert counts[0] >= 0
    assert counts[-1] < 2000
