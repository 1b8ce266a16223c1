"""Whether a discriminator knows its training images by heart: what it says of held-out ones."""

import math

import jax
import numpy as np

from jaxgan.data import Source
from jaxgan.data.minibatch import prepare_batch
from jaxgan.games.game import Turn
from jaxgan.keys import derive
from jaxgan.runs.data import identities_of, refuse_other
from jaxgan.training.trained import Run
from jaxgan.types import Array, Batch

BATCHES = 16
"""Minibatches of each split that are looked at."""
CLEAR = 5.0
"""Standard errors that training images and samples must be apart for their gap to divide by."""


def overfitting(run: Run) -> float:
    """How far held-out images have moved from training images (0) to samples (1).

    It is StyleGAN2-ADA's r_v (Karras et al. 2020): the means of the discriminator's logits give
    (E D(train) - E D(test)) / (E D(train) - E D(samples)).

    Returns:
      The figure; NaN where the discriminator hardly tells training images from samples.

    Raises:
      ValueError: when the game has no discriminator of single images, or the data, or their test
        split, are not there or others.
    """
    train, test = run.experiment.open_source(), run.experiment.open_source("test")
    refuse_other(run.directory, run.data, *identities_of([train]))
    loss = run.game.move("discriminator").loss
    if loss is None:
        raise ValueError(f"the discriminator of {run.directory} has no loss")
    state = run.state()
    sides = {name: side.variables for name, side in state.sides.items()}

    @jax.jit
    def logits(batch: Batch, number: int) -> tuple[Array, Array]:
        key = derive(jax.random.key(0), "held out", number)
        turn = Turn(prepare_batch(batch, key), key, state.step, state.carry)
        scalars = loss(sides, turn)[1].scalars
        return scalars["real_logits"], scalars["fake_logits"]

    def scores(source: Source) -> np.ndarray:
        size = run.experiment.batch_size
        rows = np.random.default_rng(0).choice(len(source), BATCHES * size)
        batches = np.split(rows, BATCHES)
        return np.array([logits(source.take(part), n) for n, part in enumerate(batches)])

    (of_train, of_samples), (of_test, _) = scores(train).T, scores(test).T
    gaps = of_train - of_samples
    if gaps.mean() < CLEAR * gaps.std() / BATCHES**0.5:
        return math.nan
    return float((of_train.mean() - of_test.mean()) / gaps.mean())
