"""What a person sees of a run, on a terminal and off it."""

import io

import pytest
from rich.console import Console

from jaxgan.training import progress
from jaxgan.training.progress import Display, headline
from jaxgan.working import working

LOSSES = {"discriminator_loss": 1.25, "generator_loss": 0.5, "real_logits": 3.0}


def logged(step):
    """What the loop logs after a step, of 64 images each."""
    return {"images_seen": 64 * step, **LOSSES}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until told."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def lines_of(output):
    return output.getvalue().splitlines()


def test_off_a_terminal_there_is_one_line_an_interval(clock):
    output = io.StringIO()
    with Display(200, Console(file=output, force_terminal=False, width=40)) as display:
        display.say("run [1]: 5 samples and a line much longer than the console is wide")
        display.step(50)
        display.log(50, logged(50))
        clock[0] += 2
        display.step(100)
        display.log(100, logged(100))
    first, second, third = lines_of(output)
    assert first == "run [1]: 5 samples and a line much longer than the console is wide"
    assert second == "step 50/200  discriminator 1.250  generator 0.500"  # No speed yet.
    # 50 steps of 64 images in 2 s, 100 steps to go.
    assert third == (
        "step 100/200  discriminator 1.250  generator 0.500  1,600 images/s  0:00:04 left"
    )


def test_speed_counts_the_images_that_were_seen_however_many_a_step_takes(clock):
    """As in a run whose later phase takes larger batches."""
    output = io.StringIO()
    with Display(30, Console(file=output, force_terminal=False)) as display:
        for step, images in ((10, 80), (20, 160), (30, 1760)):
            display.step(step)
            display.log(step, {"images_seen": images, **LOSSES})
            clock[0] += 2
    speeds = [line.partition("images/s")[0].split()[-1] for line in lines_of(output)[1:]]
    assert speeds == ["40", "800"]


def test_the_time_left_is_that_of_steps_alone(clock):
    """Compiling, evaluations, pictures and checkpoints are left out."""
    output = io.StringIO()
    with Display(100, Console(file=output, force_terminal=False)) as display:
        for step in range(10, 60, 10):
            display.step(step)
            with working("evaluating"), working("measuring", 10):
                clock[0] += 1000
            clock[0] += 5
        display.log(50, logged(50))
    assert lines_of(output)[-1].endswith("128 images/s  0:00:25 left")  # 50 steps of half a second.


def test_the_time_left_follows_a_change_of_speed_smoothly(clock):
    output = io.StringIO()
    with Display(10_000, Console(file=output, force_terminal=False)) as display:

        def left(seconds_a_step, steps):
            for _ in range(steps):
                clock[0] += seconds_a_step
                display.step(display._run.done + 1)
            return display._left() / (10_000 - display._run.done)

        display.step(0)
        assert left(0.1, 500) == pytest.approx(0.1)
        assert 0.1 < left(1.0, 1) < 0.2  # One slow step is no trend,
        assert left(1.0, 60) == pytest.approx(1.0, rel=0.02)  # sixty are.


def test_quiet_shows_nothing():
    output = io.StringIO()
    terminal = Console(file=output, force_terminal=True)
    with Display(200, terminal, quiet=True) as display:
        display.say("hello")
        display.step(50)
        with working("evaluating"):
            display.log(50, logged(50))
    assert output.getvalue() == ""


def test_verbose_says_how_long_everything_took(clock):
    output = io.StringIO()
    with (
        Display(200, Console(file=output, force_terminal=False), verbose=True),
        working("evaluating"),
    ):
        clock[0] += 3
    assert lines_of(output) == ["evaluating: 3.0 s"]


@pytest.mark.parametrize(
    ("scalars", "shown"),
    [
        (logged(1), "discriminator 1.250  generator 0.500"),
        (
            {"encoder_loss": 1.0, "encoder_gradient_norm": 9.0, "sleep_loss": 2.0, "d_loss": 3.0},
            "encoder 1.000  sleep 2.000  d 3.000",
        ),
        (
            {"images_seen": 64, "log_likelihood": -3.5, "update_ratio": 0.25, "a": 1.0, "b": 2.0},
            "log_likelihood -3.500  update_ratio 0.250  a 1.000",
        ),
        ({"images_seen": 64}, ""),
    ],
    ids=["a GAN", "three moves", "no loss", "nothing"],
)
def test_the_headline_is_the_losses_of_all_moves_or_the_first_scalars(scalars, shown):
    assert "  ".join(headline(scalars)) == shown


def test_on_a_terminal_there_is_a_bar_and_what_is_said_stays_above_it():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, color_system=None)
    with Display(200, console) as display:
        display.say("hello")
        display.log(50, logged(50))
        display.step(50)
        display._bars._place.refresh()
    lines = output.getvalue()
    assert "hello\n" in lines
    assert "step  50/200" in lines
    assert "discriminator 1.250  generator 0.500" in lines
    assert "step 50/200  discriminator" not in lines  # The line for logs is not there too.
