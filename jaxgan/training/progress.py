"""How a run is shown: a live line on a terminal, one line an interval anywhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

COMPILING = "compiling"
SECONDS_BETWEEN_LINES = 10.0
"""Between two lines of a count, where it is not shown as a bar."""
HEADLINE = 3
"""Scalars on the progress line of a game without losses."""


class Display:
    """Shows a run's progress; a `Reporter` of the loop and a context manager.

    Speed is counted from the first finished interval on, so that it leaves out compiling.

    Args:
      steps: the run's number of steps.
      console: where to write; by default standard output, or the cell of a notebook.
      writer: a tensorboardX `SummaryWriter` that gets the logged scalars too.
    """

    def __init__(self, steps: int, console: Console | None = None, writer: Any = None) -> None:
        console = console or Console()
        self.writer = writer
        self.steps, self.console = steps, console
        self._mark: tuple[int, float, float] | None = None
        self._steps_a_second = self._images_a_second = 0.0
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[news]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not self._live,
            transient=True,
        )
        self._task = self._bar.add_task("", total=steps, news=COMPILING)

    def __enter__(self) -> "Display":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if self.writer is not None:
            with suppress(OSError):  # A full disk has ended the run, and that is being said.
                self.writer.close()

    def step(self, step: int) -> None:
        """Moves the bar."""
        if not self._live:
            return
        news = self._bar.tasks[0].fields["news"]
        self._bar.update(self._task, completed=step, news="" if news == COMPILING else news)

    def log(self, step: int, scalars: dict[str, float]) -> None:
        """Shows the losses, the speed and, off a terminal, the time left."""
        images = scalars.get("images_seen", 0.0)
        if self.writer is not None:
            for name, value in scalars.items():
                if name != "images_seen":
                    self.writer.add_scalar(name, value, step)
        now = time.perf_counter()
        if self._mark is not None and now > self._mark[2]:
            seconds = now - self._mark[2]
            self._steps_a_second = (step - self._mark[0]) / seconds
            self._images_a_second = (images - self._mark[1]) / seconds
        self._mark = (step, images, now)
        news = headline(scalars)
        if self._steps_a_second:
            news += f"  {self._images_a_second:,.0f} images/s"
        if self._live:
            self._bar.update(self._task, news=news)
            return
        if self._steps_a_second:
            news += f"  {(self.steps - step) / self._steps_a_second:.0f} s left"
        self.say(f"step {step}/{self.steps}  {news}")

    @property
    def _live(self) -> bool:
        """Whether there is a place for a bar: a terminal, or a notebook with ipywidgets."""
        if self.console.is_jupyter:
            return find_spec("ipywidgets") is not None
        return self.console.is_terminal

    def say(self, message: str) -> None:
        """Prints one line, above the bar if there is one."""
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)


def headline(scalars: dict[str, float]) -> str:
    """The losses of all moves, or the first of what a game without losses logs."""
    losses = {n.removesuffix("_loss"): v for n, v in scalars.items() if n.endswith("_loss")}
    others = {n: v for n, v in scalars.items() if n != "images_seen"}
    shown = losses or dict(list(others.items())[:HEADLINE])
    return "  ".join(f"{name} {value:.3f}" for name, value in shown.items())


@contextmanager
def counting(what: str, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Counts what is done of a total: a bar on a terminal, now and then a line anywhere else.

    Args:
      what: is being done.
      total: of how many.
      console: where to write.

    Yields:
      The function to tell of how many are done now.
    """
    said = time.perf_counter()
    bar = Progress(
        TextColumn(what),
        MofNCompleteColumn(),
        BarColumn(bar_width=None),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    task = bar.add_task("", total=total)

    def reach(done: int) -> None:
        nonlocal said
        if console.is_terminal:
            bar.update(task, completed=done)
        elif time.perf_counter() - said > SECONDS_BETWEEN_LINES:
            said = time.perf_counter()
            console.print(f"{what}: {done} of {total}", highlight=False)

    with bar:
        yield reach
