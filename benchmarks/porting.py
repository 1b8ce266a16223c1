"""Weights of PyTorch's networks in ours: what comes out is the same.

    python -m benchmarks.porting

PyTorch's networks are in their authors' layout, with random weights: DCGAN for 64x64 images, whose
first layer is a transposed convolution of one pixel and whose last is a convolution to one, and
CycleGAN's generator of 9 blocks and its 70x70 discriminator. `variables_of` is the recipe of
docs/coming_from.md. The table gives the largest difference of the outputs, relative to the largest
output.
"""

from typing import Any, NamedTuple

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax.traverse_util import flatten_dict, unflatten_dict
from torch import Tensor, nn

from benchmarks.torch_networks import translation_generator
from jaxgan.networks.cyclegan import PatchDiscriminator, TranslationGenerator
from jaxgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator


def dcgan_generator(latent_size: int, width: int, channels: int) -> nn.Module:
    """Latents `[B, L, 1, 1]` to images `[B, C, 64, 64]`; nothing has a bias."""
    widths = [8 * width, 4 * width, 2 * width, width]
    layers: list[nn.Module] = [nn.ConvTranspose2d(latent_size, widths[0], 4, 1, 0, bias=False)]
    for inner, features in zip(widths, [*widths[1:], channels], strict=True):
        layers += [nn.BatchNorm2d(inner), nn.ReLU()]
        layers.append(nn.ConvTranspose2d(inner, features, 4, 2, 1, bias=False))
    return nn.Sequential(*layers, nn.Tanh())


def dcgan_discriminator(width: int, channels: int) -> nn.Module:
    """Images `[B, C, 64, 64]` to logits `[B, 1, 1, 1]`; nothing has a bias, and no sigmoid."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for inner in (width, 2 * width, 4 * width):
        layers.append(nn.Conv2d(inner, 2 * inner, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(2 * inner), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False))


def patch_discriminator(width: int, channels: int) -> nn.Module:
    """Images `[B, C, H, W]` to the logits of 70x70 patches."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inner, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
        layers.append(nn.Conv2d(inner, 2 * inner, 4, stride, 1))
        layers += [nn.InstanceNorm2d(2 * inner), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def variables_of(module: nn.Module, ours: linen.Module, inputs: jax.Array) -> dict[str, Any]:
    """The variables of `ours` from the layers of `module`, which come in one order.

    Raises:
      ValueError: where the layers or their sizes are not those of `ours`.
    """
    order: list[tuple[str, ...]] = []

    def init(inputs: jax.Array) -> Any:
        variables = ours.init(jax.random.key(0), inputs, train=True)
        order.extend(flatten_dict(variables["params"]))  # As they are made, before jit sorts them.
        return variables

    shapes = {path: leaf.shape for path, leaf in flatten_dict(jax.eval_shape(init, inputs)).items()}
    layers = [layer for layer in module.modules() if list(layer.parameters(recurse=False))]
    paths = list(dict.fromkeys(path[:-1] for path in order))
    found: dict[tuple[str, ...], np.ndarray] = {}
    for path, layer in zip(paths, layers, strict=True):
        for name in (leaf[-1] for leaf in order if leaf[:-1] == path):
            place = ("params", *path, name)
            shape = shapes[place]
            found[place] = _leaf(layer, name, shape).reshape(shape)
        if isinstance(layer, nn.BatchNorm2d):
            found["batch_stats", *path, "mean"] = layer.running_mean.numpy()
            found["batch_stats", *path, "var"] = layer.running_var.numpy()
    return unflatten_dict(found)


def _leaf(layer: nn.Module, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A layer's bias, scale or kernel, with the axes as ours has them."""
    if name == "bias":  # Of ours alone, in some places: 0 changes nothing.
        return np.zeros(shape, np.float32) if layer.bias is None else layer.bias.detach().numpy()
    weight = layer.weight.detach().numpy()
    if name == "scale":
        return weight
    if isinstance(layer, nn.ConvTranspose2d):
        if shape[1:3] == weight.shape[2:]:  # [L, H, W, C]: of one pixel, a dense layer to an image.
            return weight.transpose(0, 2, 3, 1)
        return weight.transpose(2, 3, 0, 1)[::-1, ::-1]  # PyTorch's kernels are seen from behind.
    return weight.transpose(2, 3, 1, 0)  # [H, W, in, out]; flattened, that of a dense layer.


class Case(NamedTuple):
    """A network of each side, and what goes in, channels first."""

    theirs: nn.Module
    ours: linen.Module
    inputs: Tensor


def cases() -> dict[str, Case]:
    """Networks of the authors' sizes, small images."""
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    return {
        "DCGAN, generator": Case(
            dcgan_generator(100, 64, 3),
            DCGANGenerator((64, 64, 3), 64, bias=False),
            torch.randn(8, 100, 1, 1),
        ),
        "DCGAN, discriminator": Case(
            dcgan_discriminator(64, 3),
            DCGANDiscriminator(64, bias=False),
            torch.rand(8, 3, 64, 64) * 2 - 1,
        ),
        "CycleGAN, generator of 9 blocks": Case(
            translation_generator(3, 64, 9), TranslationGenerator(3), images
        ),
        "CycleGAN, 70x70 discriminator": Case(
            patch_discriminator(64, 3), PatchDiscriminator(), images
        ),
    }


def difference(case: Case, train: bool) -> float:
    """The largest difference of the outputs, relative to the largest output."""
    inputs = jnp.asarray(case.inputs.permute(0, 2, 3, 1).numpy())
    inputs = inputs[:, 0, 0] if inputs.shape[1] == 1 else inputs
    variables = variables_of(case.theirs, case.ours, inputs)

    def apply(variables: Any, inputs: jax.Array) -> jax.Array:
        made: Any = case.ours.apply(variables, inputs, train=train, mutable=["batch_stats"])
        return made[0]

    found = np.asarray(jax.jit(apply)(variables, inputs))
    with torch.no_grad():
        expected = case.theirs.train(train)(case.inputs).permute(0, 2, 3, 1).numpy()
    return float(np.abs(found - expected.reshape(found.shape)).max() / np.abs(expected).max())


def main() -> None:
    torch.manual_seed(0)
    print("| network | parameters in PyTorch | in training | in use |\n|---|---|---|---|")
    for name, case in cases().items():
        for layer in case.theirs.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.weight, 1, 0.2)
                nn.init.normal_(layer.bias, 0, 0.2)
                nn.init.normal_(layer.running_mean, 0, 0.2)
                nn.init.uniform_(layer.running_var, 0.5, 1.5)
        count = sum(parameter.numel() for parameter in case.theirs.parameters())
        # In use first: training moves PyTorch's running statistics.
        use, training = difference(case, train=False), difference(case, train=True)
        print(f"| {name} | {count:,} | {training:.0e} | {use:.0e} |")


if __name__ == "__main__":
    main()
