"""Signals that end a run in order."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Turns the first SIGINT, SIGTERM or SIGHUP into a question; the next acts as it always does.

    SIGHUP comes when a terminal is closed; where it is ignored, as under nohup, it stays so. In a
    thread, which gets no signals, the answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()

    numbers = {signal.SIGINT, signal.SIGTERM}
    hangup = getattr(signal, "SIGHUP", None)  # Not on Windows.
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.add(hangup)
    before = {number: signal.signal(number, remember) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield lambda: bool(received)
    finally:
        restore()
