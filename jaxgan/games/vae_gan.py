"""VAE-GAN (Larsen 2016): a VAE whose likelihood is learnt by a discriminator."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import latent
from jaxgan.games.adversarial import Penalty, logit_scalars
from jaxgan.games.autoencoding import SIDE, draw_latents, encode, posterior
from jaxgan.games.game import Aux, Game, Move, Sides, Turn, images_of
from jaxgan.keys import derive
from jaxgan.likelihoods import normal_kl
from jaxgan.losses import AdversarialLoss
from jaxgan.networks.network import Network, Variables, join, run, start
from jaxgan.types import Array, Batch, Key, PyTree


def vae_gan(
    encoder: Network,
    decoder: Network,
    discriminator: Network,
    loss: AdversarialLoss,
    *,
    latent_size: int,
    feature_weight: float = 1e-3,
    beta: float = 1.0,
    discriminator_steps: int = 1,
    penalty: Penalty | None = None,
) -> Game:
    """An encoder, a decoder and a discriminator in whose features images are compared.

    With f the features of the discriminator, x̂ = G(z) of z ~ q(z | x), and x̃ = G(z) of z ~ N(0, I),
    the three networks minimise, averaged over the batch,

        encoder:        ½ ‖f(x) - f(x̂)‖² + β KL(q(z | x) ‖ N(0, I))
        decoder:        γ ½ ‖f(x) - f(x̂)‖² + ½ (loss of x̂ + loss of x̃)
        discriminator:  ½ (loss of x and x̂ + loss of x and x̃) + penalty

    as the paper has it: the encoder does not learn what fools the discriminator, and the
    reconstruction does not train the discriminator's features. The paper adds the losses of x̂ and
    x̃; here they are averaged, so that real and made images weigh the same.

    Args:
      encoder: `apply(variables, images, train, key)` gives `[B, 2 latent_size]`, means beside log
        variances.
      decoder: `apply(variables, latents, train, key)` gives images.
      discriminator: `apply(variables, images, train, key)` gives a dict of `logits` [B] and
        `features` [B, ...].
      loss: a pair of `jaxgan.losses`.
      latent_size: numbers in a latent.
      feature_weight: γ, of features against fooling the discriminator.
      beta: β.
      discriminator_steps: discriminator updates a step, each on a minibatch of its own.
      penalty: added to the discriminator's loss; its fakes are those of the prior.

    Returns:
      A game of the sides `autoencoder`, a `join` of `encoder` and `decoder`, and `discriminator`,
      whose batches hold `real` [B, ...]. Its `sample` is that of `autoencoding`. It logs
      `feature_error` (½ ‖f(x) - f(x̂)‖²), `kl_to_prior` (nats), `adversarial`, and of the
      discriminator `real_logits`, `fake_logits`, their accuracies, `again_logits` (of x̂) and
      `penalty`.

    Raises:
      ValueError: for a negative β or γ; when first traced, for a discriminator without features.

    References:
      Larsen et al., Autoencoding beyond pixels using a learned similarity metric, 2016
      (arXiv:1512.09300).
    """
    for name, value in (("beta", beta), ("feature_weight", feature_weight)):
        if value < 0:
            raise ValueError(f"{name} must be 0 or more, not {value}")
    prior = latent.prior(latent_size)

    def score(variables: Variables, images: Array, key: Key) -> tuple[Array, Array, Variables]:
        """Logits, features and the variables with their new state."""
        output, state = run(discriminator, "discriminator", variables, images, key=key)
        if not hasattr(output, "keys") or not {"logits", "features"} <= set(output):
            raise ValueError(
                "the discriminator of a VAE-GAN must give a dict of 'logits' and 'features', not "
                f"{sorted(output) if hasattr(output, 'keys') else type(output).__name__}"
            )
        return output["logits"], output["features"], replace(variables, state=state)

    def decode(variables: Variables, latents: Array, key: Key) -> tuple[Array, Variables]:
        images, state = run(decoder, "decoder", variables, latents, key=key)
        return images, replace(variables, state=state)

    def infer(variables: Variables, turn: Turn) -> tuple[Array, Array, PyTree]:
        """Latents of the turn's images, the KL divergence of their distribution, the new state."""
        real, key = images_of(turn.batch, "real"), derive(turn.key, "encoder")
        codes, state = run(encoder, "encoder", variables, real, key=key)
        mean, log_variance = posterior(codes)
        latents = draw_latents(derive(turn.key, "posterior"), mean, log_variance)
        return latents, normal_kl(mean, log_variance).mean(), state

    def imagine(turn: Turn) -> Array:
        return prior(derive(turn.key, "latent"), len(turn.batch["real"]))

    def init(key: Key, batch: Batch) -> tuple[dict[str, Variables], PyTree]:
        real = images_of(batch, "real")
        latents = jnp.zeros((len(real), latent_size), jnp.float32)
        side = {
            "encoder": start(encoder, "encoder", derive(key, "encoder"), real),
            "decoder": start(decoder, "decoder", derive(key, "decoder"), latents),
        }
        judge = start(discriminator, "discriminator", derive(key, "discriminator"), real)
        return {SIDE: join(side), "discriminator": judge}, {}

    def discriminator_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        side, real, key = sides[SIDE], images_of(turn.batch, "real"), turn.key
        latents, _, _ = infer(side["encoder"], turn)
        again, _ = decode(side["decoder"], latents, derive(key, "decoder"))
        fake, _ = decode(side["decoder"], imagine(turn), derive(key, "decoder of fake"))
        before = discriminator.advance(sides["discriminator"])
        of_real, _, after = score(before, real, derive(key, "score real"))
        of_fake, _, after = score(after, fake, derive(key, "score fake"))
        of_again, _, after = score(after, again, derive(key, "score again"))
        value = loss.discriminator(of_real, of_fake) + loss.discriminator(of_real, of_again)
        value = value / 2
        scalars = {**logit_scalars(of_real, of_fake), "again_logits": of_again.mean()}
        if penalty is not None:

            def discriminator_fn(images: Array) -> Array:
                return score(before, images, derive(key, "score penalty"))[0]

            scalars["penalty"] = penalty(discriminator_fn, real, fake, turn)
            value = value + scalars["penalty"]
        return value, Aux(after.state, turn.carry, scalars)

    def autoencoder_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        side, real, key = sides[SIDE], images_of(turn.batch, "real"), turn.key
        latents, kl, encoder_state = infer(side["encoder"], turn)

        def judge(images: Array, purpose: str) -> tuple[Array, Array]:
            return score(sides["discriminator"], images, derive(key, purpose))[:2]

        def error_of(images: Array) -> tuple[Array, Array]:
            logits, features = judge(images, "score again")
            return logits, jnp.square(features - of_real).sum() / (2 * len(real))

        real_logits, of_real = judge(real, "score real")
        # The same numbers twice, each time with the gradient of one network: what the compiler
        # finds equal it computes once.
        frozen = jax.lax.stop_gradient(side["decoder"])
        _, encoders_error = error_of(decode(frozen, latents, derive(key, "decoder"))[0])
        fixed = jax.lax.stop_gradient(latents)
        again, after = decode(side["decoder"], fixed, derive(key, "decoder"))
        again_logits, decoders_error = error_of(again)

        fake, after = decode(after, imagine(turn), derive(key, "decoder of fake"))
        fake_logits, _ = judge(fake, "score fake")
        fooled = loss.generator(fake_logits, real_logits) + loss.generator(
            again_logits, real_logits
        )
        scalars = {"feature_error": encoders_error, "kl_to_prior": kl, "adversarial": fooled / 2}
        value = encoders_error + beta * kl + feature_weight * decoders_error + fooled / 2
        state = {"encoder": encoder_state, "decoder": after.state}
        return value, Aux(state, turn.carry, scalars)

    def sample(side: Variables, inputs: Array, way: str = "decode") -> Any:
        if way == "reconstruct":
            inputs = encode(encoder, side, inputs)[0]
        return run(decoder, "decoder", side["decoder"], inputs, train=False)[0]

    moves = (
        Move("discriminator", discriminator_loss, repeat=discriminator_steps),
        Move(SIDE, autoencoder_loss),
    )
    return Game(init, moves, sample, averaged=SIDE)
