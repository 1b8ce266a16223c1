"""CycleGAN's game, on networks of one weight whose losses can be written down."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgan import losses
from jaxgan.games import Turn, cyclegan
from jaxgan.layers.spectral_norm import COLLECTION, power_iteration, spectrally_normalized
from jaxgan.networks import Network, Variables, join
from jaxgan.runs.log import digest
from jaxgan.training import init_state, make_train_step


def scaling(start: float, channels: int = 1) -> Network:
    """Images times one weight, which starts there."""

    def apply(variables, images, train, key=None):
        return variables.params["w"] * images[..., :1].repeat(channels, -1), variables.state

    return Network(lambda key, images: Variables({"w": jnp.array(start)}, {}), apply)


def summing(start: float) -> Network:
    """A logit an image: its mean times one weight."""

    def apply(variables, images, train, key=None):
        return variables.params["w"] * images.mean((1, 2, 3)), variables.state

    return Network(lambda key, images: Variables({"w": jnp.array(start)}, {}), apply)


def tiny(loss=losses.least_squares, **options):
    options = {"pool_size": 0} | options
    return cyclegan(scaling(2.0), scaling(-1.0), summing(0.5), summing(3.0), loss, **options)


BATCH = {
    "x": jnp.array([1.0, 0.5]).reshape(2, 1, 1, 1),
    "y": jnp.array([-1.0, 0.25]).reshape(2, 1, 1, 1),
}


def played(game, batch=BATCH, seed=0):
    """The sides and a turn."""
    sides, carry = game.init(jax.random.key(seed), batch)
    return sides, Turn(batch, jax.random.key(9), jnp.array(0), carry)


def discriminators(game, sides, turn):
    """The discriminators' loss in a turn, and what it brings back."""
    return game.move("discriminator").loss(sides, turn)


def generators(game, sides, turn):
    """The generators' loss in a turn, and what it brings back."""
    return game.move("generator").loss(sides, turn)


def test_sides_are_joined_by_name():
    sides, turn = played(tiny())
    generator, discriminator = sides["generator"], sides["discriminator"]
    assert {name: float(generator.params[name]["w"]) for name in generator.params} == {
        "x_to_y": 2,
        "y_to_x": -1,
    }
    assert {name: float(discriminator[name].params["w"]) for name in ("x", "y")} == {
        "x": 0.5,
        "y": 3,
    }
    assert turn.carry == {}


def test_the_discriminators_loss_by_hand():
    """D_x judges x and -y, times .5; D_y judges y and 2x, times 3."""
    value, aux = discriminators(tiny(), *played(tiny()))
    real_x, fake_x = np.array([0.5, 0.25]), np.array([0.5, -0.125])
    real_y, fake_y = np.array([-3, 0.75]), np.array([6, 3])
    expected = sum(
        0.5 * np.mean((real - 1) ** 2) + 0.5 * np.mean(fake**2)
        for real, fake in ((real_x, fake_x), (real_y, fake_y))
    )
    assert float(value) == pytest.approx(expected)
    assert {name: pytest.approx(float(scalar)) for name, scalar in aux.scalars.items()} == {
        "x_real_logits": real_x.mean(),
        "x_fake_logits": fake_x.mean(),
        "y_real_logits": real_y.mean(),
        "y_fake_logits": fake_y.mean(),
    }


def test_the_generators_loss_by_hand():
    """There and back is times -2: |−2x − x| = 3|x|. The identity: G(y) = 2y, F(x) = -x."""
    game = tiny(cycle_weight=10.0, identity_weight=5.0)
    value, aux = generators(game, *played(game))
    adversarial = {
        "x": 0.5 * np.mean((np.array([0.5, -0.125]) - 1) ** 2),
        "y": 0.5 * np.mean((np.array([6, 3]) - 1) ** 2),
    }
    cycle = {"x": 3 * 0.75, "y": 3 * 0.625}
    identity = {"x": 2 * 0.75, "y": 0.625}
    expected = sum(adversarial.values()) + 10 * sum(cycle.values()) + 5 * sum(identity.values())
    assert float(value) == pytest.approx(expected)
    for name, terms in {"adversarial": adversarial, "cycle": cycle, "identity": identity}.items():
        for domain, term in terms.items():
            assert float(aux.scalars[f"{domain}_{name}"]) == pytest.approx(term)
    assert set(played(game)[0]["generator"].params) == {"x_to_y", "y_to_x"}


def test_without_an_identity_loss_there_is_none():
    value, aux = generators(tiny(cycle_weight=0.0), *played(tiny()))
    adversarial = 0.5 * np.mean([0.25, 1.125**2]) + 0.5 * np.mean([25, 4])
    assert float(value) == pytest.approx(adversarial)
    assert not any("identity" in name for name in aux.scalars)


@pytest.mark.parametrize("name", sorted(losses.ADVERSARIAL))
def test_any_adversarial_loss(name):
    game = tiny(losses.ADVERSARIAL[name], cycle_weight=0.0)
    pair = losses.ADVERSARIAL[name]
    real_x, fake_x = jnp.array([0.5, 0.25]), jnp.array([0.5, -0.125])
    real_y, fake_y = jnp.array([-3, 0.75]), jnp.array([6.0, 3.0])
    expected = pair.generator(fake_x, real_x) + pair.generator(fake_y, real_y)
    assert float(generators(game, *played(game))[0]) == pytest.approx(float(expected), rel=1e-5)
    expected = pair.discriminator(real_x, fake_x) + pair.discriminator(real_y, fake_y)
    found = discriminators(game, *played(game))[0]
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def after_steps(game, steps=3, **options):
    """States of a training by SGD on a batch that changes from step to step."""
    optimizers = {side: optax.sgd(0.01) for side in ("generator", "discriminator")}
    step = make_train_step(game, optimizers, **options)
    root = jax.random.key(0)
    state = init_state(game, optimizers, BATCH, root)
    states = [jax.tree.map(np.asarray, state)]
    for number in range(steps):
        batch = {name: images * (1 + 0.1 * number) for name, images in BATCH.items()}
        state, _ = step(state, batch, root)
        states.append(jax.tree.map(np.asarray, state))
    return states


def test_each_sides_update_is_its_own():
    """The gradients by hand, of both sides against the state before the step."""
    _, after = after_steps(tiny(cycle_weight=1.0), 1, simultaneous=True)
    # D_x: d/dw of ½ E(wx - 1)² + ½ E(w F(y))² at .5, x of mean square .625, y² of mean .53125
    params = after.params
    moved = params["discriminator"]["x"]["w"] - 0.5
    assert moved == pytest.approx(-0.01 * (0.5 * 0.625 - 0.75 + 0.5 * 0.53125), rel=1e-4)
    # G: ½ E(3 g x - 1)²' = 9 g .625 - 3 · .75; |f g - 1| E(|x| + |y|)' = f sign(fg - 1) · 1.375
    moved = params["generator"]["x_to_y"]["w"] - 2.0
    assert moved == pytest.approx(-0.01 * (9 * 2 * 0.625 - 2.25 + 1.375), rel=1e-4)
    # F: ½ E(.5 f y - 1)²' = .25 f · .53125 - .5 · (-.375), and 2 sign(fg - 1) · 1.375
    moved = params["generator"]["y_to_x"]["w"] + 1.0
    expected = 0.25 * -1 * 0.53125 - 0.5 * -0.375 - 2 * 1.375
    assert moved == pytest.approx(-0.01 * expected, rel=1e-4)


@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_a_sides_update_leaves_the_other_untouched(frozen):
    game = tiny(pool_size=3)
    rates = {"generator": 0.1, "discriminator": 0.1, frozen: 0.0}
    optimizers = {side: optax.sgd(rate) for side, rate in rates.items()}
    step, root = make_train_step(game, optimizers), jax.random.key(0)
    state = init_state(game, optimizers, BATCH, root)
    before = {side: digest(variables) for side, variables in state.variables.items()}
    state, _ = step(state, BATCH, root)
    after = {side: digest(variables) for side, variables in state.variables.items()}
    assert {side for side in rates if before[side] == after[side]} == {frozen}


def test_the_pool_is_what_the_discriminator_sees():
    """Fakes of the turns before, once there are enough of them."""
    game = tiny(pool_size=2)
    sides, turn = played(game)
    assert {domain: pool.images.shape for domain, pool in turn.carry["pools"].items()} == {
        "x": (2, 1, 1, 1),
        "y": (2, 1, 1, 1),
    }
    aux = discriminators(game, sides, turn)[1]
    pools = aux.carry["pools"]
    np.testing.assert_allclose(pools["y"].images.ravel(), [2, 1])  # G(x) = 2x
    np.testing.assert_allclose(pools["x"].images.ravel(), [1, -0.25])  # F(y) = -y
    later = turn._replace(carry=aux.carry, batch={n: 0 * a for n, a in BATCH.items()})

    @jax.jit
    def fake_logits(key):
        return discriminators(game, sides, later._replace(key=key))[1].scalars["y_fake_logits"]

    seen = {round(float(fake_logits(jax.random.key(seed))), 4) for seed in range(20)}
    # Means of two logits, each 0 (the new image) or 3 · 2 or 3 · 1 (a pooled one).
    assert seen <= {0.0, 3.0, 1.5, 4.5}
    assert len(seen) > 2
    assert generators(game, sides, later)[1].carry is later.carry


def test_a_pool_that_never_fills_changes_nothing():
    plain, pooled = after_steps(tiny()), after_steps(tiny(pool_size=100))
    for one, other in zip(plain, pooled, strict=True):
        assert digest(one.sides) == digest(other.sides)
    assert int(pooled[-1].carry["pools"]["x"].count) == 6
    full = after_steps(tiny(pool_size=1))
    sides = [states[-1].sides["discriminator"] for states in (full, plain)]
    assert digest(sides[0]) != digest(sides[1])


def test_discriminator_steps_each_see_a_minibatch_and_pools_of_their_own():
    """Two updates a step: the pools take all four images, and the generators see the last two."""
    game = tiny(pool_size=100, discriminator_steps=2)
    assert game.minibatches == 2
    assert game.move("generator").repeat is None
    batch = {name: jnp.concatenate([images, 2 * images]) for name, images in BATCH.items()}
    still = {side: optax.sgd(0.0) for side in ("generator", "discriminator")}
    root = jax.random.key(0)
    state = init_state(game, still, BATCH, root)
    state, scalars = make_train_step(game, still)(state, batch, root)
    pools = state.carry["pools"]
    # Minibatches are interleaved: x is 1, 2, and then .5, 1; G(x) = 2x.
    np.testing.assert_allclose(pools["y"].images.ravel()[:5], [2, 4, 1, 2, 0])
    assert int(pools["x"].count) == 4
    # There and back is times -2.
    assert float(scalars["x_cycle"]) == pytest.approx(3 * 0.75)


def test_the_cycle_loss_alone_trains_both_generators_to_the_identity():
    """Weights of one sign whose product becomes 1; the identity loss then makes each of them 1."""

    def silent(images_weight):
        network = summing(images_weight)
        return network._replace(apply=lambda v, x, train, key=None: (0 * x.mean((1, 2, 3)), {}))

    def trained(**options):
        game = cyclegan(
            scaling(0.4), scaling(0.9), silent(0.0), silent(0.0), losses.least_squares, **options
        )
        optimizers = {"generator": optax.adam(0.01), "discriminator": optax.sgd(0.0)}
        step, root = make_train_step(game, optimizers), jax.random.key(0)
        state = init_state(game, optimizers, BATCH, root)
        for _ in range(200):
            state, scalars = step(state, BATCH, root)
        weights = state.params["generator"]
        return float(weights["x_to_y"]["w"]), float(weights["y_to_x"]["w"]), scalars

    forth, back, scalars = trained(pool_size=0)
    assert forth * back == pytest.approx(1, abs=0.03)
    assert float(scalars["x_cycle"]) < 0.03
    forth, back, _ = trained(pool_size=0, identity_weight=5.0)
    assert (forth, back) == (pytest.approx(1, abs=0.03), pytest.approx(1, abs=0.03))


def test_samples_are_translations():
    game = tiny()
    generator = played(game)[0]["generator"]
    np.testing.assert_allclose(game.sample(generator, BATCH["x"], "x_to_y"), 2 * BATCH["x"])
    np.testing.assert_allclose(game.sample(generator, BATCH["y"], "y_to_x"), -BATCH["y"])
    with pytest.raises(ValueError, match="one of x_to_y, y_to_x, not 'x-to-y'"):
        game.sample(generator, BATCH["x"], "x-to-y")


def test_domains_may_differ_in_channels_but_not_under_an_identity_loss():
    batch = {"x": jnp.ones((2, 1, 1, 1)), "y": jnp.ones((2, 1, 1, 3))}

    def game(**options):
        return cyclegan(
            scaling(1.0, 3),
            scaling(1.0, 1),
            summing(1.0),
            summing(1.0),
            losses.least_squares,
            **options,
        )

    sides, turn = played(game(), batch)
    assert turn.carry["pools"]["y"].images.shape == (50, 1, 1, 3)
    assert np.isfinite(generators(game(), sides, turn)[0])
    with pytest.raises(ValueError, match=r"identity_weight 5.0 needs domains of one shape"):
        played(game(identity_weight=5.0), batch)


@pytest.mark.parametrize("option", ["cycle_weight", "identity_weight", "pool_size"])
def test_negative_weights_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} must be 0 or more, not -1"):
        tiny(**{option: -1})


def test_state_that_networks_move_is_kept_by_name():
    """Batch statistics and the like: a counter of the passes that each network made in training."""

    def counting(network):
        def init(key, images):
            return Variables(network.init(key, images).params, {"passes": jnp.array(0)})

        def apply(variables, images, train, key=None):
            output = network.apply(Variables(variables.params, {}), images, train=train)[0]
            return output, {"passes": variables.state["passes"] + train}

        return Network(init, apply)

    networks = [counting(n) for n in (scaling(1.0), scaling(1.0), summing(1.0), summing(1.0))]
    game = cyclegan(*networks, losses.least_squares, pool_size=0, identity_weight=1.0)
    sides, turn = played(game)
    generator = sides["generator"]
    assert generator == join({name: generator[name] for name in ("x_to_y", "y_to_x")})
    state = discriminators(game, sides, turn)[1].state
    assert {name: int(s["passes"]) for name, s in state.items()} == {"x": 2, "y": 2}
    state = generators(game, sides, turn)[1].state
    assert {name: int(s["passes"]) for name, s in state.items()} == {"x_to_y": 3, "y_to_x": 3}


def test_every_networks_spectral_vectors_move_once_in_a_turn_of_its_side():
    kernel, vector = jnp.array([[2.0, 1.0], [0.0, 1.0]]), jnp.array([1.0, 0.0])

    def network(output):
        def apply(variables, images, train, key=None):
            return output(images @ variables.params["kernel"]), variables.state

        wrapped = spectrally_normalized(Network(None, apply))
        side = Variables({"kernel": kernel}, {COLLECTION: {"kernel": vector}})
        return wrapped._replace(init=lambda key, images: side)

    translator, judge = (
        network(lambda images: images),
        network(lambda images: images.mean((1, 2, 3))),
    )
    game = cyclegan(translator, translator, judge, judge, losses.least_squares, identity_weight=1.0)
    batch = {name: images.repeat(2, -1) for name, images in BATCH.items()}
    sides, turn = played(game, batch)
    moved = power_iteration({"kernel": kernel}, {"kernel": vector})["kernel"]
    for loss, names in ((discriminators, ("x", "y")), (generators, ("x_to_y", "y_to_x"))):
        state = loss(game, sides, turn)[1].state
        assert set(state) == set(names)
        for name in names:
            np.testing.assert_allclose(state[name][COLLECTION]["kernel"], moved, rtol=1e-6)
