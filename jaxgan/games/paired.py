"""The game of pairs: a generator makes an image from a condition, to be compared with the truth.

Image-to-image translation, colourisation, super-resolution and inpainting are all this game. They
differ in the condition, in the networks, and in the weights of what a generator is paid for.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.consistency import feature_matching_loss
from jaxgan.games.adversarial import Penalty, logit_scalars
from jaxgan.games.game import Aux, Game, Move, Sides, Turn, images_of
from jaxgan.keys import derive
from jaxgan.losses import AdversarialLoss
from jaxgan.networks.network import Network, Variables, run, start
from jaxgan.types import Array, Batch, Key, PyTree, Scalars


class Given(NamedTuple):
    """What a generator is given in a turn, and what it is compared with.

    Attributes:
      real: the truth, [B, H, W, C].
      condition: [B, h, w, c].
      key: of its dropout and the like.
    """

    real: Array
    condition: Array
    key: Key


class Term(NamedTuple):
    """Something that a generator is paid for besides fooling the discriminator.

    Attributes:
      weight: multiplies it.
      of: `(images [B, H, W, C], truth [B, H, W, C], condition [B, ...]) -> scalar`.
    """

    weight: float
    of: Callable[[Array, Array, Array], Array]


def paired(
    generator: Network,
    discriminator: Network | None,
    loss: AdversarialLoss,
    terms: dict[str, Term],
    *,
    adversarial_weight: float = 1.0,
    feature_matching_weight: float = 0.0,
    conditional: bool = True,
    hole: bool = False,
    window: Callable[[Array], Array] | None = None,
    discriminator_steps: int = 1,
    reuse_fakes: bool = False,
    penalty: Penalty | None = None,
) -> Game:
    """A generator of images from conditions, against a discriminator or alone.

    The generator minimises w · adversarial + Σ terms, the discriminator its adversarial loss. The
    authors of pix2pix halve the latter, which slows their discriminator where the optimiser is not
    Adam; here its learning rate does that.

    Args:
      generator: `apply(variables, condition [B, h, w, c], train, key)` gives images [B, H, W, C].
      discriminator: `apply(variables, images, train, key)` gives logits, or a dict of `logits` and
        `features`; None: the generator learns from the terms alone.
      loss: a pair of `jaxgan.losses`.
      terms: what ties images to the truth, by the names that are logged.
      adversarial_weight: w.
      feature_matching_weight: of `consistency.feature_matching_loss`, one term more, for which the
        discriminator must give features.
      conditional: show the discriminator the condition too, as more channels of the image. It must
        then have the image's height and width.
      hole: the last channel of the condition is a mask, positive in the hole, and the channels
        before it the known pixels: they are kept, and the generator fills the hole, in which it is
        shown 0.
      window: what the discriminator is shown of an image (and condition), such as its hole.
      discriminator_steps: discriminator updates a step, each on a minibatch of its own.
      reuse_fakes: let the generator's turn take the pairs and images of the last discriminator's
        turn, flipped, cropped and with dropout as there, so that they are made once, as the code of
        pix2pix does. The generator then plays against a discriminator that was just trained on the
        very same images.
      penalty: added to the discriminator's loss. It is given what the discriminator sees.

    Returns:
      A game whose batches hold `real` [B, H, W, C] and `condition`, and whose
      `sample(generator, condition, noise=None)` makes images: with an integer the generator is
      applied as in training, where dropout draws from that seed and batches are normalised by
      themselves, as pix2pix does. It logs `adversarial`, `feature_matching` and each term,
      unweighted, and of the
      discriminator `real_logits`, `fake_logits`, their accuracies and `penalty`.

    Raises:
      ValueError: for negative weights, and without a discriminator for no terms and for
        `reuse_fakes`; when first traced, for images that do not fit, and for a
        discriminator without the features that are to match.

    References:
      Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017
      (arXiv:1611.07004). Ledig et al., SRGAN, 2017 (arXiv:1609.04802). Pathak et al., Context
      Encoders, 2016 (arXiv:1604.07379).
    """
    weights = {name: term.weight for name, term in terms.items()}
    weights |= {"adversarial": adversarial_weight, "feature_matching": feature_matching_weight}
    for name, weight in weights.items():
        if weight < 0:
            raise ValueError(f"the weight of {name} must be 0 or more, not {weight}")
    if discriminator is None and reuse_fakes:
        raise ValueError("reuse_fakes shares images with a discriminator, and there is none")
    if discriminator is None and not terms:
        raise ValueError("a generator without a discriminator needs a term to learn from")

    def make(
        variables: Variables, condition: Array, *, train: bool = True, key: Key | None = None
    ) -> tuple[Array, PyTree]:
        known, mask = condition[..., :-1], condition[..., -1:]
        if hole:
            condition = jnp.concatenate([jnp.where(mask > 0, 0, known), mask], axis=-1)
        images, state = run(generator, "generator", variables, condition, train=train, key=key)
        if not hole:
            return images, state
        if known.shape != images.shape:
            raise ValueError(
                f"the generator fills holes of images {list(known.shape)} with images "
                f"{list(images.shape)}"
            )
        return jnp.where(mask > 0, images, known), state

    def given(turn: Turn) -> Given:
        batch, key = turn.batch, derive(turn.key, "generator")
        return Given(images_of(batch, "real"), images_of(batch, "condition"), key)

    def seen(images: Array, condition: Array) -> Array:
        if conditional:
            if images.shape[:3] != condition.shape[:3]:
                raise ValueError(
                    "a conditional discriminator sees conditions of the images' size, not "
                    f"{list(condition.shape)} beside {list(images.shape)}"
                )
            images = jnp.concatenate([condition, images], axis=-1)
        return images if window is None else window(images)

    def score(
        network: Network, variables: Variables, images: Array, key: Key
    ) -> tuple[Array, PyTree, Variables]:
        """Logits, features where there are any, and the variables with their new state."""
        output, state = run(network, "discriminator", variables, images, key=key)
        named = output if hasattr(output, "keys") else {"logits": output}
        if feature_matching_weight and "features" not in named:
            raise ValueError(
                "a discriminator whose features are to match must give a dict of 'logits' and "
                f"'features', not {sorted(named) if hasattr(output, 'keys') else 'logits alone'}"
            )
        return named["logits"], named.get("features"), replace(variables, state=state)

    def init(key: Key, batch: Batch) -> tuple[dict[str, Variables], PyTree]:
        real, condition = images_of(batch, "real"), images_of(batch, "condition")
        sides = {"generator": start(generator, "generator", derive(key, "generator"), condition)}
        if discriminator is not None:
            shown = seen(real, condition)
            sides["discriminator"] = start(
                discriminator, "discriminator", derive(key, "discriminator"), shown
            )
        return sides, {}

    def discriminator_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        assert discriminator is not None
        judge, key, made_of = discriminator, turn.key, given(turn)
        real, condition, maker = made_of.real, made_of.condition, sides["generator"]
        # Images are the same in both turns only from the same spectral-norm vectors.
        maker = generator.advance(maker) if reuse_fakes else maker
        images, _ = make(maker, condition, key=made_of.key)
        shown, made = seen(real, condition), seen(images, condition)
        before = judge.advance(sides["discriminator"])
        real_logits, _, after = score(judge, before, shown, derive(key, "score real"))
        fake_logits, _, after = score(judge, after, made, derive(key, "score fake"))
        value = loss.discriminator(real_logits, fake_logits)
        scalars = logit_scalars(real_logits, fake_logits)
        if penalty is not None:

            def discriminator_fn(images: Array) -> Array:
                return score(judge, before, images, derive(key, "score penalty"))[0]

            scalars["penalty"] = penalty(discriminator_fn, shown, made, turn)
            value = value + scalars["penalty"]
        return value, Aux(after.state, turn.carry, scalars, made=made_of if reuse_fakes else None)

    def generator_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        real, condition, dropout = given(turn) if turn.reused is None else turn.reused
        side = generator.advance(sides["generator"])
        images, state = make(side, condition, key=dropout)
        if images.shape != real.shape:
            raise ValueError(
                f"the generator makes images {list(images.shape[1:])}, and the data are "
                f"{list(real.shape[1:])}"
            )
        value, scalars = jnp.zeros(()), Scalars()
        for name, term in terms.items():
            scalars[name] = term.of(images, real, condition)
            value = value + term.weight * scalars[name]
        if discriminator is not None:
            judge, key = sides["discriminator"], derive(turn.key, "score fake")
            fake_logits, of_fake, _ = score(discriminator, judge, seen(images, condition), key)
            # Most losses ignore the real logits; the compiler then drops the pass that makes them.
            key = derive(turn.key, "score real")
            real_logits, of_real, _ = score(discriminator, judge, seen(real, condition), key)
            scalars["adversarial"] = loss.generator(fake_logits, real_logits)
            value = value + adversarial_weight * scalars["adversarial"]
            if feature_matching_weight:
                scalars["feature_matching"] = feature_matching_loss(of_real, of_fake)
                value = value + feature_matching_weight * scalars["feature_matching"]
        return value, Aux(state, turn.carry, scalars)

    def sample(variables: Variables, condition: Array, noise: int | None = None) -> Array:
        if noise is None:
            return make(variables, condition, train=False)[0]
        return make(variables, condition, key=jax.random.key(noise))[0]

    if discriminator is None:
        return Game(init, (Move("generator", generator_loss),), sample)
    moves = (
        Move("discriminator", discriminator_loss, repeat=discriminator_steps),
        Move("generator", generator_loss, reuses="discriminator" if reuse_fakes else None),
    )
    return Game(init, moves, sample)
