"""From a generator's variables to samples on the host: drawn, measured, and shown."""

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxgan.data import MIXTURES, ArraySource, Source, open_source
from jaxgan.evaluation import (
    Evaluator,
    FeatureChoice,
    Reference,
    block_size,
    make_evaluator,
    metric_key,
    protocol_samples,
)
from jaxgan.files import whole_file
from jaxgan.games.game import Game
from jaxgan.imaging import NotFinite, grid, save_image, save_points, to_uint8
from jaxgan.keys import derive
from jaxgan.metrics import pixels, sample_diversity
from jaxgan.networks.network import Variables
from jaxgan.types import Key
from jaxgan.working import shown_by, silently, working

if TYPE_CHECKING:  # Kinds of runs are made of these functions.
    from jaxgan.experiment.base import BaseExperiment, Preview

Sampler: TypeAlias = Callable[..., np.ndarray]
"""`(variables, *inputs) -> samples`."""
ROWS, COLUMNS, POINTS = 20, 8, 2000
"""A preview has at most this many classes, images of each, and points."""


def make_sampler(game: Game) -> Sampler:
    """The function `(variables, *inputs) -> samples` of a game.

    Inputs are arrays or pytrees whose first axis counts the samples, or None. Samples are uint8
    [N, H, W, C], or float32 [N, D] for points. They are made in blocks (`evaluation.block_size`);
    the last is filled up, so that it needs no compiling of its own. Images that hold NaN and points
    that are not finite are `imaging.NotFinite`.
    """
    sample = jax.jit(game.sample)

    def run(variables: Variables, *inputs: Any) -> np.ndarray:
        count = len(jax.tree.leaves(inputs)[0])
        one = jax.eval_shape(sample, variables, *jax.tree.map(lambda leaf: leaf[:1], inputs))
        size = min(count, block_size(one.shape[1:]))
        parts = []
        with working("sampling", count) as reach:
            for start in range(0, count, size):
                rows = jnp.minimum(jnp.arange(start, start + size), count - 1)
                block = jax.tree.map(lambda leaf, rows=rows: leaf[rows], inputs)
                part = np.asarray(sample(variables, *block))[: count - start]
                if part.ndim == 2 and not np.isfinite(part).all():
                    raise NotFinite("points must be finite, but some are NaN or infinite")
                parts.append(part if part.ndim == 2 else to_uint8(part))
                reach(start + len(part))
            return np.concatenate(parts)

    return run


def grid_preview(
    experiment: "BaseExperiment", source: Source, game: Game, root_key: Key, num_classes: int = 0
) -> "Preview":
    """Draws samples of the same inputs every time, and measures how varied they are.

    64 images; with classes, 8 of each (of the first 20), a class a row; 2,000 points.

    Args:
      experiment: says what inputs are and how samples are shown; its inputs are drawn.
      source: the training data.
      game: samples the averaged side.
      root_key: the run's.
      num_classes: of a conditional run, else 0.
    """
    inputs, spec, sampler = experiment.inputs(source.spec), source.spec, make_sampler(game)
    assert inputs.draw is not None
    rows = min(num_classes, ROWS) if num_classes else COLUMNS
    count = COLUMNS * rows if spec.is_image else POINTS
    drawn = inputs.draw(derive(root_key, 0, "preview"), count, inputs.choices())
    row_labels = None
    if num_classes:
        names = spec.class_names or [str(row) for row in range(rows)]
        row_labels = list(names[:rows])
        if spec.is_image:
            drawn = (drawn[0], jnp.repeat(jnp.arange(rows, dtype=jnp.int32), COLUMNS))

    def preview(variables: Variables, path: Path | None) -> dict[str, float]:
        samples = sampler(variables, *drawn)
        if path is not None:
            experiment.save_samples(path, samples, row_labels)
        return measure_diversity(samples, source)

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


def evaluate_samples(
    experiment: "BaseExperiment",
    source: Source,
    game: Game,
    root_key: Key,
    *,
    thorough: bool = False,
    features: FeatureChoice | None = None,
    stacked_protocol: str = "pacgan",
) -> Evaluator:
    """The measurement that fits a run's data, for kinds that draw their samples.

    Args:
      experiment: opens the test split, and says what inputs are.
      source: the training data.
      game: samples the averaged side.
      root_key: the run's; the inputs derive from it.
      thorough: as `evaluation.make_evaluator`, like the rest.
      features: see there.
      stacked_protocol: see there.
    """
    inputs, sampler = experiment.inputs(source.spec), make_sampler(game)
    assert inputs.draw is not None
    draw, key = inputs.draw, derive(root_key, 0, "evaluate")

    @cache
    def drawn(count: int) -> tuple[Any, ...]:
        return draw(key, count, inputs.choices())

    def labels(count: int) -> NDArray | None:
        asked = drawn(count)[1:]
        return np.asarray(asked[0]) if asked and asked[0] is not None else None

    total = protocol_samples(source.spec, stacked_protocol, features)

    def sample(variables: Variables, start: int, stop: int) -> NDArray:
        with shown_by(silently):  # What measures them shows how far it is.
            return sampler(variables, *jax.tree.map(lambda leaf: leaf[start:stop], drawn(total)))

    return make_evaluator(
        sample,
        source,
        reference_of(experiment, source),
        metric_key(),
        labels=labels,
        thorough=thorough,
        features=features,
        stacked_protocol=stacked_protocol,
    )


def open_data(experiment: Any, split: str) -> ArraySource:
    """The data of a kind of run that has one set of them, by its options."""
    return open_source(
        experiment.data,
        data_dir=experiment.data_dir,
        split=split,
        image_size=experiment.image_size,
        channels=experiment.channels,
        transparency=experiment.transparency,
    )


def reference_of(
    experiment: "BaseExperiment", source: Source, *, compared: bool = True
) -> Reference:
    """The test split, or the training data where there is none.

    Args:
      experiment: opens the test split.
      source: the training data.
      compared: whether samples are compared with it, of which a warning then speaks.
    """
    try:
        return Reference(experiment.open_source("test"), "test")
    except ValueError as error:
        if compared:
            warnings.warn(f"samples are compared with the training data: {error}", stacklevel=2)
        return Reference(source, "train")


def save_samples(
    path: Path,
    samples: np.ndarray,
    row_labels: list[str] | None = None,
    centers: np.ndarray | None = None,
) -> None:
    """Draws samples: a grid of images, or points, over the centres of their mixture if it has any.

    Args:
      path: a .png file.
      samples: uint8 [N, H, W, C], or [N, D].
      row_labels: a name for each row of images.
      centers: [K, 2], shown behind points.
    """
    if samples.ndim == 2:
        # Points of one coordinate lie on a line; of more than two the first two are shown.
        plane = np.pad(samples, ((0, 0), (0, 1)))[:, :2]
        save_points(path, plane, centers=centers)
    else:
        save_image(path, grid(samples, row_labels=row_labels))


def save_over_centers(
    data: str, path: Path, samples: np.ndarray, row_labels: list[str] | None = None
) -> None:
    """`save_samples`, over the centres of the mixture that the data are, if they are one."""
    mixture = MIXTURES.get(data)
    save_samples(path, samples, row_labels, None if mixture is None else mixture.centers)


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Writes arrays to an .npz file, whole or not at all."""
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)
