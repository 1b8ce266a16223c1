"""Outputs that discriminators give beside their logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.layers.spectral_norm import spectrally_normalized
from jaxgan.networks import Network, Variables
from jaxgan.networks.families import DiscriminatorOptions, make_discriminator
from jaxgan.networks.heads import with_heads, with_label_channels, without_labels

SHAPE = (8, 8, 1)
IMAGES = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (3, *SHAPE)), jnp.float32)
LABELS = jnp.array([0, 2, 1])
SMALL = DiscriminatorOptions(width=4)
KEY = jax.random.key(0)


def trunk(options=SMALL, classes=0):
    return make_discriminator(options, SHAPE, classes, with_features=True)


@pytest.mark.parametrize("family", ["dcgan", "resnet", "mlp"])
def test_heads_read_the_features_of_every_family(family):
    options = DiscriminatorOptions(family=family, width=4, normalization="none")
    judge = with_heads(trunk(options), {"classes": 3, "codes": 5})
    variables = judge.init(KEY, IMAGES, None)
    output, _ = judge.apply(variables, IMAGES, None, train=True, key=jax.random.key(1))
    assert set(output) == {"logits", "classes", "codes"}
    assert output["classes"].shape == (3, 3)
    assert output["codes"].shape == (3, 5)
    plain, _ = trunk(options).apply(variables["trunk"], IMAGES, None, train=False)
    np.testing.assert_allclose(output["logits"], plain["logits"], atol=1e-6)
    flat = plain["features"].reshape(3, -1)
    for name in ("classes", "codes"):
        dense = variables["heads"].params[name]
        expected = flat @ dense["kernel"] + dense["bias"]
        np.testing.assert_allclose(output[name], expected, rtol=1e-4, atol=1e-5)


def test_a_hidden_layer_before_each_head():
    judge = with_heads(trunk(), {"codes": 2}, hidden={"codes": 6})
    variables = judge.init(KEY, IMAGES, None)
    layers = variables["heads"].params
    features = trunk().apply(variables["trunk"], IMAGES, None, train=False)[0]["features"]
    hidden = features.reshape(3, -1) @ layers["codes_hidden"]["kernel"]
    hidden += layers["codes_hidden"]["bias"]
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    expected = hidden @ layers["codes"]["kernel"] + layers["codes"]["bias"]
    output, _ = judge.apply(variables, IMAGES, None, train=False)
    np.testing.assert_allclose(output["codes"], expected, rtol=1e-4, atol=1e-5)


def test_spectral_normalization_reaches_the_heads():
    judge = spectrally_normalized(with_heads(trunk(), {"codes": 2}))
    variables = judge.init(KEY, IMAGES, None)
    moved = judge.advance(variables)
    larger = jax.tree.map(lambda p: p, moved.params)
    larger["heads"]["codes"]["kernel"] = 5 * larger["heads"]["codes"]["kernel"]
    outputs = [
        judge.apply(Variables(params, moved.state), IMAGES, None, train=False)[0]["codes"]
        for params in (moved.params, larger)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-5)


def test_advance_moves_the_trunk():
    counting = Network(
        lambda key, images, labels: Variables({}, jnp.zeros(())),
        lambda variables, images, labels, *, train, key=None: (
            {"logits": images.mean((1, 2, 3)), "features": images},
            variables.state,
        ),
        lambda variables: Variables(variables.params, variables.state + 1),
    )
    judge = with_heads(counting, {"codes": 2})
    moved = judge.advance(judge.advance(judge.init(KEY, IMAGES, None)))
    assert moved["trunk"].state == 2


def test_labels_as_channels():
    seen = []

    def apply(variables, images, labels, *, train, key=None):
        seen.append((images, labels))
        return images.mean((1, 2, 3)), variables.state

    plain = Network(lambda key, *inputs: Variables({}, {}), apply)
    with_label_channels(plain, 3).apply(Variables({}, {}), IMAGES, LABELS, train=False)
    ((images, labels),) = seen
    assert labels is None
    np.testing.assert_array_equal(images[..., :1], IMAGES)
    for row, label in enumerate(LABELS):
        np.testing.assert_array_equal(images[row, ..., 1:], np.tile(np.eye(3)[label], (8, 8, 1)))


def test_labels_are_kept_from_a_network_that_must_guess_them():
    judge = without_labels(trunk())
    variables = judge.init(KEY, IMAGES, LABELS)
    output, _ = judge.apply(variables, IMAGES, LABELS, train=False)
    expected, _ = trunk().apply(variables, IMAGES, None, train=False)
    np.testing.assert_array_equal(output["logits"], expected["logits"])


def test_a_discriminator_without_features_is_refused():
    judge = with_heads(make_discriminator(SMALL, SHAPE), {"codes": 2})
    with pytest.raises(ValueError, match="heads read a discriminator's features"):
        judge.init(KEY, IMAGES, None)
