"""The experiments that come with the package, by name."""

import ast
import difflib
import re
from pathlib import Path

import jaxgan


def shipped() -> list[Path]:
    """The files of the experiments: in the installed package, or beside it in a checkout."""
    package = Path(jaxgan.__file__).parent
    inside = package / "experiments"
    return sorted((inside if inside.is_dir() else package.parent / "experiments").glob("*.py"))


def find(name: str) -> Path:
    """The file of an experiment that comes with the package.

    Raises:
      ValueError: there is none of this name.
    """
    files = {path.stem: path for path in shipped()}
    if name not in files:
        nearest = difflib.get_close_matches(name, files, n=1)
        hint = f"perhaps you meant {nearest[0]}" if nearest else "jaxgan experiments lists them"
        raise ValueError(
            f"there is no experiment {name!r}, which must be a Python file or the name of one that "
            f"comes with jaxgan; {hint}"
        )
    return files[name]


def summary(path: Path) -> tuple[str, str]:
    """What an experiment is, and what it takes and gave: two paragraphs of its docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    gave = (part for part in paragraphs[1:] if re.search(r"\b(gave|Not measured here)\b", part))
    return paragraphs[0], next(gave, "")
