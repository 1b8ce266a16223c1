"""A DCGAN that grows from 8 to 16 pixels: two phases, and optimisers that restart between them."""

from dataclasses import dataclass, replace
from typing import Annotated

from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions, Phase
from jaxgan.options import AtLeast


@dataclass(frozen=True)
class GrowingExperiment(Experiment):
    grow_after: Annotated[int, AtLeast(1)] = 4

    def phases(self) -> tuple[Phase, ...]:
        small = replace(self, image_size=8, batch_size=2 * self.batch_size)
        large = replace(self, image_size=16)
        return (
            Phase(self.grow_after, small),
            Phase(self.steps - self.grow_after, large, restart=True),
        )


experiment = GrowingExperiment(
    name="growing",
    batch_size=8,
    generator=GeneratorOptions(width=4, latent_size=4),
    discriminator=DiscriminatorOptions(width=4, normalization="none"),
)
