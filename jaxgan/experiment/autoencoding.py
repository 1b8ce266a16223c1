"""The description of a run that encodes samples and decodes them: autoencoders and VAEs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import latent
from jaxgan.data import Source, Spec
from jaxgan.data.minibatch import to_float
from jaxgan.evaluation import Better, Evaluator, FeatureChoice, Reference
from jaxgan.evaluation.sets import blocks, fetch, pick
from jaxgan.experiment.base import BaseExperiment
from jaxgan.experiment.inputs import Inputs, NoChoice, Reading
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.experiment.sampling import (
    evaluate_samples,
    open_data,
    reference_of,
    save_over_centers,
)
from jaxgan.games import Game
from jaxgan.games.autoencoding import Likelihood, autoencoding, bernoulli, bounds, gaussian
from jaxgan.keys import derive
from jaxgan.networks.families import (
    DiscriminatorOptions,
    GeneratorOptions,
    make_discriminator,
    make_generator,
)
from jaxgan.networks.network import Network, Variables
from jaxgan.options import AtLeast
from jaxgan.types import Array, Key

MEASURED = 10_000
"""Samples of the reference that are encoded in an evaluation, at most."""


@dataclass(frozen=True)
class AutoencodingExperiment(BaseExperiment):
    """An autoencoder, plain or variational, described completely."""

    places: ClassVar[tuple[str, ...]] = ("data", "data_dir")

    name: str = "autoencoder"
    """Names the run's folder: runs/<name>/..."""
    data: str = "digits"
    """digits, ring, grid, stacked_mnist, a TFDS name, an .npz file or a folder (`jaxgan data`)."""
    channels: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images."""

    variational: bool = True
    """Encode to a distribution and keep it near the prior (VAE); False: to a point."""
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """What the decoder gives of a number: the chance that it is white, or its mean. Points are
    gaussian."""
    scale: Annotated[float, AtLeast(0)] = 0.0
    """Standard deviation of the Gaussian; 0: it is learnt, one for all numbers."""
    beta: Annotated[float, AtLeast(0)] = 1.0
    """Multiplies the KL divergence to the prior (beta-VAE); 1 is the bound itself."""
    encoder: DiscriminatorOptions = field(
        default_factory=lambda: DiscriminatorOptions(normalization="none")
    )
    """The encoder: a discriminator of this family, with an output for each number of a latent."""
    decoder: GeneratorOptions = field(
        default_factory=lambda: GeneratorOptions(latent_size=20, normalization="none")
    )
    """The decoder: a generator of this family."""
    optimizer: OptimizerOptions = field(
        default_factory=lambda: OptimizerOptions(learning_rate=1e-3, beta1=0.9)
    )
    bound_latents: Annotated[int, AtLeast(1)] = 64
    """Latents a sample in a thorough evaluation's importance-weighted bound."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for options that an autoencoder has no use for."""
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
        if self.scale and self.likelihood != "gaussian":
            raise ValueError(
                f"scale {self.scale} is that of a Gaussian: set likelihood to gaussian, or scale "
                "to 0"
            )

    def check_length(self) -> None:
        self.optimizer.check_length("optimizer.", self.steps)

    def open_source(self, split: str = "train") -> Source:
        return open_data(self, split)

    def check_source(self, source: Source) -> None:
        super().check_source(source)
        if source.spec.is_image:
            return
        if self.flip or self.likelihood == "bernoulli":
            option = "flip" if self.flip else "likelihood bernoulli"
            raise ValueError(f"{option} needs images, and {self.data!r} holds points")

    def make_game(self, spec: Spec) -> Game:
        """The game over data of this spec; a ValueError where networks do not fit them."""
        encoder, decoder, likelihood = self._parts(spec)
        return autoencoding(
            *(encoder, decoder, likelihood),
            latent_size=self.decoder.latent_size,
            variational=self.variational,
            beta=self.beta,
        )

    def make_optimizers(self) -> dict[str, optax.GradientTransformation]:
        return {"autoencoder": self.optimizer.build()}

    def inputs(self, spec: Spec) -> Inputs:
        prior = latent.prior(self.decoder.latent_size)

        def draw(key: Key, count: int, choices: NoChoice) -> tuple[Array]:
            return (prior(key, count),)

        read = (lambda choices: Reading(spec, extra=("reconstruct",))) if spec.is_image else None
        walk = latent.spherical if self.variational else latent.linear
        return Inputs(draw=draw, walk=walk, read=read)

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

        `bound` is minus the variational bound of the reference, in nats a sample; a thorough
        evaluation adds `importance_bound`, minus the importance-weighted one. `squared_error` is
        the mean squared error of what is encoded and decoded, of numbers in [-1, 1].
        """
        of_samples = evaluate_samples(
            self, source, game, root_key, thorough=thorough, features=features
        )
        count = self.bound_latents if thorough else 1
        reference = reference_of(self, source)
        of_codes = self._measure_codes(game, source.spec, reference, root_key, count)

        def measure(variables: Variables) -> dict[str, float]:
            return of_samples.measure(variables) | of_codes(variables)

        protocol = of_samples.protocol | ({"bound_latents": count} if self.variational else {})
        return of_samples._replace(measure=measure, protocol=protocol)

    def metric_names(self, spec: Spec) -> Mapping[str, Better]:
        own: dict[str, Better] = {"squared_error": "lower"}
        if self.variational:
            own["bound"] = "lower"
        return {**super().metric_names(spec), **own}

    def _parts(self, spec: Spec) -> tuple[Network, Network, Likelihood]:
        size = self.decoder.latent_size
        outputs = 2 * size if self.variational else size
        encoder = make_discriminator(self.encoder, spec.shape, outputs=outputs)
        decoder = make_generator(self.decoder, spec.shape, bounded=False)
        if self.likelihood == "bernoulli":
            return encoder, decoder, bernoulli()
        return encoder, decoder, gaussian(self.scale or None, bounded=spec.is_image)

    def _measure_codes(
        self, game: Game, spec: Spec, reference: Reference, root_key: Key, count: int
    ) -> Callable[[Variables], dict[str, float]]:
        """`variables -> metrics` of samples of the reference that are encoded."""
        bounds_of = bounds(*self._parts(spec), count=count)
        rows = pick(len(reference.source), MEASURED)
        root_key = derive(root_key, 0, "bound")

        @jax.jit
        def of_block(variables: Variables, block: Array, key: Key) -> dict[str, Array]:
            real = to_float(block)
            again = game.sample(variables, real, "reconstruct")
            found = {"squared_error": jnp.square(again - real).mean(range(1, real.ndim)).sum()}
            if self.variational:
                bound, weighted = bounds_of(variables, real, key)
                found["bound"] = -bound.sum()
                if count > 1:
                    found["importance_bound"] = -weighted.sum()
            return found

        def measure(variables: Variables) -> dict[str, float]:
            sums: dict[str, float] = {}
            for start, block in blocks(fetch(reference.source, rows), len(rows), spec.shape):
                found = of_block(variables, jnp.asarray(block), derive(root_key, start))
                sums = {name: sums.get(name, 0.0) + float(found[name]) for name in found}
            return {name: value / len(rows) for name, value in sums.items()}

        return measure
