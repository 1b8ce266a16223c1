"""The README and the pages: their programs run as they stand, and their links lead somewhere.

docs/importing.md shows one loss and one penalty in four styles. The commands of the pages are held
to the command line in `cli/test_documented_commands.py`.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxgan.experiment
from jaxgan.data import open_source
from jaxgan.evaluation import judges, protocol
from jaxgan.experiment import DIGITS, DiscriminatorOptions, GeneratorOptions
from jaxgan.metrics import Classifier

ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "experiments/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
RUN_HERE = {
    **{"README.md": 1, "docs/importing.md": 4, "docs/python.md": 1, "docs/questions.md": 1},
    "docs/walks.md": 3,
}
"""How many programs a page has, each of which a test below runs."""
STYLES = ("plain functions", "Flax Linen", "Flax NNX", "Equinox")


def programs(page: Path) -> list[str]:
    """The blocks of Python of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M)


def by_style() -> dict[str, str]:
    """The program below each heading `## With <style>` of docs/importing.md."""
    text = (DOCS / "importing.md").read_text()
    return dict(re.findall(r"^## With (.+?)\n.*?^```python\n(.*?)^```", text, re.S | re.M))


def run(code: str) -> dict:
    """The names that a program leaves."""
    names: dict = {}
    exec(compile(code, "page", "exec"), names)
    return names


def test_every_program_is_run_here():
    found = {page: len(programs(ROOT / page)) for page in PAGES}
    assert {page: count for page, count in found.items() if count} == RUN_HERE


def test_the_page_shows_every_style():
    assert tuple(by_style()) == STYLES


@pytest.mark.parametrize("style", STYLES)
def test_a_hand_written_loop_learns(style: str):
    if style == "Equinox":
        pytest.importorskip("equinox")
    # Each block pulls points towards a unit Gaussian at 2 and leaves a function that draws fakes.
    fake = run(by_style()[style])["draw"](1000)
    assert fake.shape == (1000, 1)
    assert abs(float(fake.mean()) - 2) < 0.5


def test_the_idea_in_twenty_lines_runs():
    (code,) = programs(README)
    names = run(code.replace("range(1000)", "range(2)"))
    assert names["points"].shape == (1000, 2)


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> None:
    """The digits with smaller networks, fewer steps and a judge that need not be fitted."""
    small = {"family": "mlp", "width": 8, "normalization": "none"}
    less_of_all = dataclasses.replace(
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
    monkeypatch.setattr(jaxgan.experiment, "DIGITS", less_of_all)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("tiny")
def test_a_run_from_python():
    names = run(*programs(DOCS / "python.md"))
    assert names["run"].step == 2
    assert (names["threes"].shape, names["threes"].dtype) == ((16, 8, 8, 1), np.uint8)
    drawn = names["apply"](names["variables"], np.zeros((3, 4), np.float32), np.zeros(3, int))
    assert drawn.shape == (3, 8, 8, 1)
    assert set(names["record"]) >= {"metrics", "real", "protocol"}
    assert "frechet" in names["record"]["metrics"]
    assert len(names["losses"]) == 2


@pytest.mark.usefixtures("tiny")
def test_a_notebook():
    *cells, figures = programs(DOCS / "walks.md")
    code = "".join(cells).replace("steps=1000, evaluate_every=1000", "steps=2, evaluate_every=2")
    names = run(code.replace("\npicture(", "\nshown = picture(") + f"figures = {figures}")
    assert names["shown"].width == names["shown"].height == 4 * (128 + 2) + 2
    ((step, distance),) = names["figures"]
    assert step == 2
    assert distance > 0


def test_sixteen_bits_become_eight(tmp_path, monkeypatch):
    """All of the range: 0 stays 0 and 65,535 becomes 255."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    values = np.array([[0, 257, 32_896, 65_535]], np.uint16)
    Image.fromarray(values).save("deep/a.png")
    with pytest.raises(ValueError, match="I;16"):
        open_source("deep")
    run(*programs(DOCS / "questions.md"))
    assert open_source("photos").host["real"][0, 0, :, 0].tolist() == [0, 1, 128, 255]


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


def test_the_modules_that_pages_name_are_where_they_say():
    """A link's words are the end of its path, as in `training/step.py`."""
    for page in PAGES:
        text = (ROOT / page).read_text()
        named = re.findall(r"\[`([\w/]+(?:\.py|/))`\]\(([^)]+)\)", text)
        assert len(named) > 20 or page != "docs/covered.md"
        for words, path in named:
            assert f"/{path}/".endswith(f"/{words.rstrip('/')}/"), path


def test_every_page_is_reached_from_the_readme():
    linked = re.findall(r"\]\((docs/[\w.]+)", README.read_text())
    assert set(linked) == {f"docs/{page.name}" for page in DOCS.glob("*.md")}


def test_the_readme_is_a_front_door():
    """What takes longer to say has a page of its own."""
    assert len(README.read_text().splitlines()) <= 160
