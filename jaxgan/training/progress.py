"""How a run is shown: a live line on a terminal, one line an interval anywhere else."""

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from rich.console import Console

from jaxgan.bars import Bars, Row, clock
from jaxgan.working import Reach, shown_by

HEADLINE = 3
"""Scalars on the progress line of a game without losses."""
SMOOTHING = 10.0
"""Seconds after which what was measured of the speed counts for a third."""


class Display:
    """Shows a run's progress; a `Reporter` of the loop and a context manager.

    Work of which the library tells in its block is shown too (`jaxgan.working`), and left out of
    the speed, as are compiling, evaluations, pictures and checkpoints.

    Args:
      steps: the run's number of steps.
      console: where to write; by default standard output, or the cell of a notebook.
      quiet: show nothing at all.
      verbose: say of every piece of work how long it took.
    """

    def __init__(
        self,
        steps: int,
        console: Console | None = None,
        *,
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        self.steps = steps
        nowhere = Console(quiet=True, force_terminal=False, force_jupyter=False)
        console = nowhere if quiet else console or Console()
        self._bars = Bars(console, verbose=verbose)
        self._run = Row("step", steps, left=self._left)
        self._pace, self._stack = _Pace(), ExitStack()
        self._images = (0, 0.0, 0.0)

    def __enter__(self) -> "Display":
        self._stack.enter_context(shown_by(self._show))
        self._stack.enter_context(self._bars.row(self._run))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def step(self, step: int) -> None:
        """Moves the bar."""
        self._pace.reach(step)
        self._run.done = step
        self._bars.changed()

    def log(self, step: int, scalars: dict[str, float]) -> None:
        """Shows the losses, the speed and, off a terminal, the time left."""
        images = scalars.get("images_seen", 0.0)
        before, seen, _ = self._images
        a_step = (images - seen) / (step - before) if step > before else 0.0
        self._images = (step, images, a_step)
        news = headline(scalars)
        if pace := self._pace.seconds_a_step:
            news.append(f"{a_step / pace:,.0f} images/s")
        self._run.news = news
        self._bars.changed()
        if not self._bars.live:
            left = [f"{clock(self._left() or 0)} left"] if pace else []
            self.say("  ".join([f"step {step}/{self.steps}", *news, *left]))

    def say(self, message: str) -> None:
        """Prints one line, above the bar if there is one."""
        self._bars.say(message)

    def _left(self) -> float | None:
        pace = self._pace.seconds_a_step
        return pace and pace * (self.steps - self._run.done)

    @contextmanager
    def _show(self, what: str, total: int | None) -> Iterator[Reach]:
        """A `working.Show`, whose time is none of the steps'."""
        with self._pace.aside(), self._bars.show(what, total) as reach:
            yield reach


class _Pace:
    """How long a step takes: smoothed exponentially, and without what is done beside steps."""

    def __init__(self) -> None:
        self._before: tuple[int, float] | None = None
        self._seconds = self._steps = self._aside = 0.0
        self._depth = 0

    def reach(self, step: int) -> None:
        """The run has come to a step."""
        now = time.perf_counter()
        if self._before is not None:
            seconds = now - self._before[1] - self._aside
            kept = math.exp(-seconds / SMOOTHING)
            self._seconds = kept * self._seconds + seconds
            self._steps = kept * self._steps + step - self._before[0]
        self._before, self._aside = (step, now), 0.0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """A block that is left out."""
        began = time.perf_counter()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:  # Of blocks in one another, the outermost.
                self._aside += time.perf_counter() - began

    @property
    def seconds_a_step(self) -> float | None:
        """None until an interval has passed."""
        return self._seconds / self._steps if self._steps else None


def headline(scalars: dict[str, float]) -> list[str]:
    """The losses of all moves, or the first of what a game without losses logs."""
    losses = {n.removesuffix("_loss"): v for n, v in scalars.items() if n.endswith("_loss")}
    others = {n: v for n, v in scalars.items() if n != "images_seen"}
    shown = losses or dict(list(others.items())[:HEADLINE])
    return [f"{name} {value:.3f}" for name, value in shown.items()]
