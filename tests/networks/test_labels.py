import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.networks.labels import append_label, check_labels, project_label


class Appended(nn.Module):
    @nn.compact
    def __call__(self, latents, labels):
        return append_label(latents, labels, num_classes=3, features=2)


class Projected(nn.Module):
    @nn.compact
    def __call__(self, features, labels):
        return project_label(features, labels, num_classes=3)


TABLE = {"params": {"Embed_0": {"embedding": jnp.array([[1.0, 0.0], [0.0, 1.0], [5.0, -1.0]])}}}


def test_append_label_concatenates_the_embedding():
    y = Appended().apply(TABLE, jnp.array([[7.0, 8.0], [9.0, 6.0]]), jnp.array([2, 0]))
    np.testing.assert_array_equal(y, [[7, 8, 5, -1], [9, 6, 1, 0]])


def test_project_label_is_the_inner_product():
    y = Projected().apply(TABLE, jnp.array([[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]]), jnp.arange(3))
    np.testing.assert_array_equal(y, [1.0, 4.0, 11.0])


def test_without_classes_nothing_is_added():
    latents = jnp.ones((2, 3))
    assert append_label(latents, None, num_classes=0, features=2) is latents
    assert project_label(latents, None, num_classes=0) == 0.0


@pytest.mark.parametrize(
    ("labels", "num_classes", "message"),
    [
        (None, 3, "num_classes=3 needs labels"),
        (jnp.zeros(2, int), 0, "num_classes=0 takes no labels"),
        (jnp.zeros((2, 1), int), 3, r"labels have shape \(2, 1\); allowed is \(2,\)"),
        (jnp.zeros(1, int), 3, r"labels have shape \(1,\); allowed is \(2,\)"),
    ],
)
def test_labels_that_do_not_fit(labels, num_classes, message):
    with pytest.raises(ValueError, match=message):
        check_labels(labels, num_classes, batch_size=2)
