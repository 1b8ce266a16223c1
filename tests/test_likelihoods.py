"""Likelihoods and divergences against SciPy, closed forms and numerical integrals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxgan import likelihoods

OUTPUTS = jnp.array([[[0.3], [-1.2]], [[2.0], [0.0]]])
SAMPLES = jnp.array([[[1.0], [-1.0]], [[0.5], [-0.2]]])


def test_bernoulli_is_that_of_scipy_for_black_and_white():
    mean = np.tanh(np.asarray(OUTPUTS[:1]))  # The picture 2 μ - 1.
    expected = scipy.stats.bernoulli.logpmf([[[1], [0]]], (mean + 1) / 2).sum()
    found = likelihoods.bernoulli_log_likelihood(OUTPUTS[:1], SAMPLES[:1])
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


def test_bernoulli_of_grey_is_a_cross_entropy_and_never_overflows():
    p, mu = 0.75, 1 / (1 + np.exp(-4.0))
    expected = p * np.log(mu) + (1 - p) * np.log(1 - mu) + 0.4 * np.log(0.5) + 0.6 * np.log(0.5)
    found = likelihoods.bernoulli_log_likelihood(OUTPUTS, SAMPLES)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    sure = jnp.full((1, 2), 1e4)
    assert likelihoods.bernoulli_log_likelihood(sure, -jnp.ones((1, 2))) == -4e4
    assert likelihoods.bernoulli_log_likelihood(sure, jnp.ones((1, 2))) == 0


def test_gaussian_is_that_of_scipy():
    expected = scipy.stats.norm.logpdf(SAMPLES, OUTPUTS, 0.3).sum((1, 2))
    found = likelihoods.gaussian_log_likelihood(OUTPUTS, SAMPLES, jnp.log(0.3))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    vectors, mean = np.array([[1.0, -2.0]]), np.array([[0.5, 0.1]])
    log_variance = np.array([[0.2, -1.0]])
    expected = scipy.stats.norm.logpdf(vectors, mean, np.exp(log_variance / 2)).sum(1)
    found = likelihoods.normal_log_density(jnp.asarray(vectors), mean, log_variance)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_learnt_scale_is_the_root_mean_square():
    """The most likely scale of residuals, where its derivative is 0."""
    rms = jnp.sqrt(jnp.mean(jnp.square(SAMPLES - OUTPUTS)))
    slope = jax.grad(
        lambda scale: likelihoods.gaussian_log_likelihood(OUTPUTS, SAMPLES, scale).sum()
    )(jnp.log(rms))
    np.testing.assert_allclose(slope, 0, atol=1e-5)


def test_the_kl_is_the_integral_and_0_at_the_prior():
    mean, log_variance = jnp.array([[0.7]]), jnp.array([[-0.9]])
    x = np.linspace(-8, 8, 20_001)
    q = scipy.stats.norm(0.7, np.exp(-0.45))
    integral = np.trapezoid(q.pdf(x) * (q.logpdf(x) - scipy.stats.norm.logpdf(x)), x)
    np.testing.assert_allclose(likelihoods.normal_kl(mean, log_variance), [integral], rtol=1e-5)
    nothing = jnp.zeros((3, 4))
    assert not likelihoods.normal_kl(nothing, nothing).any()
    # Near the prior: ½ (m² + v²/2), which a plain difference of floats would lose.
    near = jnp.full((1, 1), 1e-3)
    np.testing.assert_allclose(likelihoods.normal_kl(near, near), [0.75e-6], rtol=1e-3)


def test_derivatives_of_the_kl_are_the_closed_ones():
    mean, log_variance = jnp.array([[0.7, -0.1]]), jnp.array([[-0.9, 0.4]])
    slopes = jax.grad(lambda m, v: likelihoods.normal_kl(m, v).sum(), (0, 1))(mean, log_variance)
    np.testing.assert_allclose(slopes[0], mean, rtol=1e-6)
    np.testing.assert_allclose(slopes[1], jnp.expm1(log_variance) / 2, rtol=1e-6)


def test_the_importance_weighted_bound_by_hand():
    weights = jnp.log(jnp.array([[1.0, 4.0], [3.0, 4.0]]))
    np.testing.assert_allclose(
        likelihoods.importance_weighted(weights), np.log([2.0, 4.0]), rtol=1e-6
    )
    huge = jnp.full((2, 1), -1e4)
    assert likelihoods.importance_weighted(huge) == -1e4


@pytest.mark.parametrize(
    "function", [likelihoods.bernoulli_log_likelihood, likelihoods.gaussian_log_likelihood]
)
def test_what_does_not_fit_is_refused(function):
    with pytest.raises(ValueError, match="must have one shape"):
        function(jnp.ones((2, 3)), jnp.ones((2, 1)))
    with pytest.raises(ValueError, match="samples must be floating point, not uint8"):
        function(jnp.ones((2, 3)), jnp.ones((2, 3), jnp.uint8))
