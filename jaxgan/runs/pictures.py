"""A page's pictures: shrunk, as data in the page itself, and the player that shows many in turn."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import imaging

SIDE = 960
"""Pixels of a picture's longer side, at most."""
FRAME_SIDE = 640
"""The same for one of a walk, which has many."""
LARGE = 200_000
"""Bytes of a PNG above which a picture is written as JPEG."""
PICTURES, BUDGET = 50, 6_000_000
"""Sample grids on a page, and their bytes together, at most. Base64 adds a third."""


def samples_of(directory: Path) -> list[Path]:
    """The pictures of a run's samples, in the order of steps; links, which may lead out, are not.

    Args:
      directory: of the run.
    """
    found = [path for path in (directory / "samples").glob("step_*.png") if not path.is_symlink()]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def title_of(path: Path) -> str:
    """A sample picture's step in words: `step 500`."""
    number = path.stem.removeprefix("step_")
    return f"step {int(number):,}" if number.isdecimal() else path.stem


def thinned(paths: Sequence[Path]) -> tuple[list[tuple[str, str]], int]:
    """Titles and data of the pictures that fit, evenly chosen, the last among them; how many not.

    Raises:
      ValueError: naming a picture that is damaged.
    """
    encoded: dict[Path, bytes] = {}
    count = min(len(paths), PICTURES)
    while count:
        # From the last backwards, which is the one that must not be missing.
        picks = len(paths) - 1 - np.linspace(0, len(paths) - 1, count).astype(int)[::-1]
        chosen = [paths[index] for index in np.unique(picks)]
        for path in chosen:
            if path not in encoded:
                encoded[path] = _shrunk(path)
        if count == 1 or sum(len(encoded[path]) for path in chosen) <= BUDGET:
            frames = [(title_of(path), inline(encoded[path])) for path in chosen]
            return frames, len(paths) - len(chosen)
        count //= 2
    return [], 0


def _shrunk(path: Path) -> bytes:
    from PIL import Image

    try:
        with Image.open(path) as opened:
            return _encoded(opened, SIDE)
    except (OSError, SyntaxError):  # Pillow's word for a broken PNG.
        raise ValueError(f"{path} is damaged") from None


def of_array(picture: np.ndarray, side: int = SIDE) -> str:
    """A picture, uint8 [H, W, C], as an image's source, its longer side at most `side`."""
    return inline(_encoded(imaging.picture(picture), side))


def _encoded(picture: Any, side: int) -> bytes:
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    if len(buffer.getvalue()) > LARGE:
        buffer = io.BytesIO()
        picture.convert("L" if picture.mode == "L" else "RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def inline(data: bytes) -> str:
    """A picture's bytes as an image's source."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def image(source: str, title: str, hidden: bool = False) -> str:
    """An image's tag; a hidden one is not loaded before it is shown."""
    kept = ' loading="lazy" hidden' if hidden else ""
    return f'<img alt="{escape(title)}" src="{escape(source)}"{kept}>'


def player(frames: Sequence[tuple[str, str]], *, looping: bool = False) -> str:
    """Pictures with a slider and a button that plays them; the last is shown at first.

    Args:
      frames: title and source of each, one or more.
      looping: play by itself and without end, faster, where the reader minds no motion.
    """
    last = len(frames) - 1
    images = [image(source, title, n != last) for n, (title, source) in enumerate(frames)]
    title = escape(frames[last][0])
    return (
        f'<div class="player"{" data-looping" if looping else ""}>{"".join(images)}'
        '<div class="bar"><button type="button" aria-label="play">▶</button>'
        f'<input type="range" min="0" max="{last}" value="{last}" aria-label="picture">'
        f"<output>{title}</output></div></div>"
    )
