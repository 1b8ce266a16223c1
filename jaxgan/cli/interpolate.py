"""`jaxgan interpolate`: walks between latents."""

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxgan.cli.arguments import check_out
from jaxgan.cli.choosing import GeneratorChoice, load_chosen, parse_with_choices
from jaxgan.cli.sample import refuse_more_than_memory

ANIMATIONS = (".gif", ".mp4")
FRAMES = 60
"""From one end of a way to the other in an animation: two seconds."""
SMALLEST_FRAME = 64
"""Images of 64 pixels a side that are as large as a frame of 512."""


def check_picture(path: Path, scale: int | None) -> str:
    """Refuses a grid or an animation that could not be written; returns the file's suffix."""
    from jaxgan.imaging import check_video

    kind = check_out(path, (".png", *ANIMATIONS))
    if scale is not None and scale < 1:
        raise ValueError(f"--scale must be 1 or more, not {scale}")
    if kind == ".mp4":
        check_video()
    return kind


@dataclass(frozen=True, kw_only=True)
class InterpolateOptions(GeneratorChoice):
    out: Path
    """Where to: a grid, one walk a row (.png), or an animation (.gif, or .mp4 with PyAV)."""
    seeds: tuple[int, ...] = ()
    """Latents to walk through, by seed, two or more; by default 0 and 1, and with --labels 0
    alone."""
    labels: tuple[str, ...] = ()
    """Classes to walk through, two or more: their embeddings are mixed. With one seed latents stay;
    otherwise there is a seed a class."""
    method: Literal["spherical", "linear"] | None = None
    """Along the arc, which keeps the length of normal latents, or straight, which keeps uniform
    ones within their cube; by default what suits the run's latents."""
    frames: int | None = None
    """Images from one seed to the next, both included (in a loop: without the next); by default 10
    in a grid and 60, two seconds, in an animation."""
    rows: int = 8
    """Walks side by side, each through latents of its own."""
    loop: bool = False
    """Return to the first seed."""
    scale: int | None = None
    """Times each pixel is repeated both ways; by default until the picture is 512 pixels wide or
    high."""


def interpolate(args: list[str]) -> int:
    """`jaxgan interpolate RUN --out FILE`."""
    import jax.nn
    import jax.numpy as jnp

    from jaxgan import latent
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.base import check_seed
    from jaxgan.experiment.inputs import refuse_undrawn
    from jaxgan.experiment.sampling import make_sampler
    from jaxgan.imaging import grid, save_animation, save_image

    options, choices = parse_with_choices(
        InterpolateOptions,
        args,
        "interpolate",
        "Images along walks between latents.",
        refuse_undrawn,
    )
    seeds = options.seeds or ((0,) if options.labels else (0, 1))
    if options.labels and len(seeds) == 1:
        seeds *= len(options.labels)
    animated = options.out.suffix.lower() in ANIMATIONS
    steps = options.frames if options.frames is not None else FRAMES if animated else 10
    if len(seeds) < 2 or steps < 2 or options.rows < 1:
        raise ValueError(
            f"a walk needs 2 --{'labels' if options.labels else 'seeds'}, 2 --frames and 1 --rows "
            f"or more, not {len(seeds)}, {steps} and {options.rows}"
        )
    if options.labels and len(options.labels) != len(seeds):
        raise ValueError(
            f"--labels {' '.join(options.labels)} take one of --seeds, or one each, not "
            f"{len(seeds)}"
        )
    if options.labels and not hasattr(choices, "label"):
        raise ValueError(f"--labels are of conditional runs, and {options.run} has no labels")
    if options.labels and choices.label is not None:
        raise ValueError(f"--label {choices.label} and --labels ask for two things; take one")
    for seed in seeds:
        check_seed("seed", seed)
    kind = check_picture(options.out, options.scale)
    run = load_chosen(options, choices)
    ways_through = [dataclasses.replace(choices, label=label) for label in options.labels]
    ways_through = ways_through or [choices] * len(seeds)
    one = run.draw(1, 0, ways_through[0])
    if not getattr(run.spec, "is_image", False):
        raise ValueError(f"interpolate shows images, and {options.run} makes points")
    own = run.inputs.walk
    if own is None:
        raise ValueError(f"there is no way between the samples of {options.run}")
    walk = own if options.method is None else getattr(latent, options.method)
    legs = len(seeds) - (not options.loop)
    asked = f"--frames {steps} and --rows {options.rows}"
    count = steps * legs * (max(options.rows, SMALLEST_FRAME) if animated else options.rows)
    refuse_more_than_memory(run, one, asked, count, kind)
    with kept_programs(options.run):
        drawn = [
            run.draw(options.rows, seed, chosen)
            for seed, chosen in zip(seeds, ways_through, strict=True)
        ]

        def through(ends: list[jax.Array], walk: Callable[..., jax.Array]) -> jax.Array:
            """The whole way, `[frames, rows, ...]`."""
            if options.loop:
                ends = [*ends, ends[0]]
            ways = [walk(a, b, steps) for a, b in itertools.pairwise(ends)]
            # Every leg ends where the next begins; a loop ends where it began.
            return jnp.concatenate(
                [way[:-1] for way in ways] + ([] if options.loop else [ends[-1][None]])
            )

        latents = through([first for first, *_ in drawn], walk)
        frames, held = len(latents), drawn[0][1:]
        flat = latents.reshape(frames * options.rows, *latents.shape[2:])
        repeated = jax.tree.map(lambda leaf: jnp.tile(leaf, (frames, *[1] * (leaf.ndim - 1))), held)
        if options.labels:
            classes = run.spec.num_classes
            mixed = through([jax.nn.one_hot(each[1], classes) for each in drawn], latent.linear)
            repeated = (mixed.reshape(-1, classes),)
        images = make_sampler(run.game)(run.variables, flat, *repeated)
    images = images.reshape(frames, options.rows, *images.shape[1:])
    if animated:
        save_animation(options.out, [grid(frame, scale=options.scale) for frame in images])
    else:
        rows = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
        save_image(options.out, grid(rows, columns=frames, scale=options.scale))
    told = run.inputs.told(choices)
    print(f"{options.rows} walks of {frames} images{' ' + told if told else ''}: {options.out}")
    return 0
