"""Losses of translation, reconstruction and features, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.consistency import (
    cycle_consistency_loss,
    feature_matching_loss,
    identity_loss,
    perceptual_loss,
    reconstruction_loss,
)

LOSSES = [cycle_consistency_loss, identity_loss]
IMAGES = jnp.array([[0.0, 1.0], [-1.0, 0.5]]).reshape(2, 1, 2, 1)
OTHER = jnp.array([[0.5, 1.0], [1.0, 0.0]]).reshape(2, 1, 2, 1)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_absolute_difference(loss):
    assert float(loss(IMAGES, OTHER)) == (0.5 + 0 + 2 + 0.5) / 4
    assert float(loss(IMAGES, IMAGES)) == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_signs_over_the_count(loss):
    found = jax.grad(loss, argnums=1)(IMAGES, OTHER + jnp.array([0, 0.25]).reshape(1, 1, 2, 1))
    np.testing.assert_allclose(found.ravel(), [0.25, 0.25, 0.25, -0.25])


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_pixels_are_not_moved(loss):
    np.testing.assert_array_equal(jax.grad(loss, argnums=1)(IMAGES, IMAGES), 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_is_averaged_in_float32(loss):
    many = jnp.full((1, 64, 64, 1), 1.0, jnp.bfloat16)
    value = loss(many, many * 0.75)
    assert (value.dtype, float(value)) == (jnp.float32, 0.25)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(2, 1, 2), (2, 1, 1, 1), (1, 1, 2, 1), (2, 2, 1, 1)])
def test_other_shapes_are_refused_and_not_broadcast(loss, shape):
    with pytest.raises(ValueError, match=r"one shape and hold something, not \[2, 1, 2, 1\] and"):
        loss(IMAGES, jnp.ones(shape))


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_has_no_mean(loss):
    with pytest.raises(ValueError, match="hold something"):
        loss(jnp.ones((0, 2)), jnp.ones((0, 2)))


def test_complex_numbers_are_refused():
    with pytest.raises(ValueError, match="must be real numbers, not complex64"):
        cycle_consistency_loss(jnp.ones((2, 3)), jnp.full((2, 3), 1j))


def hand_images():
    """Differences 0.5, 0, 2 and -0.5."""
    return OTHER, IMAGES


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("l1", 3 / 4),
        ("l2", (0.25 + 4 + 0.25) / 4),
        # √(d² + 1.2²): 1.3, 1.2, √5.44 and 1.3.
        ("charbonnier", (1.3 + 1.2 + 5.44**0.5 + 1.3) / 4),
    ],
)
def test_reconstruction_by_hand(kind, expected):
    value = reconstruction_loss(*hand_images(), kind, epsilon=1.2)
    assert (value.dtype, value.shape) == (jnp.float32, ())
    assert float(value) == pytest.approx(expected, rel=1e-6)


def test_reconstruction_is_the_mean_absolute_difference_unless_told_otherwise():
    assert float(reconstruction_loss(*hand_images())) == 0.75


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("l1", [1, 0, 1, -1]),
        ("l2", [1, 0, 4, -1]),  # 2 d
        ("charbonnier", [0.5 / 1.3, 0, 2 / 5.44**0.5, -0.5 / 1.3]),  # d / √(d² + ε²)
    ],
)
def test_gradients_of_reconstruction(kind, expected):
    found = jax.grad(reconstruction_loss)(*hand_images(), kind, epsilon=1.2)
    np.testing.assert_allclose(found.ravel(), np.array(expected) / 4, rtol=1e-6)


def test_charbonnier_of_equal_images_is_epsilon_with_no_gradient():
    value, gradient = jax.value_and_grad(reconstruction_loss)(IMAGES, IMAGES, "charbonnier")
    assert float(value) == pytest.approx(1e-3, rel=1e-6)
    np.testing.assert_array_equal(gradient, 0)
    least = jax.grad(reconstruction_loss)(IMAGES, IMAGES, "charbonnier", epsilon=1e-18)
    np.testing.assert_array_equal(least, 0)


def test_epsilon_may_be_traced():
    def loss(epsilon):
        return reconstruction_loss(IMAGES, IMAGES, "charbonnier", epsilon=epsilon)

    assert float(jax.jit(loss)(0.5)) == 0.5


@pytest.mark.parametrize(
    ("shape", "weights", "expected"),
    [
        ((2, 1, 2, 1), [1, 0, 1, 0], (0.5 + 2) / 2),  # The pixels of a hole alone
        ((2, 1, 1, 1), [3, 1], (3 * 0.5 + 2.5) / 8),  # Weights of samples
        ((1, 1, 2, 1), [1, 2], (0.5 + 2 + 2 * 0.5) / 6),
        ((1, 1, 1, 1), [7], 0.75),
        ((2, 1, 2, 1), [0, 0, 0, 0], 0),
    ],
)
def test_weights_make_a_weighted_mean(shape, weights, expected):
    weights = np.reshape(np.int32(weights), shape)
    assert float(reconstruction_loss(*hand_images(), weights=weights)) == pytest.approx(expected)


def test_a_weight_of_a_pixel_holds_for_its_channels():
    """As if each channel were an image of its own."""
    rng = np.random.default_rng(0)
    images, targets = rng.normal(size=(2, 3, 4, 5, 2)).astype(np.float32)
    weights = rng.uniform(size=(3, 4, 5, 1)).astype(np.float32)
    expected = (weights * np.square(images - targets)).sum() / (2 * weights.sum())
    found = reconstruction_loss(images, targets, "l2", weights=weights)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_what_weighs_nothing_has_no_gradient_even_if_it_is_no_number():
    images = IMAGES.at[0, 0, 0].set(jnp.nan)
    weights = jnp.array([0, 1, 1, 1]).reshape(IMAGES.shape)
    value, gradient = jax.value_and_grad(reconstruction_loss)(images, OTHER, weights=weights)
    assert float(value) == pytest.approx((2 + 0.5) / 3)
    np.testing.assert_allclose(gradient.ravel(), [0, 0, -1 / 3, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize(
    "shape", [(), (2,), (2, 1, 2), (2, 2, 2, 1), (1, 2, 1, 2, 1), (2, 1, 3, 1)]
)
def test_weights_of_other_axes_are_refused(shape):
    with pytest.raises(ValueError, match=r"axes as images \[2, 1, 2, 1\], .*not float32 \["):
        reconstruction_loss(IMAGES, OTHER, weights=jnp.ones(shape))


@pytest.mark.parametrize("epsilon", [0, -1.0, 1e-19, float("inf"), float("nan")])
def test_epsilons_without_a_root_are_refused(epsilon):
    with pytest.raises(ValueError, match=f"finite and at least 1e-18, .*not {epsilon}$"):
        reconstruction_loss(IMAGES, OTHER, "charbonnier", epsilon=epsilon)


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="one of l1, l2, charbonnier, not 'huber'"):
        reconstruction_loss(IMAGES, OTHER, "huber")
    with pytest.raises(ValueError, match="one of l1, l2, not 'charbonnier'"):
        perceptual_loss(two_layers, IMAGES, OTHER, "charbonnier")


def two_layers(images):
    """Features of two sizes: the images doubled, and each sample's sum."""
    return {"a": 2 * images, "b": (images.sum((1, 2, 3)),)}


def by_hand(kind):
    power = {"l1": np.abs, "l2": np.square}[kind]
    # Twice the differences; sums over samples: 1.5 against 1, and 1 against -0.5.
    return (power(np.array([1.0, 0, 4, -1])).mean() + power(np.array([0.5, 1.5])).mean()) / 2


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_perceptual_loss_is_the_mean_over_layers_of_each_layers_mean(kind):
    value = perceptual_loss(two_layers, *hand_images(), kind)
    assert (value.dtype, value.shape) == (jnp.float32, ())
    assert float(value) == by_hand(kind)


def test_perceptual_loss_is_of_squares_unless_told_otherwise_and_takes_one_array():
    assert float(perceptual_loss(two_layers, *hand_images())) == by_hand("l2")
    one = perceptual_loss(lambda images: 2 * images, *hand_images())
    assert float(one) == 18 / 4


def test_the_gradient_of_a_perceptual_loss_is_the_images_alone():
    of_images, of_targets = jax.grad(perceptual_loss, argnums=(1, 2))(two_layers, *hand_images())
    np.testing.assert_array_equal(of_targets, 0)
    # Halves of 2 d 2 / 4 for the doubled images, d once more doubled, and of 2 d / 2 for the sums.
    doubled, sums = np.array([1.0, 0, 4, -1]), np.array([0.5, 0.5, 1.5, 1.5])
    np.testing.assert_allclose(of_images.ravel(), (doubled + sums) / 2, rtol=1e-6)


def test_nothing_is_learnt_by_what_makes_the_targets_features():
    """Not even by parameters that both sides share: only the images' side counts."""

    def loss(scale):
        return perceptual_loss(lambda images: scale * images, *hand_images(), "l1")

    expected = float(jnp.mean(jnp.sign(OTHER - IMAGES) * OTHER))
    assert float(jax.grad(loss)(1.0)) == pytest.approx(expected)


REAL_FEATURES = {"a": jnp.array([[1.0, 2.0]]), "b": [jnp.array([0.0, 0.0, 3.0, 1.0])]}
FAKE_FEATURES = {"a": jnp.array([[1.0, 0.0]]), "b": [jnp.array([1.0, 0.0, 0.0, -1.0])]}


def test_feature_matching_by_hand():
    value = feature_matching_loss(REAL_FEATURES, FAKE_FEATURES)
    assert float(value) == (2 / 2 + (1 + 3 + 2) / 4) / 2
    assert float(feature_matching_loss(REAL_FEATURES, REAL_FEATURES)) == 0


def test_feature_matching_moves_the_fakes_alone():
    of_real, of_fake = jax.grad(feature_matching_loss, argnums=(0, 1))(REAL_FEATURES, FAKE_FEATURES)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(of_real))
    np.testing.assert_allclose(of_fake["a"], [[0, -0.25]])
    np.testing.assert_allclose(of_fake["b"][0], np.array([1, 0, -1, -1]) / 8)


def test_pix2pixhds_sum_over_four_hidden_layers_is_four_times_it():
    rng = np.random.default_rng(0)
    real, fake = ([rng.normal(size=(2, 3, n)) for n in (2, 4, 8, 8)] for _ in range(2))
    of_layers = [np.abs(a - b).mean() for a, b in zip(real, fake, strict=True)]
    theirs = sum(4 / (3 + 1) * layer for layer in of_layers)
    assert float(4 * feature_matching_loss(real, fake)) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        reconstruction_loss,
        lambda a, b: perceptual_loss(lambda images: [images], a, b, "l1"),
        lambda a, b: feature_matching_loss([a], [b]),
    ],
)
def test_new_losses_too_average_half_precision_in_float32(loss):
    many = jnp.full((1, 64, 64, 1), 1.0, jnp.bfloat16)
    value = loss(many, many * 0.75)
    assert (value.dtype, float(value)) == (jnp.float32, 0.25)


@pytest.mark.parametrize("shape", [(2, 1, 2), (2, 1, 1, 1), (1, 1, 2, 1)])
def test_images_and_targets_of_other_shapes_are_refused(shape):
    for loss in (reconstruction_loss, lambda a, b: perceptual_loss(two_layers, a, b)):
        with pytest.raises(ValueError, match=r"images and targets must have one shape"):
            loss(IMAGES, jnp.ones(shape))


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        ({"a": jnp.ones((1, 2))}, r"one structure, but \['b'\]\[0\] is in the first alone"),
        ({**FAKE_FEATURES, "c": 1.0}, r"one structure, but \['c'\] is in the second alone"),
        (jnp.ones((1, 2)), r"but an array itself is in the second alone"),
        (
            {**FAKE_FEATURES, "b": [jnp.ones(3)]},
            r"real_features\['b'\]\[0\] and fake_features\['b'\]\[0\] must have one shape and hold "
            r"something, not \[4\] and \[3\]",
        ),
        (
            {**FAKE_FEATURES, "a": jnp.full((1, 2), 1j)},
            r"fake_features\['a'\] must be real numbers, not complex64",
        ),
    ],
)
def test_features_that_do_not_fit_are_named(fake, message):
    with pytest.raises(ValueError, match=message):
        feature_matching_loss(REAL_FEATURES, fake)


def test_no_features_are_refused():
    with pytest.raises(ValueError, match="must hold at least one array, not none"):
        feature_matching_loss([], [])
    with pytest.raises(ValueError, match=r"features of images\[0\] .* hold something"):
        perceptual_loss(lambda images: [images[:0]], IMAGES, OTHER)
