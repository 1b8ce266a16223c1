"""The importer's page of the README, run as it stands: one loss and one penalty in four styles."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
STYLES = ("plain functions", "Flax Linen", "Flax NNX", "Equinox")


def blocks() -> dict[str, str]:
    """The code blocks below a heading `#### With <style>`, by style."""
    found = re.findall(
        r"^#### With (.+?)\n.*?^```python\n(.*?)^```", README.read_text(), re.S | re.M
    )
    return dict(found)


def test_the_page_shows_every_style():
    assert tuple(blocks()) == STYLES


@pytest.mark.parametrize("style", STYLES)
def test_a_hand_written_loop_learns(style: str):
    if style == "Equinox":
        pytest.importorskip("equinox")
    names: dict = {}
    exec(compile(blocks()[style], f"README, {style}", "exec"), names)
    # Each block pulls points towards a unit Gaussian at 2 and leaves a function that draws fakes.
    fake = names["draw"](1000)
    assert fake.shape == (1000, 1)
    assert abs(float(fake.mean()) - 2) < 0.5


def test_the_idea_in_twenty_lines_runs():
    idea = README.read_text().split("## The idea in twenty lines")[1]
    code = idea.split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(compile(code.replace("range(1000)", "range(2)"), "README", "exec"), names)
    assert names["points"].shape == (1000, 2)
