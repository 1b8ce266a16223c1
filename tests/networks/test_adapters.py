"""Modules of NNX and Equinox as networks: the values of the modules, as pure functions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgan import latent, losses, penalties
from jaxgan.games import adversarial
from jaxgan.layers.spectral_norm import spectrally_normalized
from jaxgan.networks import from_equinox, from_nnx
from jaxgan.training import init_state, make_train_step

eqx = pytest.importorskip("equinox")
X = jax.random.normal(jax.random.key(5), [16, 2]) + 1


class Deep(nnx.Module):
    """Eleven layers, so that numbers as names would not sort as numbers do; batch norm, dropout."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([nnx.Linear(2, 2, rngs=rngs) for _ in range(11)])
        self.norm = nnx.BatchNorm(2, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.out = nnx.Linear(2, 1, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.out(self.dropout(self.norm(x)))


class Mapped(eqx.Module):
    linear: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    out: eqx.nn.Linear

    def __init__(self, key) -> None:
        first, second = jax.random.split(key)
        self.linear = eqx.nn.Linear(2, 3, key=first)
        self.norm = eqx.nn.BatchNorm(3, "batch", mode="batch")
        self.dropout = eqx.nn.Dropout(0.5)
        self.out = eqx.nn.Linear(3, 1, key=second)

    def __call__(self, x, state, key=None):
        x, state = self.norm(self.linear(x), state)
        return self.out(self.dropout(x, key=key)), state


NETWORKS = {
    "nnx": lambda: from_nnx(Deep),
    "equinox": lambda: from_equinox(eqx.nn.make_with_state(Mapped)),
}


def test_nnx_gives_what_the_module_gives():
    network, module = from_nnx(Deep), Deep(nnx.Rngs(jax.random.key(0)))
    variables = network.init(jax.random.key(0), X)
    np.testing.assert_array_equal(
        variables.params["layers"]["10"]["kernel"], module.layers[10].kernel.get_value()
    )
    module.eval()
    output, state = network.apply(variables, X, train=False)
    np.testing.assert_allclose(output, module(X), rtol=1e-6)
    assert state is variables.state

    module.train()
    module.dropout.rate = 0.0
    expected = module(X)
    output, state = from_nnx(lambda rngs: without_dropout(Deep(rngs))).apply(
        variables, X, train=True, key=jax.random.key(1)
    )
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        state["nnx"]["norm"]["mean"], module.norm.mean.get_value(), rtol=1e-6
    )
    assert jnp.abs(state["nnx"]["norm"]["mean"]).min() > 0


def without_dropout(module: Deep) -> Deep:
    module.dropout.rate = 0.0
    return module


def test_equinox_gives_what_the_module_gives():
    network = from_equinox(eqx.nn.make_with_state(Mapped))
    module, state = eqx.nn.make_with_state(Mapped)(jax.random.key(0))
    variables = network.init(jax.random.key(0), X)
    quiet = eqx.nn.inference_mode(module)
    expected = jax.vmap(quiet, (0, None), (0, None), axis_name="batch")(X, state)[0]
    output, same = network.apply(variables, X, train=False)
    np.testing.assert_allclose(output, expected, rtol=1e-6)
    assert same is variables.state
    _, moved = network.apply(variables, X, train=True, key=jax.random.key(1))
    of_batch = jax.vmap(module.linear)(X).mean(0)
    np.testing.assert_allclose(moved["equinox"]["1"], 0.01 * of_batch, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_draws_are_of_the_key_alone(name):
    network = NETWORKS[name]()
    variables = network.init(jax.random.key(0), X)

    def apply(seed):
        return network.apply(variables, X, train=True, key=jax.random.key(seed))[0]

    np.testing.assert_array_equal(apply(1), apply(1))
    assert not jnp.array_equal(apply(1), apply(2))


def test_a_module_that_draws_needs_a_key_to_train():
    network = from_nnx(Deep)
    with pytest.raises(ValueError, match="a training pass needs a key"):
        network.apply(network.init(jax.random.key(0), X), X, train=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_they_play_a_game_with_a_penalty_and_spectral_norm(name):
    """A penalty differentiates with respect to images within a derivative by params."""
    generators = {
        "nnx": from_nnx(lambda rngs: nnx.Linear(2, 2, rngs=rngs)),
        "equinox": from_equinox(lambda key: eqx.nn.Linear(2, 2, key=key)),
    }

    def penalty(discriminator, real, fake, turn):
        return penalties.r1_penalty(discriminator, real)

    game = adversarial(
        *(generators[name], spectrally_normalized(NETWORKS[name]()), losses.hinge),
        prior=latent.prior(2),
        penalty=penalty,
    )
    optimizers = {side: optax.adam(1e-2) for side in ("generator", "discriminator")}
    root, batch = jax.random.key(0), {"real": X}
    state = init_state(game, optimizers, batch, root)
    before = jax.tree.map(np.asarray, state.params)
    state, scalars = make_train_step(game, optimizers)(state, batch, root)
    assert all(jnp.isfinite(value) for value in scalars.values())
    assert float(scalars["penalty"]) > 0
    for side, params in state.params.items():
        moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), params, before[side])
        assert any(jax.tree.leaves(moved)), side
    assert game.sample(state.ema, jnp.ones([3, 2])).shape == (3, 2)
