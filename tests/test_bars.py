"""What is shown of work that takes long: on a terminal, in a notebook, and elsewhere."""

import io
import re
import sys
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from jaxgan import bars
from jaxgan.bars import Bars, Row, clock
from jaxgan.working import shown_by, working

NEWS = ["discriminator 1.968", "generator -0.220", "3,910 images/s"]


def drawn(row: Row, width: int) -> str:
    """A row as a terminal of a width shows it."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    with console.capture() as capture:
        console.print(row.on_terminal(width))
    (line,) = capture.get().splitlines()
    return line.rstrip()


@pytest.mark.parametrize(("width", "news"), [(60, NEWS[:1]), (80, NEWS[:2]), (120, NEWS), (40, [])])
def test_news_make_way_for_the_step_a_bar_and_the_time(width, news):
    row = Row("step", 3000, done=1234, news=NEWS, left=lambda: 83.0)
    line = drawn(row, width)
    assert len(line) == width
    bar = re.fullmatch(rf"step 1234/3000 ([━╸╺ ]+){'  '.join(news)}\s?0:01:23", line)
    assert bar
    assert len(bar[1].strip()) >= 3


def test_work_that_cannot_be_counted_shows_the_seconds():
    row = Row("compiling", None, began=time.perf_counter() - 12)
    assert re.fullmatch(r"compiling [━╸╺ ]+ 12 s", drawn(row, 60))


def test_work_that_is_counted_shows_the_time_left():
    row = Row("decoding images", 500, done=100, began=time.perf_counter() - 60)
    assert drawn(row, 60).endswith(" 0:04:00")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0:00:00"), (59.6, "0:01:00"), (3 * 3600 + 61, "3:01:01")]
)
def test_a_time(seconds, text):
    assert clock(seconds) == text


def test_on_a_terminal_there_are_bars_that_go_away(monkeypatch):
    written = io.StringIO()
    shown = Bars(Console(file=written, force_terminal=True, width=60, color_system=None))
    with shown.show("evaluating"), shown.show("measuring", 10) as reach:
        reach(7)
        shown.say("a line above them")
        shown._place.refresh()
        assert len(shown.rows) == 2
    assert not shown.rows
    assert re.search(r"evaluating .* 0 s", written.getvalue())
    assert "measuring  7/10" in written.getvalue()
    assert "a line above them\n" in written.getvalue()


def test_elsewhere_a_line_now_and_then_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(bars, "SECONDS_BETWEEN_LINES", 0.01)
    written = io.StringIO()
    shown = Bars(Console(file=written))
    with shown.show("translating", 10) as reach:
        reach(7)
        while "7 of 10" not in written.getvalue():
            time.sleep(0.01)
    for line in written.getvalue().splitlines():  # The time left, once something is done.
        assert line in ("translating: 0 of 10", "translating: 7 of 10, 0:00:00 left")
    with shown.show("compiling"):
        while "compiling: 0 s\n" not in written.getvalue():
            time.sleep(0.01)


def test_what_takes_no_time_is_not_spoken_of():
    written = io.StringIO()
    with Bars(Console(file=written)).show("translating", 10) as reach:
        reach(7)
    assert written.getvalue() == ""


def test_every_piece_of_work_is_said_where_asked():
    written = io.StringIO()
    with Bars(Console(file=written), verbose=True).show("compiling"):
        pass
    assert re.fullmatch(r"compiling: \d+\.\d s\n", written.getvalue())


def test_a_notebook_has_a_bar(monkeypatch):
    """IPython's functions are stood in for: it is not needed elsewhere."""
    cells = []

    def display(text, display_id, update=False):
        cells.append((display_id, text))
        return None if update else SimpleNamespace(display_id="id of the cell")

    stand_in = SimpleNamespace(HTML=lambda text: text, display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", stand_in)
    monkeypatch.setattr(bars, "SECONDS_BETWEEN_UPDATES", -1)
    shown = Bars(Console(file=io.StringIO(), force_jupyter=True))
    with shown.show("evaluating"), shown.show("a < b", 10) as reach:
        reach(7)
    first, *later = cells
    assert first[0] is True
    assert {name for name, _ in later} == {"id of the cell"}
    assert '<progress style="flex: 1"></progress>' in first[1]
    (counted,) = (text for _, text in later if 'value="7" max="10"' in text)
    assert "a &lt; b  7/10" in counted
    assert later[-1][1] == ""


def test_work_is_silent_until_somebody_asks():
    told = []
    with working("compiling") as reach:
        reach(1)

    class Told:
        def __init__(self, what, total):
            told.append((what, total))

        def __enter__(self):
            return told.append

        def __exit__(self, *error):
            told.append("done")

    with shown_by(Told), working("decoding images", 3) as reach:
        reach(2)
    with working("compiling"):
        pass
    assert told == [("decoding images", 3), 2, "done"]
