"""Latents with codes, and what recognising them costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import codes
from jaxgan.codes import Codes

MIXED = Codes((3, 2), 2)
KEY = jax.random.key(0)


def test_a_latent_is_noise_then_categories_then_numbers():
    latents = codes.prior(4, MIXED)(KEY, 1000)
    assert latents.shape == (1000, 4 + 3 + 2 + 2)
    parts = codes.take_apart(latents, MIXED)
    np.testing.assert_array_equal(parts.joined(), latents)
    assert parts.noise.shape == (1000, 4)
    for code, categories in zip(parts.categorical, MIXED.categorical, strict=True):
        assert set(np.unique(code)) == {0, 1}
        np.testing.assert_array_equal(code.sum(-1), 1)
        shares = np.asarray(code.mean(0))
        # Four standard deviations of a share.
        assert np.abs(shares - 1 / categories).max() < 4 * np.sqrt(0.25 / 1000)
    numbers = np.asarray(parts.continuous)
    assert -1 <= numbers.min() < -0.99
    assert 0.99 < numbers.max() < 1
    # Nothing depends on anything else.
    correlation = np.corrcoef(np.concatenate([parts.noise, numbers], -1).T) - np.eye(6)
    assert np.abs(correlation).max() < 4 / np.sqrt(1000)


def test_a_smaller_count_gives_the_head_of_a_larger():
    draw = codes.prior(3, MIXED, "uniform")
    np.testing.assert_array_equal(draw(KEY, 5), draw(KEY, 9)[:5])
    assert np.abs(draw(KEY, 100)[:, :3]).max() < 1


def test_without_codes_there_is_noise_alone():
    assert codes.prior(3, Codes())(KEY, 2).shape == (2, 3)


def outputs_and_parts():
    parts = codes.Parts(
        noise=jnp.zeros((2, 1)),
        categorical=(jnp.array([[1.0, 0, 0], [0, 0, 1]]), jnp.array([[0.0, 1], [1, 0]])),
        continuous=jnp.array([[0.5, -1.0], [0.0, 0.25]]),
    )
    logits = np.array([[0.0, 0, 0, 1, -1], [2, 0, 1, 0, 3]])
    means = np.array([[0.0, -1], [1, 0.25]])
    return logits, means, parts


def test_categories_cost_their_cross_entropies():
    logits, means, parts = outputs_and_parts()
    outputs = jnp.asarray(np.concatenate([logits, means], -1))
    first = np.log(3), np.log(np.exp([2, 0, 1]).sum()) - 1
    second = np.log(1 + np.exp(2)), np.log(1 + np.exp(3))
    expected = (sum(first) + sum(second)) / 2
    np.testing.assert_allclose(codes.categorical_loss(outputs, parts), expected, rtol=1e-6)


def test_numbers_cost_half_their_squares():
    logits, means, parts = outputs_and_parts()
    outputs = jnp.asarray(np.concatenate([logits, means], -1))
    expected = (0.5**2 + 1) / 2 / 2  # Over two samples.
    np.testing.assert_allclose(codes.continuous_loss(outputs, parts), expected, rtol=1e-6)


def test_learnt_variances_are_gaussian_likelihoods():
    """Against SciPy's density."""
    stats = pytest.importorskip("scipy.stats")
    logits, means, parts = outputs_and_parts()
    log_variances = np.array([[0.0, -1], [2, 0.5]])
    outputs = jnp.asarray(np.concatenate([logits, means, log_variances], -1))
    assert codes.outputs_for(MIXED, learn_variance=True) == outputs.shape[1]
    assert codes.outputs_for(MIXED) == outputs.shape[1] - 2
    density = stats.norm(means, np.exp(log_variances / 2))
    expected = -(density.logpdf(np.asarray(parts.continuous)).sum(-1)).mean() - np.log(2 * np.pi)
    np.testing.assert_allclose(codes.continuous_loss(outputs, parts), expected, rtol=1e-5)


def test_the_bound_is_tight_for_a_recogniser_that_knows():
    """Cross entropy 0 where it is certain and right; log K where it knows nothing."""
    parts = codes.take_apart(codes.prior(1, Codes((10,)))(KEY, 50), Codes((10,)))
    knows = codes.categorical_loss(1e3 * parts.categorical[0], parts)
    guesses = codes.categorical_loss(jnp.zeros((50, 10)), parts)
    np.testing.assert_allclose([knows, guesses], [0, np.log(10)], atol=1e-6)


@pytest.mark.parametrize(("code", "count"), [(0, 3), (1, 2), (2, 5), (3, 5)])
def test_a_sweep_changes_one_code(code, count):
    latent = codes.prior(4, MIXED)(KEY, 1)[0]
    swept = codes.sweep(latent, MIXED, code, steps=5, limit=2.0)
    assert swept.shape == (count, 11)
    columns = [slice(4, 7), slice(7, 9), slice(9, 10), slice(10, 11)][code]
    rest = np.delete(np.asarray(swept), np.r_[columns], axis=1)
    np.testing.assert_array_equal(rest, np.tile(np.delete(latent, np.r_[columns]), (count, 1)))
    expected = np.eye(count) if code < 2 else np.linspace(-2, 2, 5)[:, None]
    np.testing.assert_allclose(swept[:, columns], expected, atol=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="2 categories or more, not 1"):
        codes.prior(3, Codes((1,)))
    with pytest.raises(ValueError, match="0 continuous codes or more, not -1"):
        codes.prior(3, Codes((), -1))
    with pytest.raises(ValueError, match="code 4 does not exist: there are 4, numbered from 0"):
        codes.sweep(jnp.zeros(11), MIXED, 4)
