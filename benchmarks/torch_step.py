"""Train steps in PyTorch, the peers of `jaxgan.training`, in the forms that everyone writes.

Fakes for the discriminator are made without a graph, or detached where the generator's turn reuses
them, its parameters ask for no gradient in the generator's turn, penalties are
`torch.autograd.grad(create_graph=True)`, and nothing waits for the device. A penalty at real or
fake images reads the logits that the loss needs anyway.
"""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, relu, softplus

from jaxgan.experiment import Experiment, OptimizerOptions
from jaxgan.penalties import EPSILON

LOSSES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "non_saturating": (
        lambda real, fake: softplus(-real).mean() + softplus(fake).mean(),
        lambda fake, real: softplus(-fake).mean(),
    ),
    "wasserstein": (
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake, real: -fake.mean(),
    ),
    "hinge": (
        lambda real, fake: relu(1 - real).mean() + relu(1 + fake).mean(),
        lambda fake, real: -fake.mean(),
    ),
    "relativistic_pairing": (
        lambda real, fake: softplus(fake - real).mean(),
        lambda fake, real: softplus(real - fake).mean(),
    ),
}


class Setting(NamedTuple):
    """What PyTorch lets one choose."""

    channels_last: bool = False
    fused: bool = False
    compiled: bool = False

    def __str__(self) -> str:
        chosen = [name.replace("_", " ") for name, on in self._asdict().items() if on]
        return ", ".join(chosen) or "plain"


def prepared(module: nn.Module, setting: Setting, device: str) -> nn.Module:
    """The module on the device, in the setting's memory format."""
    form = torch.channels_last if setting.channels_last else torch.contiguous_format
    return module.to(device).to(memory_format=form)


def adam(module: nn.Module, options: OptimizerOptions, setting: Setting) -> torch.optim.Adam:
    betas = options.beta1, options.beta2
    form = {"fused": True} if setting.fused else {"foreach": True}
    return torch.optim.Adam(module.parameters(), options.learning_rate, betas, **form)


def autocast(device: str, dtype: str) -> AbstractContextManager:
    """Runs layers in bfloat16 where `dtype` says so."""
    return torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16")


def make_gan_step(
    experiment: Experiment,
    generator: nn.Module,
    discriminator: nn.Module,
    images: Tensor,
    setting: Setting,
    dtype: str = "float32",
    draw_latents: Callable[[], Tensor] | None = None,
    draw_mix: Callable[[], Tensor] | None = None,
) -> Callable[[np.ndarray], tuple[Tensor, Tensor]]:
    """Builds `indices -> (discriminator's loss, generator's loss)`, a step of the experiment.

    Args:
      experiment: whose losses, penalty and optimisers are taken.
      generator: `prepared`, like the discriminator.
      discriminator: takes images to logits.
      images: uint8 `[N, C, H, W]` on the device.
      setting: of the networks.
      dtype: "float32" or "bfloat16".
      draw_latents: gives `[B, L]`; normal by default.
      draw_mix: gives WGAN-GP's α `[B]`; uniform by default.
    """
    device, count = images.device.type, experiment.batch_size
    if setting.channels_last:
        images = images.to(memory_format=torch.channels_last)
    discriminator_loss, generator_loss = LOSSES[experiment.loss]
    generator_adam = adam(generator, experiment.generator_optimizer, setting)
    discriminator_adam = adam(discriminator, experiment.discriminator_optimizer, setting)
    average = copy.deepcopy(generator)
    pairs = [
        (old, new)
        for old, new in zip(
            [*average.parameters(), *average.buffers()],
            [*generator.parameters(), *generator.buffers()],
            strict=True,
        )
        if new.is_floating_point()
    ]
    averaged, tensors = [old.detach() for old, _ in pairs], [new.detach() for _, new in pairs]
    if setting.compiled:
        generator = torch.compile(generator)
        if experiment.penalty == "none":  # It refuses second derivatives.
            discriminator = torch.compile(discriminator)
    size = experiment.generator.latent_size
    draw_latents = draw_latents or (lambda: torch.randn(count, size, device=device))
    draw_mix = draw_mix or (lambda: torch.rand(count, device=device))
    on_real = experiment.penalty in ("r1", "r1_r2")
    on_fake = experiment.penalty in ("r2", "r1_r2")
    between = experiment.penalty == "gradient_penalty"

    def minibatch(indices: Tensor) -> Tensor:
        return images[indices].float() / 127.5 - 1

    def penalized_loss(real: Tensor, fake: Tensor) -> Tensor:
        real.requires_grad_(on_real)
        fake.requires_grad_(on_fake)
        real_logits, fake_logits = discriminator(real).float(), discriminator(fake).float()
        penalties = []
        if on_real:
            penalties.append(squared_norms(real_logits, real).mean())
        if on_fake:
            penalties.append(squared_norms(fake_logits, fake).mean())
        if between:
            mixed = torch.lerp(real, fake, draw_mix().view(-1, 1, 1, 1)).requires_grad_()
            norms = (squared_norms(discriminator(mixed), mixed) + EPSILON).sqrt()
            penalties.append((norms - 1).square().mean())
        value = discriminator_loss(real_logits, fake_logits)
        if experiment.drift_weight:
            value = value + experiment.drift_weight * real_logits.square().mean()
        return value + experiment.penalty_weight * sum(penalties) if penalties else value

    def step(indices: np.ndarray) -> tuple[Tensor, Tensor]:
        parts = torch.from_numpy(indices).to(device).view(count, -1)
        discriminator.requires_grad_(True)
        for number, part in enumerate(parts.unbind(1), 1):
            reused = experiment.reuse_fakes and number == parts.shape[1]
            with autocast(device, dtype):
                with torch.set_grad_enabled(reused):
                    fake = generator(draw_latents()).float()
                value = penalized_loss(minibatch(part), fake.detach())
            update(discriminator_adam, value)
        discriminator.requires_grad_(False)
        with autocast(device, dtype):
            fake = fake if experiment.reuse_fakes else generator(draw_latents())
            fake_logits, real_logits = discriminator(fake).float(), None
            if experiment.loss == "relativistic_pairing":
                with torch.no_grad():
                    real_logits = discriminator(minibatch(parts[:, -1])).float()
            generator_value = generator_loss(fake_logits, real_logits)
        update(generator_adam, generator_value)
        torch._foreach_lerp_(averaged, tensors, 1 - experiment.ema_decay)
        return value.detach(), generator_value.detach()

    return step


def squared_norms(logits: Tensor, images: Tensor) -> Tensor:
    """‖∇D‖² of each image, `[B]`, to be differentiated again."""
    (gradients,) = torch.autograd.grad(logits.float().sum(), images, create_graph=True)
    return gradients.square().sum((1, 2, 3))


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def make_l1_step(
    generator: nn.Module,
    images: Tensor,
    targets: Tensor,
    options: OptimizerOptions,
    setting: Setting,
    dtype: str = "float32",
) -> Callable[[], Tensor]:
    """Builds a step of Adam on the mean absolute difference between outputs and targets."""
    optimizer, device = adam(generator, options, setting), images.device.type
    if setting.channels_last:
        images = images.to(memory_format=torch.channels_last)
    if setting.compiled:
        generator = torch.compile(generator)

    def step() -> Tensor:
        with autocast(device, dtype):
            value = l1_loss(generator(images).float(), targets)
        update(optimizer, value)
        return value.detach()

    return step
