"""A training that takes seconds, and what it leaves."""

from pathlib import Path
from typing import NamedTuple

import pytest

from jaxgan.cli import main as cli

SMALL = (
    "--generator.family mlp --generator.width 8 --generator.latent-size 4 "
    "--generator.normalization none --discriminator.family mlp --discriminator.width 8 "
    "--discriminator.normalization none --penalty none --steps 4 --batch-size 8 --log-every 2 "
    "--checkpoint-every 2 --sample-every 4 --evaluate-every 0"
)
"""Options of a training that takes seconds, most of them of compiling."""


class Trained(NamedTuple):
    """A run with checkpoints of steps 2 and 4, and what its training printed."""

    folder: Path
    output: str


def call(capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, str, str]:
    """A command's exit code, and what it said on standard output and error."""
    capsys.readouterr()
    code = cli.main(command.split())
    return code, *capsys.readouterr()
