"""Standard output that may fail without ending a training."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


@contextmanager
def lasting_output() -> Iterator[None]:
    """Lets work go on when its output cannot be written: the reader is gone, or the disk is full.

    That is said once, on standard error, and all further lines are dropped.
    """
    before = sys.stdout
    sys.stdout = _Lasting(before)  # All that is used of a stream.
    try:
        yield
    finally:
        sys.stdout = before


class _Lasting:
    """A text stream whose first failure is its last."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        stream, self._stream = self._stream, io.StringIO()  # Where further lines go.
        with suppress(OSError):
            reason = error.strerror or error
            print(
                f"jaxgan: warning: standard output cannot be written ({reason}); training goes on",
                file=sys.stderr,
                flush=True,
            )
        with suppress(OSError):  # What is buffered would fail again at exit.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
