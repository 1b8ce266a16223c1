"""Work that takes long: told where it is done, shown where somebody waits for it.

Nothing is shown unless a caller asks for it by `shown_by`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Reach: TypeAlias = Callable[[int], None]
"""Called with how much is done by now."""
Show: TypeAlias = Callable[[str, int | None], AbstractContextManager[Reach]]
"""`(what is done, of how many or None) -> a block` during which it is shown."""


@contextmanager
def silently(what: str, total: int | None = None) -> Iterator[Reach]:
    """A `Show` that shows nothing."""
    yield lambda done: None


_SHOW: ContextVar[Show] = ContextVar("show", default=silently)


def working(what: str, total: int | None = None) -> AbstractContextManager[Reach]:
    """A block of work: `with working("decoding images", 500) as reach:`, and in it `reach(7)`.

    Args:
      what: is done, such as "decoding images".
      total: of how many; None where that cannot be told.
    """
    return _SHOW.get()(what, total)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """A block whose work is shown, in this thread."""
    token = _SHOW.set(show)
    try:
        yield
    finally:
        _SHOW.reset(token)
