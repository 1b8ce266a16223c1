"""What all runs share that encode samples and decode them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import latent
from jaxgan.data import Source, Spec
from jaxgan.data.minibatch import to_float
from jaxgan.evaluation import Better, Evaluator, FeatureChoice
from jaxgan.evaluation.sets import blocks, fetch, pick
from jaxgan.experiment.base import BaseExperiment
from jaxgan.experiment.inputs import Inputs, NoChoice, Reading
from jaxgan.experiment.sampling import (
    evaluate_samples,
    open_data,
    reference_of,
    save_over_centers,
)
from jaxgan.games import Game
from jaxgan.keys import derive
from jaxgan.networks.families import DiscriminatorOptions, GeneratorOptions, first_kernel
from jaxgan.networks.network import Variables
from jaxgan.types import Array, Key

MEASURED = 10_000
"""Samples of the reference that are encoded in an evaluation, at most."""
OfCodes: TypeAlias = Callable[[Variables, Array, Key], dict[str, Array]]
"""`(variables, samples [B, ...], key) -> {name: [B]}`: how well samples are encoded."""


@dataclass(frozen=True)
class EncodingExperiment(BaseExperiment):
    """An encoder and a decoder, whose game is the subclass's."""

    places: ClassVar[tuple[str, ...]] = ("data", "data_dir")

    data: str = "digits"
    """digits, ring, grid, stacked_mnist, a TFDS name, an .npz file or a folder (`jaxgan data`)."""
    channels: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images."""

    encoder: DiscriminatorOptions = field(
        default_factory=lambda: DiscriminatorOptions(normalization="none")
    )
    """The encoder: a discriminator of this family, with an output for each number of a latent."""
    decoder: GeneratorOptions = field(
        default_factory=lambda: GeneratorOptions(latent_size=20, normalization="none")
    )
    """The decoder: a generator of this family."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for options that an encoder or a decoder has no use for."""
        for name, value, allowed in (
            ("encoder.clip", self.encoder.clip, 0),
            ("encoder.orthogonal_weight", self.encoder.orthogonal_weight, 0),
            ("encoder.spectral_norm", self.encoder.spectral_norm, False),
            ("decoder.orthogonal_weight", self.decoder.orthogonal_weight, 0),
            ("decoder.spectral_norm", self.decoder.spectral_norm, False),
            ("decoder.latent_distribution", self.decoder.latent_distribution, "normal"),
        ):
            if value != allowed:
                raise ValueError(
                    f"{name} of an autoencoder must be {allowed!r}, not {value!r}: it has no use "
                    "for it"
                )

    def open_source(self, split: str = "train") -> Source:
        return open_data(self, split)

    def check_source(self, source: Source) -> None:
        super().check_source(source)
        if self.flip and not source.spec.is_image:
            raise ValueError(f"flip needs images, and {self.data!r} holds points")

    def inputs(self, spec: Spec) -> Inputs:
        prior = latent.prior(self.decoder.latent_size)

        def draw(key: Key, count: int, choices: NoChoice) -> tuple[Array]:
            return (prior(key, count),)

        read = (lambda choices: Reading(spec, extra=("reconstruct",))) if spec.is_image else None

        def kernel(variables: Variables) -> Array:
            return first_kernel(variables["decoder"].params, self.decoder.latent_size)

        return Inputs(draw=draw, walk=latent.spherical, read=read, kernel=kernel)

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
        """What samples are measured by, and how well the reference is encoded.

        `squared_error` is the mean squared error of what is encoded and decoded, of numbers in
        [-1, 1]. A kind may measure more of the codes.
        """
        of_samples = evaluate_samples(
            self, source, game, root_key, thorough=thorough, features=features
        )
        reference, spec = reference_of(self, source), source.spec
        of_codes = jax.jit(self.code_metrics(game, spec, thorough))
        rows = pick(len(reference.source), MEASURED)
        key = derive(root_key, 0, "bound")

        def measure(variables: Variables) -> dict[str, float]:
            sums: dict[str, float] = {}
            for start, block in blocks(fetch(reference.source, rows), len(rows), spec.shape):
                found = of_codes(variables, to_float(jnp.asarray(block)), derive(key, start))
                sums = {name: sums.get(name, 0.0) + float(found[name].sum()) for name in found}
            means = {name: value / len(rows) for name, value in sums.items()}
            return of_samples.measure(variables) | means

        return of_samples._replace(measure=measure)

    def metric_names(self, spec: Spec) -> Mapping[str, Better]:
        own: dict[str, Better] = {"squared_error": "lower"}
        return {**super().metric_names(spec), **own}

    def code_metrics(self, game: Game, spec: Spec, thorough: bool) -> OfCodes:
        """What is measured of samples of the reference that are encoded."""

        def of_codes(variables: Variables, real: Array, key: Key) -> dict[str, Array]:
            again = game.sample(variables, real, "reconstruct")
            return {"squared_error": jnp.square(again - real).mean(range(1, real.ndim))}

        return of_codes
