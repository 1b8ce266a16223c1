"""Commands in the documentation are commands: the real parser reads each of them.

They stand in the README, in docs/ and the other pages, in blocks of code and between words, and in
the docstrings that experiments open with. RUN and other capitals stand for what a reader puts
there.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tyro

from jaxgan.cli import main as cli
from jaxgan.cli.arguments import split_hosts
from jaxgan.cli.sweep import arguments_of
from jaxgan.cli.train import parse_train
from jaxgan.data import PairSpec, Spec
from jaxgan.data.paired import PairedSpec
from jaxgan.experiment.base import check
from jaxgan.runs import record

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "experiments/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # Its commands are those of their day.
)
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.py"))
DIGIT, GREY, COLOUR = Spec((28, 28, 1), 10), Spec((64, 64, 1), 0), Spec((64, 64, 3), 0)
KINDS: dict[str, tuple[str, Any]] = {
    "--sweep": ("infogan_mnist", DIGIT),
    "--direction x-to-y": ("cyclegan_mnist_usps", PairSpec(DIGIT, DIGIT)),
    "--mask": ("inpaint_faces", PairedSpec(GREY)),
    "translate": ("edges_to_emoji", PairedSpec(COLOUR)),
    "reconstruct": ("vae_mnist", DIGIT),
    "": ("conditional_dcgan_mnist", DIGIT),
}
"""The experiment whose run a command is for: the first whose words it has."""


class Parsed(BaseException):
    """The command was read. What it does is the subject of other tests."""


class Command(NamedTuple):
    text: str
    where: str


def commands_of(text: str, where: str) -> Iterator[Command]:
    """The commands of a text: in blocks of code, fenced or indented, and between backticks."""
    text = re.sub(r" *\\\n\s*", " ", text)
    fenced = [code for _, code in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M)]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    blocks = [*fenced, *re.findall(r"^    \S.*$", prose, re.M)]
    lines = [part for block in blocks for line in block.splitlines() for part in line.split("&&")]
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for line in [*lines, *spans]:
        bare = line.partition("  #")[0].strip(" '")
        before = r"(?:^|^[A-Z_]+=\S+ |^srun .*?)"
        if found := re.search(before + r"(jaxgan [a-z].*|python -m b.*|python e.*)$", bare):
            command = re.split(r" \\?\| | > ", found[1])[0]
            yield Command(re.sub(r"[\[\]]| \.\.\.", "", command), where)


def documented() -> list[Command]:
    found = [command for page in PAGES for command in commands_of(page.read_text(), page.name)]
    for file in EXPERIMENTS:
        opening = ast.get_docstring(ast.parse(file.read_text()), clean=False) or ""
        found += commands_of(opening, file.name)
    return sorted({command.text: command for command in found}.values())


COMMANDS = documented()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each kind, as far as a parser looks."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "photos").mkdir()  # Options of a folder are those of `images_folder`.
    for name, spec in KINDS.values():
        experiment = record.load_file(ROOT / "experiments" / f"{name}.py")
        record.create(folder / "runs" / name, experiment, [spec])
    return {words: folder / "runs" / name for words, (name, _) in KINDS.items()}


def test_every_command_is_documented():
    documented = {command.text.split()[1] for command in COMMANDS if command.text[0] == "j"}
    assert documented >= set(re.findall(r"^  (\w+) ", cli.USAGE, re.MULTILINE))
    assert len(COMMANDS) > 120


@pytest.mark.parametrize("text", [c.text for c in COMMANDS if c.text.startswith("jaxgan")])
def test_a_command_is_read(text, runs, monkeypatch):
    monkeypatch.chdir(runs[""].parents[1])
    run = next(str(path) for words, path in runs.items() if words in text)
    own = str(ROOT / "experiments/digits.py")
    mine = str(ROOT / "experiments/own_network.py")
    places = {"RUN": run, "OTHER": run, "EXPERIMENT.py": own, "my.py": own, "mine.py": mine}
    name, *args = [places.get(word, word) for word in shlex.split(text)[1:]]
    if not args or "--help" in args:
        assert f"\n  {name} " in cli.USAGE
        return
    _, args = split_hosts(args)
    if name in ("train", "sweep"):
        for one in [train for train, _ in arguments_of(args)[0]] if name == "sweep" else [args]:
            check(parse_train(one)[1])
        return
    if not args[0].startswith("-") and name not in ("data", "list", "experiments", "completion"):
        args[0] = run
    read = tyro.cli

    def only_read(*given, **options):
        read(*given, **options)
        raise Parsed

    monkeypatch.setattr(tyro, "cli", only_read)
    with pytest.raises(Parsed):
        cli.main([name, *args])


@pytest.mark.parametrize("text", [c.text for c in COMMANDS if c.text.startswith("python")])
def test_a_program_is_there(text):
    words = text.split()
    path = f"{words[2].replace('.', '/')}.py" if words[1] == "-m" else words[1]
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_of_the_readme_are_targets(target):
    assert f"\nmake {target} " in (ROOT / "README.md").read_text()
    assert re.search(rf"^{target}: ", (ROOT / "Makefile").read_text(), re.M)
