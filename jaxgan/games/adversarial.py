"""The game of one generator against one discriminator, with or without labels."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.devices.sharding import split_rows
from jaxgan.games.game import Aux, Game, Move, Sides, Turn, images_of
from jaxgan.keys import derive
from jaxgan.latent import Prior
from jaxgan.losses import AdversarialLoss
from jaxgan.networks.network import Network, Variables, run, start
from jaxgan.types import Array, Batch, Key, PyTree, Scalars

DiscriminatorFn: TypeAlias = Callable[[Array], Array]
Penalty: TypeAlias = Callable[[DiscriminatorFn, Array, Array, Turn], Array]
"""`(discriminator_fn, real, fake, turn) -> scalar`, already weighted."""
View: TypeAlias = Callable[[Array, Key, Turn], Array]
"""`(images [B, ...], key, turn) -> images`, such as `augment.instance_noise` or `augment.pack`."""


class Drawn(NamedTuple):
    """What a generator makes fakes of in a turn.

    Attributes:
      latents: [B, ...], as the prior drew them.
      labels: int32 [B], or None.
      key: of its dropout and the like.
    """

    latents: PyTree
    labels: Array | None
    key: Key


class Judged(NamedTuple):
    """What a discriminator said in a turn, for memories and heads.

    Attributes:
      real: its output for real images: logits, or with heads a dict that holds `logits`.
      fake: its output for fakes.
      latents: what the fakes were made from, as the prior drew it.
      labels: int32 [B], or None.
    """

    real: Any
    fake: Any
    latents: PyTree
    labels: Array | None


class Memory(NamedTuple):
    """What is remembered from turn to turn, in the carry.

    Attributes:
      start: arrays, before the first step.
      update: `(memory, real logits, fake logits) -> memory`, after each discriminator's turn.
    """

    start: PyTree
    update: Callable[[PyTree, Array, Array], PyTree]


class Head(NamedTuple):
    """Something a discriminator gives besides logits, and what each player pays for it.

    Attributes:
      discriminator: `(Judged, turn) -> scalar`, already weighted, added to its loss.
      generator: the same for the generator's loss.
    """

    discriminator: Callable[[Judged, Turn], Array]
    generator: Callable[[Judged, Turn], Array]


def average_logits(decay: float) -> Memory:
    """Moving averages of the mean logits, `{"real": scalar, "fake": scalar}` from 0 on.

    `penalties.lecam_penalty` takes them; the paper's decay is .99.
    """

    def update(old: PyTree, real_logits: Array, fake_logits: Array) -> PyTree:
        means = {"real": real_logits.mean(), "fake": fake_logits.mean()}
        return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, old, means)

    # NumPy's: a game is described without compiling anything.
    return Memory({"real": np.zeros((), np.float32), "fake": np.zeros((), np.float32)}, update)


def _mean(logits: PyTree) -> Array:
    """The mean over all logits, of each scale alike where there are several."""
    first, *others = [scale.mean() for scale in jax.tree.leaves(logits)]
    return sum(others, start=first) / (1 + len(others)) if others else first


def logit_scalars(real_logits: PyTree, fake_logits: PyTree) -> Scalars:
    """What games log of logits: their means, and the shares on the right side of 0."""
    return {
        "real_logits": _mean(real_logits),
        "fake_logits": _mean(fake_logits),
        "real_accuracy": _mean(jax.tree.map(lambda logits: logits > 0, real_logits)),
        "fake_accuracy": _mean(jax.tree.map(lambda logits: logits < 0, fake_logits)),
    }


def refuse_other_shape(fake: Any, real: Array) -> None:
    """Raises a ValueError for a generator whose samples are not of the data's shape."""
    shape = getattr(fake, "shape", None)
    if shape != real.shape:
        made = f"a {type(fake).__name__}" if shape is None else str(list(shape[1:]))
        raise ValueError(f"the generator makes {made}, and the data are {list(real.shape[1:])}")


def adversarial(
    generator: Network,
    discriminator: Network,
    loss: AdversarialLoss | Callable[[Turn], AdversarialLoss],
    *,
    prior: Prior,
    conditional: bool = False,
    discriminator_steps: int = 1,
    reuse_fakes: bool = False,
    penalty: Penalty | None = None,
    view: View | None = None,
    memories: Mapping[str, Memory] | None = None,
    heads: Mapping[str, Head] | None = None,
) -> Game:
    """Goodfellow's game: a generator makes fakes from latents, a discriminator tells them apart.

    The discriminator scores real and fake in two separate passes, so that its batch statistics
    never mix them (the DCGAN practice). A fake is asked for with the labels of the real minibatch
    and judged under the same labels. Each side's spectral-norm vectors move once a turn of its own.

    Args:
      generator: `apply(variables, latents, labels [B] | None, train, key)` gives images.
      discriminator: `apply(variables, images, labels, train, key)` gives logits, or with heads a
        dict of `logits` and what the heads read. Logits are one array, or a list of one a scale
        where the loss is a `losses.multi_scale`; a penalty then takes one of them at a time.
      loss: a pair of `jaxgan.losses`, or a function of the turn that gives one, for targets that
        are drawn anew (`losses.with_targets`).
      prior: draws latents, such as `latent.prior(100)`.
      conditional: whether both networks are given the batch's labels.
      discriminator_steps: discriminator updates a step, each on a minibatch of its own.
      reuse_fakes: let the generator's turn take the fakes of the last discriminator's turn, so that
        they are made once, as PyTorch's DCGAN example does. The generator then plays against a
        discriminator that was just trained on the very same fakes, and no longer on fresh ones.
        Noise on images, dropout of the discriminator and random targets are drawn anew. It is the
        compiler that merges both passes; where spectral normalization divides the generator's
        weights it merges little.
      penalty: added to the discriminator's loss. It is given the images as the discriminator sees
        them.
      view: what the discriminator sees of the images, real and fake alike, in both players' turns.
      memories: what is remembered from turn to turn, by name. A loss of the turn, a penalty and a
        view find it in `turn.carry[name]`.
      heads: what the discriminator gives besides logits, by name, and how both players are paid
        for it (an auxiliary classifier, an encoder of codes). The names are those of the log.

    Returns:
      A game whose batches hold `real` [B, ...] and, when conditional, `label` int32 [B], and whose
      `sample(generator, latents, labels [N] | None)` gives images [N, ...]. It logs
      `real_logits` and `fake_logits` (means), `real_accuracy` and `fake_accuracy` (shares of logits
      on the right side of 0), `penalty`, and for each head `discriminator_<name>` and
      `generator_<name>`.

    Raises:
      ValueError: when first traced, for a discriminator that with heads gives no dict of `logits`,
        networks whose `init` or `apply` give something else than they must, and images that are
        not floating point.
    """
    remembered, read = dict(memories or {}), dict(heads or {})

    def labels_of(batch: Batch) -> Array | None:
        return batch["label"] if conditional else None

    def loss_of(turn: Turn) -> AdversarialLoss:
        return loss if isinstance(loss, AdversarialLoss) else loss(turn)

    def look(images: Array, turn: Turn, purpose: str) -> Array:
        return images if view is None else view(images, derive(turn.key, purpose), turn)

    def draw(turn: Turn) -> Drawn:
        latents = prior(derive(turn.key, "latent"), len(images_of(turn.batch, "real")))
        key, labels = derive(turn.key, "generator"), labels_of(turn.batch)
        return Drawn(jax.tree.map(split_rows, latents), labels, key)

    def make_fake(variables: Variables, drawn: Drawn, turn: Turn) -> tuple[Array, PyTree]:
        """Fakes as the discriminator sees them, and the generator's new state."""
        latents, labels, key = drawn
        fake, state = run(generator, "generator", variables, latents, labels, key=key)
        refuse_other_shape(fake, turn.batch["real"])
        return look(fake, turn, "look at fake"), state

    def score(
        variables: Variables, images: Array, turn: Turn, purpose: str
    ) -> tuple[Any, Variables]:
        key, labels = derive(turn.key, purpose), labels_of(turn.batch)
        output, state = run(discriminator, "discriminator", variables, images, labels, key=key)
        return output, replace(variables, state=state)

    def logits_of(output: Any) -> Array:
        if not read:
            return output
        if not hasattr(output, "keys") or "logits" not in output:
            raise ValueError(
                "with heads a discriminator must give a dict that holds 'logits', not "
                f"{sorted(output) if hasattr(output, 'keys') else type(output).__name__}"
            )
        return output["logits"]

    def init(key: Key, batch: Batch) -> tuple[dict[str, Variables], PyTree]:
        labels, carry = (
            labels_of(batch),
            {name: memory.start for name, memory in remembered.items()},
        )
        latents = prior(derive(key, "latent"), len(images_of(batch, "real")))
        turn = Turn(batch, derive(key, "turn"), jnp.zeros((), jnp.int32), carry)
        seen = look(batch["real"], turn, "look at real")
        sides = {
            name: start(network, name, derive(key, name), given, labels)
            for name, network, given in (
                ("generator", generator, latents),
                ("discriminator", discriminator, seen),
            )
        }
        return sides, carry

    def discriminator_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        real = look(turn.batch["real"], turn, "look at real")
        maker, drawn = sides["generator"], draw(turn)
        # Fakes are the same in both turns only from the same spectral-norm vectors.
        maker = generator.advance(maker) if reuse_fakes else maker
        fake, _ = make_fake(maker, drawn, turn)
        before = discriminator.advance(sides["discriminator"])
        of_real, after_real = score(before, real, turn, "score real")
        of_fake, after_fake = score(after_real, fake, turn, "score fake")
        real_logits, fake_logits = logits_of(of_real), logits_of(of_fake)
        value = loss_of(turn).discriminator(real_logits, fake_logits)
        scalars = logit_scalars(real_logits, fake_logits)
        if penalty is not None:

            def discriminator_fn(images: Array) -> Array:
                return logits_of(score(before, images, turn, "score penalty")[0])

            scalars["penalty"] = penalty(discriminator_fn, real, fake, turn)
            value = value + scalars["penalty"]
        judged = Judged(of_real, of_fake, drawn.latents, drawn.labels)
        for name, head in read.items():
            scalars[f"discriminator_{name}"] = head.discriminator(judged, turn)
            value = value + scalars[f"discriminator_{name}"]
        carry = {
            name: memory.update(turn.carry[name], real_logits, fake_logits)
            for name, memory in remembered.items()
        }
        return value, Aux(after_fake.state, carry, scalars, made=drawn if reuse_fakes else None)

    def generator_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        drawn = draw(turn) if turn.reused is None else turn.reused
        fake, state = make_fake(generator.advance(sides["generator"]), drawn, turn)
        real = look(turn.batch["real"], turn, "look at real")
        of_fake, _ = score(sides["discriminator"], fake, turn, "score fake")
        # Most losses ignore the real logits; the compiler then drops the pass that makes them.
        of_real, _ = score(sides["discriminator"], real, turn, "score real")
        value = loss_of(turn).generator(logits_of(of_fake), logits_of(of_real))
        scalars: Scalars = {}
        judged = Judged(of_real, of_fake, drawn.latents, drawn.labels)
        for name, head in read.items():
            scalars[f"generator_{name}"] = head.generator(judged, turn)
            value = value + scalars[f"generator_{name}"]
        return value, Aux(state, turn.carry, scalars)

    def sample(variables: Variables, latents: PyTree, labels: Array | None = None) -> Array:
        return generator.apply(variables, latents, labels, train=False)[0]

    moves = (
        Move("discriminator", discriminator_loss, repeat=discriminator_steps),
        Move("generator", generator_loss, reuses="discriminator" if reuse_fakes else None),
    )
    return Game(init, moves, sample, network=generator)
