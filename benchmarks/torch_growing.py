"""The growing networks of one size in PyTorch, the counterparts of `jaxgan.networks.growing`.

Like ours they hold the layers to and from images of smaller sizes, which do not run.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from jaxgan.experiment import GrowingExperiment
from jaxgan.networks.growing import channels, sizes

Shape = tuple[int, ...]
ROOT2 = math.sqrt(2)


class Conv(nn.Conv2d):
    """A convolution whose weights are scaled in each pass."""

    def __init__(self, before: int, after: int, size: int = 3, gain: float = ROOT2) -> None:
        super().__init__(before, after, size, padding=size // 2)
        self.scale = gain / math.sqrt(before * size * size)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class Dense(nn.Linear):
    """A dense layer whose weights are scaled in each pass."""

    def __init__(self, before: int, after: int, gain: float = ROOT2) -> None:
        super().__init__(before, after)
        self.scale = gain / math.sqrt(before)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.scale, self.bias)


class ToFirstImage(nn.Linear):
    """Latents to maps of 4x4 pixels, with a bias a channel."""

    def __init__(self, before: int, features: int) -> None:
        super().__init__(before, 16 * features, bias=False)
        self.scale = ROOT2 / 4 / math.sqrt(before)
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.linear(x, self.weight * self.scale).unflatten(1, (-1, 4, 4))
        return y + self.bias.view(1, -1, 1, 1)


def pixel_norm(x: Tensor) -> Tensor:
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Generator(nn.Module):
    """The counterpart of `GrowingGenerator`."""

    def __init__(self, latent_size: int, width: int, shape: Shape) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        before = latent_size
        for size in sizes(shape):
            after = channels(width, size)
            first = ToFirstImage(before, after) if size == 4 else Conv(before, after)
            self.layers += [first, Conv(after, after), Conv(after, shape[-1], 1, 1.0)]
            before = after

    def forward(self, latents: Tensor) -> Tensor:
        x = pixel_norm(latents)
        for i in range(0, len(self.layers), 3):
            x = x if i == 0 else functional.interpolate(x, scale_factor=2)
            for layer in self.layers[i : i + 2]:
                x = pixel_norm(functional.leaky_relu(layer(x), 0.2))
        return self.layers[-1](x)


class Discriminator(nn.Module):
    """The counterpart of `GrowingDiscriminator`."""

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        falling = sizes(shape)[::-1]
        maps = [channels(width, size) for size in falling]
        self.from_images = nn.ModuleList(Conv(shape[-1], each, 1) for each in maps)
        self.layers = nn.ModuleList()
        for outer, inner in pairwise(maps):
            self.layers += [Conv(outer, outer), Conv(outer, inner)]
        self.last = Conv(maps[-1] + 1, maps[-1])
        self.dense = Dense(16 * maps[-1], width)
        self.logits = Dense(width, 1, 1.0)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.leaky_relu(self.from_images[0](images), 0.2)
        for i, layer in enumerate(self.layers):
            x = functional.leaky_relu(layer(x), 0.2)
            x = functional.avg_pool2d(x, 2) if i % 2 else x
        x = functional.leaky_relu(self.last(with_deviation(x)), 0.2)
        return self.logits(functional.leaky_relu(self.dense(x.flatten(1)), 0.2))


def with_deviation(x: Tensor, group: int = 4) -> Tensor:
    """The maps and one of the standard deviation within groups of neighbours."""
    groups = x.unflatten(0, (-1, group))
    variance = groups.var(1, unbiased=False)
    deviation = (variance + 1e-8).sqrt().mean((1, 2, 3)).repeat_interleave(group)
    return torch.cat([x, deviation.view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])], 1)


def networks_of(experiment: GrowingExperiment, shape: Shape) -> tuple[Generator, Discriminator]:
    """The counterparts of the networks of a size."""
    generator = Generator(experiment.generator.latent_size, experiment.generator.width, shape)
    return generator, Discriminator(experiment.discriminator.width, shape)
