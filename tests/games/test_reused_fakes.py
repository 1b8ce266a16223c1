"""Fakes that both players' turns share: the numbers, and that they are made once."""

import re
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import latent, losses
from jaxgan.data.minibatch import prepare_batch
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.games import Turn, adversarial
from jaxgan.games.paired import Term, paired
from jaxgan.keys import derive
from jaxgan.layers.spectral_norm import spectrally_normalized
from jaxgan.networks import Network, Variables, families
from jaxgan.training import init_state, make_train_step
from jaxgan.training.trainer import make_trainer

RATE, LATENTS, ROWS = 0.1, 3, 8
ROOT = jax.random.key(7)
IMAGES = jax.random.uniform(jax.random.key(1), (3 * ROWS, 4, 4, 1), minval=-1.0)
GENERATOR = GeneratorOptions(family="mlp", width=8, depth=2, latent_size=LATENTS)
DISCRIMINATOR = DiscriminatorOptions(family="mlp", width=8, depth=2, normalization="none")
SGD = {"generator": optax.sgd(RATE), "discriminator": optax.sgd(RATE)}
LOSS = losses.non_saturating


def networks(spectral: bool = False) -> tuple[Network, Network]:
    """A generator with batch statistics and a discriminator."""
    generator = families.make_generator(GENERATOR, (4, 4, 1), 0)
    generator = spectrally_normalized(generator) if spectral else generator
    return generator, families.make_discriminator(DISCRIMINATOR, (4, 4, 1), 0)


def by_hand(generator, discriminator, sides, turns, minibatches):
    """The usual recipe: the last fakes are made with their derivatives and detached for the
    discriminator. Gives both sides' variables after a step of gradient descent."""
    maker, judge = generator.advance(sides["generator"]), sides["discriminator"]

    def judged(params, images):
        return discriminator.apply(Variables(params, {}), images, None, train=True)[0]

    for number in range(turns):
        key = derive(ROOT, 0, "discriminator", number)
        latents = latent.draw_latents(derive(key, "latent"), ROWS, LATENTS)

        def make(params, latents=latents):
            return generator.apply(Variables(params, maker.state), latents, None, train=True)

        fake, pull_back, state = jax.vjp(make, maker.params, has_aux=True)

        def loss_of(params, real=minibatches[number], fake=fake):
            return LOSS.discriminator(judged(params, real), judged(params, fake))

        gradient = jax.grad(loss_of)(judge.params)
        judge = replace(judge, params=descended(judge.params, gradient))

    def fooled(fake):
        return LOSS.generator(judged(judge.params, fake), jnp.zeros(ROWS))

    value, towards = jax.value_and_grad(fooled)(fake)
    maker = Variables(descended(maker.params, *pull_back(towards)), state)
    return {"generator": maker, "discriminator": judge}, value


def descended(params, gradient):
    return jax.tree.map(lambda leaf, slope: leaf - RATE * slope, params, gradient)


@pytest.mark.parametrize("spectral", [False, True], ids=["plain", "spectral norm"])
@pytest.mark.parametrize(("turns", "loop"), [(1, False), (1, True), (3, False), (3, True)])
def test_a_step_is_that_of_fakes_made_once(turns, loop, spectral):
    sides = networks(spectral)
    options = {"prior": latent.prior(LATENTS), "discriminator_steps": turns}
    game = adversarial(*sides, LOSS, reuse_fakes=True, **options)
    batch = {"real": IMAGES[: turns * ROWS]}
    state = init_state(game, SGD, {"real": IMAGES[:ROWS]}, ROOT)
    parts = [IMAGES[number : turns * ROWS : turns] for number in range(turns)]
    expected, value = by_hand(*sides, state.variables, turns, parts)
    after, scalars = make_train_step(game, SGD, loop=loop)(state, batch, ROOT)
    np.testing.assert_allclose(scalars["generator_loss"], value, rtol=1e-5)
    for found, hand in zip(*map(jax.tree.leaves, (after.variables, expected)), strict=True):
        np.testing.assert_allclose(found, hand, rtol=1e-4, atol=1e-6)


TINY = Experiment(
    batch_size=ROWS,
    generator=GENERATOR,
    discriminator=DISCRIMINATOR,
)
CONVOLUTIONAL = {
    "generator": replace(GENERATOR, family="dcgan"),
    "discriminator": replace(DISCRIMINATOR, family="dcgan"),
}
on_a_cpu = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="elsewhere products have other names in a program"
)


def products(compiled: jax.stages.Compiled) -> int:
    """Matrix products and convolutions in a program, in a loop's body counted once."""
    return len(re.findall(r" (?:dot|convolution)\(", compiled.as_text()))


@on_a_cpu
@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({"steps_per_call": 1}, 3),
        ({"steps_per_call": 4}, 3),  # In a loop, where the compiler does not merge draws.
        # The fakes' way through the discriminator from before the step is the same too.
        ({"simultaneous": True}, 6),
        (CONVOLUTIONAL, 3),
    ],
    ids=["a step a call", "four", "simultaneous", "convolutional"],
)
def test_each_layer_of_the_generator_is_computed_once_less(changes, layers):
    twice, once = (
        products(
            make_trainer(replace(TINY, reuse_fakes=reuse, **changes)).programs[0].compile(False)
        )
        for reuse in (False, True)
    )
    assert twice - once == layers


@on_a_cpu
@pytest.mark.usefixtures("optimised")
def test_the_last_turn_comes_after_the_loop_of_the_others():
    def count(turns: int, *, loop: bool, reuse: bool) -> int:
        options = {"prior": latent.prior(LATENTS), "discriminator_steps": turns}
        game = adversarial(*networks(), LOSS, reuse_fakes=reuse, **options)
        state = init_state(game, SGD, {"real": IMAGES[:ROWS]}, ROOT)
        batch = {"real": IMAGES[: turns * ROWS]}
        return products(make_train_step(game, SGD, loop=loop).lower(state, batch, ROOT).compile())

    written_out = count(2, loop=False, reuse=True)
    assert written_out == count(2, loop=False, reuse=False) - 3
    assert count(3, loop=True, reuse=True) == written_out


def noisy_pairs(**options):
    """A generator that adds noise to conditions, and a discriminator that keeps what it is shown;
    both are given random flips."""
    shown = []

    def noised(variables, condition, *, train, key=None):
        noise = jax.random.normal(key, condition.shape)
        return variables.params * condition + noise, variables.state

    def judged(variables, images, *, train, key=None):
        shown.append(images)
        return variables.params * images.mean((1, 2, 3)), variables.state

    generator = Network(lambda key, condition: Variables(jnp.array(0.5), {}), noised)
    discriminator = Network(lambda key, images: Variables(jnp.array(0.7), {}), judged)
    l1 = Term(10.0, lambda images, truth, condition: jnp.abs(images - truth).mean())
    return paired(generator, discriminator, LOSS, {"l1": l1}, **options), shown


@pytest.mark.parametrize("reuse", [False, True])
def test_a_generator_of_pairs_is_shown_and_judged_by_the_same_ones(reuse):
    game, shown = noisy_pairs(reuse_fakes=reuse)
    batch = {"real": IMAGES[:ROWS], "condition": IMAGES[ROWS : 2 * ROWS]}
    sides, carry = game.init(ROOT, batch)
    flipped = {name: images[:, :, ::-1] for name, images in batch.items()}
    first = Turn(batch, derive(ROOT, "first"), jnp.array(0), carry)
    _, aux = game.move("discriminator").loss(sides, first)
    made = aux.made
    made = made and made._replace(key=jax.random.clone(made.key))  # As a step does.
    second = Turn(flipped, derive(ROOT, "second"), jnp.array(0), carry, reused=made)
    game.move("generator").loss(sides, second)
    real, fake, fake_again, real_again = shown
    assert np.array_equal(real, real_again) == reuse
    assert np.array_equal(fake, fake_again) == reuse


def test_a_step_of_pairs_draws_its_noise_once():
    """The tests have JAX refuse a key that is drawn from twice, unless it is meant."""
    game, _ = noisy_pairs(reuse_fakes=True)
    batch = {"real": IMAGES[:ROWS], "condition": IMAGES[ROWS : 2 * ROWS]}
    step = make_train_step(game, SGD, prepare=partial(prepare_batch, flip=True))
    _, scalars = step(init_state(game, SGD, batch, ROOT), batch, ROOT)
    assert np.isfinite(scalars["generator_loss"])


def test_without_a_discriminator_there_is_nothing_to_reuse():
    generator = networks()[0]
    term = Term(1.0, lambda images, truth, condition: jnp.abs(images - truth).mean())
    with pytest.raises(ValueError, match="reuse_fakes shares images with a discriminator, and"):
        paired(generator, None, LOSS, {"l1": term}, reuse_fakes=True)
