"""`jaxgan export`: a run's generator as one file, with a card and samples."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from jaxgan.cli.arguments import check_out, parse
from jaxgan.cli.choosing import GeneratorChoice, load_chosen

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.training.trained import Run


@dataclass(frozen=True, kw_only=True)
class ExportOptions(GeneratorChoice):
    out: Path
    """Where to: the arrays (.safetensors, .npz), which every command takes for a run, or the
    sampling as a program for JAX alone (.stablehlo). Beside it go a card (.md) and a grid of
    samples (.png)."""
    licence: str = "not stated"
    """What others may do with it, for the card, such as CC-BY-4.0."""


def export(args: list[str]) -> int:
    """`jaxgan export RUN --out model.safetensors|.npz|.stablehlo [--licence CC-BY-4.0]`."""
    from jaxgan.runs.exports import SUFFIXES
    from jaxgan.runs.writing import write_text
    from jaxgan.training.portable import SUFFIX

    says = "Writes a run's generator as one file to share, with a card and samples."
    options = parse(ExportOptions, args, "export", says)
    card, grid = options.out.with_suffix(".md"), options.out.with_suffix(".png")
    check_out(options.out, (*SUFFIXES, SUFFIX))
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
    """What others want to know about a model, in Markdown."""
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
    data = [f"{Path(one.name).name}, {one.samples:,} samples" for one in run.data or ()]
    options = [f"{name} = {value!r}" for name, value in flat(to_dict(experiment)).items()]
    shown = [line for line in options if line.split(" = ")[0] not in experiment.places]
    parts = [
        f"# {path.stem}",
        f"![samples]({grid.name})" if grid else "",
        f"- licence: {licence}\n- data: {'; '.join(data) or 'not recorded'}\n"
        f"- trained: {run.step:,} steps of {type(experiment).__name__}, jaxgan {__version__}\n"
        f"- parameters: {parameter_count(run.variables.params):,}",
        "\n".join(["| measured | |", "|---|---|", *figures]) if figures else "",
        f"```python\n{_program(run, path)}\n```",
        "\n".join(["## Options", "", "```", *shown, "```"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _program(run: "Run", path: Path) -> str:
    """How samples are made of the file, or images translated."""
    import jax

    from jaxgan.training.portable import SUFFIX

    if run.inputs.draw is None:
        return (
            "from jaxgan import load\n\n# images: uint8 [N, H, W, C]\n"
            f'made = load("{path.name}").translate(images{_needed(run.inputs.choices)})'
        )
    shape = ", ".join(map(str, run.spec.shape))
    made = f"# {'uint8' if run.spec.is_image else 'float32'} [16, {shape}]"
    if path.suffix != SUFFIX:
        return f'from jaxgan import load\n\nsamples = load("{path.name}").sample(16)  {made}'
    inputs = [
        f"jax.numpy.zeros(({', '.join(map(str, (16, *leaf.shape[1:])))}), {str(leaf.dtype)!r})"
        for leaf in jax.tree.leaves(run.draw(1))
    ]
    return (
        "import jax\nfrom jax import export\n\n"
        f'program = export.deserialize(open("{path.name}", "rb").read())\n'
        f"samples = program.call({', '.join(inputs)})  {made}\n"
        "# Instead of zeros: latents as the options below say, and the labels wanted."
    )


def _needed(choices: Any) -> str:
    """The arguments that a run's choices cannot do without, each with the first that is allowed."""
    hints = get_type_hints(choices)
    needed = [f.name for f in dataclasses.fields(choices) if f.default is dataclasses.MISSING]
    return "".join(f", {name}={get_args(hints[name])[0]!r}" for name in needed)
