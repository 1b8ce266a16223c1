"""Trains digits on whatever devices the process has, and writes what it drew and where it got.

    python program.py OUT.npz {float32,float64} STEPS [--host INDEX PORT]

Conditional, batch normalisation in the generator, gradient penalty, average; the devices are set by
JAX_NUM_CPU_DEVICES. With --host it is one of two processes.
"""

import argparse
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import latent, losses, penalties
from jaxgan.devices import distributed
from jaxgan.devices.sharding import local
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.games import adversarial
from jaxgan.keys import derive
from jaxgan.networks import from_linen
from jaxgan.training.trainer import make_trainer

LIBRARY = Experiment(
    batch_size=32,
    conditional=True,
    generator=GeneratorOptions(width=8, latent_size=16),
    discriminator=DiscriminatorOptions(width=8, normalization="none"),
    loss="wasserstein",
    penalty="gradient_penalty",
    flip=True,
)
"""The library's networks, in float32."""


class Generator(nn.Module):
    @nn.compact
    def __call__(self, latents, labels, *, train):
        x = jnp.concatenate([latents, jax.nn.one_hot(labels, 10)], axis=-1)
        x = nn.Dense(64, param_dtype=jnp.float64)(x)
        exact = {"param_dtype": jnp.float64, "force_float32_reductions": False}
        x = nn.BatchNorm(not train, momentum=0.9, **exact)(x)
        x = nn.Dense(64, param_dtype=jnp.float64)(nn.relu(x))
        return jnp.tanh(x).reshape(-1, 8, 8, 1)


class Discriminator(nn.Module):
    @nn.compact
    def __call__(self, images, labels, *, train):
        x = images.reshape(len(images), -1).astype(jnp.float64)
        x = jnp.concatenate([x, jax.nn.one_hot(labels, 10)], axis=-1)
        x = nn.softplus(nn.Dense(64, param_dtype=jnp.float64)(x))
        return nn.Dense(1, param_dtype=jnp.float64)(x)[:, 0]


class Precise(Experiment):
    """Networks and states in float64, where only true differences are above rounding."""

    def make_game(self, spec):
        def penalty(discriminator_fn, real, fake, turn):
            key = derive(turn.key, "penalty")
            return 10 * penalties.gradient_penalty(discriminator_fn, real, fake, key)

        return adversarial(
            from_linen(Generator()),
            from_linen(Discriminator()),
            losses.ADVERSARIAL["wasserstein"],
            prior=latent.prior(16),
            conditional=True,
            penalty=penalty,
        )

    def make_optimizers(self):
        return {side: optax.adam(1e-3, 0.0, 0.99) for side in ("generator", "discriminator")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("precision", choices=["float32", "float64"])
    parser.add_argument("steps", type=int)
    parser.add_argument("--host", nargs=2, type=int)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", options.precision == "float64")
    if options.host:
        index, port = options.host
        distributed.join(f"127.0.0.1:{port}", 2, index)
    kind = Precise if options.precision == "float64" else Experiment
    (program,) = make_trainer(kind(**vars(LIBRARY))).programs
    state = program.start(None)
    arrays = {f"start{name}": leaf for name, leaf in leaves(state)}
    scalars = []
    for step in range(options.steps):
        state, vectors = program.steps(state, step, 1)
        scalars.append(np.asarray(vectors)[0])
    arrays |= {f"end{name}": leaf for name, leaf in leaves(state)}
    if distributed.is_first():
        np.savez(options.out, scalars=np.array(scalars), devices=jax.device_count(), **arrays)


def leaves(state):
    host = jax.tree.map(np.asarray, local(state))
    return [(jax.tree_util.keystr(path), x) for path, x in jax.tree.leaves_with_path(host)]


if __name__ == "__main__":
    main()
