"""`jaxgan translate` and `jaxgan reconstruct`: a folder of images through a run that takes some."""

from dataclasses import dataclass
from pathlib import Path

from jaxgan.cli.arguments import complain
from jaxgan.cli.choosing import GeneratorChoice, load_chosen, parse_with_choices
from jaxgan.working import working


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(GeneratorChoice):
    input: Path
    """Folder of images; all directly in it are translated."""
    output: Path
    """Folder to write them to, as PNG files of the same names."""
    keep_size: bool = False
    """Translate each image at its own height and width, or the nearest that the network takes,
    instead of resizing and cropping it to the square that the run was trained on."""
    mask: Path | None = None
    """Where the holes are, for a run that fills them: an image whose light pixels are the hole, or
    a folder of one for each image; by default what is transparent."""
    overwrite: bool = False
    """Write into an output folder that holds files already."""


def translate(args: list[str]) -> int:
    """`jaxgan translate RUN --input FOLDER --output FOLDER --direction x-to-y`.

    Exit code 1: some images could not be read; the others were translated.
    """
    from jaxgan.experiment.unpaired import DirectionChoice

    says = "Translates a folder of images to the other domain."
    return _pass(args, "translate", says, "translat", DirectionChoice)


def reconstruct(args: list[str]) -> int:
    """`jaxgan reconstruct RUN --input FOLDER --output FOLDER`; exit codes as `translate`."""
    from jaxgan.experiment.inputs import NoChoice

    says = "Encodes a folder of images and decodes it, with an autoencoder's run."
    return _pass(args, "reconstruct", says, "reconstruct", NoChoice)


def _pass(args: list[str], command: str, says: str, verb: str, choice: type) -> int:
    """Passes a folder through a run; the verb is without its ending."""
    from jaxgan.data import images
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.folders import (
        decode_with_hole,
        passed,
        plan_folder,
        translate_folder,
    )
    from jaxgan.experiment.inputs import refuse_unread

    options, choices = parse_with_choices(
        TranslateOptions,
        args,
        command,
        says,
        refuse_unread,
        choice,
    )
    job = plan_folder(options.input, options.output, options.overwrite)
    run = load_chosen(options)
    assert run.inputs.read is not None
    reading = run.inputs.read(choices)
    if options.mask is not None and not reading.holes:
        raise ValueError(f"--mask is of runs that fill holes, and {options.run} fills none")
    decode = decode_with_hole(options.mask) if reading.holes else images.decode
    own_size = options.keep_size or reading.own_size
    size = None if own_size else min(reading.spec.shape[:2])
    bad, count = 0, len(job.files)
    with kept_programs(options.run), working(f"{verb}ing", count) as reach:
        for complaint in translate_folder(
            job,
            passed(run.game, run.variables, reading),
            reading.spec,
            size,
            reach,
            reading.margin,
            run.experiment.transparency,
            reading.unit,
            decode,
        ):
            bad += 1
            complain(complaint, 1)
    own = "own size" if reading.unit == 1 else f"sides at multiples of {reading.unit}"
    how = own if size is None else f"resized and cropped to {size}x{size}"
    print(f"{count - bad} of {count} images {verb}ed, {how}: {job.output}")
    return 1 if bad else 0
