"""The game of one generator against one discriminator, with or without labels."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import jax
import jax.numpy as jnp

from jaxgan.devices.sharding import split_rows
from jaxgan.games.game import Aux, Game, Turn
from jaxgan.keys import derive
from jaxgan.latent import draw_latents
from jaxgan.layers.spectral_norm import advance
from jaxgan.losses import AdversarialLoss
from jaxgan.networks.network import Network, Variables
from jaxgan.types import Array, Batch, Key, PyTree

DiscriminatorFn: TypeAlias = Callable[[Array], Array]
Penalty: TypeAlias = Callable[[DiscriminatorFn, Array, Array, Turn], Array]
"""`(discriminator_fn, real, fake, turn) -> scalar`, already weighted."""
View: TypeAlias = Callable[[Array, Key, Turn], Array]
"""`(images [B, ...], key, turn) -> images`, such as `augment.instance_noise` or `augment.pack`."""


def adversarial(
    generator: Network,
    discriminator: Network,
    loss: AdversarialLoss | Callable[[Turn], AdversarialLoss],
    *,
    latent_size: int,
    latent_distribution: str = "normal",
    conditional: bool = False,
    penalty: Penalty | None = None,
    view: View | None = None,
    average_logits: float | None = None,
) -> Game:
    """Goodfellow's game: a generator makes fakes from latents, a discriminator tells them apart.

    The discriminator scores real and fake in two separate passes, so that its batch statistics
    never mix them (the DCGAN practice). A fake is asked for with the labels of the real minibatch
    and judged under the same labels. Spectral-norm vectors move once a discriminator's turn.

    Args:
      generator: `apply(variables, latents [B, L], labels [B] | None, train, key)` gives images.
      discriminator: `apply(variables, images, labels, train, key)` gives logits.
      loss: a pair of `jaxgan.losses`, or a function of the turn that gives one, for targets that
        are drawn anew (`losses.with_targets`).
      latent_size: L.
      latent_distribution: `normal` or `uniform`.
      conditional: whether both networks are given the batch's labels.
      penalty: added to the discriminator's loss. It is given the images as the discriminator sees
        them.
      view: what the discriminator sees of the images, real and fake alike, in both players' turns.
      average_logits: decay of moving averages of the mean logits, kept in the carry as
        `{"real": scalar, "fake": scalar}` from 0 on, where a loss of the turn finds them (for
        `penalties.lecam_penalty`); None: the carry is empty.

    Returns:
      A game whose batches hold `real` [B, ...] and, when conditional, `label` int32 [B], and whose
      `sample(generator, latents [N, L], labels [N] | None)` gives images [N, ...]. It logs
      `real_logits` and `fake_logits` (means), `real_accuracy` and `fake_accuracy` (shares of logits
      on the right side of 0), and `penalty`.
    """

    def labels_of(batch: Batch) -> Array | None:
        return batch["label"] if conditional else None

    def loss_of(turn: Turn) -> AdversarialLoss:
        return loss if isinstance(loss, AdversarialLoss) else loss(turn)

    def look(images: Array, turn: Turn, purpose: str) -> Array:
        return images if view is None else view(images, derive(turn.key, purpose), turn)

    def make_fake(variables: Variables, turn: Turn) -> tuple[Array, PyTree]:
        """Fakes for the turn's batch, as the discriminator sees them, and the new state."""
        count = len(turn.batch["real"])
        latents = draw_latents(derive(turn.key, "latent"), count, latent_size, latent_distribution)
        latents = split_rows(latents)
        key, labels = derive(turn.key, "generator"), labels_of(turn.batch)
        fake, state = generator.apply(variables, latents, labels, train=True, key=key)
        return look(fake, turn, "look at fake"), state

    def score(
        variables: Variables, images: Array, turn: Turn, purpose: str
    ) -> tuple[Array, Variables]:
        key, labels = derive(turn.key, purpose), labels_of(turn.batch)
        logits, state = discriminator.apply(variables, images, labels, train=True, key=key)
        return logits, replace(variables, state=state)

    def remember(carry: PyTree, real_logits: Array, fake_logits: Array) -> PyTree:
        if average_logits is None:
            return carry
        means = {"real": real_logits.mean(), "fake": fake_logits.mean()}
        return jax.tree.map(
            lambda old, new: average_logits * old + (1 - average_logits) * new, carry, means
        )

    def init(key: Key, batch: Batch) -> tuple[Variables, Variables, PyTree]:
        labels, count = labels_of(batch), len(batch["real"])
        latents = draw_latents(derive(key, "latent"), count, latent_size, latent_distribution)
        turn = Turn(batch, derive(key, "turn"), jnp.zeros((), jnp.int32), ())
        seen = look(batch["real"], turn, "look at real")
        return (
            generator.init(derive(key, "generator"), latents, labels),
            discriminator.init(derive(key, "discriminator"), seen, labels),
            () if average_logits is None else {"real": jnp.zeros(()), "fake": jnp.zeros(())},
        )

    def discriminator_loss(
        generator_side: Variables, discriminator_side: Variables, turn: Turn
    ) -> tuple[Array, Aux]:
        real = look(turn.batch["real"], turn, "look at real")
        fake, _ = make_fake(generator_side, turn)
        before = advance(discriminator_side)
        real_logits, after_real = score(before, real, turn, "score real")
        fake_logits, after_fake = score(after_real, fake, turn, "score fake")
        value = loss_of(turn).discriminator(real_logits, fake_logits)
        scalars = {
            "real_logits": real_logits.mean(),
            "fake_logits": fake_logits.mean(),
            "real_accuracy": (real_logits > 0).mean(),
            "fake_accuracy": (fake_logits < 0).mean(),
        }
        if penalty is not None:

            def discriminator_fn(images: Array) -> Array:
                return score(before, images, turn, "score penalty")[0]

            scalars["penalty"] = penalty(discriminator_fn, real, fake, turn)
            value = value + scalars["penalty"]
        carry = remember(turn.carry, real_logits, fake_logits)
        return value, Aux(after_fake.state, carry, scalars)

    def generator_loss(
        generator_side: Variables, discriminator_side: Variables, turn: Turn
    ) -> tuple[Array, Aux]:
        fake, state = make_fake(generator_side, turn)
        real = look(turn.batch["real"], turn, "look at real")
        fake_logits, _ = score(discriminator_side, fake, turn, "score fake")
        # Most losses ignore the real logits; the compiler then drops the pass that makes them.
        real_logits, _ = score(discriminator_side, real, turn, "score real")
        value = loss_of(turn).generator(fake_logits, real_logits)
        return value, Aux(state, turn.carry, {})

    def sample(variables: Variables, latents: Array, labels: Array | None = None) -> Array:
        return generator.apply(variables, latents, labels, train=False)[0]

    return Game(init, discriminator_loss, generator_loss, sample)
