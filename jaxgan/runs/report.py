"""A run's page, and that of several runs side by side: HTML for those who were not there.

A page is a function of the files of its runs. What it consists of is in `page`, `pictures`,
`curves`, `diagnosis` and `comparison`.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.experiment.base import BaseExperiment
from jaxgan.files import whole_file
from jaxgan.imaging import grid
from jaxgan.options import flat, to_dict
from jaxgan.runs import evaluations
from jaxgan.runs.comparison import groups_of, label_of, rows_of
from jaxgan.runs.curves import figures, figures_over
from jaxgan.runs.diagnosis import Diagnosis, diagnose, facts_of
from jaxgan.runs.log import SEEN, read_metrics
from jaxgan.runs.neighbours import Closest
from jaxgan.runs.page import listed, page, table
from jaxgan.runs.pictures import FRAME_SIDE, image, of_array, player, samples_of, thinned
from jaxgan.runs.record import fitting, read, recorded_specs
from jaxgan.runs.summary import course

MARKS = {"good": "✓", "open": "…", "bad": "✗"}
"""By severity, what stands before a regime, which is coloured too."""


class Seen(NamedTuple):
    """What a page shows of a run besides its pictures.

    Attributes:
      experiment: of the run.
      record: its experiment.json.
      records: the lines of metrics.jsonl, thinned.
      evaluation: its evaluation.json; empty where there is none.
      course: a sentence on its metric, where it has one that was measured.
      diagnosis: how it went.
    """

    experiment: BaseExperiment
    record: dict[str, Any]
    records: list[dict[str, float]]
    evaluation: dict[str, Any]
    course: str | None
    diagnosis: Diagnosis


def see(directory: Path) -> Seen:
    """Reads a run.

    Raises:
      ValueError: when the directory is no run, or what it holds cannot be read.
    """
    experiment, record = read(directory)
    records, spec = read_metrics(directory, SEEN), recorded_specs(directory, record)[-1]
    with fitting(directory, experiment):
        sentence = course(experiment, spec, records)
    found = (directory / evaluations.FILE).exists()
    evaluation = evaluations.read_record(directory) if found else {}
    facts = facts_of(directory, record)
    diagnosis = diagnose(records, flat(to_dict(experiment)), experiment.rules, facts)
    return Seen(experiment, record, records, evaluation, sentence, diagnosis)


def write_report(
    path: Path, directory: Path, neighbours: Closest | str, walk: Sequence[np.ndarray] | str
) -> None:
    """Writes the page of a run, whole or not at all.

    Args:
      path: the file.
      directory: a run directory.
      neighbours: of some samples, or why there are none.
      walk: pictures along a closed walk between latents, uint8 [H, W, C] each, or why there are
        none.

    Raises:
      ValueError: when the directory is no run, or what it holds cannot be read.
    """
    seen = see(directory)
    samples, left_out = thinned(samples_of(directory))
    sections = sections_of(seen, samples, neighbours, walk)
    if left_out:
        sections["samples"] += f"<p>{left_out} of the run's pictures are left out, evenly.</p>"
    _write(path, run_page(seen, sections))


def run_page(seen: Seen, sections: Mapping[str, str], **data: str) -> str:
    """The document of a run's sections, as `page.page` makes it."""
    title = f"{seen.experiment.name}: a run of jaxgan"
    return page(title, sections, {"figures": figures_of(seen), **data})


def figures_of(seen: Seen) -> list[dict[str, Any]]:
    """A run's curves, with what real data score."""
    return figures(seen.records, seen.evaluation.get("real") or {})


def sections_of(
    seen: Seen,
    samples: Sequence[tuple[str, str]],
    neighbours: Closest | str,
    walk: Sequence[np.ndarray] | str,
) -> dict[str, str]:
    """A run's sections, HTML by id.

    Args:
      seen: the run.
      samples: title and source of its pictures.
      neighbours: as `write_report` takes them.
      walk: as `write_report` takes it.
    """
    name = escape(seen.experiment.name)
    return {
        "top": f"<h1>{name} {_badge(seen.diagnosis)}</h1><p>{escape(_progress(seen))}</p>",
        "samples": "<h2>Samples</h2>" + (player(samples) if samples else "<p>None yet.</p>"),
        "diagnosis": _diagnosis(seen),
        "evaluation": "<h2>Evaluation</h2>" + _evaluation(seen),
        "walk": "<h2>Latent walk</h2>" + _walk(walk),
        "neighbours": "<h2>Nearest training images</h2>" + _neighbours(neighbours),
        **_CURVES,
        "experiment": _experiment(seen),
    }


def write_comparison(path: Path, directories: Sequence[Path]) -> None:
    """Writes the page of several runs, whole or not at all.

    Args:
      path: the file.
      directories: two runs or more.

    Raises:
      ValueError: when one is no run or is named twice, or what it holds cannot be read.
    """
    labels = _labels(directories)
    runs = {label: see(directory) for label, directory in labels.items()}
    groups = groups_of(list(labels.values()))
    options = {run: label_of(group) for group in groups for run in group.runs}
    cards = []
    for label, seen in runs.items():
        samples, _ = thinned(samples_of(labels[label])[-1:])
        cards += [
            f'<article class="run"><h3>{escape(label)} {_badge(seen.diagnosis)}</h3>',
            f"<p>{escape(options[labels[label]])}</p>" if len(groups) > 1 else "",
            f"<p>{escape(_progress(seen))}</p>",
            *(image(source, f"{label}, {title}") for title, source in samples),
            "</article>",
        ]
    sections = {
        "top": f"<h1>{len(runs)} runs side by side</h1>",
        "runs": f'<h2>Runs</h2><div class="runs">{"".join(cards)}</div>',
        "differences": "<h2>What differs</h2>" + table(*rows_of(groups)),
        **_CURVES,
    }
    shown = figures_over({label: seen.records for label, seen in runs.items()})
    _write(path, page(f"{len(runs)} runs of jaxgan", sections, {"figures": shown}))


def _labels(directories: Sequence[Path]) -> dict[str, Path]:
    """The runs by the ends of their paths, as long as needed to tell them apart."""
    paths: dict[Path, Path] = {}
    for directory in directories:
        if directory.resolve() in paths:
            raise ValueError(f"{directory} is named twice")
        paths[directory.resolve()] = directory
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        labels = {"/".join(path.parts[-length:]): run for path, run in paths.items()}
        if len(labels) == len(paths):
            break
    return labels


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())


def _badge(diagnosis: Diagnosis) -> str:
    severity = diagnosis.severity
    return f'<span class="badge {severity}">{MARKS[severity]} {escape(diagnosis.regime)}</span>'


def _progress(seen: Seen) -> str:
    done = max((int(line["step"]) for line in seen.records), default=0)
    steps = f"{done:,} of {seen.experiment.steps:,} steps are logged."
    return f"{steps} {seen.course}." if seen.course else steps


def _diagnosis(seen: Seen) -> str:
    found = seen.diagnosis
    parts = [f"<h2>Diagnosis: {_badge(found)}</h2>", listed(found.evidence)]
    if found.advice:
        parts += [
            "<p>Options that address it:</p>",
            table(("option", "what it does"), found.advice),
        ]
    start = seen.record.get("start")
    if isinstance(start, dict):
        words = f"It began with the weights of {start.get('run')}, step {start.get('step')}."
        parts.append(f"<p>{escape(words)}</p>")
    return "".join(parts)


def _walk(walk: Sequence[np.ndarray] | str) -> str:
    if isinstance(walk, str):
        return f"<p>{escape(walk)}</p>"
    frames = [
        (f"{n} of {len(walk)}", of_array(picture, FRAME_SIDE)) for n, picture in enumerate(walk, 1)
    ]
    return player(frames, looping=True)


def _neighbours(found: Closest | str) -> str:
    if isinstance(found, str):
        return f"<p>{escape(found)}</p>"
    pairs = np.stack([found.samples, found.images], axis=1).reshape(-1, *found.samples.shape[1:])
    some = f"{found.compared:,} of " if found.compared < found.total else ""
    picture = of_array(grid(pairs, columns=8))
    return (
        f"{image(picture, 'samples beside their nearest training images')}"
        "<p>Pairs: a sample, and at its right the training image nearest to it by pixels, of "
        f"{some}{found.total:,}. Distances of the samples: {found.distances.min():.3g} to "
        f"{found.distances.max():.3g}, median {np.median(found.distances):.3g}; a training "
        f"image's nearest other lies at {found.usual:.3g} (median). Samples far below that "
        "are copies.</p>"
    )


_CURVES = {
    name: f"<h2>{title}</h2><p>Nothing is logged yet.</p><div></div>"
    for name, title in (("metrics", "Metrics, ★ at the best"), ("training", "Training"))
}
"""What `page.js` draws the figures into."""


def _evaluation(seen: Seen) -> str:
    """evaluation.json, and the evaluations during training."""
    record, parts = seen.evaluation, []
    if not record:
        parts.append(
            f"<p>There is no {evaluations.FILE}; <code>jaxgan evaluate</code> writes it.</p>"
        )
    else:
        columns = {f"step {record.get('step')}": record["metrics"], "real": record.get("real", {})}
        rest = {name: record[name] for name in record if name not in ("metrics", "real")}
        parts += [
            table(("metric", "better", *columns), evaluations.table(columns)),
            "<details><summary>How it was measured</summary>",
            table((evaluations.FILE, "value"), flat(rest).items()),
            "</details>",
        ]
    # Lines of scalars and of samples' variety are in the curves.
    lines = [line for line in seen.records if not {"images_seen", "diversity"} & set(line)]
    if lines:
        names = list(dict.fromkeys(name for line in lines for name in line))
        rows = [[line.get(name, "") for name in names] for line in lines]
        shown = "" if record or len(lines) > 12 else " open"
        parts += [f"<details{shown}><summary>During training</summary>", table(names, rows)]
        parts.append("</details>")
    return "".join(parts)


def _experiment(seen: Seen) -> str:
    names = ("versions", "python", "device")
    versions = flat({name: seen.record[name] for name in names if name in seen.record})
    return (
        "<h2>Experiment</h2><details><summary>Options</summary>"
        + table(("option", "value"), flat(to_dict(seen.experiment)).items())
        + "</details><details><summary>Versions</summary>"
        + table(("what", "version"), versions.items())
        + "</details>"
    )
