"""The command line. Nothing else in the library parses arguments or prints."""

import contextlib
import dataclasses
import difflib
import io
import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TextIO

import tyro

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.data import PairSource, PairSpec, Source, Spec
    from jaxgan.experiment import BaseExperiment, Experiment
    from jaxgan.games import Game
    from jaxgan.networks import Variables
    from jaxgan.training.trainer import Trainer
    from jaxgan.types import Key

USAGE = """usage: jaxgan COMMAND [options]   (jaxgan COMMAND --help lists them)

  train [EXPERIMENT.py]   train an experiment; without a file, the embedded digits
  resume RUN              go on from the newest checkpoint
  sample RUN              a grid of samples (.png) or the arrays themselves (.npz)
  interpolate RUN         walk between latents: a grid (.png) or an animation (.gif)
  translate RUN           translate a folder of images, with a run of two domains
  evaluate RUN            measure 10,000 samples
  verify RUN              repeat the first steps from the key and compare digests
  data                    list what can be read; `data prepare NAME` prepares a TFDS set

Bad input ends with one line and exit code 2; JAXGAN_TRACEBACK=1 shows where it was noticed.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 2 after bad input, with one line on stderr."""
    args = list(sys.argv[1:] if argv is None else argv)
    commands: dict[str, Callable[[list[str]], int]] = {
        "train": train,
        "resume": resume,
        "sample": sample,
        "interpolate": interpolate,
        "translate": translate,
        "evaluate": evaluate,
        "verify": verify,
        "data": data,
    }
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if args[0] == "--version":
        from jaxgan import __version__

        print(__version__)
        return 0
    try:
        if args[0] not in commands:
            raise ValueError(_unknown("command", args[0], commands))
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return commands[args[0]](args[1:])
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except Exception as error:
        message, code = _account(error)
        if not message or os.environ.get("JAXGAN_TRACEBACK"):
            raise
        return _complain(message, code)


def _account(error: Exception) -> tuple[str, int]:
    """What an error says in one line, with its exit code; an empty line for a bug."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}", 2
    if isinstance(error, (ValueError, OSError)):
        return str(error), 2
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return "memory ran out; take a smaller batch_size or width", 1
    return "", 1


def _complain(message: str, code: int) -> int:
    print(f"jaxgan: {' '.join(message.split())}", file=sys.stderr)
    return code


def train(args: list[str]) -> int:
    """`jaxgan train [EXPERIMENT.py] [--out RUN] [options of the experiment]`."""
    from jaxgan import run
    from jaxgan.experiment import DIGITS

    file = _leading_path(args)
    default = _read_file(file) if file else DIGITS
    where = "Run directory to make; by default runs/<name>/<time>."
    fields: list[Any] = [
        (
            "experiment",
            Annotated[type(default), tyro.conf.arg(name="")],
            dataclasses.field(default=default),
        ),
        (
            "out",
            Annotated[Path | None, tyro.conf.arg(help=where)],
            dataclasses.field(default=None),
        ),
    ]
    options = _parse(
        dataclasses.make_dataclass("Train", fields),
        args,
        "train [EXPERIMENT.py]",
        "Trains the experiment of a Python file, or without one the embedded digits.",
    )
    experiment = options.experiment.resolved()
    directory = options.out or Path("runs") / experiment.name / time.strftime("%Y%m%d-%H%M%S")
    run.refuse_occupied(directory)
    return _train(experiment, directory, lambda spec: run.create(directory, experiment, file, spec))


def resume(args: list[str]) -> int:
    """`jaxgan resume RUN [EXPERIMENT.py] [options]`: options may prolong the run, not change it."""
    from jaxgan import run
    from jaxgan.experiment import Experiment
    from jaxgan.options import differences, to_dict

    directory = _leading_path(args)
    if directory is None and not {"-h", "--help"} & set(args):
        raise ValueError("resume needs a run directory first: jaxgan resume RUN")
    recorded, record = run.load(directory) if directory else (Experiment(), {})
    file = _leading_path(args)
    asked = _read_file(file) if file else recorded
    experiment = _parse(
        type(asked),
        args,
        "resume RUN [EXPERIMENT.py]",
        "Resumes a run. --steps may prolong it and --steps-per-call change; all else may not.",
        default=asked,
    )
    assert directory is not None
    experiment = experiment.resolved()
    changed = [
        f"{name} was {old!r}, asked {new!r}"
        for name, old, new in differences(to_dict(recorded), to_dict(experiment))
        if name not in ("steps", "steps_per_call")
    ]
    if changed:
        raise ValueError(
            f"{directory} cannot be resumed with a changed experiment: {'; '.join(changed)}"
        )
    done = run.newest_step(directory)
    if done >= experiment.steps:
        raise ValueError(
            f"{directory} has done {done} of {experiment.steps} steps; ask for more with --steps"
        )
    now = run.environment()
    for name, old, new in differences({name: record.get(name) for name in now}, now):
        warnings.warn(
            f"{directory} ran with {name} {old}, now {new}: bits may differ", stacklevel=1
        )
    return _train(experiment, directory, lambda spec: run.prolong(directory, experiment))


def _train(
    experiment: "BaseExperiment",
    directory: Path,
    write_record: Callable[["Spec | PairSpec"], None],
) -> int:
    from rich.console import Console

    from jaxgan.compilation import kept_programs
    from jaxgan.networks import parameter_count
    from jaxgan.progress import Display
    from jaxgan.training.loop import Diverged
    from jaxgan.training.loop import train as run_loop
    from jaxgan.training.trainer import make_trainer

    trainer = make_trainer(experiment)
    write_record(trainer.source.spec)
    sizes = [
        f"{side} {parameter_count(state.variables.params):,} parameters"
        for side, state in (
            ("generator", trainer.abstract.generator),
            ("discriminator", trainer.abstract.discriminator),
        )
    ]
    images_per_step = experiment.batch_size * experiment.discriminator_steps
    try:
        writer = _tensorboard(directory)
        with Display(experiment.steps, images_per_step, Console(), writer) as display:
            display.say(f"{directory}: {_amount(trainer.source)}, {', '.join(sizes)}")
            with kept_programs(directory):
                state = run_loop(experiment, trainer, directory, display)
    except Diverged as error:
        return _complain(str(error), 1)
    if state.step == experiment.steps:
        print(f"done after {experiment.steps:,} steps: {directory}")
    return 0


def _amount(source: "Source | PairSource") -> str:
    from jaxgan.data import PairSource

    if isinstance(source, PairSource):
        return f"{len(source.x):,} and {len(source.y):,} images"
    return f"{len(source):,} samples"


def _tensorboard(directory: Path) -> Any:
    """A writer of TensorBoard logs where the extra `tensorboard` is installed, else None."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory / "tensorboard"))


@dataclass(frozen=True, kw_only=True)
class GeneratorChoice:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    step: int | None = None
    """Checkpoint to take; the newest by default."""
    best: bool = False
    """Take the best checkpoint."""
    ema: bool = True
    """Take the averaged generator, or the one in training."""


@dataclass(frozen=True, kw_only=True)
class SampleOptions(GeneratorChoice):
    out: Path
    """Where to: a grid of images (.png), or arrays (.npz: images or points, and labels)."""
    count: int = 64
    """Number of samples."""
    seed: int = 0
    """Of the latents; latent i is the same whatever the count."""
    label: int | None = None
    """Class asked for; by default a conditional run gives each class in turn."""


def sample(args: list[str]) -> int:
    """`jaxgan sample RUN --out FILE`."""
    import numpy as np

    from jaxgan.compilation import kept_programs
    from jaxgan.sampling import draw_inputs, make_sampler, save_samples, write_npz

    options = _parse(SampleOptions, args, "sample", "Samples from a run's generator.")
    if options.count < 1:
        raise ValueError(f"--count must be 1 or more, not {options.count}")
    key = _key(options.seed)
    kind = _check_out(options.out, (".png", ".npz"))
    run = _load_samples(options)
    with kept_programs(options.run):
        latents, labels = draw_inputs(run.experiment, run.spec, key, options.count, options.label)
        samples = make_sampler(run.game)(run.variables, latents, labels)
    if kind == ".npz":
        arrays = {"images" if run.spec.is_image else "points": samples}
        write_npz(options.out, arrays | ({} if labels is None else {"labels": np.asarray(labels)}))
    else:
        save_samples(options.out, samples, run.experiment.data)
    print(f"{options.count} samples: {options.out}")
    return 0


@dataclass(frozen=True, kw_only=True)
class InterpolateOptions(GeneratorChoice):
    out: Path
    """Where to: a grid, one walk a row (.png), or an animation (.gif)."""
    seeds: tuple[int, ...] = (0, 1)
    """Latents to walk through, by seed; two or more."""
    method: Literal["spherical", "linear"] | None = None
    """Along the arc, which keeps the length of normal latents, or straight, which keeps uniform
    ones within their cube; by default what suits the run's latents."""
    frames: int = 10
    """Images from one seed to the next, both included (in a loop: without the next)."""
    rows: int = 8
    """Walks side by side, each through latents of its own."""
    loop: bool = False
    """Return to the first seed."""
    label: int | None = None
    """Class asked for; by default the rows of a conditional run go through the classes."""


def interpolate(args: list[str]) -> int:
    """`jaxgan interpolate RUN --out FILE`."""
    import jax.numpy as jnp

    from jaxgan import latent
    from jaxgan.compilation import kept_programs
    from jaxgan.imaging import grid, save_animation, save_image
    from jaxgan.sampling import draw_inputs, make_sampler

    options = _parse(InterpolateOptions, args, "interpolate", "Images along walks between latents.")
    if len(options.seeds) < 2 or options.frames < 2 or options.rows < 1:
        raise ValueError(
            "a walk needs 2 --seeds, 2 --frames and 1 --rows or more, not "
            f"{len(options.seeds)}, {options.frames} and {options.rows}"
        )
    keys = [_key(seed) for seed in options.seeds]
    kind = _check_out(options.out, (".png", ".gif"))
    run = _load_samples(options)
    if not run.spec.is_image:
        raise ValueError(f"interpolate shows images, and {options.run} makes points")
    normal = run.experiment.generator.latent_distribution == "normal"
    walk = getattr(latent, options.method or ("spherical" if normal else "linear"))
    with kept_programs(options.run):
        ends = []
        for key in keys:
            drawn, labels = draw_inputs(run.experiment, run.spec, key, options.rows, options.label)
            ends.append(drawn)
        if options.loop:
            ends.append(ends[0])
        legs = [walk(a, b, options.frames) for a, b in itertools.pairwise(ends)]
        # Every leg ends where the next begins; a loop ends where it began.
        latents = jnp.concatenate(
            [leg[:-1] for leg in legs] + ([] if options.loop else [ends[-1][None]])
        )
        frames = len(latents)
        flat = latents.reshape(frames * options.rows, -1)
        repeated = None if labels is None else jnp.tile(labels, frames)
        images = make_sampler(run.game)(run.variables, flat, repeated)
    images = images.reshape(frames, options.rows, *images.shape[1:])
    if kind == ".gif":
        save_animation(options.out, [grid(frame) for frame in images])
    else:
        rows = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
        save_image(options.out, grid(rows, columns=frames))
    print(f"{options.rows} walks of {frames} images: {options.out}")
    return 0


def evaluate(args: list[str]) -> int:
    """`jaxgan evaluate RUN`."""
    from jaxgan.compilation import kept_programs
    from jaxgan.evaluation import make_evaluator
    from jaxgan.run import write_json
    from jaxgan.training.loop import describe

    options = _parse(GeneratorChoice, args, "evaluate", "Measures 10,000 samples of a run.")
    run = _load_samples(options)
    source, key = run.experiment.open_source(), _key(run.experiment.seed)
    with kept_programs(options.run):
        evaluator = make_evaluator(run.experiment, source, run.game, key)
        quality = evaluator.measure(run.variables)
    path = options.run / "evaluation.json"
    write_json(path, quality | {"step": run.step, "ema": options.ema} | evaluator.protocol)
    print(f"step {run.step}: {describe(quality)} ({path})")
    return 0


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(GeneratorChoice):
    input: Path
    """Folder of images; all directly in it are translated."""
    output: Path
    """Folder to write them to, as PNG files of the same names."""
    direction: Literal["x-to-y", "y-to-x"]
    """From the run's first domain to its second, or back."""
    keep_size: bool = False
    """Translate each image at its own height and width, or the nearest multiples of 4 to them,
    instead of resizing and cropping it to the square that the run was trained on."""
    overwrite: bool = False
    """Write into an output folder that holds files already."""


def translate(args: list[str]) -> int:
    """`jaxgan translate RUN --input FOLDER --output FOLDER --direction x-to-y`.

    Exit code 1: some images could not be read; the others were translated.
    """
    from rich.console import Console

    from jaxgan import run
    from jaxgan.compilation import kept_programs
    from jaxgan.data import PairSpec
    from jaxgan.experiment import Experiment
    from jaxgan.progress import counting
    from jaxgan.translating import make_translator, plan_folder, translate_folder

    options = _parse(
        TranslateOptions, args, "translate", "Translates a folder of images to the other domain."
    )
    if isinstance(run.load(options.run)[0], Experiment):
        raise ValueError(
            f"{options.run} makes images from latents, and translate takes a run that translates "
            "(TranslationExperiment)"
        )
    job = plan_folder(options.input, options.output, options.overwrite)
    loaded = _load(options)
    assert isinstance(loaded.spec, PairSpec)
    direction = options.direction.replace("-", "_")
    spec = loaded.spec.x if direction.startswith("x") else loaded.spec.y
    size = None if options.keep_size else min(spec.shape[:2])
    translator, bad = make_translator(loaded.game), 0
    count = len(job.files)
    with (
        kept_programs(options.run),
        counting("translating", count, Console(stderr=True)) as reach,
    ):
        for complaint in translate_folder(
            job,
            lambda batch: translator(loaded.variables, batch, direction),
            spec,
            size,
            reach,
        ):
            bad += 1
            _complain(complaint, 1)
    how = "sides at multiples of 4" if size is None else f"resized and cropped to {size}x{size}"
    print(f"{count - bad} of {count} images translated, {how}: {options.output}")
    return 1 if bad else 0


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    steps: int = 100
    """Repeat at most so many steps."""


def verify(args: list[str]) -> int:
    """`jaxgan verify RUN`: exit code 0 when all digests agree, 1 when one differs."""
    from jaxgan import run
    from jaxgan.compilation import kept_programs
    from jaxgan.options import differences
    from jaxgan.training.trainer import make_trainer

    options = _parse(
        VerifyOptions,
        args,
        "verify",
        "Repeats a run's first steps from its key. Exit code 1: the parameters differ.",
    )
    experiment, record = run.load(options.run)
    recorded = {int(step): digest for step, digest in run.read_digests(options.run).items()}
    chosen = sorted(step for step in recorded if step <= options.steps)
    if not chosen:
        raise ValueError(
            f"{options.run} recorded no digest within {options.steps} steps; it has digests "
            f"after steps: {sorted(recorded) or 'none'}"
        )
    trainer = make_trainer(experiment)
    with kept_programs(options.run):
        differs = _first_difference(trainer, {step: recorded[step] for step in chosen})
    if differs is not None:
        now = run.environment()
        changed = differences({name: record.get(name) for name in now}, now)
        reasons = [f"{name} was {old}, is {new}" for name, old, new in changed]
        print(f"parameters differ after step {differs}; {'; '.join(reasons) or 'same device'}")
        return 1
    print(f"parameters agree to the bit after steps {', '.join(map(str, chosen))}")
    return 0


def _first_difference(trainer: "Trainer", digests: dict[int, str]) -> int | None:
    """Trains from the start; the first step after which the parameters' digest is another."""
    from jaxgan.run import digest
    from jaxgan.training.loop import params_of

    trainer.compile(True)
    state = trainer.init()
    for step in range(max(digests)):
        state, _ = trainer.steps(state, trainer.indices(step)[None])
        if step + 1 in digests and digest(params_of(state)) != digests[step + 1]:
            return step + 1
    return None


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    data_dir: Path | None = None
    """Where prepared TFDS data lie; by default $TFDS_DATA_DIR or ~/tensorflow_datasets."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(DataOptions):
    name: Annotated[str, tyro.conf.Positional]
    """TFDS name, such as mnist or cycle_gan/horse2zebra."""
    downloads: Path | None = None
    """Folder with the set's files, already downloaded; without it TFDS downloads them."""


def data(args: list[str]) -> int:
    """`jaxgan data` and `jaxgan data prepare NAME`."""
    from rich.console import Console
    from rich.table import Table

    from jaxgan.data import list_sources, prepare

    if args[:1] == ["prepare"]:
        wanted = _parse(PrepareOptions, args[1:], "data prepare", "Prepares a stock TFDS set.")
        print(f"{wanted.name}: {prepare(wanted.name, wanted.data_dir, wanted.downloads)}")
        return 0
    options = _parse(DataOptions, args, "data", "Lists the data that can be read.")
    if options.data_dir and not options.data_dir.is_dir():
        raise ValueError(f"there is no directory {options.data_dir}")
    table = Table("--data", "what", box=None)
    for name, description in list_sources(options.data_dir):
        table.add_row(name, description)
    Console().print(table)
    return 0


class _Loaded(NamedTuple):
    """What a run has learnt."""

    experiment: "BaseExperiment"
    spec: "Spec | PairSpec"
    game: "Game"
    step: int
    variables: "Variables"


class _Samples(NamedTuple):
    """What a run that makes samples from latents has learnt."""

    experiment: "Experiment"
    spec: "Spec"
    game: "Game"
    step: int
    variables: "Variables"


def _load_samples(options: GeneratorChoice) -> _Samples:
    """`_load` for what is about latents."""
    from jaxgan import run
    from jaxgan.data import Spec
    from jaxgan.experiment import Experiment

    if not isinstance(run.load(options.run)[0], Experiment):
        raise ValueError(
            f"{options.run} translates images, and this takes a run that makes them from latents; "
            f"see jaxgan translate {options.run}"
        )
    loaded = _load(options)
    assert isinstance(loaded.experiment, Experiment)
    assert isinstance(loaded.spec, Spec)
    return _Samples(loaded.experiment, loaded.spec, *loaded[2:])


def _load(options: GeneratorChoice) -> _Loaded:
    """Restores a run's generator. Data are opened only when the run did not record their spec."""
    from jaxgan import run
    from jaxgan.experiment import check
    from jaxgan.training.checkpoints import Checkpoints
    from jaxgan.training.trainer import abstract_state

    if options.best and options.step is not None:
        raise ValueError(f"--best and --step {options.step} ask for two checkpoints; take one")
    experiment, record = run.load(options.run)
    check(experiment)
    spec = run.recorded_spec(record) or experiment.open_source().spec
    game = experiment.make_game(spec)
    folder = options.run / "checkpoints"
    if not folder.is_dir():
        raise ValueError(f"{options.run} has no checkpoint yet")
    abstract = abstract_state(experiment, game, spec)
    with Checkpoints(folder, abstract, read_only=True) as checkpoints:
        step = checkpoints.best_step() if options.best else options.step
        if options.best and step is None:
            raise ValueError(f"{options.run} ranked no checkpoint: it ran without best_metric")
        restored = checkpoints.restore(step)
    if restored is None:
        raise ValueError(f"{options.run} has no checkpoint yet")
    step, state = restored
    variables = state.ema if options.ema else state.generator.variables
    return _Loaded(experiment, spec, game, step, variables)


def _key(seed: int) -> "Key":
    import jax

    from jaxgan.experiment import check_seed

    check_seed("seed", seed)
    return jax.random.key(seed)


def _read_file(path: Path) -> "BaseExperiment":
    """A file's experiment, whose values are those of their types, as tyro expects of defaults."""
    from jaxgan import run
    from jaxgan.experiment import check

    experiment = run.load_file(path)
    try:
        check(experiment)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return experiment


def _leading_path(args: list[str]) -> Path | None:
    """Takes the path off the front of the arguments, if there is one."""
    late = [arg for arg in args[1:] if arg.endswith(".py")]
    if late and args[0].startswith("-"):
        raise ValueError(f"the experiment file {late[0]} must come before the options")
    return Path(args.pop(0)) if args and not args[0].startswith("-") else None


def _parse(kind: Any, args: list[str], command: str, description: str, default: Any = None) -> Any:
    """tyro's parser, with its panels of advice folded into one line."""
    panel = io.StringIO()
    try:
        with contextlib.redirect_stderr(panel):
            given = {} if default is None else {"default": default}
            prog = f"jaxgan {command}"
            return tyro.cli(kind, args=args, prog=prog, description=description, **given)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ValueError(_one_line(panel.getvalue())) from None


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
    return message


def _check_out(path: Path, allowed: tuple[str, ...]) -> str:
    """Refuses a file that could not be written, before the work for it; returns its suffix."""
    if path.suffix.lower() not in allowed:
        raise ValueError(f"--out {path} must end in {' or '.join(allowed)}")
    if not path.parent.is_dir():
        raise ValueError(f"--out {path}: there is no folder {path.parent}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"--out {path} cannot be written")
    return path.suffix.lower()


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
