"""Discriminators of several scales: each on its own pooled images, all as one network."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgan import latent, losses, penalties
from jaxgan.games import adversarial
from jaxgan.layers.spectral_norm import COLLECTION, spectrally_normalized
from jaxgan.matrices import Axes
from jaxgan.networks import Network, Variables, from_linen
from jaxgan.networks.cyclegan import PatchOptions, make_patch_discriminator
from jaxgan.networks.multi_scale import multi_scale
from jaxgan.training import init_state, make_train_step

IMAGES = np.random.default_rng(0).normal(size=(3, 8, 12, 2)).astype(np.float32)


def pooled(images, factor=2):
    """Means over squares, by NumPy alone."""
    batch, height, width, channels = images.shape
    shape = (batch, height // factor, factor, width // factor, factor, channels)
    return images.reshape(shape).mean((2, 4))


class Scorer(nn.Module):
    """Logits [B, 1] of images, normalized over the batch, with labels or a condition image."""

    dropout: float = 0.0

    @nn.compact
    def __call__(self, images, labels=None, condition=None, *, train):
        x = images if condition is None else jnp.concatenate([images, condition], axis=-1)
        x = nn.BatchNorm(use_running_average=not train)(nn.Conv(3, (3, 3))(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        logits = nn.Dense(1)(jnp.abs(x).mean((1, 2)))
        return logits if labels is None else logits + labels[:, None]


def mirror():
    """A network without variables that gives its inputs, to see what each scale is given."""

    def init(key, *inputs):
        return Variables({}, {})

    def apply(variables, *inputs, train, key=None):
        return inputs, variables.state

    return Network(init, apply)


def test_each_scale_is_its_own_network_on_images_that_are_pooled_once_more():
    single = from_linen(Scorer())
    network = multi_scale([single] * 3)
    variables = jax.jit(network.init)(jax.random.key(0), IMAGES)
    assert list(variables.params) == list(variables.state) == ["scale_0", "scale_1", "scale_2"]
    levels = [IMAGES, pooled(IMAGES), pooled(pooled(IMAGES))]
    assert levels[2].shape == (3, 2, 3, 2)
    for train in (False, True):
        outputs, state = network.apply(variables, IMAGES, train=train)
        assert [output.shape for output in outputs] == [(3, 1)] * 3
        for i, (output, level) in enumerate(zip(outputs, levels, strict=True)):
            own = variables[f"scale_{i}"]
            expected, own_state = single.apply(own, level, train=train)
            np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
            moved = state[f"scale_{i}"]["batch_stats"]
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
                moved,
                own_state["batch_stats"],
            )
            unmoved = own.state["batch_stats"]["BatchNorm_0"]["mean"]
            assert train != bool((moved["BatchNorm_0"]["mean"] == unmoved).all())


def test_equal_networks_start_apart():
    network = multi_scale([from_linen(Scorer())] * 2)
    params = jax.jit(network.init)(jax.random.key(0), IMAGES).params
    kernels = [params[name]["Conv_0"]["kernel"] for name in ("scale_0", "scale_1")]
    assert float(jnp.abs(kernels[0] - kernels[1]).min()) > 0


def test_scales_draw_apart_and_by_the_key_alone():
    """On constant images and equal variables, dropout is all that tells scales apart."""
    single = from_linen(Scorer(dropout=0.5))
    constant = jnp.ones((3, 8, 8, 2))
    network = multi_scale([single] * 2, factor=1)
    own = jax.jit(single.init)(jax.random.key(0), constant)
    variables = Variables({f"scale_{i}": own.params for i in range(2)}, {})
    variables = variables.replace(state={f"scale_{i}": own.state for i in range(2)})

    def logits(seed):
        key = jax.random.key(seed)
        return np.asarray(network.apply(variables, constant, train=True, key=key)[0])

    first = logits(0)
    assert np.abs(first[0] - first[1]).max() > 1e-4
    np.testing.assert_array_equal(first, logits(0))
    assert np.abs(first - logits(1)).max() > 1e-4


def test_images_are_pooled_and_other_inputs_are_not():
    condition = np.arange(3 * 8 * 12, dtype=np.float32).reshape(3, 8, 12, 1)
    labels = jnp.arange(3)
    network = multi_scale([mirror()] * 2, factor=4)
    inputs = IMAGES, labels, {"condition": condition}, None
    variables = network.init(jax.random.key(0), *inputs)
    (first, second), _ = network.apply(variables, *inputs, train=False)
    np.testing.assert_array_equal(first[0], IMAGES)
    np.testing.assert_array_equal(first[2]["condition"], condition)
    np.testing.assert_allclose(second[0], pooled(IMAGES, 4), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second[2]["condition"], pooled(condition, 4), rtol=1e-6)
    for inputs in (first, second):
        assert inputs[1] is labels
        assert inputs[3] is None


def test_outputs_may_be_dicts():
    """Logits and features of every scale, for a feature matching loss."""
    options = PatchOptions(width=2, layers=1)
    network = multi_scale([make_patch_discriminator(options, with_features=True)] * 2)
    images = jnp.ones((2, 16, 24, 3))
    variables = jax.eval_shape(network.init, jax.random.key(0), images)
    outputs, _ = jax.eval_shape(lambda v: network.apply(v, images, train=True, key=None), variables)
    assert [output["logits"].shape for output in outputs] == [(2, 6, 10, 1), (2, 2, 4, 1)]
    assert [len(output["features"]) for output in outputs] == [2, 2]


class Small(nn.Module):
    """Logits [B, 1] by one dense layer."""

    @nn.compact
    def __call__(self, images, labels=None, *, train):
        return nn.Dense(1)(images.reshape(len(images), -1))


def vectors_of(state):
    """The one spectral-norm vector of a network of one layer, or of each scale of it."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state[COLLECTION])]


def test_advance_moves_the_vectors_of_every_scale():
    def axes(path, weight):  # The kernel [in, 1] as [1, in]: of one output there is one direction.
        return Axes(outputs=(0,)) if path[-1] == "kernel" else None

    network = multi_scale([spectrally_normalized(from_linen(Small()), axes)] * 2)
    variables = jax.jit(network.init)(jax.random.key(0), IMAGES)
    turned = jax.tree.map(lambda leaf: leaf[::-1], variables.params)
    variables = variables.replace(params=turned)
    outputs, state = network.apply(variables, IMAGES, train=True)
    advanced = jax.jit(network.advance)(variables)
    for i, level in enumerate([IMAGES, pooled(IMAGES)]):
        name = f"scale_{i}"
        kernel = np.asarray(turned[name]["Dense_0"]["kernel"])
        (before,), (passed,), (after,) = (
            vectors_of(each[name]) for each in (variables.state, state, advanced.state)
        )
        np.testing.assert_array_equal(passed, before)
        # The right singular vector of one column is the column, of the length of σ.
        length = np.linalg.norm(kernel)
        np.testing.assert_allclose(np.abs(after), np.abs(kernel[:, 0]) / length, atol=1e-5)
        assert np.abs(np.abs(after) - np.abs(before)).max() > 1e-2
        after_output, _ = network.apply(advanced, IMAGES, train=True)
        expected = level.reshape(3, -1) @ kernel / length
        np.testing.assert_allclose(after_output[i], expected, rtol=1e-4, atol=1e-5)
    assert len(outputs) == 2


def test_all_scales_may_be_normalised_together():
    network = spectrally_normalized(multi_scale([from_linen(Small())] * 2))
    variables = jax.jit(network.init)(jax.random.key(0), IMAGES)
    _, state = network.apply(variables, IMAGES, train=True)
    for found in (variables.state, state, network.advance(variables).state):
        assert set(found) == {"scale_0", "scale_1", COLLECTION}
    variables = jax.tree.map(lambda leaf: 5 * leaf, variables)
    outputs, _ = network.apply(variables, IMAGES, train=False)
    kernel = np.asarray(variables.params["scale_1"]["Dense_0"]["kernel"])
    expected = pooled(IMAGES).reshape(3, -1) @ kernel / np.linalg.norm(kernel)
    np.testing.assert_allclose(outputs[1], expected, rtol=1e-4, atol=1e-5)


class Maker(nn.Module):
    @nn.compact
    def __call__(self, latents, labels=None, *, train):
        return jnp.tanh(nn.DenseGeneral((8, 8, 1))(latents))


def test_a_step_of_a_game_trains_every_scale():
    networks = [from_linen(Scorer()), spectrally_normalized(from_linen(Small()))]
    discriminator = multi_scale(networks)

    def penalty(discriminator_fn, real, fake, turn):
        return penalties.r1_penalty(lambda x: discriminator_fn(x)[1], real)

    game = adversarial(
        from_linen(Maker()),
        discriminator,
        losses.multi_scale(losses.hinge),
        prior=latent.prior(4),
        conditional=True,
        penalty=penalty,
    )
    optimizers = {name: optax.sgd(0.1) for name in ("generator", "discriminator")}
    batch = {"real": jnp.asarray(IMAGES[:, :, :8, :1]), "label": jnp.array([0, 1, 0])}
    state = init_state(game, optimizers, batch, jax.random.key(0))
    before = jax.tree.map(np.asarray, dict(state.sides))
    state, scalars = make_train_step(game, optimizers)(state, batch, jax.random.key(1))
    assert all(np.isfinite(value) for value in scalars.values())
    assert float(scalars["penalty"]) > 0

    def moved(*path):
        """Whether something of the discriminator has changed."""
        old, new = (sides["discriminator"].variables for sides in (before, state.sides))
        for part in path:
            old, new = (
                getattr(v, part) if part in ("params", "state") else v[part] for v in (old, new)
            )
        return np.abs(old - new).max() > 1e-6

    assert moved("params", "scale_0", "Conv_0", "kernel")
    assert moved("params", "scale_0", "Dense_0", "kernel")
    assert moved("params", "scale_1", "Dense_0", "kernel")
    assert moved("state", "scale_0", "batch_stats", "BatchNorm_0", "mean")


def test_what_does_not_fit_is_refused():
    single = from_linen(Scorer())
    with pytest.raises(ValueError, match="at least one network, and has none"):
        multi_scale([])
    with pytest.raises(ValueError, match="must be 1 or more, not 0"):
        multi_scale([single], factor=0)
    network = multi_scale([single] * 3)
    with pytest.raises(ValueError, match=r"3 networks .* multiples of 4, not 8x10"):
        network.init(jax.random.key(0), IMAGES[:, :, :10])
    with pytest.raises(ValueError, match="multiples of 4, not 2x12"):
        network.init(jax.random.key(0), IMAGES[:, :2])
    with pytest.raises(ValueError, match="multi_scale pools must be floating point, not uint8"):
        network.init(jax.random.key(0), IMAGES.astype(np.uint8))
    patches = multi_scale([make_patch_discriminator(PatchOptions(width=2, layers=2))] * 2)
    with pytest.raises(ValueError, match=r"2 layers takes images of 12 pixels a side .*, not 8x8"):
        jax.eval_shape(patches.init, jax.random.key(0), jnp.ones((2, 16, 16, 1)))
    broken = single._replace(apply=lambda variables, images, *, train, key=None: images)
    with pytest.raises(ValueError, match=r"network of scale_0 must give \(output, new state\)"):
        multi_scale([broken]).apply(
            Variables({"scale_0": {}}, {"scale_0": {}}), jnp.ones((2, 4, 4, 1)), train=False
        )
