"""What a command shows while it works: bars on standard error."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from jaxgan.working import Reach, shown_by, silently

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.bars import Bars


@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    quiet: bool = False
    """Show no progress: only how it ended."""
    verbose: bool = False
    """Say of everything that takes time how long it took."""


@contextmanager
def on_stderr(what: str, total: int | None = None) -> Iterator[Reach]:
    """A `working.Show`."""
    with _bars(False).show(what, total) as reach:
        yield reach


def shown(options: ShowOptions) -> AbstractContextManager[None]:
    """A block whose work is shown as the options say.

    Raises:
      ValueError: for options that contradict each other.
    """
    if options.quiet and options.verbose:
        raise ValueError("--quiet and --verbose ask for two things; take one")
    return shown_by(silently if options.quiet else _bars(options.verbose).show)


@cache  # One place for the bars of all work within other work.
def _bars(verbose: bool) -> "Bars":
    from rich.console import Console

    from jaxgan.bars import Bars

    return Bars(Console(stderr=True), verbose=verbose)
