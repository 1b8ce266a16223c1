"""Adversarial losses: logits in, one scalar to minimise out.

A loss is a pair of pure, jitted functions, one a player. Logits are what the discriminator says
before any sigmoid, in any shape that starts with the batch: `[B]`, `[B, 1]`, or PatchGAN's
`[B, H, W, 1]`. The mean, written E, is over all elements. Real and fake batches may differ in size
(each term is its own mean) and in nothing else: `[B]` against `[B, 1]` is an error, never a silent
broadcast. Everything is computed in float32 (float64 stays).

In the formulas D is the logit, x a real image and g a fake one. Logistic losses are written with
softplus, log sigmoid(D) = -softplus(-D), which is finite where the sigmoid has underflowed to 0.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus
from jax.numpy import mean, square

from jaxgan.types import Array, Key


class AdversarialLoss(NamedTuple):
    """What the two players minimise.

    Attributes:
      discriminator: `(real_logits, fake_logits) -> scalar`. `multi_scale` takes lists of logits.
      generator: `(fake_logits, real_logits=None) -> scalar`. Only the relativistic losses read
        `real_logits`, and they need them.
    """

    discriminator: Callable[..., Array]
    generator: Callable[..., Array]


def _as_float(logits: Array, name: str) -> Array:
    if isinstance(logits, (list, tuple, dict)):
        raise ValueError(
            f"{name} must be one array, not a {type(logits).__name__}; the logits of several "
            "scales are for multi_scale(loss)"
        )
    logits = jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(f"{name} must be floating point, not {logits.dtype}")
    if logits.size == 0:
        raise ValueError(f"{name} of shape {logits.shape} hold nothing to take the mean of")
    return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))


def _as_floats(real_logits: Array, fake_logits: Array) -> tuple[Array, Array]:
    real, fake = _as_float(real_logits, "real_logits"), _as_float(fake_logits, "fake_logits")
    if real.ndim != fake.ndim or real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            "real_logits and fake_logits may differ in batch size and in nothing else, "
            f"but their shapes are {real.shape} and {fake.shape}"
        )
    return real, fake


def _independent(
    discriminator: Callable[[Array, Array], Array], generator: Callable[[Array], Array]
) -> AdversarialLoss:
    """A loss whose generator is judged by its fakes alone."""

    @jax.jit
    def discriminator_loss(real_logits: Array, fake_logits: Array) -> Array:
        return discriminator(*_as_floats(real_logits, fake_logits))

    @jax.jit
    def generator_loss(fake_logits: Array, real_logits: Array | None = None) -> Array:
        del real_logits
        return generator(_as_float(fake_logits, "fake_logits"))

    return AdversarialLoss(discriminator_loss, generator_loss)


def _relativistic(
    loss: Callable[[Array, Array], Array], *, paired: bool = False
) -> AdversarialLoss:
    """A loss of (own, other) logits, the same for both players."""

    def checked(real_logits: Array, fake_logits: Array) -> tuple[Array, Array]:
        real, fake = _as_floats(real_logits, fake_logits)
        if paired and real.shape != fake.shape:
            raise ValueError(
                "a relativistic pairing needs batches of equal size, "
                f"but their shapes are {real.shape} and {fake.shape}"
            )
        return real, fake

    @jax.jit
    def discriminator_loss(real_logits: Array, fake_logits: Array) -> Array:
        real, fake = checked(real_logits, fake_logits)
        return loss(real, fake)

    @jax.jit
    def generator_loss(fake_logits: Array, real_logits: Array | None = None) -> Array:
        if real_logits is None:
            raise ValueError("the generator of a relativistic loss needs real_logits too")
        real, fake = checked(real_logits, fake_logits)
        return loss(fake, real)

    return AdversarialLoss(discriminator_loss, generator_loss)


def multi_scale(loss: AdversarialLoss) -> AdversarialLoss:
    """The sum of a loss over the logits of several discriminators, such as scales of an image.

    Each scale has its own mean, and relativistic averages stay within it. pix2pixHD and vocoders
    sum as here; some code divides by the number of scales.

    Args:
      loss: of one discriminator.

    Returns:
      A loss that takes lists or tuples of logits, one array a scale, equally many for real and
      fake images.

    References:
      Wang et al., High-Resolution Image Synthesis with Conditional GANs, 2018 (arXiv:1711.11585).
    """

    def scales(name: str, logits: Sequence[Array]) -> Sequence[Array]:
        if not isinstance(logits, (list, tuple)) or not logits:
            raise ValueError(f"{name} must be a list or tuple with an array for each scale")
        return logits

    def discriminator_loss(real_logits: Sequence[Array], fake_logits: Sequence[Array]) -> Array:
        real, fake = scales("real_logits", real_logits), scales("fake_logits", fake_logits)
        same_number(real, fake)
        return sum(map(loss.discriminator, real, fake), start=jnp.zeros(()))

    def generator_loss(
        fake_logits: Sequence[Array], real_logits: Sequence[Array] | None = None
    ) -> Array:
        fake = scales("fake_logits", fake_logits)
        if real_logits is None:
            return sum(map(loss.generator, fake), start=jnp.zeros(()))
        real = scales("real_logits", real_logits)
        same_number(real, fake)
        return sum(map(loss.generator, fake, real), start=jnp.zeros(()))

    def same_number(real: Sequence[Array], fake: Sequence[Array]) -> None:
        if len(real) != len(fake):
            raise ValueError(
                "real_logits and fake_logits must be of equally many scales, not "
                f"{len(real)} and {len(fake)}"
            )

    return AdversarialLoss(discriminator_loss, generator_loss)


def _logistic(real: Array, fake: Array) -> Array:
    return mean(softplus(-real)) + mean(softplus(fake))


minimax = _independent(_logistic, lambda fake: -mean(softplus(fake)))
"""The zero-sum game.

    discriminator  E softplus(-D(x)) + E softplus(D(g))
    generator      -E softplus(D(g)) = E log(1 - sigmoid(D(g)))

The least the discriminator's loss can be is log 4 - 2 JS(p_data, p_g), with JS the Jensen-Shannon
divergence. The generator's gradient vanishes where the discriminator is sure, which
`non_saturating` mends. TF-GAN's generator value differs by a constant, and its discriminator
smooths real labels unless told otherwise: its label_smoothing of .25 gives the target .875, which
is a smoothing of .125 here; see `with_targets`.

References:
  Goodfellow et al., Generative Adversarial Networks, 2014 (arXiv:1406.2661).
"""

non_saturating = _independent(_logistic, lambda fake: mean(softplus(-fake)))
"""The discriminator of `minimax` with a generator that maximises log sigmoid(D(g)).

    discriminator  E softplus(-D(x)) + E softplus(D(g))
    generator      E softplus(-D(g))

References:
  Goodfellow et al., Generative Adversarial Networks, 2014 (arXiv:1406.2661), section 3.
"""


def make_least_squares(
    *, real_target: float = 1.0, fake_target: float = 0.0, generator_target: float = 1.0
) -> AdversarialLoss:
    """Makes a least-squares loss with targets of one's own.

        discriminator  ½ E(D(x) - real_target)² + ½ E(D(g) - fake_target)²
        generator      ½ E(D(g) - generator_target)²

    Both players have the ½ of the paper; CycleGAN's code has none in the generator's loss, and
    compare_gan takes a sigmoid of the logits first.

    Args:
      real_target: b of the paper; 0.9 is one-sided label smoothing.
      fake_target: a of the paper.
      generator_target: c of the paper. (b, a, c) = (1, -1, 0) minimises a Pearson χ² divergence.

    Returns:
      The pair of losses.

    References:
      Mao et al., Least Squares Generative Adversarial Networks, 2017 (arXiv:1611.04076).
    """
    return _independent(
        lambda real, fake: (
            (mean(square(real - real_target)) + mean(square(fake - fake_target))) / 2
        ),
        lambda fake: mean(square(fake - generator_target)) / 2,
    )


least_squares = make_least_squares()
"""`make_least_squares` with the targets 1 for real, 0 for fake and 1 for the generator."""

wasserstein = _independent(lambda real, fake: mean(fake) - mean(real), lambda fake: -mean(fake))
"""The difference of means, for a discriminator kept Lipschitz by a penalty or by clipping.

    discriminator  E D(g) - E D(x)
    generator      -E D(g)

Minus the discriminator's loss estimates the Wasserstein distance, up to the Lipschitz constant.
pytorch_GAN_zoo sums over the batch where this takes the mean.

References:
  Arjovsky et al., Wasserstein GAN, 2017 (arXiv:1701.07875).
"""

hinge = _independent(
    lambda real, fake: mean(relu(1 - real)) + mean(relu(1 + fake)), lambda fake: -mean(fake)
)
"""Margins for the discriminator, the plain mean for the generator.

    discriminator  E max(0, 1 - D(x)) + E max(0, 1 + D(g))
    generator      -E D(g)

References:
  Lim & Ye, Geometric GAN, 2017 (arXiv:1705.02894).
"""

relativistic_pairing = _relativistic(lambda own, other: mean(softplus(other - own)), paired=True)
"""Each real image against the fake of the same index; batches of equal size.

    discriminator  E softplus(-(D(x_i) - D(g_i)))
    generator      E softplus(-(D(g_i) - D(x_i)))

References:
  Jolicoeur-Martineau, The Relativistic Discriminator, 2018 (arXiv:1807.00734).
  Huang et al., The GAN Is Dead; Long Live the GAN! (R3GAN), 2024 (arXiv:2501.05441).
"""

relativistic_average = _relativistic(
    lambda own, other: mean(softplus(mean(other) - own)) + mean(softplus(other - mean(own)))
)
"""Each image against the average of the other kind, over all images and patches.

    discriminator  E softplus(-(D(x) - E D(g))) + E softplus(D(g) - E D(x))
    generator      E softplus(-(D(g) - E D(x))) + E softplus(D(x) - E D(g))

The author's text halves the sum; TF-GAN does not, nor does this.

References:
  Jolicoeur-Martineau, The Relativistic Discriminator, 2018 (arXiv:1807.00734).
"""

ADVERSARIAL: dict[str, AdversarialLoss] = {
    "minimax": minimax,
    "non_saturating": non_saturating,
    "least_squares": least_squares,
    "wasserstein": wasserstein,
    "hinge": hinge,
    "relativistic_pairing": relativistic_pairing,
    "relativistic_average": relativistic_average,
}
"""Every loss by the name that experiments call it."""


def _targets(
    logits: Array, label: bool, smoothing: float, noise: float, flip: float, key: Key | None
) -> Array:
    """One target an image, broadcastable to its logits."""
    if key is None:
        return jnp.asarray(1 - smoothing if label else 0.0, logits.dtype)
    flip_key, noise_key = jax.random.split(key)
    shape = logits.shape[:1] + (1,) * (logits.ndim - 1)
    labels = jax.random.bernoulli(flip_key, flip, shape) != label
    wobble = noise * jax.random.uniform(noise_key, shape, logits.dtype)
    return jnp.where(labels, 1 - smoothing - wobble, wobble)


@jax.jit
def _logistic_with_targets(
    real_logits: Array,
    fake_logits: Array,
    smoothing: float,
    noise: float,
    flip: float,
    key: Key | None,
) -> Array:
    real, fake = _as_floats(real_logits, fake_logits)
    real_key, fake_key = (None, None) if key is None else jax.random.split(key)

    def term(logits: Array, label: bool, key: Key | None) -> Array:
        target = _targets(logits, label, smoothing, noise, flip, key)
        return mean(target * softplus(-logits) + (1 - target) * softplus(logits))

    return term(real, True, real_key) + term(fake, False, fake_key)


def with_targets(
    loss: AdversarialLoss,
    *,
    smoothing: float = 0.0,
    noise: float = 0.0,
    flip: float = 0.0,
    key: Key | None = None,
) -> AdversarialLoss:
    """Softens what a logistic discriminator is told: label smoothing, label noise, label flips.

    With target t the discriminator's loss of one image is t softplus(-D) + (1 - t) softplus(D). A
    fraction `flip` of the images first takes the other kind's label; a real label then gives the
    target 1 - smoothing - noise u, a fake one noise u, with u ~ U[0, 1) one an image. Smoothing is
    one-sided: it leaves fake labels at 0, since a positive target there rewards the discriminator
    for liking what the generator already does. The generator's loss stays as it is.

    Targets stay within [0, 1]; some public code lets noise reach beyond 1, where the loss has no
    minimum. Noise and flips are new at every step only if the key is: build the pair inside the
    step, which costs nothing under `jax.jit`.

    Args:
      loss: `minimax` or `non_saturating`.
      smoothing: what real targets fall short of 1, 0.1 for example. TF-GAN's label_smoothing is
        twice that: it moves targets towards ½.
      noise: the width of the random part of every target; smoothing + noise is at most 1.
      flip: the probability that an image's label is the wrong one.
      key: consumed; needed for noise and flips.

    Returns:
      The pair of losses with these targets.

    Raises:
      ValueError: if the loss has no targets to act on, a number is out of range, or noise and flips
        are asked for without a key.

    References:
      Salimans et al., Improved Techniques for Training GANs, 2016 (arXiv:1606.03498), section 3.4.
    """
    if loss not in (minimax, non_saturating):
        name = next((name for name, pair in ADVERSARIAL.items() if pair == loss), "this loss")
        raise ValueError(
            "label smoothing, noise and flips act on the targets of minimax and non_saturating, "
            f"and {name} has none (least squares takes its own in make_least_squares)"
        )
    if min(smoothing, noise, flip) < 0 or smoothing + noise > 1 or flip > 1:
        raise ValueError(
            "smoothing, noise, smoothing + noise and flip must lie in [0, 1], "
            f"but smoothing is {smoothing}, noise {noise} and flip {flip}"
        )
    if key is None and (noise or flip):
        raise ValueError("label noise and flips are random and need a key")
    discriminator = partial(
        _logistic_with_targets,
        smoothing=smoothing,
        noise=noise,
        flip=flip,
        key=key if noise or flip else None,
    )
    return AdversarialLoss(discriminator, loss.generator)
