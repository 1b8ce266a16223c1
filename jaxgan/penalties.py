"""Penalties on a discriminator, and constraints on its weights: unweighted, in float32 at least.

A penalty of input gradients takes `discriminator_fn(images) -> logits`, with the parameters (and
the labels of a conditional discriminator) closed over. Images have shape `[B, ...]`; logits `[B]`,
`[B, 1]` or `[B, H, W, 1]`. The gradient of one image's logit comes from the gradient of the *sum*
of all logits, patches included (that of the mean is too small by 1/B), and its norm, written ‖∇D‖,
is over every axis but the batch. A discriminator that mixes its batch, by minibatch standard
deviation for example, is differentiated as a whole: ∇D of an image then holds its effect on the
other logits too. Batch normalisation therefore has no place in a penalised discriminator. The
discriminator is given images of the type that they have, such as bfloat16; gradients are turned
into float32 before they are squared.

First order by default. A penalty P(g) of g = ∇D needs second derivatives of D in its parameter
gradient. XLA runs these slowly on a CPU, so what is returned is the surrogate

    stop_gradient(P) + (s - stop_gradient(s)),    s = ⟨g, v⟩ = jvp(sum of D; x; v),

with the direction v = ∂P/∂g held constant. It has the value of P and its exact gradient, with
respect to the parameters and to the images, at the price of first-order kernels. Three uses
need `plain=True`, which differentiates twice:

- anything that differentiates the penalty *twice*, such as an unrolled GAN whose discriminator
  updates hold a penalty, or a Hessian: the surrogate takes v for a constant, and refuses;
- a discriminator with a `jax.custom_vjp` inside, which has no jvp;
- a test that wants a reference.

The surrogate calls the discriminator twice, on the same images. One that counts its calls, or draws
from a generator of its own (`nnx.Rngs`), is another one the second time: take keys from outside.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import relu
from jax.typing import ArrayLike

from jaxgan.first_order import first_order
from jaxgan.types import Array, Key, PyTree

DiscriminatorFn = Callable[[Array], Array]

EPSILON = 1e-12
"""Inside the square root of a norm, whose gradient at 0 would otherwise be NaN."""
TWICE = (
    "this penalty is differentiated twice, and the form that penalties have by default is right "
    "to first order only: pass plain=True"
)


def _as_float(array: Array, name: str) -> Array:
    return _wide(_floating(array, name))


def _floating(array: Array, name: str) -> Array:
    array = jnp.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must be floating point, not {array.dtype}")
    return array


def _wide(array: Array) -> Array:
    """The array in float32 at least, in which penalties are computed."""
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def _as_images(array: Array, name: str) -> Array:
    """Images in their own type, in which the discriminator takes them."""
    array = _floating(array, name)
    if array.ndim < 2 or array.size == 0:
        raise ValueError(f"{name} must have shape [B, ...], not {array.shape}")
    return array


def _per_sample(values: Array, like: Array) -> Array:
    """Reshapes [B] so that it broadcasts against `like` [B, ...]."""
    return values.reshape(values.shape + (1,) * (like.ndim - 1))


def _squared_norms(gradients: Array) -> Array:
    return jnp.sum(jnp.square(gradients), axis=tuple(range(1, gradients.ndim)))


def input_gradient_penalty(
    discriminator_fn: DiscriminatorFn,
    images: Array,
    penalty_fn: Callable[[Array], Array],
    *,
    plain: bool = False,
) -> Array:
    """Any penalty that is a function of the discriminator's input gradients.

    Args:
      discriminator_fn: `images [B, ...] -> logits`, see the module.
      images: `[B, ...]`, where the gradients are taken.
      penalty_fn: `gradients [B, ...] -> scalar`; both are float32, or float64 where images are.
      plain: differentiate twice instead of using the surrogate, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if `images` are not floating point, the logits do not start with their B, or,
        without `plain`, the penalty is differentiated twice or the discriminator holds a
        `jax.custom_vjp`.
    """
    images = _as_images(images, "images")

    def total(images: Array) -> Array:
        logits = discriminator_fn(images)
        shape = getattr(logits, "shape", None)
        if not shape or shape[0] != images.shape[0]:
            what = f"{type(logits).__name__}" if shape is None else f"shape {shape}"
            raise ValueError(
                "discriminator_fn must return logits alone, with as many rows as the "
                f"{images.shape[0]} images, not {what}"
            )
        return jnp.sum(_as_float(logits, "logits"))

    def penalty(gradients: Array) -> Array:
        return penalty_fn(_wide(gradients))

    gradients = jax.grad(total)(images)
    if plain:
        return penalty(gradients)
    value, direction = jax.value_and_grad(penalty)(jax.lax.stop_gradient(gradients))
    try:
        slope = first_order(jax.jvp(total, (images,), (direction,))[1], TWICE)
    except TypeError as error:
        if "custom_vjp" in str(error):
            raise ValueError(
                "discriminator_fn holds a jax.custom_vjp, which has no forward derivative: pass "
                "plain=True, or define its derivative by jax.custom_jvp"
            ) from error
        raise
    return value + (slope - jax.lax.stop_gradient(slope))  # an exact 0: value keeps its digits


def gradient_penalty(
    discriminator_fn: DiscriminatorFn,
    real: Array,
    fake: Array,
    key: Key,
    *,
    target: float = 1.0,
    one_sided: bool = False,
    squared_norm: bool = False,
    plain: bool = False,
) -> Array:
    """The WGAN-GP penalty E(‖∇D(x + α(g - x))‖ - target)², with one α ~ U[0, 1) a sample.

    The paper weighs it with 10. Public code is known to draw one α a batch or a pixel, to take the
    norm over the whole batch or over channels only, to differentiate the mean of the logits and to
    leave out the ε under the square root; each is a different penalty.

    Args:
      discriminator_fn: `images [B, ...] -> logits`.
      real: `[B, ...]`.
      fake: `[B, ...]`, of the same shape.
      key: consumed.
      target: the norm asked for; some use 0. TF-GAN divides by it, E(‖∇D‖ / target - 1)², and so
        has ours over target².
      one_sided: punish only norms above the target, max(0, ‖∇D‖ - target)² (Petzka et al.).
      squared_norm: E(‖∇D‖² - target²)² instead, the form of Bishop & Bishop's textbook. It is
        not what WGAN-GP was measured with: its pull is about 4 target² times stronger near the
        target and grows with the cube of the norm far from it.
      plain: differentiate twice, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if the shapes differ or the images are not floating point.

    References:
      Gulrajani et al., Improved Training of Wasserstein GANs, 2017 (arXiv:1704.00028).
      Petzka et al., On the regularization of Wasserstein GANs, 2018 (arXiv:1709.08894).
      Bishop & Bishop, Deep Learning, 2024, chapter 17.
    """
    real, fake = _as_images(real, "real"), _as_images(fake, "fake")
    if real.shape != fake.shape:
        raise ValueError(
            "real and fake must have the same shape to be mixed one by one, "
            f"but have {real.shape} and {fake.shape}"
        )
    dtype = jnp.promote_types(real.dtype, fake.dtype)
    real, fake = _wide(real), _wide(fake)
    alpha = _per_sample(jax.random.uniform(key, real.shape[:1], real.dtype), real)

    def penalty(gradients: Array) -> Array:
        squares = _squared_norms(gradients)
        excess = squares - target**2 if squared_norm else jnp.sqrt(squares + EPSILON) - target
        return jnp.mean(jnp.square(relu(excess) if one_sided else excess))

    mixed = (real + alpha * (fake - real)).astype(dtype)
    return input_gradient_penalty(discriminator_fn, mixed, penalty, plain=plain)


def dragan_penalty(
    discriminator_fn: DiscriminatorFn, real: Array, key: Key, *, plain: bool = False
) -> Array:
    """The DRAGAN penalty E(‖∇D(x + α ½ std u)‖ - 1)² around the real images.

    One α ~ U[0, 1) a sample, one u ~ U[0, 1) an element, std over the whole real batch. This is
    the author's notebook; the paper's text has Gaussian noise. The notebook's weight is 10.

    Args:
      discriminator_fn: `images [B, ...] -> logits`.
      real: `[B, ...]`.
      key: consumed.
      plain: differentiate twice, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if the images are not floating point.

    References:
      Kodali et al., On Convergence and Stability of GANs, 2017 (arXiv:1705.07215).
    """
    dtype, real = real.dtype, _wide(_as_images(real, "real"))
    alpha_key, noise_key = jax.random.split(key)
    alpha = _per_sample(jax.random.uniform(alpha_key, real.shape[:1], real.dtype), real)
    noise = jnp.std(real) / 2 * jax.random.uniform(noise_key, real.shape, real.dtype)

    def penalty(gradients: Array) -> Array:
        return jnp.mean(jnp.square(jnp.sqrt(_squared_norms(gradients) + EPSILON) - 1))

    around = (real + alpha * noise).astype(dtype)
    return input_gradient_penalty(discriminator_fn, around, penalty, plain=plain)


def r1_penalty(discriminator_fn: DiscriminatorFn, real: Array, *, plain: bool = False) -> Array:
    """R1, E‖∇D(x)‖² on real images, without the ½ of the paper.

    The weight in a loss is therefore γ/2 with the γ of the paper, of StyleGAN2 and of R3GAN;
    `reg_param` of GAN_stability is that γ/2 too. γ grows fourfold with a doubled resolution; a
    start is γ = 0.0002 resolution² / batch size.

    Args:
      discriminator_fn: `images [B, ...] -> logits`.
      real: `[B, ...]`.
      plain: differentiate twice, see the module.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if the images are not floating point.

    References:
      Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018
      (arXiv:1801.04406).
    """
    return input_gradient_penalty(
        discriminator_fn, real, lambda gradients: jnp.mean(_squared_norms(gradients)), plain=plain
    )


def r2_penalty(discriminator_fn: DiscriminatorFn, fake: Array, *, plain: bool = False) -> Array:
    """R2, E‖∇D(g)‖² on fake images: `r1_penalty` on the other batch, likewise without ½."""
    return r1_penalty(discriminator_fn, _as_images(fake, "fake"), plain=plain)


def drift_penalty(real_logits: Array) -> Array:
    """E D(x)², which keeps Wasserstein logits from drifting off; progressive growing weighs 1e-3.

    Args:
      real_logits: of any shape; the mean is over all elements.

    Returns:
      The penalty, a float32 scalar.

    References:
      Karras et al., Progressive Growing of GANs, 2018 (arXiv:1710.10196), appendix A.1.
    """
    return jnp.mean(jnp.square(_as_float(real_logits, "real_logits")))


def lecam_penalty(
    real_logits: Array, fake_logits: Array, real_average: ArrayLike, fake_average: ArrayLike
) -> Array:
    """LeCam regularisation, E max(0, D(x) - a_fake)² + E max(0, a_real - D(g))².

    The authors weigh it with 0.3, decay the averages with 0.99 and start at step 1000.

    Args:
      real_logits: of any shape; the mean is over all elements.
      fake_logits: of any shape.
      real_average: a_real, scalar, the moving average of E D(x); a constant to the gradient.
      fake_average: a_fake, scalar, the moving average of E D(g); a constant to the gradient.

    Returns:
      The penalty, a float32 scalar.

    Raises:
      ValueError: if an average is not a scalar.

    References:
      Tseng et al., Regularizing GANs under Limited Data, 2021 (arXiv:2104.03310).
    """
    for name, average in (("real_average", real_average), ("fake_average", fake_average)):
        if jnp.ndim(average):
            raise ValueError(f"{name} must be a scalar, not of shape {jnp.shape(average)}")
    real = _as_float(real_logits, "real_logits") - jax.lax.stop_gradient(fake_average)
    fake = jax.lax.stop_gradient(real_average) - _as_float(fake_logits, "fake_logits")
    return jnp.mean(jnp.square(relu(real))) + jnp.mean(jnp.square(relu(fake)))


def orthogonal_penalty(params: PyTree) -> Array:
    """½ ‖W Wᵀ ∘ (1 - I)‖²_F, summed over kernels W reshaped to [out, rest].

    Off the diagonal only, so that rows become orthogonal and their lengths stay free. BigGAN's
    code adds 2 (W Wᵀ ∘ (1 - I)) W to the gradient, which is the gradient of this form, and weighs
    it with 1e-4.

    Args:
      params: a pytree. Its kernels are the leaves of rank 2 and more, the outputs on the last axis
        (as in Flax and Haiku), outside anything with "embed" in its name.

    Returns:
      The penalty, a float32 scalar.

    References:
      Brock et al., Large Scale GAN Training, 2019 (arXiv:1809.11096).
    """
    total = jnp.zeros(())
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if jnp.ndim(leaf) >= 2 and "embed" not in jax.tree_util.keystr(path).lower():
            kernel = _as_float(leaf, "a kernel").reshape(-1, leaf.shape[-1])
            products = kernel.T @ kernel
            total += jnp.sum(jnp.square(products - jnp.diag(jnp.diag(products)))) / 2
    return total


def clip_weights(params: PyTree, limit: float) -> PyTree:
    """Clips every parameter to [-limit, limit], the Lipschitz constraint of the first WGAN.

    Applied after each discriminator update. The paper has limit 0.01, RMSProp with rate 5e-5 and
    five discriminator updates a generator update.

    Args:
      params: a pytree of arrays. Those of other types than floating point, such as counters and
        keys, stay as they are.
      limit: positive.

    Returns:
      The clipped parameters.

    Raises:
      ValueError: if `limit` is not positive.

    References:
      Arjovsky et al., Wasserstein GAN, 2017 (arXiv:1701.07875).
    """
    if limit <= 0:
        raise ValueError(f"the clipping limit must be positive, not {limit}")

    def clip(leaf: Array) -> Array:
        floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        return jnp.clip(leaf, -limit, limit) if floating else leaf

    return jax.tree.map(clip, params)


def lazy(penalty_fn: Callable[[], Array], update: Array | int, every: int) -> Array:
    """Applies a penalty at every k-th update, times k, and 0 in between.

    The penalty costs 1/k of its time on an accelerator. On a CPU it is computed at every step and
    masked in between: there XLA has no fast convolution inside a branch (60 times slower at 28x28
    with 32 channels), and a branch taken every 16th time would still lose.

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
        return every * jnp.asarray(penalty_fn(), jnp.float32)

    if jax.default_backend() == "cpu":
        return jnp.where(due, scaled(), 0.0)
    return jax.lax.cond(due, scaled, lambda: jnp.zeros(()))


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
