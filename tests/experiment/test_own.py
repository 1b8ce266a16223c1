"""Experiments that make their own networks, loss and prior."""

import dataclasses
import shutil
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from silent import Silent

from jaxgan import latent, load, losses, train
from jaxgan.cli.main import main
from jaxgan.experiment import Experiment, GeneratorOptions, check
from jaxgan.networks import from_linen, from_nnx
from jaxgan.runs.log import digest
from jaxgan.runs.record import load_file

pytestmark = pytest.mark.usefixtures("undrawn")
FILE = Path(__file__).parents[2] / "experiments" / "own_network.py"
SCHEDULE = {"steps": 2, **dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 1)}


class Layer(nn.Module):
    """One layer to samples of this shape."""

    shape: tuple[int, ...]

    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(int(np.prod(self.shape)))(x.reshape(len(x), -1)).reshape(-1, *self.shape)


@dataclasses.dataclass(frozen=True)
class Own(Experiment):
    makes: tuple[int, ...] = (8, 8, 1)

    def make_generator(self, spec):
        return from_linen(Layer(self.makes))

    def make_discriminator(self, spec):
        return from_linen(Layer(()))


@dataclasses.dataclass(frozen=True)
class Signs(Own):
    def make_prior(self):
        return lambda key, count: jax.random.rademacher(key, (count, 3), jnp.float32)


@dataclasses.dataclass(frozen=True)
class Flat(Own):
    def make_loss(self):
        return losses.AdversarialLoss(
            lambda real, fake: 3 + 0 * fake.sum(), lambda fake, real: 4 + 0 * fake.sum()
        )


def start(experiment, tmp_path):
    changed = dataclasses.replace(experiment, **SCHEDULE)
    return train(changed, tmp_path / "run", reporter=Silent())


def test_a_run_of_the_example_is_like_any_other(tmp_path):
    run = start(load_file(FILE), tmp_path)
    expected = digest(run.state())
    shutil.rmtree(run.directory / "checkpoints" / "2")
    assert main(["resume", str(run.directory)]) == 0
    again = load(run.directory)
    assert digest(again.state()) == expected
    assert again.sample(3).shape == (3, 8, 8, 1)
    assert again.variables.params["Dense_0"]["kernel"].shape == (100, 128)
    # The squared hinge of the mean logits, and their variance.
    logged = run.metrics[0]
    of_means = (1 - logged["real_logits"]) ** 2 + (1 + logged["fake_logits"]) ** 2
    assert of_means <= logged["discriminator_loss"] - logged["penalty"] <= of_means + 0.5


def test_own_options_are_options_of_the_command(tmp_path):
    call = ["train", str(FILE), "--width", "16", "--steps", "1", "--out", str(tmp_path / "run")]
    assert main([*call, "--generator.latent-size", "5"]) == 0
    kernel = load(tmp_path / "run").variables.params["Dense_0"]["kernel"]
    assert kernel.shape == (5, 16)


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"generator": GeneratorOptions(width=32)}, "generator.width 32"),
        ({"generator": GeneratorOptions(family="mlp")}, "generator.family 'mlp'"),
        ({"loss": "hinge"}, "loss 'hinge'"),
    ],
)
def test_options_of_what_is_made_otherwise_are_refused(changes, option):
    experiment = dataclasses.replace(load_file(FILE), **changes)
    with pytest.raises(ValueError, match=f"{option} has no effect, for OwnExperiment has a make_"):
        check(experiment)


def test_options_of_latents_and_weights_still_count(tmp_path):
    generator = GeneratorOptions(latent_size=6, latent_distribution="uniform", spectral_norm=True)
    run = start(Own(generator=generator), tmp_path)
    (latents, _) = run.draw(50)
    assert latents.shape == (50, 6)
    assert -1 <= latents.min() < latents.max() <= 1
    assert "spectral" in str(jax.tree.structure(run.variables.state))


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (Own(makes=(7, 7, 1)), r"the generator makes \[7, 7, 1\], and the data are \[8, 8, 1\]"),
        (Own(conditional=True), "Layer.__call__ takes 1 input besides `train` and is given 2"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_nothing_is_written(experiment, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        start(experiment, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_generator_of_other_latents(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Fixed(Own):
        def make_generator(self, spec):
            return from_nnx(lambda rngs: nnx.Linear(64, 64, rngs=rngs))

    with pytest.raises(ValueError, match=r"the generator fails on inputs of shape \[64, 100\] and"):
        start(Fixed(), tmp_path)


def test_a_module_without_train():
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(1)(x)

    with pytest.raises(ValueError, match=r"Plain.__call__ has no argument `train`: write def"):
        from_linen(Plain())


def test_a_prior_of_ones_own(tmp_path):
    """Its latents are walked between in straight lines and have no tails to cut."""
    run = start(Signs(), tmp_path)
    latents, _ = run.draw(20)
    assert set(np.unique(latents)) == {-1, 1}
    walked = run.inputs.walk(latents[0], latents[1], 5)
    np.testing.assert_allclose(walked, latent.linear(latents[0], latents[1], 5))
    with pytest.raises(ValueError, match=r"truncation 1\.0 is of normal latents"):
        run.sample(2, truncation=1.0)


def test_a_loss_of_ones_own_is_what_is_trained(tmp_path):
    run = start(Flat(), tmp_path)
    assert run.metrics[0]["discriminator_loss"] == 3
    assert run.metrics[0]["generator_loss"] == 4
    with pytest.raises(ValueError, match="and this loss has none"):
        start(Flat(label_smoothing=0.1), tmp_path / "other")
