"""The command line: which command it is, and how an error ends."""

import difflib
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from jaxgan.cli.arguments import complain, split_hosts
from jaxgan.cli.compare import compare, list_runs
from jaxgan.cli.completion import completion
from jaxgan.cli.data import data
from jaxgan.cli.diagnose import diagnose
from jaxgan.cli.directions import directions, edit
from jaxgan.cli.evaluate import evaluate
from jaxgan.cli.experiments import experiments
from jaxgan.cli.export import export
from jaxgan.cli.interpolate import interpolate
from jaxgan.cli.progress import on_stderr
from jaxgan.cli.project import project
from jaxgan.cli.report import report
from jaxgan.cli.resume import resume
from jaxgan.cli.sample import sample
from jaxgan.cli.sweep import sweep
from jaxgan.cli.train import train
from jaxgan.cli.translate import reconstruct, translate
from jaxgan.cli.verify import verify
from jaxgan.cli.watch import watch
from jaxgan.files import refuse_undecodable
from jaxgan.working import shown_by, silently

USAGE = """usage: jaxgan COMMAND [options]   (jaxgan COMMAND --help lists them)

  train [EXPERIMENT]      train an experiment: a Python file, or one that comes with jaxgan
  resume RUN              go on from the newest checkpoint
  sample RUN              a grid of samples (.png) or the arrays themselves (.npz)
  interpolate RUN         walk between latents: a grid (.png) or an animation (.gif)
  directions RUN          find directions along which samples change, and keep them by name
  edit RUN                samples changed along directions: a grid (.png) or animation (.gif)
  project RUN IMAGE ...   find the latents of images, and how near their samples come
  translate RUN           translate a folder of images, with a run of two domains
  reconstruct RUN         encode a folder of images and decode it, with an autoencoder
  evaluate RUN            measure a run's samples, alone or against another run's
  sweep [EXPERIMENT]      train several seeds and values of options, and compare them
  list [FOLDER]           the runs in a folder, how far they are and the best they came to
  compare RUN RUN ...     runs side by side, over their seeds, as a table and as curves
  diagnose RUN            name what went wrong, with the evidence and what to change
  report RUN ...          write all there is to see of a run, or of several, as one HTML file
  watch RUN               serve that page to a browser on this machine while the run trains
  export RUN              write the generator as one file to share, with a card and samples
  verify RUN              repeat the first steps from the key and compare digests
  data [NAME]             look at data before training, or list what can be read
  experiments             list the experiments that come with jaxgan
  completion SHELL        print a script by which a shell completes all this

With --distributed any command runs in several processes, such as all hosts of a TPU pod slice, each
started with the same command. Where JAX cannot find the others by itself, add --coordinator
HOST:PORT (of process 0), --processes COUNT and --process INDEX.

Bad input ends with one line and exit code 2; JAXGAN_TRACEBACK=1 shows where it was noticed.
"""

OF_DIRECTORIES = ("resume", "diagnose", "report", "watch", "verify", "export")
EXPORTED = (".safetensors", ".npz", ".stablehlo")
READER_GONE = 141
"""The exit code of programs that SIGPIPE ends, as of `jaxgan data | head -1`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 2 after bad input, with one line on stderr."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            code = _run(args)
        finally:
            sys.stdout.flush()  # While a reader that has gone can still be told from a failure.
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # For the flush at exit.
        code = READER_GONE
    if code and "--distributed" in args:
        from jax.distributed import is_initialized

        if is_initialized():  # JAX would wait for the others at exit, and they wait for this one.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code


def _run(args: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], int]] = {
        "train": train,
        "resume": resume,
        "sample": sample,
        "interpolate": interpolate,
        "directions": directions,
        "edit": edit,
        "project": project,
        "translate": translate,
        "reconstruct": reconstruct,
        "evaluate": evaluate,
        "sweep": sweep,
        "list": list_runs,
        "compare": compare,
        "diagnose": diagnose,
        "report": report,
        "watch": watch,
        "export": export,
        "verify": verify,
        "data": data,
        "experiments": experiments,
        "completion": completion,
    }
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if args[0] == "--version":
        from jaxgan import __version__

        print(__version__)
        return 0
    try:
        for arg in args:
            refuse_undecodable(arg)
        if args[0] not in commands:
            raise ValueError(_unknown("command", args[0], commands))
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            hosts, rest = split_hosts(args[1:])
            for run in itertools.takewhile(lambda arg: not arg.startswith("-"), rest):
                if args[0] in OF_DIRECTORIES and run.endswith(EXPORTED):
                    raise ValueError(
                        f"{args[0]} takes a run directory, not an exported model: {run}"
                    )
            if hosts is not None:
                from jaxgan.devices.distributed import is_first, join

                join(**hosts)
                if not is_first():
                    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, to the end of the process
            with shown_by(silently if "--quiet" in rest else on_stderr):
                return commands[args[0]](rest)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    except Exception as error:
        message, code = _account(error)
        if not message or os.environ.get("JAXGAN_TRACEBACK"):
            raise
        return complain(message, code)


def _account(error: Exception) -> tuple[str, int]:
    """What an error says in one line, with its exit code; an empty line for a bug."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", 2
    if isinstance(error, (ValueError, OSError)):
        return str(error), 2
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return "memory ran out; take a smaller batch_size or width", 1
    if absent := _absent_platform():
        return absent, 2
    return "", 1


def _absent_platform() -> str:
    """What is wrong with JAX_PLATFORMS where JAX finds no device by it, or an empty line.

    JAX says so where it first needs a device, by an error of no type of its own.
    """
    import jax

    asked = os.environ.get("JAX_PLATFORMS")
    if not asked:
        return ""
    try:
        jax.devices()
    except (RuntimeError, AssertionError):
        return (
            f"JAX_PLATFORMS is {asked!r}, and JAX finds no such device here; unset it, which takes "
            "what there is, or set it to cpu"
        )
    return ""


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"perhaps you meant {nearest[0]}" if nearest else f"known are {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, UserWarning):
        print(f"jaxgan: warning: {message}", file=sys.stderr)
