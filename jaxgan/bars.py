"""Work in progress as bars: on a terminal, in a notebook's cell, or as a line now and then."""

import html
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

SECONDS_BETWEEN_LINES = 10.0
"""Where there is no place for a bar."""
SECONDS_BETWEEN_UPDATES = 0.1
SHORTEST_BAR = 8
"""Columns that are left to a bar when news must make way."""


@dataclass(eq=False)
class Row:
    """A piece of work, and how far it is.

    Attributes:
      what: is done.
      total: of how many; None where that cannot be told.
      done: of them.
      news: parts of a text beside the bar; the last ones make way where there is no room.
      left: `() -> seconds left`, or None where nobody knows; by default as fast as until now.
      began: by `time.perf_counter`.
    """

    what: str
    total: int | None
    done: int = 0
    news: list[str] = field(default_factory=list)
    left: Callable[[], float | None] | None = None
    began: float = field(default_factory=lambda: time.perf_counter())

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self.began

    @property
    def title(self) -> str:
        """What is done, and how much of it."""
        if self.total is None:
            return self.what
        return f"{self.what} {self.done:>{len(str(self.total))}}/{self.total}"

    @property
    def seconds_left(self) -> float | None:
        """None while that is not known."""
        if self.left is not None:
            return self.left()
        if self.total and self.done:
            return self.seconds / self.done * (self.total - self.done)
        return None

    @property
    def time(self) -> str:
        """The time left, or while that is not known the time that passed."""
        left = self.seconds_left
        return f"{self.seconds:.0f} s" if left is None else clock(left)

    def on_terminal(self, width: int) -> Table:
        """One line of a terminal: news make way for the title, a short bar and the time."""
        title, time = self.title, self.time
        room = width - len(title) - len(time) - 2
        news = ""
        for part in self.news:
            longer = f"{news}  {part}" if news else part
            if len(longer) + 1 + SHORTEST_BAR > room:
                break
            news = longer
        bar = max(room - (len(news) + 1 if news else 0), 1)
        cells: list[RenderableType] = [Text(title), ProgressBar(self.total, self.done, bar)]
        cells += [Text(text) for text in (news, time) if text]
        line = Table.grid(*(Column(no_wrap=True) for _ in cells), padding=(0, 1, 0, 0))
        line.add_row(*cells)
        return line

    def in_notebook(self) -> str:
        """One line of HTML; a browser animates the bar of what cannot be counted."""
        value = "" if self.total is None else f' value="{self.done}" max="{self.total}"'
        words = html.escape("  ".join([*self.news, self.time]))
        return (
            f'<div style="display: flex; gap: 1em; white-space: pre; align-items: center">'
            f'{html.escape(self.title)}<progress style="flex: 1"{value}></progress>{words}</div>'
        )


class Bars:
    """Shows work in progress; `show` is a `working.Show`.

    Args:
      console: where to write.
      verbose: print a line with its duration for each piece of work that is done.
    """

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self.console, self.verbose = console, verbose
        self.rows: list[Row] = []
        self._place: Live | _Cell | None = None

    @property
    def live(self) -> bool:
        """Whether there is a place for bars."""
        terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        return terminal or self.console.is_jupyter

    def say(self, message: str) -> None:
        """Prints one line, above the bars if there are any."""
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)

    def changed(self) -> None:
        """A row is other than it was."""
        if isinstance(self._place, _Cell):  # A terminal is looked after by a thread of rich.
            self._place.refresh()

    @contextmanager
    def row(self, row: Row) -> Iterator[Row]:
        """A block during which a row is shown, below those that are there."""
        self.rows.append(row)
        if self._place is None and self.live:
            self._place = self._make_place()
            self._place.start()
        self.changed()
        try:
            yield row
        finally:
            self.rows.remove(row)
            self.changed()
            if self._place is not None and not self.rows:
                self._place.stop()
                self._place = None

    @contextmanager
    def show(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A block of work during which it is shown; yields the function to tell what is done."""
        row = Row(what, total)

        def reach(done: int) -> None:
            row.done = done
            self.changed()

        with self.row(row) if self.live else self._lines(row):
            yield reach
        if self.verbose:
            self.say(f"{what}: {row.seconds:.1f} s")

    @contextmanager
    def _lines(self, row: Row) -> Iterator[None]:
        """Says now and then how far a piece of work is."""
        done = threading.Event()

        def tell() -> None:
            while not done.wait(SECONDS_BETWEEN_LINES):
                far = f"{row.done} of {row.total}" if row.total else f"{row.seconds:.0f} s"
                left = row.seconds_left
                self.say(f"{row.what}: {far}{'' if left is None else f', {clock(left)} left'}")

        try:
            threading.Thread(target=tell, daemon=True).start()
            yield
        finally:
            done.set()

    def _make_place(self) -> "Live | _Cell":
        if self.console.is_jupyter:
            return _Cell(lambda: "".join(row.in_notebook() for row in self.rows))
        return Live(
            get_renderable=lambda: Group(
                *(row.on_terminal(self.console.width) for row in list(self.rows))
            ),
            console=self.console,
            refresh_per_second=1 / SECONDS_BETWEEN_UPDATES,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # What goes elsewhere stays apart.
            redirect_stderr=sys.stderr.isatty(),
        )


class _Cell:
    """The bars in a notebook's cell, as what rich's `Live` is on a terminal."""

    def __init__(self, shown: Callable[[], str]) -> None:
        self._shown, self._updated = shown, 0.0
        self._handle: Any = None

    def start(self) -> None:
        self._handle = self._display(self._shown(), display_id=True)

    def refresh(self) -> None:
        if time.perf_counter() - self._updated > SECONDS_BETWEEN_UPDATES:
            self._updated = time.perf_counter()
            self._update(self._shown())

    def stop(self) -> None:
        self._update("")

    def _display(self, text: str, **options: Any) -> Any:
        from IPython.display import HTML, display

        return display(HTML(text), **options)

    def _update(self, text: str) -> None:
        self._display(text, display_id=self._handle.display_id, update=True)


def clock(seconds: float) -> str:
    """A time as 0:01:23."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
