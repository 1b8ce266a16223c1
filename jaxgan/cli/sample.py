"""`jaxgan sample`: what a run's generator makes."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgan.cli.arguments import check_out
from jaxgan.cli.choosing import GeneratorChoice, load_chosen, parse_with_choices

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from collections.abc import Callable

    from jaxgan.training.trained import Run
    from jaxgan.types import Array

SMALLEST_SHOWN = 64 * 64
"""Pixels to which small images are enlarged in a grid."""


@dataclass(frozen=True, kw_only=True)
class SampleOptions(GeneratorChoice):
    out: Path
    """Where to: a grid of images (.png), or arrays (.npz: images or points, labels and names)."""
    count: int | None = None
    """Number of samples, by default 64, or in a grid of up to 20 classes 8 of each; with --sweep
    number of rows, by default 10."""
    seed: int = 0
    """Seed of the latents; latent i is the same whatever the count."""
    sweep: str | None = None
    """Name of a code: a row a latent, with that code at each of its values (InfoGAN)."""


def sample(args: list[str]) -> int:
    """`jaxgan sample RUN --out FILE`."""
    import jax
    import numpy as np

    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.base import check_seed
    from jaxgan.experiment.inputs import refuse_undrawn
    from jaxgan.experiment.sampling import COLUMNS, make_sampler, write_npz
    from jaxgan.imaging import class_rows, grid, save_image

    options, choices = parse_with_choices(
        SampleOptions, args, "sample", "Samples from a run's generator.", refuse_undrawn
    )
    if options.count is not None and options.count < 1:
        raise ValueError(f"--count must be 1 or more, not {options.count}")
    check_seed("seed", options.seed)
    kind = check_out(options.out, (".png", ".npz"))
    run = load_chosen(options, choices)
    one = run.draw(1, options.seed, choices)
    swept = sweep_of(run, options.sweep) if options.sweep is not None else None
    row_names = class_names(run, choices, one) if kind == ".png" and swept is None else []
    usual = COLUMNS * len(row_names) or (64 if swept is None else 10)
    count = usual if options.count is None else options.count
    columns = 1 if swept is None else swept(one[0]).shape[1]
    refuse_more_than_memory(run, one, f"--count {count}", count * columns, kind)
    with kept_programs(options.run):
        drawn = run.draw(count, options.seed, choices)
        if swept is not None:
            latents = swept(drawn[0])
            rest = jax.tree.map(lambda leaf: leaf.repeat(columns, axis=0), drawn[1:])
            drawn = (latents.reshape(-1, latents.shape[-1]), *rest)
        samples = make_sampler(run.game)(run.variables, *drawn)
    if kind == ".npz":
        labels = drawn[1] if len(drawn) > 1 else None
        arrays = {"images" if samples.ndim == 4 else "points": samples}
        if labels is not None:
            arrays["labels"] = np.asarray(labels)
            if names := getattr(run.spec, "class_names", ()):
                arrays["label_names"] = np.array(names)
        write_npz(options.out, arrays)
    elif row_names:
        rows, classes = class_rows(samples, np.asarray(drawn[1]))
        run.experiment.save_samples(options.out, rows, [row_names[number] for number in classes])
    elif swept is None:
        run.experiment.save_samples(options.out, samples)
    else:
        save_image(options.out, grid(samples, columns=columns))
    told = run.inputs.told(choices)
    print(f"{len(samples)} samples{' ' + told if told else ''}: {options.out}")
    return 0


def class_names(run: "Run", choices: Any, one: tuple[Any, ...]) -> list[str]:
    """Names of a run's classes, where a grid of samples has a row for each; else empty.

    Args:
      run: that makes the samples.
      choices: about them; a class that was asked for is the only one.
      one: the inputs of one sample.
    """
    from jaxgan.experiment.sampling import ROWS

    classes = getattr(run.spec, "num_classes", 0)
    any_class = hasattr(choices, "label") and choices.label is None
    if not any_class or len(one) < 2 or one[1] is None or not run.spec.is_image or classes > ROWS:
        return []
    return list(run.spec.class_names) or list(map(str, range(classes)))


def sweep_of(run: "Run", name: str) -> "Callable[[Array], Array]":
    """The sweep of that name; a ValueError where there is none, or it cannot be shown."""
    sweeps = run.inputs.sweeps
    if not sweeps:
        raise ValueError(f"{run.directory} has no codes to sweep; see --codes.categorical of train")
    if name not in sweeps:
        raise ValueError(f"--sweep must be {' or '.join(sweeps)}, not {name}")
    if not run.spec.is_image:
        raise ValueError(f"--sweep shows images, and {run.directory} makes points")
    return sweeps[name]


def refuse_more_than_memory(
    run: "Run", one: tuple[Any, ...], asked: str, count: int, kind: str
) -> None:
    """Refuses samples that alone, with their inputs, are larger than the memory.

    Args:
      run: that makes them.
      one: the inputs of one sample.
      asked: the options that ask for them.
      count: of samples.
      kind: the suffix of the file.
    """
    import jax

    from jaxgan.data.source import machine_memory

    pixels = math.prod(run.spec.shape)
    shown = pixels if kind == ".npz" else max(pixels, SMALLEST_SHOWN)
    size = count * (shown + sum(leaf.nbytes for leaf in jax.tree.leaves(one)))
    if size > machine_memory():
        raise ValueError(
            f"{asked} would take {size / 1e9:,.0f} GB, and this machine has "
            f"{machine_memory() / 1e9:,.0f} GB of memory"
        )
