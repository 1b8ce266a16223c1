"""Help that teaches: the common options first, whole sentences, an example, and completion."""

import re
import shlex
import shutil
import subprocess

import pytest

from jaxgan.cli import completion
from jaxgan.cli.main import USAGE, main
from jaxgan.cli.shown import EXAMPLES
from jaxgan.cli.train import parse_train


def options_in(text: str) -> set[str]:
    """The options that a help lists."""
    return set(re.findall(r"^[│ ] (--[\w.-]+)", text, re.MULTILINE))


def helped(capsys, command: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_has_the_common_options_and_help_all_has_all(capsys):
    common = helped(capsys, "train --help")
    every = helped(capsys, "train --help-all")
    assert {"--steps", "--lr", "--loss", "--generator.width"} <= options_in(common)
    assert {"--steps-per-call", "--generator.dtype"} <= options_in(every) - options_in(common)
    left = len(options_in(every)) - len(options_in(common))
    assert f" {left} more options: jaxgan train --help-all\n" in common
    assert "more options" not in every


def test_an_option_that_help_leaves_out_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options, experiment = parse_train(["--generator.hidden", "7", "--log-every", "3"])
    assert (experiment.generator.hidden, experiment.log_every, options.lr) == (7, 3, None)


@pytest.mark.parametrize("command", list(EXAMPLES))
def test_help_fits_80_columns_and_has_an_example(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    text = helped(capsys, f"{command} --help")
    assert max(map(len, text.splitlines()[1:])) <= 80
    assert f" Example: {EXAMPLES[command]} " in " ".join(text.split())


def test_help_texts_are_whole_paragraphs(capsys, monkeypatch):
    """tyro would break them where their source breaks."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = helped(capsys, "train --help-all").splitlines()
    assert any("see them as channels beside the image" in line for line in lines)


def completed(script: str, *words: str) -> list[str]:
    """What bash offers for the last word."""
    line = " ".join(map(shlex.quote, words))
    asks = (
        f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _shtab_jaxgan; "
        'echo "${COMPREPLY[@]}"'
    )
    found = subprocess.run(["bash", "-c", asks], capture_output=True, text=True, check=True)
    return found.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_shell_completes_commands_options_choices_and_experiments(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed(script, "jaxgan", "tr") == ["train", "translate"]
    assert completed(script, "jaxgan", "train", "dcgan_m") == ["dcgan_mnist"]
    assert completed(script, "jaxgan", "sweep", "--j") == ["--jobs"]
    assert completed(script, "jaxgan", "completion", "z") == ["zsh"]
    assert completed(script, "jaxgan", "train", "--loss", "h") == ["hinge"]
    assert completed(script, "jaxgan", "interpolate", "run", "--met") == ["--method"]
    assert completed(script, "jaxgan", "train", "--generator.dt") == ["--generator.dtype"]


def test_every_command_is_completed():
    commands = set(re.findall(r"^  (\w+) ", USAGE, re.MULTILINE))
    assert set(completion.options_by_command()) == commands
