"""Signals that end a run in order."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """A signal came within a block that it may end. No handler of errors is meant to catch it."""


class Stop:
    """Whether a signal has asked the run to end: `stop()`."""

    def __init__(self) -> None:
        self._asked = self._interrupts = False

    def __call__(self) -> bool:
        return self._asked

    def ask(self) -> None:
        """A signal came."""
        self._asked = True
        if self._interrupts:
            raise Interrupted

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """A block that a signal ends by `Interrupted`, and that is not begun after one."""
        try:
            self._interrupts = True
            if self._asked:
                raise Interrupted
            yield
        finally:
            self._interrupts = False


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turns the first SIGINT, SIGTERM or SIGHUP into a question; the next acts as it always does.

    SIGHUP comes when a terminal is closed; where it is ignored, as under nohup, it stays so. In a
    thread, which gets no signals, the answer is always no.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def remember(number: int, frame: FrameType | None) -> None:
        restore()
        stop.ask()

    numbers = {signal.SIGINT, signal.SIGTERM}
    hangup = getattr(signal, "SIGHUP", None)  # Not on Windows.
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.add(hangup)
    before = {number: signal.signal(number, remember) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield stop
    finally:
        restore()
