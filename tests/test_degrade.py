"""Degradations: grey images, drawings, smaller images, holes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan import degrade
from jaxgan.data.minibatch import to_float
from jaxgan.keys import key_of_rows

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (2, 8, 12, 3)).astype(np.float32)


def key(seed=0):
    return jax.random.key(seed)


def noise(*shape, limit=1.0, seed=1):
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype(np.float32)


def smooth(count, size):
    """Images of a few waves within [-1, 1]."""
    x = np.linspace(0, 3, size)
    frequency = np.random.default_rng(2).uniform(0.5, 4, (count, 2, 3))
    waves = [np.sin(x[:, None] * frequency[:, axis, None]) for axis in (0, 1)]
    return np.float32(0.9 * waves[0][:, :, None] * waves[1][:, None])


# Grey images and drawings


def test_grey_is_the_luma_by_hand():
    red, green, blue = np.eye(3, dtype=np.float32) * 2 - 1  # pure colours in [-1, 1]
    colours = np.stack([red, green, blue, red * 0 + 1, red * 0 - 1]).reshape(1, 1, 5, 3)
    expected = 2 * np.array([0.299, 0.587, 0.114, 1, 0]) - 1
    np.testing.assert_allclose(degrade.grey(colours).ravel(), expected, atol=1e-6)


def test_grey_is_pillows():
    images = RNG.integers(0, 256, (1, 16, 16, 3), np.uint8)
    pillow = np.asarray(Image.fromarray(images[0]).convert("L"), np.float32)
    grey = (degrade.grey(to_float(jnp.asarray(images))) + 1) * 127.5
    np.testing.assert_allclose(grey[0, ..., 0], pillow, atol=0.51)  # which rounds


def test_grey_images_pass_as_they_are():
    np.testing.assert_array_equal(degrade.grey(IMAGES[..., :1]), IMAGES[..., :1])


def test_a_step_from_black_to_white_is_a_full_line_and_a_flat_image_is_white_paper():
    step = np.full((1, 6, 8, 3), -1, np.float32)
    step[:, :, 4:] = 1
    expected = np.ones((1, 6, 8, 1))
    expected[:, :, 3:5] = -1  # the two columns beside the step, up to the border
    for options in ({}, {"faint": 0, "full": 1}):
        np.testing.assert_allclose(degrade.edges(step, **options), expected, atol=1e-6)
        turned = degrade.edges(step.swapaxes(1, 2), **options)
        np.testing.assert_allclose(turned, expected.swapaxes(1, 2), atol=1e-6)
    np.testing.assert_allclose(degrade.edges(0.5 * step, 0, 1), 0.5 * expected + 0.5, atol=0.51)
    np.testing.assert_array_equal(degrade.edges(step * 0 + 0.7), expected * 0 + 1)


def test_edges_are_sobels_by_hand():
    image = np.array([[0, 0, 1], [0, 1, 1], [0, 0, 0]], np.float32)[None, ..., None] - 0.5
    # In the middle: to the right 1 + 2 + 0 more, and downwards 1 less; of 8.
    magnitude = np.sqrt(3**2 + 1**2) / 8
    found = degrade.edges(image, 0, 1)[0, 1, 1, 0]
    np.testing.assert_allclose(found, 1 - 2 * magnitude, rtol=1e-6)
    found = degrade.edges(image, 0.2, 0.5)[0, 1, 1, 0]
    np.testing.assert_allclose(found, 1 - 2 * (magnitude - 0.2) / 0.3, rtol=1e-5)


def test_edges_are_scipys_with_mirrored_borders():
    ndimage = pytest.importorskip("scipy.ndimage")
    image = noise(7, 9)
    gradients = [ndimage.sobel(image, axis, mode="mirror") for axis in (0, 1)]
    expected = 1 - 2 * np.minimum(np.hypot(*gradients) / 8, 1)
    found = degrade.edges(image[None, ..., None], 0, 1)
    np.testing.assert_allclose(found[0, ..., 0], expected, atol=1e-5)


def test_edges_have_a_derivative_everywhere_and_it_is_the_finite_difference():
    flat = np.zeros((1, 5, 5, 1), np.float32)
    slope = jax.jit(jax.grad(lambda x: degrade.edges(x, 0, 1).sum()))
    np.testing.assert_array_equal(slope(flat), flat)
    image, direction = (noise(1, 6, 6, 3, limit=0.3, seed=s) for s in (3, 4))

    def total(step):
        return degrade.edges(image + step * direction, 0, 1).sum()

    total = jax.jit(total)
    difference = (total(0.01) - total(-0.01)) / 0.02
    np.testing.assert_allclose(jax.grad(total)(0.0), difference, rtol=0.01)


@pytest.mark.parametrize("bounds", [(0.3, 0.3), (-0.1, 0.3), (0.1, 1.1), (0.1, float("nan"))])
def test_bounds_of_edges_are_checked(bounds):
    with pytest.raises(ValueError, match=f"faint < full <= 1, not faint={bounds[0]} and full="):
        degrade.edges(IMAGES, *bounds)


# Sizes


def keys_kernel(x):
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def matlabs_matrix(size, wanted):
    """`[wanted, size]`: the kernel stretched where it makes smaller, over mirrored pixels."""
    stretch = max(size / wanted, 1)
    matrix = np.zeros((wanted, size))
    for row in range(wanted):
        centre = (row + 0.5) * size / wanted - 0.5
        places = np.arange(np.floor(centre - 2 * stretch), np.ceil(centre + 2 * stretch) + 1)
        weights = keys_kernel((places - centre) / stretch)
        inside = places.astype(int) % (2 * size)
        inside = np.where(inside < size, inside, 2 * size - 1 - inside)
        np.add.at(matrix[row], inside, weights / weights.sum())
    return matrix


def matlabs_resize(images, height, width):
    rows, columns = (
        matlabs_matrix(*x) for x in zip(images.shape[1:3], (height, width), strict=True)
    )
    return np.einsum("ij,njkc,lk->nilc", rows, np.float64(images), columns, optimize=True)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_downscaling_is_matlabs_imresize_in_the_interior(factor):
    for images in (smooth(2, 48), noise(2, 48, 48, 3, limit=0.7)):
        small = degrade.downscale(images, factor, quantise=False)
        expected = matlabs_resize(images, 48 // factor, 48 // factor)
        np.testing.assert_allclose(small[:, 2:-2, 2:-2], expected[:, 2:-2, 2:-2], atol=2e-6)
        border = np.abs(small - expected)
        assert 0.005 < border.max() < 0.12  # where Matlab mirrors


@pytest.mark.parametrize("factor", [2, 3])
def test_upscaling_is_matlabs_imresize_in_the_interior(factor):
    images = smooth(2, 16)
    expected = matlabs_resize(images, 16 * factor, 16 * factor)
    inner = slice(2 * factor, -2 * factor)
    found = degrade.upscale(images, factor)
    np.testing.assert_allclose(found[:, inner, inner], expected[:, inner, inner], atol=2e-6)


def test_downscaling_is_pytorchs_and_pillows():
    torch = pytest.importorskip("torch")
    images = noise(2, 24, 36, 3, limit=0.7)
    small = degrade.downscale(images, 4, quantise=False)
    theirs = torch.nn.functional.interpolate(
        torch.tensor(images).permute(0, 3, 1, 2), size=(6, 9), mode="bicubic", antialias=True
    )
    np.testing.assert_allclose(small, theirs.permute(0, 2, 3, 1).numpy(), atol=1e-5)
    pillow = Image.fromarray(images[0, ..., 0]).resize((9, 6), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(small[0, ..., 0], np.asarray(pillow), atol=1e-5)


def test_downscaling_is_by_hand_for_a_ramp_and_does_not_alias():
    ramp = np.linspace(-0.95, 0.95, 20, dtype=np.float32)  # a step of 0.1
    ramp = np.broadcast_to(ramp[None, :, None, None], (1, 20, 20, 1))
    small = degrade.downscale(ramp, 2, quantise=False)
    # Each pixel is the mean of two, a straight line staying one, where the kernel lies inside.
    np.testing.assert_allclose(small[0, 2:-2, 5, 0], np.arange(-5, 7, 2) * 0.1, atol=1e-6)
    board = np.indices((16, 16)).sum(0)[None, ..., None] % 2 * 2.0 - 1
    np.testing.assert_allclose(degrade.downscale(np.float32(board), 4)[:, 1:-1, 1:-1], 0, atol=0.01)


def test_smaller_images_are_bytes_or_not():
    images = noise(1, 16, 16, 1)
    rounded, exact = (degrade.downscale(images, 2, quantise=q) for q in (True, False))
    levels = np.rint((np.asarray(exact) + 1) * 127.5).astype(np.uint8)
    np.testing.assert_array_equal(rounded, to_float(jnp.asarray(levels)))
    assert jnp.abs(rounded - exact).max() > 1e-3
    slope = jax.grad(lambda x, q: degrade.downscale(x, 2, quantise=q).sum())
    assert not slope(images, True).any()
    np.testing.assert_allclose(slope(images, False).sum(), 64, rtol=1e-4)  # Weights sum to 1.


def test_both_keep_to_the_range_where_the_kernel_overshoots():
    step = np.full((1, 16, 16, 1), -1, np.float32)
    step[:, :, 7:] = 1
    resized = jax.image.resize(step, (1, 32, 32, 1), "cubic")
    assert jnp.abs(resized).max() > 1.05
    for images in (degrade.upscale(step, 2), degrade.downscale(step, 2, quantise=False)):
        assert (images.min(), images.max()) == (-1, 1)


def test_a_factor_of_one_changes_nothing_and_constants_stay():
    bytes_ = to_float(jnp.asarray(RNG.integers(0, 256, (1, 5, 7, 3), np.uint8)))
    np.testing.assert_allclose(degrade.downscale(bytes_, 1), bytes_, atol=1e-6)
    np.testing.assert_allclose(degrade.upscale(bytes_, 1), bytes_, atol=1e-6)
    flat = np.full((1, 8, 12, 3), 0.2, np.float32)
    np.testing.assert_allclose(degrade.upscale(degrade.downscale(flat, 4), 4), 0.2, atol=1e-5)


def test_factors_are_checked():
    for factor in (0, 3):
        with pytest.raises(ValueError, match=f"8x12 pixels cannot be downscaled .* of {factor}, "):
            degrade.downscale(IMAGES, factor)
    with pytest.raises(ValueError, match="factor of at least 1, not 0"):
        degrade.upscale(IMAGES, 0)


# Holes


def test_the_hole_in_the_middle_by_hand():
    masks = degrade.centre_hole(2, 4, 6)
    row = [0, 1, 1, 1, 0, 0]  # Three of six cannot lie in the middle.
    assert masks[1, ..., 0].tolist() == [[0] * 6, row, row, [0] * 6]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert masks.dtype == jnp.float32
    assert degrade.centre_hole(1, 8, 8, 1.0).all()
    assert degrade.centre_hole(1, 9, 9, 0.01).sum() == 1  # never none
    assert degrade.centre_hole(0, 8, 8).shape == (0, 8, 8, 1)


def spans(masks, axis):
    """First and last place of each box along an axis, having seen that it is a box."""
    covered = masks[..., 0].any(axis=3 - axis)
    first, last = covered.argmax(1), covered.shape[1] - 1 - covered[:, ::-1].argmax(1)
    np.testing.assert_array_equal(covered.sum(1), last - first + 1)
    return first, last


def test_boxes_are_rectangles_of_every_size_and_place_alike():
    boxes = jax.jit(lambda key: degrade.random_boxes(key, 4000, 8, 12))
    masks = np.asarray(boxes(key())) > 0
    (top, bottom), (left, right) = spans(masks, 1), spans(masks, 2)
    heights, widths = bottom - top + 1, right - left + 1
    np.testing.assert_array_equal(masks.sum((1, 2, 3)), heights * widths)
    for sides, wanted in ((heights, [2, 3, 4]), (widths, [3, 4, 5, 6])):  # a quarter to a half
        values, counts = np.unique(sides, return_counts=True)
        assert values.tolist() == wanted
        np.testing.assert_allclose(counts / 4000, 1 / len(wanted), atol=0.03)
    places, counts = np.unique(top[heights == 3], return_counts=True)
    assert places.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(counts / counts.sum(), 1 / 6, atol=0.04)
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.06
    assert abs(np.corrcoef(top, left)[0, 1]) < 0.06


def test_boxes_of_one_size_and_of_all_of_the_image():
    masks = degrade.random_boxes(key(), 5, 10, 10, 0.3, 0.3)
    np.testing.assert_array_equal(masks.sum((1, 2, 3)), 9)
    assert degrade.random_boxes(key(), 5, 10, 7, 1.0, 1.0).all()


def drawn_strokes(key, *sizes, **options):
    """Masks `[B, H, W]` by one compiled program."""
    return np.asarray(jax.jit(lambda key: degrade.strokes(key, *sizes, **options))(key))[..., 0]


def test_a_stroke_of_one_segment_has_its_width_length_and_round_ends():
    side, width, longest = 96, 0.125, 0.5
    options = {"most": 1, "segments": 1, "longest": longest, "thinnest": width, "thickest": width}
    masks = drawn_strokes(key(), 300, side, side, **options)
    thickness = width * side
    disc = np.pi / 4 * thickness**2
    inside = ~(masks[:, [0, -1]].any((1, 2)) | masks[:, :, [0, -1]].any((1, 2)))
    assert inside.sum() > 30
    areas = masks[inside].sum((1, 2))
    assert areas.min() > 0.97 * disc
    assert areas.max() < 1.03 * (disc + thickness * longest * side)
    for mask, area in zip(masks[inside], areas, strict=True):
        places = np.argwhere(mask) + 0.5
        axes = np.linalg.svd(places - places.mean(0), full_matrices=False)[2]
        length, across = np.ptp(places @ axes.T, axis=0)
        assert abs(area - (disc + (length + 1 - thickness) * thickness)) < 1.5 * thickness
        if length > 1.5 * thickness:  # else there is no telling the one from the other
            assert abs(across - thickness) < 2


def test_a_stroke_is_one_piece_and_a_mask_has_up_to_the_most():
    ndimage = pytest.importorskip("scipy.ndimage")

    def pieces(most):
        options = {"most": most, "longest": 0.2, "thinnest": 0.06, "thickest": 0.06}
        masks = drawn_strokes(key(5), 200, 64, 64, **options)
        # Corners join too: strokes are at least 3 pixels wide.
        return [ndimage.label(mask, np.ones((3, 3)))[1] for mask in masks]

    assert set(pieces(1)) == {1}
    assert set(pieces(3)) == {1, 2, 3}  # those that do not cross


def test_strokes_cover_what_the_description_says_and_no_place_but_the_border_less():
    masks = drawn_strokes(key(), 1500, 40, 40)
    assert set(np.unique(masks)) == {0.0, 1.0}
    cover, often = masks.mean((1, 2)), masks.mean(0)
    np.testing.assert_allclose(cover.mean(), 0.28, atol=0.015)
    np.testing.assert_allclose(np.quantile(cover, [0.05, 0.95]), [0.09, 0.46], atol=0.02)
    middle = often[10:30, 10:30]
    assert np.abs(middle / middle.mean() - 1).max() < 0.25
    assert often.min() > 0.1 * middle.mean()  # in a corner


def test_every_mask_has_a_hole_however_small_the_image_or_thin_the_brush():
    options = {"most": 1, "segments": 1, "thinnest": 1e-3, "thickest": 1e-3}
    assert drawn_strokes(key(), 200, 7, 5, **options).any((1, 2)).all()


DRAWN = {
    name: jax.jit(partial(function, height=16, width=24), static_argnums=1)
    for name, function in (("boxes", degrade.random_boxes), ("strokes", degrade.strokes))
}


@pytest.mark.parametrize("name", DRAWN)
def test_masks_are_functions_of_the_key_and_differ(name):
    draw = DRAWN[name]
    masks = draw(key(), 6)
    assert (masks.shape, masks.dtype) == ((6, 16, 24, 1), jnp.float32)
    np.testing.assert_array_equal(draw(key(), 6), masks)
    assert not np.array_equal(draw(key(1), 6), masks)
    assert len(np.unique(np.asarray(masks).reshape(6, -1), axis=0)) == 6
    assert draw(key(), 0).shape == (0, 16, 24, 1)


@pytest.mark.parametrize("name", DRAWN)
def test_masks_of_many_keys_at_once(name):
    many = jax.jit(jax.vmap(lambda own_key: DRAWN[name](own_key, 6)))(jax.random.split(key(), 2))
    for masks, own_key in zip(many, jax.random.split(key(), 2), strict=True):
        np.testing.assert_array_equal(masks, DRAWN[name](own_key, 6))


@pytest.mark.parametrize("name", DRAWN)
def test_parts_of_a_batch_draw_the_rows_of_the_whole(name):
    parts = [DRAWN[name](key_of_rows(key(), part), 3) for part in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), DRAWN[name](key(), 6))


def test_a_hole_is_painted_and_composed_by_hand():
    images = jnp.arange(4.0).reshape(1, 2, 2, 1) / 10
    masks = jnp.array([0, 1, 1, 0], jnp.float32).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(degrade.paint_hole(images, masks).ravel(), [0, 0, 0, 0.3])
    painted = jax.jit(degrade.paint_hole)(images, masks > 0, 0.5)
    np.testing.assert_allclose(painted.ravel(), [0, 0.5, 0.5, 0.3])
    composed = degrade.compose(-images, images, masks)
    np.testing.assert_allclose(composed.ravel(), [0, -0.1, -0.2, 0.3])


def test_known_pixels_are_the_truths_to_the_bit_and_the_hole_tells_nothing():
    masks = degrade.random_boxes(key(), 2, 8, 12)
    hole = np.asarray(masks)[..., 0] > 0
    made = noise(*IMAGES.shape)
    made[~hole] = np.nan
    composed = np.asarray(degrade.compose(made, IMAGES, masks))
    np.testing.assert_array_equal(composed[~hole], IMAGES[~hole])
    np.testing.assert_array_equal(composed[hole], made[hole])
    hidden = np.where(hole[..., None], np.float32(np.nan), IMAGES)
    expected = degrade.paint_hole(IMAGES, masks, -1.0)
    np.testing.assert_array_equal(degrade.paint_hole(hidden, masks, -1.0), expected)
    np.testing.assert_array_equal(degrade.compose(expected, IMAGES, masks), expected)


def test_gradients_of_a_composition_go_to_the_hole_alone():
    masks = degrade.centre_hole(2, 8, 12)
    wide = np.broadcast_to(masks, IMAGES.shape)
    made, truth = jax.grad(lambda a, b: degrade.compose(a, b, masks).sum(), (0, 1))(IMAGES, IMAGES)
    np.testing.assert_array_equal(made, wide)
    np.testing.assert_array_equal(truth, 1 - wide)
    known = jax.grad(lambda a: degrade.paint_hole(a, masks).sum())(IMAGES)
    np.testing.assert_array_equal(known, 1 - wide)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: degrade.centre_hole(1, 0, 4), "at least 1 pixel along a side, not 1 of 0x4"),
        (lambda: degrade.random_boxes(key(), -1, 4, 4), "count of at least 0 .* not -1 of 4x4"),
        (lambda: degrade.strokes(key(), 1, 4, 0), "not 1 of 4x0"),
        (lambda: degrade.centre_hole(1, 4, 4, 1.1), "above 0 and at most 1, not 1.1"),
        (lambda: degrade.centre_hole(1, 4, 4, 0), "above 0 and at most 1, not 0"),
        (
            lambda: degrade.random_boxes(key(), 1, 4, 4, 0.5, 0.4),
            "0 < smallest <= largest <= 1, not smallest=0.5 and largest=0.4",
        ),
        (lambda: degrade.random_boxes(key(), 1, 4, 4, 0.5, 1.5), "and largest=1.5"),
        (lambda: degrade.strokes(key(), 1, 4, 4, most=0), "not most=0, segments=6"),
        (lambda: degrade.strokes(key(), 1, 4, 4, segments=0), "not most=4, segments=0"),
        (lambda: degrade.strokes(key(), 1, 4, 4, longest=0), "above 0 and .* not longest=0,"),
        (lambda: degrade.strokes(key(), 1, 4, 4, thinnest=0.5), "thinnest=0.5, thickest=0.14"),
        (lambda: degrade.strokes(key(), 1, 4, 4, thinnest=0), "thinnest=0, thickest=0.14"),
    ],
)
def test_options_of_masks_are_checked(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# What all of them ask of images

OF_IMAGES = {
    "grey": degrade.grey,
    "edges": degrade.edges,
    "downscale": lambda images: degrade.downscale(images, 2),
    "upscale": lambda images: degrade.upscale(images, 2),
    "paint_hole": lambda images: degrade.paint_hole(images, degrade.centre_hole(2, 8, 12)),
    "compose": lambda images: degrade.compose(images, images, degrade.centre_hole(2, 8, 12)),
}


@pytest.mark.parametrize("name", OF_IMAGES)
def test_types_are_kept_and_jit_and_vmap_give_the_same(name):
    function = OF_IMAGES[name]
    compiled = jax.jit(function)
    plain = function(IMAGES)
    assert plain.dtype == jnp.float32
    assert np.abs(plain).max() <= 1 + 1e-6
    np.testing.assert_allclose(compiled(IMAGES), plain, atol=1e-6)
    many = jax.jit(jax.vmap(function))(np.stack([IMAGES, -IMAGES]))
    np.testing.assert_allclose(many[1], compiled(-IMAGES), atol=1e-6)
    half = compiled(IMAGES.astype(jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), plain, atol=0.04)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_what_is_no_batch_of_images_is_refused(name):
    function = OF_IMAGES[name]
    with pytest.raises(ValueError, match="images must be floating point, not uint8"):
        function(np.zeros((2, 8, 12, 3), np.uint8))
    with pytest.raises(ValueError, match=r"\[B, H, W, C\] with pixels, not \[8, 12, 3\]"):
        function(IMAGES[0])
    with pytest.raises(ValueError, match=r"with pixels, not \[2, 0, 12, 3\]"):
        function(IMAGES[:, :0])


def test_channels_masks_and_shapes_are_checked():
    with pytest.raises(ValueError, match="1 or 3 channels to be made grey, not 2"):
        degrade.edges(IMAGES[..., :2])
    masks = degrade.centre_hole(2, 8, 12)
    for wrong in (masks[..., 0], masks[:1], np.repeat(masks, 3, 3), masks * 1j):
        with pytest.raises(
            ValueError, match=r"real numbers of shape \[2, 8, 12, 1\], one for each"
        ):
            degrade.paint_hole(IMAGES, wrong)
    with pytest.raises(ValueError, match=r"one shape, not \[2, 8, 12, 3\] and \[2, 8, 12, 1\]"):
        degrade.compose(IMAGES, IMAGES[..., :1], masks)
