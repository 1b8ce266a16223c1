"""The typed description of a run, and how it turns itself into data, a game and optimisers.

An experiment is plain data: every field is an option of the command line and a line of
`experiment.json`. A new kind of experiment is a subclass, in a file of the user's like in ours,
that overrides `open_source`, `make_game` or `make_optimizers`. As a frozen dataclass it may have
fields of its own: bool, int, float, str, None, Literal, tuple[..., ...] and dataclasses of these.
`Experiment` makes images from latents; `jaxgan.experiment.unpaired` has what
makes images from images.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import losses, penalties
from jaxgan.augment import annealed, instance_noise, pack
from jaxgan.data import Source, Spec, batch_indices, open_source
from jaxgan.data.minibatch import prepare
from jaxgan.games import Game, Turn, adversarial
from jaxgan.games.adversarial import DiscriminatorFn, Penalty, View
from jaxgan.games.regularized import Regularizer, regularized
from jaxgan.games.unrolled import unrolled
from jaxgan.keys import derive
from jaxgan.layers.spectral_norm import spectrally_normalized
from jaxgan.networks import Network, from_linen
from jaxgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgan.networks.mlp import MLPDiscriminator, MLPGenerator
from jaxgan.networks.resnet import ResNetDiscriminator, ResNetGenerator
from jaxgan.options import check_types, flat, to_dict
from jaxgan.training.state import Optimizers
from jaxgan.types import Array, Batch, Key, PyTree

Family = Literal["dcgan", "resnet", "mlp"]
Normalization = Literal["batch", "group", "none"]


@dataclass(frozen=True)
class GeneratorOptions:
    """The generator and its latents."""

    family: Family = "dcgan"
    """Kind of network: dcgan or resnet (images), or mlp (images and points)."""
    width: int = 64
    """Channels next to the image (dcgan) or of every layer (resnet), units of a layer (mlp)."""
    depth: int = 2
    """Hidden layers; mlp only, the others' depth follows from the image's size."""
    normalization: Normalization = "batch"
    """Normalisation before each activation."""
    latent_size: int = 100
    """Numbers in a latent."""
    latent_distribution: Literal["normal", "uniform"] = "normal"
    """Standard normal, or uniform in [-1, 1]."""
    orthogonal_weight: float = 0.0
    """Of the penalty on kernels whose outputs are not orthogonal (BigGAN: 1e-4)."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the layers' computation; weights, statistics, losses and penalties are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


@dataclass(frozen=True)
class DiscriminatorOptions:
    """The discriminator."""

    family: Family = "dcgan"
    """Kind of network: dcgan or resnet (images), or mlp (images and points)."""
    width: int = 64
    """Channels next to the image (dcgan) or of every layer (resnet), units of a layer (mlp)."""
    depth: int = 2
    """Hidden layers; mlp only."""
    normalization: Normalization = "batch"
    """Normalisation before each activation but the first."""
    dropout: float = 0.0
    """Share of activations dropped in training, in [0, 1)."""
    spectral_norm: bool = False
    """Divide every weight matrix by its largest singular value."""
    clip: float = 0.0
    """Clip every weight to [-clip, clip] after each update (WGAN: 0.01); 0: do not."""
    orthogonal_weight: float = 0.0
    """Of the penalty on kernels whose outputs are not orthogonal."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the layers' computation; weights, statistics, losses and penalties are float32."""
    remat: bool = False
    """Recompute activations in the backward pass: less memory, more time (a CPU ignores it)."""


@dataclass(frozen=True)
class OptimizerOptions:
    """One side's optimiser."""

    name: Literal["adam", "rmsprop", "sgd"] = "adam"
    """Update rule, from optax."""
    learning_rate: float = 2e-4
    """Step size."""
    beta1: float = 0.5
    """Adam's decay of the mean of gradients."""
    beta2: float = 0.999
    """Adam's and RMSProp's decay of the mean of squared gradients."""
    decay_start: int = 0
    """Update from which the learning rate falls linearly."""
    decay_end: int = 0
    """Update at which it reaches 0; 0: it never falls."""

    def build(self, lazy_every: int = 1) -> optax.GradientTransformation:
        """The optax transformation; Adam corrected for a penalty every `lazy_every` updates."""
        rate, beta1, beta2 = self.learning_rate, self.beta1, self.beta2
        if self.name == "adam" and lazy_every > 1:
            corrected = penalties.lazy_adam(rate, beta1, beta2, lazy_every)
            rate, beta1, beta2 = (corrected[name] for name in ("learning_rate", "b1", "b2"))
        schedule: optax.ScalarOrSchedule = rate
        if self.decay_end:
            length = self.decay_end - self.decay_start
            schedule = optax.linear_schedule(rate, 0.0, length, self.decay_start)
        if self.name == "adam":
            return optax.adam(schedule, b1=beta1, b2=beta2)
        if self.name == "rmsprop":
            return optax.rmsprop(schedule, decay=beta2)
        return optax.sgd(schedule)


@dataclass(frozen=True)
class BaseExperiment:
    """What every kind of experiment has: a key, a length, two optimisers and what it writes."""

    name: str = "experiment"
    """Names the run's folder: runs/<name>/..."""
    seed: int = 0
    """Of the run's key; every draw derives from it."""
    steps: int = 3000
    """Train steps: one generator update and the discriminator updates before it."""
    batch_size: int = 64
    """Samples in a minibatch."""
    data_dir: str | None = None
    """Where prepared TFDS data lie; by default $TFDS_DATA_DIR or ~/tensorflow_datasets."""
    image_size: int | None = None
    """Resize and crop images to this many pixels a side."""
    flip: bool = False
    """Mirror every real image left to right with probability one half."""

    generator_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator_optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    discriminator_steps: int = 1
    """Discriminator updates a step, each on a minibatch of its own."""
    simultaneous: bool = False
    """Update the generator against the discriminator from before the step."""
    ema_decay: float = 0.999
    """Decay of the generator's average, which is what gets sampled."""

    steps_per_call: int = 0
    """At most so many steps in one call of the device; 0: chosen. Changes the speed, no bit."""
    shard_parameters: bool = False
    """Split parameters and optimiser states over the devices instead of giving each all of them."""
    log_every: int = 50
    """Steps between two lines of metrics.jsonl."""
    sample_every: int = 500
    """Steps between two sample grids, whose diversity is logged."""
    checkpoint_every: int = 500
    """Steps between two checkpoints."""
    best_metric: str | None = None
    """Logged or evaluated scalar whose smallest value marks the best checkpoint."""

    @property
    def evaluation_interval(self) -> int:
        """Steps between two evaluations; 0: none, as of experiments without a measure."""
        return 0

    def open_source(self, split: str = "train") -> Any:
        """The data."""
        raise NotImplementedError

    def check_source(self, source: Any) -> None:
        """Raises a ValueError for options that do not fit the data."""

    def indices(self, source: Any, number: int) -> np.ndarray:
        """Which samples minibatch `number` of the run uses, a row a sample."""
        return batch_indices(self.seed, number, self.batch_size, len(source))

    def prepare(self, batch: Batch, key: Key) -> Batch:
        """A raw minibatch as the game takes it; runs inside the jitted step. Consumes the key."""
        return prepare(batch, key, flip=self.flip)

    def make_game(self, spec: Any) -> Game:
        """The game over data of this spec."""
        raise NotImplementedError

    def make_optimizers(self) -> Optimizers:
        """One optimiser a side."""
        return Optimizers(self.generator_optimizer.build(), self.discriminator_optimizer.build())

    def make_constraint(self) -> Callable[[PyTree], PyTree] | None:
        """What is done to the discriminator's params after each of its updates."""
        return None

    def resolved(self) -> Self:
        """The experiment with everything that depends on its data turned into plain numbers."""
        return self


@dataclass(frozen=True)
class Experiment(BaseExperiment):
    """A run, described completely: the same experiment and seed give the same bits."""

    name: str = "digits"
    """Names the run's folder: runs/<name>/..."""

    data: str = "digits"
    """digits, ring, grid, stacked_mnist, a TFDS name, an .npz file or a folder (`jaxgan data`)."""
    channels: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images."""
    conditional: bool = False
    """Give both networks the labels."""

    generator: GeneratorOptions = field(default_factory=GeneratorOptions)
    discriminator: DiscriminatorOptions = field(default_factory=DiscriminatorOptions)
    loss: Literal[
        "minimax",
        "non_saturating",
        "least_squares",
        "wasserstein",
        "hinge",
        "relativistic_pairing",
        "relativistic_average",
    ] = "non_saturating"
    """Adversarial loss, from jaxgan.losses."""
    penalty: Literal["none", "r1", "r2", "r1_r2", "gradient_penalty", "dragan"] = "none"
    """Gradient penalty on the discriminator, from jaxgan.penalties."""
    penalty_weight: float = 10.0
    """Multiplies the penalty: the paper's lambda, or gamma/2 for r1, r2 and r1_r2."""
    penalty_every: int = 1
    """Apply the penalty at every k-th step, times k, Adam corrected (lazy, as in StyleGAN2)."""
    drift_weight: float = 0.0
    """Of E D(x)^2, which keeps logits from drifting off (progressive growing: 1e-3)."""
    lecam_weight: float = 0.0
    """Of LeCam regularisation, for small data sets (the paper: 0.3)."""
    lecam_start: int = 1000
    """Step from which that acts, when its averages of the logits have settled."""
    label_smoothing: float = 0.0
    """Real targets fall short of 1 by this (minimax and non_saturating)."""
    label_noise: float = 0.0
    """Width of the random part of every target (minimax and non_saturating)."""
    label_flip: float = 0.0
    """Share of images whose target is the wrong one (minimax and non_saturating)."""
    instance_noise: float = 0.0
    """Standard deviation of the noise on real and fake images at step 0."""
    instance_noise_steps: int = 1000
    """Steps in which that falls linearly to 0."""
    packing: int = 1
    """Samples that the discriminator sees at once (PacGAN)."""
    unrolled_steps: int = 0
    """Discriminator updates that the generator foresees (unrolled GAN)."""
    evaluate_every: int = 0
    """Steps between two evaluations of the samples; 0: none, not even at the end."""
    stacked_protocol: Literal["pacgan", "unrolled"] = "pacgan"
    """Of evaluations of stacked_mnist: 26,000 samples (VEEGAN, PacGAN) or 25,600 (unrolled GAN)."""

    @property
    def evaluation_interval(self) -> int:
        return self.evaluate_every

    def check_source(self, source: Source) -> None:
        if self.batch_size > len(source):
            raise ValueError(
                f"batch_size {self.batch_size} is larger than the data set {self.data!r} "
                f"with its {len(source)} samples"
            )
        if self.flip and not source.spec.is_image:
            raise ValueError(f"flip needs images, and {self.data!r} holds points")

    def open_source(self, split: str = "train") -> Source:
        """The data."""
        return open_source(
            self.data,
            data_dir=self.data_dir,
            split=split,
            image_size=self.image_size,
            channels=self.channels,
        )

    def make_game(self, spec: Spec) -> Game:
        """The game over data of this spec.

        Raises:
          ValueError: when the data and the networks do not fit.
        """
        if self.conditional and not spec.num_classes:
            raise ValueError(f"conditional needs labelled data, and {self.data!r} has no labels")
        if self.conditional and self.packing > 1:
            raise ValueError(f"packing {self.packing} takes no labels: set conditional to False")
        num_classes = spec.num_classes if self.conditional else 0
        discriminator = _discriminator(self.discriminator, spec, num_classes)
        if self.discriminator.spectral_norm:
            discriminator = spectrally_normalized(discriminator)
        game = adversarial(
            _generator(self.generator, spec, num_classes),
            discriminator,
            self._loss(),
            latent_size=self.generator.latent_size,
            latent_distribution=self.generator.latent_distribution,
            conditional=self.conditional,
            penalty=self._penalty(),
            view=self._view(),
            average_logits=0.99 if self.lecam_weight else None,  # The paper's decay.
        )
        game = regularized(
            game,
            generator=_orthogonal(self.generator.orthogonal_weight),
            discriminator=_orthogonal(self.discriminator.orthogonal_weight),
        )
        return unrolled(game, self.make_optimizers().discriminator, self.unrolled_steps)

    def make_optimizers(self) -> Optimizers:
        """One optimiser a side."""
        every = self.penalty_every if self.penalty != "none" else 1
        return Optimizers(
            self.generator_optimizer.build(), self.discriminator_optimizer.build(every)
        )

    def make_constraint(self) -> Callable[[PyTree], PyTree] | None:
        """What is done to the discriminator's params after each of its updates."""
        limit = self.discriminator.clip
        return partial(penalties.clip_weights, limit=limit) if limit else None

    def _loss(self) -> losses.AdversarialLoss | Callable[[Turn], losses.AdversarialLoss]:
        pair = losses.ADVERSARIAL[self.loss]
        numbers = {
            "smoothing": self.label_smoothing,
            "noise": self.label_noise,
            "flip": self.label_flip,
        }
        targets = any(numbers.values())
        if targets:
            losses.with_targets(pair, **numbers, key=jax.random.key(0))  # Refuses what cannot be.
        if not (targets or self.drift_weight or self.lecam_weight):
            return pair

        def of_turn(turn: Turn) -> losses.AdversarialLoss:
            key = derive(turn.key, "targets")
            chosen = losses.with_targets(pair, **numbers, key=key) if targets else pair

            def discriminator(real_logits: Array, fake_logits: Array) -> Array:
                value = chosen.discriminator(real_logits, fake_logits)
                if self.drift_weight:
                    value += self.drift_weight * penalties.drift_penalty(real_logits)
                if self.lecam_weight:
                    averages = turn.carry["real"], turn.carry["fake"]
                    lecam = penalties.lecam_penalty(real_logits, fake_logits, *averages)
                    value += jnp.where(turn.step < self.lecam_start, 0, self.lecam_weight * lecam)
                return value

            return losses.AdversarialLoss(discriminator, chosen.generator)

        return of_turn

    def _penalty(self) -> Penalty | None:
        # An unrolled game differentiates the penalty twice.
        plain = self.unrolled_steps > 0

        def unweighted(
            discriminator_fn: DiscriminatorFn, real: Array, fake: Array, turn: Turn
        ) -> Array:
            key = derive(turn.key, "penalty")
            match self.penalty:
                case "r1":
                    return penalties.r1_penalty(discriminator_fn, real, plain=plain)
                case "r2":
                    return penalties.r2_penalty(discriminator_fn, fake, plain=plain)
                case "r1_r2":
                    on_real = penalties.r1_penalty(discriminator_fn, real, plain=plain)
                    return on_real + penalties.r2_penalty(discriminator_fn, fake, plain=plain)
                case "gradient_penalty":
                    return penalties.gradient_penalty(
                        discriminator_fn, real, fake, key, plain=plain
                    )
                case "dragan":
                    return penalties.dragan_penalty(discriminator_fn, real, key, plain=plain)
            raise ValueError(f"unknown penalty {self.penalty!r}")

        def weighted(
            discriminator_fn: DiscriminatorFn, real: Array, fake: Array, turn: Turn
        ) -> Array:
            penalty = partial(unweighted, discriminator_fn, real, fake, turn)
            return self.penalty_weight * penalties.lazy(penalty, turn.step, self.penalty_every)

        return None if self.penalty == "none" else weighted

    def _view(self) -> View | None:
        if not self.instance_noise and self.packing == 1:
            return None

        def view(images: Array, key: Key, turn: Turn) -> Array:
            if self.instance_noise:
                sigma = annealed(self.instance_noise, turn.step, self.instance_noise_steps)
                images = instance_noise(images, key, sigma)
            return pack(images, self.packing)

        return view


def _orthogonal(weight: float) -> Regularizer | None:
    return (lambda params: weight * penalties.orthogonal_penalty(params)) if weight else None


def _generator(options: GeneratorOptions, spec: Spec, num_classes: int) -> Network:
    shape, width, normalization = spec.shape, options.width, options.normalization
    dtype = jnp.dtype(options.dtype)
    if options.family == "mlp":
        mlp = MLPGenerator(shape, width, options.depth, normalization, num_classes, dtype=dtype)
        return from_linen(mlp, remat=options.remat)
    _refuse_points("generator", options.family, spec)
    if options.family == "resnet":  # which recomputes block by block
        return from_linen(
            ResNetGenerator(
                shape, width, normalization, num_classes, dtype=dtype, remat=options.remat
            )
        )
    dcgan = DCGANGenerator(shape, width, normalization, num_classes, dtype=dtype)
    return from_linen(dcgan, remat=options.remat)


def _discriminator(options: DiscriminatorOptions, spec: Spec, num_classes: int) -> Network:
    width, normalization, dropout = options.width, options.normalization, options.dropout
    dtype = jnp.dtype(options.dtype)
    if options.family == "mlp":
        mlp = MLPDiscriminator(
            width, options.depth, normalization, dropout, num_classes, dtype=dtype
        )
        return from_linen(mlp, remat=options.remat)
    _refuse_points("discriminator", options.family, spec)
    if options.family == "resnet":
        return from_linen(
            ResNetDiscriminator(
                width, normalization, dropout, num_classes, dtype=dtype, remat=options.remat
            )
        )
    dcgan = DCGANDiscriminator(width, normalization, dropout, num_classes, dtype=dtype)
    return from_linen(dcgan, remat=options.remat)


def _refuse_points(side: str, family: str, spec: Spec) -> None:
    if not spec.is_image:
        raise ValueError(
            f"{side}.family={family} is for images, and the data are points of shape "
            f"{spec.shape}: take {side}.family=mlp"
        )


_AT_LEAST = {
    "steps": 1,
    "batch_size": 1,
    "generator.width": 1,
    "generator.depth": 1,
    "generator.latent_size": 1,
    "discriminator.width": 1,
    "discriminator.depth": 1,
    "cycle_weight": 0,
    "identity_weight": 0,
    "pool_size": 0,
    "epochs": 0,
    "decay_epochs": 0,
    "penalty_weight": 0,
    "penalty_every": 1,
    "drift_weight": 0,
    "lecam_weight": 0,
    "lecam_start": 0,
    "label_smoothing": 0,
    "label_noise": 0,
    "label_flip": 0,
    "generator.orthogonal_weight": 0,
    "discriminator.orthogonal_weight": 0,
    "instance_noise": 0,
    "instance_noise_steps": 1,
    "packing": 1,
    "unrolled_steps": 0,
    "discriminator.clip": 0,
    "discriminator_steps": 1,
    "steps_per_call": 0,
    "log_every": 1,
    "sample_every": 1,
    "checkpoint_every": 1,
    "evaluate_every": 0,
}
_AT_MOST = {
    "generator.depth": 100,
    "generator.blocks": 100,
    "discriminator.depth": 100,
    "discriminator.layers": 100,
    "unrolled_steps": 100,
    "discriminator_steps": 1000,
}
"""Each is traced and compiled by itself: more would not end."""
_LARGEST = {int: 2**31 - 1, float: 3.4e38}
"""That JAX's 32 bits hold."""


def check(experiment: BaseExperiment) -> None:
    """Refuses values that no run can use. Options of networks and data are checked where used.

    Raises:
      ValueError: naming the option, its value and what is allowed.
    """
    check_types(experiment)
    name = experiment.name
    if name in ("", "..") or PurePath(name).name != name:
        raise ValueError(f"name must be that of one folder, without slashes, not {name!r}")
    if "\0" in name or len(os.fsencode(name)) > 255:
        raise ValueError(f"name must be that of a folder, of at most 255 bytes, not {name!r}")
    check_seed("seed", experiment.seed)
    values = flat(to_dict(experiment))
    for name, least in _AT_LEAST.items():
        if name in values and values[name] < least:
            raise ValueError(f"{name} must be {least} or more, not {values[name]}")
    for name, most in _AT_MOST.items():
        if name in values and values[name] > most:
            raise ValueError(f"{name} must be {most} or less, not {values[name]}")
    batch_size, packing = values["batch_size"], values.get("packing", 1)
    if batch_size % packing:
        raise ValueError(f"packing must divide batch_size {batch_size}, and {packing} does not")
    for name, value in values.items():
        largest = _LARGEST.get(type(value), math.inf)
        if name != "seed" and largest != math.inf and abs(value) > largest:
            allowed = f"at most {largest}" if value > 0 else f"at least -{largest}"
            raise ValueError(f"{name} must be {allowed}, not {value}")
        if name.endswith(".learning_rate") and not value > 0:
            raise ValueError(f"{name} must be above 0, not {value}")
        if name.endswith(".decay_end") and value:
            first = values[name.replace("_end", "_start")]
            if not 0 <= first < value:
                raise ValueError(f"{name} must be 0 or lie beyond decay_start {first}, not {value}")
        if name.endswith((".beta1", ".beta2")) and not 0 <= value < 1:
            raise ValueError(f"{name} must be in [0, 1), not {value}")


def check_seed(name: str, seed: int) -> None:
    """Raises a ValueError for a seed beyond 32 bits, of which JAX would drop bits."""
    if not 0 <= seed < 1 << 32:
        raise ValueError(f"{name} must be from 0 to 2**32 - 1, not {seed}")


DIGITS = Experiment(
    name="digits",
    data="digits",
    steps=4000,
    generator=GeneratorOptions(width=48),
    discriminator=DiscriminatorOptions(width=32, normalization="none"),
    loss="hinge",
    penalty="r1",
    penalty_weight=0.1,
    generator_optimizer=OptimizerOptions(learning_rate=1e-3, beta1=0.0, beta2=0.99),
    discriminator_optimizer=OptimizerOptions(learning_rate=1e-3, beta1=0.0, beta2=0.99),
    sample_every=500,
    checkpoint_every=500,
    evaluate_every=2000,
    best_metric="frechet",
)
"""What `jaxgan train` does with no file: scikit-learn's 8x8 digits in about a minute on a CPU."""
