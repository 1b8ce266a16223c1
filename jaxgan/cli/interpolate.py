"""`jaxgan interpolate`: walks between latents."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxgan.cli.arguments import check_out
from jaxgan.cli.choosing import GeneratorChoice, load_chosen, parse_with_choices
from jaxgan.cli.sample import refuse_more_than_memory


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


def interpolate(args: list[str]) -> int:
    """`jaxgan interpolate RUN --out FILE`."""
    import jax
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
    if len(options.seeds) < 2 or options.frames < 2 or options.rows < 1:
        raise ValueError(
            "a walk needs 2 --seeds, 2 --frames and 1 --rows or more, not "
            f"{len(options.seeds)}, {options.frames} and {options.rows}"
        )
    for seed in options.seeds:
        check_seed("seed", seed)
    kind = check_out(options.out, (".png", ".gif"))
    run = load_chosen(options)
    one = run.draw(1, 0, choices)
    if not getattr(run.spec, "is_image", False):
        raise ValueError(f"interpolate shows images, and {options.run} makes points")
    own = run.inputs.walk
    if own is None:
        raise ValueError(f"there is no way between the samples of {options.run}")
    walk = own if options.method is None else getattr(latent, options.method)
    legs = len(options.seeds) - (not options.loop)
    asked = f"--frames {options.frames} and --rows {options.rows}"
    count = options.frames * options.rows * legs
    refuse_more_than_memory(run, one, asked, count, kind)
    with kept_programs(options.run):
        drawn = [run.draw(options.rows, seed, choices) for seed in options.seeds]
        ends, held = [first for first, *_ in drawn], drawn[0][1:]
        if options.loop:
            ends.append(ends[0])
        ways = [walk(a, b, options.frames) for a, b in itertools.pairwise(ends)]
        # Every leg ends where the next begins; a loop ends where it began.
        latents = jnp.concatenate(
            [way[:-1] for way in ways] + ([] if options.loop else [ends[-1][None]])
        )
        frames = len(latents)
        flat = latents.reshape(frames * options.rows, *latents.shape[2:])
        repeated = jax.tree.map(lambda leaf: jnp.tile(leaf, (frames, *[1] * (leaf.ndim - 1))), held)
        images = make_sampler(run.game)(run.variables, flat, *repeated)
    images = images.reshape(frames, options.rows, *images.shape[1:])
    if kind == ".gif":
        save_animation(options.out, [grid(frame) for frame in images])
    else:
        rows = images.swapaxes(0, 1).reshape(-1, *images.shape[2:])
        save_image(options.out, grid(rows, columns=frames))
    told = run.inputs.told(choices)
    print(f"{options.rows} walks of {frames} images{' ' + told if told else ''}: {options.out}")
    return 0
