"""A run's generator as one file that others can load: weights, record and card.

The file is .safetensors, or .npz for those who have NumPy alone. Its arrays are the variables by
their paths, `params/dense_0/kernel` and `state/batch_stats/...`; its texts hold the run's record as
JSON, without the places of this machine, and the step. No code is in it, and none is run.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan.networks import Variables
from jaxgan.runs import exports
from jaxgan.runs.record import contents
from jaxgan.types import PyTree


class Exported(NamedTuple):
    """What a file holds besides the record.

    Attributes:
      step: of the checkpoint that it was made from.
      averaged: whether the variables are the averaged ones.
      arrays: by path.
    """

    step: int
    averaged: bool
    arrays: dict[str, np.ndarray]


def write(path: Path, run: Path, variables: Variables, step: int, averaged: bool) -> None:
    """Writes the file, whole or not at all.

    Args:
      path: of the file.
      run: its run directory.
      variables: of the generator.
      step: of the checkpoint.
      averaged: whether the variables are the averaged ones.

    Raises:
      ValueError: for a run of a class of the user's own.
    """
    record = _without_places(contents(run))
    texts = {
        "format": "jaxgan",
        "record": json.dumps(record),
        "step": str(step),
        "averaged": str(averaged),
    }
    arrays = {name: np.ascontiguousarray(leaf) for name, leaf in _named(variables).items()}
    exports.write(path, arrays, texts)


def read(path: Path) -> Exported:
    """The arrays of an exported file.

    Raises:
      ValueError: where it is damaged.
    """
    contents(path)  # Refuses what is no exported model.
    known, arrays = exports.read_texts(path), exports.read_arrays(path)
    try:
        return Exported(int(known["step"]), known["averaged"] == "True", arrays)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def fill(path: Path, abstract: Variables, arrays: dict[str, np.ndarray]) -> Variables:
    """The variables of these shapes from the arrays of a file.

    Raises:
      ValueError: naming an array that is missing, is one too many or has another shape.
    """
    expected = _named(abstract)
    for name, leaf in expected.items():
        if name not in arrays:
            raise ValueError(f"{path} does not fit its experiment: it has no array {name}")
        found = arrays[name]
        if (found.shape, found.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(
                f"{path} does not fit its experiment: {name} is {found.dtype}{list(found.shape)} "
                f"in the file and {leaf.dtype}{list(leaf.shape)} in the experiment"
            )
    if surplus := sorted(arrays.keys() - expected.keys()):
        raise ValueError(f"{path} does not fit its experiment: it has an array {surplus[0]} more")
    _, structure = jax.tree.flatten(abstract)
    return jax.tree.unflatten(structure, [jax.numpy.asarray(arrays[name]) for name in expected])


def _named(tree: PyTree) -> dict[str, Any]:
    """The leaves by their paths, in the tree's order."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _without_places(record: dict[str, Any]) -> dict[str, Any]:
    """The record without what says where things lie on this machine.

    Raises:
      ValueError: for a class of the user's own: its file is code, and none goes along.
    """
    for holder in (record, *record["specs"]):
        if holder.get("file"):
            name, file = holder["class"].partition(":")[2], Path(holder["file"]).name
            raise ValueError(
                f"a run of {name}, which {file} defines, cannot be exported: the file would need "
                "its code; share the run directory and the file"
            )
    data = [
        known and [one | {"name": Path(one["name"]).name, "place": None} for one in known]
        for known in record.get("data") or []
    ]
    options = {
        name: Path(value).name if name.startswith("data") and isinstance(value, str) else value
        for name, value in record["experiment"].items()
    }
    kept = {name: value for name, value in record.items() if name not in ("start", "log_every")}
    return kept | {"data": data, "experiment": options | {"data_dir": None}}
