"""The description of a run that fits a mixture of Gaussians by EM."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import latent
from jaxgan.data import Source, Spec
from jaxgan.data.minibatch import to_float
from jaxgan.evaluation import Better, Evaluator, FeatureChoice
from jaxgan.evaluation.sets import blocks, fetch
from jaxgan.experiment.base import BaseExperiment
from jaxgan.experiment.inputs import Inputs, NoChoice
from jaxgan.experiment.sampling import (
    evaluate_samples,
    open_data,
    reference_of,
    save_over_centers,
)
from jaxgan.games import Game
from jaxgan.games.mixture import free_parameters, gaussian_mixture, log_joint
from jaxgan.networks.network import Variables
from jaxgan.options import Above, AtLeast, AtMost
from jaxgan.types import Array, Key


@dataclass(frozen=True)
class MixtureExperiment(BaseExperiment):
    """A mixture of Gaussians, described completely. A step is an iteration of EM."""

    places: ClassVar[tuple[str, ...]] = ("data", "data_dir")

    steps: Annotated[int, AtLeast(1)] = 100
    """Iterations of EM."""
    ema_decay: float = 0.0
    """There is nothing to average: every iteration is the best one yet."""
    log_every: Annotated[int, AtLeast(1)] = 10
    """Steps between two lines of metrics.jsonl."""
    sample_every: Annotated[int, AtLeast(1)] = 50
    """Steps between two sample grids, whose diversity is logged."""
    checkpoint_every: Annotated[int, AtLeast(1)] = 50
    """Steps between two checkpoints."""

    data: str = "ring"
    """digits, ring, grid, stacked_mnist, a TFDS name, an .npz file or a folder (`jaxgan data`)."""
    channels: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images."""
    components: Annotated[int, AtLeast(1)] = 8
    """Gaussians in the mixture."""
    covariance: Literal["full", "tied", "diagonal"] = "full"
    """A covariance for each Gaussian, one for all, or for each one variance a number."""
    floor: Annotated[float, Above(0)] = 1e-6
    """Added to every variance; pixels in [-1, 1] take 1e-2 or so."""
    stepwise: Annotated[float, AtLeast(0), AtMost(1)] = 0.0
    """Minibatches of batch_size instead of all samples, and how their weight falls, above 0.5;
    0: all samples in every step, whatever batch_size says."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for an exponent with which nothing converges, and for an average."""
        if 0 < self.stepwise <= 0.5:
            raise ValueError(f"stepwise must be 0 or above 0.5, not {self.stepwise}")
        if self.ema_decay:
            raise ValueError(f"ema_decay of a mixture must be 0, not {self.ema_decay}")

    def resolved(self) -> Self:
        """The experiment with all samples in a batch, unless it is stepwise: opens the data."""
        if self.stepwise:
            return self
        return replace(self, batch_size=len(self.open_source()))

    def open_source(self, split: str = "train") -> Source:
        return open_data(self, split)

    def check_source(self, source: Source) -> None:
        super().check_source(source)
        if self.components > self.batch_size:
            raise ValueError(
                f"components {self.components} need as many samples at least, and a batch has "
                f"{self.batch_size}"
            )

    def make_game(self, spec: Spec) -> Game:
        """The game over data of this spec."""
        return gaussian_mixture(
            self.components,
            shape=spec.shape,
            covariance=self.covariance,
            floor=self.floor,
            stepwise=self.stepwise,
        )

    def inputs(self, spec: Spec) -> Inputs:
        prior = latent.prior(int(np.prod(spec.shape)) + 1)

        def draw(key: Key, count: int, choices: NoChoice) -> tuple[Array]:
            return (prior(key, count),)

        return Inputs(draw=draw)

    def save_samples(
        self, path: Path, samples: np.ndarray, row_labels: list[str] | None = None
    ) -> None:
        save_over_centers(self.data, path, samples, row_labels)

    def evaluator(
        self,
        source: Source,
        game: Game,
        root_key: Key,
        *,
        thorough: bool = False,
        features: FeatureChoice | None = None,
    ) -> Evaluator:
        """What samples are measured by, and how likely the data are.

        `reference_log_likelihood` is its mean, in nats a sample; `bic` the Bayesian
        information criterion of the training data, -2 N log p + free parameters log N.
        """
        of_samples = evaluate_samples(
            self, source, game, root_key, thorough=thorough, features=features
        )
        reference, size = reference_of(self, source).source, int(np.prod(source.spec.shape))
        free = free_parameters(self.components, size, self.covariance)

        @jax.jit
        def of_block(variables: Variables, block: Array) -> Array:
            vectors = to_float(block).reshape(-1, size)
            return jax.nn.logsumexp(log_joint(variables.params, vectors), axis=1)

        def log_likelihood(variables: Variables, source: Source) -> float:
            fetched = fetch(source, np.arange(len(source)))
            total = 0.0
            for _, block in blocks(fetched, len(source), source.spec.shape):
                total += float(np.asarray(of_block(variables, jnp.asarray(block)), float).sum())
            return total / len(source)

        def measure(variables: Variables) -> dict[str, float]:
            count = len(source)
            bic = free * np.log(count) - 2 * count * log_likelihood(variables, source)
            own = {
                "reference_log_likelihood": log_likelihood(variables, reference),
                "bic": float(bic),
            }
            return of_samples.measure(variables) | own

        return of_samples._replace(measure=measure)

    def metric_names(self, spec: Spec) -> Mapping[str, Better]:
        own: dict[str, Better] = {"reference_log_likelihood": "higher", "bic": "lower"}
        return {**super().metric_names(spec), **own}
