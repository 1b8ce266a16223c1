"""Images made worse on purpose, for generators that learn the way back.

Every function is pure and takes or makes images `[B, H, W, C]`, floats in [-1, 1], or masks
`[B, H, W, 1]`, float32, 1 in the hole and 0 where pixels are known. Sizes and options are Python
numbers; what is random consumes a key. For denoising the degradation is `augment.instance_noise`.

`metrics.luminance` is not `grey`: it has the offset and range of digital video, in which published
tables of super-resolution are measured.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgan.arrays import floating, wide
from jaxgan.keys import derive
from jaxgan.types import Array, Key, Number

_TURN = 2.0  # radians: how far a stroke turns at a vertex, at most, either way


LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey image (ITU-R BT.601)."""


def grey(images: Array) -> Array:
    """The luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as Pillow's and OpenCV's grey images.

    Args:
      images: `[B, H, W, C]`, C 3 (red, green, blue) or 1, which passes as it is.

    Returns:
      `[B, H, W, 1]` of the images' type.

    Raises:
      ValueError: if the images are not as said.
    """
    images = _images(images)
    channels = images.shape[3]
    if channels == 1:
        return images
    if channels != 3:
        raise ValueError(f"images must have 1 or 3 channels to be made grey, not {channels}")
    red, green, blue = jnp.split(wide(images), 3, axis=3)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).astype(images.dtype)


def edges(images: Array, faint: float = 0.05, full: float = 0.3) -> Array:
    """Outlines as a drawing, dark lines on white: the input of edges-to-image translation.

    The magnitude of Sobel's gradient of the grey image is 1 at a straight edge, level or upright,
    between black and white, and 0 where nothing changes. From `faint` to `full` the paper turns
    linearly from white to black. Beyond the border images are mirrored about their last pixels, so
    that the frame itself is no edge.

    The defaults are for drawings of small pictures such as emoji, whose shading they leave out;
    `faint=0, full=1` draws the magnitude itself. pix2pix takes edges from HED, a network, and thins
    them; these are as wide as the kernel, 2 pixels and more.

    Args:
      images: `[B, H, W, C]`, C 1 or 3.
      faint: the magnitude up to which nothing is drawn, at least 0.
      full: the one from which on a line is black, above `faint` and at most 1.

    Returns:
      `[B, H, W, 1]` of the images' type. Where the magnitude is 0 its derivative is 0.

    Raises:
      ValueError: if the images or the bounds are not as said.

    References:
      Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017
      (arXiv:1611.07004).
    """
    if not 0 <= faint < full <= 1:
        raise ValueError(f"edges need 0 <= faint < full <= 1, not faint={faint} and full={full}")
    images = grey(images)
    padded = jnp.pad(wide(images), ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]  # [B, H, W + 2, 1]
    across = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]  # [B, H + 2, W, 1]
    squares = (down[:, :, 2:] - down[:, :, :-2]) ** 2 + (across[:, 2:] - across[:, :-2]) ** 2
    # The kernel's weights are 1, 2 and 1, and black and white are 2 apart: 8. The root of 0 has
    # no derivative.
    magnitude = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0) / 8
    ink = jnp.clip((magnitude - faint) / (full - faint), 0, 1)
    return (1 - 2 * ink).astype(images.dtype)


def downscale(images: Array, factor: int, *, quantise: bool = True) -> Array:
    """Smaller by a whole factor, bicubic and without aliasing: the input of super-resolution.

    The kernel is Keys' with a = -1/2, stretched by the factor, and its weights sum to 1: Matlab's
    `imresize`, with which published sets were made, `PIL.Image.BICUBIC`, and PyTorch's
    `interpolate(..., "bicubic", antialias=True)`. Matlab mirrors images beyond their border, where
    this one, as those two do, leaves the kernel's outer part away: the outermost 2 rows and columns
    of the result differ, by 1 to 4 grey levels as a rule and 11 in noise; the interior agrees but
    for rounding. OpenCV's `INTER_CUBIC` and PyTorch's without `antialias` do not stretch the
    kernel, and have a = -3/4; their images are another task.

    Args:
      images: `[B, H, W, C]` in [-1, 1].
      factor: divides H and W.
      quantise: rounds to the 256 levels of bytes, as an image is that was saved. Rounding passes no
        gradient.

    Returns:
      `[B, H / factor, W / factor, C]` in [-1, 1], of the images' type.

    Raises:
      ValueError: if the images are not as said or the factor does not divide their sides.

    References:
      Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981.
    """
    images = _images(images)
    count, height, width, channels = images.shape
    if factor < 1 or height % factor or width % factor:
        raise ValueError(
            f"images of {height}x{width} pixels cannot be downscaled by a factor of {factor}, "
            "which must be at least 1 and divide both sides: crop them first"
        )
    shape = (count, height // factor, width // factor, channels)
    small = jnp.clip(jax.image.resize(wide(images), shape, "cubic"), -1, 1)
    if quantise:
        small = jnp.round((small + 1) * 127.5) / 127.5 - 1
    return small.astype(images.dtype)


def upscale(images: Array, factor: int) -> Array:
    """Larger by a whole factor, by Keys' bicubic kernel: what super-resolution must do better than.

    Not rounded to bytes: the baseline of published tables is (`imaging.to_uint8`).

    Args:
      images: `[B, H, W, C]` in [-1, 1].
      factor: at least 1.

    Returns:
      `[B, factor H, factor W, C]`, clipped to [-1, 1], of the images' type.

    Raises:
      ValueError: if the images or the factor are not as said.
    """
    images = _images(images)
    if factor < 1:
        raise ValueError(f"images can be upscaled by a factor of at least 1, not {factor}")
    count, height, width, channels = images.shape
    shape = (count, height * factor, width * factor, channels)
    return jnp.clip(jax.image.resize(wide(images), shape, "cubic"), -1, 1).astype(images.dtype)


def centre_hole(count: int, height: int, width: int, share: float = 0.5) -> Array:
    """Masks of one rectangle in the middle, all alike, as context encoders fill it.

    Args:
      count: B, how many.
      height: H.
      width: W.
      share: the hole's part of the height and of the width, above 0 and at most 1; it has at least
        1 pixel. Where it cannot lie in the middle it lies half a pixel to the upper left.

    Returns:
      float32 `[B, H, W, 1]`.

    Raises:
      ValueError: if a size or the share is out of range.

    References:
      Pathak et al., Context Encoders: Feature Learning by Inpainting, 2016 (arXiv:1604.07379).
    """
    _check_sizes(count, height, width)
    if not 0 < share <= 1:
        raise ValueError(f"the hole's share of a side must be above 0 and at most 1, not {share}")
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    top, left = (height - rows) // 2, (width - columns) // 2
    hole = jnp.zeros((count, height, width, 1), jnp.float32)
    return hole.at[:, top : top + rows, left : left + columns].set(1)


def random_boxes(
    key: Key,
    count: int,
    height: int,
    width: int,
    smallest: float = 0.25,
    largest: float = 0.5,
) -> Array:
    """Masks of one rectangle each, of random sides, anywhere within the image.

    Each side is a whole number of pixels, all from `smallest` to `largest` equally likely, height
    and width independent; so is the place, among those where the rectangle lies wholly inside.

    Args:
      key: consumed.
      count: B, how many.
      height: H.
      width: W.
      smallest: a rectangle's least part of the height, and of the width, above 0; rounded, and at
        least 1 pixel.
      largest: the largest part, at most 1.

    Returns:
      float32 `[B, H, W, 1]`.

    Raises:
      ValueError: if a size or a share is out of range.
    """
    _check_sizes(count, height, width)
    if not 0 < smallest <= largest <= 1:
        raise ValueError(
            "a rectangle's shares of a side must be 0 < smallest <= largest <= 1, "
            f"not smallest={smallest} and largest={largest}"
        )
    rows = _span(derive(key, "rows"), count, height, smallest, largest)
    columns = _span(derive(key, "columns"), count, width, smallest, largest)
    return (rows[:, :, None, None] & columns[:, None, :, None]).astype(jnp.float32)


def strokes(
    key: Key,
    count: int,
    height: int,
    width: int,
    *,
    most: int = 4,
    segments: int = 6,
    longest: float = 0.5,
    thinnest: float = 0.06,
    thickest: float = 0.14,
) -> Array:
    """Masks of free-form strokes, as of a thick brush.

    A mask has 1 to `most` strokes. Each starts anywhere, is a walk of straight segments of random
    lengths that turns at random by up to 2 radians, has one width and round ends. Walks that would
    leave the image are folded back as by a mirror. With the defaults 28 % of a square image is
    covered on average and 9 % to 46 % in nine of ten masks, whatever its size; of one twice as wide
    as high, 16 % and 5 % to 28 %.

    The idea is that of irregular and free-form masks; the numbers are not those of a paper.
    DeepFill turns its brush to two sides in alternation, and draws rectangles besides:
    `jnp.maximum` joins these masks with `random_boxes`. Corners are covered less often.

    Args:
      key: consumed.
      count: B, how many.
      height: H.
      width: W.
      most: strokes a mask, at least 1.
      segments: of a stroke, at least 1.
      longest: a segment's greatest length, as a part of the shorter side; lengths are uniform from
        0 on.
      thinnest: a stroke's least width, as a part of the shorter side, above 0; never less than 1.5
        pixels, so that no stroke runs between pixels.
      thickest: its greatest width.

    Returns:
      float32 `[B, H, W, 1]`; a pixel is in the hole if its centre is.

    Raises:
      ValueError: if a size or an option is out of range.

    References:
      Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, 2018
      (arXiv:1804.07723).
      Yu et al., Free-Form Image Inpainting with Gated Convolution, 2019 (arXiv:1806.03589).
    """
    _check_sizes(count, height, width)
    if most < 1 or segments < 1:
        raise ValueError(
            f"strokes must be at least 1, of at least 1 segment, not most={most}, "
            f"segments={segments}"
        )
    if not 0 < thinnest <= thickest or not longest > 0:
        raise ValueError(
            "strokes need longest above 0 and 0 < thinnest <= thickest, "
            f"not longest={longest}, thinnest={thinnest}, thickest={thickest}"
        )
    side = min(height, width)

    shape = (count, most, 3 + 2 * segments)
    draws = jax.random.uniform(derive(key, "walks"), shape, jnp.float32)
    row, column, thickness, lengths, turns = jnp.split(draws, (1, 2, 3, 3 + segments), axis=2)
    # The first turn is the direction, any.
    furthest = np.array([math.pi] + [_TURN] * (segments - 1), np.float32)[None, None]
    angles = jnp.cumsum((2 * turns - 1) * furthest, axis=2)
    lengths = longest * side * lengths
    walks = (
        _walk(row, lengths * jnp.sin(angles) / height) * height,
        _walk(column, lengths * jnp.cos(angles) / width) * width,
    )
    radii = jnp.maximum(side * (thinnest + (thickest - thinnest) * thickness) / 2, 0.75)
    number = jax.random.randint(derive(key, "number"), (count, 1, 1), 1, most + 1, jnp.int32)
    # A stroke too many has no width.
    radii = jnp.where(jnp.arange(most, dtype=jnp.int32)[None, :, None] < number, radii, 0)

    def by_segment(values: Array) -> Array:
        """`[B, most, segments]` as `[most * segments, B, 1, 1]`."""
        return values.reshape(count, most * segments).T[:, :, None, None]

    ends = [by_segment(x) for walk in walks for x in (walk[:, :, :-1], walk[:, :, 1:])]
    radii = by_segment(jnp.repeat(radii, segments, axis=2))
    rows = (jnp.arange(height, dtype=jnp.float32) + 0.5)[None, :, None]
    columns = (jnp.arange(width, dtype=jnp.float32) + 0.5)[None, None, :]

    def covered(segment: tuple[Array, ...]) -> Array:
        """The pixels `[B, H, W]` nearer to a segment than its radius."""
        start_row, end_row, start_column, end_column, radius = segment
        down, right = end_row - start_row, end_column - start_column
        from_row, from_column = rows - start_row, columns - start_column
        squared_length = jnp.maximum(down**2 + right**2, 1e-12)  # of a point too
        along = jnp.clip((from_row * down + from_column * right) / squared_length, 0, 1)
        distances = (from_row - along * down) ** 2 + (from_column - along * right) ** 2
        return distances < radius**2

    # Segment by segment: all of them at once are [B, most, segments, H, W].
    every = (*ends, radii)
    first, others = ([x[part] for x in every] for part in (0, slice(1, None)))
    hole, _ = jax.lax.scan(
        lambda hole, segment: (hole | covered(segment), None), covered(tuple(first)), tuple(others)
    )
    return hole[..., None].astype(jnp.float32)


def paint_hole(images: Array, masks: Array, value: Number = 0.0) -> Array:
    """Images whose hole holds one value: what a generator that fills holes is given.

    It should be given the mask too, since the value may be a colour of the picture.

    Args:
      images: `[B, H, W, C]`.
      masks: `[B, H, W, 1]`, numbers or booleans; a pixel is in the hole where its mask is above
        1/2.
      value: in the units of the images; 0 is the middle grey. May be traced.

    Returns:
      Shape and type of the images. What was in the hole has no influence, NaN neither, and gets no
      gradient.

    Raises:
      ValueError: if the images are not as said or the masks do not fit them.
    """
    images = _images(images)
    return jnp.where(_hole(masks, images), jnp.asarray(value, images.dtype), images)


def compose(images: Array, truth: Array, masks: Array) -> Array:
    """What a generator made, in the hole alone: known pixels are those of the truth, to the bit.

    Args:
      images: `[B, H, W, C]`, what fills the holes.
      truth: the same shape, with what is known outside of them.
      masks: `[B, H, W, 1]`, as of `paint_hole`.

    Returns:
      `[B, H, W, C]` of the wider of the two types.

    Raises:
      ValueError: if the arrays are not as said or do not fit each other.
    """
    images, truth = _images(images), _images(truth, "truth")
    if images.shape != truth.shape:
        raise ValueError(
            f"images and truth must have one shape, not {list(images.shape)} and "
            f"{list(truth.shape)}"
        )
    dtype = jnp.promote_types(images.dtype, truth.dtype)
    return jnp.where(_hole(masks, images), images.astype(dtype), truth.astype(dtype))


def _images(images: Array, name: str = "images") -> Array:
    """Images of floating point, `[B, H, W, C]`."""
    images = floating(images, name)
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(f"{name} must be [B, H, W, C] with pixels, not {list(images.shape)}")
    return images


def _check_sizes(count: int, height: int, width: int) -> None:
    if count < 0 or height < 1 or width < 1:
        raise ValueError(
            "masks need a count of at least 0 and at least 1 pixel along a side, "
            f"not {count} of {height}x{width}"
        )


def _span(key: Key, count: int, length: int, smallest: float, largest: float) -> Array:
    """Booleans `[count, length]`: true in one random interval a row. The key is consumed."""
    low, high = (max(1, round(share * length)) for share in (smallest, largest))
    sides = jax.random.randint(derive(key, "side"), (count, 1), low, high + 1, jnp.int32)
    first = jax.random.randint(derive(key, "place"), (count, 1), 0, length + 1 - sides, jnp.int32)
    places = jnp.arange(length, dtype=jnp.int32)[None]
    return (places >= first) & (places < first + sides)


def _walk(start: Array, steps: Array) -> Array:
    """Vertices `[B, S, V + 1]` in [0, 1] of steps `[B, S, V]` from `start`, `[B, S, 1]`."""
    places = jnp.cumsum(jnp.concatenate([start, steps], axis=2), axis=2)
    return 1 - jnp.abs(1 - jnp.mod(places, 2))  # mirrored at 0 and 1, again and again


def _hole(masks: ArrayLike, images: Array) -> Array:
    masks = jnp.asarray(masks)
    if masks.shape != (*images.shape[:3], 1) or jnp.iscomplexobj(masks):
        raise ValueError(
            f"masks must be real numbers of shape {[*images.shape[:3], 1]}, one for each pixel of "
            f"the images, not {masks.dtype} {list(masks.shape)}"
        )
    return masks if masks.dtype == jnp.bool_ else masks > 0.5
