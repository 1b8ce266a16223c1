"""The families of generators from latents and their discriminators, and their common options.

A new family is a file with `make_generator` and `make_discriminator`, and a line in `FAMILIES`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

from jaxgan.networks import biggan, dcgan, mlp, resnet
from jaxgan.networks.network import Network
from jaxgan.options import AtLeast, AtMost, Within
from jaxgan.types import Array, PyTree

Shape: TypeAlias = tuple[int, ...]


class Family(NamedTuple):
    """Two networks that belong together.

    Attributes:
      make_generator: `(GeneratorOptions, shape of a sample, number of classes or 0, bounded) ->
        Network`, which ends in tanh where it is bounded.
      make_discriminator: `(DiscriminatorOptions, shape, number of classes or 0, outputs,
        with_features) -> Network`, which gives a logit a sample, or as many outputs, or a dict of
        `logits` and `features`.
      points: whether it takes points too, and not images alone.
      options: those of `OWN` that it takes.
    """

    make_generator: Callable[["GeneratorOptions", Shape, int, bool], Network]
    make_discriminator: Callable[["DiscriminatorOptions", Shape, int, int, bool], Network]
    points: bool = False
    options: tuple[str, ...] = ()


BIGGAN = ("attention", "hierarchical", "shared_size")
OWN = (*BIGGAN, "hidden")
"""Options that only families which name them take; others refuse all but the default."""
FAMILIES = {
    "dcgan": Family(dcgan.make_generator, dcgan.make_discriminator, options=("hidden",)),
    "resnet": Family(resnet.make_generator, resnet.make_discriminator),
    "biggan": Family(biggan.make_generator, biggan.make_discriminator, options=BIGGAN),
    "mlp": Family(mlp.make_generator, mlp.make_discriminator, points=True),
}
if TYPE_CHECKING:
    FamilyName: TypeAlias = str
else:
    FamilyName = Literal[tuple(FAMILIES)]
Normalization = Literal["batch", "group", "none"]
DType = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class GeneratorOptions:
    """The generator and its latents."""

    family: FamilyName = "dcgan"
    """Kind of network: dcgan, resnet or biggan (images), or mlp (images and points)."""
    width: Annotated[int, AtLeast(1)] = 64
    """Channels by the image (dcgan), of all layers (resnet), their unit (biggan); units (mlp)."""
    depth: Annotated[int, AtLeast(1), AtMost(100)] = 2
    """Hidden layers; mlp only, the others' depth follows from the image's size."""
    normalization: Normalization = "batch"
    """Normalisation before each activation."""
    spectral_norm: bool = False
    """Divide every weight matrix by its largest singular value."""
    latent_size: Annotated[int, AtLeast(1)] = 100
    """Numbers in a latent."""
    latent_distribution: Literal["normal", "uniform"] = "normal"
    """Standard normal, or uniform in [-1, 1]."""
    hidden: Annotated[int, AtLeast(0)] = 0
    """Units of a dense layer between latents and the first map; 0: none; dcgan only."""
    attention: Annotated[int, AtLeast(0)] = 0
    """Pixels a side of the map that self-attention follows; 0: none; biggan only."""
    hierarchical: bool = True
    """Give each block a part of the latent; biggan only."""
    shared_size: Annotated[int, AtLeast(1)] = 128
    """Numbers of a class's embedding, which all blocks share; biggan only."""
    orthogonal_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the penalty on kernels whose outputs are not orthogonal (BigGAN: 1e-4)."""
    dtype: DType = "float32"
    """Type of the layers' computation; weights, statistics, losses and penalties are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


@dataclass(frozen=True)
class DiscriminatorOptions:
    """The discriminator."""

    family: FamilyName = "dcgan"
    """Kind of network: dcgan, resnet or biggan (images), or mlp (images and points)."""
    width: Annotated[int, AtLeast(1)] = 64
    """Channels by the image (dcgan), of all layers (resnet), their unit (biggan); units (mlp)."""
    depth: Annotated[int, AtLeast(1), AtMost(100)] = 2
    """Hidden layers; mlp only."""
    normalization: Normalization = "batch"
    """Normalisation before each activation but the first."""
    dropout: Annotated[float, Within(0, 1)] = 0.0
    """Share of activations dropped in training."""
    hidden: Annotated[int, AtLeast(0)] = 0
    """Units of a dense layer after the last map; 0: none; dcgan only."""
    attention: Annotated[int, AtLeast(0)] = 0
    """Pixels a side of the map that self-attention follows; 0: none; biggan only."""
    spectral_norm: bool = False
    """Divide every weight matrix by its largest singular value."""
    clip: Annotated[float, AtLeast(0)] = 0.0
    """Clip every weight to [-clip, clip] after each update (WGAN: 0.01); 0: do not."""
    orthogonal_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of the penalty on kernels whose outputs are not orthogonal."""
    dtype: DType = "float32"
    """Type of the layers' computation; weights, statistics, losses and penalties are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


def make_generator(
    options: GeneratorOptions, shape: Shape, num_classes: int = 0, *, bounded: bool = True
) -> Network:
    """The generator that the options describe.

    Args:
      options: of the generator.
      shape: of a sample.
      num_classes: of a conditional one, else 0.
      bounded: False leaves out the tanh, for likelihoods that take what comes before it.

    Raises:
      ValueError: for a family of images and points, for an option that the family does not have,
        and what the family itself refuses.
    """
    family = _family("generator", options, shape)
    return family.make_generator(options, shape, num_classes, bounded)


def make_discriminator(
    options: DiscriminatorOptions,
    shape: Shape,
    num_classes: int = 0,
    *,
    outputs: int = 0,
    with_features: bool = False,
) -> Network:
    """The discriminator that the options describe; a ValueError as `make_generator`.

    With `outputs` it is an encoder: it gives that many numbers a sample instead of a logit. With
    features it gives a dict of `logits` [B] and `features` [B, ...], the hidden layer that the
    logits are made from.
    """
    family = _family("discriminator", options, shape)
    return family.make_discriminator(options, shape, num_classes, outputs, with_features)


def first_kernel(params: PyTree, latent_size: int) -> Array:
    """The weights that latents meet first in a generator of any family, `[latent_size, ...]`.

    Those that a label's embedding meets, which comes after the latent, are left out. A latent in
    parts, as that of biggan, meets several layers: see `jaxgan.networks.biggan.latent_kernel`.
    """
    layer = next(name for name in ("Dense_0", "DenseGeneral_0", "dense") if name in params)
    kernel = params[layer]["kernel"]
    if len(kernel) < latent_size:
        return biggan.latent_kernel(params, latent_size)
    return kernel[:latent_size]


def _family(side: str, options: GeneratorOptions | DiscriminatorOptions, shape: Shape) -> Family:
    name = options.family
    family = FAMILIES[name]
    if len(shape) != 3 and not family.points:
        allowed = " or ".join(f"{side}.family={n}" for n, f in FAMILIES.items() if f.points)
        raise ValueError(
            f"{side}.family={name} is for images, and the data are points of shape {shape}: "
            f"take {allowed}"
        )
    for option in fields(options):
        value = getattr(options, option.name)
        if option.name in OWN and option.name not in family.options and value != option.default:
            allowed = " or ".join(n for n, f in FAMILIES.items() if option.name in f.options)
            raise ValueError(
                f"{side}.{option.name} is an option of the family {allowed}, and "
                f"{side}.family={name} takes {option.default} alone, not {value}"
            )
    return family
