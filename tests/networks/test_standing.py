"""Standing statistics: batch statistics of a finished generator, taken anew."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.normalization import BatchNorm
from jaxgan.layers.spectral_norm import COLLECTION, spectrally_normalized
from jaxgan.networks import from_linen
from jaxgan.networks.standing import standing_statistics


class Scaled(nn.Module):
    """A layer without weights before its batch normalization: statistics are those of inputs."""

    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(2)(BatchNorm()(x, train=train))


def network():
    return spectrally_normalized(from_linen(Scaled()))


def started(network):
    return network.init(jax.random.key(0), jnp.ones((64, 4)))


def normal(key):
    return (3.0 + 2.0 * jax.random.normal(key, (64, 4)),)


def test_they_are_those_of_what_is_drawn():
    plain = network()
    start = started(plain)
    found = standing_statistics(plain, start, normal, jax.random.key(0), 100).state["batch_stats"][
        "BatchNorm_0"
    ]
    # 50 averages of about 19 batches of 64 numbers: errors of 2 / sqrt(3200) and 4 sqrt(2 / 3200).
    np.testing.assert_allclose(found["mean"], 3.0, atol=4 * 2 / 3200**0.5)
    np.testing.assert_allclose(found["var"], 4.0, atol=4 * 4 * (2 / 3200) ** 0.5)


def test_of_a_single_batch_the_network_does_what_it_did_in_training():
    plain, batch = network(), normal(jax.random.key(1))
    start = started(plain)
    settled = standing_statistics(plain, start, lambda key: batch, jax.random.key(0), 200)
    in_training, _ = plain.apply(start, *batch, train=True)
    np.testing.assert_allclose(
        plain.apply(settled, *batch, train=False)[0], in_training, rtol=1e-4, atol=1e-4
    )


def test_nothing_else_moves():
    plain = network()
    start = started(plain)
    found = standing_statistics(plain, start, normal, jax.random.key(0), 4)
    jax.tree.map(np.testing.assert_array_equal, found.params, start.params)
    jax.tree.map(np.testing.assert_array_equal, found.state[COLLECTION], start.state[COLLECTION])


def test_a_key_gives_the_same():
    plain = network()
    start = started(plain)
    one, two = (
        standing_statistics(plain, start, normal, jax.random.key(0), 4).state for _ in range(2)
    )
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_what_cannot_be():
    plain = from_linen(Scaled())
    start = started(plain)
    with pytest.raises(ValueError, match="of 2 batches or more, not 1"):
        standing_statistics(plain, start, normal, jax.random.key(0), 1)

    class Dense(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Dense(2)(x)

    dense = from_linen(Dense())
    with pytest.raises(ValueError, match="no batch statistics"):
        standing_statistics(dense, started(dense), normal, jax.random.key(0), 4)
