"""An autoencoder of the digits: one side of two networks, and one move."""

from dataclasses import dataclass

import jax.numpy as jnp
import optax

from jaxgan import latent
from jaxgan.data import open_source
from jaxgan.experiment import BaseExperiment, Inputs
from jaxgan.games import Aux, Game, Move
from jaxgan.keys import derive
from jaxgan.networks import from_linen, join
from jaxgan.networks.mlp import MLPGenerator


def autoencoder(encoder, decoder, latent_size) -> Game:
    def init(key, batch):
        code = jnp.zeros((len(batch["real"]), latent_size))
        pixels = batch["real"].reshape(len(code), -1)
        side = {
            "encoder": encoder.init(derive(key, "encoder"), pixels),
            "decoder": decoder.init(derive(key, "decoder"), code),
        }
        return {"autoencoder": join(side)}, {}

    def loss(sides, turn):
        side, real = sides["autoencoder"], turn.batch["real"]
        code, _ = encoder.apply(side["encoder"], real.reshape(len(real), -1), train=True)
        again, _ = decoder.apply(side["decoder"], code, train=True)
        scalars = {"code_norm": jnp.linalg.norm(code)}
        return jnp.mean((again - real) ** 2), Aux(side.state, turn.carry, scalars)

    def sample(side, latents):
        return decoder.apply(side["decoder"], latents, train=False)[0]

    return Game(init, (Move("autoencoder", loss),), sample, averaged="autoencoder")


@dataclass(frozen=True)
class AutoencoderExperiment(BaseExperiment):
    latent_size: int = 8

    def open_source(self, split: str = "train"):
        return open_source("digits", split=split)

    def make_game(self, spec) -> Game:
        encoder, decoder = MLPGenerator((self.latent_size,), 32), MLPGenerator(spec.shape, 32)
        return autoencoder(from_linen(encoder), from_linen(decoder), self.latent_size)

    def make_optimizers(self):
        return {"autoencoder": optax.adam(1e-3)}

    def inputs(self, spec) -> Inputs:
        prior = latent.prior(self.latent_size)
        return Inputs(draw=lambda key, count, _: (prior(key, count),), walk=latent.linear)


experiment = AutoencoderExperiment(name="autoencoder", batch_size=32)
