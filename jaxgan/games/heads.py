"""What both players pay for classes that a discriminator names, and for codes that it recognises.

They are heads of `games.adversarial`; `networks.heads` gives a discriminator the outputs.
"""

import jax.numpy as jnp
from jax.nn import log_softmax

from jaxgan.arrays import wide
from jaxgan.codes import Codes, categorical_loss, continuous_loss, take_apart
from jaxgan.games.adversarial import Head, Judged
from jaxgan.games.game import Turn
from jaxgan.types import Array


def auxiliary_classifier(
    discriminator_weight: float = 1.0,
    generator_weight: float = 0.1,
    *,
    fakes: bool = False,
    name: str = "classes",
) -> Head:
    """AC-GAN: the discriminator names the class of what it sees, the generator helps it.

    With CE the mean cross entropy of the class that was asked for, the discriminator pays
    w · CE(real), the generator w' · CE(fake), with the weights 1 and .1 of WGAN-GP's code. In the
    paper both weights are 1, and the discriminator pays w · (CE(real) + CE(fake)). A discriminator
    that tells fakes easily then learns whatever the generator draws for a class as that class.

    Args:
      discriminator_weight: w, 0 or more.
      generator_weight: w', 0 or more.
      fakes: teach the classifier by fakes too, as the paper does.
      name: of the discriminator's output, logits `[B, K]`.

    Raises:
      ValueError: for negative weights; when first traced, for a run without labels.

    References:
      Odena et al., Conditional Image Synthesis With Auxiliary Classifier GANs, 2017
      (arXiv:1610.09585).
    """
    _check_weights(discriminator_weight=discriminator_weight, generator_weight=generator_weight)

    def cross_entropy(logits: Array, labels: Array | None) -> Array:
        if labels is None:
            raise ValueError("an auxiliary classifier needs labels: take a conditional game")
        chosen = jnp.take_along_axis(log_softmax(wide(logits)), labels[:, None], axis=-1)
        return -chosen.mean()

    def discriminator(judged: Judged, turn: Turn) -> Array:
        value = cross_entropy(judged.real[name], judged.labels)
        if fakes:
            value += cross_entropy(judged.fake[name], judged.labels)
        return discriminator_weight * value

    def generator(judged: Judged, turn: Turn) -> Array:
        return generator_weight * cross_entropy(judged.fake[name], judged.labels)

    return Head(discriminator, generator)


def recognised_codes(
    codes: Codes,
    categorical_weight: float = 1.0,
    continuous_weight: float = 0.1,
    *,
    name: str = "codes",
) -> Head:
    """InfoGAN: the discriminator recognises the codes of fakes, and the generator shows them.

    Both players pay the same, λ · CE + λ' · ½ (code - mean)² and its kin: a bound of the mutual
    information between codes and samples, turned round (`jaxgan.codes`). Latents are those of
    `codes.prior`.

    Args:
      codes: what latents end in.
      categorical_weight: λ, 0 or more.
      continuous_weight: λ', 0 or more.
      name: of the discriminator's output, `[B, codes.outputs_for(...)]`.

    Raises:
      ValueError: for negative weights.
    """
    _check_weights(categorical_weight=categorical_weight, continuous_weight=continuous_weight)

    def unrecognised(judged: Judged, turn: Turn) -> Array:
        parts, outputs = take_apart(judged.latents, codes), judged.fake[name]
        return categorical_weight * categorical_loss(outputs, parts) + (
            continuous_weight * continuous_loss(outputs, parts)
        )

    return Head(unrecognised, unrecognised)


def _check_weights(**weights: float) -> None:
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"{name} must be 0 or more, not {weight}")
