"""Networks as two pure functions, and the adapter that makes them of Linen modules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax.errors import InvalidRngError

from jaxgan.networks import Variables, from_linen, join, parameter_count

X = jnp.array([[1.0, 2.0], [3.0, 6.0]])


class Normalized(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.BatchNorm(use_running_average=not train, momentum=0.5)(nn.Dense(3)(x))


class Dropping(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dropout(0.5, deterministic=not train)(x)


class Labelled(nn.Module):
    @nn.compact
    def __call__(self, x, labels=None, *, train):
        return x if labels is None else x + labels[:, None]


def test_collections_are_split_into_params_and_state():
    variables = from_linen(Normalized()).init(jax.random.key(0), X)
    assert set(variables.params) == {"Dense_0", "BatchNorm_0"}
    assert set(variables.state) == {"batch_stats"}
    assert parameter_count(variables.params) == (2 * 3 + 3) + 2 * 3


def test_training_moves_the_state_and_sampling_does_not():
    network = from_linen(Normalized())
    variables = network.init(jax.random.key(0), X)
    output, state = network.apply(variables, X, train=True)
    assert np.allclose(output.mean(axis=0), 0, atol=1e-5)
    hidden = X @ variables.params["Dense_0"]["kernel"]
    # The running mean starts at 0 and goes half the way.
    assert np.allclose(state["batch_stats"]["BatchNorm_0"]["mean"], hidden.mean(axis=0) / 2)
    output, state = network.apply(variables, X, train=False)
    assert state is variables.state
    assert np.allclose(output, hidden, atol=1e-4)  # Stored statistics: mean 0, variance 1.


def test_dropout_is_a_function_of_the_key():
    network = from_linen(Dropping())
    variables = network.init(jax.random.key(0), X)
    assert variables == Variables({}, {})
    x = jnp.ones((4, 8))

    def drop(seed):
        return np.asarray(network.apply(variables, x, train=True, key=jax.random.key(seed))[0])

    assert np.array_equal(drop(1), drop(1))
    assert not np.array_equal(drop(1), drop(2))
    assert np.array_equal(network.apply(variables, x, train=False)[0], x)
    with pytest.raises(InvalidRngError):
        network.apply(variables, x, train=True)


class Deep(nn.Module):
    """Everything a pass can have: statistics, dropout, an input that is not there."""

    @nn.compact
    def __call__(self, x, labels=None, *, train):
        assert labels is None
        for _ in range(3):
            x = nn.tanh(nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(x)))
            x = nn.Dropout(0.2, deterministic=not train)(x)
        return x


def test_a_recomputed_network_is_the_same_and_keeps_no_activations():
    network, again = from_linen(Deep()), from_linen(Deep(), remat=True)
    variables = network.init(jax.random.key(0), X, None)
    key = jax.random.key(1)

    def loss(params, network):
        inputs = variables.replace(params=params), X, None
        output, state = network.apply(*inputs, train=True, key=key)
        return (output**2).sum(), state

    @jax.jit
    def results(params):
        return [jax.value_and_grad(loss, has_aux=True)(params, n) for n in (network, again)]

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        *results(variables.params),
    )
    assert again.apply(variables, X, None, train=False)[1] is variables.state

    def kept(network):
        """Number of hidden activations [2, 8] that the backward pass is handed."""
        backward = jax.eval_shape(
            lambda params: jax.vjp(lambda p: loss(p, network)[0], params)[1], variables.params
        )
        return sum(leaf.shape == (2, 8) for leaf in jax.tree.leaves(backward))

    assert kept(again) <= 2 < 6 <= kept(network)  # 2: what the square after the pass needs


def test_labels_are_one_more_input():
    network = from_linen(Labelled())
    labels = jnp.array([1, 2])
    variables = network.init(jax.random.key(0), X, labels)
    assert np.array_equal(network.apply(variables, X, labels, train=True)[0], X + labels[:, None])
    assert np.array_equal(network.apply(variables, X, None, train=False)[0], X)


def test_a_side_of_several_networks():
    side = join({"a": Variables(1.0, "s"), "b": Variables(2.0, "t")})
    assert side == Variables({"a": 1.0, "b": 2.0}, {"a": "s", "b": "t"})
    assert side["b"] == Variables(2.0, "t")
