"""Arrays to pictures on disk: grids, animations, curves and scatter plots.

Pictures are uint8 `[H, W, C]` with C = 1 (grey) or 3 (RGB). A file is written whole or not at all,
its folders are made as needed, and the same arrays give the same bytes with the same versions of
Pillow and Matplotlib: nothing in a file tells when or by whom it was written.
"""

import io
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxgan.files import whole_file
from jaxgan.fonts import font_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image as Picture

PathLike: TypeAlias = str | os.PathLike[str]
GAP_COLOR = 128
"""Grey between and around the images of a grid: seen beside black and white backgrounds alike."""
SHOWN = 512
"""Pixels of the longer side that small pictures are enlarged to."""
FPS = 30
"""Frames a second of an animation."""


class NotFinite(ValueError):
    """What a generator made is not all numbers: its own parameters may still be finite."""


def to_uint8(images: ArrayLike) -> NDArray[np.uint8]:
    """Float images in [-1, 1] as uint8: `round((x + 1) 127.5)`; values outside are clipped.

    The inverse of `x / 127.5 - 1`, exactly.

    Raises:
      NotFinite: if a value is NaN, which uint8 would turn into an ordinary grey.
    """
    images = np.asarray(images, np.float32)
    if np.isnan(images).any():
        raise NotFinite(f"images must not hold NaN, but {np.isnan(images).sum()} values are NaN")
    return np.rint((images + 1) * 127.5).clip(0, 255).astype(np.uint8)


def grid(
    images: ArrayLike,
    columns: int | None = None,
    gap: int = 2,
    *,
    scale: int | None = None,
    row_labels: Sequence[str] | None = None,
) -> NDArray[np.uint8]:
    """Lays images out row by row as one picture.

    Args:
      images: uint8 `[N, H, W, C]`, N at least 1, C 1 or 3.
      columns: images in a row. The default is N / rows with row labels, and about as many columns
        as rows without; empty places at the end are grey.
      gap: pixels of `GAP_COLOR` between and around the images.
      scale: the whole number of times each pixel is repeated both ways. The default brings small
        images close to 64 pixels, the larger side, and small pictures to 512 or more; it leaves
        larger ones as they are.
      row_labels: a name for each row, written at its left; such as classes, one a row.

    Returns:
      uint8 `[H', W', C]` with `H' = rows (H scale + gap) + gap`.

    Raises:
      ValueError: if `images` is of another form, a number is out of range, or the labels are not
        as many as the rows.
    """
    from PIL import Image, ImageDraw

    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[3] not in (1, 3):
        raise ValueError(
            "images for a grid must be uint8 [N, H, W, C] with C 1 or 3, "
            f"not {images.dtype} {list(images.shape)}"
        )
    if not images.size:
        raise ValueError(f"a grid needs at least 1 image of at least 1 pixel, not {images.shape}")
    count, height, width, channels = images.shape
    labels = list(row_labels or [])
    if columns is None:
        columns = math.ceil(count / len(labels)) if labels else math.ceil(math.sqrt(count))
    if columns < 1 or (scale is not None and scale < 1) or gap < 0:
        raise ValueError(
            "columns and scale must be at least 1 and gap at least 0, "
            f"not columns={columns}, scale={scale}, gap={gap}"
        )
    rows = math.ceil(count / columns)
    if scale is None:
        longest = max(rows * height, columns * width)
        scale = max(64 // max(height, width), math.ceil(SHOWN / longest))
    if labels and len(labels) != rows:
        raise ValueError(f"{len(labels)} row labels were given for {rows} rows")

    height, width = height * scale, width * scale
    cells = np.full(
        (rows * columns, height + gap, width + gap, channels), GAP_COLOR, dtype=np.uint8
    )
    cells[:count, gap:, gap:] = images.repeat(scale, axis=1).repeat(scale, axis=2)
    cells = cells.reshape(rows, columns, height + gap, width + gap, channels).swapaxes(1, 2)
    picture = cells.reshape(rows * (height + gap), columns * (width + gap), channels)
    picture = np.pad(picture, ((0, gap), (0, gap), (0, 0)), constant_values=GAP_COLOR)
    if not labels:
        return picture

    font, labels = font_for(labels, size=min(height, 16))
    margin = math.ceil(max(font.getlength(label) for label in labels)) + 8
    text = Image.new("L", (margin, len(picture)), GAP_COLOR)
    for row, label in enumerate(labels):
        middle = gap + row * (height + gap) + height // 2
        ImageDraw.Draw(text).text((margin - 4, middle), label, fill=255, font=font, anchor="rm")
    column = np.asarray(text)[..., None].repeat(channels, axis=2)
    return np.concatenate([column, picture], axis=1)


def class_rows(images: ArrayLike, labels: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images with a class a row, for `grid`; shorter rows are filled up in its grey.

    Args:
      images: uint8 `[N, H, W, C]`.
      labels: integers `[N]`.

    Returns:
      `[R * M, H, W, C]`, where M is the number of images of the commonest class, and the R classes
      that there are, in their order.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    classes, counts = np.unique(labels, return_counts=True)
    rows = np.full((len(classes), counts.max(), *images.shape[1:]), GAP_COLOR, images.dtype)
    for row, number, members in zip(rows, classes, counts, strict=True):
        row[:members] = images[labels == number]
    return rows.reshape(-1, *images.shape[1:]), classes


def save_image(path: PathLike, image: ArrayLike) -> None:
    """Writes a picture, uint8 `[H, W, C]` with C 1 or 3, as PNG.

    Raises:
      ValueError: if the path does not end in .png or the picture is of another form.
    """
    path = _checked(path, ".png")
    buffer = io.BytesIO()
    picture(image).save(buffer, "PNG")
    _write(path, buffer)


def save_animation(path: PathLike, frames: Sequence[ArrayLike], fps: int = FPS) -> None:
    """Writes pictures of one size as a GIF that repeats for ever, or as a video.

    GIF holds at most 256 colours a frame, and times in hundredths of a second; frames equal to the
    one before are kept as a longer time. A video is H.264 where PyAV can write it, else MPEG-4.

    Args:
      path: must end in .gif or .mp4.
      frames: uint8 `[H, W, C]` each, at least one.
      fps: frames a second, from 1 to 50, beyond which viewers slow down.

    Raises:
      ValueError: if an argument is not as said, or PyAV is not installed (`check_video`).
    """
    path = _checked(path, ".gif", ".mp4")
    if not 1 <= fps <= 50:
        raise ValueError(f"fps must be from 1 to 50, not {fps}")
    pictures = [picture(frame) for frame in frames]
    if len({(picture.size, picture.mode) for picture in pictures}) != 1:
        raise ValueError("an animation needs at least 1 frame, and all of one shape")
    buffer = io.BytesIO()
    if path.suffix.lower() == ".mp4":
        _encode(pictures, fps, buffer)
        _write(path, buffer)
        return
    ends = [round(100 * number / fps) for number in range(len(pictures) + 1)]
    pictures[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=[10 * (end - start) for start, end in itertools.pairwise(ends)],
        loop=0,
    )
    _write(path, buffer)


def check_video() -> None:
    """Raises a ValueError where what writes videos is not installed."""
    if find_spec("av") is None:
        raise ValueError(
            "an .mp4 needs PyAV, which comes with the extra `video`: pip install 'jaxgan[video]'; "
            "a .gif needs nothing more"
        )


def _encode(pictures: Sequence["Picture"], fps: int, buffer: io.BytesIO) -> None:
    """Writes pictures as a video; its colours need even sides.

    Quality is constant: what x264 looks up ahead to vary it is not the same each time.
    """
    check_video()
    import av
    from PIL import Image

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    width, height = (side + side % 2 for side in pictures[0].size)
    with av.open(buffer, "w", format="mp4") as file:
        stream: Any = file.add_stream(codec, rate=fps, options={"qp": "18"})
        stream.width, stream.height = width, height
        stream.pix_fmt, stream.thread_count = "yuv420p", 1  # Bytes follow the number of threads.
        for picture in pictures:
            whole = Image.new("RGB", (width, height), (GAP_COLOR,) * 3)
            whole.paste(picture)
            file.mux(stream.encode(av.VideoFrame.from_image(whole)))
        file.mux(stream.encode())


def save_curves(
    path: PathLike, columns: Mapping[str, Sequence[float | None]], x: str = "step"
) -> None:
    """Draws columns of numbers over one of them as PNG, one panel a kind.

    Columns are of a kind when their names end in the same word: `generator_loss` and
    `discriminator_loss` share a panel, `real_logits` and `fake_logits` another.

    Args:
      path: must end in .png.
      columns: numbers by name, all of one length. None, NaN and infinity are left out, so that what
        was measured rarely still makes a line.
      x: the column to draw over.

    Raises:
      ValueError: if `x` is missing, nothing else is there or the lengths differ.
    """
    path = _checked(path, ".png")
    values = {name: np.asarray(column, np.float64) for name, column in columns.items()}
    if x not in values or len(values) < 2:
        raise ValueError(f"curves need a column {x!r} and at least one more, not {list(values)}")
    if len({column.shape for column in values.values()}) != 1:
        lengths = {name: column.size for name, column in values.items()}
        raise ValueError(f"columns of curves must be equally long, not {lengths}")
    steps = values.pop(x)
    panels: dict[str, list[Curve]] = {}
    for name, column in values.items():
        panels.setdefault(name.rsplit("_", 1)[-1], []).append(Curve(name, 0, steps, column))
    for curves in panels.values():
        curves[:] = [each._replace(colour=number) for number, each in enumerate(curves)]
    save_panels(path, panels, x)


class Curve(NamedTuple):
    """A line of a panel.

    Attributes:
      label: in the legend; empty: not there.
      colour: number of its colour.
      x: where.
      y: what, of the same length; what is not finite is left out.
    """

    label: str
    colour: int
    x: np.ndarray
    y: np.ndarray


def save_panels(path: PathLike, panels: Mapping[str, Sequence[Curve]], x: str = "step") -> None:
    """Draws panels of curves, one below the other and each with its legend at the right, as PNG.

    Args:
      path: must end in .png.
      panels: curves by the name of what they show; one or more.
      x: what they are drawn over.
    """
    path = _checked(path, ".png")
    labels = [[curve.label for curve in curves if curve.label] for curves in panels.values()]
    longest = max((len(label) for each in labels for label in each), default=0)
    width = 7 + 0.6 + 0.075 * longest  # Inches: the axes to 7, and the legends.
    heights = [max(2, 0.3 + 0.19 * len(each)) for each in labels]
    height = sum(heights) + 0.5
    figure = _figure(width, height, measured=False)
    figure.subplots_adjust(
        left=1 / width,
        right=7 / width,
        bottom=0.5 / height,
        top=1 - 0.15 / height,
        hspace=0.2,
    )
    rows = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (kind, curves) in zip(rows, panels.items(), strict=True):
        for curve in curves:
            known = np.isfinite(curve.y)
            style = {"label": curve.label or None, "linewidth": 1}
            points = np.count_nonzero(known)
            if points < 100:  # One point alone is no line.
                style |= {"marker": "o", "markersize": 6 if points == 1 else 2}
            axes.plot(curve.x[known], curve.y[known], f"C{curve.colour}", **style)
        axes.set_ylabel(kind)
        axes.yaxis.set_label_coords(-0.12, 0.5)  # One below the other, whatever the numbers are,
        axes.ticklabel_format(axis="y", scilimits=(-3, 4))  # which are kept short for it.
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.set_xlabel(x)
    _save_figure(path, figure)


def save_points(
    path: PathLike,
    fake: ArrayLike,
    real: ArrayLike | None = None,
    centers: ArrayLike | None = None,
) -> None:
    """Draws points of the plane as PNG: generated ones, real ones below, centres as crosses.

    The axes depend on `real` and `centers`, where given, and not on `fake`: pictures from one run
    can be laid over each other. How many generated points lie outside is written at the top.

    Args:
      path: must end in .png.
      fake: `[N, 2]`.
      real: `[M, 2]`.
      centers: `[K, 2]`, of the mixture's modes.

    Raises:
      ValueError: if one is not finite or not `[N, 2]`.
    """
    path = _checked(path, ".png")
    given = {"real": real, "fake": fake, "centers": centers}
    points = {name: np.asarray(x, np.float64) for name, x in given.items() if x is not None}
    for name, x in points.items():
        if x.ndim != 2 or x.shape[1] != 2 or not np.isfinite(x).all():
            raise ValueError(f"{name} must be finite points [N, 2], not {list(x.shape)}")
    fixed = [x for name, x in points.items() if name != "fake"] or [points["fake"]]
    limit = 1.4 * max((np.abs(x).max() for x in fixed if x.size), default=1.0) or 1.0
    outside = int((np.abs(points["fake"]) > limit).any(axis=1).sum())

    figure = _figure(5, 5)
    axes = figure.subplots()
    styles: dict[str, dict[str, Any]] = {
        "real": {"marker": ".", "color": "0.7", "markersize": 2},
        "fake": {"marker": ".", "color": "tab:blue", "markersize": 2, "alpha": 0.5},
        "centers": {"marker": "x", "color": "tab:red", "markersize": 6},
    }
    for name, x in points.items():
        axes.plot(x[:, 0], x[:, 1], linestyle="none", label=name, **styles[name])
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set_title(f"{len(points['fake'])} points, {outside} outside", fontsize="small")
    axes.legend(fontsize="small", loc="upper right", markerscale=2)
    _save_figure(path, figure)


def _checked(path: PathLike, *suffixes: str) -> Path:
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"the file name must end in {' or '.join(suffixes)}, not {path.name!r}")
    return path


def picture(image: ArrayLike) -> "Picture":
    """Pillow's image of uint8 `[H, W, C]` with C 1 or 3, which a notebook shows.

    Raises:
      ValueError: if it is of another form.
    """
    from PIL import Image

    image = np.asarray(image)
    if image.ndim != 3 or image.dtype != np.uint8 or image.shape[2] not in (1, 3):
        raise ValueError(
            "a picture must be uint8 [H, W, C] with C 1 or 3, "
            f"not {image.dtype} {list(image.shape)}"
        )
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _figure(width: float, height: float, *, measured: bool = True) -> "Figure":
    """A figure of its own, in inches, that draws with Agg: no pyplot, so nothing global.

    Where it is measured, matplotlib finds the margins itself, for which it draws everything twice.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained" if measured else None)
    FigureCanvasAgg(figure)
    return figure


def _save_figure(path: Path, figure: "Figure") -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    _write(path, buffer)


def _write(path: Path, buffer: io.BytesIO) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(buffer.getvalue())
