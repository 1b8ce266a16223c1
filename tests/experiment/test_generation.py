"""The description of a run: what it refuses, how it is recorded, what it turns into."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import latent, losses, penalties
from jaxgan.data import Spec
from jaxgan.experiment import (
    DIGITS,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    LabelChoice,
    OptimizerOptions,
    check,
)
from jaxgan.experiment.adversarial import make_penalty
from jaxgan.games import Turn
from jaxgan.networks.families import make_generator
from jaxgan.options import from_dict, to_dict

IMAGES = Spec((8, 8, 1), 10)


@dataclass(frozen=True)
class Nested:
    rates: tuple[float, ...] = (0.1, 0.2)


@dataclass(frozen=True)
class Own(Experiment):
    """A user's kind of experiment."""

    mode: Literal["slow", "fast"] = "slow"
    sizes: tuple[tuple[int, ...], ...] = ((1, 2), (3,))
    nested: Nested = Nested()
    limit: float | None = None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be 1 or more, not 0"),
        ({"steps": -4}, "steps must be 1 or more, not -4"),
        ({"batch_size": 0}, "batch_size must be 1 or more, not 0"),
        ({"log_every": 0}, "log_every must be 1 or more"),
        ({"evaluate_every": -1}, "evaluate_every must be 0 or more"),
        ({"penalty_weight": -1.0}, "penalty_weight must be 0 or more, not -1.0"),
        ({"generator": GeneratorOptions(latent_size=0)}, "generator.latent_size must be 1 or more"),
        ({"seed": -1}, r"seed must be from 0 to 2\*\*32 - 1, not -1"),
        ({"seed": 1 << 32}, r"seed must be from 0 to 2\*\*32 - 1, not 4294967296"),
        ({"name": ".."}, "name must be that of one folder"),
        ({"name": "a/b"}, "name must be that of one folder.*'a/b'"),
        ({"steps": "many"}, "steps must be int, not 'many'"),
        ({"steps": 10.5}, "steps must be int, not 10.5"),
        ({"steps": True}, "steps must be int, not True"),
        ({"flip": 1}, "flip must be bool, not 1"),
        ({"ema_decay": "x"}, "ema_decay must be float, not 'x'"),
        ({"image_size": 8.0}, r"image_size must be int \| None, not 8.0"),
        ({"loss": "hing"}, "loss must be one of minimax, .*hinge.*, not 'hing'"),
        ({"penalty": "r3"}, "penalty must be one of none, r1.*, not 'r3'"),
        ({"channels": 2}, "channels must be .*1, 3.*, not 2"),
        ({"channels": True}, "channels must be .*1, 3.*, not True"),  # It equals 1,
        ({"channels": 3.0}, r"channels must be .*1, 3.*, not 3\.0"),  # and is no size of an array.
        ({"generator": {"width": 3}}, "generator must be GeneratorOptions"),
        ({"penalty_weight": math.nan}, "penalty_weight must be finite, not nan"),
        ({"penalty_weight": math.inf}, "penalty_weight must be finite, not inf"),
        # What float32 and int32 do not hold is no number inside the step.
        ({"penalty_weight": 1e39}, r"penalty_weight must be at most 3\.4e\+38, not 1e\+39"),
        ({"label_noise": 10**400}, "label_noise must be at most 2147483647, not 1000"),
        ({"label_flip": -0.1}, "label_flip must be 0 or more, not -0.1"),
        ({"drift_weight": 10**400}, "drift_weight must be at most 2147483647, not 1000"),
        ({"penalty_every": 1 << 31}, "penalty_every must be at most 2147483647, not 2147483648"),
        (
            {"generator_optimizer": OptimizerOptions(learning_rate=1e300)},
            r"generator_optimizer\.learning_rate must be at most 3\.4",
        ),
        (
            {"discriminator_optimizer": OptimizerOptions(decay_end=1 << 31)},
            "discriminator_optimizer.decay_end must be at most 2147483647",
        ),
        (
            {"generator_optimizer": OptimizerOptions(learning_rate=math.nan)},
            "generator_optimizer.learning_rate must be finite",
        ),
        (
            {"discriminator_optimizer": OptimizerOptions(learning_rate=0.0)},
            "discriminator_optimizer.learning_rate must be above 0, not 0.0",
        ),
        (
            {"generator_optimizer": OptimizerOptions(beta1=1.0)},
            r"generator_optimizer.beta1 must be in \[0, 1\), not 1.0",
        ),
        ({"generator": GeneratorOptions(width=0)}, "generator.width must be 1 or more, not 0"),
        (
            {"discriminator": DiscriminatorOptions(dropout=1.5)},
            r"discriminator.dropout must be in \[0, 1\), not 1.5",
        ),
        (
            {"discriminator": DiscriminatorOptions(dropout=math.nan)},
            "discriminator.dropout must be finite, not nan",
        ),
        (
            {"discriminator_steps": 2, "simultaneous": True},
            "discriminator step, not 2: set discriminator_steps to 1",
        ),
        ({"packing": 5}, "packing must divide batch_size 64, and 5 does not"),
        (
            {"generator_optimizer": OptimizerOptions(decay_start=5, decay_end=5)},
            "generator_optimizer.decay_end must be 0 or lie beyond decay_start 5, not 5",
        ),
    ],
)
def test_values_that_no_run_can_use(changes, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(DIGITS, **changes))


MLP = {"family": "mlp", "width": 8}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"batch_size": 1, "generator": GeneratorOptions(**MLP)},
            "generator.normalization 'batch' of a single sample .* take batch_size 2 or more, or "
            "generator.normalization 'group' or 'none'",
        ),
        (
            {
                "batch_size": 4,
                "packing": 4,
                "discriminator": DiscriminatorOptions(**MLP, normalization="batch"),
            },
            "discriminator.normalization 'batch' of a single sample .* batch_size 8 or more",
        ),
        (
            {"generator": GeneratorOptions(family="mlp", width=1, normalization="group")},
            "generator.normalization 'group' of a single unit .* take generator.width 2 or more",
        ),
    ],
)
def test_perceptrons_whose_outputs_do_not_depend_on_their_inputs_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(DIGITS, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 1},  # The pixels of a DCGAN are many numbers.
        {"batch_size": 1, "generator": GeneratorOptions(**MLP, normalization="group")},
        {"batch_size": 2, "generator": GeneratorOptions(**MLP)},
        # The first layer has no normalization, and here is the only one.
        {
            "batch_size": 1,
            "discriminator": DiscriminatorOptions(**MLP, depth=1, normalization="batch"),
        },
    ],
)
def test_what_comes_near_to_that_is_allowed(changes):
    check(dataclasses.replace(DIGITS, **changes))


@pytest.mark.parametrize(("normalization", "width"), [("batch", 8), ("group", 1)])
def test_what_is_refused_gives_one_image_for_all_latents(normalization, width):
    options = GeneratorOptions(family="mlp", width=width, normalization=normalization)
    network = make_generator(options, (4, 4, 1))
    latents = jax.random.normal(jax.random.key(0), [2, 1, 100])
    variables = network.init(jax.random.key(1), latents[0])
    one, other = (network.apply(variables, z, train=True)[0] for z in latents)
    np.testing.assert_array_equal(one, other)


def test_what_is_allowed_passes():
    check(DIGITS)
    check(Experiment(generator_optimizer=OptimizerOptions(learning_rate=1)))  # An int is a float.
    check(Own())
    check(Own(limit=2.0, seed=(1 << 32) - 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "quick"}, "mode must be one of slow, fast, not 'quick'"),
        ({"sizes": ((1, "2"),)}, "sizes must be tuple.*, not"),
        ({"sizes": [1]}, "sizes must be tuple"),
        ({"nested": Nested((0.1, math.inf))}, "nested.rates must be finite, not .*inf"),
        ({"limit": "1"}, r"limit must be float \| None, not '1'"),
    ],
)
def test_the_fields_of_a_users_class_are_checked_too(changes, message):
    with pytest.raises(ValueError, match=message):
        check(Own(**changes))


def test_what_the_record_cannot_hold_is_refused_before_a_run():
    @dataclass(frozen=True)
    class WithPath(Experiment):
        where: Path = Path("x")

    @dataclass(frozen=True)
    class More(GeneratorOptions):
        more: int = 1

    with pytest.raises(ValueError, match=r"where is annotated Path, which experiment\.json"):
        check(WithPath())
    with pytest.raises(ValueError, match=r"generator must be GeneratorOptions, not .*More"):
        check(Experiment(generator=More()))


@pytest.mark.parametrize("experiment", [DIGITS, Own(sizes=((), (4,)), nested=Nested((0.5,)))])
def test_an_experiment_is_read_back_from_json(experiment):
    values = json.loads(json.dumps(to_dict(experiment)))
    assert from_dict(type(experiment), values) == experiment


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (OptimizerOptions("sgd", 0.1), [-0.2, -0.2, -0.2]),
        # The first step of Adam has the size of the rate, whatever the gradient's.
        (OptimizerOptions("adam", 0.1, beta1=0.0), [-0.1, -0.1, -0.1]),
        # g / sqrt((1 - beta2^n) g²), whose average starts at 0
        (OptimizerOptions("rmsprop", 0.1, beta2=0.75), [-0.2, -0.1 / 0.4375**0.5]),
        # Falls from update 1 on to 0 at update 3.
        (OptimizerOptions("sgd", 0.1, decay_start=1, decay_end=3), [-0.2, -0.2, -0.1, 0.0, 0.0]),
    ],
)
def test_optimizers_by_hand(options, expected):
    optimizer = options.build()
    params, gradient = jnp.array(1.0), jnp.array(2.0)
    state = optimizer.init(params)
    for update in expected:
        found, state = optimizer.update(gradient, state, params)
        assert float(found) == pytest.approx(update, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "gradient", "expected"),
    [
        # g / (|g| + 1e-8)
        (OptimizerOptions("adam", 1.0), 1e-8, -0.5),
        # g / (|g| / 10 + 1e-8); with epsilon inside the root it would be -.01
        (OptimizerOptions("rmsprop", 1.0, beta2=0.99), 1e-6, -1e-6 / 1.1e-7),
        (OptimizerOptions("rmsprop", 1.0, beta2=0.99), 1e-4, -1e-4 / 1.001e-5),
        (OptimizerOptions("sgd", 1.0), 1e-8, -1e-8),
    ],
)
def test_epsilon_stands_outside_the_root(options, gradient, expected):
    """First updates of gradients as small as a clipped WGAN's."""
    optimizer, params = options.build(), jnp.array(1.0)
    update, _ = optimizer.update(jnp.array(gradient), optimizer.init(params), params)
    assert float(update) == pytest.approx(expected, rel=1e-4)


def test_networks_follow_their_options():
    experiment = Experiment(
        generator=GeneratorOptions(family="mlp", width=5, depth=1, latent_size=3),
        discriminator=DiscriminatorOptions(family="mlp", width=4, depth=1),
    )
    batch = {"real": jnp.zeros((2, 8, 8, 1)), "label": jnp.zeros(2, jnp.int32)}
    game = experiment.make_game(IMAGES)
    sides, _ = jax.eval_shape(game.init, jax.random.key(0), batch)
    kernels = [sides["generator"].params[f"Dense_{i}"]["kernel"].shape for i in range(2)]
    assert kernels == [(3, 5), (5, 64)]
    kernels = [sides["discriminator"].params[f"Dense_{i}"]["kernel"].shape for i in range(2)]
    assert kernels == [(64, 4), (4, 1)]


def test_sides_steps_and_constraints_follow_their_options():
    plain = Experiment(ema_decay=0.9, simultaneous=True)
    assert plain.make_optimizers().keys() == {"generator", "discriminator"}
    options = {"ema_decay": 0.9, "ema_start": 0, "simultaneous": True}
    assert plain.make_step_options() == options
    assert plain.make_constraints() == {}
    assert plain.make_game(IMAGES).minibatches == 1
    assert Experiment(discriminator_steps=3).make_game(IMAGES).minibatches == 3
    clipped = Experiment(discriminator=DiscriminatorOptions(clip=0.5)).make_constraints()
    assert clipped.keys() == {"discriminator"}
    params = {"a": jnp.array([-2.0, 0.25, 2.0])}
    assert clipped["discriminator"](params)["a"].tolist() == [-0.5, 0.25, 0.5]


def test_a_lazy_penalty_leaves_the_optimizer_as_it_is():
    """It is part of the loss's own update: nothing is to be made up for, as StyleGAN2 has to."""
    params, gradient = jnp.array(1.0), jnp.array(2.0)

    def first_update(**changes):
        optimizer = Experiment(**changes).make_optimizers()["discriminator"]
        return float(optimizer.update(gradient, optimizer.init(params), params)[0])

    assert first_update(penalty="r1", penalty_every=4) == first_update()


def test_a_walk_between_latents_follows_their_distribution():
    normal, uniform = (
        Experiment(generator=GeneratorOptions(latent_distribution=kind)).inputs(IMAGES)
        for kind in ("normal", "uniform")
    )
    assert (normal.walk, uniform.walk) == (latent.spherical, latent.linear)
    assert normal.read is None
    assert normal.choices() == LabelChoice(None)


@pytest.mark.parametrize("family", ["dcgan", "resnet", "mlp"])
def test_precision_and_memory_follow_their_options(family):
    batch = {"real": jnp.zeros((32, 8, 8, 1)), "label": jnp.zeros(32, jnp.int32)}
    turn = Turn(batch, jax.random.key(1), jnp.array(0), {})

    def kept(**changes):
        """Shapes of what the backward pass of a discriminator's loss is handed."""
        options = {"family": family, "width": 4, "normalization": "group"} | changes
        game = Experiment(
            generator=GeneratorOptions(**options), discriminator=DiscriminatorOptions(**options)
        ).make_game(IMAGES)

        def forward(key):
            sides, _ = game.init(key, batch)

            def loss(params):
                own = dataclasses.replace(sides["discriminator"], params=params)
                return game.move("discriminator").loss({**sides, "discriminator": own}, turn)

            value, backward, aux = jax.vjp(loss, sides["discriminator"].params, has_aux=True)
            return backward, (value, aux, sides)

        backward, others = jax.eval_shape(forward, jax.random.key(0))
        assert {leaf.dtype for leaf in jax.tree.leaves(others)} == {jnp.dtype("float32")}
        return jax.tree.leaves(backward)

    plain, half, again = kept(), kept(dtype="bfloat16"), kept(remat=True)
    assert not any(leaf.dtype == jnp.bfloat16 for leaf in plain)
    assert any(leaf.dtype == jnp.bfloat16 for leaf in half)
    assert sum(leaf.size for leaf in again) < 0.8 * sum(leaf.size for leaf in plain)


@pytest.mark.parametrize(
    ("experiment", "spec", "message"),
    [
        (Experiment(conditional=True), Spec((8, 8, 1), 0), "conditional needs labelled data"),
        (Experiment(), Spec((2,), 8), r"points of shape \(2,\).*family=mlp"),
        (
            Experiment(discriminator=DiscriminatorOptions(family="mlp")),
            Spec((2,), 8),
            "generator.family=mlp",
        ),
        # What `check` refuses, the networks refuse too, where a program makes them itself.
        (Experiment(generator=GeneratorOptions(width=0)), IMAGES, "width=0"),
        (Experiment(discriminator=DiscriminatorOptions(dropout=1.5)), IMAGES, "dropout=1.5"),
        (Experiment(discriminator=DiscriminatorOptions(dropout=math.nan)), IMAGES, "dropout=nan"),
        (Experiment(conditional=True, packing=2), IMAGES, "packing 2 takes no labels"),
    ],
)
def test_networks_that_do_not_fit_the_data(experiment, spec, message):
    with pytest.raises(ValueError, match=message):
        experiment.make_game(spec)


@pytest.mark.parametrize("penalty", ["r1", "r2", "r1_r2", "gradient_penalty", "dragan"])
def test_a_penalty_is_weighted(penalty):
    """On a discriminator whose gradient with respect to each image is constant, of norm |w| = 5."""
    weight = jnp.array([3.0, 4.0])
    weighted = make_penalty(penalty, 0.5)
    turn = Turn({}, jax.random.key(0), jnp.array(0), {})
    real, fake = jnp.ones((4, 2)), jnp.zeros((4, 2))
    value = weighted(lambda points: points @ weight, real, fake, turn)
    away = (5 - 1) ** 2
    expected = {"r1": 25, "r2": 25, "r1_r2": 50, "gradient_penalty": away, "dragan": away}
    assert np.isclose(float(value), 0.5 * expected[penalty], rtol=1e-4)
    assert make_penalty("none", 0.5) is None


REAL_LOGITS, FAKE_LOGITS = jnp.array([2.0, 4.0]), jnp.array([-1.0, 1.0])


def loss_with(step: int = 0, **options: float) -> float:
    """What these options add to the Wasserstein loss, the averages being 1 (real) and 0 (fake)."""
    loss = Experiment(loss="wasserstein", **options)._loss()
    carry = {"lecam": {"real": jnp.array(1.0), "fake": jnp.array(0.0)}}
    pair = loss(Turn({}, jax.random.key(0), jnp.array(step), carry))
    plain = losses.wasserstein
    assert pair.generator is plain.generator
    added = pair.discriminator(REAL_LOGITS, FAKE_LOGITS)
    return float(added - plain.discriminator(REAL_LOGITS, FAKE_LOGITS))


def test_penalties_on_logits_are_weighted():
    assert loss_with(drift_weight=0.1) == pytest.approx(0.1 * (4 + 16) / 2)
    # E relu(D(x) - 0)² = 10 and E relu(1 - D(g))² = (4 + 0) / 2.
    assert loss_with(lecam_weight=0.5, lecam_start=0) == pytest.approx(0.5 * 12)
    assert loss_with(999, lecam_weight=0.5) == 0
    assert loss_with(1000, lecam_weight=0.5, drift_weight=0.1) == pytest.approx(6 + 1)


def test_penalties_on_kernels_and_averages_of_logits_belong_to_the_game():
    small = DiscriminatorOptions(width=2, normalization="none", orthogonal_weight=2.0)
    experiment = Experiment(
        lecam_weight=0.3,
        discriminator=small,
        generator=GeneratorOptions(width=2, latent_size=2, orthogonal_weight=3.0),
    )
    game = experiment.make_game(IMAGES)
    batch = {"real": jnp.zeros((2, 8, 8, 1)), "label": jnp.zeros(2, jnp.int32)}
    sides, carry = game.init(jax.random.key(0), batch)
    turn = Turn(batch, jax.random.key(1), jnp.array(0), carry)
    aux = game.move("discriminator").loss(sides, turn)[1]
    expected = 2 * penalties.orthogonal_penalty(sides["discriminator"].params)
    assert np.isclose(aux.scalars["discriminator_regularizer"], expected)
    assert aux.carry["lecam"]["real"] == pytest.approx(0.01 * aux.scalars["real_logits"])
    scalars = game.move("generator").loss(sides, turn)[1].scalars
    expected = 3 * penalties.orthogonal_penalty(sides["generator"].params)
    assert np.isclose(scalars["generator_regularizer"], expected)
