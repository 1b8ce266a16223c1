"""The library's networks in PyTorch, written the way that PyTorch code writes them.

Images are `[B, C, H, W]` in [-1, 1], logits `[B, 1]`. Layers with parameters are defined in the
order in which they are used; `port` relies on it to copy our parameters into their counterparts,
which then compute the same numbers.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from flax.traverse_util import flatten_dict
from torch import Tensor, nn

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.layers.normalization import num_groups
from jaxgan.networks.dcgan import doublings, stage_widths
from jaxgan.networks.resnet import down_blocks

Shape = tuple[int, ...]


def networks_of(experiment: Experiment, shape: Shape) -> tuple[nn.Module, nn.Module]:
    """The counterparts of the experiment's networks of images of `shape` (H, W, C)."""
    return generator_of(experiment, shape), discriminator_of(experiment, shape)


def generator_of(experiment: Experiment, shape: Shape) -> nn.Module:
    """The counterpart of the experiment's generator of images of `shape` (H, W, C)."""
    families = {"mlp": mlp_generator, "dcgan": dcgan_generator, "resnet": resnet_generator}
    return families[experiment.generator.family](experiment.generator, shape)


def discriminator_of(experiment: Experiment, shape: Shape) -> nn.Module:
    """The counterpart of the experiment's discriminator of images of `shape` (H, W, C)."""
    families = {
        "mlp": mlp_discriminator,
        "dcgan": dcgan_discriminator,
        "resnet": resnet_discriminator,
    }
    return families[experiment.discriminator.family](experiment.discriminator, shape)


def mlp_generator(options: GeneratorOptions, shape: Shape) -> nn.Module:
    height, width, channels = shape
    sizes = [options.latent_size] + [options.width] * options.depth
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
    layers += [nn.Linear(sizes[-1], math.prod(shape)), nn.Tanh()]
    return nn.Sequential(*layers, nn.Unflatten(1, (channels, height, width)))


def mlp_discriminator(options: DiscriminatorOptions, shape: Shape) -> nn.Module:
    sizes = [math.prod(shape)] + [options.width] * options.depth
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1))


def dcgan_generator(options: GeneratorOptions, shape: Shape) -> nn.Module:
    height, width, channels = shape
    k = doublings(shape)
    *outer, inner = stage_widths(options.width, k)
    bias = options.normalization == "none"

    def activate(features: int) -> list[nn.Module]:
        return [*normalize(options.normalization, features), nn.ReLU(inplace=True)]

    base = (inner, height >> k, width >> k)
    layers = [nn.Linear(options.latent_size, math.prod(base), bias), nn.Unflatten(1, base)]
    layers += activate(inner)
    for features in reversed(outer):
        layers.append(nn.ConvTranspose2d(inner, features, 4, 2, 1, bias=bias))
        layers += activate(features)
        inner = features
    if k == 1:
        layers.append(nn.Conv2d(inner, channels, 3, 1, 1))
    else:
        layers.append(nn.ConvTranspose2d(inner, channels, 4, 2, 1))
    return nn.Sequential(*layers, nn.Tanh())


def dcgan_discriminator(options: DiscriminatorOptions, shape: Shape) -> nn.Module:
    height, width, channels = shape
    k = doublings(shape)
    layers: list[nn.Module] = []
    for i, features in enumerate(stage_widths(options.width, k)):
        normalized = i > 0 and options.normalization != "none"
        size, stride = (3, 1) if i == 0 and k == 1 else (4, 2)
        layers.append(nn.Conv2d(channels, features, size, stride, 1, bias=not normalized))
        layers += normalize(options.normalization if normalized else "none", features)
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        channels = features
    pixels = (height >> k) * (width >> k)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * pixels, 1))


def normalize(kind: str, features: int) -> list[nn.Module]:
    """A list of one layer, or of none."""
    if kind == "batch":
        return [nn.BatchNorm2d(features, eps=1e-5)]
    if kind == "group":
        return [nn.GroupNorm(num_groups(features), features, eps=1e-5)]
    return []


class ResidualBlock(nn.Module):
    """The counterpart of `jaxgan.networks.resnet.ResidualBlock`, shortcuts included."""

    def __init__(
        self, inner: int, width: int, resample: str, kind: str, on_pixels: bool = False
    ) -> None:
        super().__init__()
        before = [] if on_pixels else [*normalize(kind, inner), nn.ReLU()]
        if resample == "up":
            before.append(nn.Upsample(scale_factor=2))
        between = [] if on_pixels else normalize(kind, width)
        self.residual = nn.Sequential(
            *before,
            nn.Conv2d(inner, width, 3, 1, 1),
            *between,
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 1, 1),
            *([nn.AvgPool2d(2)] if resample == "down" else []),
        )
        shortcut: list[nn.Module] = [nn.AvgPool2d(2)] if resample == "down" else []
        if resample != "none" or inner != width:
            shortcut.append(nn.Conv2d(inner, width, 1))
        if resample == "up":
            shortcut.append(nn.Upsample(scale_factor=2))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


def resnet_generator(options: GeneratorOptions, shape: Shape) -> nn.Module:
    height, width, channels = shape
    k, features, kind = doublings(shape), options.width, options.normalization
    base = (features, height >> k, width >> k)
    return nn.Sequential(
        nn.Linear(options.latent_size, math.prod(base)),
        nn.Unflatten(1, base),
        *(ResidualBlock(features, features, "up", kind) for _ in range(k)),
        *normalize(kind, features),
        nn.ReLU(inplace=True),
        nn.Conv2d(features, channels, 3, 1, 1),
        nn.Tanh(),
    )


def resnet_discriminator(options: DiscriminatorOptions, shape: Shape) -> nn.Module:
    down, features, kind = down_blocks(shape), options.width, options.normalization
    rest = ["down"] * (down - 1) + ["none"] * 2
    return nn.Sequential(
        ResidualBlock(shape[-1], features, "down", kind, on_pixels=True),
        *(ResidualBlock(features, features, resample, kind) for resample in rest),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(features, 1),
    )


def translation_generator(channels: int, width: int, blocks: int) -> nn.Module:
    """CycleGAN's generator, the counterpart of `jaxgan.networks.cyclegan.TranslationGenerator`."""

    def activated(conv: nn.Module) -> list[nn.Module]:
        return [conv, nn.InstanceNorm2d(conv.out_channels), nn.ReLU(inplace=True)]

    inner = 4 * width
    return nn.Sequential(
        nn.ReflectionPad2d(3),
        *activated(nn.Conv2d(channels, width, 7)),
        *activated(nn.Conv2d(width, 2 * width, 3, 2, 1)),
        *activated(nn.Conv2d(2 * width, inner, 3, 2, 1)),
        *(TranslationBlock(inner) for _ in range(blocks)),
        *activated(nn.ConvTranspose2d(inner, 2 * width, 3, 2, 1, output_padding=1)),
        *activated(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1)),
        nn.ReflectionPad2d(3),
        nn.Conv2d(width, channels, 7),
        nn.Tanh(),
    )


class TranslationBlock(nn.Module):
    """The counterpart of `jaxgan.networks.cyclegan.ResidualBlock`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(features, features, 3),
            nn.InstanceNorm2d(features),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(features, features, 3),
            nn.InstanceNorm2d(features),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


class UNet(nn.Module):
    """The counterpart of `jaxgan.networks.unet.UNet` with instance normalisation, no dropout."""

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [width * 2 ** min(i, 3) for i in range(depth)]

        def down(number: int) -> nn.Module:
            before = widths[number - 1] if number else channels
            conv = nn.Conv2d(before, widths[number], 4, 2, 1, bias=False)
            inside = 0 < number < depth - 1
            return nn.Sequential(
                *([nn.LeakyReLU(0.2)] if number else []),
                conv,
                *([nn.InstanceNorm2d(widths[number])] if inside else []),
            )

        def up(number: int) -> nn.Module:
            before = widths[number + 1] * (1 if number == depth - 2 else 2)
            conv = nn.ConvTranspose2d(before, widths[number], 4, 2, 1, bias=False)
            return nn.Sequential(nn.ReLU(), conv, nn.InstanceNorm2d(widths[number]))

        self.down = nn.ModuleList(map(down, range(depth)))
        self.up = nn.ModuleList(map(up, reversed(range(depth - 1))))
        self.last = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(2 * width, channels, 4, 2, 1), nn.Tanh()
        )

    def forward(self, x: Tensor) -> Tensor:
        carried = []
        for layer in self.down:
            x = layer(x)
            carried.append(x)
        x = carried.pop()
        for layer in self.up:
            x = torch.cat([layer(x), carried.pop()], 1)
        return self.last(x)


def port(module: nn.Module, params: dict, order: list[tuple[str, ...]]) -> None:
    """Copies the Linen parameters `params` into `module`, layer by layer.

    Args:
      module: the counterpart.
      params: nested dicts of arrays.
      order: paths of the parameters in order of creation, which is the order of use; trees that
        went through a transformation are sorted by name instead.

    Raises:
      ValueError: when the networks have different numbers of layers or parameters.
    """
    ours = flatten_dict(params)
    paths = list(dict.fromkeys(path[:-1] for path in order))
    layers = [layer for layer in module.modules() if list(layer.parameters(recurse=False))]
    sizes = [sum(leaf.size for leaf in ours.values()), sum(p.numel() for p in module.parameters())]
    if sizes[0] != sizes[1] or len(paths) != len(layers):
        raise ValueError(f"ours has {sizes[0]} parameters and PyTorch's network {sizes[1]}")
    channels = 1  # of the images that a dense layer flattens
    for path, layer in zip(paths, layers, strict=True):
        for name in ("kernel", "scale", "bias"):
            if (*path, name) in ours:
                target = layer.bias if name == "bias" else layer.weight
                value = np.array(ours[(*path, name)])
                if name == "kernel":
                    value = _kernel(layer, value, channels)
                elif value.ndim == 3:  # Of the dense layer to the first image.
                    value = value.transpose(2, 0, 1)
                with torch.no_grad():
                    target.copy_(torch.from_numpy(value.reshape(target.shape)))
        channels = getattr(layer, "out_channels", channels)


def _kernel(layer: nn.Module, kernel: np.ndarray, channels: int) -> np.ndarray:
    """Channels before pixels, outputs before inputs; transposed convolutions see it from behind."""
    if isinstance(layer, nn.Conv2d):
        return kernel.transpose(3, 2, 0, 1)
    if isinstance(layer, nn.ConvTranspose2d):
        return kernel[::-1, ::-1].transpose(2, 3, 0, 1).copy()
    if kernel.ndim == 4:  # Dense to the first image, [L, H, W, C].
        return kernel.transpose(3, 1, 2, 0)
    pixels = len(kernel) // channels
    return kernel.reshape(pixels, channels, -1).transpose(2, 1, 0)
