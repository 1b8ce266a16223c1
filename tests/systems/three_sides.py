"""A GAN with an encoder that learns to find a sample's latent: three sides, three moves."""

from dataclasses import dataclass, field

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    OptimizerOptions,
)
from jaxgan.games import Aux, Game, Move
from jaxgan.keys import derive
from jaxgan.networks import Network, from_linen


class Encoder(nn.Module):
    size: int

    @nn.compact
    def __call__(self, images, *, train):
        return nn.Dense(self.size)(nn.relu(nn.Dense(16)(images.reshape(len(images), -1))))


def with_encoder(game: Game, encoder: Network, prior) -> Game:
    def init(key, batch):
        sides, carry = game.init(key, batch)
        return {**sides, "encoder": encoder.init(derive(key, "encoder"), batch["real"])}, carry

    def loss(sides, turn):
        latents = prior(derive(turn.key, "latent"), len(turn.batch["real"]))
        images = game.sample(sides["generator"], latents)
        found, state = encoder.apply(sides["encoder"], images, train=True)
        return jnp.mean((found - latents) ** 2), Aux(state, turn.carry, {})

    return game._replace(init=init, moves=(*game.moves, Move("encoder", loss)))


@dataclass(frozen=True)
class InvertedExperiment(Experiment):
    encoder_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)

    def make_game(self, spec) -> Game:
        encoder = from_linen(Encoder(self.generator.latent_size))
        return with_encoder(super().make_game(spec), encoder, self.make_prior())

    def make_optimizers(self):
        return super().make_optimizers() | {"encoder": self.encoder_optimizer.build()}


experiment = InvertedExperiment(
    name="inverted",
    batch_size=16,
    discriminator_steps=2,
    generator=GeneratorOptions(family="mlp", width=16, latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=16, normalization="none"),
)
