"""Fonts for the names of classes in pictures, in whatever script they are written."""

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont


def font_for(labels: Sequence[str], size: int) -> tuple["FreeTypeFont | ImageFont", list[str]]:
    """A font, and the labels as it can write them.

    ASCII is written in Pillow's own font. For other characters the first font is taken that has all
    of them: Matplotlib's DejaVu Sans (Latin, Greek, Cyrillic, Arabic, Hebrew and more), then those
    of the machine. Where none has them, the labels are numbered from 0, with a warning.

    Args:
      labels: in Unicode.
      size: in pixels.
    """
    from PIL import ImageFont

    own = ImageFont.load_default(size=size)
    characters = {character for label in labels for character in label if not character.isspace()}
    if all(character.isascii() for character in characters):
        return own, list(labels)
    for path in _files():
        if _has_all(path, characters):
            return ImageFont.truetype(path, size), list(labels)
    missing = next(label for label in labels if not label.isascii())
    warnings.warn(
        f"no font of this machine has all characters of {missing!r} and the other names: the rows "
        "of pictures are numbered instead",
        stacklevel=2,
    )
    return own, [str(number) for number in range(len(labels))]


def _files() -> Iterator[str]:
    from matplotlib import font_manager

    yield font_manager.findfont("DejaVu Sans")
    yield from sorted(font_manager.findSystemFonts())


def _has_all(path: str, characters: set[str]) -> bool:
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):  # A file that FreeType does not read.
        return False
    return all(font.get_char_index(ord(character)) for character in characters)
