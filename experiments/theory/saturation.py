"""Why generators do not minimise what discriminators maximise.

    python experiments/theory/saturation.py [--out saturation.png]

It found gradients of 1e-6 (minimax) and 1 (non-saturating) where D = 1e-6.

The gradient that reaches a generator passes through the logit of its image. Of the minimax loss it
is -D, which vanishes where the discriminator is sure (D near 0); of the non-saturating loss it is
D - 1, which is largest there. With the logit l, D = sigmoid(l).
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.losses import minimax, non_saturating

PROBABILITIES = np.geomspace(0.5, 1e-6, 60)
CLOSED = {"minimax": lambda d: -d, "non-saturating": lambda d: d - 1}


def gradients() -> dict[str, np.ndarray]:
    """d loss / d logit of a single fake, as D(G(z)) goes from 1/2 to 1e-6."""
    logits = jnp.asarray(np.log(PROBABILITIES) - np.log1p(-PROBABILITIES), jnp.float32)

    def slopes(loss) -> np.ndarray:
        return np.asarray(jax.vmap(jax.grad(lambda logit: loss.generator(logit[None])))(logits))

    return {"minimax": slopes(minimax), "non-saturating": slopes(non_saturating)}


def measure(out: Path | None = None) -> dict[str, float]:
    """The gradients at both ends, and how far they are from their closed forms."""
    found = gradients()
    if out is not None:
        draw(out, found)
    numbers: dict[str, float] = {}
    for name, values in found.items():
        closed = CLOSED[name](PROBABILITIES)
        numbers[f"{name}, D = 1/2"] = float(values[0])
        numbers[f"{name}, D = 1e-6"] = float(values[-1])
        numbers[f"{name}, largest relative error"] = float(np.abs(values / closed - 1).max())
    return numbers


def draw(out: Path, found: dict[str, np.ndarray]) -> None:
    """Sizes of both gradients over D(G(z))."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for name, values in found.items():
        axes.loglog(PROBABILITIES, np.abs(values), label=name)
    axes.set_xlabel("D(G(z)): the discriminator grows sure towards the left")
    axes.set_ylabel("size of the gradient")
    axes.legend()
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.3g}")
