"""How a run is shown: a live line on a terminal, one line an interval anywhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

COMPILING = "compiling"
SECONDS_BETWEEN_LINES = 10.0
"""Of a count, where it is not shown as a bar."""


class Display:
    """Shows a run's progress; a `Reporter` of the loop and a context manager.

    Speed is counted from the first finished interval on, so that it leaves out compiling.

    Args:
      steps: the run's number of steps.
      images_per_step: real images a step uses.
      console: where to write.
      writer: a tensorboardX `SummaryWriter` that gets the logged scalars too.
    """

    def __init__(
        self, steps: int, images_per_step: int, console: Console, writer: Any = None
    ) -> None:
        self._writer = writer
        self.steps, self.images_per_step, self.console = steps, images_per_step, console
        self._mark: tuple[int, float] | None = None
        self._rate = 0.0
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[news]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
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
        if self._writer is not None:
            with suppress(OSError):  # A full disk has ended the run, and that is being said.
                self._writer.close()

    def step(self, step: int) -> None:
        """Moves the bar."""
        if not self.console.is_terminal:
            return
        news = self._bar.tasks[0].fields["news"]
        self._bar.update(self._task, completed=step, news="" if news == COMPILING else news)

    def log(self, step: int, scalars: dict[str, float]) -> None:
        """Shows both losses, the speed and, off a terminal, the time left."""
        if self._writer is not None:
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, step)
        now = time.perf_counter()
        if self._mark is not None and now > self._mark[1]:
            self._rate = (step - self._mark[0]) / (now - self._mark[1])
        self._mark = (step, now)
        news = (
            f"discriminator {scalars['discriminator_loss']:.3f}  "
            f"generator {scalars['generator_loss']:.3f}"
        )
        if self._rate:
            news += f"  {self._rate * self.images_per_step:,.0f} images/s"
        if self.console.is_terminal:
            self._bar.update(self._task, news=news)
            return
        if self._rate:
            news += f"  {(self.steps - step) / self._rate:.0f} s left"
        self.say(f"step {step}/{self.steps}  {news}")

    def say(self, message: str) -> None:
        """Prints one line, above the bar if there is one."""
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def counting(what: str, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Counts what is done of so many: a bar on a terminal, now and then a line anywhere else.

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
