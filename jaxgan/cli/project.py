"""`jaxgan project`: the latents of given images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgan.cli.arguments import check_out
from jaxgan.cli.choosing import GeneratorChoice, load_chosen, parse_with_choices
from jaxgan.working import working

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.types import Array


@dataclass(frozen=True, kw_only=True)
class ProjectOptions(GeneratorChoice):
    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Image files, cropped and resized to what the run makes."""
    out: Path
    """Where to: image, nearest sample and projection, a column each (.png), or arrays (.npz:
    latents, images, distances)."""
    samples: int = 1000
    """Samples of which the nearest is where the descent begins."""
    seed: int = 0
    """Seed of those samples."""
    steps: int = 500
    """Steps of Adam."""
    learning_rate: float = 0.05
    """Its first step size, which falls to 0."""
    prior_weight: float = 0.0
    """What the mean square of a latent weighs against that of the pixels' differences; 0 comes
    nearest."""
    lpips_weight: float = 0.0
    """What LPIPS (VGG16) weighs; it needs the weights of a package of its own."""


def project(args: list[str]) -> int:
    """`jaxgan project RUN IMAGE ... --out FILE`."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxgan.data.images import decode
    from jaxgan.data.minibatch import to_float
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.experiment.base import check_seed
    from jaxgan.experiment.inputs import refuse_undrawn
    from jaxgan.experiment.sampling import write_npz
    from jaxgan.imaging import grid, save_image, to_uint8
    from jaxgan.metrics.lpips import lpips_from
    from jaxgan.networks.pretrained import load_weights
    from jaxgan.projection import nearest, squared_error
    from jaxgan.projection import project as descend

    options, choices = parse_with_choices(
        ProjectOptions, args, "project", "Finds the latents of images.", refuse_undrawn
    )
    if options.samples < 1 or options.steps < 1:
        raise ValueError(
            "a projection takes 1 of the --samples and --steps or more, not "
            f"{options.samples} and {options.steps}"
        )
    if not options.learning_rate > 0 or options.prior_weight < 0 or options.lpips_weight < 0:
        raise ValueError(
            "--learning-rate must be above 0, and --prior-weight and --lpips-weight 0 or more, not "
            f"{options.learning_rate}, {options.prior_weight} and {options.lpips_weight}"
        )
    check_seed("seed", options.seed)
    kind = check_out(options.out, (".png", ".npz"))
    for path in options.images:
        if not path.is_file():
            raise ValueError(f"there is no image {path}")
    run = load_chosen(options, choices)
    if not getattr(run.spec, "is_image", False):
        raise ValueError(f"project takes images, and {options.run} makes points")
    drawn = run.draw(options.samples, options.seed, choices)
    # What is made, which an early phase of a growing run enlarges.
    _, height, width, channels = jax.eval_shape(run.game.sample, run.variables, *drawn).shape
    if height != width:
        raise ValueError(f"project takes square images, and {options.run} makes {height}x{width}")
    labels = drawn[1] if len(drawn) > 1 else None
    if labels is not None and choices.label is None:
        raise ValueError(f"{options.run} makes images of classes: say which by --label")
    pixels = [decode(path, str(path), height, channels) for path in options.images]
    targets = to_float(jnp.asarray(np.stack(pixels)))

    def generate(latents: "Array") -> "Array":
        rest = () if labels is None else (jnp.broadcast_to(labels[0], len(latents)),)
        return run.game.sample(run.variables, latents, *rest)

    def distance(images: "Array", truth: "Array") -> "Array":
        found = squared_error(images, truth)
        if weights is not None:
            found += options.lpips_weight * lpips_from(*weights, images, truth)
        return found

    weights = load_weights("vgg") if options.lpips_weight else None
    with kept_programs(options.run), working("projecting"):
        near = nearest(generate, targets, drawn[0])
        found = descend(
            generate,
            targets,
            near.latents,
            steps=options.steps,
            learning_rate=options.learning_rate,
            distance=distance,
            prior_weight=options.prior_weight,
        )
    if kind == ".npz":
        arrays = {
            "latents": np.asarray(found.latents),
            "images": to_uint8(np.asarray(found.images)),
            "distances": np.asarray(squared_error(found.images, targets)),
        }
        write_npz(options.out, arrays)
    else:
        columns = [np.stack(pixels), *(to_uint8(np.asarray(p.images)) for p in (near, found))]
        save_image(options.out, grid(np.concatenate(columns), columns=len(pixels)))
    print(f"root mean square difference of images in [-1, 1], of {options.samples:,} samples:")
    errors = (np.sqrt(np.asarray(squared_error(p.images, targets))) for p in (near, found))
    for path, before, after in zip(options.images, *errors, strict=True):
        print(f"  {path}: nearest {before:.4f}, projected {after:.4f}")
    print(f"{len(pixels)} images projected: {options.out}")
    return 0
