"""Adversarial losses: logits in, one scalar to minimise out.

A loss is a pair of pure, jitted functions, one a player. Logits are what the discriminator says
before any sigmoid, in any shape that starts with the batch: `[B]`, `[B, 1]`, or PatchGAN's
`[B, H, W, 1]`. The mean, written E, is over all elements. Real and fake batches may differ in size
(each term is its own mean) and in nothing else: `[B]` against `[B, 1]` is an error, never a silent
broadcast. Everything is computed in float32 (float64 stays).

Weights, of shape `[B]` or of the logits, turn every mean into Σ w l / Σ w: 0 for padding, whatever
the logits there are, and ratios of densities for importance. Where all are 0 the mean is 0. The
averages within `relativistic_average` are weighted too; a pair of `relativistic_pairing` weighs the
product of its two.

The losses of single images come from batches of one, by `jax.vmap`:

    jax.vmap(lambda logit: losses.hinge.generator(logit[None]))(fake_logits)          # [B]

In the formulas D is the logit, x a real image and g a fake one. Logistic losses are written with
softplus, log sigmoid(D) = -softplus(-D), which is finite where the sigmoid has underflowed to 0.
"""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus
from jax.numpy import square

from jaxgan.arrays import as_logits, check_weights, is_traced, weighted_mean
from jaxgan.types import Array, Key, Number

__all__ = [
    "ADVERSARIAL",
    "AdversarialLoss",
    "hinge",
    "least_squares",
    "make_least_squares",
    "minimax",
    "multi_scale",
    "non_saturating",
    "relativistic_average",
    "relativistic_pairing",
    "wasserstein",
    "with_targets",
]


def __dir__() -> list[str]:
    return __all__


class _Players(NamedTuple):
    discriminator: Callable[..., Array]
    generator: Callable[..., Array]


class AdversarialLoss(_Players):  # A subclass has a docstring an instance.
    """What the two players minimise. Pairs can be pickled and copied, and `help` explains them.

    Attributes:
      discriminator: `(real_logits, fake_logits, real_weights=None, fake_weights=None) -> scalar`.
        `multi_scale` takes lists of logits.
      generator: `(fake_logits, real_logits=None, fake_weights=None, real_weights=None) -> scalar`.
        Only the relativistic losses read those of real images, and they need `real_logits`.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        for name, loss in ADVERSARIAL.items():
            if loss == self:
                return _named, (name,)  # the very pair: `with_targets` and others compare
        return AdversarialLoss, tuple(self), self.__dict__  # with its docstring


class _Jitted:
    """A jitted function that can be pickled and copied, as JAX's own cannot.

    Args:
      function: of a module, or a partial of one.
      text: the docstring.
    """

    def __init__(self, function: Callable[..., Array], text: str | None = None) -> None:
        self.function, self._compiled, self.__doc__ = function, jax.jit(function), text

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        return self._compiled(*args, **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> jax.stages.Lowered:
        """As `jax.jit` has it."""
        return self._compiled.lower(*args, **kwargs)

    def __reduce__(self) -> tuple[type["_Jitted"], tuple[Callable[..., Array], str | None]]:
        return _Jitted, (self.function, self.__doc__)


class _Sample(NamedTuple):
    """One player's logits and what they weigh."""

    logits: Array
    weights: Array | None


def _sample(logits: Array, weights: Array | None, kind: str) -> _Sample:
    logits = as_logits(logits, f"{kind}_logits")
    if weights is None:
        return _Sample(logits, None)
    weights = check_weights(weights, logits, f"{kind}_weights", f"{kind}_logits")
    # Padding may hold anything, and a NaN times 0 is NaN, as is its derivative.
    return _Sample(jnp.where(weights == 0, 0, logits), weights)


def _samples(
    real_logits: Array, fake_logits: Array, real_weights: Array | None, fake_weights: Array | None
) -> tuple[_Sample, _Sample]:
    real = _sample(real_logits, real_weights, "real")
    fake = _sample(fake_logits, fake_weights, "fake")
    shapes = real.logits.shape, fake.logits.shape
    if shapes[0][1:] != shapes[1][1:] or len(shapes[0]) != len(shapes[1]):
        raise ValueError(
            "real_logits and fake_logits may differ in batch size and in nothing else, "
            f"but their shapes are {shapes[0]} and {shapes[1]}"
        )
    return real, fake


def _mean(function: Callable[[Array], Array], sample: _Sample) -> Array:
    return weighted_mean(function(sample.logits), sample.weights)


def _discriminator(
    loss: Callable[[_Sample, _Sample], Array],
    real_logits: Array,
    fake_logits: Array,
    real_weights: Array | None = None,
    fake_weights: Array | None = None,
) -> Array:
    return loss(*_samples(real_logits, fake_logits, real_weights, fake_weights))


def _generator(
    loss: Callable[[_Sample], Array],
    fake_logits: Array,
    real_logits: Array | None = None,
    fake_weights: Array | None = None,
    real_weights: Array | None = None,
) -> Array:
    del real_logits, real_weights
    return loss(_sample(fake_logits, fake_weights, "fake"))


def _relativistic_generator(
    loss: Callable[[_Sample, _Sample], Array],
    fake_logits: Array,
    real_logits: Array | None = None,
    fake_weights: Array | None = None,
    real_weights: Array | None = None,
) -> Array:
    if real_logits is None:
        raise ValueError("the generator of a relativistic loss needs real_logits too")
    real, fake = _samples(real_logits, fake_logits, real_weights, fake_weights)
    return loss(fake, real)


_ARGUMENTS = """

Args:
  {first}_logits: float `[B, ...]`, before any sigmoid, in any range.
  {second}_logits: float `[B', ...]`.{note}
  real_weights: 0 or more, `[B]` or of the logits' shape; None: 1 each.
  fake_weights: the same of the fakes.

Returns:
  The loss, a scalar: float32, or float64 if the logits are.

Raises:
  ValueError: if logits are not floating point or shapes do not fit.
"""


def _independent(
    discriminator: Callable[[_Sample, _Sample], Array],
    generator: Callable[[_Sample], Array],
    text: str,
) -> AdversarialLoss:
    """A loss whose generator is judged by its fakes alone. Both are functions of a module or
    partials of one, as closures cannot be pickled."""
    note = " Not read; some losses need them."
    return _explained(
        partial(_discriminator, discriminator), partial(_generator, generator), text, note
    )


def _relativistic(loss: Callable[[_Sample, _Sample], Array], text: str) -> AdversarialLoss:
    """A loss of (own, other) logits, the same for both players."""
    return _explained(
        partial(_discriminator, loss), partial(_relativistic_generator, loss), text, " Needed."
    )


def _explained(
    discriminator: Callable[..., Array], generator: Callable[..., Array], text: str, note: str
) -> AdversarialLoss:
    """The pair, jitted, with `text` and the arguments as docstrings."""
    of_discriminator = _ARGUMENTS.format(first="real", second="fake", note="")
    of_generator = _ARGUMENTS.format(first="fake", second="real", note=note)
    return _pair(
        _Jitted(discriminator, f"The discriminator's loss. {text}{of_discriminator}"),
        _Jitted(generator, f"The generator's loss. {text}{of_generator}"),
        text,
    )


def _pair(
    discriminator: Callable[..., Array], generator: Callable[..., Array], text: str
) -> AdversarialLoss:
    """The pair with a docstring of its own."""
    pair = AdversarialLoss(discriminator, generator)
    pair.__doc__ = text
    return pair


def _named(name: str) -> AdversarialLoss:
    return ADVERSARIAL[name]


def multi_scale(loss: AdversarialLoss) -> AdversarialLoss:
    """The sum of a loss over the logits of several discriminators, such as scales of an image.

    Each scale has its own mean, and relativistic averages stay within it. pix2pixHD and vocoders
    sum as here; some code divides by the number of scales.

    Args:
      loss: of one discriminator.

    Returns:
      A loss that takes lists or tuples of logits, one array a scale, equally many for real and
      fake images, and so of weights.

    References:
      Wang et al., High-Resolution Image Synthesis with Conditional GANs, 2018 (arXiv:1711.11585).
    """
    return _pair(
        partial(_multi_scale_discriminator, loss),
        partial(_multi_scale_generator, loss),
        f"The sum over scales, whose logits come as a list. {loss.__doc__}",
    )


def _scales(name: str, given: Any, scales: int | None = None) -> list:
    """One entry a scale; Nones where nothing is given, if that is allowed."""
    if given is None and scales is not None:
        return [None] * scales
    if not isinstance(given, (list, tuple)) or not given:
        raise ValueError(f"{name} must be a list or tuple with an array for each scale")
    if scales is not None and len(given) != scales:
        raise ValueError(
            "real_logits, fake_logits and weights must be of equally many scales, and "
            f"{name} is of {len(given)} where others are of {scales}"
        )
    return list(given)


def _multi_scale_discriminator(
    loss: AdversarialLoss,
    real_logits: Sequence[Array],
    fake_logits: Sequence[Array],
    real_weights: Sequence[Array] | None = None,
    fake_weights: Sequence[Array] | None = None,
) -> Array:
    real = _scales("real_logits", real_logits)
    fake = _scales("fake_logits", fake_logits, len(real))
    weights = (
        _scales("real_weights", real_weights, len(real)),
        _scales("fake_weights", fake_weights, len(real)),
    )
    return reduce(jnp.add, map(loss.discriminator, real, fake, *weights))


def _multi_scale_generator(
    loss: AdversarialLoss,
    fake_logits: Sequence[Array],
    real_logits: Sequence[Array] | None = None,
    fake_weights: Sequence[Array] | None = None,
    real_weights: Sequence[Array] | None = None,
) -> Array:
    fake = _scales("fake_logits", fake_logits)
    real = _scales("real_logits", real_logits, len(fake))
    weights = (
        _scales("fake_weights", fake_weights, len(fake)),
        _scales("real_weights", real_weights, len(fake)),
    )
    return reduce(jnp.add, map(loss.generator, fake, real, *weights))


def _softplus_of_minus(logits: Array) -> Array:
    return softplus(-logits)


def _logistic(real: _Sample, fake: _Sample) -> Array:
    return _mean(_softplus_of_minus, real) + _mean(softplus, fake)


def _logistic_generator(fake: _Sample) -> Array:
    return _mean(_softplus_of_minus, fake)


def _minimax_generator(fake: _Sample) -> Array:
    return -_mean(softplus, fake)


minimax = _independent(
    _logistic,
    _minimax_generator,
    """The zero-sum game.

    discriminator  E softplus(-D(x)) + E softplus(D(g))
    generator      -E softplus(D(g)) = E log(1 - sigmoid(D(g)))

The least the discriminator's loss can be is log 4 - 2 JS(p_data, p_g), with JS the Jensen-Shannon
divergence. The generator's gradient vanishes where the discriminator is sure, which
`non_saturating` mends. TF-GAN's generator value differs by a constant, and its discriminator
smooths real labels by default: its label_smoothing of .25 gives the target .875, which
is a smoothing of .125 here; see `with_targets`.

References:
  Goodfellow et al., Generative Adversarial Networks, 2014 (arXiv:1406.2661).""",
)

non_saturating = _independent(
    _logistic,
    _logistic_generator,
    """The discriminator of `minimax` with a generator that maximises log sigmoid(D(g)).

    discriminator  E softplus(-D(x)) + E softplus(D(g))
    generator      E softplus(-D(g))

References:
  Goodfellow et al., Generative Adversarial Networks, 2014 (arXiv:1406.2661), section 3.""",
)


_SQUARES = """Least squares with the targets {b} for real, {a} for fake and {c} for the generator.

    discriminator  ½ E(D(x) - {b})² + ½ E(D(g) - {a})²
    generator      ½ E(D(g) - {c})²

`make_least_squares` makes it with other targets.

References:
  Mao et al., Least Squares Generative Adversarial Networks, 2017 (arXiv:1611.04076)."""


def make_least_squares(
    *, real_target: Number = 1.0, fake_target: Number = 0.0, generator_target: Number = 1.0
) -> AdversarialLoss:
    """Makes a least-squares loss with targets of your own.

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
        partial(_squares, real_target=real_target, fake_target=fake_target),
        partial(_squares_generator, target=generator_target),
        _SQUARES.format(b=real_target, a=fake_target, c=generator_target),
    )


def _squares(real: _Sample, fake: _Sample, *, real_target: Number, fake_target: Number) -> Array:
    return (_mean(_squared(real_target), real) + _mean(_squared(fake_target), fake)) / 2


def _squares_generator(fake: _Sample, *, target: Number) -> Array:
    return _mean(_squared(target), fake) / 2


def _squared(target: Number) -> Callable[[Array], Array]:
    return lambda logits: square(logits - jnp.asarray(target, logits.dtype))


least_squares = make_least_squares()


def _itself(logits: Array) -> Array:
    return logits


def _difference_of_means(real: _Sample, fake: _Sample) -> Array:
    return _mean(_itself, fake) - _mean(_itself, real)


def _minus_mean(fake: _Sample) -> Array:
    return -_mean(_itself, fake)


wasserstein = _independent(
    _difference_of_means,
    _minus_mean,
    """The difference of means, for a discriminator kept Lipschitz by a penalty or by clipping.

    discriminator  E D(g) - E D(x)
    generator      -E D(g)

Minus the discriminator's loss estimates the Wasserstein distance, up to the Lipschitz constant.
pytorch_GAN_zoo sums over the batch where this takes the mean.

References:
  Arjovsky et al., Wasserstein GAN, 2017 (arXiv:1701.07875).""",
)


def _hinge(real: _Sample, fake: _Sample) -> Array:
    return _mean(lambda logits: relu(1 - logits), real) + _mean(
        lambda logits: relu(1 + logits), fake
    )


hinge = _independent(
    _hinge,
    _minus_mean,
    """Margins for the discriminator, the plain mean for the generator.

    discriminator  E max(0, 1 - D(x)) + E max(0, 1 + D(g))
    generator      -E D(g)

References:
  Lim & Ye, Geometric GAN, 2017 (arXiv:1705.02894).""",
)


def _pairing(own: _Sample, other: _Sample) -> Array:
    if own.logits.shape != other.logits.shape:
        raise ValueError(
            "a relativistic pairing needs batches of equal size, "
            f"but their shapes are {own.logits.shape} and {other.logits.shape}"
        )
    given = [weights for weights in (own.weights, other.weights) if weights is not None]
    weights = reduce(jnp.multiply, given) if given else None
    return weighted_mean(softplus(other.logits - own.logits), weights)


relativistic_pairing = _relativistic(
    _pairing,
    """Each real image against the fake of the same index; batches of equal size.

    discriminator  E softplus(-(D(x_i) - D(g_i)))
    generator      E softplus(-(D(g_i) - D(x_i)))

References:
  Jolicoeur-Martineau, The Relativistic Discriminator, 2018 (arXiv:1807.00734).
  Huang et al., The GAN Is Dead; Long Live the GAN! (R3GAN), 2024 (arXiv:2501.05441).""",
)


def _averages(own: _Sample, other: _Sample) -> Array:
    own_mean, other_mean = _mean(_itself, own), _mean(_itself, other)
    return _mean(lambda logits: softplus(other_mean - logits), own) + _mean(
        lambda logits: softplus(logits - own_mean), other
    )


relativistic_average = _relativistic(
    _averages,
    """Each image against the average of the other kind, over all images and patches.

    discriminator  E softplus(-(D(x) - E D(g))) + E softplus(D(g) - E D(x))
    generator      E softplus(-(D(g) - E D(x))) + E softplus(D(x) - E D(g))

The author's text halves the sum; TF-GAN does not, nor does this.

References:
  Jolicoeur-Martineau, The Relativistic Discriminator, 2018 (arXiv:1807.00734).""",
)

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
    logits: Array,
    label: bool,
    smoothing: Number,
    noise: Number,
    flip: Number,
    key: Key | None,
) -> Array:
    """One target an image, broadcastable to its logits."""
    smoothing, noise = (jnp.asarray(number, logits.dtype) for number in (smoothing, noise))
    if key is None:
        return 1 - smoothing if label else jnp.zeros((), logits.dtype)
    flip_key, noise_key = jax.random.split(key)
    shape = logits.shape[:1] + (1,) * (logits.ndim - 1)
    labels = jax.random.bernoulli(flip_key, jnp.asarray(flip, jnp.float32), shape) != label
    wobble = noise * jax.random.uniform(noise_key, shape, logits.dtype)
    return jnp.where(labels, 1 - smoothing - wobble, wobble)


def _logistic_with_targets(
    real_logits: Array,
    fake_logits: Array,
    real_weights: Array | None = None,
    fake_weights: Array | None = None,
    *,
    smoothing: Number,
    noise: Number,
    flip: Number,
    key: Key | None,
) -> Array:
    real, fake = _samples(real_logits, fake_logits, real_weights, fake_weights)
    real_key, fake_key = (None, None) if key is None else jax.random.split(key)

    def term(sample: _Sample, label: bool, key: Key | None) -> Array:
        target = _targets(sample.logits, label, smoothing, noise, flip, key)
        return _mean(
            lambda logits: target * softplus(-logits) + (1 - target) * softplus(logits), sample
        )

    return term(real, True, real_key) + term(fake, False, fake_key)


_jitted_logistic_with_targets = _Jitted(_logistic_with_targets)


def with_targets(
    loss: AdversarialLoss,
    *,
    smoothing: Number = 0.0,
    noise: Number = 0.0,
    flip: Number = 0.0,
    key: Key | None = None,
) -> AdversarialLoss:
    """Softens the targets of a logistic discriminator: label smoothing, label noise, label flips.

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
        twice that: it moves targets towards ½. This and the next two may be traced, for annealing;
        their ranges are then not checked.
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
    random = is_traced(noise) or is_traced(flip) or bool(noise or flip)
    numbers = [number for number in (smoothing, noise, flip) if not is_traced(number)]
    total = 0 if is_traced(smoothing) or is_traced(noise) else smoothing + noise
    if any(not 0 <= number <= 1 for number in [*numbers, total]):
        raise ValueError(
            "smoothing, noise, smoothing + noise and flip must lie in [0, 1], "
            f"but smoothing is {smoothing}, noise {noise} and flip {flip}"
        )
    if key is None and random:
        raise ValueError("label noise and flips are random and need a key")
    discriminator = partial(
        _jitted_logistic_with_targets,
        smoothing=smoothing,
        noise=noise,
        flip=flip,
        key=key if random else None,
    )
    text = f"With the targets of `with_targets`. {loss.__doc__}"
    return _pair(discriminator, loss.generator, text)
