"""The schedule of a run that grows."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from jaxgan.data import Spec
from jaxgan.experiment import (
    GrowingDiscriminatorOptions,
    GrowingExperiment,
    GrowingGeneratorOptions,
    OptimizerOptions,
    check,
)

PAPER = GrowingExperiment(image_size=1024, final_images=2_400_000).resolved()


def plan(experiment):
    """(size, batch, steps, steps of fading, whether optimisers restart) of each phase."""
    return [
        (
            p.experiment.image_size,
            p.experiment.batch_size,
            p.steps,
            p.experiment.fade_steps,
            p.restart,
        )
        for p in experiment.phases()
    ]


def test_the_papers_schedule():
    """600,000 images of fading and of training a size, 12 million together; minibatches of one
    device."""
    found = plan(PAPER)
    assert found[:4] == [
        (4, 128, 4688, 0, False),
        (8, 128, 4688, 4688, True),
        (8, 128, 4688, 0, False),
        (16, 128, 4688, 4688, True),
    ]
    assert found[-2:] == [(1024, 4, 150_000, 150_000, True), (1024, 4, 600_000, 0, False)]
    assert [size for size, *_ in found[1::2]] == [8, 16, 32, 64, 128, 256, 512, 1024]
    images = sum(batch * steps for _, batch, steps, *_ in found)
    assert images == pytest.approx(12e6, rel=1e-3)
    assert PAPER.steps == sum(steps for _, _, steps, *_ in found)


def test_the_papers_numbers():
    first = PAPER.phases()[0].experiment
    assert (first.loss, first.penalty, first.penalty_weight) == (
        *("wasserstein", "gradient_penalty", 10),
    )
    assert first.drift_weight == 1e-3
    assert first.generator_optimizer == OptimizerOptions("adam", 1e-3, 0.0, 0.99)
    assert first.ema_decay == 0.999


def test_a_fading_begins_where_the_phase_does():
    starts = [p.experiment.fade_start for p in PAPER.phases()]
    assert starts[:3] == [0, 4688, 2 * 4688]


def test_one_number_shortens_it_all():
    short = dataclasses.replace(PAPER, scale=0.01, steps=0, image_size=16).resolved()
    assert plan(short) == [
        (4, 128, 47, 0, False),
        (8, 128, 47, 47, True),
        (8, 128, 47, 0, False),
        (16, 128, 47, 47, True),
        (16, 128, 188, 0, False),
    ]


def test_fewer_steps_end_it_early_and_more_go_on_at_the_last_size():
    short = GrowingExperiment(image_size=8, train_images=1280, fade_images=1280, steps=15)
    assert [steps for _, _, steps, *_ in plan(short)] == [10, 5]
    assert plan(short)[1][3] == 10  # The fading is no faster for it.
    longer = dataclasses.replace(short, steps=100)
    assert [steps for _, _, steps, *_ in plan(longer)] == [10, 10, 80]


def test_a_larger_start():
    short = GrowingExperiment(image_size=16, start_size=8, scale=0.01).resolved()
    assert [(size, fades > 0) for size, _, _, fades, _ in plan(short)] == [
        *((8, False), (16, True), (16, False)),
    ]


def test_rates_and_minibatches_by_size():
    experiment = GrowingExperiment(
        image_size=16, batch_size=64, batch_sizes=(100, 50, 25), learning_rates=(1e-3, 2e-3, 3e-3)
    ).resolved()
    of = {p.experiment.image_size: p.experiment for p in experiment.phases()}
    assert [of[size].batch_size for size in (4, 8, 16)] == [64, 50, 25]
    for side in ("generator_optimizer", "discriminator_optimizer"):
        rates = [getattr(of[size], side).learning_rate for size in (4, 8, 16)]
        assert rates == [1e-3, 2e-3, 3e-3]


def test_every_discriminator_step_takes_images():
    once, twice = (
        dataclasses.replace(PAPER, discriminator_steps=n, steps=0).resolved() for n in (1, 2)
    )
    assert twice.phases()[0].steps == once.phases()[0].steps // 2


def test_classes_are_projected_or_named():
    small = GrowingExperiment(
        image_size=8,
        conditional=True,
        generator=GrowingGeneratorOptions(width=4, latent_size=4),
        discriminator=GrowingDiscriminatorOptions(width=4),
    )
    for use in ("projection", "classifier", "channels"):
        experiment = dataclasses.replace(small, label_use=use, steps=10)
        game = experiment.phases()[-1].experiment.make_game(Spec((8, 8, 1), 10))
        assert game.sample is not None


@dataclasses.dataclass(frozen=True)
class Scaled(GrowingExperiment):
    factor: float = 1.0

    def make_generator(self, spec):
        network = super().make_generator(spec)

        def apply(variables, *inputs, **options):
            images, state = network.apply(variables, *inputs, **options)
            return self.factor * images, state

        return network._replace(apply=apply)


def test_phases_keep_what_a_subclass_adds_and_overrides():
    spec = Spec((8, 8, 1), 0)
    small = GrowingGeneratorOptions(width=4, latent_size=4)

    def images(factor):
        whole = Scaled(image_size=8, generator=small, steps=3, factor=factor, scale=1e-9)
        phase = whole.phases()[-1].experiment
        assert phase.shown_size == 8
        network, latents = phase.make_generator(spec), np.ones((2, 4), np.float32)
        return network.apply(network.init(jax.random.key(0), latents), latents, train=False)[0]

    np.testing.assert_allclose(images(3.0), 3 * images(1.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 28}, "image_size of a growing run must be 4, 8, 16, ..., not 28"),
        ({"image_size": None}, "image_size of a growing run must be 4, 8, 16, ..., not None"),
        ({"start_size": 6}, "start_size of a growing run must be 4, 8, 16, ..., not 6"),
        ({"start_size": 128}, "start_size 128 must be image_size 64 or less"),
        ({"batch_sizes": (8, 8)}, "batch_sizes has 2 numbers, and 4 to 64 pixels are 5 sizes"),
        ({"learning_rates": (1e-3,)}, "learning_rates has 1 numbers, and 4 to 64 pixels are 5"),
        ({"batch_sizes": (8, 8, 8, 8, 0)}, "batch_sizes must be above 0, not 0"),
    ],
)
def test_schedules_that_are_none(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check(GrowingExperiment(**changes))
