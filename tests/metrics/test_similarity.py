import jax
import numpy as np
import pytest

from jaxgan.metrics import psnr, similarity, ssim


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
    good = np.zeros((2, 12, 12, 1), np.float32)
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
