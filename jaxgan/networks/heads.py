"""Outputs that a discriminator gives beside its logits: classes (AC-GAN), codes (InfoGAN)."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.keys import derive
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.network import Network, Variables, join
from jaxgan.types import Array, Key, PyTree


class Heads(nn.Module):
    """Features to one array of numbers a head, each by a dense layer of its own.

    Attributes:
      outputs: numbers a sample, by the head's name.
      hidden: units of a dense layer with LeakyReLU before a head, as InfoGAN has it, by its name.
    """

    outputs: Mapping[str, int]
    hidden: Mapping[str, int]

    @nn.compact
    def __call__(self, features: Array, *, train: bool) -> dict[str, Array]:
        """Features `[B, ...]` -> by name float32 `[B, outputs]`."""
        flat = features.reshape(len(features), -1).astype(jnp.float32)
        found = {}
        for name, outputs in self.outputs.items():
            x = flat
            if units := self.hidden.get(name, 0):
                x = nn.leaky_relu(nn.Dense(units, name=f"{name}_hidden")(x), 0.2)
            found[name] = nn.Dense(outputs, name=name)(x)
        return found


def with_heads(
    discriminator: Network, outputs: Mapping[str, int], hidden: Mapping[str, int] | None = None
) -> Network:
    """A discriminator that gives a dict of `logits` and what its heads make of its features.

    Args:
      discriminator: gives a dict of `logits` and `features` `[B, ...]`.
      outputs: numbers a sample, by the head's name.
      hidden: see `Heads`.

    Raises:
      ValueError: when first traced, for a discriminator without features.
    """
    heads = from_linen(Heads(dict(outputs), dict(hidden or {})))

    def features_of(output: PyTree) -> Array:
        if not hasattr(output, "keys") or "features" not in output:
            raise ValueError(
                "heads read a discriminator's features: it must give a dict of 'logits' and "
                f"'features', not {sorted(output) if hasattr(output, 'keys') else 'logits alone'}"
            )
        return output["features"]

    def init(key: Key, *inputs: Array | None) -> Variables:
        trunk = discriminator.init(derive(key, "trunk"), *inputs)
        output, _ = discriminator.apply(trunk, *inputs, train=False)
        return join(
            {"trunk": trunk, "heads": heads.init(derive(key, "heads"), features_of(output))}
        )

    def apply(
        variables: Variables, *inputs: Array | None, train: bool, key: Key | None = None
    ) -> tuple[Any, PyTree]:
        output: Any
        output, state = discriminator.apply(variables["trunk"], *inputs, train=train, key=key)
        found: Any
        found, of_heads = heads.apply(variables["heads"], features_of(output), train=train)
        return {"logits": output["logits"], **found}, {"trunk": state, "heads": of_heads}

    def advance(variables: Variables) -> Variables:
        return join(
            {
                "trunk": discriminator.advance(variables["trunk"]),
                "heads": heads.advance(variables["heads"]),
            }
        )

    return Network(init, apply, advance)


def with_label_channels(discriminator: Network, num_classes: int) -> Network:
    """A discriminator that is shown each sample's label: as many channels more, one of them 1.

    The plain conditional discriminator of Mirza & Osindero 2014 (arXiv:1411.1784).

    Args:
      discriminator: takes images `[B, H, W, C]` or points `[B, D]` alone.
      num_classes: channels of labels.
    """

    def shown(images: Array, labels: Array) -> Array:
        maps = nn.one_hot(labels, num_classes, dtype=images.dtype)
        maps = maps.reshape(len(images), *[1] * (images.ndim - 2), num_classes)
        maps = jnp.broadcast_to(maps, (*images.shape[:-1], num_classes))
        return jnp.concatenate([images, maps], axis=-1)

    def init(key: Key, images: Array, labels: Array) -> Variables:
        return discriminator.init(key, shown(images, labels), None)

    def apply(
        variables: Variables,
        images: Array,
        labels: Array,
        *,
        train: bool,
        key: Key | None = None,
    ) -> tuple[Array, PyTree]:
        return discriminator.apply(variables, shown(images, labels), None, train=train, key=key)

    return discriminator._replace(init=init, apply=apply)


def without_labels(network: Network) -> Network:
    """A network that is given labels and passes none on, as an auxiliary classifier must guess."""

    def init(key: Key, images: Array, labels: Array | None) -> Variables:
        return network.init(key, images, None)

    def apply(
        variables: Variables,
        images: Array,
        labels: Array | None,
        *,
        train: bool,
        key: Key | None = None,
    ) -> tuple[Array, PyTree]:
        return network.apply(variables, images, None, train=train, key=key)

    return network._replace(init=init, apply=apply)
