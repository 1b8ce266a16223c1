"""The description of a run that fills holes in images (context encoder, inpainting)."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import degrade
from jaxgan.consistency import reconstruction_loss
from jaxgan.data.paired import PairedSource, PairedSpec
from jaxgan.experiment.conditioned import ConditionedExperiment
from jaxgan.experiment.inputs import Reading
from jaxgan.experiment.sampling import open_data
from jaxgan.networks.context_encoder import ContextEncoderOptions, make_context_encoder
from jaxgan.networks.cyclegan import PatchOptions, make_patch_discriminator
from jaxgan.networks.network import Network
from jaxgan.networks.unet import UNetOptions, depth_of, make_unet
from jaxgan.options import Above, AtLeast, AtMost
from jaxgan.types import Array, Batch, Key


@dataclass(frozen=True)
class InpaintingExperiment(ConditionedExperiment):
    """A generator that fills holes, described completely.

    A condition is the image with grey in its hole, and one channel more: 1 in the hole, -1 outside.
    Known pixels are kept as they are.
    """

    hole: Literal["centre", "box", "strokes"] = "centre"
    """What is missing: a rectangle in the middle, one anywhere, or brush strokes."""
    hole_share: Annotated[float, Above(0), AtMost(1)] = 0.5
    """The side of the rectangle in the middle, and of the largest one anywhere, as a share of the
    image's; those anywhere have half of it at least."""
    border_weight: Annotated[float, AtLeast(1)] = 1.0
    """What pixels of a hole weigh in the reconstruction at its border (context encoder: 10)."""
    border: Annotated[int, AtLeast(1)] = 4
    """How many pixels deep that border is."""
    judge_hole: bool = False
    """Show the discriminator the hole alone (context encoder); it must be in the middle."""
    conditional: bool = False
    """Show the discriminator the condition beside the image."""

    network: Literal["unet", "context_encoder"] = "unet"
    """Which of the two generators fills holes."""
    unet: UNetOptions = field(default_factory=UNetOptions)
    context_encoder: ContextEncoderOptions = field(default_factory=ContextEncoderOptions)
    discriminator: PatchOptions = field(
        default_factory=lambda: PatchOptions(normalization="batch", inner_bias=False)
    )

    def check(self, prefix: str) -> None:
        """Raises a ValueError for options that have no use."""
        super().check(prefix)
        other = "unet" if self.network == "context_encoder" else "context_encoder"
        options = getattr(self, other)
        for each in fields(options):
            value = getattr(options, each.name)
            if value != each.default:
                raise ValueError(
                    f"{other}.{each.name} {value} has no use, as network is {self.network}"
                )
        if self.judge_hole and self.hole != "centre":
            raise ValueError(
                f"judge_hole needs a hole in the middle, and hole is {self.hole}: set hole to "
                "centre or judge_hole to False"
            )

    def open_source(self, split: str = "train") -> PairedSource:
        return PairedSource(open_data(self, split))

    def conditioned(self, batch: Batch, key: Key) -> Batch:
        real = batch["real"]
        count, height, width = real.shape[:3]
        match self.hole:
            case "centre":
                masks = degrade.centre_hole(count, height, width, self.hole_share)
            case "box":
                shares = self.hole_share / 2, self.hole_share
                masks = degrade.random_boxes(key, count, height, width, *shares)
            case "strokes":
                masks = degrade.strokes(key, count, height, width)
        holed = degrade.paint_hole(real, masks)
        return {"real": real, "condition": jnp.concatenate([holed, 2 * masks - 1], axis=-1)}

    def make_generator(self, spec: PairedSpec) -> Network:
        if self.network == "unet":
            return make_unet(self.unet, spec.real.shape)
        return make_context_encoder(self.context_encoder, spec.real.shape)

    def make_discriminator(self, spec: PairedSpec) -> Network:
        return make_patch_discriminator(self.discriminator, self.feature_matching_weight > 0)

    def game_options(self, spec: PairedSpec) -> dict[str, Any]:
        window = self._window(spec) if self.judge_hole else None
        return {"conditional": self.conditional, "hole": True, "window": window}

    def reconstruct(self, images: Array, truth: Array, condition: Array) -> Array:
        """The mean over the pixels of holes, of which those at the border may weigh more."""
        masks = (condition[..., -1:] > 0).astype(jnp.float32)
        weights = masks
        if self.border_weight != 1:
            # A hole in the middle is a constant, and XLA would erode it for 20 s while compiling.
            inner = eroded(jax.lax.optimization_barrier(masks), self.border)
            weights = masks + (self.border_weight - 1) * (masks - inner)
        return reconstruction_loss(images, truth, self.reconstruction, weights=weights)

    def read(self, spec: PairedSpec) -> Reading:
        *size, channels = spec.real.shape
        holed = spec.real._replace(shape=(*size, channels + 1))
        if self.network == "context_encoder":  # It takes images of one size.
            return Reading(holed, holes=True)
        return Reading(holed, unit=1 << depth_of(spec.real.shape, self.unet.depth), holes=True)

    def shown(self, condition: np.ndarray) -> np.ndarray:
        return condition[..., :-1]

    def _window(self, spec: PairedSpec) -> Callable[[Array], Array]:
        height, width = spec.real.shape[:2]
        mask = np.asarray(degrade.centre_hole(1, height, width, self.hole_share))[0, ..., 0]
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        return lambda images: images[:, top:bottom, left:right]


def eroded(masks: Array, pixels: int) -> Array:
    """Masks `[B, H, W, 1]` without what lies within `pixels` of their border.

    The image's own border is none: what lies beyond it is not known either.
    """
    window = (1, 2 * pixels + 1, 2 * pixels + 1, 1)
    return jax.lax.reduce_window(masks, jnp.inf, jax.lax.min, window, (1, 1, 1, 1), "SAME")
