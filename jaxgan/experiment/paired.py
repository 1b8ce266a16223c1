"""The description of a run that translates images and is shown the right answers (pix2pix)."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import jax.numpy as jnp

from jaxgan import degrade
from jaxgan.augment import instance_noise
from jaxgan.data import Spec
from jaxgan.data.paired import Direction, PairedSource, PairedSpec, open_paired
from jaxgan.experiment.conditioned import ConditionedExperiment
from jaxgan.experiment.inputs import Reading
from jaxgan.experiment.sampling import open_data
from jaxgan.networks.cyclegan import PatchOptions, make_patch_discriminator
from jaxgan.networks.network import Network
from jaxgan.networks.unet import UNetOptions, depth_of, make_unet
from jaxgan.options import Above
from jaxgan.types import Batch, Key


@dataclass(frozen=True)
class PairedExperiment(ConditionedExperiment):
    """A translation of images that is learnt from pairs, described completely."""

    places: ClassVar[tuple[str, ...]] = ("data", "data_b", "data_dir")

    data: str = "pairs"
    """A folder of images A|B side by side, an .npz of the arrays a and b, or with data_b a folder
    of A; with degrade whatever images lie in (`jaxgan data`)."""
    data_b: str | None = None
    """Folder of B, files named as those of A."""
    direction: Direction = "a-to-b"
    """Which half of a pair is given and which is made."""
    channels_b: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images of B; channels is of A."""
    degrade: Literal["none", "grey", "edges", "noise"] = "none"
    """Make the conditions of the images themselves: the grey image (colourisation), its edges as a
    drawing, or the image with noise."""
    sigma: Annotated[float, Above(0)] = 0.2
    """Standard deviation of that noise, of images in [-1, 1]."""

    generator: UNetOptions = field(default_factory=UNetOptions)
    discriminator: PatchOptions = field(
        default_factory=lambda: PatchOptions(normalization="batch", inner_bias=False)
    )
    conditional: bool = True
    """Show the discriminator the condition beside the image."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for options of pairs where there are none."""
        super().check(prefix)
        for name, plain in (("data_b", None), ("direction", "a-to-b"), ("channels_b", None)):
            value = getattr(self, name)
            if self.degrade != "none" and value != plain:
                raise ValueError(
                    f"{name} {value} is of pairs, and with degrade {self.degrade} conditions are "
                    f"made of the images: set degrade to none, or leave {name} out"
                )

    def open_source(self, split: str = "train") -> PairedSource:
        if self.degrade == "none":
            return open_paired(
                self.data,
                self.data_b,
                direction=self.direction,
                split=split,
                image_size=self.image_size,
                channels={"a": self.channels, "b": self.channels_b},
                transparency=self.transparency,
            )
        return PairedSource(open_data(self, split))

    def check_source(self, source: PairedSource) -> None:
        super().check_source(source)
        if self.degrade == "grey" and source.spec.real.shape[-1] == 1:
            raise ValueError(
                f"degrade grey takes the colour away, and {source.name!r} are grey images"
            )

    def conditioned(self, batch: Batch, key: Key) -> Batch:
        real = batch["real"]
        match self.degrade:
            case "grey":
                return {"real": real, "condition": degrade.grey(real)}
            case "edges":
                return {"real": real, "condition": degrade.edges(real)}
            case "noise":
                noisy = jnp.clip(instance_noise(real, key, self.sigma), -1, 1)
                return {"real": real, "condition": noisy}
        return batch

    def make_generator(self, spec: PairedSpec) -> Network:
        return make_unet(self.generator, spec.real.shape)

    def make_discriminator(self, spec: PairedSpec) -> Network:
        return make_patch_discriminator(self.discriminator, self.feature_matching_weight > 0)

    def game_options(self, spec: PairedSpec) -> dict[str, bool]:
        return {"conditional": self.conditional}

    def read(self, spec: PairedSpec) -> Reading:
        grey = self.degrade in ("grey", "edges")
        made = spec.real._replace(shape=(*spec.real.shape[:2], 1)) if grey else spec.real
        given: Spec = spec.condition or made
        return Reading(given, unit=1 << depth_of(spec.real.shape, self.generator.depth))
