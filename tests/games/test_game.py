"""What a game is: an ordered list of moves, found and exchanged by their names."""

import jax.numpy as jnp
import pytest

from jaxgan.games import Aux, Game, Move
from jaxgan.games.game import check_game


def zero(sides, turn):
    return jnp.zeros(()), Aux({}, turn.carry, {})


def one(sides, turn):
    return jnp.ones(()), Aux({}, turn.carry, {})


def made_of(*moves: Move) -> Game:
    return Game(lambda key, batch: ({}, {}), moves, lambda variables: variables)


def test_a_move_is_found_by_its_name_which_is_by_default_its_sides():
    encoder, second = Move("encoder", zero), Move("encoder", zero, name="sleep")
    game = made_of(encoder, second)
    assert game.move("encoder") is encoder
    assert game.move("sleep") is second
    assert [move.title for move in game.moves] == ["encoder", "sleep"]
    with pytest.raises(ValueError, match="no move 'wake'; its moves are encoder, sleep"):
        game.move("wake")


def test_another_loss_takes_the_place_of_one_and_leaves_all_else():
    game = made_of(Move("discriminator", zero, repeat=3), Move("generator", zero))
    changed = game.with_loss("discriminator", one)
    assert changed.moves == (Move("discriminator", one, repeat=3), game.move("generator"))
    assert game.move("discriminator").loss is zero
    assert changed[:1] + changed[2:] == game[:1] + game[2:]
    with pytest.raises(ValueError, match="no move 'critic'"):
        game.with_loss("critic", one)


@pytest.mark.parametrize(
    ("repeats", "minibatches"), [([None], 1), ([1], 1), ([None, 1], 1), ([5, None], 5), ([2, 3], 3)]
)
def test_a_step_takes_as_many_minibatches_as_its_most_repeated_move(repeats, minibatches):
    moves = (Move(f"side {n}", zero, repeat=repeat) for n, repeat in enumerate(repeats))
    assert made_of(*moves).minibatches == minibatches


def test_what_can_be_played():
    check_game(made_of(Move("generator", zero)))
    check_game(made_of(Move("mixture", update=zero)))
    check_game(
        made_of(Move("a", zero), Move("a", update=zero, name="b"), Move("c", zero, repeat=1))
    )


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ([], "a game needs a move, and this one has none"),
        ([Move("generator")], "the move 'generator' needs either a loss or an update"),
        ([Move("generator", zero, zero)], "the move 'generator' needs either a loss or an update"),
        ([Move("generator", name="sleep")], "the move 'sleep' needs either a loss or an update"),
        (
            [Move("generator", zero, repeat=0)],
            "the move 'generator' must be played 1 or more times a step, not 0",
        ),
        (
            [Move("generator", zero, repeat=-2, name="sleep")],
            "the move 'sleep' must be played 1 or more times a step, not -2",
        ),
        ([Move("generator", zero), Move("generator", one)], "two moves are named 'generator'"),
        (
            [Move("a", zero), Move("b", zero), Move("c", zero, name="b")],
            "two moves are named 'b': give one of them a name of its own",
        ),
        (
            [Move("a", zero, reuses="b"), Move("b", zero)],
            "the move 'a' reuses what 'b' made, which is no move before it",
        ),
        (
            [Move("a", zero), Move("b", zero, repeat=2, reuses="a")],
            "the move 'b' reuses what another made, and is played once: .* None, not 2",
        ),
    ],
)
def test_what_cannot_be_played_is_refused(moves, message):
    with pytest.raises(ValueError, match=message):
        check_game(made_of(*moves))
