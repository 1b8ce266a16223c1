"""Penalties on a discriminator, and constraints on its weights, in float32 at least.

A penalty of input gradients takes `discriminator_fn(images) -> logits`, with the parameters (and
the labels of a conditional discriminator) closed over. Images have shape `[B, ...]`; logits `[B]`,
`[B, 1]` or `[B, H, W, 1]`. The gradient of one image's logit comes from the gradient of the *sum*
of all logits, patches included (that of the mean is too small by 1/B), and its norm, written ‖∇D‖,
is over every axis but the batch. A discriminator that mixes its batch, by minibatch standard
deviation for example, is differentiated as a whole: ∇D of an image then holds its effect on the
other logits too. Batch normalisation therefore has no place in a penalised discriminator. The
discriminator is given images of the type that they have, such as bfloat16; gradients are turned
into float32 before they are squared.

Instead of images a discriminator may take a pytree of arrays, such as a dict of images and
conditions; the norm is then over all of them. What is not to be differentiated, such as labels, is
closed over. Of a discriminator with several outputs, one call takes one:
`sum(r1_penalty(lambda x: D(x)[scale], real) for scale in range(3))`. Weights turn the mean over the
batch into Σ w p / Σ w, 0 for padding, which must hold numbers; see `losses`.

First order by default. A penalty P(g) of g = ∇D needs second derivatives of D in its parameter
gradient. XLA runs these slowly on a CPU, so what is returned is the surrogate

    stop_gradient(P) + slope of s,    s = ⟨g, v⟩ = jvp(sum of D; x; v),

with the direction v = ∂P/∂g held constant, and of s the derivative alone. It has the value of P and
its exact gradient, with respect to the parameters and to the images, at the price of first-order
kernels. Three uses need `plain=True`, which differentiates twice:

- anything that differentiates the penalty *twice*, such as an unrolled GAN whose discriminator
  updates hold a penalty, or a Hessian: the surrogate takes v for a constant, and refuses;
- a discriminator with a `jax.custom_vjp` inside, which has no jvp;
- a test that wants a reference.

`approximate_r1_penalty` and `approximate_r2_penalty` need neither form: they take differences of
logits in place of gradients.

A weight is best given as `scale`. Inside it belongs to the direction, and the way back through the
discriminator that made ∇D serves the surrogate's gradient too; a factor outside makes that another
one, and a step of WGAN-GP or R1 + R2 takes 5 to 9 % longer. Outside suits the plain form as well.

The surrogate calls the discriminator twice, on the same images. One that counts its calls, or draws
from a generator of its own (`nnx.Rngs`), is another one the second time: take keys from outside.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import relu
from jax.typing import ArrayLike

from jaxgan.arrays import (
    as_logits,
    check_weights,
    floating,
    is_traced,
    weighted_mean,
    wide,
    wide_type,
)
from jaxgan.keys import derive
from jaxgan.matrices import Axes, Rule, matrices, names, usual_axes
from jaxgan.slope import slope_of
from jaxgan.types import Array, Key, Number, PyTree

__all__ = [
    "approximate_r1_penalty",
    "approximate_r2_penalty",
    "clip_weights",
    "dragan_penalty",
    "drift_penalty",
    "gradient_penalty",
    "input_gradient_penalty",
    "kernel_axes",
    "lazy",
    "lazy_adam",
    "lecam_penalty",
    "orthogonal_penalty",
    "r1_penalty",
    "r2_penalty",
]


def __dir__() -> list[str]:
    return __all__


DiscriminatorFn = Callable[[PyTree], Array]

EPSILON = 1e-12
"""Inside the square root of a norm, whose gradient at 0 would otherwise be NaN."""
TWICE = (
    "this penalty is differentiated twice, and the form that penalties have by default is right "
    "to first order only: pass plain=True"
)


def _inputs(inputs: PyTree, name: str) -> PyTree:
    """Images, or a pytree of arrays, in their own types, in which the discriminator takes them."""
    leaves = jax.tree_util.tree_leaves_with_path(inputs)
    if not leaves:
        raise ValueError(f"{name} must hold at least one array, and this {type(inputs)} has none")
    alone = not leaves[0][0]
    rows = set()
    for path, leaf in leaves:
        leaf_name = name + jax.tree_util.keystr(path)
        leaf = floating(leaf, leaf_name)
        if leaf.ndim < 1 + alone or leaf.size == 0:
            raise ValueError(f"{leaf_name} must have shape [B, ...], not {leaf.shape}")
        rows.add(len(leaf))
    if len(rows) > 1:
        raise ValueError(f"all arrays of {name} must have one batch size, not {sorted(rows)}")
    return jax.tree.map(jnp.asarray, inputs)


def _batch_size(inputs: PyTree) -> int:
    return len(jax.tree.leaves(inputs)[0])


def _per_sample(values: Array, like: Array) -> Array:
    """Reshapes [B] so that it broadcasts against `like` [B, ...], in its type."""
    return values.reshape(values.shape + (1,) * (like.ndim - 1)).astype(like.dtype)


def _squared_norms(gradients: PyTree) -> Array:
    """‖∇D‖² of each sample, [B], over all arrays."""

    def of(gradients: Array) -> Array:
        return jnp.sum(jnp.square(gradients), axis=tuple(range(1, gradients.ndim)))

    return reduce(jnp.add, map(of, jax.tree.leaves(gradients)))


def _mean(values: Array, weights: Array | None, name: str = "weights") -> Array:
    """The mean of [B, ...], weighted."""
    if weights is not None:
        weights = check_weights(weights, values, name, "the values")
    return weighted_mean(values, weights)


def _logits(discriminator_fn: DiscriminatorFn, images: PyTree) -> Array:
    """Logits [B, ...] of images, in float32 at least."""
    logits = discriminator_fn(images)
    shape = getattr(logits, "shape", None)
    if not shape or shape[0] != _batch_size(images):
        what = f"a {type(logits).__name__}" if shape is None else f"shape {shape}"
        raise ValueError(
            "discriminator_fn must return logits alone, one array with as many rows as the "
            f"{_batch_size(images)} images, not {what}: of several outputs, one call takes one"
        )
    return as_logits(logits, "logits")


def input_gradient_penalty(
    discriminator_fn: DiscriminatorFn,
    images: PyTree,
    penalty_fn: Callable[[PyTree], Array],
    *,
    plain: bool = False,
    scale: Number = 1.0,
) -> Array:
    """Any penalty that is a function of the discriminator's input gradients.

    Args:
      discriminator_fn: `images [B, ...] -> logits`, see the module.
      images: `[B, ...]`, where the gradients are taken, or a pytree of such arrays.
      penalty_fn: `gradients [B, ...] -> scalar`; both are float32, or float64 where images are.
        Of a pytree it is given a pytree.
      plain: differentiate twice instead of using the surrogate, see the module.
      scale: multiplies the penalty, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if `images` are not floating point, the logits do not start with their B, or,
        without `plain`, the penalty is differentiated twice or the discriminator holds a
        `jax.custom_vjp`.
    """
    images = _inputs(images, "images")

    def total(images: PyTree) -> Array:
        return jnp.sum(_logits(discriminator_fn, images))

    def penalty(gradients: PyTree) -> Array:
        value = jnp.asarray(penalty_fn(jax.tree.map(wide, gradients)))
        return jnp.asarray(scale, value.dtype) * value

    gradients = jax.grad(total)(images)
    if plain:
        return penalty(gradients)
    value, direction = jax.value_and_grad(penalty)(jax.lax.stop_gradient(gradients))
    try:
        return value + slope_of(jax.jvp(total, (images,), (direction,))[1], TWICE)
    except TypeError as error:
        if "custom_vjp" in str(error):
            raise ValueError(
                "discriminator_fn holds a jax.custom_vjp, which has no forward derivative: pass "
                "plain=True, or define its derivative by jax.custom_jvp"
            ) from error
        raise


def gradient_penalty(
    discriminator_fn: DiscriminatorFn,
    real: PyTree,
    fake: PyTree,
    key: Key,
    *,
    target: Number = 1.0,
    one_sided: bool = False,
    squared_norm: bool = False,
    plain: bool = False,
    scale: Number = 1.0,
    weights: Array | None = None,
) -> Array:
    """The WGAN-GP penalty E(‖∇D(x + α(g - x))‖ - target)², with one α ~ U[0, 1) a sample.

    The paper weighs it with 10. Public code is known to draw one α a batch or a pixel, to take the
    norm over the whole batch or over channels only, to differentiate the mean of the logits and to
    leave out the ε under the square root; each is a different penalty.

    Args:
      discriminator_fn: `images [B, ...] -> logits`.
      real: `[B, ...]`, or a pytree of such arrays.
      fake: the same, of the same shape.
      key: consumed.
      target: the norm asked for; some use 0. TF-GAN divides by it, E(‖∇D‖ / target - 1)², and so
        has ours over target².
      one_sided: punish only norms above the target, max(0, ‖∇D‖ - target)² (Petzka et al.).
      squared_norm: E(‖∇D‖² - target²)² instead, the form of Bishop & Bishop's textbook. It is
        not what WGAN-GP was measured with: its pull is about 4 target² times stronger near the
        target and grows with the cube of the norm far from it.
      plain: differentiate twice, see the module.
      scale: multiplies the penalty, see the module.
      weights: `[B]`, one a sample, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if the shapes differ or the images are not floating point.

    References:
      Gulrajani et al., Improved Training of Wasserstein GANs, 2017 (arXiv:1704.00028).
      Petzka et al., On the regularization of Wasserstein GANs, 2018 (arXiv:1709.08894).
      Bishop & Bishop, Deep Learning, 2024, chapter 17.
    """
    real, fake = _inputs(real, "real"), _inputs(fake, "fake")
    shapes = [jax.tree.map(jnp.shape, inputs) for inputs in (real, fake)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "real and fake must have the same shape to be mixed one by one, "
            f"but have {shapes[0]} and {shapes[1]}"
        )
    alpha = _uniform(key, real)

    def mix(real: Array, fake: Array) -> Array:
        dtype = jnp.promote_types(real.dtype, fake.dtype)
        real, fake = wide(real), wide(fake)
        return (real + _per_sample(alpha, real) * (fake - real)).astype(dtype)

    def penalty(gradients: PyTree) -> Array:
        squares = _squared_norms(gradients)
        aim = jnp.asarray(target, squares.dtype)
        excess = squares - aim**2 if squared_norm else jnp.sqrt(squares + EPSILON) - aim
        return _mean(jnp.square(relu(excess) if one_sided else excess), weights)

    mixed = jax.tree.map(mix, real, fake)
    return input_gradient_penalty(discriminator_fn, mixed, penalty, plain=plain, scale=scale)


def _uniform(key: Key, inputs: PyTree) -> Array:
    """One α ~ U[0, 1) a sample, the same for all its arrays."""
    first = jax.tree.leaves(inputs)[0]
    return jax.random.uniform(key, first.shape[:1], wide_type(first.dtype))


def dragan_penalty(
    discriminator_fn: DiscriminatorFn,
    real: PyTree,
    key: Key,
    *,
    plain: bool = False,
    scale: Number = 1.0,
    weights: Array | None = None,
) -> Array:
    """The DRAGAN penalty E(‖∇D(x + α ½ std u)‖ - 1)² around the real images.

    One α ~ U[0, 1) a sample, one u ~ U[0, 1) an element, std over the whole real batch (padding
    included, whatever the weights). This is the author's notebook; the paper's text has Gaussian
    noise. The notebook's weight is 10.

    Args:
      discriminator_fn: `images [B, ...] -> logits`.
      real: `[B, ...]`, or a pytree of such arrays.
      key: consumed.
      plain: differentiate twice, see the module.
      scale: multiplies the penalty, see the module.
      weights: `[B]`, one a sample, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if the images are not floating point.

    References:
      Kodali et al., On Convergence and Stability of GANs, 2017 (arXiv:1705.07215).
    """
    real = _inputs(real, "real")
    alpha_key, noise_key = jax.random.split(key)
    alpha = _uniform(alpha_key, real)

    def move(path: tuple, real: Array) -> Array:
        dtype, real = real.dtype, wide(real)
        own_key = derive(noise_key, *map(str, path))  # that of images alone has no path
        noise = jnp.std(real) / 2 * jax.random.uniform(own_key, real.shape, real.dtype)
        return (real + _per_sample(alpha, real) * noise).astype(dtype)

    def penalty(gradients: PyTree) -> Array:
        excess = jnp.sqrt(_squared_norms(gradients) + EPSILON) - 1
        return _mean(jnp.square(excess), weights)

    around = jax.tree_util.tree_map_with_path(move, real)
    return input_gradient_penalty(discriminator_fn, around, penalty, plain=plain, scale=scale)


def r1_penalty(
    discriminator_fn: DiscriminatorFn,
    real: PyTree,
    *,
    plain: bool = False,
    scale: Number = 1.0,
    weights: Array | None = None,
) -> Array:
    """R1, E‖∇D(x)‖² on real images, without the ½ of the paper.

    The weight in a loss is therefore γ/2 with the γ of the paper, of StyleGAN2 and of R3GAN;
    `reg_param` of GAN_stability is that γ/2 too. γ grows fourfold with a doubled resolution; a
    start is γ = 0.0002 resolution² / batch size.

    Args:
      discriminator_fn: `images [B, ...] -> logits`.
      real: `[B, ...]`, or a pytree of such arrays.
      plain: differentiate twice, see the module.
      scale: multiplies the penalty, see the module.
      weights: `[B]`, one a sample, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if the images are not floating point.

    References:
      Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018
      (arXiv:1801.04406).
    """
    return input_gradient_penalty(
        discriminator_fn,
        _inputs(real, "real"),
        lambda gradients: _mean(_squared_norms(gradients), weights),
        plain=plain,
        scale=scale,
    )


def r2_penalty(
    discriminator_fn: DiscriminatorFn,
    fake: PyTree,
    *,
    plain: bool = False,
    scale: Number = 1.0,
    weights: Array | None = None,
) -> Array:
    """R2, E‖∇D(g)‖² on fake images: `r1_penalty` on the other batch, likewise without ½."""
    return r1_penalty(
        discriminator_fn, _inputs(fake, "fake"), plain=plain, scale=scale, weights=weights
    )


def approximate_r1_penalty(
    discriminator_fn: DiscriminatorFn,
    real: PyTree,
    key: Key,
    *,
    sigma: Number = 0.01,
    weights: Array | None = None,
) -> Array:
    """R1 by differences, E(D(x + σ n) - D(x))² with n ~ N(0, I) on real images x.

    It needs no gradient with respect to the images, and so suits discriminators that have none, or
    none that can be differentiated again: fused kernels, networks split over devices. As σ goes to
    0, its value and its gradient go to σ² times those of `r1_penalty`, on average over n. It is not
    divided by σ²: the weight λ here is the weight λ σ² there. The paper has λ = 100 at every
    update, with σ = 0.01 for images and σ = 0.1 for videos, both in a latent space; that is a
    weight of 0.01 and of 1 there.

    That limit is of discriminators that score each image by itself. D of an image is the sum of
    its patches' logits, as in `r1_penalty`; the mean over patches of their squared differences is
    another penalty. One n a sample is a noisy estimate: where all gradients are equally long, the
    standard deviation of the value is √(2 / B) of it.

    The logits differ by about σ ‖∇D‖, which rounding must not hide. For a DCGAN on 28x28 pixels
    with layers in bfloat16 and logits in float32, the value was within 3% of that of float32 at
    σ = 0.01, and twice too large at σ = 0.003.

    Both passes are differentiated. Public code is known to cut the gradient of one of them, and
    with it that of the penalty: what is left is 0 on average for a linear D.

    Args:
      discriminator_fn: `images [B, ...] -> logits`. It is called twice, on images with and without
        noise.
      real: `[B, ...]`, or a pytree of such arrays, each of which gets noise of its own.
      key: consumed.
      sigma: standard deviation of the noise in the units of the images, positive; may be traced,
        and is then not checked.
      weights: `[B]`, one a sample, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if `sigma` is not a positive number, the images are not floating point, or the
        logits do not start with their B.

    References:
      Lin et al., Diffusion Adversarial Post-Training for One-Step Video Generation, 2025
      (arXiv:2501.08316).
    """
    real = _inputs(real, "real")
    if not is_traced(sigma) and not 0 < sigma < float("inf"):
        raise ValueError(f"sigma of an approximate penalty must be a positive number, not {sigma}")

    def move(path: tuple, real: Array) -> Array:
        dtype, real = real.dtype, wide(real)
        own_key = derive(key, *map(str, path))  # that of images alone has no path
        noise = jax.random.normal(own_key, real.shape, real.dtype)
        return (real + jnp.asarray(sigma, real.dtype) * noise).astype(dtype)

    around = jax.tree_util.tree_map_with_path(move, real)
    change = _logits(discriminator_fn, around) - _logits(discriminator_fn, real)
    change = jnp.sum(change, axis=tuple(range(1, change.ndim)))
    return _mean(jnp.square(change), weights)


def approximate_r2_penalty(
    discriminator_fn: DiscriminatorFn,
    fake: PyTree,
    key: Key,
    *,
    sigma: Number = 0.01,
    weights: Array | None = None,
) -> Array:
    """R2 by differences, E(D(g + σ n) - D(g))²: `approximate_r1_penalty` on fake images."""
    return approximate_r1_penalty(
        discriminator_fn, _inputs(fake, "fake"), key, sigma=sigma, weights=weights
    )


def drift_penalty(real_logits: Array, *, weights: Array | None = None) -> Array:
    """E D(x)², which keeps Wasserstein logits from drifting off; progressive growing weighs 1e-3.

    Args:
      real_logits: of any shape; the mean is over all elements.
      weights: `[B]` or of the logits' shape, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if the logits are not one array of floating point that holds something.

    References:
      Karras et al., Progressive Growing of GANs, 2018 (arXiv:1710.10196), appendix A.1.
    """
    return _mean(jnp.square(as_logits(real_logits, "real_logits")), weights)


def lecam_penalty(
    real_logits: Array,
    fake_logits: Array,
    real_average: ArrayLike,
    fake_average: ArrayLike,
    *,
    real_weights: Array | None = None,
    fake_weights: Array | None = None,
) -> Array:
    """LeCam regularisation, E max(0, D(x) - a_fake)² + E max(0, a_real - D(g))².

    The authors weigh it with 0.3, decay the averages with 0.99 and start at step 1000.

    Args:
      real_logits: of any shape; the mean is over all elements.
      fake_logits: of any shape.
      real_average: a_real, scalar, the moving average of E D(x); a constant to the gradient.
      fake_average: a_fake, scalar, the moving average of E D(g); a constant to the gradient.
      real_weights: `[B]` or of the logits' shape, see the module.
      fake_weights: the same for `fake_logits`.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if an average is not a scalar, or logits not one array of floating point that
        holds something.

    References:
      Tseng et al., Regularizing GANs under Limited Data, 2021 (arXiv:2104.03310).
    """
    for name, average in (("real_average", real_average), ("fake_average", fake_average)):
        if jnp.ndim(average):
            raise ValueError(f"{name} must be a scalar, not of shape {jnp.shape(average)}")
    real, fake = as_logits(real_logits, "real_logits"), as_logits(fake_logits, "fake_logits")
    real = real - jax.lax.stop_gradient(jnp.asarray(fake_average, real.dtype))
    fake = jax.lax.stop_gradient(jnp.asarray(real_average, fake.dtype)) - fake
    return _mean(jnp.square(relu(real)), real_weights, "real_weights") + _mean(
        jnp.square(relu(fake)), fake_weights, "fake_weights"
    )


def kernel_axes(path: tuple[str, ...], weight: Array) -> Axes | None:
    """`matrices.usual_axes` of everything but what has "embed" in its path."""
    return None if "embed" in "/".join(path).lower() else usual_axes(path, weight)


def orthogonal_penalty(params: PyTree, *, axes: Rule = kernel_axes) -> Array:
    """½ ‖Wᵀ W ∘ (1 - I)‖²_F, summed over kernels W [in, out].

    Off the diagonal only, so that the weights of two outputs become orthogonal and their lengths
    stay free. BigGAN's code, whose W is our Wᵀ, adds 2 (W Wᵀ ∘ (1 - I)) W to the gradient, which
    is the gradient of this form, and weighs it with 1e-4.

    Args:
      params: a pytree.
      axes: which parameters are kernels, and of which axes.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: for a parameter whose axes the rule does not know.

    References:
      Brock et al., Large Scale GAN Training, 2019 (arXiv:1809.11096).
    """
    terms = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        given = axes(names(path), leaf)
        if given is not None:
            kernel = matrices(floating(leaf, "/".join(names(path))), given)
            terms.append(_off_diagonal(kernel) / 2)
    return reduce(jnp.add, terms) if terms else jnp.zeros((), jnp.float32)


def _off_diagonal(kernel: Array) -> Array:
    """‖Wᵀ W ∘ (1 - I)‖²_F, summed over W `[..., in, out]`, by the smaller of Wᵀ W and W Wᵀ.

    Both have one norm, of which the diagonal's part is taken away.
    """
    transposed = jnp.swapaxes(kernel, -1, -2)
    if kernel.shape[-1] <= kernel.shape[-2]:
        products = transposed @ kernel
        apart = products * (1 - jnp.eye(products.shape[-1], dtype=products.dtype))
        return jnp.sum(jnp.square(apart))
    lengths = jnp.sum(jnp.square(kernel), axis=-2)
    return jnp.sum(jnp.square(kernel @ transposed)) - jnp.sum(jnp.square(lengths))


def clip_weights(params: PyTree, limit: Number) -> PyTree:
    """Clips every parameter to [-limit, limit], the Lipschitz constraint of the first WGAN.

    Applied after each discriminator update. The paper has limit 0.01, RMSProp with rate 5e-5 and
    five discriminator updates a generator update.

    Args:
      params: a pytree of arrays. Those of other types than floating point, such as counters and
        keys, stay as they are.
      limit: positive; may be traced, and is then not checked.

    Returns:
      The clipped parameters.

    Raises:
      ValueError: if `limit` is not positive.

    References:
      Arjovsky et al., Wasserstein GAN, 2017 (arXiv:1701.07875).
    """
    if not is_traced(limit) and limit <= 0:
        raise ValueError(f"the clipping limit must be positive, not {limit}")

    def clip(leaf: Array) -> Array:
        floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        if not floating:
            return leaf
        bound = jnp.asarray(limit, jnp.result_type(leaf))
        return jnp.clip(leaf, -bound, bound)

    return jax.tree.map(clip, params)


def lazy(penalty_fn: Callable[[], Array], update: Array | int, every: int) -> Array:
    """Applies a penalty at every k-th update, times k, and 0 in between.

    The penalty costs 1/k of its time on an accelerator. On a CPU it is computed at every step and
    masked in between: there XLA has no fast convolution inside a branch (60 times slower at 28x28
    with 32 channels), and a branch taken every 16th time would still lose. The masked penalty's
    gradient must be finite all the same: a NaN times 0 is NaN.

    Args:
      penalty_fn: `() -> scalar`, the penalty with its arguments closed over.
      update: int scalar, counts discriminator updates from 0 (`Turn.number`); the 0th has the
        penalty.
      every: k, positive; StyleGAN2 has 16.

    Returns:
      k penalty or 0, a float32 scalar.

    Raises:
      ValueError: if `every` is not positive.

    References:
      Karras et al., Analyzing and Improving the Image Quality of StyleGAN, 2020
      (arXiv:1912.04958), appendix B.
    """
    if every < 1:
        raise ValueError(f"a lazy penalty is applied every 1, 2, ... updates, not every {every}")
    if every == 1:
        return penalty_fn()
    due = jnp.asarray(update) % every == 0

    def scaled() -> Array:
        return every * wide(jnp.asarray(penalty_fn()))

    if jax.default_backend() == "cpu":
        return jnp.where(due, scaled(), 0)
    return jax.lax.cond(due, scaled, lambda: jnp.zeros((), jax.eval_shape(scaled).dtype))


def lazy_adam(learning_rate: float, b1: float, b2: float, every: int) -> dict[str, Any]:
    """Adam's settings where a lazy penalty has updates of its own: rate c, b1^c and b2^c.

    With c = k / (k + 1), StyleGAN2's correction: its regulariser makes one update more after every
    k of the loss. It is for loops that step separately. Where the penalty is part of the loss's own
    update, as in the games here, nothing needs correcting: it would only lower the rate, to .8 for
    k = 4.

    Args:
      learning_rate: as without the lazy penalty.
      b1: as without.
      b2: as without.
      every: k.

    Returns:
      Keyword arguments of `optax.adam`.
    """
    c = every / (every + 1)
    return {"learning_rate": c * learning_rate, "b1": b1**c, "b2": b2**c}
