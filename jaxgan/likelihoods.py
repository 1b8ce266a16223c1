"""Log likelihoods of samples, and divergences between Gaussians: what autoencoders are trained by.

All values are in nats, one a sample, summed over everything but the batch. Images are `[B, ...]` in
[-1, 1]; `outputs` are what a decoder gives before it is bounded, of the images' shape. Everything
is computed in float32 (float64 stays).
"""

import math

import jax
import jax.numpy as jnp
from jax.nn import softplus

from jaxgan.arrays import floating, wide
from jaxgan.types import Array, Number

LOG_2_PI = math.log(2 * math.pi)


def _sum(values: Array) -> Array:
    return jnp.sum(values, axis=tuple(range(1, values.ndim)))


def _pair(outputs: Array, samples: Array) -> tuple[Array, Array]:
    outputs, samples = floating(outputs, "outputs"), floating(samples, "samples")
    if outputs.shape != samples.shape or outputs.ndim < 2:
        raise ValueError(
            "outputs and samples must have one shape [B, ...], not "
            f"{outputs.shape} and {samples.shape}"
        )
    return wide(outputs), wide(samples)


def bernoulli_log_likelihood(outputs: Array, samples: Array) -> Array:
    """Σ p log μ + (1 - p) log(1 - μ), with p = (sample + 1) / 2 and μ = sigmoid(2 output).

    The mean image 2 μ - 1 is tanh(output). Of images that are not black and white it is the usual
    cross entropy of intensities, which is no likelihood but what published bounds of grey MNIST
    are in: the least it can be is Σ H(p) and not 0.

    Args:
      outputs: `[B, ...]`.
      samples: the same shape, in [-1, 1].

    Returns:
      float32 `[B]`, in nats.

    Raises:
      ValueError: if the shapes differ or are not floating point.

    References:
      Kingma & Welling, Auto-Encoding Variational Bayes, 2014 (arXiv:1312.6114), appendix C.1.
    """
    outputs, samples = _pair(outputs, samples)
    logits = 2 * outputs
    return _sum((samples + 1) / 2 * logits - softplus(logits))


def gaussian_log_likelihood(means: Array, samples: Array, log_scale: Number = 0.0) -> Array:
    """Σ log N(sample; mean, scale²), with one scale for all numbers.

    Args:
      means: `[B, ...]`.
      samples: the same shape.
      log_scale: log of the standard deviation; may be traced, and be learnt.

    Returns:
      float32 `[B]`, in nats.

    Raises:
      ValueError: if the shapes differ or are not floating point.

    References:
      Rybkin et al., Simple and Effective VAE Training with Calibrated Decoders, 2021
      (arXiv:2006.13202), of a learnt scale.
    """
    means, samples = _pair(means, samples)
    log_scale = jnp.asarray(log_scale, means.dtype)
    away = (samples - means) * jnp.exp(-log_scale)
    return _sum(-jnp.square(away) / 2 - log_scale - LOG_2_PI / 2)


def normal_log_density(values: Array, mean: Number = 0.0, log_variance: Number = 0.0) -> Array:
    """log N(value; mean, diag(variance)) of vectors `[..., L]`, as `[...]`."""
    values = wide(floating(values, "values"))
    mean, log_variance = (jnp.asarray(x, values.dtype) for x in (mean, log_variance))
    squares = jnp.square(values - mean) * jnp.exp(-log_variance)
    return jnp.sum(-(squares + log_variance + LOG_2_PI) / 2, axis=-1)


def normal_kl(mean: Array, log_variance: Array) -> Array:
    """KL(N(mean, diag(variance)) ‖ N(0, I)) = ½ Σ (variance + mean² - 1 - log variance).

    Args:
      mean: `[B, L]`.
      log_variance: `[B, L]`.

    Returns:
      float32 `[B]`, 0 or more, in nats.

    References:
      Kingma & Welling, Auto-Encoding Variational Bayes, 2014 (arXiv:1312.6114), appendix B.
    """
    mean, log_variance = _pair(mean, log_variance)
    # expm1: near the prior, variance - 1 - log variance is a difference of nearly equal numbers.
    return _sum(jnp.expm1(log_variance) - log_variance + jnp.square(mean)) / 2


def importance_weighted(log_weights: Array) -> Array:
    """log (1/K) Σ_k w_k of `[K, ...]` log weights log p(x, z_k) - log q(z_k | x).

    Its mean is a lower bound of log p(x) that rises with K; of K = 1 it is the variational bound.

    References:
      Burda et al., Importance Weighted Autoencoders, 2016 (arXiv:1509.00519).
    """
    return jax.nn.logsumexp(log_weights, axis=0) - math.log(len(log_weights))
