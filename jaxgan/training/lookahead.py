"""Lookahead, in the form that sides of a game have: params stay what the network takes."""

from typing import Any, NamedTuple

import optax

from jaxgan.types import PyTree


class LookaheadState(NamedTuple):
    """Optax's state, and the slow params that it keeps beside the fast ones in its params."""

    inner: optax.OptState
    slow: PyTree


def lookahead(
    fast_optimizer: optax.GradientTransformation,
    sync_period: int,
    slow_step_size: float,
    reset_state: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """`optax.lookahead`, whose params are pairs of fast and slow ones, over the fast ones alone.

    After every `sync_period` updates of the fast optimiser, slow params move by `slow_step_size`
    of the way to the fast ones, which go on from there. The slow ones lie in the state.

    Args:
      fast_optimizer: updates the params in between.
      sync_period: updates of it, 1 or more.
      slow_step_size: in [0, 1]; ½ in the papers.
      reset_state: let the fast optimiser start afresh after each.

    References:
      Zhang et al., Lookahead Optimizer, 2019 (arXiv:1907.08610).
      Chavdarova et al., Taming GANs with Lookahead-Minmax, 2021 (arXiv:2006.14567).
    """
    optimizer = optax.lookahead(fast_optimizer, sync_period, slow_step_size, reset_state)

    def init(params: PyTree) -> LookaheadState:
        return LookaheadState(optimizer.init(optax.LookaheadParams(params, params)), params)

    def update(
        updates: PyTree, state: LookaheadState, params: PyTree | None = None, **extra: Any
    ) -> tuple[PyTree, LookaheadState]:
        if params is None:
            raise ValueError("lookahead needs params in its update")
        both = optax.LookaheadParams(params, state.slow)
        changes, inner = optimizer.update(updates, state.inner, both)
        slow = optax.apply_updates(state.slow, changes.slow)
        return changes.fast, LookaheadState(inner, slow)

    return optax.GradientTransformationExtraArgs(init, update)
