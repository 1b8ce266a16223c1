"""Penalties against closed forms, finite differences and their own plain form."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgan import penalties
from jaxgan.layers.spectral_norm import spectrally_normalized
from jaxgan.matrices import Axes
from jaxgan.networks.adapters import from_linen


def key():
    return jax.random.key(7)


INPUT_GRADIENT = {
    "gradient_penalty": lambda fn, real, fake, **options: penalties.gradient_penalty(
        fn, real, fake, key(), **options
    ),
    "one_sided": lambda fn, real, fake, **options: penalties.gradient_penalty(
        fn, real, fake, key(), target=0.1, one_sided=True, **options
    ),
    "squared_norm": lambda fn, real, fake, **options: penalties.gradient_penalty(
        fn, real, fake, key(), squared_norm=True, **options
    ),
    "dragan": lambda fn, real, fake, **options: penalties.dragan_penalty(
        fn, real, key(), **options
    ),
    "r1": lambda fn, real, fake, **options: penalties.r1_penalty(fn, real, **options),
    "r2": lambda fn, real, fake, **options: penalties.r2_penalty(fn, fake, **options),
}
each_penalty = pytest.mark.parametrize("name", INPUT_GRADIENT)


def images(seed=0, shape=(4, 4, 4, 2)):
    return jax.random.normal(jax.random.key(seed), shape)


# Closed forms


def linear(w):
    return lambda x: x.reshape(len(x), -1) @ w


@pytest.mark.parametrize(
    ("name", "value", "factor"),
    [  # with w = (3, 4) the gradient of every logit is w; d value / d w = factor w
        ("gradient_penalty", 16, 2 * 4 / 5),
        ("one_sided", 4.9**2, 2 * 4.9 / 5),
        ("squared_norm", 24**2, 4 * 24),
        ("dragan", 16, 2 * 4 / 5),
        ("r1", 25, 2),
        ("r2", 25, 2),
    ],
)
def test_a_linear_discriminator(name, value, factor):
    w = jnp.array([3.0, 4.0])
    real, fake = images(0, (5, 1, 2, 1)), images(1, (5, 1, 2, 1))
    penalty = INPUT_GRADIENT[name]
    actual, gradient = jax.jit(jax.value_and_grad(lambda w: penalty(linear(w), real, fake)))(w)
    np.testing.assert_allclose(actual, value, rtol=1e-5)
    np.testing.assert_allclose(gradient, factor * w, rtol=1e-5)


def test_targets_of_the_gradient_penalty():
    real, fake, discriminator = images(0, (5, 2)), images(1, (5, 2)), linear(jnp.array([0.3, 0.4]))

    def value(**options):
        return penalties.gradient_penalty(discriminator, real, fake, key(), **options)

    np.testing.assert_allclose(value(), 0.25, rtol=1e-5)
    np.testing.assert_allclose(value(target=0), 0.25, rtol=1e-5)
    np.testing.assert_allclose(value(target=2.0), 2.25, rtol=1e-5)
    np.testing.assert_allclose(value(target=2.0, squared_norm=True), 3.75**2, rtol=1e-5)
    np.testing.assert_allclose(value(one_sided=True), 0)
    np.testing.assert_allclose(value(one_sided=True, squared_norm=True), 0)


def test_a_quadratic_discriminator():
    # D = a ‖x‖² / 2 has the gradient a x, so R1 is a² E‖x‖².
    real = jnp.array([[1.0, 2.0], [3.0, 0.0]])
    value, gradient = jax.value_and_grad(
        lambda a: penalties.r1_penalty(lambda x: a * (x**2).sum(1) / 2, real)
    )(3.0)
    np.testing.assert_allclose(value, 9 * 7, rtol=1e-6)
    np.testing.assert_allclose(gradient, 2 * 3 * 7, rtol=1e-6)


@pytest.mark.parametrize("output", [(4,), (4, 1), (4, 2, 2, 1)])
def test_logits_of_any_shape_are_summed_not_averaged(output):
    def discriminator(x):
        logits = linear(jnp.array([3.0, 4.0]))(x).reshape(len(x), *(1,) * (len(output) - 1))
        return jnp.broadcast_to(logits, output)

    patches = int(np.prod(output[1:]))
    value = penalties.r1_penalty(discriminator, images(0, (4, 2)))
    np.testing.assert_allclose(value, 25 * patches**2, rtol=1e-6)


def test_the_gradient_penalty_mixes_uniformly():
    # D = ‖x‖² / 2 at the mixture x has the norm x, whose mean square is 1/3.
    zero, one = jnp.zeros([20_000, 1]), jnp.ones([20_000, 1])
    value = penalties.gradient_penalty(lambda x: x**2 / 2, zero, one, key(), target=0)
    np.testing.assert_allclose(value, 1 / 3, atol=0.01)


def test_the_gradient_penalty_has_one_alpha_a_sample():
    zero, one = jnp.zeros([6, 3, 3, 1]), jnp.ones([6, 3, 3, 1])

    def spread(axis):
        def discriminator(x):
            return ((x - x.mean(axis, keepdims=True)) ** 2 / 2).sum((1, 2, 3))

        return penalties.gradient_penalty(discriminator, zero, one, key(), target=0)

    np.testing.assert_allclose(spread(axis=(1, 2, 3)), 0, atol=1e-10)
    assert spread(axis=0) > 0.1


def test_dragan_follows_the_notebook():
    # Real is ±2, so std is 2 and the displacement p a product of two uniform numbers. It is the
    # gradient of D = (x - real)² / 2, and E(p - 1)² = E p² - 2 E p + 1 = 1/9 - 1/2 + 1.
    real = jnp.where(jnp.arange(20_000) % 2 == 0, 2.0, -2.0)[:, None]
    value = penalties.dragan_penalty(lambda x: (x - real) ** 2 / 2, real, key())
    np.testing.assert_allclose(value, 1 / 9 - 1 / 2 + 1, atol=0.01)


# The plain form


def minibatch_std(x):
    std = jnp.sqrt(jnp.var(x, axis=0) + 1e-8).mean()
    return jnp.concatenate([x, jnp.full([len(x), 1], 1.0) * std], axis=1)


class MLP(nn.Module):
    minibatch: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.leaky_relu(nn.Dense(6)(x.reshape(len(x), -1)), 0.2)
        if self.minibatch:
            x = minibatch_std(x)
        return nn.Dense(1)(jnp.tanh(nn.Dense(5)(x)))[:, 0]


class Convolution(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.leaky_relu(nn.Conv(3, (3, 3), strides=2)(x), 0.2)
        return nn.Conv(1, (2, 2))(jnp.tanh(x))


NETWORKS = {
    "mlp": from_linen(MLP()),
    "convolution": from_linen(Convolution()),
    "minibatch standard deviation": from_linen(MLP(minibatch=True)),
    "spectral norm": spectrally_normalized(from_linen(Convolution())),
}


@pytest.mark.parametrize(
    ("name", "network"),
    [("gradient_penalty", network) for network in NETWORKS]
    + [(name, "minibatch standard deviation") for name in ("squared_norm", "dragan", "r1")],
)
def test_first_order_kernels_give_the_plain_form(name, network):
    network, real, fake = NETWORKS[network], images(0), images(1)
    variables = jax.jit(network.init)(jax.random.key(0), real)

    def of(plain):
        def penalty(params, real, fake):
            def discriminator(x):
                return network.apply(variables.replace(params=params), x, train=True)[0]

            return INPUT_GRADIENT[name](discriminator, real, fake, plain=plain)

        return jax.value_and_grad(penalty, argnums=(0, 1, 2))(variables.params, real, fake)

    (value, gradients), (plain_value, plain_gradients) = jax.jit(lambda: (of(False), of(True)))()
    assert plain_value > 1e-3
    np.testing.assert_allclose(value, plain_value, rtol=1e-6)
    assert optax.tree.norm(plain_gradients[0]) > 1e-3
    # With respect to the parameters, and to the images too.
    for gradient, plain_gradient in zip(gradients, plain_gradients, strict=True):
        size = optax.tree.norm(plain_gradient)
        difference = optax.tree.norm(jax.tree.map(jnp.subtract, gradient, plain_gradient))
        assert difference <= 2e-6 * size


@each_penalty
@pytest.mark.parametrize("plain", [False, True])
def test_a_scale_is_a_factor_outside(name, plain):
    real, fake = images(0, (4, 3)), images(1, (4, 3))

    def scaled(scale, factor):
        def penalty(w):
            options = {"plain": plain, "scale": scale}
            return factor * INPUT_GRADIENT[name](lambda x: jnp.tanh(x @ w), real, fake, **options)

        return jax.value_and_grad(penalty)(jnp.array([1.0, 2.0, -0.5]))

    for found, expected in zip(scaled(2.5, 1.0), scaled(1.0, 2.5), strict=True):
        assert jnp.abs(expected).max() > 1e-2
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.usefixtures("optimised")
def test_a_scale_inside_spares_a_way_back_through_the_discriminator():
    """The way back that made ∇D is the one that the penalty's gradient takes."""
    weights = [jax.random.normal(key(), (3, 5)), jax.random.normal(key(), (5, 4))]
    last, real = jnp.ones(4), images(0, (6, 3))

    def products(scale, factor, plain=False):
        def penalty(weights):
            def discriminator(x):
                for weight in weights:
                    x = jnp.tanh(x @ weight)
                return x @ last

            return factor * penalties.r1_penalty(discriminator, real, plain=plain, scale=scale)

        program = jax.jit(jax.grad(penalty)).lower(weights).compile().as_text()
        return len(re.findall(r" (?:dot|convolution)\(", program))

    counts = [products(2.5, 1.0), products(1.0, 2.5), products(1.0, 2.5, plain=True)]
    assert counts[0] == counts[2] < counts[1]


def test_a_small_penalty_keeps_its_digits():
    # (‖w‖ - 1)² = 1e-8, while the surrogate's slope is 2e-4.
    w, real, fake = jnp.array([1.0001]), images(0, (4, 1)), images(1, (4, 1))
    first, plain = (
        penalties.gradient_penalty(linear(w), real, fake, key(), plain=plain)
        for plain in (False, True)
    )
    np.testing.assert_array_equal(first, plain)


TWICE = {
    "forward over reverse": jax.hessian,
    "reverse over reverse": lambda f: jax.jacrev(jax.jacrev(f)),
    "reverse over forward": lambda f: jax.jacrev(jax.jacfwd(f)),
    "forward over forward": lambda f: jax.jacfwd(jax.jacfwd(f)),
    "through an update": lambda f: jax.grad(lambda a: a - 0.1 * jax.jit(jax.grad(f))(a)),
}


@pytest.mark.parametrize("twice", TWICE.values(), ids=TWICE)
def test_only_the_plain_form_has_a_second_derivative(twice):
    real = jnp.array([[1.0, 2.0]])

    def penalty(a, plain=False):  # E ‖a x‖² = 5 a², whose second derivative is 10.
        return penalties.r1_penalty(lambda x: a * (x**2).sum(1) / 2, real, plain=plain)

    expected = 1 - 0.1 * 10 if twice is TWICE["through an update"] else 10
    found = twice(partial(penalty, plain=True))(3.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match=r"differentiated twice.*plain=True"):
        twice(penalty)(3.0)


def test_a_first_derivative_may_be_taken_in_any_way():
    real = images(0, (3, 4))

    def penalty(w):
        return penalties.r1_penalty(lambda x: jnp.tanh(x @ w), real)

    w = jnp.ones(4)
    expected = jax.grad(penalty)(w)
    step = jnp.array(0.1)
    for found in (
        jax.jit(jax.grad(jax.checkpoint(penalty)))(w),
        jax.vmap(jax.grad(penalty))(w[None])[0],
        jax.jacfwd(penalty)(w),
        jax.grad(lambda w: jax.lax.scan(lambda c, _: (c + penalty(w), None), 0.0, None, 2)[0])(w)
        / 2,
        jax.jit(jax.grad(lambda w: jax.lax.cond(step > 0, penalty, lambda w: 0.0, w)))(w),
        # Through an update, with respect to its step: the gradient itself is a constant there.
        jax.jacrev(lambda step: step * jax.grad(penalty)(w))(step),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_discriminator_without_a_forward_derivative_is_refused():
    @jax.custom_vjp
    def own(x):
        return x

    own.defvjp(lambda x: (x, None), lambda _, gradient: (gradient,))
    real = images(0, (3, 4))
    with pytest.raises(ValueError, match=r"holds a jax.custom_vjp.*plain=True"):
        penalties.r1_penalty(lambda x: own(x).sum(1), real)
    np.testing.assert_allclose(
        penalties.r1_penalty(lambda x: own(x).sum(1), real, plain=True), 4.0, rtol=1e-6
    )


def test_a_penalty_of_ones_own():
    w = jnp.array([3.0, -4.0])

    def l1(w, plain):
        return penalties.input_gradient_penalty(
            linear(w), images(0, (5, 2)), lambda g: jnp.abs(g).sum(1).mean(), plain=plain
        )

    for plain in (False, True):
        value, gradient = jax.value_and_grad(l1)(w, plain)
        np.testing.assert_allclose(value, 7, rtol=1e-6)
        np.testing.assert_allclose(gradient, [1, -1], rtol=1e-6)


# Finite differences in float64, by NumPy alone


def tanh_mlp(params, x, tanh=np.tanh):
    return tanh(tanh(x @ params[:6].reshape(2, 3)) @ params[6:15].reshape(3, 3)) @ params[15:]


def difference(function, at, h):
    steps = h * np.eye(at.size).reshape(-1, *at.shape)
    slopes = [(function(at + step) - function(at - step)) / (2 * h) for step in steps]
    return np.stack(slopes, axis=-1)


def numpy_penalty(name, params, real, fake):
    if name in ("r1", "r2"):
        x = real if name == "r1" else fake
    elif name == "dragan":
        alpha_key, noise_key = jax.random.split(key())
        alpha = np.asarray(jax.random.uniform(alpha_key, (len(real),), float))[:, None]
        x = real + alpha * real.std() / 2 * np.asarray(
            jax.random.uniform(noise_key, real.shape, float)
        )
    else:
        alpha = np.asarray(jax.random.uniform(key(), (len(real),), float))[:, None]
        x = real + alpha * (fake - real)
    # One sample at a time: row i of `gradients` is the gradient of sample i's logit.
    gradients = np.stack([difference(lambda row: tanh_mlp(params, row), row, 1e-5) for row in x])
    squares = (gradients**2).sum(axis=1)
    norms = np.sqrt(squares)
    return {
        "gradient_penalty": (norms - 1) ** 2,
        "one_sided": np.maximum(norms - 0.1, 0) ** 2,
        "squared_norm": (squares - 1) ** 2,
        "dragan": (norms - 1) ** 2,
        "r1": squares,
        "r2": squares,
    }[name].mean()


@each_penalty
def test_finite_differences(name):
    rng = np.random.default_rng(0)
    params, real, fake = rng.normal(size=18), rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    with jax.enable_x64(True):
        value, gradient = jax.jit(
            jax.value_and_grad(
                lambda params: INPUT_GRADIENT[name](
                    lambda x: tanh_mlp(params, x, jnp.tanh), jnp.asarray(real), jnp.asarray(fake)
                )
            )
        )(params)
        assert value.dtype == jnp.float64
        np.testing.assert_allclose(value, numpy_penalty(name, params, real, fake), rtol=1e-7)
        slopes = difference(lambda p: numpy_penalty(name, p, real, fake), params, 1e-4)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-5)


# Properties and bad inputs


def quartic(x):
    return (x**4).sum(tuple(range(1, x.ndim)))


@pytest.mark.parametrize("name", ["gradient_penalty", "one_sided", "squared_norm", "r1", "r2"])
def test_order_and_duplication_do_not_matter(name):
    x = images(0, (4, 3))  # as real and as fake: mixing them changes nothing
    penalty = jax.jit(lambda x: INPUT_GRADIENT[name](quartic, x, x))
    for same in (x[jnp.array([2, 0, 3, 1])], jnp.concatenate([x, x])):
        np.testing.assert_allclose(penalty(same), penalty(x), rtol=1e-5)


@each_penalty
@pytest.mark.parametrize("plain", [False, True])
def test_a_constant_discriminator_is_finite(name, plain):
    real, fake = images(0, (3, 2)), images(1, (3, 2))
    value, gradient = jax.jit(
        jax.value_and_grad(lambda w: INPUT_GRADIENT[name](linear(w), real, fake, plain=plain))
    )(jnp.zeros(2))
    expected = {"one_sided": 0, "r1": 0, "r2": 0}.get(name, 1)
    np.testing.assert_allclose(value, expected, atol=1e-5)
    assert jnp.isfinite(gradient).all()


@each_penalty
def test_images_keep_their_type_and_the_penalty_is_float32(name):
    real, fake = images(0, (4, 2)).astype(jnp.bfloat16), images(1, (4, 2)).astype(jnp.bfloat16)
    seen = []

    def discriminator(x):
        seen.append(x.dtype)
        return linear(jnp.array([3.0, 4.0]))(x).astype(jnp.bfloat16)

    value = jax.eval_shape(lambda: INPUT_GRADIENT[name](discriminator, real, fake))
    assert value.dtype == jnp.float32
    assert set(seen) == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize("shape", [(4, 3), (5, 2), (4,), (1, 2), (4, 2, 1)])
def test_real_and_fake_of_different_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="fake"):
        penalties.gradient_penalty(quartic, jnp.zeros([4, 2]), jnp.zeros(shape), key())


@each_penalty
def test_integer_images_are_refused(name):
    x = jnp.zeros([4, 2], jnp.uint8)
    with pytest.raises(ValueError, match="must be floating point, not uint8"):
        INPUT_GRADIENT[name](quartic, x, x)


@pytest.mark.parametrize(
    ("discriminator", "what"),
    [
        (lambda x: (quartic(x), {}), "a tuple: of several outputs, one call takes one"),
        (lambda x: quartic(x).sum(), r"shape \(\)"),
        (lambda x: quartic(x)[None], r"shape \(1, 4\)"),
    ],
)
def test_a_discriminator_that_does_not_return_logits_is_refused(discriminator, what):
    with pytest.raises(ValueError, match=f"as the 4 images, not {what}"):
        penalties.r1_penalty(discriminator, jnp.zeros([4, 2]))


# Penalties by differences


def noise_of(shape):
    """That which a penalty adds to an array of images, before it is scaled by sigma."""
    return np.asarray(jax.random.normal(key(), shape), np.float64)


def test_an_approximate_penalty_of_a_linear_discriminator_by_hand():
    # D(x + s n) - D(x) = s n·w, so the value is s² E(n·w)² and its gradient 2 s² E(n·w) n.
    w, n = np.array([3.0, 4.0]), noise_of((5, 2))
    for sigma in (0.5, 2.0):
        value, gradient = jax.jit(
            jax.value_and_grad(
                lambda w, sigma=sigma: penalties.approximate_r1_penalty(
                    linear(w), images(0, (5, 2)), key(), sigma=sigma
                )
            )
        )(jnp.asarray(w, jnp.float32))
        np.testing.assert_allclose(value, sigma**2 * np.square(n @ w).mean(), rtol=1e-5)
        expected = 2 * sigma**2 * ((n @ w)[:, None] * n).mean(0)
        np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_the_second_approximate_penalty_is_the_first_on_fakes():
    real, fake = images(0), images(1)
    first = penalties.approximate_r1_penalty(quartic, fake, key(), sigma=0.1)
    assert penalties.approximate_r2_penalty(quartic, fake, key(), sigma=0.1) == first
    assert penalties.approximate_r1_penalty(quartic, real, key(), sigma=0.1) != first
    by_default = penalties.approximate_r2_penalty(quartic, fake, key())
    assert by_default == penalties.approximate_r2_penalty(quartic, fake, key(), sigma=0.01)
    np.testing.assert_allclose(by_default / first, 0.1**2, rtol=0.5)


def smooth(params, x):
    return tanh_mlp(params, x, jnp.tanh)


def test_a_small_step_gives_the_square_of_the_slope_along_the_noise():
    """Given n, value / sigma² tends to E(∇D(x)·n)², and so does its gradient."""
    rng = np.random.default_rng(0)
    params, real, sigma = rng.normal(size=18), rng.normal(size=(3, 2)), 1e-5
    with jax.enable_x64(True):
        x, params = jnp.asarray(real), jnp.asarray(params)
        n = jax.random.normal(key(), x.shape, x.dtype)

        def approximate(params):
            found = penalties.approximate_r1_penalty(partial(smooth, params), x, key(), sigma=sigma)
            return found / sigma**2

        def exact(params):
            slopes = jax.jvp(partial(smooth, params), (x,), (n,))[1]
            return jnp.square(slopes).mean()

        results = jax.jit(lambda p: [jax.value_and_grad(f)(p) for f in (approximate, exact)])
        (value, gradient), (expected, expected_gradient) = results(params)
        assert value.dtype == jnp.float64
        np.testing.assert_allclose(value, expected, rtol=1e-4)
        size = jnp.abs(expected_gradient).max()
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-4 * size)


def test_an_approximate_penalty_is_on_average_the_exact_one_times_the_variance():
    """Within four standard errors of the mean over 4000 draws, which are of one to two percent."""
    rng = np.random.default_rng(1)
    params, real, sigma, draws = rng.normal(size=18), rng.normal(size=(3, 2)), 1e-3, 4000
    with jax.enable_x64(True):
        x, params = jnp.asarray(real), jnp.asarray(params)

        def approximate(params, key):
            found = penalties.approximate_r1_penalty(partial(smooth, params), x, key, sigma=sigma)
            return found / sigma**2

        def exact(params):
            return penalties.r1_penalty(partial(smooth, params), x)

        keys = jax.random.split(key(), draws)
        each = jax.jit(jax.vmap(jax.value_and_grad(approximate), in_axes=(None, 0)))(params, keys)
        for found, expected in zip(each, jax.value_and_grad(exact)(params), strict=True):
            error = found.std(0) / np.sqrt(draws)
            assert jnp.linalg.norm(error) < 0.03 * jnp.linalg.norm(expected)
            assert (jnp.abs(found.mean(0) - expected) < 4 * error).all()


@pytest.mark.parametrize("output", [(4,), (4, 1), (4, 2, 2, 1)])
def test_the_differences_of_patches_are_summed(output):
    def discriminator(x):
        logits = linear(jnp.array([3.0, 4.0]))(x).reshape(len(x), *(1,) * (len(output) - 1))
        return jnp.broadcast_to(logits, output)

    patches = int(np.prod(output[1:]))
    value = penalties.approximate_r1_penalty(discriminator, images(0, (4, 2)), key(), sigma=1.0)
    expected = np.square(noise_of((4, 2)) @ [3, 4]).mean()
    np.testing.assert_allclose(value, patches**2 * expected, rtol=1e-5)


def test_weights_of_an_approximate_penalty_by_hand():
    w, weights = np.array([3.0, 4.0]), np.array([3, 1, 0])
    for penalty in (penalties.approximate_r1_penalty, penalties.approximate_r2_penalty):
        found = penalty(
            linear(jnp.asarray(w, jnp.float32)),
            *(images(0, (3, 2)), key()),
            sigma=1.0,
            weights=jnp.asarray(weights),
        )
        expected = (weights * np.square(noise_of((3, 2)) @ w)).sum() / 4
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"weights must be real numbers of shape \(3,\)"):
        penalties.approximate_r1_penalty(
            linear(jnp.ones(2)), images(0, (3, 2)), key(), weights=jnp.ones(2)
        )


def test_all_arrays_of_an_input_get_noise_of_their_own():
    inputs = {"image": jnp.ones([4000, 1]), "level": jnp.zeros([4000, 1])}
    seen = []

    def discriminator(inputs):
        seen.append(inputs)
        return 3 * inputs["image"] + 4 * inputs["level"]

    value = penalties.approximate_r1_penalty(discriminator, inputs, key(), sigma=0.5)
    around = next(given for given in seen if float(jnp.std(given["image"])) > 0)
    moved = [np.asarray(around[name] - inputs[name])[:, 0] for name in inputs]
    np.testing.assert_allclose(np.cov(moved), [[0.25, 0], [0, 0.25]], atol=0.03)
    np.testing.assert_allclose(value, np.square(3 * moved[0] + 4 * moved[1]).mean(), rtol=1e-4)
    np.testing.assert_allclose(value, 0.25 * 25, rtol=0.1)


def test_an_approximate_penalty_takes_discriminators_that_the_exact_one_refuses():
    """A jax.custom_vjp, and a second derivative: of E(a s n)² it is 2 s² E n²."""

    @jax.custom_vjp
    def scaled(a, x):
        return a * x

    def backward(inputs, gradient):
        a, x = inputs
        return (gradient * x).sum(), gradient * a

    scaled.defvjp(lambda a, x: (a * x, (a, x)), backward)

    def penalty(a):
        return penalties.approximate_r1_penalty(
            lambda x: scaled(a, x)[:, 0], images(0, (6, 1)), key(), sigma=0.5
        )

    variance = 0.25 * np.square(noise_of((6, 1))).mean()
    np.testing.assert_allclose(penalty(3.0), 9 * variance, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(penalty)(3.0), 6 * variance, rtol=1e-5)
    twice = jax.grad(jax.grad(penalty))(3.0)
    np.testing.assert_allclose(twice, 2 * variance, rtol=1e-5)


def test_an_approximate_penalty_keeps_the_type_of_images_and_is_float32():
    seen = []

    def discriminator(x):
        seen.append(x.dtype)
        return linear(jnp.array([3.0, 4.0], x.dtype))(x)

    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        value = penalties.approximate_r1_penalty(
            discriminator, images(0, (4, 2)).astype(dtype), key(), sigma=1.0
        )
        assert value.dtype == jnp.float32
        assert set(seen) == {jnp.dtype(dtype)}
        expected = np.square(noise_of((4, 2)) @ [3, 4]).mean()
        np.testing.assert_allclose(value, expected, rtol=0.02)
        seen.clear()


def test_a_sigma_may_be_traced():
    x = images(0, (4, 2))
    found = jax.jit(lambda s: penalties.approximate_r1_penalty(quartic, x, key(), sigma=s))(0.3)
    expected = penalties.approximate_r1_penalty(quartic, x, key(), sigma=0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("penalty", ["approximate_r1_penalty", "approximate_r2_penalty"])
def test_inputs_of_an_approximate_penalty_that_do_not_fit_are_refused(penalty):
    name = {"approximate_r1_penalty": "real", "approximate_r2_penalty": "fake"}[penalty]
    penalty = getattr(penalties, penalty)
    for sigma in (0, 0.0, -0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"must be a positive number, not {sigma}"):
            penalty(quartic, jnp.ones([4, 2]), key(), sigma=sigma)
    with pytest.raises(ValueError, match=f"{name} must be floating point, not uint8"):
        penalty(quartic, jnp.zeros([4, 2], jnp.uint8), key())
    with pytest.raises(ValueError, match="as the 4 images, not a tuple"):
        penalty(lambda x: (quartic(x), {}), jnp.ones([4, 2]), key())
    with pytest.raises(ValueError, match=r"as the 4 images, not shape \(\)"):
        penalty(lambda x: quartic(x).sum(), jnp.ones([4, 2]), key())


# Penalties of logits


def test_drift_by_hand():
    value, gradient = jax.value_and_grad(penalties.drift_penalty)(jnp.array([[1.0], [-3.0]]))
    assert value == 5
    np.testing.assert_allclose(gradient, [[1], [-3]])
    assert penalties.drift_penalty(jnp.array([1], jnp.bfloat16)).dtype == jnp.float32


def test_lecam_by_hand():
    # max(0, 2 - (-1))² = 9 and max(0, -2 + 1)² = 0; max(0, 1 - (-1))² = 4 and max(0, 1 - 0)² = 1.
    value, gradients = jax.value_and_grad(penalties.lecam_penalty, argnums=(0, 1, 2, 3))(
        jnp.array([2.0, -2.0]), jnp.array([-1.0, 0.0]), 1.0, -1.0
    )
    assert value == 7
    np.testing.assert_allclose(gradients[0], [3, 0])
    np.testing.assert_allclose(gradients[1], [-2, -1])
    assert gradients[2] == gradients[3] == 0  # the averages are constants


# Penalties of weights, and constraints


def test_orthogonal_by_hand():
    # Rows of W [out, rest] are (1, 0) and (1, 2): their product is 1, twice off the diagonal.
    w = jnp.array([[1.0, 0.0], [1.0, 2.0]])
    value, gradient = jax.value_and_grad(penalties.orthogonal_penalty)({"kernel": w.T})
    assert value == 1
    products = w @ w.T
    off_diagonal = products - jnp.diag(jnp.diag(products))
    np.testing.assert_allclose(gradient["kernel"].T, 2 * off_diagonal @ w)


def test_orthogonal_sums_over_kernels_only():
    kernel = images(0, (3, 3, 2, 4))
    rows = np.asarray(kernel).reshape(-1, 4).T
    expected = sum((rows[i] @ rows[j]) ** 2 for i in range(4) for j in range(i))
    params = {
        "Conv_0": {"kernel": kernel, "bias": jnp.ones(4)},
        "Dense_0": {"kernel": jnp.linalg.qr(images(1, (6, 3)))[0]},
        "Embed_0": {"embedding": jnp.ones([3, 3])},
    }
    np.testing.assert_allclose(penalties.orthogonal_penalty(params), expected, rtol=1e-5)


def test_clipping():
    clipped = penalties.clip_weights({"kernel": jnp.array([-3.0, 0.005, 0.2]), "bias": 1.0}, 0.01)
    np.testing.assert_allclose(clipped["kernel"], [-0.01, 0.005, 0.01])
    np.testing.assert_allclose(clipped["bias"], 0.01)
    with pytest.raises(ValueError, match="must be positive, not -1"):
        penalties.clip_weights({}, -1)


# Lazy application


def lazy_r1(a, step, every=4):
    real = jnp.array([[1.0, 2.0]])
    return penalties.lazy(
        lambda: penalties.r1_penalty(lambda x: a * (x**2).sum(1) / 2, real), step, every
    )


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_a_lazy_penalty_is_k_times_the_penalty_every_kth_step(backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)

    def penalty(a, step):  # traced anew for each backend
        return lazy_r1(a, step)

    skipped = "cond[" in str(jax.make_jaxpr(penalty)(3.0, 0))
    assert skipped == (backend == "gpu")
    penalty = jax.jit(jax.value_and_grad(penalty))
    values, gradients = zip(*(penalty(3.0, step) for step in range(8)), strict=True)
    np.testing.assert_allclose(values, 4 * 45 * np.array([1, 0, 0, 0, 1, 0, 0, 0]), rtol=1e-6)
    np.testing.assert_allclose(gradients, 4 * 30 * np.array([1, 0, 0, 0, 1, 0, 0, 0]), rtol=1e-6)
    np.testing.assert_allclose(np.mean(values), lazy_r1(3.0, 0, every=1), rtol=1e-6)


def test_the_adam_correction():
    settings = penalties.lazy_adam(0.0017, 0.5, 0.99, every=16)
    assert settings["learning_rate"] == pytest.approx(0.0016)
    assert settings["b1"] ** (17 / 16) == pytest.approx(0.5)
    assert settings["b2"] ** (17 / 16) == pytest.approx(0.99)
    optax.adam(**settings)


@pytest.mark.parametrize("every", [0, -1])
def test_lazy_needs_a_positive_interval(every):
    with pytest.raises(ValueError, match=f"not every {every}"):
        lazy_r1(3.0, 0, every)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", INPUT_GRADIENT)
@pytest.mark.parametrize("plain", [False, True])
def test_the_discriminator_gets_images_of_their_own_type(name, plain, dtype):
    """A hand-written convolution takes images and kernels of one type, and no other."""
    kernel = jax.random.normal(key(), (3, 3, 1, 4)) / 3

    def network(kernel):
        def logits(x):
            assert x.dtype == kernel.dtype
            y = jax.lax.conv(x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), (1, 1), "SAME")
            return jnp.tanh(y).sum((1, 2, 3))

        return logits

    def value_and_gradient(dtype):
        real, fake = (images(seed, (4, 5, 5, 1)).astype(dtype) for seed in (0, 1))

        def penalty(kernel):
            return INPUT_GRADIENT[name](network(kernel), real, fake, plain=plain)

        return jax.jit(jax.value_and_grad(penalty))(kernel.astype(dtype))

    (found, gradient), (value, expected) = map(value_and_gradient, (dtype, jnp.float32))
    assert (found.dtype, gradient.dtype) == (jnp.float32, dtype)
    np.testing.assert_allclose(found, value, rtol=0.05)
    difference = jnp.linalg.norm(gradient.astype(jnp.float32) - expected)
    assert difference < 0.1 * jnp.linalg.norm(expected)


def test_clipping_leaves_what_is_no_weight():
    params = {"w": jnp.array([-1.0, 0.005]), "steps": jnp.array([3]), "on": jnp.array(True)}
    params["key"] = jax.random.key(0)
    found = penalties.clip_weights(params, 0.01)
    np.testing.assert_allclose(found.pop("w"), [-0.01, 0.005])
    del params["w"]
    for name, leaf in params.items():
        assert found[name].dtype == leaf.dtype
        assert (found[name] == leaf).all()


def test_averages_of_logits_are_scalars():
    """[B] against [B, 1] would be all pairs."""
    with pytest.raises(ValueError, match=r"fake_average must be a scalar, not of shape \(4,\)"):
        penalties.lecam_penalty(jnp.ones((4, 1)), jnp.ones((4, 1)), 0.0, jnp.ones(4))


# Weights, pytrees, traced numbers


def potential(inputs):
    """D of a dict of images [B, 2] and a condition [B]; ∇D is (2 x, 3)."""
    return jnp.square(inputs["image"]).sum(1) + 3 * inputs["level"]


INPUTS = {
    "image": jnp.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]]),
    "level": jnp.array([0.5, 1.0, -1.0]),
}


def test_the_norm_is_over_all_arrays_of_an_input():
    squares = np.array([4 + 9, 20 + 9, 36 + 9])
    assert penalties.r1_penalty(potential, INPUTS) == squares.mean()
    pairs = penalties.r1_penalty(
        lambda pair: potential({"image": pair[0], "level": pair[1]}), tuple(INPUTS.values())
    )
    assert pairs == squares.mean()
    # Between equal batches is the batch itself, whatever α.
    value = penalties.gradient_penalty(potential, INPUTS, INPUTS, jax.random.key(0))
    assert float(value) == pytest.approx(np.square(np.sqrt(squares) - 1).mean(), rel=1e-6)


@pytest.mark.parametrize("plain", [False, True])
def test_penalties_of_dicts_have_the_derivatives_of_their_plain_form(plain):
    fake = jax.tree.map(lambda leaf: leaf + 1, INPUTS)

    def loss(scale):
        def discriminator(inputs):
            return scale * potential(inputs) + jnp.sin(scale * inputs["level"])

        keys = jax.random.split(jax.random.key(3))
        return penalties.gradient_penalty(
            discriminator, INPUTS, fake, keys[0], plain=plain
        ) + penalties.dragan_penalty(discriminator, INPUTS, keys[1], plain=plain)

    slope = jax.grad(loss)(1.3)
    step = 1e-2
    about = (loss(1.3 + step) - loss(1.3 - step)) / (2 * step)
    np.testing.assert_allclose(slope, about, rtol=1e-3)


def test_inputs_that_do_not_fit_are_refused_by_name():
    with pytest.raises(ValueError, match=r"real\['label'\] must be floating point, not int32"):
        penalties.r1_penalty(potential, {"image": jnp.ones([3, 2]), "label": jnp.arange(3)})
    with pytest.raises(ValueError, match=r"one batch size, not \[2, 3\]"):
        penalties.r1_penalty(potential, {"image": jnp.ones([3, 2]), "level": jnp.ones(2)})
    with pytest.raises(ValueError, match="at least one array"):
        penalties.r1_penalty(potential, {})


WEIGHTED = {
    "gradient_penalty": lambda d, x, y, **w: penalties.gradient_penalty(
        d, x, y, jax.random.key(0), target=0.0, **w
    ),
    "r1_penalty": lambda d, x, y, **w: penalties.r1_penalty(d, x, **w),
    "r2_penalty": lambda d, x, y, **w: penalties.r2_penalty(d, y, **w),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_an_integer_weight_of_a_sample_is_so_many_copies(name):
    x, y = jnp.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]), jnp.array([[1.0, 2.0]] * 3)
    weights = jnp.array([1, 0, 2])
    x = y if name == "gradient_penalty" else x  # Mixed with its copies, α changes nothing.
    found = WEIGHTED[name](quartic, x, y, weights=weights)
    copies = [jnp.repeat(each, weights, axis=0, total_repeat_length=3) for each in (x, y)]
    np.testing.assert_allclose(found, WEIGHTED[name](quartic, *copies), rtol=1e-6)


def test_weights_of_penalties_by_hand():
    logits, weights = jnp.array([1.0, -3.0, 100.0]), jnp.array([3.0, 1.0, 0.0])
    assert penalties.drift_penalty(logits, weights=weights) == (3 * 1 + 1 * 9) / 4
    found = penalties.lecam_penalty(
        *(logits, logits, 0.0, 0.0), real_weights=weights, fake_weights=weights
    )
    assert found == 3 / 4 + 9 / 4
    around = penalties.dragan_penalty(quartic, jnp.ones([3, 2]), jax.random.key(0), weights=weights)
    assert jnp.isfinite(around)


def test_a_limit_and_a_target_may_be_traced():
    clipped = jax.jit(penalties.clip_weights)({"w": jnp.array([-2.0, 0.1])}, 0.5)
    np.testing.assert_array_equal(clipped["w"], np.array([-0.5, 0.1], np.float32))
    x = jnp.ones([2, 2])

    @jax.jit
    def traced(target):
        return penalties.gradient_penalty(quartic, x, x, jax.random.key(0), target=target)

    plain = penalties.gradient_penalty(quartic, x, x, jax.random.key(0), target=0.7)
    np.testing.assert_allclose(traced(0.7), plain, rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (0,), (0, 1)])
def test_an_empty_batch_of_logits_is_refused(shape):
    empty = jnp.ones((0, *shape))
    with pytest.raises(ValueError, match="hold nothing to take the mean of"):
        penalties.drift_penalty(empty)
    with pytest.raises(ValueError, match="hold nothing to take the mean of"):
        penalties.lecam_penalty(jnp.ones(2), empty, 0.0, 0.0)


def test_containers_of_logits_are_refused():
    for call in (
        lambda: penalties.drift_penalty([jnp.ones(2), jnp.ones(2)]),
        lambda: penalties.lecam_penalty((jnp.ones(2), jnp.ones(2)), jnp.ones(2), 0.0, 0.0),
    ):
        with pytest.raises(ValueError, match=r"must be one array, not a (list|tuple)"):
            call()


def test_the_orthogonal_penalty_of_attention_and_of_a_stack():
    # [in, heads, size]: one matrix [2, 4] whose outputs are the standard basis, twice.
    query = jnp.eye(2)[:, None, :].repeat(2, axis=1)
    params = {"query": {"kernel": query, "bias": jnp.ones([2, 2])}}
    assert penalties.orthogonal_penalty(params) == 2  # 4 products of 1 off the diagonal, halved.
    stack = jnp.stack([jnp.eye(2), jnp.ones([2, 2])])
    axes = lambda path, weight: Axes((-1,), stacked=(0,))  # noqa: E731
    assert penalties.orthogonal_penalty({"w": stack}, axes=axes) == 4
    with pytest.raises(ValueError, match=r"'w' .* are outputs is not known"):
        penalties.orthogonal_penalty({"w": stack})


def test_the_orthogonal_penalty_of_more_outputs_than_inputs():
    kernel = jax.random.normal(jax.random.key(0), [3, 40])
    products = np.asarray(kernel, np.float64).T @ np.asarray(kernel, np.float64)
    expected = np.square(products - np.diag(np.diag(products))).sum() / 2
    found, slope = jax.value_and_grad(penalties.orthogonal_penalty)({"kernel": kernel})
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    apart = products - np.diag(np.diag(products))
    np.testing.assert_allclose(slope["kernel"], 2 * kernel @ apart, rtol=1e-3, atol=1e-3)
