"""The record of an evaluation: numbers, and everything they depend on; and whether two compare.

evaluation.json holds

    metrics     name: value of the samples
    real        name: what real data score in the same place (see `jaxgan.evaluation`)
    protocol    samples, reference, features and the metrics' settings: equal where figures compare
    experiment  name of the experiment, its data, and the run's seed, of which the latents are drawn
    step, ema   which generator
    standing    of how many batches its standing statistics are; 0: it has those of the training
    code        SHA-256 of the library's source
    versions, python, device
"""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jaxgan
from jaxgan.evaluation import better
from jaxgan.experiment.base import BaseExperiment
from jaxgan.options import differences
from jaxgan.runs.record import environment

FILE = "evaluation.json"


def make_record(
    experiment: BaseExperiment,
    data: str,
    step: int,
    ema: bool,
    standing: int,
    metrics: dict[str, float],
    real: dict[str, float],
    protocol: dict[str, Any],
) -> dict[str, Any]:
    """The record of an evaluation, for `writing.write_json`.

    Args:
      experiment: of the run.
      data: the name of its data.
      step: of the checkpoint.
      ema: whether the averaged side was measured.
      standing: batches of which its batch statistics are; 0: those that training left.
      metrics: of the samples.
      real: what real data score in the same place.
      protocol: what the numbers depend on.
    """
    return {
        "metrics": metrics,
        "real": real,
        "protocol": protocol,
        "experiment": {
            "name": experiment.name,
            "data": data,
            "seed": experiment.seed,
        },
        "step": step,
        "ema": ema,
        "standing": standing,
        "code": code_digest(),
        **environment(),
    }


def code_digest() -> str:
    """SHA-256 over the names and contents of the library's source files."""
    root, sha = Path(jaxgan.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        sha.update(f"{path.relative_to(root).as_posix()}\n".encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()


def read_record(path: Path) -> dict[str, Any]:
    """The record in a file, or in a run directory.

    Raises:
      ValueError: when there is none, or the file is none.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        first = f"; evaluate it first: jaxgan evaluate {shlex.quote(str(path))}"
        hint = first if path.is_dir() else ""
        raise ValueError(f"there is no evaluation {file}{hint}")
    try:
        record = json.loads(file.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}") from None
    parts = [record.get(name) for name in ("metrics", "protocol")] if _is_dict(record) else []
    if not parts or not all(map(_is_dict, parts)):
        raise ValueError(f"{file} is not the record of an evaluation: it has no protocol")
    for name, value in (record["metrics"] | (record.get("real") or {})).items():
        if type(value) not in (int, float):
            raise ValueError(f"{file} is damaged: its {name} is {value!r}, which is no number")
    return record


def refuse_other_protocol(protocol: dict[str, Any], other: dict[str, Any], path: Path) -> None:
    """Raises a ValueError, naming what differs, unless a record's protocol is this one."""
    changed = differences(other["protocol"], protocol)
    if changed:
        fields = "; ".join(
            f"{name} is {_short(old)} there, {_short(new)} here" for name, old, new in changed
        )
        raise ValueError(f"{path} was measured by another protocol: {fields}")


def table(columns: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Rows of a table of metrics: the name, whether lower or higher is better, and the values.

    Args:
      columns: metrics by the name of their column; those of the first give the rows.
    """
    first = next(iter(columns.values()))
    return [
        [
            name,
            better(name),
            *(f"{column[name]:.4g}" if name in column else "" for column in columns.values()),
        ]
        for name in first
    ]


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _short(value: Any) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
