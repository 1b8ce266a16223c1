"""The game of one generator against one discriminator, with or without labels."""

from collections.abc import Callable
from typing import TypeAlias

from jaxgan.games.game import Aux, Game, Turn
from jaxgan.keys import derive
from jaxgan.latent import draw_latents
from jaxgan.losses import AdversarialLoss
from jaxgan.networks.network import Network, Variables
from jaxgan.types import Array, Batch, Key

DiscriminatorFn: TypeAlias = Callable[[Array], Array]
Penalty: TypeAlias = Callable[[DiscriminatorFn, Array, Array, Turn], Array]
"""`(discriminator_fn, real, fake, turn) -> scalar`, already weighted."""


def adversarial(
    generator: Network,
    discriminator: Network,
    loss: AdversarialLoss,
    *,
    latent_size: int,
    latent_distribution: str = "normal",
    conditional: bool = False,
    penalty: Penalty | None = None,
) -> Game:
    """Goodfellow's game: the generator makes fakes from latents, the discriminator tells them apart.

    The discriminator scores real and fake in two separate passes, so that its batch statistics
    never mix them (the DCGAN practice). A fake is asked for with the labels of the real minibatch
    and judged under the same labels.

    Args:
      generator: `apply(variables, latents [B, L], labels [B] | None, train, key)` gives images.
      discriminator: `apply(variables, images, labels, train, key)` gives logits.
      loss: a pair of `jaxgan.losses`.
      latent_size: L.
      latent_distribution: `normal` or `uniform`.
      conditional: whether both networks are given the batch's labels.
      penalty: added to the discriminator's loss.

    Returns:
      A game whose batches hold `real` [B, ...] and, when conditional, `label` int32 [B], and whose
      `sample(generator, latents [N, L], labels [N] | None)` gives images [N, ...]. It logs
      `real_logits` and `fake_logits` (means), `real_accuracy` and `fake_accuracy` (shares of logits
      on the right side of 0), and `penalty`.
    """

    def labels_of(batch: Batch) -> Array | None:
        return batch["label"] if conditional else None

    def make_fake(variables: Variables, turn: Turn) -> tuple[Array, Array]:
        real = turn.batch["real"]
        latents = draw_latents(
            derive(turn.key, "latent"), len(real), latent_size, latent_distribution
        )
        key = derive(turn.key, "generator")
        return generator.apply(variables, latents, labels_of(turn.batch), train=True, key=key)

    def init(key: Key, batch: Batch) -> tuple[Variables, Variables, tuple[()]]:
        labels = labels_of(batch)
        real = batch["real"]
        latents = draw_latents(
            derive(key, "latent"), len(real), latent_size, latent_distribution
        )
        return (
            generator.init(derive(key, "generator"), latents, labels),
            discriminator.init(derive(key, "discriminator"), real, labels),
            (),
        )

    def discriminator_loss(
        generator_side: Variables, discriminator_side: Variables, turn: Turn
    ) -> tuple[Array, Aux]:
        real, labels = turn.batch["real"], labels_of(turn.batch)
        fake, _ = make_fake(generator_side, turn)

        def score(variables: Variables, images: Array, purpose: str) -> tuple[Array, Variables]:
            key = derive(turn.key, purpose)
            logits, state = discriminator.apply(variables, images, labels, train=True, key=key)
            return logits, variables.replace(state=state)

        real_logits, after_real = score(discriminator_side, real, "score real")
        fake_logits, after_fake = score(after_real, fake, "score fake")
        value = loss.discriminator(real_logits, fake_logits)
        scalars = {
            "real_logits": real_logits.mean(),
            "fake_logits": fake_logits.mean(),
            "real_accuracy": (real_logits > 0).mean(),
            "fake_accuracy": (fake_logits < 0).mean(),
        }
        if penalty is not None:
            scalars["penalty"] = penalty(
                lambda images: score(discriminator_side, images, "score penalty")[0],
                real,
                fake,
                turn,
            )
            value = value + scalars["penalty"]
        return value, Aux(after_fake.state, turn.carry, scalars)

    def generator_loss(
        generator_side: Variables, discriminator_side: Variables, turn: Turn
    ) -> tuple[Array, Aux]:
        fake, state = make_fake(generator_side, turn)

        def score(images: Array, purpose: str) -> Array:
            key, labels = derive(turn.key, purpose), labels_of(turn.batch)
            return discriminator.apply(discriminator_side, images, labels, train=True, key=key)[0]

        # Most losses ignore the real logits; the compiler then drops the pass that makes them.
        value = loss.generator(
            score(fake, "score fake"), score(turn.batch["real"], "score real")
        )
        return value, Aux(state, turn.carry, {})

    def sample(variables: Variables, latents: Array, labels: Array | None = None) -> Array:
        return generator.apply(variables, latents, labels, train=False)[0]

    return Game(init, discriminator_loss, generator_loss, sample)
