"""`jaxgan export`: a run's generator as one file, with a card and samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jaxgan.cli.arguments import check_out, parse
from jaxgan.cli.choosing import GeneratorChoice, load_chosen

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.training.trained import Run


@dataclass(frozen=True, kw_only=True)
class ExportOptions(GeneratorChoice):
    out: Path
    """Where to: a .safetensors file. Beside it go a card (.md) and a grid of samples (.png)."""
    licence: str = "not stated"
    """What others may do with it, for the card, such as CC-BY-4.0."""


def export(args: list[str]) -> int:
    """`jaxgan export RUN --out model.safetensors [--licence CC-BY-4.0]`."""
    from jaxgan.runs.writing import write_text

    says = "Writes a run's generator as one file that every command and jaxgan.load take for a run."
    options = parse(ExportOptions, args, "export", says)
    card, grid = options.out.with_suffix(".md"), options.out.with_suffix(".png")
    check_out(options.out, (".safetensors",))
    for path in (card, grid):
        check_out(path, (path.suffix,))
    run = load_chosen(options)
    run.export(options.out)
    drawn = run.inputs.draw is not None
    if drawn:
        run.experiment.save_samples(grid, run.sample(64))
    write_text(card, card_of(run, options.out, grid if drawn else None, options.licence))
    print(f"{options.out}, {card}" + (f", {grid}" if drawn else ""))
    return 0


def card_of(run: "Run", path: Path, grid: Path | None, licence: str) -> str:
    """What others want to know of a model, in Markdown."""
    from jaxgan import __version__
    from jaxgan.networks import parameter_count
    from jaxgan.options import flat, to_dict
    from jaxgan.runs.comparison import SAMPLED
    from jaxgan.runs.record import read

    experiment, _ = read(run.directory)
    lines = [line for line in run.metrics if line["step"] == run.step]
    measured = {
        name: value
        for line in lines
        if "images_seen" not in line
        for name, value in line.items()
        if name not in SAMPLED
    }
    figures = [f"| {name} | {value:.4g} |" for name, value in measured.items()]
    data = [f"{one.name}, {one.samples:,} samples" for one in run.data or ()]
    options = [f"{name} = {value!r}" for name, value in flat(to_dict(experiment)).items()]
    shown = [line for line in options if line.split(" = ")[0] not in experiment.places]
    parts = [
        f"# {path.stem}",
        f"![samples]({grid.name})" if grid else "",
        f"- licence: {licence}\n- data: {'; '.join(data) or 'not recorded'}\n"
        f"- trained: {run.step:,} steps of {type(experiment).__name__}, jaxgan {__version__}\n"
        f"- parameters: {parameter_count(run.variables.params):,}",
        "\n".join(["| measured | |", "|---|---|", *figures]) if figures else "",
        "```python\nfrom jaxgan import load\n\n"
        f'images = load("{path.name}").sample(16)  # uint8 [16, H, W, C]\n```',
        "\n".join(["## Options", "", "```", *shown, "```"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
