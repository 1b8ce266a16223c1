"""From a generator's variables to samples on the host and pictures on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data import MIXTURES, Source, Spec
from jaxgan.experiment.generation import Experiment
from jaxgan.files import whole_file
from jaxgan.games.game import Game
from jaxgan.imaging import NotFinite, grid, save_image, save_points, to_uint8
from jaxgan.keys import derive
from jaxgan.latent import draw_latents
from jaxgan.metrics import pixels, sample_diversity
from jaxgan.networks.network import Variables
from jaxgan.types import Array, Key

Sampler: TypeAlias = Callable[[Variables, Array, Array | None], np.ndarray]
BATCH = 500


def make_sampler(game: Game) -> Sampler:
    """The function `(variables, latents [N, L], labels [N] | None) -> samples` of a game.

    Samples are uint8 [N, H, W, C], or float32 [N, D] for points. They go through the generator in
    batches of at most 500; the last is filled up, so that it needs no compiling of its own.
    Images that hold NaN and points that are not finite are `imaging.NotFinite`.
    """
    sample = jax.jit(game.sample)

    def run(variables: Variables, latents: Array, labels: Array | None = None) -> np.ndarray:
        count = len(latents)
        size = min(count, BATCH)
        parts = []
        for start in range(0, count, size):
            rows = jnp.minimum(jnp.arange(start, start + size), count - 1)
            chosen = None if labels is None else labels[rows]
            part = np.asarray(sample(variables, latents[rows], chosen))[: count - start]
            if part.ndim == 2 and not np.isfinite(part).all():
                raise NotFinite("points must be finite, but some are NaN or infinite")
            parts.append(part if part.ndim == 2 else to_uint8(part))
        return np.concatenate(parts)

    return run


def draw_inputs(
    experiment: Experiment, spec: Spec, key: Key, count: int, label: int | None = None
) -> tuple[Array, Array | None]:
    """Latents [count, L] from a key, and labels when the experiment is conditional.

    Args:
      experiment: says the latents' size and distribution.
      spec: of the data.
      key: consumed.
      count: how many.
      label: the class asked for; None gives 0, 1, ... in turn.

    Raises:
      ValueError: for a label that does not exist.
    """
    check_label(experiment, spec, label)
    options = experiment.generator
    latents = draw_latents(key, count, options.latent_size, options.latent_distribution)
    if not experiment.conditional:
        return latents, None
    if label is None:
        return latents, jnp.arange(count, dtype=jnp.int32) % spec.num_classes
    return latents, jnp.full(count, label, jnp.int32)


def check_label(experiment: Experiment, spec: Spec, label: int | None) -> None:
    """Raises a ValueError for a label that does not exist; None stands for any."""
    if label is None:
        return
    if not experiment.conditional:
        raise ValueError(f"label {label} was asked of a generator that takes no labels")
    if not 0 <= label < spec.num_classes:
        raise ValueError(f"label {label} does not exist: labels are 0 to {spec.num_classes - 1}")


def make_preview(
    experiment: Experiment, spec: Spec, game: Game, root_key: Key
) -> Callable[[Variables, Path | None], np.ndarray]:
    """The function `(variables, path or None) -> samples` that draws the same latents every time.

    64 images; when conditional, 8 of each class (of the first 20), a class a row; 2,000 points.
    """
    sampler = make_sampler(game)
    rows = min(spec.num_classes, 20) if experiment.conditional else 8
    count = 8 * rows if spec.is_image else 2000
    latents, labels = draw_inputs(experiment, spec, derive(root_key, 0, "preview"), count)
    if labels is not None and spec.is_image:
        labels = jnp.repeat(jnp.arange(rows, dtype=jnp.int32), 8)
    names = spec.class_names or [str(row) for row in range(rows)]

    def preview(variables: Variables, path: Path | None) -> np.ndarray:
        row_labels = None if labels is None else list(names[:rows])
        samples = sampler(variables, latents, labels)
        if path is not None:
            save_samples(path, samples, experiment.data, row_labels)
        return samples

    return preview


def measure_diversity(samples: np.ndarray, source: Source) -> dict[str, float]:
    """`metrics.sample_diversity` of samples by name, against as many real ones from all over.

    Empty where there is nothing to compare with: a source of one sample, or of equal ones, or of
    another shape than what a class of the user's makes of it.
    """
    count = min(len(samples), len(source))
    indices = np.linspace(0, len(source) - 1, count).astype(int)
    real = np.asarray(source.take(indices)["real"])
    if count < 2 or real.shape[1:] != samples.shape[1:] or (real == real[0]).all():
        return {}
    samples = samples[:count]
    if source.spec.is_image:
        samples, real = pixels(samples), pixels(real)
    return sample_diversity(samples, real)._asdict()


def save_samples(
    path: Path, samples: np.ndarray, data: str, row_labels: list[str] | None = None
) -> None:
    """Draws samples: a grid of images, or points over the centres of their mixture."""
    if samples.ndim == 2:
        mixture = MIXTURES.get(data)
        # Points of one coordinate lie on a line; of more than two the first two are shown.
        plane = np.pad(samples, ((0, 0), (0, 1)))[:, :2]
        save_points(path, plane, centers=None if mixture is None else mixture.centers)
    else:
        save_image(path, grid(samples, row_labels=row_labels))


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Writes arrays to an .npz file, whole or not at all."""
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)
