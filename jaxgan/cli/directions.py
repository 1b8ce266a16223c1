"""`jaxgan directions` and `jaxgan edit`: what changes along a direction of the latent space."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jaxgan.cli.choosing import GeneratorChoice, load_chosen, parse_with_choices
from jaxgan.cli.interpolate import ANIMATIONS, FRAMES, check_picture
from jaxgan.cli.sample import refuse_more_than_memory

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    import numpy as np

    from jaxgan.training.trained import Run


@dataclass(frozen=True, kw_only=True)
class DirectionsOptions(GeneratorChoice):
    by: Literal["weights", "images", "classes", "labels"] | None = None
    """Where directions come from: the weights of the first layer (SeFa), the principal components
    of the images (GANSpace), the classes that the data's classifier sees in samples, or labels; by
    default labels where there are some, else weights."""
    labels: Path | None = None
    """Table (.csv) of attributes: a column `sample`, the number that `jaxgan sample` gives a sample
    with this seed, and a column of 0 and 1 for each attribute; empty where it is not known."""
    seed: int = 0
    """Seed of the samples that are looked at."""
    count: int = 2000
    """How many samples are looked at."""
    number: int = 5
    """How many directions of weights or images are kept."""
    orthogonal_to: tuple[str, ...] = ()
    """Directions found before, whose part in the new ones is taken away."""


def directions(args: list[str]) -> int:
    """`jaxgan directions RUN [--labels FILE]`."""
    import numpy as np

    from jaxgan import latent
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.base import check_seed
    from jaxgan.experiment.inputs import refuse_undrawn
    from jaxgan.runs.directions import Direction, read_directions, write_directions

    options, choices = parse_with_choices(
        *(DirectionsOptions, args, "directions"),
        "Finds directions of the latent space along which samples change, and keeps them.",
        refuse_undrawn,
    )
    if options.count < 2 or options.number < 1:
        raise ValueError(
            "directions take 2 --count and 1 --number or more, not "
            f"{options.count} and {options.number}"
        )
    check_seed("seed", options.seed)
    by = options.by or ("labels" if options.labels else "weights")
    if (by == "labels") != (options.labels is not None):
        raise ValueError(f"--labels FILE and --by labels go together, and --by is {by}")
    run = load_chosen(options, choices)
    one = run.draw(1, 0, choices)
    size = latent_size(run, one)
    refuse_more_than_memory(run, one, f"--count {options.count}", options.count, ".npz")
    known = read_directions(options.run)
    taken = [vector_of(known, name, options.run, size) for name in options.orthogonal_to]
    with kept_programs(options.run):
        found = found_by(by, run, options, choices)
    if taken:
        found = {
            name: np.asarray(latent.without(vector, np.stack(taken)))
            for name, vector in found.items()
        }
    left = f" without {', '.join(options.orthogonal_to)}" if taken else ""
    new = {name: Direction(vector, f"{by}{left}", run.step) for name, vector in found.items()}
    path = write_directions(options.run, known | new)
    print(f"{len(new)} directions by {by}{left}, step {run.step}: {', '.join(new)}: {path}")
    return 0


def found_by(
    by: str, run: "Run", options: DirectionsOptions, choices: Any
) -> "dict[str, np.ndarray]":
    """Directions by name, by one of the four ways."""
    import numpy as np

    from jaxgan import latent
    from jaxgan.evaluation.judges import judge_of
    from jaxgan.experiment.sampling import make_sampler, reference_of

    if by == "weights":
        kernel = run.inputs.kernel
        if kernel is None:
            raise ValueError(f"{options.run} does not say which weights latents meet first")
        vectors = latent.weight_directions(kernel(run.variables), options.number)
        return {f"weights-{i}": np.asarray(vector) for i, vector in enumerate(vectors)}
    if by == "labels":
        assert options.labels is not None
        table = read_labels(options.labels)
        count = 1 + max(int(rows.max()) for rows, _ in table.values())
        latents = np.asarray(run.draw(count, options.seed, choices)[0])
        return {
            name: np.asarray(latent.attribute_direction(latents[rows], present))
            for name, (rows, present) in table.items()
        }
    drawn = run.draw(options.count, options.seed, choices)
    latents, samples = np.asarray(drawn[0]), make_sampler(run.game)(run.variables, *drawn)
    if by == "images":
        features = samples.reshape(len(samples), -1).astype(np.float32)
        vectors = latent.feature_directions(latents, features, options.number)
        return {f"images-{i}": np.asarray(vector) for i, vector in enumerate(vectors)}
    if not getattr(run.spec, "num_classes", 0) or not run.spec.is_image:
        raise ValueError(f"--by classes needs labelled images, and {options.run} has none")
    source = run.experiment.open_source()
    judge = judge_of(source, reference_of(run.experiment, source, compared=False).source)
    classes = judge.probabilities(samples).argmax(axis=1)
    names = run.spec.class_names or tuple(map(str, range(run.spec.num_classes)))
    return {
        f"class-{name}": np.asarray(latent.attribute_direction(latents, classes == number))
        for number, name in enumerate(names)
        if 0 < (classes == number).sum() < len(classes)
    }


def read_labels(path: Path) -> "dict[str, tuple[np.ndarray, np.ndarray]]":
    """From a table, for each attribute, the numbers of samples and whether it is present.

    Raises:
      ValueError: for a file that is no such table, naming the line.
    """
    import numpy as np

    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            names = [name for name in table.fieldnames or () if name != "sample"]
            lines = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"--labels {path} cannot be read: {error}") from error
    if "sample" not in (table.fieldnames or ()) or not names:
        raise ValueError(f"--labels {path} must have a column `sample` and one for each attribute")
    found: dict[str, list[tuple[int, bool]]] = {name: [] for name in names}
    for number, line in enumerate(lines, start=2):
        if not (line["sample"] or "").strip().isdecimal():
            raise ValueError(
                f"line {number} of --labels {path} has the sample {line['sample']!r}, which must "
                "be a number from 0"
            )
        for name in names:
            value = (line[name] or "").strip()
            if value not in ("0", "1", ""):
                raise ValueError(
                    f"line {number} of --labels {path} has {name} {value!r}; allowed are 0, 1 and "
                    "nothing"
                )
            if value:
                found[name].append((int(line["sample"]), value == "1"))
    for name, pairs in found.items():
        if len({present for _, present in pairs}) < 2:
            raise ValueError(f"--labels {path} must have both 0 and 1 of {name}")
    return {
        name: (np.array([row for row, _ in pairs]), np.array([is_in for _, is_in in pairs]))
        for name, pairs in found.items()
    }


@dataclass(frozen=True, kw_only=True)
class EditOptions(GeneratorChoice):
    direction: tuple[str, ...]
    """Names of directions that `jaxgan directions` found; rows of the grid for each."""
    out: Path
    """Where to: a grid, a column a strength (.png), or an animation (.gif, or .mp4 with PyAV) from
    the first strength to the last and back, two seconds each way."""
    strength: tuple[float, ...] = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    """How far along the direction; a latent's own numbers are of size 1."""
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    """Samples to change, by seed."""
    scale: int | None = None
    """Times each pixel is repeated both ways; by default until the picture is 512 pixels wide or
    high."""


def edit(args: list[str]) -> int:
    """`jaxgan edit RUN --direction NAME --out FILE`."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.base import check_seed
    from jaxgan.experiment.inputs import refuse_undrawn
    from jaxgan.experiment.sampling import make_sampler
    from jaxgan.imaging import grid, save_animation, save_image
    from jaxgan.runs.directions import read_directions

    options, choices = parse_with_choices(
        EditOptions, args, "edit", "Samples changed along directions.", refuse_undrawn
    )
    if not options.direction or not options.strength or not options.seeds:
        raise ValueError("edit needs a --direction, a --strength and one of the --seeds")
    if not np.isfinite(options.strength).all():
        raise ValueError(f"--strength must be finite, not {options.strength}")
    for seed in options.seeds:
        check_seed("seed", seed)
    kind = check_picture(options.out, options.scale)
    strengths = np.asarray(options.strength, np.float32)
    if kind in ANIMATIONS:
        between = np.linspace(0, len(strengths) - 1, FRAMES)
        strengths = np.interp(between, np.arange(len(strengths)), strengths).astype(np.float32)
    run = load_chosen(options, choices)
    if not getattr(run.spec, "is_image", False):
        raise ValueError(f"edit shows images, and {options.run} makes points")
    one = run.draw(1, 0, choices)
    size = latent_size(run, one)
    count = len(options.seeds) * len(options.direction) * len(strengths)
    refuse_more_than_memory(run, one, f"{count:,} samples", count, kind)
    known = read_directions(options.run)
    vectors = [vector_of(known, name, options.run, size) for name in options.direction]
    old = [name for name in options.direction if known[name].step != run.step]
    with kept_programs(options.run):
        drawn = [run.draw(1, seed, choices) for seed in options.seeds]
        latents, *held = jax.tree.map(lambda *each: jnp.concatenate(each), *drawn)
        steps = jnp.asarray(strengths)[:, None, None, None]
        moved = latents + steps * jnp.asarray(np.stack(vectors))[:, None]  # [S, D, N, L]
        frames, rows = len(steps), len(vectors) * len(latents)
        flat = moved.reshape(frames * rows, size)
        repeated = jax.tree.map(
            lambda leaf: jnp.tile(leaf, (frames * len(vectors), *[1] * (leaf.ndim - 1))), held
        )
        images = make_sampler(run.game)(run.variables, flat, *repeated)
    images = images.reshape(frames, rows, *images.shape[1:])
    if kind in ANIMATIONS:
        there = [grid(frame, columns=len(latents), scale=options.scale) for frame in images]
        save_animation(options.out, [*there, *there[-2:0:-1]])
    else:
        labels = [name for name in options.direction for _ in options.seeds]
        flat_images = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
        picture = grid(flat_images, columns=frames, scale=options.scale, row_labels=labels)
        save_image(options.out, picture)
    if old:
        print(f"{', '.join(old)} were found for another step than {run.step}")
    print(f"{rows} samples at {frames} strengths: {options.out}")
    return 0


def latent_size(run: "Run", one: tuple[Any, ...]) -> int:
    """The latent size L of a run, from the inputs of one sample.

    Raises:
      ValueError: for latents of another form.
    """
    first = one[0]
    if getattr(first, "ndim", 0) != 2:
        raise ValueError(f"{run.directory} has latents of a form that has no directions")
    return first.shape[1]


def vector_of(known: dict[str, Any], name: str, directory: Path, size: int) -> "np.ndarray":
    """A direction of a run by name; a ValueError where there is none, or not for its latents."""
    if name not in known:
        names = ", ".join(known) or f"none; jaxgan directions {directory} finds some"
        raise ValueError(f"{directory} has no direction {name!r}; it has {names}")
    vector = known[name].vector
    if vector.shape != (size,):
        raise ValueError(
            f"direction {name!r} of {directory} has {len(vector)} numbers, and its latents {size}: "
            "delete its directions.npz and find them anew"
        )
    return vector
