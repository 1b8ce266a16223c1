import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import latent


@pytest.mark.parametrize("distribution", latent.DISTRIBUTIONS)
def test_a_latent_depends_on_key_and_index_alone(distribution):
    key = jax.random.key(3)
    together = latent.draw_latents(key, 7, 5, distribution)
    in_batches = [latent.latents_at(key, i, 5, distribution) for i in ([0, 1, 2], [3], [4, 5, 6])]
    np.testing.assert_array_equal(np.concatenate(in_batches), together)
    np.testing.assert_array_equal(latent.draw_latents(key, 3, 5, distribution), together[:3])
    assert together.shape == (7, 5)
    assert together.dtype == jnp.float32
    assert len(np.unique(together)) == 35


def test_other_keys_give_other_latents():
    first, second = (latent.draw_latents(jax.random.key(i), 4, 4) for i in (0, 1))
    assert not np.intersect1d(first, second).size


def test_the_distributions():
    normal, uniform = (
        np.asarray(latent.draw_latents(jax.random.key(0), 4000, 8, name))
        for name in latent.DISTRIBUTIONS
    )
    # 32,000 draws: the standard error of a mean is 0.0056 for variance 1, 0.0032 for 1/3.
    assert abs(normal.mean()) < 0.03
    assert abs(normal.var() - 1) < 0.04
    assert abs(uniform.mean()) < 0.02
    assert abs(uniform.var() - 1 / 3) < 0.01
    assert uniform.min() >= -1
    assert uniform.max() < 1
    assert np.abs(np.corrcoef(normal.T) - np.eye(8)).max() < 0.08


@pytest.mark.parametrize("distribution", latent.DISTRIBUTIONS)
def test_a_prior_draws_latents_of_one_size_and_distribution(distribution):
    prior, key = latent.prior(5, distribution), jax.random.key(3)
    np.testing.assert_array_equal(prior(key, 7), latent.draw_latents(key, 7, 5, distribution))
    np.testing.assert_array_equal(prior(key, 3), prior(key, 7)[:3])
    np.testing.assert_array_equal(latent.prior(5)(key, 2), latent.draw_latents(key, 2, 5, "normal"))


def test_drawing_inside_jit_is_drawing_outside():
    key = jax.random.key(1)
    inside = jax.jit(lambda key: latent.draw_latents(key, 4, 3))(key)
    np.testing.assert_allclose(inside, latent.draw_latents(key, 4, 3), rtol=1e-6)


def test_bad_draws_are_named():
    with pytest.raises(ValueError, match="'cauchy'; known are: normal, uniform"):
        latent.draw_latents(jax.random.key(0), 4, 3, "cauchy")
    with pytest.raises(ValueError, match="at least 1, not 0"):
        latent.draw_latents(jax.random.key(0), 4, 0)
    with pytest.raises(ValueError, match="'cauchy'; known are: normal, uniform"):
        latent.prior(3, "cauchy")(jax.random.key(0), 4)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        latent.prior(0)(jax.random.key(0), 4)


def test_linear_by_hand():
    walk = latent.linear([0.0, 4.0], [2.0, 0.0], 5)
    np.testing.assert_allclose(walk, [[0, 4], [0.5, 3], [1, 2], [1.5, 1], [2, 0]])


def test_spherical_by_hand():
    # A quarter circle in three steps of 30 degrees, while the norm grows from 1 to 4.
    walk = latent.spherical([1.0, 0.0], [0.0, 4.0], 4)
    angles = np.radians([0, 30, 60, 90])
    expected = np.array([1, 2, 3, 4])[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_allclose(walk, expected, atol=1e-6)


def test_spherical_is_the_textbook_form_for_equal_norms():
    a, b = np.asarray(latent.draw_latents(jax.random.key(0), 2, 16), np.float64)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    angle = np.arccos(a @ b)
    t = np.linspace(0, 1, 9)[:, None]
    textbook = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    np.testing.assert_allclose(latent.spherical(a, b, 9), textbook, atol=1e-6)


@pytest.mark.parametrize("walk", [latent.linear, latent.spherical])
def test_the_ends_are_exact_and_batches_walk_together(walk):
    a, b = latent.draw_latents(jax.random.key(0), 6, 8).reshape(2, 3, 8)
    points = walk(a, b, 4)
    assert points.shape == (4, 3, 8)
    np.testing.assert_array_equal(points[0], a)
    np.testing.assert_array_equal(points[-1], b)
    np.testing.assert_allclose(points[:, 1], walk(a[1], b[1], 4), rtol=1e-6)


def test_the_arc_keeps_to_the_shell_and_the_line_does_not():
    a, b = latent.draw_latents(jax.random.key(0), 2, 128)
    ends = sorted(float(jnp.linalg.norm(x)) for x in (a, b))
    arc = jnp.linalg.norm(latent.spherical(a, b, 9), axis=-1)
    assert ends[0] - 1e-4 <= arc.min() <= arc.max() <= ends[1] + 1e-4
    assert jnp.linalg.norm(latent.linear(a, b, 9), axis=-1).min() < 0.85 * ends[0]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [2.0, 4.0]),
        ([1.0, 2.0], [1.0, 2.000001]),
        ([0.0, 0.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1.0, 2.0], [-1.0, -2.0]),
        ([1.0, 2.0], [-1.0, -2.000001]),
    ],
)
def test_degenerate_arcs_are_finite_and_end_where_they_should(a, b):
    walk = np.asarray(latent.spherical(a, b, 5))
    assert np.isfinite(walk).all()
    np.testing.assert_array_equal(walk[[0, -1]], np.array([a, b], np.float32))
    assert np.linalg.norm(walk, axis=1).max() <= max(map(np.linalg.norm, (a, b))) + 1e-5


def test_parallel_ends_give_the_straight_line():
    np.testing.assert_allclose(
        latent.spherical([1.0, 2.0], [2.0, 4.0], 5),
        latent.linear([1.0, 2.0], [2.0, 4.0], 5),
        rtol=1e-6,
    )


def test_a_loop_visits_its_points_in_turn_and_closes():
    points = latent.draw_latents(jax.random.key(0), 3, 4)
    walk = latent.loop(points, 5)
    assert walk.shape == (15, 4)
    np.testing.assert_array_equal(walk[::5], points)
    back = latent.spherical(points[2], points[0], 6)
    np.testing.assert_allclose(walk[10:], back[:-1], rtol=1e-6)
    several = latent.loop(jnp.stack([points, -points], axis=1), 5)
    np.testing.assert_array_equal(several, jnp.stack([walk, -walk], axis=1))


def test_a_linear_loop_by_hand():
    walk = latent.loop([[0.0], [2.0]], 2, latent.linear)
    np.testing.assert_array_equal(walk, [[0], [1], [2], [1]])


def test_bad_walks_are_named():
    with pytest.raises(ValueError, match=r"one shape, not \(2,\), \(3,\)"):
        latent.linear(np.zeros(2), np.zeros(3), 4)
    with pytest.raises(ValueError, match="at least 2 steps, both ends included, not 1"):
        latent.spherical(np.zeros(2), np.zeros(2), 1)
    with pytest.raises(
        ValueError, match=r"at least 2 latents as \[K, \.\.\., L\], not shape \(1, 3\)"
    ):
        latent.loop(np.zeros((1, 3)), 4)
    with pytest.raises(ValueError, match="at least 1 step between two latents, not 0"):
        latent.loop(np.zeros((2, 3)), 0)


@pytest.mark.parametrize("ends", [(1.0, 1.0), (0.0, 0.0), (0.0, 1.0), (1.0, -1.0)])
@pytest.mark.parametrize("walk", [latent.linear, latent.spherical])
def test_walks_have_derivatives_between_any_two_latents(walk, ends):
    """Equal, opposite and zero latents too, where norms and angles are 0."""
    a, b = (jnp.full([4], end) for end in ends)
    gradient = jax.jit(jax.grad(lambda a, b: walk(a, b, 5).sum(), argnums=(0, 1)))(a, b)
    assert jnp.isfinite(jnp.stack(gradient)).all()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@pytest.mark.parametrize("walk", [latent.linear, latent.spherical])
def test_walks_keep_the_type_of_their_latents(walk, dtype):
    a, b = jax.random.normal(jax.random.key(0), [2, 8]).astype(dtype)
    points = walk(a, b, 4)
    assert points.dtype == dtype
    np.testing.assert_array_equal(points[0], a)
    exact = walk(a.astype(jnp.float32), b.astype(jnp.float32), 4)
    np.testing.assert_array_equal(points, exact.astype(dtype))


KERNEL = np.diag([1.0, 5.0, 3.0])[:, ::-1].copy()
"""A first layer that stretches the second number of a latent most, then the third."""


def test_weight_directions_are_singular_vectors():
    found = latent.weight_directions(KERNEL, 3)
    np.testing.assert_allclose(found, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-6)
    kernel = np.random.default_rng(0).normal(size=(6, 2, 2, 3))
    found = np.asarray(latent.weight_directions(kernel, 4))
    expected = np.linalg.svd(kernel.reshape(6, -1))[0].T[:4]
    np.testing.assert_allclose(np.abs((found * expected).sum(1)), 1, atol=1e-5)
    np.testing.assert_allclose(found @ found.T, np.eye(4), atol=1e-5)


def test_feature_directions_are_those_along_which_features_change():
    """Features are 5 and 3 times two numbers of the latent, turned, and the latents not white."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(500, 4)).astype(np.float32)
    turn, _ = np.linalg.qr(rng.normal(size=(7, 7)))
    features = (5 * latents[:, :1] @ turn[:1] + 3 * latents[:, 2:3] @ turn[1:2]) + 1
    found = np.asarray(latent.feature_directions(latents, features, 2))
    expected = np.eye(4)[[0, 2]]
    np.testing.assert_allclose(found, expected, atol=0.1)  # Drawn latents are not quite white.


def test_an_attribute_direction_is_the_normal_of_the_border():
    rng = np.random.default_rng(0)
    latents, normal = rng.normal(size=(2000, 3)), np.array([2.0, -1.0, 2.0]) / 3
    found = np.asarray(latent.attribute_direction(latents, latents @ normal > 0.3))
    assert found @ normal > 0.999
    assert np.linalg.norm(found) == pytest.approx(1)


def test_what_directions_share_is_taken_away():
    others = np.array([[1.0, 0, 0, 0], [1.0, 1.0, 0, 0]])
    found = latent.without(np.array([3.0, 4.0, 0, 5.0]), others)
    np.testing.assert_allclose(found, [0, 0, 0, 1], atol=1e-6)
    with pytest.raises(ValueError, match="nothing is left of the direction without the 2 others"):
        latent.without(np.array([3.0, 4.0, 0, 0]), others)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latent.weight_directions(np.ones(3), 1), r"a kernel must be \[L, ...\]"),
        (lambda: latent.weight_directions(KERNEL, 4), "from 1 to 3, not 4"),
        (lambda: latent.weight_directions(KERNEL, 0), "from 1 to 3, not 0"),
        (
            lambda: latent.feature_directions(np.ones((5, 3)), np.ones((4, 2)), 1),
            r"of the same samples, not \[5, 3\] and \[4, 2\]",
        ),
        (
            lambda: latent.feature_directions(np.ones((3, 3)), np.ones((3, 2)), 1),
            "directions of 3 numbers need more samples than 3",
        ),
        (
            lambda: latent.attribute_direction(np.ones((4, 3)), np.ones(4)),
            "an attribute that all of 4 samples have has no direction",
        ),
        (
            lambda: latent.attribute_direction(np.ones((4, 3)), np.ones(3)),
            r"must be \[N, L\] and \[N\], not \[4, 3\] and \[3\]",
        ),
        (
            lambda: latent.without(np.ones(3), np.ones(3)),
            r"must be \[L\] and \[K, L\], not \[3\] and \[3\]",
        ),
    ],
)
def test_directions_that_cannot_be_found_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_truncated_latents_keep_their_quantiles():
    """Against SciPy's truncated normal distribution."""
    stats = pytest.importorskip("scipy.stats")
    normal = latent.draw_latents(jax.random.key(0), 500, 4)
    for limit in (0.04, 0.5, 2.0):
        cut = np.asarray(latent.truncated(normal, limit))
        expected = stats.truncnorm(-limit, limit).ppf(stats.norm.cdf(np.asarray(normal, float)))
        np.testing.assert_allclose(cut, expected, atol=2e-5)
        assert np.abs(cut).max() <= limit
    np.testing.assert_allclose(latent.truncated(normal, 6.0), normal, atol=1e-3)
    assert np.isfinite(latent.truncated(jnp.array([-30.0, 0.0, 30.0]), 2.0)).all()


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_limit_must_be_above_0(limit):
    with pytest.raises(ValueError, match="truncated at a limit above 0"):
        latent.truncated(jnp.zeros((1, 2)), limit)
