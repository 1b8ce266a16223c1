"""Generative adversarial networks in JAX: pure functions, and one jitted step for all players.

    from jaxgan import losses, penalties      # into a loop of your own
    from jaxgan.games import adversarial      # or a whole game
    from jaxgan import load, train            # or a run: trained, found again, sampled

Images are NHWC, float32 in [-1, 1] inside the library and uint8 at its edges. Keys are typed
(`jax.random.key`) and consumed by the function that takes them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxgan import consistency, latent, losses, penalties

if TYPE_CHECKING:
    from jaxgan.training.launch import resume, train
    from jaxgan.training.trained import load

__all__ = ["consistency", "latent", "load", "losses", "penalties", "resume", "train"]
__version__ = "0.2.0"

_DOOR = ("load", "resume", "train")
"""Imported when first asked for, as all that they need takes seconds."""
_MODULES = (
    *("augment", "codes", "data", "degrade", "evaluation", "experiment", "games", "layers"),
    *("likelihoods", "metrics", "networks", "projection", "training"),
)
"""So are these."""


def needs_extra(what: str, error: ModuleNotFoundError) -> str:
    """A sentence on a package that only `jaxgan[train]` installs; empty for any other."""
    package = (error.name or "jaxgan").partition(".")[0]
    if package == "jaxgan":
        return ""
    return (
        f"{what} needs {package}, which comes with the extra `train`: pip install 'jaxgan[train]'"
    )


def __getattr__(name: str) -> Any:
    if name in _DOOR or name in _MODULES:
        try:
            if name in _MODULES:
                return import_module(f"jaxgan.{name}")
            return getattr(import_module("jaxgan.training.launch"), name)
        except ModuleNotFoundError as error:
            if sentence := needs_extra(f"jaxgan.{name}", error):
                raise ModuleNotFoundError(sentence, name=error.name) from error
            raise
    raise AttributeError(f"module 'jaxgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, "__version__"})
