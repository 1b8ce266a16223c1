"""Adversarial losses against numbers worked out by hand.

With D = log 3 the sigmoid is 3/4, softplus(D) = log 4 and softplus(-D) = log(4/3).
"""

import copy
import pickle
import pydoc
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.losses import ADVERSARIAL

LOG3 = float(np.log(3))
NAMES = sorted(ADVERSARIAL)
RELATIVISTIC = ["relativistic_average", "relativistic_pairing"]
LOGISTIC = ["minimax", "non_saturating"]


class Golden(NamedTuple):
    """Logits of two real and two fake images; values and gradients worked out by hand."""

    real: list[float]
    fake: list[float]
    discriminator: float
    discriminator_by_real: list[float]
    discriminator_by_fake: list[float]
    generator: float
    generator_by_fake: list[float]
    generator_by_real: list[float]


GOLDEN = {
    "minimax": Golden(
        real=[LOG3, 0],
        fake=[LOG3, -LOG3],
        discriminator=np.log(128 / 9) / 2,
        discriminator_by_real=[-1 / 8, -1 / 4],
        discriminator_by_fake=[3 / 8, 1 / 8],
        generator=-np.log(16 / 3) / 2,
        generator_by_fake=[-3 / 8, -1 / 8],
        generator_by_real=[0, 0],
    ),
    "non_saturating": Golden(
        real=[LOG3, 0],
        fake=[LOG3, -LOG3],
        discriminator=np.log(128 / 9) / 2,
        discriminator_by_real=[-1 / 8, -1 / 4],
        discriminator_by_fake=[3 / 8, 1 / 8],
        generator=np.log(16 / 3) / 2,
        generator_by_fake=[-1 / 8, -3 / 8],
        generator_by_real=[0, 0],
    ),
    "least_squares": Golden(
        real=[3, 0.5],
        fake=[-2, 0.5],
        discriminator=2.125,
        discriminator_by_real=[1, -0.25],
        discriminator_by_fake=[-1, 0.25],
        generator=2.3125,
        generator_by_fake=[-1.5, -0.25],
        generator_by_real=[0, 0],
    ),
    "wasserstein": Golden(
        real=[3, 0.5],
        fake=[-2, 0.5],
        discriminator=-2.5,
        discriminator_by_real=[-0.5, -0.5],
        discriminator_by_fake=[0.5, 0.5],
        generator=0.75,
        generator_by_fake=[-0.5, -0.5],
        generator_by_real=[0, 0],
    ),
    "hinge": Golden(
        real=[3, 0.5],
        fake=[-2, 0.5],
        discriminator=1,
        discriminator_by_real=[0, -0.5],
        discriminator_by_fake=[0, 0.5],
        generator=0.75,
        generator_by_fake=[-0.5, -0.5],
        generator_by_real=[0, 0],
    ),
    "relativistic_pairing": Golden(
        real=[LOG3, 1],
        fake=[0, 1],
        discriminator=np.log(8 / 3) / 2,
        discriminator_by_real=[-1 / 8, -1 / 4],
        discriminator_by_fake=[1 / 8, 1 / 4],
        generator=np.log(8) / 2,
        generator_by_fake=[-3 / 8, -1 / 4],
        generator_by_real=[3 / 8, 1 / 4],
    ),
    "relativistic_average": Golden(
        real=[2 * LOG3, 0],  # mean log 3
        fake=[LOG3, -LOG3],  # mean 0
        discriminator=np.log(20 / 9),
        discriminator_by_real=[-0.2, -0.4],
        discriminator_by_fake=[0.4, 0.2],
        generator=np.log(20),
        generator_by_fake=[-0.6, -0.8],
        generator_by_real=[0.8, 0.6],
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_golden_values_and_gradients(name):
    golden, loss = GOLDEN[name], ADVERSARIAL[name]
    real, fake = jnp.array(golden.real, jnp.float32), jnp.array(golden.fake, jnp.float32)

    value, gradients = jax.value_and_grad(loss.discriminator, argnums=(0, 1))(real, fake)
    np.testing.assert_allclose(value, golden.discriminator, rtol=1e-6)
    np.testing.assert_allclose(gradients[0], golden.discriminator_by_real, atol=1e-6)
    np.testing.assert_allclose(gradients[1], golden.discriminator_by_fake, atol=1e-6)

    value, gradients = jax.value_and_grad(loss.generator, argnums=(0, 1))(fake, real)
    np.testing.assert_allclose(value, golden.generator, rtol=1e-6)
    np.testing.assert_allclose(gradients[0], golden.generator_by_fake, atol=1e-6)
    np.testing.assert_allclose(gradients[1], golden.generator_by_real, atol=1e-6)


def test_every_loss_has_golden_numbers_and_its_own_name():
    assert set(GOLDEN) == set(ADVERSARIAL)
    assert all(getattr(losses, name) is loss for name, loss in ADVERSARIAL.items())


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_are_finite_with_finite_gradients(name):
    loss = ADVERSARIAL[name]
    extremes = jnp.array([1e4, -1e4, 1e4, -1e4])
    others = jnp.array([1e4, 1e4, -1e4, -1e4])
    for function in (loss.discriminator, loss.generator):
        value, gradients = jax.value_and_grad(function, argnums=(0, 1))(extremes, others)
        assert jnp.isfinite(value)
        assert all(jnp.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_any_shape_of_logits_and_float32_inside(name):
    loss = ADVERSARIAL[name]
    real, fake = jnp.linspace(-1, 2, 8), jnp.linspace(3, -2, 8)
    real, fake = real.astype(jnp.bfloat16), fake.astype(jnp.bfloat16)
    patches = [logits.reshape(2, 2, 2, 1).astype(jnp.float32) for logits in (real, fake)]
    values = loss.discriminator(real, fake), loss.generator(fake, real)
    expected = loss.discriminator(*patches), loss.generator(*reversed(patches))
    assert all(value.dtype == jnp.float32 and value.shape == () for value in values)
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_does_not_see_order_or_duplication(name):
    loss = ADVERSARIAL[name]
    real = jnp.array([0.3, -1.2, 2.0, 0.7])
    fake = jnp.array([-0.4, 0.9, -2.0, 1.1])
    value = loss.discriminator(real, fake), loss.generator(fake, real)
    order = jnp.array([2, 0, 3, 1])
    for arrange in (lambda x: x[order], lambda x: jnp.concatenate([x, x])):
        r, f = arrange(real), arrange(fake)
        np.testing.assert_allclose(
            (loss.discriminator(r, f), loss.generator(f, r)), value, rtol=1e-6
        )


@pytest.mark.parametrize("name", RELATIVISTIC)
def test_relativistic_losses_do_not_see_a_constant(name):
    loss = ADVERSARIAL[name]
    real, fake = jnp.array([0.3, -1.2, 2.0]), jnp.array([-0.4, 0.9, 1.1])
    for function in (loss.discriminator, loss.generator):
        np.testing.assert_allclose(function(real + 7, fake + 7), function(real, fake), rtol=1e-5)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"relativistic_pairing"}))
def test_each_term_is_a_mean_over_its_own_batch(name):
    loss = ADVERSARIAL[name]
    real, fake = jnp.array([1.5]), jnp.array([-0.4, 0.9])
    np.testing.assert_allclose(
        loss.discriminator(real, fake), loss.discriminator(jnp.repeat(real, 2), fake), rtol=1e-6
    )


def test_the_best_discriminator_of_minimax_measures_the_jensen_shannon_divergence():
    # Two points: p_data = (3/4, 1/4), p_g = (1/4, 3/4); the best logits are log(p_data / p_g).
    real, fake = jnp.array([LOG3, LOG3, LOG3, -LOG3]), jnp.array([LOG3, -LOG3, -LOG3, -LOG3])
    divergence = 3 / 4 * np.log(3 / 2) + 1 / 4 * np.log(1 / 2)
    value, gradients = jax.value_and_grad(losses.minimax.discriminator, (0, 1))(real, fake)
    np.testing.assert_allclose(value, np.log(4) - 2 * divergence, rtol=1e-6)
    by_point = gradients[0][:3].sum() + gradients[1][0], gradients[0][3] + gradients[1][1:].sum()
    np.testing.assert_allclose(by_point, 0, atol=1e-7)
    equal = jnp.zeros(4)
    np.testing.assert_allclose(losses.minimax.discriminator(equal, equal), np.log(4), rtol=1e-6)


def test_only_the_saturating_generator_loses_its_gradient():
    rejected = jnp.array([-20.0])
    assert abs(jax.grad(losses.minimax.generator)(rejected)[0]) < 1e-8
    np.testing.assert_allclose(jax.grad(losses.non_saturating.generator)(rejected), -1, rtol=1e-6)


def test_least_squares_targets():
    loss = losses.make_least_squares(real_target=1, fake_target=-1, generator_target=0)
    assert loss.discriminator(jnp.array([1.0]), jnp.array([-1.0])) == 0
    assert loss.discriminator(jnp.array([2.0]), jnp.array([-2.0])) == 1
    assert loss.generator(jnp.array([3.0])) == 4.5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("real_shape", "fake_shape"), [((4,), (4, 1)), ((4, 1), (4,)), ((4, 2, 2, 1), (4, 3, 3, 1))]
)
def test_shapes_that_would_broadcast_or_mix_are_refused(name, real_shape, fake_shape):
    with pytest.raises(ValueError, match="may differ in batch size and in nothing else"):
        ADVERSARIAL[name].discriminator(jnp.zeros(real_shape), jnp.zeros(fake_shape))


def test_relativistic_losses_say_what_they_need():
    with pytest.raises(ValueError, match="needs batches of equal size"):
        losses.relativistic_pairing.discriminator(jnp.zeros(3), jnp.zeros(4))
    with pytest.raises(ValueError, match="needs batches of equal size"):
        losses.relativistic_pairing.generator(jnp.zeros(3), jnp.zeros(4))
    for name in RELATIVISTIC:
        with pytest.raises(ValueError, match="needs real_logits"):
            ADVERSARIAL[name].generator(jnp.zeros(3))
        with pytest.raises(ValueError, match=r"shapes are \(3, 1\) and \(3,\)"):
            ADVERSARIAL[name].generator(jnp.zeros(3), jnp.zeros([3, 1]))


@pytest.mark.parametrize("name", NAMES)
def test_integer_and_empty_logits_are_refused(name):
    with pytest.raises(ValueError, match="must be floating point, not int32"):
        ADVERSARIAL[name].discriminator(jnp.zeros(3), jnp.zeros(3, jnp.int32))
    with pytest.raises(ValueError, match="hold nothing"):
        ADVERSARIAL[name].discriminator(jnp.zeros(0), jnp.zeros(3))


def targets(loss, batch=4000, patches=1):
    """The targets of real and fake images: at D = 0 the gradient is (1/2 - target) / size."""
    logits = jnp.zeros([batch, patches])
    gradients = jax.grad(loss.discriminator, argnums=(0, 1))(logits, logits)
    return [0.5 - logits.size * gradient for gradient in gradients]


def test_smoothing_by_hand():
    loss = losses.with_targets(losses.non_saturating, smoothing=0.25)
    real, fake = jnp.array([LOG3]), jnp.array([0.0])
    value, gradients = jax.value_and_grad(loss.discriminator, argnums=(0, 1))(real, fake)
    np.testing.assert_allclose(
        value, 3 / 4 * np.log(4 / 3) + 1 / 4 * np.log(4) + np.log(2), rtol=1e-6
    )
    np.testing.assert_allclose(gradients[0], 0, atol=1e-7)  # the sigmoid is the target, 3/4
    np.testing.assert_allclose(gradients[1], 0.5, rtol=1e-6)  # one-sided: the fake target stays 0
    assert loss.generator is losses.non_saturating.generator


@pytest.mark.parametrize("name", LOGISTIC)
def test_targets_that_do_nothing_give_the_loss_itself(name):
    loss = losses.with_targets(ADVERSARIAL[name], key=jax.random.key(0))
    real, fake = jnp.array([0.3, -1.2, 2e3]), jnp.array([-0.4, 0.9, -1e4])
    np.testing.assert_allclose(
        loss.discriminator(real, fake), ADVERSARIAL[name].discriminator(real, fake), rtol=1e-6
    )


def test_flips_exchange_labels_of_a_share_of_the_images():
    loss = losses.with_targets(losses.minimax, flip=0.3, smoothing=0.1, key=jax.random.key(0))
    real, fake = targets(loss)
    for flipped, other, target in ((real, 0.9, 0.0), (fake, 0.0, 0.9)):
        is_flipped = jnp.isclose(flipped, target, atol=1e-4)
        assert jnp.all(is_flipped | jnp.isclose(flipped, other, atol=1e-4))
        np.testing.assert_allclose(is_flipped.mean(), 0.3, atol=0.03)
    every = losses.with_targets(losses.minimax, flip=1.0, key=jax.random.key(0))
    x, g = jnp.array([0.3, -1.2]), jnp.array([-0.4, 0.9])
    np.testing.assert_allclose(
        every.discriminator(x, g), losses.minimax.discriminator(g, x), rtol=1e-6
    )


def test_noise_is_uniform_and_stays_within_probabilities():
    loss = losses.with_targets(losses.minimax, noise=0.2, smoothing=0.1, key=jax.random.key(0))
    real, fake = targets(loss)
    for target, low, high in ((real, 0.7, 0.9), (fake, 0.0, 0.2)):
        assert low - 1e-4 <= target.min() < low + 0.01
        assert high - 0.01 < target.max() <= high + 1e-4
        np.testing.assert_allclose(target.mean(), (low + high) / 2, atol=0.01)


def test_an_image_has_one_target_and_a_key_one_draw():
    def draw(seed):
        key = jax.random.key(seed)
        loss = losses.with_targets(losses.minimax, flip=0.5, noise=0.2, key=key)
        return jnp.stack(targets(loss, batch=8, patches=3))

    first = draw(0)
    np.testing.assert_allclose(first, first[:, :, :1].repeat(3, axis=2), atol=1e-6)
    np.testing.assert_array_equal(first, draw(0))
    assert not jnp.allclose(first, draw(1))
    assert not jnp.allclose(first[0], 1 - first[1])


def test_targets_can_be_made_inside_a_jitted_step():
    @jax.jit
    def step(key, logits):
        loss = losses.with_targets(losses.minimax, flip=0.5, key=key)
        return loss.discriminator(logits, logits)

    logits = jnp.linspace(-1, 2, 64)
    values = {float(step(jax.random.key(seed), logits)) for seed in range(4)}
    assert len(values) == 4


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(LOGISTIC)))
def test_losses_without_targets_refuse_them(name):
    with pytest.raises(ValueError, match=f"{name} has none"):
        losses.with_targets(ADVERSARIAL[name], smoothing=0.1)


@pytest.mark.parametrize(
    "options", [{"smoothing": -0.1}, {"noise": 1.5}, {"flip": 2}, {"smoothing": 0.6, "noise": 0.6}]
)
def test_targets_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must lie in"):
        losses.with_targets(losses.minimax, **options, key=jax.random.key(0))


@pytest.mark.parametrize("options", [{"noise": 0.1}, {"flip": 0.1}])
def test_random_targets_need_a_key(options):
    with pytest.raises(ValueError, match="need a key"):
        losses.with_targets(losses.minimax, smoothing=0.1, **options)


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
@pytest.mark.parametrize("container", [list, tuple, dict])
def test_containers_are_no_arrays(name, container):
    """Two scales of one shape would be stacked: one mean of both, and mixed averages."""
    one = jnp.ones((2, 4, 4, 1))
    scales = {"a": one, "b": one} if container is dict else container([one, one])
    loss = losses.ADVERSARIAL[name]
    for call in (loss.discriminator, loss.generator):
        with pytest.raises(ValueError, match=rf"not a {container.__name__}.*multi_scale"):
            call(scales, scales)


def test_scales_are_summed_and_never_mixed():
    real = [jnp.array([1.0, 3.0]), jnp.array([[2.0]])]
    fake = (jnp.array([0.0]), jnp.array([[-1.0], [1.0]]))
    # E D(g) - E D(x) at each scale: 0 - 2 and 0 - 2.
    wasserstein = losses.multi_scale(losses.wasserstein)
    assert wasserstein.discriminator(real, fake) == -4
    assert wasserstein.generator(fake) == 0
    average = losses.multi_scale(losses.relativistic_average)
    expected = sum(map(losses.relativistic_average.generator, fake, real))
    np.testing.assert_allclose(jax.jit(average.generator)(fake, real), expected)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        ([1.0], [1.0, 2.0], "equally many scales, and fake_logits is of 2 where others are of 1"),
        ([], [], "real_logits must be a list or tuple with an array for each scale"),
        (jnp.ones(3), [1.0], "real_logits must be a list or tuple"),
    ],
)
def test_scales_that_do_not_fit(real, fake, message):
    real, fake = (
        [jnp.full(2, x) for x in each] if isinstance(each, list) else each for each in (real, fake)
    )
    with pytest.raises(ValueError, match=message):
        losses.multi_scale(losses.hinge).discriminator(real, fake)
    with pytest.raises(ValueError, match="scales" if message.startswith("eq") else "scale"):
        losses.multi_scale(losses.hinge).generator(fake, real)


# Weights


def by_hand(name: str, player: str, real, fake, real_weights, fake_weights) -> float:
    """Each loss written out again over repeated logits: an integer weight is that many copies."""
    real, fake = np.repeat(real, real_weights), np.repeat(fake, fake_weights)
    loss = getattr(losses.ADVERSARIAL[name], player)
    return float(loss(real, fake) if player == "discriminator" else loss(fake, real))


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("name", [n for n in losses.ADVERSARIAL if n != "relativistic_pairing"])
def test_an_integer_weight_is_so_many_copies(name, player):
    real, fake = jnp.array([0.5, -1.0, 2.0]), jnp.array([1.5, 0.3, -0.7])
    weights = {"real_weights": jnp.array([1, 0, 3]), "fake_weights": jnp.array([2, 2, 0])}
    loss = getattr(losses.ADVERSARIAL[name], player)
    logits = (real, fake) if player == "discriminator" else (fake, real)
    expected = by_hand(name, player, real, fake, *weights.values())
    assert float(loss(*logits, **weights)) == pytest.approx(expected, rel=1e-6)


def test_a_pair_weighs_the_product_of_its_two():
    real, fake = jnp.array([0.5, -1.0, 2.0]), jnp.array([1.5, 0.3, -0.7])
    value = losses.relativistic_pairing.discriminator(
        real, fake, real_weights=jnp.array([1.0, 2.0, 0.0]), fake_weights=jnp.array([3.0, 1.0, 9.0])
    )
    terms = np.log1p(np.exp(np.array([1.0, 1.3])))
    assert float(value) == pytest.approx((3 * terms[0] + 2 * terms[1]) / 5, rel=1e-6)


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
def test_padding_changes_nothing_whatever_it_holds(name):
    real, fake = jax.random.normal(jax.random.key(0), [2, 4, 3])
    mask = jnp.array([True, True, False, True])
    padded = [jnp.where(mask[:, None], logits, jnp.nan) for logits in (real, fake)]
    loss = losses.ADVERSARIAL[name]

    def both(real, fake, **weights):
        own = (
            {"real_weights": weights.get("w"), "fake_weights": weights.get("w")} if weights else {}
        )
        return loss.discriminator(real, fake, **own) + loss.generator(fake, real, **own)

    value, gradient = jax.value_and_grad(both, argnums=(0, 1))(*padded, w=mask)
    kept = [logits[mask] for logits in (real, fake)]
    expected, slope = jax.value_and_grad(both, argnums=(0, 1))(*kept)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    for found, wanted in zip(gradient, slope, strict=True):
        np.testing.assert_allclose(found[mask], wanted, rtol=1e-5, atol=1e-7)
        assert not found[~mask].any()


def test_weights_of_single_logits_and_no_weight_at_all():
    logits = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    weights = jnp.array([[1.0, 0.0], [0.0, 3.0]])
    assert losses.wasserstein.generator(logits, fake_weights=weights) == -13 / 4
    nothing = jnp.zeros(2)
    value, slope = jax.value_and_grad(
        lambda logits: losses.hinge.discriminator(logits, logits, nothing, nothing)
    )(logits)
    assert value == 0
    assert not slope.any()


@pytest.mark.parametrize("weights", [jnp.ones(2), jnp.ones([3, 1]), jnp.ones(3, complex)])
def test_weights_that_do_not_fit_are_refused(weights):
    logits = jnp.ones([3, 2])
    with pytest.raises(ValueError, match=r"fake_weights must be real numbers of shape \(3,\)"):
        losses.hinge.generator(logits, fake_weights=weights)


def test_weighted_targets_and_scales():
    real, fake, weights = jnp.array([1.0, 9.0]), jnp.array([-1.0, 9.0]), jnp.array([1.0, 0.0])
    soft = losses.with_targets(losses.non_saturating, smoothing=0.1)
    assert soft.discriminator(real, fake, weights, weights) == pytest.approx(
        float(soft.discriminator(real[:1], fake[:1])), rel=1e-6
    )
    scales = losses.multi_scale(losses.hinge)
    value = scales.discriminator([real, real], [fake, fake], None, [weights, None])
    one = losses.hinge.discriminator(real, fake, None, weights)
    two = losses.hinge.discriminator(real, fake)
    assert value == one + two
    with pytest.raises(ValueError, match="real_weights is of 1 where others are of 2"):
        scales.discriminator([real, real], [fake, fake], [weights])


def test_losses_of_single_images_are_those_of_batches_of_one():
    logits = jnp.array([[2.0, -1.0], [0.5, 0.0], [-3.0, 1.0]])
    each = jax.vmap(lambda logit: losses.non_saturating.generator(logit[None]))(logits)
    np.testing.assert_allclose(each, np.log1p(np.exp(-logits)).mean(1), rtol=1e-6)
    np.testing.assert_allclose(each.mean(), losses.non_saturating.generator(logits), rtol=1e-6)


# Traced options, pickles and copies


def test_numbers_may_be_traced():
    real, fake = jnp.array([1.0, -2.0]), jnp.array([0.5, 0.3])

    @jax.jit
    def traced(smoothing, noise, flip, target, key):
        soft = losses.with_targets(
            losses.minimax, smoothing=smoothing, noise=noise, flip=flip, key=key
        )
        squares = losses.make_least_squares(real_target=target)
        return soft.discriminator(real, fake), squares.discriminator(real, fake)

    found = traced(0.1, 0.2, 0.3, 0.9, jax.random.key(0))
    plain = losses.with_targets(
        losses.minimax, smoothing=0.1, noise=0.2, flip=0.3, key=jax.random.key(0)
    )
    np.testing.assert_allclose(found[0], plain.discriminator(real, fake), rtol=1e-6)
    squares = losses.make_least_squares(real_target=0.9)
    np.testing.assert_allclose(found[1], squares.discriminator(real, fake), rtol=1e-6)

    @jax.jit
    def without_a_key(noise):
        return losses.with_targets(losses.minimax, noise=noise).discriminator(real, fake)

    with pytest.raises(ValueError, match="need a key"):
        without_a_key(0.1)


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
def test_losses_are_the_same_ones_after_pickling_and_copying(name):
    loss = losses.ADVERSARIAL[name]
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert copy.deepcopy(loss) == copy.copy(loss) == loss
    assert "softplus" in losses.minimax.generator.lower(jnp.ones(2)).as_text(debug_info=True)
    losses.with_targets(losses.minimax, smoothing=0.1)


def test_made_losses_pickle():
    real, fake = jnp.array([1.0, -2.0]), jnp.array([0.5, 0.3])
    for loss in (
        losses.make_least_squares(real_target=0.9),
        losses.with_targets(losses.minimax, smoothing=0.1),
    ):
        again = pickle.loads(pickle.dumps(loss))
        assert again.discriminator(real, fake) == loss.discriminator(real, fake)
        assert again.generator(fake) == loss.generator(fake)
    scales = pickle.loads(pickle.dumps(losses.multi_scale(losses.hinge)))
    assert scales.generator([fake]) == losses.hinge.generator(fake)


@pytest.mark.parametrize("name", losses.ADVERSARIAL)
def test_help_explains_a_loss(name):
    """Its formula and its source, and for each player the arguments in their order."""
    loss = losses.ADVERSARIAL[name]
    shown = pydoc.plain(pydoc.render_doc(loss))
    assert "discriminator  " in shown
    assert "generator  " in shown
    assert "arXiv:" in shown
    for player, first in (("discriminator", "real"), ("generator", "fake")):
        shown = pydoc.plain(pydoc.render_doc(getattr(loss, player)))
        assert f"The {player}'s loss. " in shown
        arguments = re.findall(r"(\w+_(?:logits|weights)):", shown)
        assert arguments[0] == f"{first}_logits"
        assert sorted(arguments) == ["fake_logits", "fake_weights", "real_logits", "real_weights"]


def test_what_is_made_of_a_loss_explains_itself_too():
    softened = losses.with_targets(losses.minimax, smoothing=0.1)
    scales = losses.multi_scale(losses.hinge)
    for pair, source in ((softened, "1406.2661"), (scales, "1705.02894")):
        assert source in pair.__doc__
        assert pickle.loads(pickle.dumps(pair)).__doc__ == pair.__doc__
    assert "- 0.9)²" in losses.make_least_squares(real_target=0.9).__doc__
