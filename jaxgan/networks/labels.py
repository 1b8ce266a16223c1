"""Class labels in networks: embedded beside the latent, projected on the features.

Labels are int32 `[B]` in `[0, num_classes)`; `num_classes=0` makes a network unconditional. A
network that embeds labels takes mixtures of classes too: float weights `[B, num_classes]`, whose
embedding is that of the classes, weighed. The functions that make parameters are called inside the
`nn.compact` method of a network.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.types import Array


def append_label(latents: Array, labels: Array | None, *, num_classes: int, features: int) -> Array:
    """Concatenates an embedding of the label to the latent; without classes returns the latent.

    The embedding starts as N(0, 1), as large as the coordinates of a normal latent.

    Args:
      latents: `[B, L]`.
      labels: int32 `[B]`, or None when `num_classes` is 0.
      num_classes: number of classes.
      features: size of the embedding.

    Returns:
      `[B, L + features]`, or `[B, L]` without classes.

    Raises:
      ValueError: see `check_labels`.
    """
    check_labels(labels, num_classes, len(latents))
    if labels is None:
        return latents
    embedding = embed_label(labels, num_classes, features, nn.initializers.normal(1.0))
    return jnp.concatenate([latents, embedding.astype(latents.dtype)], axis=-1)


def embed_label(
    labels: Array, num_classes: int, features: int, init: Callable[..., Array]
) -> Array:
    """The embedding of labels, or the mean of embeddings by the weights of a mixture.

    Args:
      labels: int32 `[B]`, or float weights `[B, num_classes]`.
      num_classes: number of classes.
      features: size of the embedding.
      init: of the table `[num_classes, features]`.

    Returns:
      `[B, features]`.
    """
    table = nn.Embed(num_classes, features, embedding_init=init)
    return table(labels) if labels.ndim == 1 else labels @ table.embedding


def project_label(features: Array, labels: Array | None, *, num_classes: int) -> Array | float:
    """The projection discriminator's label term ⟨embed(y), φ(x)⟩; 0 without classes.

    Args:
      features: φ(x), the last features before the logit, `[B, F]`.
      labels: int32 `[B]`, or None when `num_classes` is 0.
      num_classes: number of classes.

    Returns:
      What is added to the logits, float32 `[B]`.

    Raises:
      ValueError: see `check_labels`.

    References:
      Miyato and Koyama, cGANs with Projection Discriminator, 2018.
    """
    check_labels(labels, num_classes, len(features))
    if labels is None:
        return 0.0
    init = nn.initializers.normal(0.02)
    embedding = embed_label(labels, num_classes, features.shape[-1], init)
    return jnp.sum(embedding * features.astype(jnp.float32), axis=-1)


def check_labels(labels: Array | None, num_classes: int, batch_size: int) -> None:
    """Raises a ValueError unless there is a label a sample, and none for a network without classes.

    A label is a number, or one weight a class. The shape is checked because `[B, 1]` against
    `[B, F]` features would broadcast to `[B, B]`.
    """
    if labels is None and num_classes > 0:
        raise ValueError(f"a network with num_classes={num_classes} needs labels, but got none.")
    if labels is not None and num_classes == 0:
        raise ValueError("a network with num_classes=0 takes no labels, but got some.")
    if labels is None or labels.shape == (batch_size,):
        return
    mixed = labels.shape == (batch_size, num_classes) and jnp.issubdtype(labels.dtype, jnp.floating)
    if not mixed:
        raise ValueError(f"labels have shape {labels.shape}; allowed is ({batch_size},).")
