"""The description of a run that makes images, or points, from latents."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import latent, losses, penalties
from jaxgan.augment import annealed, instance_noise, pack
from jaxgan.codes import Codes, check_codes, outputs_for, sweep, take_apart
from jaxgan.codes import prior as coded_prior
from jaxgan.data import Source, Spec
from jaxgan.evaluation import Better, Evaluator, FeatureChoice, metric_names
from jaxgan.experiment.adversarial import (
    AdversarialExperiment,
    LossName,
    PenaltyName,
    make_penalty,
)
from jaxgan.experiment.base import Preview
from jaxgan.experiment.inputs import Inputs, latents_and_labels
from jaxgan.experiment.optimizers import OptimizerOptions
from jaxgan.experiment.sampling import (
    evaluate_samples,
    grid_preview,
    open_data,
    save_over_centers,
)
from jaxgan.games import Game, Turn, adversarial
from jaxgan.games.adversarial import Head, View, average_logits
from jaxgan.games.heads import auxiliary_classifier, recognised_codes
from jaxgan.games.regularized import Regularizer, regularized
from jaxgan.games.unrolled import unrolled
from jaxgan.keys import derive
from jaxgan.latent import Prior
from jaxgan.layers.spectral_norm import spectrally_normalized
from jaxgan.matrices import Axes, usual_axes
from jaxgan.networks import Network, families
from jaxgan.networks.families import DiscriminatorOptions, GeneratorOptions
from jaxgan.networks.heads import with_heads, with_label_channels, without_labels
from jaxgan.options import AtLeast, AtMost
from jaxgan.types import Array, Key, PyTree

FEW = 1_000
"""Images below which a discriminator soon knows all of them."""


@dataclass(frozen=True)
class CodeOptions:
    """Codes at the end of each latent, which the discriminator must recognise (InfoGAN)."""

    categorical: tuple[int, ...] = ()
    """Categories of each categorical code (the paper, MNIST: 10)."""
    continuous: Annotated[int, AtLeast(0)] = 0
    """Codes that are numbers, uniform in [-1, 1] (the paper, MNIST: 2)."""
    categorical_weight: Annotated[float, AtLeast(0)] = 1.0
    """What both players pay for categories that are not recognised."""
    continuous_weight: Annotated[float, AtLeast(0)] = 0.1
    """What both pay for numbers that are not."""
    learn_variance: bool = False
    """Let the discriminator say how sure it is of each number; by default variances are 1."""
    hidden: Annotated[int, AtLeast(0)] = 128
    """Units of the layer between the discriminator's features and its guess; 0: none."""

    def codes(self) -> Codes:
        """What a latent ends in."""
        return Codes(self.categorical, self.continuous)


def _all_but(part: str, kind: type, kept: set[str]) -> tuple[str, ...]:
    return tuple(f"{part}.{entry.name}" for entry in fields(kind) if entry.name not in kept)


OF_WEIGHTS = {"spectral_norm", "orthogonal_weight", "clip"}
OF_LATENTS = {"latent_size", "latent_distribution"}
SUPERFLUOUS = {
    "make_generator": _all_but("generator", GeneratorOptions, OF_WEIGHTS | OF_LATENTS),
    "make_discriminator": _all_but("discriminator", DiscriminatorOptions, OF_WEIGHTS),
    "make_loss": ("loss",),
    "make_prior": ("generator.latent_distribution",),
}
"""By the method that a subclass may override: options that then have no effect."""


@dataclass(frozen=True)
class Experiment(AdversarialExperiment):
    """A run, described completely: the same experiment and seed give the same bits.

    A subclass may make what it is made of: `make_generator`, `make_discriminator`, `make_loss` and
    `make_prior`. Its own fields are options too, of the command line and of the record.
    """

    places: ClassVar[tuple[str, ...]] = ("data", "data_dir")

    data: str = "digits"
    """digits, ring, grid, stacked_mnist, a TFDS name, an .npz file or a folder (`jaxgan data`)."""
    channels: Literal[1, 3] | None = None
    """Force grey (1) or colour (3) images."""
    conditional: bool = False
    """Give the generator the labels, and the discriminator as label_use has it."""
    label_use: Literal["projection", "channels", "classifier"] = "projection"
    """What a conditional discriminator does with labels: project them on its features, see them as
    channels beside the image, or name the class of what it sees (AC-GAN)."""
    classifier_weight: Annotated[float, AtLeast(0)] = 1.0
    """AC-GAN: what the discriminator pays for classes that it names wrongly (the paper: 1)."""
    classifier_generator_weight: Annotated[float, AtLeast(0)] = 0.1
    """AC-GAN: what the generator pays for them (the paper: 1; WGAN-GP's code: 0.1)."""
    classifier_fakes: bool = False
    """AC-GAN: teach the classifier by fakes too (the paper), and not by real images alone."""
    codes: CodeOptions = field(default_factory=CodeOptions)

    generator: GeneratorOptions = field(default_factory=GeneratorOptions)
    discriminator: DiscriminatorOptions = field(default_factory=DiscriminatorOptions)
    loss: LossName = "non_saturating"
    """Adversarial loss, from jaxgan.losses."""
    penalty: PenaltyName = "none"
    """Gradient penalty on the discriminator, from jaxgan.penalties."""
    penalty_weight: Annotated[float, AtLeast(0)] = 10.0
    """Multiplies the penalty: the paper's lambda, or gamma/2 for r1, r2 and r1_r2."""
    penalty_every: Annotated[int, AtLeast(1)] = 1
    """Apply the penalty at every k-th discriminator update, times k (lazy, as in StyleGAN2, in the
    same update as the loss)."""
    drift_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of E D(x)^2, which keeps logits from drifting off (progressive growing: 1e-3)."""
    lecam_weight: Annotated[float, AtLeast(0)] = 0.0
    """Weight of LeCam regularisation, for small data sets (the paper: 0.3)."""
    lecam_start: Annotated[int, AtLeast(0)] = 1000
    """Step from which that acts, when its averages of the logits have settled."""
    label_smoothing: Annotated[float, AtLeast(0)] = 0.0
    """Real targets fall short of 1 by this (minimax and non_saturating)."""
    label_noise: Annotated[float, AtLeast(0)] = 0.0
    """Width of the random part of every target (minimax and non_saturating)."""
    label_flip: Annotated[float, AtLeast(0)] = 0.0
    """Share of images whose target is the wrong one (minimax and non_saturating)."""
    instance_noise: Annotated[float, AtLeast(0)] = 0.0
    """Standard deviation of the noise on real and fake images at step 0."""
    instance_noise_steps: Annotated[int, AtLeast(1)] = 1000
    """Steps in which that falls linearly to 0."""
    packing: Annotated[int, AtLeast(1)] = 1
    """Samples that the discriminator sees at once (PacGAN)."""
    unrolled_steps: Annotated[int, AtLeast(0), AtMost(100)] = 0
    """Discriminator updates that the generator foresees (unrolled GAN)."""
    reuse_fakes: bool = False
    """Make fakes once a step: the generator's update takes those of the last discriminator update
    (PyTorch's DCGAN example)."""
    stacked_protocol: Literal["pacgan", "unrolled"] = "pacgan"
    """Samples in evaluations of stacked_mnist: 26,000 (VEEGAN, PacGAN) or 25,600 (unrolled GAN)."""

    def check(self, prefix: str) -> None:
        """Raises a ValueError for what cannot be played."""
        super().check(prefix)
        if self.batch_size % self.packing:
            raise ValueError(
                f"packing must divide batch_size {self.batch_size}, and {self.packing} does not"
            )
        if self.label_use != "projection" and not self.conditional:
            raise ValueError(
                f"label_use {self.label_use} needs labels: set conditional to True, or leave "
                "label_use out"
            )
        self._refuse_superfluous()
        check_codes(self.codes.codes())
        if self.codes.codes().size and self.packing > 1:
            raise ValueError(
                f"packing {self.packing} shows samples together, and codes are of each alone: set "
                "packing to 1 or leave codes out"
            )
        self._check_that_inputs_count()

    def _check_that_inputs_count(self) -> None:
        """Raises a ValueError for a perceptron that gives the same whatever it is given.

        A single number less its own mean is 0. Other families normalise over pixels as well.
        """
        networks: dict[str, GeneratorOptions | DiscriminatorOptions] = {}
        if self.generator.family == "mlp":
            networks["generator"] = self.generator
        if self.discriminator.family == "mlp" and self.discriminator.depth > 1:
            networks["discriminator"] = self.discriminator  # whose first layer has no normalisation
        for side, network in networks.items():
            packing = self.packing if side == "discriminator" else 1
            if network.normalization == "batch" and self.batch_size == packing:
                least = self.batch_size * 2
                raise ValueError(
                    f"{side}.normalization 'batch' of a single sample makes all outputs of an mlp "
                    f"the same: take batch_size {least} or more, or {side}.normalization 'group' "
                    "or 'none'"
                )
            if network.normalization == "group" and network.width == 1:
                raise ValueError(
                    f"{side}.normalization 'group' of a single unit makes all outputs of an mlp "
                    f"the same: take {side}.width 2 or more, or {side}.normalization 'none'"
                )

    def open_source(self, split: str = "train") -> Source:
        return open_data(self, split)

    def check_source(self, source: Source) -> None:
        super().check_source(source)
        if self.flip and not source.spec.is_image:
            raise ValueError(
                f"flip needs images, and {self.data!r} holds points: set flip to False"
            )

    def remarks(self, source: Source) -> list[str]:
        if not source.spec.is_image or len(source) >= FEW:
            return []
        helps = [*([] if self.flip else ["--flip"])]
        helps += [] if self.lecam_weight else ["--lecam-weight 0.3"]
        helps += ["the weights of a run on images like these (--from RUN)"]
        return [
            f"{len(source):,} images are few, and the discriminator may learn them by heart; what "
            f"helps: {', '.join(helps)}, and taking the best checkpoint instead of the last"
        ]

    def make_game(self, spec: Spec) -> Game:
        """The game over data of this spec.

        Raises:
          ValueError: when the data and the networks do not fit.
        """
        if self.conditional and not spec.num_classes:
            raise ValueError(
                f"conditional needs labelled data, and {self.data!r} has no labels: "
                "set conditional to False"
            )
        if self.conditional and self.packing > 1:
            raise ValueError(
                f"packing {self.packing} takes no labels: set conditional to False or packing to 1"
            )
        generator = self.make_generator(spec)
        discriminator = self._with_labels(self.make_discriminator(spec), self._classes(spec))
        if self.generator.spectral_norm:
            generator = spectrally_normalized(generator, generator_weights)
        if self.discriminator.spectral_norm:
            discriminator = spectrally_normalized(discriminator)
        game = adversarial(
            generator,
            discriminator,
            self._loss(),
            prior=self.make_prior(),
            conditional=self.conditional,
            discriminator_steps=self.discriminator_steps,
            reuse_fakes=self.reuse_fakes,
            penalty=make_penalty(
                self.penalty,
                self.penalty_weight,
                every=self.penalty_every,
                # An unrolled game differentiates the penalty twice.
                plain=self.unrolled_steps > 0,
            ),
            view=self._view(),
            memories={"lecam": average_logits(0.99)} if self.lecam_weight else {},
            heads=self._heads(),
        )
        game = regularized(game, self._regularizers())
        foreseen = self.discriminator_optimizer.build(differentiable=True)
        return unrolled(game, foreseen, self.unrolled_steps)

    def make_constraints(self) -> Mapping[str, Callable[[PyTree], PyTree]]:
        limit = self.discriminator.clip
        return {"discriminator": partial(penalties.clip_weights, limit=limit)} if limit else {}

    def make_generator(self, spec: Spec) -> Network:
        """Latents `[B, L]` and labels `[B]` or None to samples of the spec.

        A subclass overrides this with a network of its own, made by `networks.from_linen`,
        `from_nnx` or `from_equinox`. `generator` then says only how latents are drawn, and what is
        done to weights (`spectral_norm`, `orthogonal_weight`).
        """
        whole = self.generator.latent_size + self.codes.codes().size
        options = replace(self.generator, latent_size=whole)
        return families.make_generator(options, spec.shape, self._classes(spec))

    def make_discriminator(self, spec: Spec) -> Network:
        """Samples of the spec, and labels `[B]` or None, to logits `[B]` (of patches, of scales).

        A subclass overrides this as `make_generator`. Where `label_use` is `classifier`, or there
        are codes, the network gives a dict of `logits` and `features` `[B, F]`.
        """
        return families.make_discriminator(
            *(self.discriminator, spec.shape, self._projected(spec)),
            with_features=bool(self._head_sizes(self._classes(spec))),
        )

    def make_loss(self) -> losses.AdversarialLoss:
        """The adversarial loss; a subclass overrides this with its own pair of functions."""
        return losses.ADVERSARIAL[self.loss]

    def make_prior(self) -> Prior:
        """How latents are drawn: `(key, count) -> [count, L]`; a subclass may override this."""
        size, distribution = self.generator.latent_size, self.generator.latent_distribution
        codes = self.codes.codes()
        return (
            coded_prior(size, codes, distribution)
            if codes.size
            else latent.prior(size, distribution)
        )

    def inputs(self, spec: Spec) -> Inputs:
        normal, size = self.generator.latent_distribution == "normal", self.generator.latent_size
        normal = normal and not self._overrides("make_prior")
        codes = self.codes.codes()
        over_noise = latent.spherical if normal else latent.linear

        def beside_codes(a: Array, b: Array, steps: int) -> Array:
            noise = over_noise(a[..., :size], b[..., :size], steps)
            return jnp.concatenate([noise, latent.linear(a[..., size:], b[..., size:], steps)], -1)

        def truncate(latents: Array, limit: float) -> Array:
            noise = latent.truncated(latents[..., :size], limit)
            return jnp.concatenate([noise, latents[..., size:]], -1)

        inputs = latents_and_labels(
            self.make_prior(),
            self._classes(spec),
            beside_codes if codes.size else over_noise,
            spec.class_names,
            truncate if normal else None,
        )
        inputs = inputs._replace(sweeps=sweeps(codes))
        if self._overrides("make_generator"):
            return inputs
        whole = size + codes.size
        return inputs._replace(
            kernel=lambda variables: families.first_kernel(variables.params, whole)
        )

    def save_samples(
        self, path: Path, samples: np.ndarray, row_labels: list[str] | None = None
    ) -> None:
        save_over_centers(self.data, path, samples, row_labels)

    def preview(self, source: Source, game: Game, root_key: Key) -> Preview:
        return grid_preview(self, source, game, root_key, self._classes(source.spec))

    def evaluator(
        self,
        source: Source,
        game: Game,
        root_key: Key,
        *,
        thorough: bool = False,
        features: FeatureChoice | None = None,
    ) -> Evaluator | None:
        return evaluate_samples(
            self,
            source,
            game,
            root_key,
            thorough=thorough,
            features=features,
            stacked_protocol=self.stacked_protocol,
        )

    def metric_names(self, spec: Spec) -> Mapping[str, Better]:
        return metric_names(spec, conditional=self.conditional)

    def _head_sizes(self, classes: int) -> dict[str, int]:
        """Outputs of the heads that the discriminator needs, by name."""
        codes, outputs = self.codes.codes(), {}
        if self.label_use == "classifier":
            outputs["classes"] = classes
        if codes.size:
            outputs["codes"] = outputs_for(codes, self.codes.learn_variance)
        return outputs

    def _with_labels(self, discriminator: Network, classes: int) -> Network:
        """The discriminator with its heads, and with what it does with labels."""
        if outputs := self._head_sizes(classes):
            discriminator = with_heads(discriminator, outputs, {"codes": self.codes.hidden})
        if self.label_use == "channels":
            return with_label_channels(discriminator, classes)
        return without_labels(discriminator) if self.label_use == "classifier" else discriminator

    def _overrides(self, hook: str) -> bool:
        """Whether a class outside the library defines this method."""
        return getattr(type(self), hook).__module__.partition(".")[0] != "jaxgan"

    def _usual(self, option: str) -> Any:
        """What an option is where it is left out."""
        part, *rest = option.split(".")
        entry = type(self).__dataclass_fields__[part]
        usual = entry.default if entry.default_factory is MISSING else entry.default_factory()
        return attrgetter(*rest)(usual) if rest else usual

    def _refuse_superfluous(self) -> None:
        """Raises a ValueError for options of what a subclass makes by itself."""
        for hook in filter(self._overrides, SUPERFLUOUS):
            for option in SUPERFLUOUS[hook]:
                value = attrgetter(option)(self)
                if value != self._usual(option):
                    raise ValueError(
                        f"{option} {value!r} has no effect, for {type(self).__name__} has a "
                        f"{hook} of its own: leave it out, or give the class an option for it"
                    )

    def _heads(self) -> dict[str, Head]:
        codes, heads = self.codes.codes(), {}
        if self.label_use == "classifier":
            weights = self.classifier_weight, self.classifier_generator_weight
            heads["classes"] = auxiliary_classifier(*weights, fakes=self.classifier_fakes)
        if codes.size:
            weights = self.codes.categorical_weight, self.codes.continuous_weight
            heads["codes"] = recognised_codes(codes, *weights)
        return heads

    def _classes(self, spec: Spec) -> int:
        return spec.num_classes if self.conditional else 0

    def _projected(self, spec: Spec) -> int:
        """Classes that the discriminator projects on its features."""
        return self._classes(spec) if self.label_use == "projection" else 0

    def _regularizers(self) -> dict[str, Regularizer]:
        weights = {
            "generator": self.generator.orthogonal_weight,
            "discriminator": self.discriminator.orthogonal_weight,
        }

        def weighted(weight: float, params: PyTree) -> Array:
            return weight * penalties.orthogonal_penalty(params)

        return {side: partial(weighted, weight) for side, weight in weights.items() if weight}

    def _loss(self) -> losses.AdversarialLoss | Callable[[Turn], losses.AdversarialLoss]:
        pair = self.make_loss()
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
                    averages = turn.carry["lecam"]["real"], turn.carry["lecam"]["fake"]
                    lecam = penalties.lecam_penalty(real_logits, fake_logits, *averages)
                    value += jnp.where(turn.step < self.lecam_start, 0, self.lecam_weight * lecam)
                return value

            return losses.AdversarialLoss(discriminator, chosen.generator)

        return of_turn

    def _view(self) -> View | None:
        if not self.instance_noise and self.packing == 1:
            return None

        def view(images: Array, key: Key, turn: Turn) -> Array:
            if self.instance_noise:
                sigma = annealed(self.instance_noise, turn.step, self.instance_noise_steps)
                images = instance_noise(images, key, sigma)
            return pack(images, self.packing)

        return view


def generator_weights(path: tuple[str, ...], weight: Array) -> Axes | None:
    """Which of a generator's parameters spectral normalization divides: not the labels' embedding.

    BigGAN's authors found that it cripples a generator.
    """
    return None if "Embed_0" in path else usual_axes(path, weight)


def sweeps(codes: Codes) -> dict[str, Callable[[Array], Array]]:
    """`Inputs.sweeps`: a function for each code, by the code's name.

    Where a number is swept, the rows show the categories of the first code in turn.
    """
    categories, numbers = len(codes.categorical), codes.continuous
    names = ["category"] if categories == 1 else [f"category-{i + 1}" for i in range(categories)]
    names += ["number"] if numbers == 1 else [f"number-{i + 1}" for i in range(numbers)]

    def of(code: int, latents: Array) -> Array:
        if code >= categories > 0:
            turns = jnp.arange(len(latents)) % codes.categorical[0]
            parts = take_apart(latents, codes)
            first = jax.nn.one_hot(turns, codes.categorical[0])
            latents = parts._replace(categorical=(first, *parts.categorical[1:])).joined()
        return jax.vmap(lambda one: sweep(one, codes, code))(latents)

    return {name: partial(of, code) for code, name in enumerate(names)}


DIGITS = Experiment(
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
