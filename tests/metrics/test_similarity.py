import jax
import numpy as np
import pytest

from jaxgan.metrics import psnr, similarity, ssim
from jaxgan.metrics.similarity import luminance


@pytest.fixture
def installed():
    pytest.importorskip("dm_pix")


def images(seed, count=3, size=16):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 2), dtype=np.uint8)


@pytest.mark.usefixtures("installed")
def test_psnr_by_hand():
    a, b = np.zeros((2, 4, 4, 1), np.uint8), np.zeros((2, 4, 4, 1), np.uint8)
    b[0] = 51  # An error of 1/5 everywhere
    b[1, 0, 0] = 255  # of 1 in one pixel of 16
    np.testing.assert_allclose(psnr(a, b), [20 * np.log10(5), 10 * np.log10(16)], rtol=1e-5)
    assert psnr(a[0], a[0]) == np.inf


def ssim_of_a_window(a, b):
    """The formula of Wang et al. for one 11x11 window, in [0, 1]."""
    weight = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    weight = np.outer(weight, weight) / weight.sum() ** 2
    mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
    var_a, var_b = ((weight * (x - m) ** 2).sum() for x, m in ((a, mean_a), (b, mean_b)))
    both = (weight * (a - mean_a) * (b - mean_b)).sum()
    numerator = (2 * mean_a * mean_b + 0.01**2) * (2 * both + 0.03**2)
    return numerator / ((mean_a**2 + mean_b**2 + 0.01**2) * (var_a + var_b + 0.03**2))


@pytest.mark.usefixtures("installed")
def test_ssim_of_a_single_window_is_the_formula():
    a, b = images(0, 2, 11), images(1, 2, 11)
    b = np.uint8(0.7 * a + 0.3 * b)
    expected = [
        np.mean([ssim_of_a_window(x[..., c], y[..., c]) for c in range(2)])
        for x, y in zip(a / 255, b / 255, strict=True)
    ]
    np.testing.assert_allclose(ssim(a, b), expected, rtol=1e-4)


@pytest.mark.usefixtures("installed")
def test_equal_images_have_ssim_1_and_negatives_less_than_0():
    a = images(0)
    np.testing.assert_allclose(ssim(a, a), 1, rtol=1e-5)
    assert (np.asarray(ssim(a, 255 - a)) < 0).all()
    assert ssim(a[0], a[0]).shape == ()


@pytest.mark.usefixtures("installed")
def test_floats_in_the_range_of_the_library_are_the_same_images():
    a, b = images(0), images(1)
    as_floats = [np.float32(x) / 127.5 - 1 for x in (a, b)]
    np.testing.assert_allclose(psnr(*as_floats), psnr(a, b), rtol=1e-4)
    np.testing.assert_allclose(ssim(*as_floats), ssim(a, b), atol=1e-5)


def test_bad_images_are_named():
    a = images(0)
    with pytest.raises(ValueError, match=r"uint8 \[3, 16, 16, 2\] and uint8 \[2, 16, 16, 2\]"):
        psnr(a, a[:2])
    with pytest.raises(ValueError, match=r"and one type, not uint8 .* and float32"):
        psnr(a, np.float32(a))
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\], not int32"):
        ssim(np.int32(a), np.int32(a))
    with pytest.raises(ValueError, match=r"not uint8 \[3, 16, 16, 0\]"):
        psnr(a[..., :0], a[..., :0])
    with pytest.raises(ValueError, match="at least 11 pixels along a side"):
        ssim(a[:, :10], a[:, :10])


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(similarity, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install jaxgan\[similarity\]"):
        psnr(images(0), images(0))


@pytest.mark.parametrize("figure", [psnr, ssim])
def test_floats_out_of_range_are_named(figure):
    good = np.zeros((2, 31, 31, 3), np.float32)  # Enough for JAX to lose NaN in a minimum.
    for wrong, message in (
        (255.0, "not floats from 0 to 255"),
        (-1.01, "not floats from -1.01 to 0"),
        (np.nan, "not floats from nan to nan"),
        (np.inf, "not floats from 0 to inf"),
    ):
        bad = good.copy()
        bad[1, 3, 4] = wrong
        for pair in ((bad, good), (good, bad)):
            with pytest.raises(ValueError, match=rf"floats in \[-1, 1\], {message}$"):
                figure(*pair)


@pytest.mark.usefixtures("installed")
def test_floats_are_taken_to_the_ends_of_the_range_and_under_jit():
    a = np.full((2, 12, 12, 1), -1, np.float32)
    b = np.full_like(a, 1 + 1e-6)  # what an interpolation makes of 1
    np.testing.assert_allclose(psnr(a, b), 0, atol=1e-4)  # An error of 1 everywhere
    np.testing.assert_allclose(jax.jit(psnr)(a, b), 0, atol=1e-4)
    assert psnr(a[:0], b[:0]).shape == (0,)


COLOURS = {  # the Y of ITU-R BT.601: 16 + 65.481 R + 128.553 G + 24.966 B
    (0, 0, 0): 16,
    (255, 255, 255): 235,
    (255, 0, 0): 81.481,
    (0, 255, 0): 144.553,
    (0, 0, 255): 40.966,
    (51, 102, 204): 16 + 0.2 * 65.481 + 0.4 * 128.553 + 0.8 * 24.966,
}


def test_luminance_by_hand():
    colours = np.uint8(list(COLOURS)).reshape(1, 2, 3, 3)
    expected = np.array(list(COLOURS.values())).reshape(1, 2, 3, 1)
    found = luminance(colours)
    assert found.dtype == np.uint8  # 16, 235, 81, 145, 41, 101
    np.testing.assert_array_equal(found, np.rint(expected))
    found = luminance(np.float32(colours) / 127.5 - 1)
    assert found.dtype == np.float32
    np.testing.assert_allclose((found + 1) * 127.5, expected, atol=2e-5)


def test_luminance_loses_borders_and_takes_one_channel_as_it_is():
    grey = images(0, 2, 16)[..., :1]
    np.testing.assert_array_equal(luminance(grey, crop=3), grey[:, 3:13, 3:13])
    floats = (np.float32(grey) / 127.5 - 1).astype(np.float16)
    assert luminance(floats, crop=7).shape == (2, 2, 2, 1)
    assert luminance(floats).dtype == np.float32
    colour = np.random.default_rng(1).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(luminance(colour, 2), luminance(colour)[2:10, 2:7])
    np.testing.assert_array_equal(
        jax.jit(luminance, static_argnums=1)(colour, 2), luminance(colour, 2)
    )


@pytest.mark.usefixtures("installed")
def test_the_peak_of_a_luminances_ratio_is_255():
    black, white = (np.full((1, 4, 4, 3), value, np.uint8) for value in (0, 255))
    expected = 20 * np.log10(255 / 219)
    np.testing.assert_allclose(psnr(luminance(black), luminance(white)), [expected], rtol=1e-5)
    floats = (luminance(np.float32(x) / 127.5 - 1) for x in (black, white))
    np.testing.assert_allclose(psnr(*floats), [expected], rtol=1e-5)


def test_what_has_no_luminance_is_named():
    colour = np.zeros((1, 8, 6, 3), np.float32)
    with pytest.raises(ValueError, match=r"C 1 or 3 to have a luminance, not \[3, 16, 16, 2\]"):
        luminance(images(0))
    with pytest.raises(ValueError, match=r"not \[8, 6\]"):
        luminance(colour[0, ..., 0])
    for crop in (-1, 3):
        with pytest.raises(ValueError, match=rf"pixels of \[1, 8, 6, 3\], but it is {crop}"):
            luminance(colour, crop)
    with pytest.raises(ValueError, match=r"uint8 or floats in .* not int32"):
        luminance(np.int32(colour))
    with pytest.raises(ValueError, match="not floats from 0 to 255"):
        luminance(np.where(np.arange(3) == 1, np.float32(255), colour))
