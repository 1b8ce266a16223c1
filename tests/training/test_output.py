"""Output that fails: what a person or a log reader is told."""

import io
import sys

from jaxgan.training.output import lasting_output


def test_a_stream_that_fails_is_told_of_once(capsys, monkeypatch):
    class Full(io.StringIO):  # And no file of the system, as in a notebook.
        def write(self, text):
            raise OSError(28, "No space left on device")

    full = Full()
    monkeypatch.setattr(sys, "stdout", full)
    with lasting_output():
        print("one")
        print("two", flush=True)
    assert sys.stdout is full
    assert capsys.readouterr().err == (
        "jaxgan: warning: standard output cannot be written (No space left on device); "
        "training goes on\n"
    )
