"""The train step, on games small enough to work out by hand."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgan.games import Aux, Game, Move
from jaxgan.keys import derive
from jaxgan.networks import Variables, join
from jaxgan.training import TrainingState, inherit, init_state, lookahead, make_train_step

RATE = 0.1
SGD = {"generator": optax.sgd(RATE), "discriminator": optax.sgd(RATE)}
ROOT = jax.random.key(7)


def scalar_game(discriminator_steps=None):
    """Generator g, discriminator d, mean real x: losses d·(g - x) and -d·g.

    Gradients: g - x for the discriminator, -d for the generator. The carry counts turns and each
    side's state counts its own.
    """

    def init(key, batch):
        side = Variables({"w": jnp.array(1.0)}, {"turns": jnp.array(0)})
        sides = {"generator": side, "discriminator": jax.tree.map(lambda leaf: leaf + 1, side)}
        return sides, {"turns": jnp.array(0.0)}

    def weights(sides):
        return sides["discriminator"].params["w"], sides["generator"].params["w"]

    def after(side, turn, scalars):
        state = {"turns": side.state["turns"] + 1}
        return Aux(state, {"turns": turn.carry["turns"] + 1}, scalars)

    def discriminator_loss(sides, turn):
        x = turn.batch["real"].mean()
        d, g = weights(sides)
        return d * (g - x), after(sides["discriminator"], turn, {"x": x})

    def generator_loss(sides, turn):
        d, g = weights(sides)
        return -d * g, after(sides["generator"], turn, {"d": d})

    moves = (
        Move("discriminator", discriminator_loss, repeat=discriminator_steps),
        Move("generator", generator_loss),
    )
    return Game(init, moves, lambda generator: generator.params["w"])


def start(game, optimizers=SGD, batch=None):
    return init_state(game, optimizers, batch or {"real": jnp.zeros(2)}, ROOT)


def w(state, side):
    return float(state.params[side]["w"])


def test_alternating_step_by_hand():
    step = make_train_step(scalar_game(), SGD, ema_decay=0.5)
    state, scalars = step(start(scalar_game()), {"real": jnp.array([2.0, 4.0])}, ROOT)
    # d = 2 - .1·(1 - 3) = 2.2; g = 1 + .1·2.2 = 1.22, against the new d.
    assert w(state, "discriminator") == pytest.approx(2.2)
    assert w(state, "generator") == pytest.approx(1.22)
    # The first average decays by (1 + 0) / (10 + 0) = .1: .1·1 + .9·1.22.
    assert float(state.ema.params["w"]) == pytest.approx(0.1 + 0.9 * 1.22)
    assert int(state.step) == 1
    assert float(scalars["discriminator_loss"]) == pytest.approx(2 * (1 - 3))
    assert float(scalars["generator_loss"]) == pytest.approx(-2.2)
    assert float(scalars["discriminator_gradient_norm"]) == pytest.approx(2)
    assert float(scalars["generator_gradient_norm"]) == pytest.approx(2.2)
    # Of the params before: .2 over 2, and .22 over 1.
    assert float(scalars["discriminator_update_ratio"]) == pytest.approx(0.1)
    assert float(scalars["generator_update_ratio"]) == pytest.approx(0.22)


def test_an_average_begins_at_its_step():
    step = make_train_step(scalar_game(), SGD, ema_decay=0.5, ema_start=2)
    state, batch = start(scalar_game()), {"real": jnp.array([2.0, 4.0])}
    for _ in range(2):
        state, _ = step(state, batch, ROOT)
        assert float(state.ema.params["w"]) == w(state, "generator")
    before = w(state, "generator")
    state, _ = step(state, batch, ROOT)
    decay = (1 + 2) / (10 + 2)
    expected = decay * before + (1 - decay) * w(state, "generator")
    assert float(state.ema.params["w"]) == pytest.approx(expected)


def test_simultaneous_step_by_hand():
    step = make_train_step(scalar_game(), SGD, simultaneous=True)
    state, _ = step(start(scalar_game()), {"real": jnp.array([2.0, 4.0])}, ROOT)
    assert w(state, "discriminator") == pytest.approx(2.2)
    assert w(state, "generator") == pytest.approx(1 + 0.1 * 2)  # Against the old d.


@pytest.mark.parametrize("loop", [False, True])
def test_discriminator_steps_each_see_their_own_minibatch(loop):
    game = scalar_game(discriminator_steps=3)
    step = make_train_step(game, SGD, loop=loop)
    batch = {"real": jnp.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0])}  # Means 5.5, 11, 16.5.
    state, scalars = step(start(game), batch, ROOT)
    d = 2 - 0.1 * ((1 - 5.5) + (1 - 11) + (1 - 16.5))
    assert w(state, "discriminator") == pytest.approx(d)
    assert w(state, "generator") == pytest.approx(1 + 0.1 * d)
    assert float(scalars["x"]) == pytest.approx(16.5)
    turns = {name: int(side.state["turns"]) for name, side in state.variables.items()}
    assert turns == {"discriminator": 1 + 3, "generator": 1}
    assert float(state.carry["turns"]) == 4  # Three turns and one.


def test_a_side_without_gradient_does_not_move_the_other():
    still = optax.set_to_zero()
    for moving in ("generator", "discriminator"):
        optimizers = {"generator": still, "discriminator": still, moving: optax.sgd(RATE)}
        game = scalar_game()
        state, _ = make_train_step(game, optimizers)(
            start(game, optimizers), {"real": jnp.array([3.0, 3.0])}, ROOT
        )
        assert (w(state, "generator") != 1) == (moving == "generator")
        assert (w(state, "discriminator") != 2) == (moving == "discriminator")


def test_params_that_are_all_0_have_the_update_for_a_ratio():
    def from_zero(key, batch):
        sides, carry = scalar_game().init(key, batch)
        return {**sides, "generator": jax.tree.map(jnp.zeros_like, sides["generator"])}, carry

    game = scalar_game()._replace(init=from_zero)
    _, scalars = make_train_step(game, SGD, simultaneous=True)(
        start(game), {"real": jnp.ones(2)}, ROOT
    )
    assert float(scalars["generator_update_ratio"]) == pytest.approx(0.1 * 2)


def noisy_game(*moves):
    """A game of the sides "generator" and "discriminator" whose moves log what they draw."""

    def init(key, batch):
        side = Variables({"w": jnp.array(0.0)}, {})
        return {"generator": side, "discriminator": side}, {}

    def drawing(move):
        def loss(sides, turn):
            scalars = {f"{move.title}_draw": jax.random.normal(turn.key)}
            return sides[move.side].params["w"] ** 2, Aux({}, {}, scalars)

        return move._replace(loss=loss)

    moves = moves or (Move("discriminator"), Move("generator"))
    return Game(init, tuple(map(drawing, moves)), lambda generator: generator.params["w"])


def test_draws_depend_on_root_key_and_step_alone():
    step = make_train_step(noisy_game(), SGD)
    batch = {"real": jnp.zeros(2)}

    def draws(root, at_step):
        state = start(noisy_game()).replace(step=jnp.array(at_step))
        scalars = step(state, batch, root)[1]
        return float(scalars["discriminator_draw"]), float(scalars["generator_draw"])

    first = draws(ROOT, 5)
    assert first == draws(ROOT, 5)
    assert first[0] != first[1]
    others = [draws(ROOT, 6), draws(jax.random.key(8), 5)]
    assert all(set(first).isdisjoint(other) for other in others)


@pytest.mark.parametrize("loop", [False, True])
def test_a_turn_draws_from_a_key_of_the_move_the_step_and_the_turn(loop):
    """A move's name is in it, so that two moves of one side draw differently; a repeated move's
    number in the step is, and a move's place among the others is not."""
    moves = Move("discriminator", repeat=2), Move("generator"), Move("generator", name="sleep")
    found = {}
    for order in (moves, moves[::-1]):
        game = noisy_game(*order)
        state = start(game).replace(step=jnp.array(5))
        scalars = make_train_step(game, SGD, loop=loop)(state, {"real": jnp.zeros(2)}, ROOT)[1]
        found[order] = {move.title: float(scalars[f"{move.title}_draw"]) for move in moves}
    assert found[moves] == found[moves[::-1]]
    expected = {
        "discriminator": derive(ROOT, 5, "discriminator", 1),  # Of two turns the last one's.
        "generator": derive(ROOT, 5, "generator"),
        "sleep": derive(ROOT, 5, "sleep"),
    }
    assert found[moves] == {
        name: pytest.approx(float(jax.random.normal(key))) for name, key in expected.items()
    }
    assert len(set(found[moves].values())) == 3


def counting_game(*moves):
    """A game whose carry holds, by the move, the numbers of the turns in which it was played."""

    def init(key, batch):
        side = Variables({"w": jnp.array(0.0)}, {})
        carry = {move.title: {"turns": jnp.array(0), "numbers": -jnp.ones(12)} for move in moves}
        return {"generator": side, "discriminator": side}, carry

    def counting(move):
        def loss(sides, turn):
            own = turn.carry[move.title]
            numbers = own["numbers"].at[own["turns"]].set(turn.number)
            carry = {**turn.carry, move.title: {"turns": own["turns"] + 1, "numbers": numbers}}
            return sides[move.side].params["w"] ** 2, Aux({}, carry, {})

        return move._replace(loss=loss)

    return Game(init, tuple(map(counting, moves)), lambda generator: generator.params["w"])


@pytest.mark.parametrize("loop", [False, True])
def test_a_turn_knows_how_often_its_move_was_played_before(loop):
    """Which is the step where a move is played once, and step · repeat + index otherwise."""
    moves = (
        Move("discriminator", repeat=3),
        Move("generator"),
        Move("generator", repeat=1, name="b"),
    )
    game = counting_game(*moves)
    state, step = start(game), make_train_step(game, SGD, loop=loop)
    for _ in range(4):
        state, _ = step(state, {"real": jnp.zeros(6)}, ROOT)
    played = {name: own["numbers"][: own["turns"]].tolist() for name, own in state.carry.items()}
    assert played == {
        "discriminator": list(range(12)),
        "generator": [0, 1, 2, 3],
        "b": [0, 1, 2, 3],
    }


def mixture_game(repeat=None):
    """One side m, the mean of what it was shown: an update moves it half way to the batch's mean.

    Its state counts turns, and so does the carry.
    """

    def init(key, batch):
        side = Variables({"m": jnp.array(4.0)}, {"turns": jnp.array(0)})
        return {"mixture": side}, {"turns": jnp.array(10)}

    def update(sides, turn):
        own, mean = sides["mixture"], turn.batch["real"].mean()
        aux = Aux(
            {"turns": own.state["turns"] + 1}, {"turns": turn.carry["turns"] + 1}, {"mean": mean}
        )
        return {"m": (own.params["m"] + mean) / 2}, aux

    move = Move("mixture", update=update, repeat=repeat)
    return Game(init, (move,), lambda mixture: mixture.params["m"], averaged="mixture")


def test_an_update_by_hand():
    """Params are replaced, without a gradient and without an optimiser."""
    game = mixture_game()
    state, step = start(game, {}), make_train_step(game, {}, ema_decay=0.5)
    assert state.sides["mixture"].opt_state == ()
    state, scalars = step(state, {"real": jnp.array([5.0, 7.0])}, ROOT)
    assert float(state.params["mixture"]["m"]) == (4 + 6) / 2
    assert int(state.variables["mixture"].state["turns"]) == 1
    assert int(state.carry["turns"]) == 11
    assert float(state.ema.params["m"]) == pytest.approx(0.1 * 4 + 0.9 * 5)
    # The change is 1, of params of 4. There is no loss and no gradient to log.
    assert {name: float(scalar) for name, scalar in scalars.items()} == pytest.approx(
        {"mixture_update_ratio": 1 / 4, "mean": 6}
    )


@pytest.mark.parametrize("loop", [False, True])
def test_an_update_may_be_repeated_and_constrained(loop):
    game = mixture_game(repeat=2)
    constraints = {"mixture": lambda params: {"m": jnp.minimum(params["m"], 8.0)}}
    step = make_train_step(game, {}, constraints=constraints, loop=loop)
    state, scalars = step(start(game, {}), {"real": jnp.array([18.0, 0.0, 22.0, 2.0])}, ROOT)
    # Minibatches of means 20 and 1: (4 + 20) / 2 is cut to 8, and then (8 + 1) / 2.
    assert float(state.params["mixture"]["m"]) == 4.5
    assert float(scalars["mixture_update_ratio"]) == pytest.approx(3.5 / 8)
    assert int(state.variables["mixture"].state["turns"]) == 2


def three_sided_game():
    """An encoder e, a generator g and a discriminator d, whose losses are e·g, g·d and d·e.

    Gradients: g for the encoder, d for the generator, e for the discriminator, in this order.
    """
    sides = {"encoder": 1.0, "generator": 2.0, "discriminator": 3.0}
    against = {"encoder": "generator", "generator": "discriminator", "discriminator": "encoder"}

    def init(key, batch):
        return {name: Variables({"w": jnp.array(value)}, {}) for name, value in sides.items()}, {}

    def loss_of(own):
        def loss(sides, turn):
            assert set(sides) == set(against)
            assert set(turn.opt_states) == set(against)
            return sides[own].params["w"] * sides[against[own]].params["w"], Aux({}, {}, {})

        return loss

    moves = tuple(Move(own, loss_of(own)) for own in against)
    return Game(init, moves, lambda encoder: encoder.params["w"], averaged="encoder")


def test_three_sides_by_hand():
    game = three_sided_game()
    sgd = {move.side: optax.sgd(RATE) for move in game.moves}
    state, scalars = make_train_step(game, sgd, ema_decay=0.5)(
        start(game, sgd), {"real": jnp.zeros(2)}, ROOT
    )
    e = 1 - RATE * 2
    g = 2 - RATE * 3
    d = 3 - RATE * e  # Against the new encoder.
    found = {name: w(state, name) for name in state.sides}
    assert found == pytest.approx({"encoder": e, "generator": g, "discriminator": d})
    assert float(state.ema.params["w"]) == pytest.approx(0.1 + 0.9 * e)
    losses = {name: float(scalars[f"{name}_loss"]) for name in found}
    assert losses == pytest.approx({"encoder": 1 * 2, "generator": 2 * 3, "discriminator": 3 * e})
    assert len(scalars) == 3 * 3


def test_three_sides_simultaneously_by_hand():
    game = three_sided_game()
    sgd = {move.side: optax.sgd(RATE) for move in game.moves}
    step = make_train_step(game, sgd, simultaneous=True)
    state, _ = step(start(game, sgd), {"real": jnp.zeros(2)}, ROOT)
    assert {name: w(state, name) for name in state.sides} == pytest.approx(
        {"encoder": 1 - RATE * 2, "generator": 2 - RATE * 3, "discriminator": 3 - RATE * 1}
    )


def test_two_moves_of_one_side_share_its_optimiser_and_log_under_their_names():
    """By hand with momentum: of losses 3 w and 5 w at w = 1, the second sees the first's change."""

    def init(key, batch):
        return {"encoder": Variables({"w": jnp.array(1.0)}, {})}, {}

    def loss_of(slope):
        def loss(sides, turn):
            value = slope * sides["encoder"].params["w"]
            return value, Aux({}, {}, {"trace": turn.opt_states["encoder"][0].trace["w"]})

        return loss

    moves = Move("encoder", loss_of(3)), Move("encoder", loss_of(5), name="sleep")
    game = Game(init, moves, lambda encoder: encoder.params["w"], averaged="encoder")
    optimizers = {"encoder": optax.sgd(RATE, momentum=0.5)}
    state, scalars = make_train_step(game, optimizers)(
        start(game, optimizers), {"real": jnp.zeros(2)}, ROOT
    )
    first = 1 - RATE * 3
    momentum = 0.5 * 3 + 5
    assert w(state, "encoder") == pytest.approx(first - RATE * momentum)
    assert {name: float(scalar) for name, scalar in scalars.items()} == pytest.approx(
        {
            "encoder_loss": 3,
            "encoder_gradient_norm": 3,
            "encoder_update_ratio": RATE * 3,
            "sleep_loss": 5 * first,
            "sleep_gradient_norm": 5,
            "sleep_update_ratio": RATE * momentum / first,
            "trace": 3,  # What the second found of the first.
        }
    )


def two_sided_game(domain_sizes=(2, 2), batch_keys=("x", "y"), phase=0):
    """Two linear generators and two linear discriminators, a pool of the last fakes as carry.

    From phase 1 on, each generator has one more layer.
    """
    x, y = batch_keys

    def network(key, size):
        layers = {"first": jax.random.normal(jax.random.fold_in(key, 0), (size, size))}
        if phase:
            layers["second"] = jnp.eye(size)
        return Variables(layers, {})

    def translate(variables, points):
        out = points @ variables.params["first"]
        return out @ variables.params["second"] if phase else out

    def init(key, batch):
        generators = {
            name: network(jax.random.fold_in(key, number), 2)
            for number, name in enumerate(("x_to_y", "y_to_x"))
        }
        discriminators = {
            name: Variables({"w": jnp.ones(2)}, {"seen": jnp.array(0)}) for name in ("x", "y")
        }
        sides = {"generator": join(generators), "discriminator": join(discriminators)}
        return sides, {"pool": jnp.zeros_like(batch[y])}

    def fakes(generator, turn):
        return {
            "y": translate(generator["x_to_y"], turn.batch[x]),
            "x": translate(generator["y_to_x"], turn.batch[y]),
        }

    def discriminator_loss(sides, turn):
        discriminator, fake = sides["discriminator"], fakes(sides["generator"], turn)
        pooled = {**fake, "y": (fake["y"] + turn.carry["pool"]) / 2}
        value = sum(
            (pooled[name] @ discriminator[name].params["w"]).mean()
            - (turn.batch[name] @ discriminator[name].params["w"]).mean()
            for name in ("x", "y")
        )
        state = {name: {"seen": discriminator[name].state["seen"] + 1} for name in ("x", "y")}
        return value, Aux(state, {"pool": fake["y"]}, {})

    def generator_loss(sides, turn):
        generator, discriminator = sides["generator"], sides["discriminator"]
        fake = fakes(generator, turn)
        back = translate(generator["y_to_x"], fake["y"])
        cycle = jnp.abs(back - turn.batch[x]).mean()
        fooled = sum((fake[name] @ discriminator[name].params["w"]).mean() for name in ("x", "y"))
        return cycle - fooled, Aux(generator.state, turn.carry, {"cycle": cycle})

    def sample(generator, points, direction):
        return translate(generator[direction], points)

    moves = Move("discriminator", discriminator_loss), Move("generator", generator_loss)
    return Game(init, moves, sample)


def test_the_step_serves_two_generators_two_discriminators_and_a_pool():
    game = two_sided_game()
    adam = {side: optax.adam(0.01) for side in ("generator", "discriminator")}
    batch = {"x": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "y": jnp.array([[5.0, 6.0], [7.0, 8.0]])}
    before = init_state(game, adam, batch, ROOT)
    expected_pool = game.sample(before.variables["generator"], batch["x"], "x_to_y")
    old = jax.tree.map(jnp.copy, before)
    state, scalars = make_train_step(game, adam)(before, batch, ROOT)
    chex.assert_trees_all_close(state.carry["pool"], expected_pool, rtol=1e-6)
    moved = jax.tree.map(lambda a, b: bool((a != b).all()), state.params, old.params)
    assert set(moved) == {"generator", "discriminator"}
    assert all(jax.tree.leaves(moved))
    assert set(old.params["generator"]) == {"x_to_y", "y_to_x"}
    assert int(state.variables["discriminator"]["y"].state["seen"]) == 1
    assert "cycle" in scalars


def test_a_grown_network_inherits_what_it_learnt():
    batch = {"x": jnp.ones((2, 2)), "y": jnp.ones((2, 2))}
    small = init_state(two_sided_game(), SGD, batch, ROOT)
    small, _ = make_train_step(two_sided_game(), SGD)(small, batch, ROOT)
    grown_game = two_sided_game(phase=1)
    grown = inherit(init_state(grown_game, SGD, batch, jax.random.key(9)), small, restart=False)
    assert int(grown.step) == 1
    for name in ("x_to_y", "y_to_x"):
        params = grown.params["generator"][name]
        chex.assert_trees_all_equal(params["first"], small.params["generator"][name]["first"])
        chex.assert_trees_all_equal(params["second"], jnp.eye(2))
    chex.assert_trees_all_equal(grown.carry, small.carry)
    state, _ = make_train_step(grown_game, SGD)(grown, batch, ROOT)
    assert int(state.step) == 2
    assert not small.carry["pool"].is_deleted()  # Inheriting copies; nothing is donated away.


def test_the_state_is_donated_and_shares_no_buffers():
    state = start(scalar_game())
    step = make_train_step(scalar_game(), SGD)
    new, _ = step(state, {"real": jnp.ones(2)}, ROOT)
    used = (state.step, state.sides, state.ema.params, state.carry)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(used))
    assert isinstance(new, TrainingState)


def test_one_compilation_serves_states_made_separately():
    step = make_train_step(scalar_game(), SGD)
    for _ in range(2):
        step(start(scalar_game()), {"real": jnp.ones(2)}, ROOT)
    assert step._cache_size() == 1


@pytest.mark.parametrize(
    ("steps", "options", "message"),
    [
        (0, {}, "the move 'discriminator' must be played 1 or more times a step, not 0"),
        (2, {"simultaneous": True}, "simultaneous updates take one turn a side.* discr.* 2 times"),
        (None, {"ema_decay": 1.0}, r"ema_decay must be in \[0, 1\), not 1.0"),
        (None, {"ema_decay": -0.1}, "ema_decay must be in"),
        (None, {"ema_start": -1}, "ema_start must be 0 or more, not -1"),
    ],
)
def test_refuses_options_out_of_range(steps, options, message):
    with pytest.raises(ValueError, match=message):
        make_train_step(scalar_game(steps), SGD, **options)


def test_refuses_simultaneous_updates_of_two_moves_on_one_side():
    game = noisy_game(Move("generator"), Move("generator", name="sleep"))
    with pytest.raises(ValueError, match="simultaneous updates take one turn a side"):
        make_train_step(game, SGD, simultaneous=True)


def test_refuses_moves_that_cannot_be_played():
    game = scalar_game()
    with pytest.raises(ValueError, match="two moves are named 'generator'"):
        make_train_step(game._replace(moves=(*game.moves, game.move("generator"))), SGD)


def test_refuses_a_batch_that_does_not_split():
    game = scalar_game(discriminator_steps=2)
    step = make_train_step(game, SGD)
    with pytest.raises(ValueError, match=r"holds 3 samples, which does not divide into 2"):
        step(start(game), {"real": jnp.ones(3)}, ROOT)


def test_a_constraint_holds_for_its_side_alone_and_after_each_update():
    seen = []

    def constrain(params):
        seen.append(1)
        return jax.tree.map(lambda leaf: jnp.clip(leaf, -0.5, 0.5), params)

    game = scalar_game(discriminator_steps=2)
    step = make_train_step(game, SGD, constraints={"discriminator": constrain})
    state, _ = step(start(game), {"real": jnp.array([2.0, 4.0])}, ROOT)
    assert w(state, "discriminator") == 0.5
    assert w(state, "generator") == pytest.approx(1 + 0.1 * 0.5)
    assert len(seen) == 2


def test_each_side_may_have_a_constraint():
    constraints = {
        "discriminator": lambda params: {"w": jnp.minimum(params["w"], 2.1)},
        "generator": lambda params: {"w": jnp.minimum(params["w"], 1.15)},
    }
    step = make_train_step(scalar_game(), SGD, constraints=constraints)
    state, _ = step(start(scalar_game()), {"real": jnp.array([2.0, 4.0])}, ROOT)
    assert (w(state, "discriminator"), w(state, "generator")) == pytest.approx((2.1, 1.15))


def descending_game():
    """One side that descends (w - 3)², from 1."""

    def init(key, batch):
        return {"generator": Variables({"w": jnp.array(1.0)}, {})}, {}

    def loss(sides, turn):
        return jnp.square(sides["generator"].params["w"] - 3), Aux({}, {}, {})

    return Game(init, (Move("generator", loss),), lambda generator: generator.params["w"])


@pytest.mark.parametrize(
    ("optimizer", "after"),
    [
        # Polyak's step is f / |f'|² = 4 / 16 along f' = -4: from 1 to 2, and then to 2.5.
        (optax.polyak_sgd(max_learning_rate=10.0), 2.5),
        # A line search along a parabola finds its minimum with the first curvature it has.
        (optax.lbfgs(), 3.0),
        # The loss falls, so that a plateau is never met: w - 3 shrinks by .8 a step.
        (optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(patience=1)), 3 - 2 * 0.64),
    ],
)
def test_optimizers_that_want_the_loss_are_given_it(optimizer, after):
    game, optimizers = descending_game(), {"generator": optimizer}
    step, state = make_train_step(game, optimizers), start(descending_game(), optimizers)
    for _ in range(2):
        state, _ = step(state, {"real": jnp.zeros(2)}, ROOT)
    assert w(state, "generator") == pytest.approx(after, rel=1e-3)


def test_lookahead_keeps_the_form_of_params():
    """Fast: w - 3 shrinks by .8 a step. Slow: after two, half of the way from 1."""
    game, optimizers = descending_game(), {"generator": lookahead(optax.sgd(0.1), 2, 0.5)}
    step, state = make_train_step(game, optimizers), start(descending_game(), optimizers)
    seen = []
    for _ in range(3):
        state, _ = step(state, {"real": jnp.zeros(2)}, ROOT)
        seen.append(w(state, "generator"))
    synced = 1 + 0.5 * (3 - 2 * 0.64 - 1)
    assert seen == pytest.approx([3 - 2 * 0.8, synced, 3 - (3 - synced) * 0.8])


def test_lookahead_is_that_of_optax():
    params, gradient = {"w": jnp.array([1.0, 2.0])}, {"w": jnp.array([0.3, -0.1])}
    ours, theirs = (make(optax.adam(0.1), 2, 0.5) for make in (lookahead, optax.lookahead))
    pairs = optax.LookaheadParams.init_synced(params)
    state, their_state = ours.init(params), theirs.init(pairs)
    for _ in range(5):
        updates, state = ours.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        updates, their_state = theirs.update(gradient, their_state, pairs)
        pairs = optax.apply_updates(pairs, updates)
        chex.assert_trees_all_equal(params, pairs.fast)
        chex.assert_trees_all_equal(state.slow, pairs.slow)


@pytest.mark.filterwarnings("ignore")
def test_an_optimizer_of_another_form_is_refused_with_what_to_take():
    optimizers = {"generator": optax.lookahead(optax.sgd(0.1), 2, 0.5)}
    game = descending_game()
    step, state = make_train_step(game, optimizers), start(game, optimizers)
    with pytest.raises(ValueError, match=r"optimiser of 'generator'.*training\.lookahead"):
        step(state, {"real": jnp.zeros(2)}, ROOT)
