"""An autoencoder of the digits: one side of two networks, and one move."""

from dataclasses import dataclass
from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
import optax

from jaxgan import latent
from jaxgan.data import open_source
from jaxgan.experiment import BaseExperiment, Inputs
from jaxgan.experiment.inputs import latents_and_labels
from jaxgan.games import Aux, Game, Move
from jaxgan.keys import derive
from jaxgan.networks import from_linen, join
from jaxgan.networks.mlp import MLPGenerator
from jaxgan.options import Above, AtLeast


def autoencoder(encoder, decoder, latent_size) -> Game:
    def init(key, batch):
        latents = jnp.zeros((len(batch["real"]), latent_size))
        side = {
            "encoder": encoder.init(derive(key, "encoder"), batch["real"].reshape(len(latents), -1)),
            "decoder": decoder.init(derive(key, "decoder"), latents, None),
        }
        return {"autoencoder": join(side)}, {}

    def loss(sides, turn):
        side, real = sides["autoencoder"], turn.batch["real"]
        code, _ = encoder.apply(side["encoder"], real.reshape(len(real), -1), train=True)
        again, _ = decoder.apply(side["decoder"], code, None, train=True)
        error = jnp.mean((again - real) ** 2)
        return error, Aux(side.state, turn.carry, {"code_norm": jnp.linalg.norm(code)})

    def sample(side, latents, labels=None):
        return decoder.apply(side["decoder"], latents, None, train=False)[0]

    return Game(init, (Move("autoencoder", loss),), sample, averaged="autoencoder")


class Encoder(nn.Module):
    size: int

    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(self.size)(nn.relu(nn.Dense(32)(x)))


@dataclass(frozen=True)
class AutoencoderExperiment(BaseExperiment):
    name: str = "autoencoder"
    latent_size: Annotated[int, AtLeast(1)] = 8
    learning_rate: Annotated[float, Above(0)] = 1e-3

    def open_source(self, split: str = "train"):
        return open_source("digits", split=split)

    def make_game(self, spec) -> Game:
        decoder = from_linen(MLPGenerator(spec.shape, 32))
        return autoencoder(from_linen(Encoder(self.latent_size)), decoder, self.latent_size)

    def make_optimizers(self):
        return {"autoencoder": optax.adam(self.learning_rate)}

    def inputs(self, spec) -> Inputs:
        return latents_and_labels(latent.prior(self.latent_size), 0, latent.linear)


experiment = AutoencoderExperiment(batch_size=32)
