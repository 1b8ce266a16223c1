"""The description of a run of an autoencoder, plain or variational."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import optax

from jaxgan import latent
from jaxgan.data import Source, Spec
from jaxgan.evaluation import Better, Evaluator, FeatureChoice
from jaxgan.experiment.encoding import EncodingExperiment, OfCodes
from jaxgan.experiment.inputs import Inputs
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.games import Game
from jaxgan.games.autoencoding import Likelihood, autoencoding, bernoulli, bounds, gaussian
from jaxgan.networks.families import make_discriminator, make_generator
from jaxgan.networks.network import Network, Variables
from jaxgan.options import AtLeast
from jaxgan.types import Array, Key


@dataclass(frozen=True)
class AutoencodingExperiment(EncodingExperiment):
    """An autoencoder, plain or variational, described completely."""

    variational: bool = True
    """Encode to a distribution and keep it near the prior (VAE); False: to a point."""
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    """What the decoder gives of a number: the chance that it is white, or its mean. Points are
    gaussian."""
    scale: Annotated[float, AtLeast(0)] = 0.0
    """Standard deviation of the Gaussian; 0: it is learnt, one for all numbers."""
    beta: Annotated[float, AtLeast(0)] = 1.0
    """Multiplies the KL divergence to the prior (beta-VAE); 1 is the bound itself."""
    optimizer: OptimizerOptions = field(
        default_factory=lambda: OptimizerOptions(learning_rate=1e-3, beta1=0.9)
    )
    bound_latents: Annotated[int, AtLeast(1)] = 64
    """Latents a sample in a thorough evaluation's importance-weighted bound."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for options that an autoencoder has no use for."""
        super().check(prefix)
        if self.scale and self.likelihood != "gaussian":
            raise ValueError(
                f"scale {self.scale} is that of a Gaussian: set likelihood to gaussian, or scale "
                "to 0"
            )

    def check_length(self) -> None:
        self.optimizer.check_length("optimizer.", self.steps)

    def check_source(self, source: Source) -> None:
        super().check_source(source)
        if self.likelihood == "bernoulli" and not source.spec.is_image:
            raise ValueError(f"likelihood bernoulli needs images, and {self.data!r} holds points")

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
        inputs = super().inputs(spec)
        return inputs if self.variational else inputs._replace(walk=latent.linear)

    def evaluator(
        self,
        source: Source,
        game: Game,
        root_key: Key,
        *,
        thorough: bool = False,
        features: FeatureChoice | None = None,
    ) -> Evaluator:
        """`bound` beside the others: minus the variational bound of the reference, in nats a
        sample. A thorough evaluation adds `importance_bound`, minus the importance-weighted one.
        """
        evaluator = super().evaluator(source, game, root_key, thorough=thorough, features=features)
        if not self.variational:
            return evaluator
        latents = {"bound_latents": self._bound_latents(thorough)}
        return evaluator._replace(protocol=evaluator.protocol | latents)

    def metric_names(self, spec: Spec) -> Mapping[str, Better]:
        names = super().metric_names(spec)
        return {**names, "bound": "lower"} if self.variational else names

    def code_metrics(self, game: Game, spec: Spec, thorough: bool) -> OfCodes:
        of_codes = super().code_metrics(game, spec, thorough)
        count = self._bound_latents(thorough)
        bounds_of = bounds(*self._parts(spec), count=count)

        def with_bounds(variables: Variables, real: Array, key: Key) -> dict[str, Array]:
            found = of_codes(variables, real, key)
            bound, weighted = bounds_of(variables, real, key)
            found["bound"] = -bound
            return found | ({"importance_bound": -weighted} if count > 1 else {})

        return with_bounds if self.variational else of_codes

    def _bound_latents(self, thorough: bool) -> int:
        return self.bound_latents if thorough else 1

    def _parts(self, spec: Spec) -> tuple[Network, Network, Likelihood]:
        size = self.decoder.latent_size
        outputs = 2 * size if self.variational else size
        encoder = make_discriminator(self.encoder, spec.shape, outputs=outputs)
        decoder = make_generator(self.decoder, spec.shape, bounded=False)
        if self.likelihood == "bernoulli":
            return encoder, decoder, bernoulli()
        return encoder, decoder, gaussian(self.scale or None, bounded=spec.is_image)
