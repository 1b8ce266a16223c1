"""What all commands do with their arguments and their complaints."""

import argparse
import contextlib
import dataclasses
import io
import os
import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxgan.cli.shown import ADVANCED, EXAMPLES, Hidden, as_kind, as_shown, hidden_options

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.experiment.base import BaseExperiment


HELP = {"-h", "--help", "--help-all"}


def complain(message: str, code: int) -> int:
    """Prints a complaint in one line. Spaces within it stay, such as those of paths."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    print(f"jaxgan: {' '.join(lines)}", file=sys.stderr)
    return code


def read_file(path: Path) -> "BaseExperiment":
    """A file's experiment, whose values are those of their types, as tyro expects of defaults.

    A name alone is an experiment's that comes with the package.
    """
    from jaxgan.experiment.base import check
    from jaxgan.runs.record import load_file
    from jaxgan.runs.shipped import find

    if not path.suffix and path.name == str(path) and not path.is_file():
        path = find(path.name)
    experiment = load_file(path)
    try:
        check(experiment)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return experiment


def split_hosts(args: list[str]) -> tuple[dict[str, Any] | None, list[str]]:
    """Takes the options of several processes off the arguments of any command.

    Returns:
      The arguments of `distributed.join`, or None for one process, and what is left.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--distributed", action="store_true")
    parser.add_argument("--coordinator", dest="address")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--process", dest="index", type=int)
    try:
        found, rest = parser.parse_known_args(args)
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    hosts = vars(found)
    if hosts.pop("distributed"):
        return hosts, rest
    given = [name for name, value in hosts.items() if value is not None]
    if given:
        raise ValueError("--coordinator, --processes and --process go with --distributed")
    return None, rest


def leading_path(args: list[str]) -> Path | None:
    """Takes the path off the front of the arguments, if there is one."""
    late = [arg for arg in args[1:] if arg.endswith(".py")]
    if late and args[0].startswith("-"):
        raise ValueError(f"the experiment file {late[0]} must come before the options")
    return Path(args.pop(0)) if args and not args[0].startswith("-") else None


def parse(
    kind: Any, args: list[str], command: str, description: str, only: tuple[str, ...] = ()
) -> Any:
    """tyro's parser, with its panels of advice folded into one line.

    Args:
      kind: the options, a dataclass.
      args: of the command.
      command: its name, and what stands before its options.
      description: for its help.
      only: the options that the help has, by dotted name; by default all, and `--help` the common
        ones.
    """
    hidden = Hidden()
    if HELP & set(args):  # What is hidden is unknown too.
        hidden = Hidden(only, () if "--help-all" in args else ADVANCED)
        left = 0 if only else hidden_options(kind, hidden)
        description = _told(description, command, left)
    args = ["--help" if arg == "--help-all" else arg for arg in args]
    panel = io.StringIO()
    tyro._experimental_options["ansi_codes"] = not os.environ.get("NO_COLOR")
    try:
        with contextlib.redirect_stderr(panel):
            shown, prog = as_shown(kind, hidden), f"jaxgan {command}"
            return as_kind(kind, tyro.cli(shown, args=args, prog=prog, description=description))
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ValueError(_one_line(panel.getvalue())) from None


def _told(description: str, command: str, left: int) -> str:
    """A command's description with an example, and how many options its help leaves out."""
    name = command.partition(" [")[0]
    parts = [description]
    if example := EXAMPLES.get(name.split(" ")[0]):
        parts.append(f"Example: {example}")
    if left:
        parts.append(f"{left} more options: jaxgan {name} --help-all")
    # Lines that begin with a space stay as they are; others tyro would join.
    width = min(shutil.get_terminal_size().columns, 80)
    return "\n".join(
        textwrap.fill(part, width, initial_indent=" ", subsequent_indent=" ") for part in parts
    )


def parse_both(
    kind: type,
    other: Any,
    args: list[str],
    command: str,
    description: str,
    only: tuple[str, ...] = (),
) -> tuple[Any, Any]:
    """Two kinds of options in one list; an instance for `other` gives its values as defaults."""
    given = () if isinstance(other, type) else (dataclasses.field(default=other),)
    bare = other if isinstance(other, type) else type(other)
    fields: list[Any] = [
        ("options", Annotated[kind, tyro.conf.arg(name="")]),
        ("other", Annotated[bare, tyro.conf.arg(name="")], *given),
    ]
    options = dataclasses.make_dataclass("Options", fields)
    both = parse(options, args, command, description, only)
    return both.options, both.other


def _one_line(panel: str) -> str:
    """The message of one of tyro's panels, and the options it suggests."""
    lines = [line.strip("│").rstrip() for line in panel.splitlines() if line[:1] not in "╭╰"]
    sections: list[list[str]] = [[]]
    for line in lines:
        if line and not line.strip(" ─-"):
            sections.append([])  # A rule.
        else:
            sections[-1].append(line)
    if "│" not in panel:  # Where there is no Unicode, the title is a section too.
        del sections[0]
    # Further in than the message and the options it names are the options' help texts.
    message = " ".join(line.strip() for line in sections[0] if not line.startswith(" " * 9))
    if "Perhaps you meant" in panel:
        rest = [line.split()[0] for section in sections[1:] for line in section if line.strip()]
        nearest = [word for word in rest if word.startswith("--")]
        message += f"; perhaps you meant {' or '.join(nearest[:3])}"
    if named := re.match(r"Unrecognized options?: --([\w-]+)", message):
        words = named[1].lower().replace("_", "-")
        if here := next((here for here, others in OPTIONS.items() if words in others), None):
            return f"--{named[1]} is {here} here"
    return _plain(message)


def _plain(message: str) -> str:
    """What tyro says of a value, without Python's types, and its choices always in one order."""
    if parts := re.fullmatch(r"Error parsing (\S+): (.*)", message):
        option, why = parts.groups()
        wanted = re.search(r"no type matching (\S+) could|(int|float)", why)
        value = re.search(r"from \[(.*?)\]|: (\S+)$", why)
        if wanted and value:
            kinds = {"int": "a whole number", "float": "a number"}
            kind = kinds.get(wanted[2]) or wanted[1].replace("{None}", "None").replace("|", " or ")
            return f"{option} must be {kind}, not {value[1] or value[2]}"
        if several := re.search(r"valid parse for arguments: \[(.*)\]", why):
            return f"{option} cannot take the values {several[1]}"
    if parts := re.fullmatch(r"(.*'(.*)' for argument .*Expected one of) \((.*)\)\.", message):
        choices = sorted(parts[3].split(", "))
        return f"{parts[1]} {', '.join(choices)}{_meant(parts[2], choices)}."
    return message


SPELLINGS = {
    "vanilla": "minimax",
    "standard": "non_saturating",
    "ns": "non_saturating",
    "nsgan": "non_saturating",
    "dcgan": "non_saturating",
    "gan": "non_saturating",
    "bce": "non_saturating",
    "logistic": "non_saturating",
    "lsgan": "least_squares",
    "mse": "least_squares",
    "wgan": "wasserstein",
    "wgan_gp": "wasserstein --penalty gradient_penalty",
    "wgangp": "wasserstein --penalty gradient_penalty",
    "gp": "gradient_penalty",
    "geometric": "hinge",
    "sngan": "hinge --discriminator.spectral-norm",
    "rsgan": "relativistic_pairing",
    "rpgan": "relativistic_pairing",
    "r3gan": "relativistic_pairing --penalty r1_r2",
    "rasgan": "relativistic_average",
    "ragan": "relativistic_average",
    "atob": "a-to-b or x-to-y",
    "btoa": "b-to-a or y-to-x",
}
"""What papers and other code bases write, and what it is here."""


OPTIONS = {
    "--out": ("output", "outdir", "out-dir", "run-dir", "logdir", "log-dir", "save-dir", "workdir"),
    "--data": ("dataroot", "dataset", "data-path", "data-root", "train-data", "path"),
    "--steps": ("epochs", "niter", "n-epochs", "num-epochs", "iterations", "iters", "max-iter"),
    "--batch-size": ("batch", "bs", "batchsize", "minibatch"),
    "--image-size": ("img-size", "imsize", "imagesize", "resolution", "crop-size"),
    "--direction": ("which-direction",),
    "--seed": ("manual-seed", "manualseed", "random-seed"),
    "--loss": ("gan-mode", "gan-loss", "criterion", "objective"),
    "--penalty-weight": ("lambda-gp", "gp-weight", "gp-lambda", "r1-gamma", "gamma"),
    "--discriminator-steps": ("n-critic", "d-steps", "num-d-steps", "critic-iters"),
    "--ema-decay": ("ema-beta", "ema-rate", "ema-kimg"),
    "--generator.latent-size": ("nz", "z-dim", "latent-dim", "zdim", "latent-size"),
    "--generator.width": ("ngf", "g-ch", "width"),
    "--discriminator.width": ("ndf", "d-ch"),
    "--generator.dtype bfloat16 --discriminator.dtype bfloat16": ("fp16", "amp", "bf16", "half"),
    "the command `jaxgan resume RUN`": ("resume", "continue", "continue-train"),
    "--from": ("checkpoint", "ckpt", "pretrained", "weights", "init-from"),
    "CUDA_VISIBLE_DEVICES, or JAX_PLATFORMS=cpu for none,": ("gpu", "gpus", "gpu-ids", "cuda"),
}
"""By what an option is called here, its names in other programs."""


def _meant(given: str, choices: list[str]) -> str:
    """The choice that a value in another spelling means, and options that go with it."""
    plain = given.lower().replace("-", "_").replace(" ", "_")
    several = SPELLINGS.get(plain, plain).split(" or ")
    fitting = [meant for meant in several if f"'{meant.split()[0]}'" in choices]
    return f"; that is {fitting[0]} here" if fitting else ""


def check_out(path: Path, allowed: tuple[str, ...], option: str = "--out") -> str:
    """Refuses a file that could not be written, before the work for it; returns its suffix."""
    if path.suffix.lower() not in allowed:
        raise ValueError(f"{option} {path} must end in {' or '.join(allowed)}")
    if not path.parent.is_dir():
        raise ValueError(f"{option} {path}: there is no folder {path.parent}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"{option} {path} cannot be written")
    return path.suffix.lower()
