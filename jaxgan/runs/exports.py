"""The files of exported models: arrays by name and a few texts, as .safetensors or .npz.

Neither format holds code, and none is run. In a .npz file the texts are arrays too, named
`jaxgan/...`.
"""

import io
from pathlib import Path

import numpy as np

from jaxgan.data.files import read_npz
from jaxgan.runs.writing import write_bytes

SUFFIXES = (".safetensors", ".npz")
TEXTS = ("format", "record", "step", "averaged")


def write(path: Path, arrays: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    """Writes arrays and texts, in the format that the file's suffix names, whole or not at all."""
    from safetensors.numpy import save

    if path.suffix == ".safetensors":
        write_bytes(path, save(arrays, texts))
        return
    buffer = io.BytesIO()
    named = {f"jaxgan/{name}": np.array(text) for name, text in texts.items()}
    np.savez(buffer, allow_pickle=False, **arrays, **named)
    write_bytes(path, buffer.getvalue())


def read_texts(path: Path) -> dict[str, str]:
    """The texts of a file, without its arrays; empty where it has none.

    Raises:
      ValueError: where it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".npz":
        found, _ = read_npz(path, [f"jaxgan/{name}" for name in TEXTS])
        return {name.removeprefix("jaxgan/"): str(text) for name, text in found.items()}
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, without its texts.

    Raises:
      ValueError: where it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".npz":
        names = [name for name in read_npz(path, [])[1] if not name.startswith("jaxgan/")]
        return read_npz(path, names)[0]
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
