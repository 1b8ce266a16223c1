"""From a run's generators to translated images: a panel of fixed ones, and folders of files."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from jaxgan.data import PairSource, Spec, images
from jaxgan.data.files import entries, tell_passed_over
from jaxgan.data.minibatch import to_float
from jaxgan.data.pair import inner_size
from jaxgan.data.patches import corners
from jaxgan.experiment.inputs import Reading
from jaxgan.files import expanded
from jaxgan.games.cyclegan import DIRECTIONS
from jaxgan.games.game import Game
from jaxgan.imaging import grid, save_image, to_uint8
from jaxgan.networks.network import Variables

COLUMNS = 8
"""Images of each domain in a panel."""
BATCH_PIXELS = 1 << 18
"""Pixels in a batch to translate: 4 images of 256x256, hundreds of small ones."""
WAITING_BYTES = 1 << 28
"""Decoded images of many sizes that may wait for others of their size."""

Decode: TypeAlias = Callable[..., np.ndarray]
"""`(path, name, size or None, channels, transparency) -> uint8 [H, W, channels]`."""
Translator = Callable[..., np.ndarray]
"""`(variables, images, *extra) -> images`."""


def make_translator(game: Game) -> Translator:
    """The function `(variables, images, *extra) -> images` of a game whose samples are of images.

    Images are uint8 [N, H, W, C]; `extra` are what the game's `sample` takes after the images, such
    as the direction of a CycleGAN. They go through in batches of a few megapixels; the last is
    filled up, so that it needs no compiling of its own.
    """

    def sample(variables: Variables, batch: jax.Array, extra: tuple[Any, ...]) -> jax.Array:
        return game.sample(variables, to_float(batch), *extra)

    jitted = jax.jit(sample, static_argnums=2)

    def translate(variables: Variables, batch: np.ndarray, *extra: Any) -> np.ndarray:
        count = len(batch)
        size = min(count, batch_limit(batch.shape[1:3]))
        parts = []
        for start in range(0, count, size):
            rows = np.minimum(np.arange(start, start + size), count - 1)
            part = to_uint8(np.asarray(jitted(variables, batch[rows], extra)))
            parts.append(part[: count - start])
        return np.concatenate(parts)

    return translate


def in_tiles(
    translate: Callable[[np.ndarray], np.ndarray], batch: np.ndarray, tile: int, overlap: int
) -> np.ndarray:
    """Images through a network in overlapping squares, which bounds the memory that it takes.

    The result is that of whole images where `overlap` pixels are all that an output depends on.

    Args:
      translate: `[N, H, W, C] -> [N, f H, f W, C']`, for some whole factor f.
      batch: uint8 `[N, H, W, C]`.
      tile: side of a square, more than twice the overlap.
      overlap: pixels of a square that are cut off where it meets another.
    """
    height, width = batch.shape[1:3]
    if max(height, width) <= tile:
        return translate(batch)
    sides = min(height, tile), min(width, tile)
    starts = [
        corners(length, side, tile - 2 * overlap)
        for length, side in zip((height, width), sides, strict=True)
    ]
    rows = []
    for top in starts[0]:
        row = []
        for left in starts[1]:
            part = translate(batch[:, top : top + sides[0], left : left + sides[1]])
            factor = part.shape[1] // sides[0]
            row.append(_inside(part, 2, left, starts[1], overlap, factor))
        rows.append(_inside(np.concatenate(row, axis=2), 1, top, starts[0], overlap, factor))
    return np.concatenate(rows, axis=1)


def _inside(
    part: np.ndarray, axis: int, start: int, starts: list[int], overlap: int, factor: int
) -> np.ndarray:
    """What a square contributes: from the end of the one before it to its own, seams cut off."""
    place = starts.index(start)
    side = part.shape[axis] // factor
    begin = starts[place - 1] + side - overlap - start if place else 0
    end = side - overlap if place + 1 < len(starts) else side
    return np.take(part, range(begin * factor, end * factor), axis)


def passed(
    game: Game, variables: Variables, reading: Reading
) -> Callable[[np.ndarray], np.ndarray]:
    """The function of images, uint8 `[N, H, W, C]`, that a run which reads them is."""
    translate = make_translator(game)

    def whole(batch: np.ndarray) -> np.ndarray:
        return translate(variables, batch, *reading.extra)

    if not reading.tile:
        return whole
    return lambda batch: in_tiles(whole, batch, reading.tile, reading.overlap)


def batch_limit(shape: tuple[int, ...]) -> int:
    """Images of this height and width in a batch."""
    return max(BATCH_PIXELS // (shape[0] * shape[1]), 1)


def make_panel(
    source: PairSource, game: Game
) -> Callable[[Variables, Path | None], dict[str, float]]:
    """The preview of a CycleGAN, which draws the same images of both domains every time.

    A row of each: the images of x, translated to y, and back; the images of y, translated to x,
    and back. They are taken from all over the data, as a run was given them.
    """
    translate = make_translator(game)
    count = min(COLUMNS, len(source.x), len(source.y))
    columns = [
        np.linspace(0, len(domain) - 1, count).astype(int) for domain in (source.x, source.y)
    ]
    batch = {n: np.asarray(array) for n, array in source.take(np.stack(columns, 1)).items()}

    def panel(variables: Variables, path: Path | None) -> dict[str, float]:
        if path is None:
            return {}
        rows, labels = [], []
        for there, (start, end) in DIRECTIONS.items():
            back = f"{end}_to_{start}"
            translated = translate(variables, batch[start], there)
            rows += [batch[start], translated, translate(variables, translated, back)]
            labels += [start, f"{start} to {end}", "and back"]
        depth = max(row.shape[-1] for row in rows)  # Grey beside colour is shown in colour.
        picture = np.concatenate([np.broadcast_to(r, (*r.shape[:-1], depth)) for r in rows])
        save_image(path, grid(picture, columns=count, row_labels=labels))
        return {}

    return panel


class Job(NamedTuple):
    """What is to be done in a folder, checked before anything is done.

    Attributes:
      files: images to read, each with the file to write.
      output: the folder to write to.
    """

    files: list[tuple[Path, Path]]
    output: Path


def plan_folder(source: Path, output: Path, overwrite: bool = False) -> Job:
    """What translating a folder would read and write: every image directly in it, as PNG.

    Files whose names do not end like an image's, and hidden ones, are passed over. `a.jpg` becomes
    `a.png`; beside another `a.*`, and where `a` is another's whole name, it becomes `a.jpg.png`.

    Raises:
      ValueError: when there is nothing to read, a link leads out of the folder, or the output may
        not be written to.
    """
    source, output = expanded(source), expanded(output)
    if not source.is_dir():
        raise ValueError(f"--input {source} is not a folder")
    found, _ = entries(source, source)
    tell_passed_over([source])
    if not found:
        raise ValueError(
            f"--input {source} holds no images (files that end in {', '.join(images.EXTENSIONS)})"
        )
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output {output} is not a folder")
    if output.exists() and output.resolve() == source.resolve():
        raise ValueError(f"--output {output} is the input; take another folder")
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise ValueError(f"--output {output} holds files; --overwrite writes over them")
    parent = next(path for path in (output, *output.absolute().parents) if path.exists())
    if not os.access(parent, os.W_OK):
        raise ValueError(f"--output {output} cannot be written")
    stems = Counter(path.stem for path in found)
    whole = {path.name for path in found}
    names = [
        path.stem if stems[path.stem] == 1 and path.stem not in whole else path.name
        for path in found
    ]
    return Job([(p, output / f"{n}.png") for p, n in zip(found, names, strict=True)], output)


def translate_folder(
    job: Job,
    translate: Callable[[np.ndarray], np.ndarray],
    spec: Spec,
    size: int | None,
    report: Callable[[int], None],
    margin: int = 0,
    transparency: images.Transparency = "white",
    unit: int = 4,
    decode: Decode = images.decode,
) -> Iterator[str]:
    """Translates the files of a job, a batch of one size at a time; each is written whole.

    Args:
      job: of `plan_folder`.
      translate: uint8 [N, H, W, C] -> uint8 [N, H, W, C'].
      spec: of the domain that is translated from; says C.
      size: side to which images are resized and cropped about the centre, as training data are;
        None keeps each image's own height and width, or the nearest multiples of the unit to them.
      report: called now and then with the number of files that are done.
      margin: black pixels on each side, inside size; of no use without it.
      transparency: what transparent pixels are laid on, as training data are.
      unit: what sides that the generator takes are multiples of.
      decode: reads a file, as `images.decode` does, or with a mask as `decode_with_hole`.

    Yields:
      A sentence for each image that cannot be read, which is passed over.
    """
    job.output.mkdir(parents=True, exist_ok=True)
    waiting: dict[tuple[int, ...], list[tuple[Path, np.ndarray]]] = {}
    done, held = 0, 0

    def flush(shape: tuple[int, ...]) -> int:
        targets, batch = zip(*waiting.pop(shape), strict=True)
        for target, image in zip(targets, translate(np.stack(batch)), strict=True):
            save_image(target, image)
        return len(targets)

    for path, target in job.files:
        try:
            inner, channels = inner_size(size, margin), spec.shape[-1]
            image = decode(path, str(path), inner, channels, transparency)
        except ValueError as error:
            yield str(error)
            done += 1
            report(done)
            continue
        if size is None:
            image = resized(image, fitting(image.shape[:2], unit))
        else:
            image = images.pad(image, margin)
        group = waiting.setdefault(image.shape, [])
        group.append((target, image))
        held += image.nbytes
        if len(group) == batch_limit(image.shape):
            held -= len(group) * image.nbytes
            done += flush(image.shape)
            report(done)
        elif held > WAITING_BYTES:
            for shape in list(waiting):
                done += flush(shape)
                report(done)
            held = 0
    for shape in list(waiting):
        done += flush(shape)
        report(done)


def decode_with_hole(masks: Path | None) -> Decode:
    """Reads images with a mask as one channel more, 255 in the hole and 0 outside.

    Args:
      masks: an image whose light pixels are the hole of every image, or a folder with one for each
        image, of its name but for the ending; None: holes are where images are transparent.

    Raises:
      ValueError: for masks that are not there; what is returned raises one for images without.
    """
    masks = None if masks is None else expanded(masks)
    if masks is not None and not masks.exists():
        raise ValueError(f"--mask {masks} is neither an image nor a folder of images")
    by_name = {}
    if masks is not None and masks.is_dir():
        by_name = {path.stem: path for path in entries(masks, masks)[0]}

    def decode(
        image: Path, name: str, size: int | None, channels: int, transparency: images.Transparency
    ) -> np.ndarray:
        with warnings.catch_warnings():
            if masks is None:  # What transparent pixels are laid on is not seen: it is filled.
                warnings.filterwarnings("ignore", message="images with transparent pixels")
            pixels = images.decode(image, name, size, channels - 1, transparency)
        if masks is None:
            hole = 255 - images.alpha(image)
        else:
            path = by_name.get(image.stem) if by_name else masks
            if path is None or path.is_dir():
                raise ValueError(f"--mask {masks} has no mask named {image.stem!r}, of {name}")
            hole = images.decode(path, str(path), None, 1)
        hole = images.decode(hole, name, size, 1)
        if hole.shape[:2] != pixels.shape[:2]:
            raise ValueError(
                f"the mask of {name} is {hole.shape[0]} x {hole.shape[1]}, and the image "
                f"{pixels.shape[0]} x {pixels.shape[1]}"
            )
        if not (hole > 127).any():
            raise ValueError(f"{name} has no hole: nothing of it is transparent or masked")
        return np.concatenate([pixels, np.where(hole > 127, 255, 0).astype(np.uint8)], axis=-1)

    return decode


def resized(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W, C] at another size; a fourth or second channel is a mask and stays one."""
    if image.shape[:2] == shape or image.shape[-1] in (1, 3):
        return images.resize(image, shape)
    pixels, hole = image[..., :-1], images.resize(image[..., -1:], shape)
    whole = np.where(hole > 127, 255, 0).astype(np.uint8)
    return np.concatenate([images.resize(pixels, shape), whole], axis=-1)


def fitting(shape: tuple[int, ...], unit: int = 4) -> tuple[int, int]:
    """The height and width nearest to an image's that generators take: multiples, two at least."""
    least = 2 * unit if unit > 1 else 1
    height, width = (max(unit * round(side / unit), least) for side in shape)
    return height, width
