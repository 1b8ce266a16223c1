"""The adaptive adversarial weight: a ratio of two lengths, clipped, and a constant."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.games.weighting import adaptive_weight, balanced

THREE_FOUR = {"kernel": jnp.array([[3.0, 0.0]]), "bias": jnp.array([4.0])}  # of length 5
ONE_TWO = {"kernel": jnp.array([[0.0, 1.0]]), "bias": jnp.array([-2.0])}  # of length √5


def test_a_ratio_of_lengths_by_hand():
    weight = adaptive_weight(THREE_FOUR, ONE_TWO)
    np.testing.assert_allclose(weight, 5 / (5**0.5 + 1e-4), rtol=1e-6)
    assert (weight.shape, weight.dtype) == ((), jnp.float32)
    np.testing.assert_allclose(
        adaptive_weight(ONE_TWO, THREE_FOUR, epsilon=0.5), 5**0.5 / 5.5, rtol=1e-6
    )
    np.testing.assert_allclose(adaptive_weight(jnp.array(-6.0), 2.0, epsilon=1.0), 2, rtol=1e-6)


def test_the_weight_evens_the_two_terms():
    """Scaled losses are weighed so that the terms' gradients stay equally long."""
    for scale in (1e-3, 1.0, 100.0):
        scaled = jax.tree.map(lambda leaf, scale=scale: scale * leaf, ONE_TWO)
        weight = adaptive_weight(THREE_FOUR, scaled, epsilon=1e-9)
        np.testing.assert_allclose(weight * scale * 5**0.5, 5, rtol=1e-5)


def test_a_vanishing_gradient_gives_a_weight_within_bounds():
    zero = jax.tree.map(jnp.zeros_like, ONE_TWO)
    assert adaptive_weight(THREE_FOUR, zero) == 1e4  # 5 / 1e-4 is more.
    assert adaptive_weight(THREE_FOUR, zero, largest=7.0) == 7
    np.testing.assert_allclose(adaptive_weight(THREE_FOUR, zero, epsilon=1e-2), 500, rtol=1e-6)
    assert adaptive_weight(zero, ONE_TWO) == 0
    assert adaptive_weight(zero, zero) == 0


def test_gradients_of_few_digits_are_squared_in_float32():
    """The square of 300 is beyond float16, that of 1e-4 below it."""
    large, small = jnp.full(4, 300.0, jnp.float16), jnp.full(4, 1e-4, jnp.float16)
    weight = adaptive_weight(large, small, largest=1e8, epsilon=1e-8)
    assert weight.dtype == jnp.float32
    np.testing.assert_allclose(weight, 3e6, rtol=1e-3)


def test_the_bounds_may_be_traced():
    weight = jax.jit(lambda m, e: adaptive_weight(THREE_FOUR, ONE_TWO, largest=m, epsilon=e))
    assert weight(1.5, 1e-4) == 1.5
    np.testing.assert_allclose(weight(100.0, 1.0), 5 / (5**0.5 + 1), rtol=1e-6)


LAST = jnp.array([2.0, -1.0])


def reconstruction(last):
    """A loss with the gradient (4, -2) at LAST."""
    return jnp.square(last).sum()


def adversarial(last):
    """A loss with the gradient (0, 10)."""
    return 10 * last[1]


def test_the_weight_of_two_losses_by_hand():
    weight = balanced(reconstruction, adversarial, LAST)
    np.testing.assert_allclose(weight, 20**0.5 / 10, rtol=1e-4)
    with_bias = balanced(
        lambda last: reconstruction(last["kernel"]) + 3 * last["bias"],
        lambda last: adversarial(last["kernel"]) + 0 * last["bias"],
        {"kernel": LAST, "bias": jnp.array(1.0)},
        epsilon=1.0,
    )
    np.testing.assert_allclose(with_bias, 29**0.5 / 11, rtol=1e-6)
    assert balanced(reconstruction, adversarial, LAST, largest=0.25) == 0.25


def test_within_a_loss_the_weight_is_a_constant():
    """The gradient of r + λ a is ∇r + λ ∇a, whose two parts are equally long."""

    @jax.jit
    def slope(last):
        def loss(last):
            weight = balanced(reconstruction, adversarial, last, epsilon=1e-9)
            return reconstruction(last) + weight * adversarial(last)

        return jax.grad(loss)(last)

    found = np.asarray(slope(LAST))
    np.testing.assert_allclose(found, [4, -2 + 20**0.5], rtol=1e-6)
    of_weight = jax.grad(lambda last: balanced(reconstruction, adversarial, last))(LAST)
    np.testing.assert_array_equal(of_weight, [0, 0])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((THREE_FOUR, LAST), {}, "must be of one layer"),
        ((LAST, LAST[:1]), {}, r"shapes \(2,\) and \(1,\)"),
        (({}, {}), {}, "reconstruction_gradient must hold at least one array"),
        ((np.arange(2), LAST), {}, "reconstruction_gradient must be floating point, not int"),
        (({"w": LAST}, {"w": np.arange(2)}), {}, r"adversarial_gradient\['w'\] must be floating"),
        ((LAST, LAST), {"largest": 0}, "largest of an adaptive weight must be positive, not 0"),
        ((LAST, LAST), {"epsilon": -1.0}, "epsilon of an adaptive weight must be positive, not -1"),
        ((LAST, LAST), {"epsilon": float("nan")}, "must be positive, not nan"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        adaptive_weight(*arguments, **options)
