"""Image files and encoded images to uint8 arrays.

Animations give their first frame, what is transparent is laid on a colour, and photographs are
turned upright as their Exif says. Anything wrong with an image is a ValueError that names it.
"""

import io
import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from jaxgan.data.source import machine_memory
from jaxgan.working import working

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
UNREAD = (".jfif", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".tga", ".svg", ".psd")
"""Ends of the names of other images, which are skipped and named in a warning."""
DECODING = 3
"""Counts the changes of what `decode` makes of a file: arrays in the cache are of one of them."""
MAX_PIXELS = 1 << 26
"""Larger images are refused: a few kilobytes can claim to be gigabytes."""

_GREY = {"1", "L", "LA"}
_COLOR = {"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_TURNED = ("JPEG", "MPO", "WEBP")  # formats whose Exif may say that the image lies on its side
_PNG_EXIF = {"exif", "Raw profile type exif", "XML:com.adobe.xmp"}
_BLOCK_BYTES = 1 << 23
_ENOUGH = 2
"""How many times its final size a JPEG has at least, before Pillow's filter makes it small."""

Transparency: TypeAlias = Literal["white", "black", "mean"]
"""What transparent pixels are laid on; "mean" is the image's mean colour, weighted by alpha."""
Encoded = Path | bytes | np.ndarray
"""An image as a file, as a file's contents, or as uint8 [H, W, C]."""


def check_options(image_size: int | None, channels: int | None) -> None:
    """Raises ValueError unless the two options that all image sources share are possible."""
    if image_size is not None and not 1 <= image_size <= 4096:
        raise ValueError(f"image_size must be from 1 to 4096 pixels, and is {image_size}.")
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (colour), and is {channels}.")


def reason(error: Exception) -> str:
    """What went wrong in a library, as the end of one sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".: ")


@contextmanager
def _opened(image: Encoded, name: str) -> Iterator[Image.Image]:
    """Opens an image, checks its header, and names it in whatever error follows."""
    try:
        if isinstance(image, np.ndarray):
            yield Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
            return
        with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as pixels:
            if pixels.width * pixels.height > MAX_PIXELS:
                raise ValueError(
                    f"it is {pixels.height} x {pixels.width}, and images of more than "
                    f"{MAX_PIXELS:,} pixels are refused"
                )
            if pixels.mode not in _GREY | _COLOR:
                raise ValueError(
                    f"its pixels are of Pillow's mode {pixels.mode!r}, and only 8-bit grey and "
                    f"colour images are read ({', '.join(sorted(_GREY | _COLOR))})"
                )
            yield pixels
    except Image.DecompressionBombError as error:  # Pillow's own limit, of many pixels more
        raise ValueError(
            f"{name} cannot be decoded as an image: images of more than {MAX_PIXELS:,} pixels are "
            "refused."
        ) from error
    except UnidentifiedImageError as error:  # its own text shows a buffer's address
        raise ValueError(f"{name} is not an image, or a damaged one.") from error
    except Exception as error:  # broken files make Pillow raise a dozen types
        raise ValueError(f"{name} cannot be decoded as an image: {reason(error)}.") from error


class Header(NamedTuple):
    """What an image file says before its pixels; the size is that of the image turned upright."""

    height: int
    width: int
    grey: bool
    transparent: bool


def probe(path: Path) -> Header:
    """Reads an image file's header only."""
    with warnings.catch_warnings():  # Pillow warns of large images, which are refused
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with _opened(path, str(path)) as image:
            height, width = image.height, image.width
            if _orientation(image) > 4:
                height, width = width, height
            return Header(height, width, image.mode in _GREY, image.has_transparency_data)


def _orientation(image: Image.Image) -> int:
    """How the header says that an image lies, from 1, upright, to 8.

    Pillow turns a TIFF by itself. A PNG is asked only where its header holds some Exif, as Pillow
    decodes all of it to look behind the pixels.
    """
    asked = image.format in _TURNED or (image.format == "PNG" and _PNG_EXIF & image.info.keys())
    return image.getexif().get(ExifTags.Base.Orientation, 1) if asked else 1


def _opaque(image: Image.Image, transparency: Transparency) -> Image.Image:
    """An image without its transparency; dropped, it would show colours that nobody saw."""
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (255, 255):
        return image
    named = "their mean colour" if transparency == "mean" else transparency
    warnings.warn(f"images with transparent pixels are laid on {named}", stacklevel=3)
    color = _mean_color(image) if transparency == "mean" else transparency
    return Image.alpha_composite(Image.new("RGBA", image.size, color), image)


def _mean_color(image: Image.Image) -> tuple[int, int, int]:
    """The mean of RGBA pixels, weighted by alpha; white where all of the image is transparent."""
    pixels = np.asarray(image, np.float64)
    seen = pixels[..., 3:]
    if not seen.any():
        return 255, 255, 255
    red, green, blue = np.rint((pixels[..., :3] * seen).sum((0, 1)) / seen.sum()).astype(int)
    return int(red), int(green), int(blue)


def decode(
    image: Encoded,
    name: str,
    image_size: int | None,
    channels: int,
    transparency: Transparency = "white",
) -> np.ndarray:
    """Decodes one image.

    Args:
      image: what to decode.
      name: what an error calls it.
      image_size: side of the square that the result is, or None for the image's own size. The
        shorter side becomes `image_size` and the longer one is cropped about its centre, in one
        step, with Pillow's bicubic filter, which is antialiased.
      channels: 1 or 3.
      transparency: what transparent pixels are laid on, with a warning.

    Returns:
      uint8 [H, W, channels].
    """
    with _opened(image, name) as pixels:
        if image_size is not None:  # A JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough.
            pixels.draft(None, (_ENOUGH * image_size, _ENOUGH * image_size))
        if _orientation(pixels) > 1:
            pixels = ImageOps.exif_transpose(pixels)
        if pixels.has_transparency_data:
            pixels = _opaque(pixels, transparency)
        pixels = pixels.convert("L" if channels == 1 else "RGB")
        if image_size is not None:
            side = min(pixels.size)
            left, top = (pixels.width - side) // 2, (pixels.height - side) // 2
            box = (left, top, left + side, top + side)
            pixels = pixels.resize((image_size, image_size), Image.Resampling.BICUBIC, box=box)
        array = np.asarray(pixels)
    return array if channels == 3 else array[..., None]


def alpha(path: Path) -> np.ndarray:
    """How opaque an image file's pixels are, uint8 [H, W, 1]: 255 where it has no transparency.

    Raises:
      ValueError: an image that cannot be read.
    """
    with _opened(path, str(path)) as image:
        upright = ImageOps.exif_transpose(image)
        return np.asarray(upright.convert("RGBA").getchannel("A"))[..., None]


def resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W, C] at another height and width, by Pillow's antialiased bicubic filter."""
    if image.shape[:2] == shape:
        return image
    pixels = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    array = np.asarray(pixels.resize(shape[::-1], Image.Resampling.BICUBIC))
    return array.reshape(*shape, image.shape[-1])


def pad(images: np.ndarray, margin: int) -> np.ndarray:
    """uint8 [..., H, W, C] with `margin` more black pixels on each of the four sides."""
    if not margin:
        return images
    sides = (margin, margin)
    return np.pad(images, [(0, 0)] * (images.ndim - 3) + [sides, sides, (0, 0)])


def decode_block(
    images: Sequence[tuple[str, Encoded]],
    image_size: int | None,
    shape: tuple[int, ...],
    transparency: Transparency = "white",
) -> np.ndarray:
    """Decodes named images that must all have `shape` [H, W, C] into uint8 [n, H, W, C]."""
    block = np.empty((len(images), *shape), np.uint8)
    for i, (name, image) in enumerate(images):
        array = decode(image, name, image_size, shape[-1], transparency)
        if array.shape != shape:
            raise ValueError(
                f"{name} is {array.shape[0]} x {array.shape[1]} and other images of its set are "
                f"{shape[0]} x {shape[1]}; choose an image_size to give all of them one size."
            )
        block[i] = array
    return block


def in_threads(
    work: Callable[[int, int], dict[str, np.ndarray]], size: int, shape: tuple[int, ...]
) -> Iterator[dict[str, np.ndarray]]:
    """Calls `work(start, stop)` for consecutive ranges of [0, size), in threads.

    Pillow decodes outside Python's lock, so threads do help.

    Args:
      work: decodes the images of a range.
      size: number of images.
      shape: of one decoded image; ranges are as long as a few megabytes allow.

    Yields:
      The results in order.
    """
    rows = min(256, 1 + _BLOCK_BYTES // math.prod(shape))
    workers = os.cpu_count() or 1
    pending: deque[Future] = deque()

    with working("decoding images", size) as reach, ThreadPoolExecutor(workers) as pool:
        try:
            for start in range(0, size, rows):
                pending.append(pool.submit(work, start, min(start + rows, size)))
                if len(pending) > 2 * workers:  # or decoders run ahead of the disk and fill memory
                    reach(start - 2 * workers * rows)
                    yield pending.popleft().result()
            while pending:
                reach(max(size - rows * len(pending), 0))
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def refit(images: np.ndarray, image_size: int | None, channels: int | None) -> np.ndarray:
    """Gives uint8 [N, H, W, C] in memory another size or number of channels."""
    height, width, depth = images.shape[1:]
    shape = (image_size or height, image_size or width, channels or depth)
    if shape == images.shape[1:]:
        return images
    size = len(images) * math.prod(shape)
    if size > machine_memory():
        raise ValueError(
            f"image_size {image_size} makes {size / 1e9:,.0f} GB of {len(images):,} images, and "
            f"this machine has {machine_memory() / 1e9:,.0f} GB of memory."
        )

    def work(start: int, stop: int) -> dict[str, np.ndarray]:
        named = [(f"Image {i}", images[i]) for i in range(start, stop)]
        return {"images": decode_block(named, image_size, shape)}

    return np.concatenate([block["images"] for block in in_threads(work, len(images), shape)])
