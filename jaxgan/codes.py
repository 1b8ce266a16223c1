"""Latents of which some numbers mean something that samples must show: InfoGAN's codes.

A latent with codes is one vector: noise, then each categorical code as a one-hot vector, then the
continuous codes. So it goes wherever a latent goes. All functions take and return arrays.

References:
  Chen et al., InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
  Adversarial Nets, 2016 (arXiv:1606.03657).
"""

from itertools import accumulate, pairwise
from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import log_softmax, one_hot

from jaxgan.arrays import wide
from jaxgan.keys import derive
from jaxgan.latent import Prior, draw_latents
from jaxgan.types import Array, Key


class Codes(NamedTuple):
    """Which codes a latent ends in.

    Attributes:
      categorical: how many categories each categorical code has, 2 or more.
      continuous: how many continuous codes there are, each uniform in [-1, 1).
    """

    categorical: tuple[int, ...] = ()
    continuous: int = 0

    @property
    def size(self) -> int:
        """Numbers of a latent that are codes."""
        return sum(self.categorical) + self.continuous


class Parts(NamedTuple):
    """A latent taken apart.

    Attributes:
      noise: `[B, L - codes.size]`.
      categorical: one-hot arrays `[B, K]`, one a code.
      continuous: `[B, C]`.
    """

    noise: Array
    categorical: tuple[Array, ...]
    continuous: Array

    def joined(self) -> Array:
        """The latent, `[B, L]`."""
        return jnp.concatenate([self.noise, *self.categorical, self.continuous], axis=-1)


def prior(size: int, codes: Codes, distribution: str = "normal") -> Prior:
    """The prior of latents `[size + codes.size]`; codes are independent and uniform.

    Args:
      size: numbers of noise, 1 or more.
      codes: what a latent ends in.
      distribution: of the noise, as `latent.prior` takes it.

    Raises:
      ValueError: for codes of fewer than 2 categories or fewer than 0 numbers.
    """
    check_codes(codes)

    def draw(key: Key, count: int) -> Array:
        categorical = []
        for i, categories in enumerate(codes.categorical):
            uniform = draw_latents(derive(key, f"categorical {i}"), count, 1, "uniform")[:, 0]
            number = jnp.floor((uniform + 1) / 2 * categories).astype(jnp.int32)
            categorical.append(one_hot(jnp.minimum(number, categories - 1), categories))
        noise = draw_latents(derive(key, "noise"), count, size, distribution)
        continuous = (
            draw_latents(derive(key, "continuous"), count, codes.continuous, "uniform")
            if codes.continuous
            else noise[:, :0]
        )
        return Parts(noise, tuple(categorical), continuous).joined()

    return draw


def check_codes(codes: Codes) -> None:
    """Raises a ValueError for codes that cannot be."""
    for categories in codes.categorical:
        if categories < 2:
            raise ValueError(f"a categorical code has 2 categories or more, not {categories}")
    if codes.continuous < 0:
        raise ValueError(f"there are 0 continuous codes or more, not {codes.continuous}")


def take_apart(latents: Array, codes: Codes) -> Parts:
    """Noise and codes of latents `[B, L]`."""
    noise = latents.shape[-1] - codes.size
    ends = list(accumulate(codes.categorical, initial=noise))
    categorical = tuple(latents[..., start:stop] for start, stop in pairwise(ends))
    return Parts(latents[..., :noise], categorical, latents[..., ends[-1] :])


def outputs_for(codes: Codes, learn_variance: bool = False) -> int:
    """How many numbers a recogniser gives a sample: logits, means, and perhaps log variances."""
    return sum(codes.categorical) + codes.continuous * (2 if learn_variance else 1)


def categorical_loss(outputs: Array, parts: Parts) -> Array:
    """The mean over the batch of the cross entropies of all categorical codes, summed; in nats.

    With H(c) it bounds their mutual information with the samples: I ≥ H(c) - loss.

    Args:
      outputs: of a recogniser, `[B, outputs_for(codes)]`, which begin with logits.
      parts: of the latents that samples were made from.

    Returns:
      A float32 scalar; 0 without such codes.
    """
    total, start = jnp.zeros((), jnp.float32), 0
    for code in parts.categorical:
        stop = start + code.shape[-1]
        log_probabilities = log_softmax(wide(outputs)[:, start:stop])
        total, start = total - (code * log_probabilities).sum(-1).mean(), stop
    return total


def continuous_loss(outputs: Array, parts: Parts) -> Array:
    """The mean over the batch of -Σ log N(code; mean, variance) + ½ log 2π; in nats.

    Variances are 1, or learnt where there is an output more for each code, its logarithm. With a
    fixed variance it is half the squared error.

    Args, Returns:
      As for `categorical_loss`; means, and log variances, come after the logits.
    """
    start, count = sum(code.shape[-1] for code in parts.categorical), parts.continuous.shape[-1]
    means, log_variances = (
        wide(outputs)[:, start : start + count],
        wide(outputs)[:, start + count :],
    )
    squares = jnp.square(parts.continuous - means)
    if log_variances.shape[-1]:
        squares = squares * jnp.exp(-log_variances) + log_variances
    return squares.sum(-1).mean() / 2


def sweep(latent: Array, codes: Codes, code: int, steps: int = 10, limit: float = 2.0) -> Array:
    """A latent with one of its codes at each of its values.

    Args:
      latent: `[L]`.
      codes: what it ends in.
      code: number of the code, categorical ones first.
      steps: values of a continuous code.
      limit: those run from -limit to limit; beyond 1, where training ends, effects are plainer.

    Returns:
      `[K, L]`, a row a category, or `[steps, L]`.

    Raises:
      ValueError: for a code that does not exist.
    """
    count = len(codes.categorical) + codes.continuous
    if not 0 <= code < count:
        raise ValueError(f"code {code} does not exist: there are {count}, numbered from 0")
    rows = codes.categorical[code] if code < len(codes.categorical) else steps
    parts = take_apart(jnp.tile(latent, (rows, 1)), codes)
    if code < len(codes.categorical):
        changed = list(parts.categorical)
        changed[code] = jnp.eye(rows, dtype=latent.dtype)
        return parts._replace(categorical=tuple(changed)).joined()
    column = code - len(codes.categorical)
    values = jnp.linspace(-limit, limit, rows, dtype=latent.dtype)
    return parts._replace(continuous=parts.continuous.at[:, column].set(values)).joined()
