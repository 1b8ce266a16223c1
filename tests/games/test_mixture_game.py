"""EM against scikit-learn from the same start, and what degenerate data do to it."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from jaxgan.games import Turn
from jaxgan.games.mixture import free_parameters, gaussian_mixture, log_joint, seeds
from jaxgan.networks import Variables

KINDS = {"full": "full", "tied": "tied", "diagonal": "diag"}
RNG = np.random.default_rng(0)
CENTERS = np.array([[-2.0, 0.0, 1.0], [2.0, 1.0, 0.0], [0.0, -3.0, 0.0]])
POINTS = CENTERS[RNG.integers(3, size=300)] + RNG.normal(size=(300, 3)) * [1.0, 0.5, 0.2]


def made(components=3, shape=(3,), **options):
    return gaussian_mixture(components, shape=shape, **options)


def fit(game, points, steps, dtype=jnp.float32, start=None):
    """The params after some steps, and the log likelihoods before each."""
    batch = {"real": jnp.asarray(points, dtype)}
    sides, carry = game.init(jax.random.key(0), batch)
    if start is not None:
        sides = {"mixture": Variables(start, {})}
    seen = []
    step = jax.jit(game.move("mixture").update)
    for number in range(steps):
        turn = Turn(batch, jax.random.key(number), jnp.array(number), carry)
        params, aux = step(sides, turn)
        sides, carry = {"mixture": Variables(params, {})}, aux.carry
        seen.append(float(aux.scalars["log_likelihood"]))
    return sides["mixture"].params, seen


def peer(covariance, start, steps, floor):
    """scikit-learn's mixture after as many steps from the same start."""
    spread = np.asarray(start["covariances"])
    if covariance == "diagonal":
        precisions = 1 / spread
    else:
        precisions = np.linalg.inv(spread[0] if covariance == "tied" else spread)
    mixture = GaussianMixture(
        len(spread),
        covariance_type=KINDS[covariance],
        weights_init=np.asarray(start["weights"]),
        means_init=np.asarray(start["means"]),
        precisions_init=precisions,
        max_iter=steps,
        tol=0,
        reg_covar=floor,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(POINTS)


@pytest.mark.parametrize("covariance", KINDS)
def test_every_step_is_that_of_scikit_learn(covariance):
    with jax.enable_x64(True):
        game = made(covariance=covariance, floor=1e-6)
        start, _ = fit(game, POINTS, 0, jnp.float64)
        for steps in (1, 2, 5, 20):
            found, seen = fit(game, POINTS, steps, jnp.float64, start)
            theirs = peer(covariance, start, steps, 1e-6)
            assert seen[-1] == pytest.approx(theirs.lower_bound_, abs=1e-6)
            np.testing.assert_allclose(found["means"], theirs.means_, atol=1e-6)
            np.testing.assert_allclose(found["weights"], theirs.weights_, atol=1e-6)
            spread = found["covariances"]
            expected = np.broadcast_to(theirs.covariances_, spread.shape)
            np.testing.assert_allclose(spread, expected, atol=1e-6)
        assert free_parameters(3, 3, covariance) == theirs._n_parameters()


@pytest.mark.parametrize("covariance", KINDS)
def test_the_likelihood_never_falls(covariance):
    _, seen = fit(made(covariance=covariance), POINTS, 40)
    assert min(np.diff(seen)) > -1e-5  # Rounding of float32.
    assert seen[-1] > seen[0] + 0.5


def test_densities_are_those_of_scipy():
    params, _ = fit(made(), POINTS, 3)
    expected = np.stack(
        [
            np.log(weight) + scipy.stats.multivariate_normal.logpdf(POINTS, mean, covariance)
            for weight, mean, covariance in zip(
                *(np.asarray(params[n], float) for n in ("weights", "means", "covariances")),
                strict=True,
            )
        ],
        axis=1,
    )
    np.testing.assert_allclose(
        log_joint(params, jnp.asarray(POINTS, jnp.float32)), expected, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("covariance", KINDS)
def test_samples_have_the_moments_of_the_mixture(covariance):
    game = made(covariance=covariance)
    params, _ = fit(game, POINTS, 20)
    latents = jax.random.normal(jax.random.key(1), (200_000, 4))
    samples = np.asarray(game.sample(Variables(params, {}), latents), float)
    np.testing.assert_allclose(samples.mean(0), POINTS.mean(0), atol=0.03)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(POINTS.T), atol=0.06)


@pytest.mark.parametrize("covariance", KINDS)
def test_stepwise_em_comes_to_the_same(covariance):
    """With full batches one step gives the weighted moments; with parts it gets near."""
    whole, _ = fit(made(covariance=covariance), POINTS, 60)
    game = made(covariance=covariance, stepwise=0.7)
    sides, carry = game.init(jax.random.key(0), {"real": jnp.asarray(POINTS, jnp.float32)})
    step = jax.jit(game.move("mixture").update)
    for number in range(600):
        part = POINTS[np.random.default_rng(number).permutation(300)[:100]]
        batch = {"real": jnp.asarray(part, jnp.float32)}
        params, _ = step(sides, Turn(batch, jax.random.key(0), jnp.array(number), carry))
        sides = {"mixture": Variables(params, {})}
    points = jnp.asarray(POINTS, jnp.float32)
    found, best = (
        float(jax.nn.logsumexp(log_joint(p, points), axis=1).mean())
        for p in (sides["mixture"].params, whole)
    )
    assert found == pytest.approx(best, abs=0.05)


def test_seeds_are_samples_far_from_each_other():
    clusters = jnp.repeat(jnp.array([[0.0], [100.0], [200.0]]), 50, axis=0)
    for number in range(5):
        found = seeds(jax.random.key(number), clusters, 3)
        assert sorted(found[:, 0].tolist()) == [0, 100, 200]
    assert seeds(jax.random.key(0), jnp.zeros((5, 2)), 3).shape == (3, 2)  # All alike.


def test_clusters_far_apart_are_found_from_every_start():
    """A grid of 25: no component takes two clusters, whose covariance would be that of the grid."""
    rng = np.random.default_rng(0)
    centers = np.stack(np.meshgrid(range(5), range(5)), axis=-1).reshape(-1, 2)
    points = jnp.asarray(np.repeat(centers, 40, axis=0) + rng.normal(0, 0.05, (1000, 2)))
    game = gaussian_mixture(25, shape=(2,))

    @jax.jit
    def fitted(key):
        sides, carry = game.init(key, {"real": points})
        turn = Turn({"real": points}, jax.random.key(0), jnp.array(0), carry)
        return game.moves[0].update(sides, turn)[0]

    for number in range(20):
        params = fitted(jax.random.key(number))
        np.testing.assert_allclose(params["weights"], 1 / 25, rtol=1e-3)
        variances = jnp.diagonal(params["covariances"], axis1=1, axis2=2)
        np.testing.assert_allclose(variances, 0.05**2, rtol=0.7)


@pytest.mark.parametrize("covariance", KINDS)
@pytest.mark.parametrize(
    "points",
    [
        np.zeros((6, 3)),  # constant numbers, and all samples alike
        np.array([[1.0, 2.0, 3.0]]),  # one sample
        np.concatenate([np.zeros((50, 3)), np.full((1, 3), 1e3)]),  # a component of one sample
    ],
)
def test_degenerate_data_give_finite_mixtures(points, covariance):
    components = min(len(points), 2)
    game = made(components, covariance=covariance, floor=1e-3)
    params, seen = fit(game, points, 10)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
    assert np.isfinite(seen).all()
    samples = game.sample(Variables(params, {}), jnp.ones((4, 4)))
    assert np.isfinite(samples).all()


def test_a_component_without_samples_keeps_what_it_was():
    start = {
        "weights": jnp.array([0.5, 0.5]),
        "means": jnp.array([[0.0, 0.0, 0.0], [1e4, 0.0, 0.0]]),
        "covariances": jnp.stack([jnp.eye(3)] * 2),
    }
    params, _ = fit(made(2), POINTS, 3, start=start)
    np.testing.assert_array_equal(params["means"][1], start["means"][1])
    np.testing.assert_allclose(params["weights"], [1, 0], atol=1e-6)
    np.testing.assert_allclose(params["means"][0], POINTS.mean(0), atol=1e-4)


def test_images_are_vectors():
    images = POINTS[:60].reshape(20, 3, 3, 1)
    game = made(2, shape=(3, 3, 1), covariance="diagonal", floor=1e-2)
    params, _ = fit(game, images, 3)
    assert params["means"].shape == (2, 9)
    assert game.sample(Variables(params, {}), jnp.ones((5, 10))).shape == (5, 3, 3, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "components must be 1 or more, not 0"),
        ({"floor": 0.0}, r"floor must be positive, not 0\.0"),
        ({"stepwise": 0.5}, r"stepwise must be 0 or in \(1/2, 1\], not 0\.5"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(**options)


def test_more_components_than_samples_are_refused():
    with pytest.raises(ValueError, match=r"5 components need as many samples at least.* has 2"):
        made(5).init(jax.random.key(0), {"real": jnp.zeros((2, 3))})
