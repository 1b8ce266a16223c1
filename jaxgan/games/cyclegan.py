"""CycleGAN: two generators that undo each other, two discriminators, images without pairs."""

from dataclasses import replace

import jax.numpy as jnp

from jaxgan.consistency import cycle_consistency_loss, identity_loss
from jaxgan.games.game import Aux, Game, Move, Sides, Turn, images_of
from jaxgan.games.pool import init_pool, query
from jaxgan.keys import derive
from jaxgan.losses import AdversarialLoss
from jaxgan.networks.network import Network, Variables, join, run, start
from jaxgan.types import Array, Batch, Key, PyTree, Scalars

DIRECTIONS = {"x_to_y": ("x", "y"), "y_to_x": ("y", "x")}
"""The generators by name, each with the domain it translates from and the one it translates to."""


def cyclegan(
    x_to_y: Network,
    y_to_x: Network,
    x_discriminator: Network,
    y_discriminator: Network,
    loss: AdversarialLoss,
    *,
    cycle_weight: float = 10.0,
    identity_weight: float = 0.0,
    pool_size: int = 50,
    discriminator_steps: int = 1,
) -> Game:
    """Zhu's game: translate both ways so that images fool, and are themselves again when back.

    With G: x -> y and F: y -> x, the generators minimise

        L(D_y, G) + L(D_x, F) + λ (E|F(G(x)) - x| + E|G(F(y)) - y|) + μ (E|G(y) - y| + E|F(x) - x|)

    and each discriminator its own part of the adversarial loss L, between real images and fakes of
    a pool. Every term is a mean over its images, and both directions are summed. The sides are
    `join`s, generators named `x_to_y` and `y_to_x`, discriminators `x` and `y`; one optimiser
    for each side is the same as one for each network, as long as it works number by number.

    Against the authors' code: their netG_A, netG_B, netD_A and netD_B are our x_to_y, y_to_x, y and
    x (their D_A judges images of B). Their discriminators' loss is halved as `losses.least_squares`
    is, but their generators' adversarial loss is not, so that with least squares their λ = 10 is
    `cycle_weight=5`, and their identity weight, λ/2, is 2.5. They update generators and
    discriminators from the same fakes, made before either update, which is the train step's option
    `simultaneous`.

    Args:
      x_to_y: `apply(variables, images [B, H, W, C], train, key)` gives images [B, H, W, C'].
      y_to_x: the way back.
      x_discriminator: `apply(variables, images, train, key)` gives logits of any shape.
      y_discriminator: the same for the other domain.
      loss: a pair of `jaxgan.losses`; least squares in the paper.
      cycle_weight: λ.
      identity_weight: μ, 0 or, in the paper, λ/2; needs domains of one shape.
      pool_size: fakes remembered for each discriminator; 0: each sees what was just made.
      discriminator_steps: discriminator updates a step, each on a minibatch of its own.

    Returns:
      A game whose batches hold `x` [B, H, W, C] and `y` [B, H, W, C'], whose carry holds `pools`,
      one for each domain, and whose `sample(generators, images, direction)` translates `x_to_y` or
      `y_to_x`. It logs, for each domain d, `d_real_logits` and `d_fake_logits` (means), and for the
      generators `d_adversarial`, `d_cycle` and `d_identity`, unweighted.

    Raises:
      ValueError: for a negative weight or size, and later for domains whose shapes differ, where
        there is an identity loss.

    References:
      Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
      2017 (arXiv:1703.10593).
    """
    options = {"cycle_weight": cycle_weight, "identity_weight": identity_weight}
    for name, value in {**options, "pool_size": pool_size}.items():
        if value < 0:
            raise ValueError(f"{name} must be 0 or more, not {value}")
    generators = {"x_to_y": x_to_y, "y_to_x": y_to_x}
    discriminators = {"x": x_discriminator, "y": y_discriminator}

    def translate(side: Variables, name: str, images: Array, key: Key) -> tuple[Array, Variables]:
        """Images through one generator, and the side with that generator's new state."""
        key = derive(key, name)
        output, state = run(generators[name], f"generator {name}", side[name], images, key=key)
        return output, replace(side, state={**side.state, name: state})

    def score(side: Variables, name: str, images: Array, key: Key) -> tuple[Array, Variables]:
        output, state = run(
            discriminators[name], f"discriminator of {name}", side[name], images, key=key
        )
        return output, replace(side, state={**side.state, name: state})

    def advanced(networks: dict[str, Network], side: Variables) -> Variables:
        return join({name: network.advance(side[name]) for name, network in networks.items()})

    def init(key: Key, batch: Batch) -> tuple[dict[str, Variables], PyTree]:
        shapes = {domain: images_of(batch, domain).shape[1:] for domain in discriminators}
        if identity_weight and shapes["x"] != shapes["y"]:
            raise ValueError(
                f"identity_weight {identity_weight} needs domains of one shape, and x has "
                f"{shapes['x']}, y {shapes['y']}; set it to 0, or channels_x and channels_y to "
                "one number"
            )
        generator_side = join(
            {
                name: start(generators[name], f"generator {name}", derive(key, name), batch[source])
                for name, (source, _) in DIRECTIONS.items()
            }
        )
        discriminator_side = join(
            {
                domain: start(
                    network, f"discriminator of {domain}", derive(key, domain), batch[domain]
                )
                for domain, network in discriminators.items()
            }
        )
        pools = {domain: init_pool(pool_size, shape) for domain, shape in shapes.items()}
        sides = {"generator": generator_side, "discriminator": discriminator_side}
        return sides, {"pools": pools} if pool_size else {}

    def discriminator_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        generator_side, discriminator_side = sides["generator"], sides["discriminator"]
        pools, value = dict(turn.carry["pools"]) if pool_size else {}, jnp.zeros(())
        scalars: Scalars = {}
        side = join(
            {
                name: network.advance(discriminator_side[name])
                for name, network in discriminators.items()
            }
        )
        for name, (source, target) in DIRECTIONS.items():
            key = derive(turn.key, "judge", target)  # The word is part of every draw: it stays.
            fake, _ = translate(generator_side, name, images_of(turn.batch, source), turn.key)
            if pool_size:
                pools[target], fake = query(pools[target], fake, derive(turn.key, "pool", target))
            real_logits, side = score(side, target, turn.batch[target], derive(key, "real"))
            fake_logits, side = score(side, target, fake, derive(key, "fake"))
            value += loss.discriminator(real_logits, fake_logits)
            scalars[f"{target}_real_logits"] = real_logits.mean()
            scalars[f"{target}_fake_logits"] = fake_logits.mean()
        carry = {"pools": pools} if pool_size else {}
        return value, Aux(side.state, carry, scalars)

    def generator_loss(sides: Sides, turn: Turn) -> tuple[Array, Aux]:
        batch, discriminator_side = turn.batch, sides["discriminator"]
        side = join(
            {
                name: network.advance(sides["generator"][name])
                for name, network in generators.items()
            }
        )
        value = jnp.zeros(())
        scalars: Scalars = {}
        for name, (source, target) in DIRECTIONS.items():
            back = next(other for other in DIRECTIONS if other != name)
            key = derive(turn.key, "judge", target)
            fake, side = translate(side, name, batch[source], turn.key)
            again, side = translate(side, back, fake, derive(turn.key, "back"))
            fake_logits, _ = score(discriminator_side, target, fake, derive(key, "fake"))
            # Most losses ignore the real logits; the compiler then drops the pass that makes them.
            real = batch[target]
            real_logits, _ = score(discriminator_side, target, real, derive(key, "real"))
            adversarial = loss.generator(fake_logits, real_logits)
            cycle = cycle_consistency_loss(batch[source], again)
            value += adversarial + cycle_weight * cycle
            scalars |= {f"{target}_adversarial": adversarial, f"{source}_cycle": cycle}
            if identity_weight:
                same, side = translate(side, name, real, derive(turn.key, "identity"))
                identity = identity_loss(real, same)
                value += identity_weight * identity
                scalars[f"{target}_identity"] = identity
        return value, Aux(side.state, turn.carry, scalars)

    def sample(generator_side: Variables, images: Array, direction: str) -> Array:
        if direction not in generators:
            raise ValueError(f"direction must be one of {', '.join(generators)}, not {direction!r}")
        return generators[direction].apply(generator_side[direction], images, train=False)[0]

    moves = (
        Move("discriminator", discriminator_loss, repeat=discriminator_steps),
        Move("generator", generator_loss),
    )
    return Game(init, moves, sample)
