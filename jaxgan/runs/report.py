"""A run's page: one HTML file with everything in it, for those who were not there.

Pictures lie inline, as data; the page loads nothing, and its content policy forbids it to. The only
script moves the slider over the samples. All that was read from files is escaped. The page is a
function of the run's files.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.data import Source
from jaxgan.files import whole_file
from jaxgan.imaging import grid
from jaxgan.metrics import nearest_neighbours, pixels
from jaxgan.options import flat, to_dict
from jaxgan.runs.diagnosis import Diagnosis, diagnose
from jaxgan.runs.evaluations import FILE, read_record, table
from jaxgan.runs.log import SEEN, read_metrics
from jaxgan.runs.record import fitting, read, recorded_specs
from jaxgan.runs.summary import course

SIDE = 960
"""Pixels of a picture's longer side, at most."""
LARGE = 200_000
"""Bytes of a PNG above which a picture is written as JPEG."""
PICTURES, BUDGET = 50, 6_000_000
"""Sample grids on a page, and their bytes together, at most. Base64 adds a third."""
COMPARED = 100_000
"""Training images that samples are compared with, at most."""
BLOCK = 1 << 24
"""Numbers of training images compared at a time."""


class Closest(NamedTuple):
    """Samples beside the training images that they are nearest to, by pixels.

    Attributes:
      samples: uint8 [N, H, W, C].
      images: the nearest training images, uint8 [N, H, W, C].
      distances: Euclidean, pixels in [0, 1], [N].
      usual: the median of the same distance from a training image to another.
      compared: number of training images.
      total: how many there are.
    """

    samples: np.ndarray
    images: np.ndarray
    distances: np.ndarray
    usual: float
    compared: int
    total: int


def closest(samples: np.ndarray, source: Source, usual_of: int = 100) -> Closest:
    """The training images nearest to samples, a block of images at a time.

    Args:
      samples: uint8 [N, H, W, C], of the source's shape.
      source: the training images, two or more.
      usual_of: how many training images the usual distance is taken of.

    Raises:
      ValueError: if the samples are not as said.
    """
    total = len(source)
    compared = min(total, COMPARED)
    indices = np.linspace(0, total - 1, compared).astype(int)
    own = indices[np.linspace(0, compared - 1, min(compared, usual_of)).astype(int)]
    queries = np.concatenate([pixels(samples), pixels(np.asarray(source.take(own)["real"]))])
    size = max(BLOCK // queries.shape[1], 2)
    starts = range(0, compared, size)
    distances, found = np.full((len(queries), 2), np.inf), np.zeros((len(queries), 2), int)
    for start in starts:
        part = indices[start : start + size]
        block = pixels(np.asarray(source.take(part)["real"]))
        near = nearest_neighbours(queries, block, min(2, len(block)))
        distances = np.concatenate([distances, near.distances], axis=1)
        found = np.concatenate([found, part[near.indices]], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :2]
        distances = np.take_along_axis(distances, order, axis=1)
        found = np.take_along_axis(found, order, axis=1)
    count = len(samples)
    images = np.asarray(source.take(found[:count, 0])["real"])
    # A training image is its own nearest, or has a copy at the same distance 0.
    usual = float(np.median(distances[count:, 1]))
    return Closest(samples, images, distances[:count, 0], usual, compared, total)


def write_report(
    path: Path, directory: Path, neighbours: Closest | str, curves: Path | None = None
) -> None:
    """Writes the page of a run, whole or not at all.

    Args:
      path: the file.
      directory: a run directory.
      neighbours: of some samples, or why there are none.
      curves: the picture of the curves; by default the directory's curves.png, as it is.

    Raises:
      ValueError: when the directory is no run, or what it holds cannot be read.
    """
    experiment, record = read(directory)
    records = read_metrics(directory, SEEN)
    options, spec = flat(to_dict(experiment)), recorded_specs(directory, record)[-1]
    with fitting(directory, experiment):
        sentence = course(experiment, spec, records)
    shown, left_out = _samples(directory / "samples")
    parts = [
        f"<h1>{escape(experiment.name)}</h1>",
        f"<p>{escape(_progress(records, experiment.steps))}</p>",
        *_origin(record.get("start")),
        _diagnosis(diagnose(records, options, experiment.rules)),
        _slider(shown, left_out),
        _measured(directory, records, sentence),
        _neighbours(neighbours),
        _curves(curves or directory / "curves.png"),
        "<h2>Experiment</h2>",
        _table(("option", "value"), options.items()),
        "<h2>Versions</h2>",
        _table(
            ("what", "version"),
            flat({n: record[n] for n in ("versions", "python", "device") if n in record}).items(),
        ),
    ]
    page = _HEAD.format(title=escape(f"{experiment.name}: a run of jaxgan")) + "\n".join(parts)
    with whole_file(path) as file:
        file.write((page + _TAIL).encode())


def _progress(records: Sequence[Mapping[str, float]], steps: int) -> str:
    done = max((int(line["step"]) for line in records), default=0)
    return f"{done:,} of {steps:,} steps are logged."


def _diagnosis(diagnosis: Diagnosis) -> str:
    parts = [f"<h2>Diagnosis: {escape(diagnosis.regime)}</h2>", _list(diagnosis.evidence)]
    if diagnosis.advice:
        rows = [(f"<code>{escape(o)}</code>", escape(why)) for o, why in diagnosis.advice]
        parts += ["<p>Options that address it:</p>", _html_table(("option", "what it does"), rows)]
    return "\n".join(parts)


def _measured(directory: Path, records: Sequence[Mapping[str, float]], sentence: str | None) -> str:
    """evaluation.json, and the evaluations during training."""
    parts = ["<h2>Measured</h2>", f"<p>{escape(sentence)}</p>" if sentence else ""]
    if not (directory / FILE).exists():
        parts.append(f"<p>There is no {FILE}; <code>jaxgan evaluate</code> writes it.</p>")
    else:
        record = read_record(directory)
        columns = {f"step {record.get('step')}": record["metrics"], "real": record.get("real", {})}
        head = ("metric", "better", *columns)
        parts.append(_html_table(head, [list(map(escape, row)) for row in table(columns)]))
        parts.append("<details><summary>how it was measured</summary>")
        rest = {name: record[name] for name in record if name not in ("metrics", "real")}
        parts.append(_table(("evaluation.json", "value"), flat(rest).items()) + "</details>")
    # Lines of scalars and of samples' variety are in the curves.
    lines = [line for line in records if not {"images_seen", "diversity"} & set(line)]
    if lines:
        names = list(dict.fromkeys(name for line in lines for name in line))
        parts.append("<p>During training:</p>")
        parts.append(
            _html_table(names, [[escape(_text(line.get(n, ""))) for n in names] for line in lines])
        )
    return "\n".join(parts)


def _samples(folder: Path) -> tuple[list[tuple[str, bytes]], int]:
    """Name and bytes of the pictures that fit, evenly chosen, the last among them; how many not."""
    paths = sorted(folder.glob("step_*.png"), key=lambda path: (len(path.name), path.name))
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
            return [(path.stem, encoded[path]) for path in chosen], len(paths) - len(chosen)
        count //= 2
    return [], 0


def _shrunk(path: Path) -> bytes:
    from PIL import Image

    try:
        with Image.open(path) as opened:
            opened.thumbnail((SIDE, SIDE))
            return _encode(opened)
    except (OSError, SyntaxError):  # Pillow's word for a broken PNG.
        raise ValueError(f"{path} is damaged") from None


def _encode(picture: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    if len(buffer.getvalue()) > LARGE:
        buffer = io.BytesIO()
        picture.convert("L" if picture.mode == "L" else "RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _slider(shown: list[tuple[str, bytes]], left_out: int) -> str:
    if not shown:
        return "<h2>Samples</h2>\n<p>There are none yet.</p>"
    last = len(shown) - 1
    figures = [
        f'<figure class="sample"{"" if n == last else " hidden"}>'
        f"<figcaption>{escape(name.replace('_', ' '))}</figcaption>{_image(data, name)}</figure>"
        for n, (name, data) in enumerate(shown)
    ]
    note = f"<p>{left_out} of the run's pictures are left out, evenly.</p>" if left_out else ""
    return "\n".join(
        [
            "<h2>Samples</h2>",
            '<p><label>from the first to the last <input type="range" id="slider" min="0" '
            f'max="{last}" value="{last}"></label></p>',
            *figures,
            note,
        ]
    )


def _origin(start: Any) -> list[str]:
    """Where a warm start took its weights from."""
    if not isinstance(start, dict):
        return []
    words = f"It began with the weights of {start.get('run')}, step {start.get('step')}."
    return [f"<p>{escape(words)}</p>"]


def _neighbours(found: Closest | str) -> str:
    title = "<h2>Nearest training images</h2>"
    if isinstance(found, str):
        return f"{title}\n<p>{escape(found)}</p>"
    from PIL import Image

    pairs = np.stack([found.samples, found.images], axis=1).reshape(-1, *found.samples.shape[1:])
    laid = grid(pairs, columns=8)
    picture = Image.fromarray(laid[..., 0] if laid.shape[2] == 1 else laid)
    picture.thumbnail((SIDE, SIDE))
    of = (
        f"{found.compared:,} of {found.total:,}"
        if found.compared < found.total
        else (f"{found.total:,}")
    )
    return "\n".join(
        [
            title,
            "<p>Pairs: a sample, and at its right the training image nearest to it by pixels, of "
            f"{of}. Distances of the samples: {found.distances.min():.3g} to "
            f"{found.distances.max():.3g}, median {np.median(found.distances):.3g}; a training "
            f"image's nearest other lies at {found.usual:.3g} (median). Samples far below that "
            "are copies.</p>",
            _image(_encode(picture), "samples beside their nearest training images"),
        ]
    )


def _curves(path: Path) -> str:
    if not path.exists():
        return "<h2>Curves</h2>\n<p>Nothing is logged yet.</p>"
    return f"<h2>Curves</h2>\n{_image(path.read_bytes(), 'all that was logged, over the steps')}"


def _image(data: bytes, alt: str) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    text = base64.b64encode(data).decode()
    return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{text}">'


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _table(head: Sequence[str], rows: Any) -> str:
    return _html_table(head, [(escape(str(name)), escape(_text(value))) for name, value in rows])


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML, the head is text."""
    lines = ["<table><tr>" + "".join(f"<th>{escape(name)}</th>" for name in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join(lines) + "</table>"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; font-size: 90%; }}
th, td {{ border: 1px solid #ccc; padding: .15rem .6rem; text-align: left; }}
td {{ overflow-wrap: anywhere; }}
figure {{ margin: 0; }}
img {{ max-width: 100%; }}
input[type=range] {{ width: 60%; vertical-align: middle; }}
</style>
</head>
<body>
"""

_TAIL = """
<script>
const slider = document.getElementById("slider");
const samples = document.querySelectorAll(".sample");
if (slider) slider.oninput = () => samples.forEach((s, n) => { s.hidden = n != slider.value; });
</script>
</body>
</html>
"""
