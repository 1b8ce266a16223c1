"""The README: its programs run as they stand, and its links lead somewhere.

The importer's page shows one loss and one penalty in four styles.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import jaxgan.experiment
from jaxgan.evaluation import judges, protocol
from jaxgan.experiment import DIGITS, DiscriminatorOptions, GeneratorOptions
from jaxgan.metrics import Classifier

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = ("README.md", "CONTRIBUTING.md", "experiments/README.md", "benchmarks/README.md")
STYLES = ("plain functions", "Flax Linen", "Flax NNX", "Equinox")


def blocks() -> dict[str, str]:
    """The code blocks below a heading `#### With <style>`, by style."""
    found = re.findall(
        r"^#### With (.+?)\n.*?^```python\n(.*?)^```", README.read_text(), re.S | re.M
    )
    return dict(found)


def first_block(heading: str) -> str:
    """The first code block below a heading of the second rank."""
    section = README.read_text().split(f"## {heading}\n")[1]
    return section.split("```python\n")[1].split("```")[0]


def run(code: str) -> dict:
    """The names that some code of the README leaves."""
    names: dict = {}
    exec(compile(code, "README", "exec"), names)
    return names


def test_the_page_shows_every_style():
    assert tuple(blocks()) == STYLES


@pytest.mark.parametrize("style", STYLES)
def test_a_hand_written_loop_learns(style: str):
    if style == "Equinox":
        pytest.importorskip("equinox")
    # Each block pulls points towards a unit Gaussian at 2 and leaves a function that draws fakes.
    fake = run(blocks()[style])["draw"](1000)
    assert fake.shape == (1000, 1)
    assert abs(float(fake.mean()) - 2) < 0.5


def test_the_idea_in_twenty_lines_runs():
    code = first_block("The idea in twenty lines")
    names = run(code.replace("range(1000)", "range(2)"))
    assert names["points"].shape == (1000, 2)


def test_a_run_from_python(tmp_path, monkeypatch):
    """As it stands, with smaller networks, fewer steps and a judge that need not be fitted."""
    small = {"family": "mlp", "width": 8, "normalization": "none"}
    tiny = dataclasses.replace(
        DIGITS,
        generator=GeneratorOptions(**small, latent_size=4),
        discriminator=DiscriminatorOptions(**small),
        **dict.fromkeys(("steps", "sample_every", "checkpoint_every"), 2),
        evaluate_every=0,
        best_metric="generator_loss",
        log_every=1,
        batch_size=8,
    )
    layers = tuple((np.ones(shape), np.zeros(shape[1])) for shape in [(64, 4), (4, 10)])
    judge = Classifier(layers, test_accuracy=0.5)
    monkeypatch.setattr(judges, "load_or_fit", lambda *data, **options: judge)
    for name, less in (("SAMPLES", 50), ("SUBSETS", 3), ("PROJECTIONS", 16), ("PATCHES", 2)):
        monkeypatch.setattr(protocol, name, less)
    monkeypatch.setattr(jaxgan.experiment, "DIGITS", tiny)
    monkeypatch.chdir(tmp_path)
    names = run(first_block("From Python"))
    assert names["run"].step == 2
    assert (names["threes"].shape, names["threes"].dtype) == ((16, 8, 8, 1), np.uint8)
    drawn = names["apply"](names["variables"], np.zeros((3, 4), np.float32), np.zeros(3, int))
    assert drawn.shape == (3, 8, 8, 1)
    assert set(names["record"]) >= {"metrics", "real", "protocol"}
    assert "frechet" in names["record"]["metrics"]
    assert len(names["losses"]) == 2


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str):
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", (ROOT / page).read_text())
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> list[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_the_modules_that_the_readme_names_are_where_it_says():
    """A link's words are the end of its path: `[`training/step.py`](jaxgan/training/step.py)`."""
    named = re.findall(r"\[`([\w/]+(?:\.py|/))`\]\(([^)]+)\)", README.read_text())
    assert len(named) > 20
    for words, path in named:
        assert f"{path}/".endswith(f"/{words.rstrip('/')}/"), path
