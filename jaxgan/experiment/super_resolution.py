"""The description of a run that enlarges images (SRResNet, SRGAN)."""

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from jaxgan import degrade
from jaxgan.data.paired import PairedSource, PairedSpec
from jaxgan.data.patches import open_patches
from jaxgan.experiment.conditioned import ConditionedExperiment
from jaxgan.experiment.inputs import Reading
from jaxgan.experiment.sampling import open_data
from jaxgan.metrics.similarity import luminance
from jaxgan.networks.network import Network
from jaxgan.networks.super_resolution import (
    SRGANDiscriminatorOptions,
    SuperResolutionOptions,
    make_sr_resnet,
    make_srgan_discriminator,
)
from jaxgan.options import AtLeast
from jaxgan.types import Array, Batch, Key

TILE = 192
"""Pixels along a side of a small image that are enlarged at a time, without their overlap."""


@dataclass(frozen=True)
class SuperResolutionExperiment(ConditionedExperiment):
    """A generator of large images from small ones, described completely.

    Conditions are made inside the step: smaller by the generator's factor, bicubic without
    aliasing, rounded to bytes.
    """

    patch_size: Annotated[int, AtLeast(0)] = 96
    """Side in pixels of the squares that are learnt from, cut out of images of any size; 0: whole
    images, all of one size or of image_size."""
    patch_stride: Annotated[int, AtLeast(0)] = 0
    """Pixels from one square to the next; 0: half a square."""
    reconstruction_weight: Annotated[float, AtLeast(0)] = 1.0
    """What the distance to the truth weighs."""

    generator: SuperResolutionOptions = field(default_factory=SuperResolutionOptions)
    discriminator: SRGANDiscriminatorOptions = field(default_factory=SRGANDiscriminatorOptions)

    def check(self, prefix: str) -> None:
        """Raises a ValueError for two sizes of what is learnt from."""
        super().check(prefix)
        if self.patch_size and self.image_size:
            raise ValueError(
                f"patch_size {self.patch_size} cuts images as they are, and image_size "
                f"{self.image_size} resizes them: set one of them to 0 or none"
            )

    def open_source(self, split: str = "train") -> PairedSource:
        if self.patch_size:
            return PairedSource(
                open_patches(
                    self.data,
                    self.patch_size,
                    stride=self.patch_stride or None,
                    split=split,
                    channels=self.channels,
                    transparency=self.transparency,
                )
            )
        return PairedSource(open_data(self, split))

    def check_source(self, source: PairedSource) -> None:
        super().check_source(source)
        height, width = source.spec.real.shape[:2]
        factor = self.generator.factor
        if height % factor or width % factor:
            raise ValueError(
                f"generator.factor {factor} must divide the sides of the images, {height}x{width}"
            )

    def conditioned(self, batch: Batch, key: Key) -> Batch:
        small = degrade.downscale(batch["real"], self.generator.factor)
        return {"real": batch["real"], "condition": small}

    def make_generator(self, spec: PairedSpec) -> Network:
        return make_sr_resnet(self.generator, spec.real.shape[-1])

    def make_discriminator(self, spec: PairedSpec) -> Network:
        return make_srgan_discriminator(self.discriminator, self.feature_matching_weight > 0)

    def game_options(self, spec: PairedSpec) -> dict[str, bool]:
        return {"conditional": False}

    def read(self, spec: PairedSpec) -> Reading:
        height, width, channels = spec.real.shape
        factor = self.generator.factor
        small = spec.real._replace(shape=(height // factor, width // factor, channels))
        # What an output depends on: 4 pixels of the first layer, 2 of a block, 4 of what follows.
        overlap = 2 * self.generator.blocks + 8
        return Reading(small, unit=1, own_size=True, tile=TILE + 2 * overlap, overlap=overlap)

    def shown(self, condition: np.ndarray) -> np.ndarray:
        return condition.repeat(self.generator.factor, 1).repeat(self.generator.factor, 2)

    def comparable(self, images: np.ndarray) -> Array:
        return luminance(images, self.generator.factor)

    def comparison(self) -> str:
        return f"the Y channel without {self.generator.factor} pixels of each border"
