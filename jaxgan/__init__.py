"""Generative adversarial networks in JAX: pure functions, and one jitted step for both players.

    from jaxgan import losses, penalties      # into a loop of your own
    from jaxgan.games import adversarial      # or a whole game
    from jaxgan.training import make_train_step

Images are NHWC, float32 in [-1, 1] inside the library and uint8 at its edges. Keys are typed
(`jax.random.key`) and consumed by whoever is given them.
"""

from importlib.metadata import version

from jaxgan import consistency, latent, losses, penalties

__all__ = ["consistency", "latent", "losses", "penalties"]
__version__ = version("jaxgan")
