"""The description of a run of a VAE-GAN: a VAE whose decoder is a generator."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import optax

from jaxgan import losses
from jaxgan.data import Spec
from jaxgan.experiment.adversarial import LossName, PenaltyName, make_penalty
from jaxgan.experiment.base import EVERY_RULE
from jaxgan.experiment.encoding import EncodingExperiment
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.games import Game
from jaxgan.games.vae_gan import vae_gan
from jaxgan.layers.spectral_norm import spectrally_normalized
from jaxgan.networks.families import DiscriminatorOptions, make_discriminator, make_generator
from jaxgan.options import AtLeast, AtMost


@dataclass(frozen=True)
class VAEGANExperiment(EncodingExperiment):
    """A VAE-GAN, described completely."""

    rules: ClassVar[tuple[str, ...]] = EVERY_RULE

    discriminator: DiscriminatorOptions = field(
        default_factory=lambda: DiscriminatorOptions(normalization="none")
    )
    """The discriminator, in whose last hidden layer images are compared."""
    loss: LossName = "non_saturating"
    """Adversarial loss, from jaxgan.losses."""
    penalty: PenaltyName = "none"
    """Gradient penalty on the discriminator, from jaxgan.penalties."""
    penalty_weight: Annotated[float, AtLeast(0)] = 10.0
    """Multiplies the penalty: the paper's lambda, or gamma/2 for r1, r2 and r1_r2."""
    feature_weight: Annotated[float, AtLeast(0)] = 1e-3
    """What a decoder pays for features that differ, beside fooling the discriminator (gamma)."""
    beta: Annotated[float, AtLeast(0)] = 1.0
    """Multiplies the KL divergence to the prior."""
    discriminator_steps: Annotated[int, AtLeast(1), AtMost(1000)] = 1
    """Discriminator updates a step, each on a minibatch of its own."""
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    """Optimiser of the encoder and the decoder."""
    discriminator_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)

    def check(self, prefix: str) -> None:
        """Raises a ValueError for options that no part has a use for."""
        super().check(prefix)
        for name in ("clip", "orthogonal_weight"):
            value = getattr(self.discriminator, name)
            if value:
                raise ValueError(f"discriminator.{name} of a VAE-GAN must be 0, not {value}")

    def check_length(self) -> None:
        self.optimizer.check_length("optimizer.", self.steps)
        updates = self.steps * self.discriminator_steps
        self.discriminator_optimizer.check_length("discriminator_optimizer.", updates)

    def make_game(self, spec: Spec) -> Game:
        """The game over data of this spec; a ValueError where networks do not fit them."""
        size = self.decoder.latent_size
        discriminator = make_discriminator(self.discriminator, spec.shape, with_features=True)
        if self.discriminator.spectral_norm:
            discriminator = spectrally_normalized(discriminator)
        return vae_gan(
            make_discriminator(self.encoder, spec.shape, outputs=2 * size),
            make_generator(self.decoder, spec.shape),
            discriminator,
            losses.ADVERSARIAL[self.loss],
            latent_size=size,
            feature_weight=self.feature_weight,
            beta=self.beta,
            discriminator_steps=self.discriminator_steps,
            penalty=make_penalty(self.penalty, self.penalty_weight),
        )

    def make_optimizers(self) -> dict[str, optax.GradientTransformation]:
        return {
            "autoencoder": self.optimizer.build(),
            "discriminator": self.discriminator_optimizer.build(),
        }
