"""The Dirac-GAN: a game that circles its equilibrium, and what lets it arrive.

    python experiments/theory/dirac.py [--out dirac.png]

It found, after 500 steps, 12.03 times the distance by simultaneous steps (theory: 12.03), .997 by
alternating ones, .003 for the average and 4e-5 with R1.

Data are one point at 0, the generator's sample is a number g, the discriminator's logit at x is
d x. The equilibrium is (0, 0). Linearised there, gradient descent of both players has the
eigenvalues ±i f of a rotation, with f = 1 for Wasserstein's loss and 1/2 for the non-saturating
one: the flow circles. With steps of size h, simultaneous ones spiral out by sqrt(1 + h² f²) a step,
alternating ones stay on an ellipse, and the average of the iterates arrives. R1 with the weight γ/2
moves the eigenvalues to -γ/2 ± sqrt(γ²/4 - f²): it damps (Mescheder et al. 2018, section 3).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.losses import AdversarialLoss, non_saturating, wasserstein
from jaxgan.penalties import r1_penalty

STEP, STEPS, GAMMA = 0.1, 500, 0.5
LOSSES = {"wasserstein": wasserstein, "non-saturating": non_saturating}
START = np.array([1.0, 1.0])


def descent(loss: AdversarialLoss, gamma: float) -> Callable[[jax.Array], jax.Array]:
    """(g, d) -> minus the gradients of both players."""

    def both(state: jax.Array) -> jax.Array:
        g, d = state
        real = jnp.zeros((1, 1))

        def discriminator(d: jax.Array) -> jax.Array:
            logits = lambda x: d * x[:, 0]  # noqa: E731
            value = loss.discriminator(logits(real), logits(jnp.full((1, 1), g)))
            return value + gamma / 2 * r1_penalty(logits, real, plain=True)

        generator = lambda g: loss.generator((d * g)[None])  # noqa: E731
        return -jnp.stack([jax.grad(generator)(g), jax.grad(discriminator)(d)])

    return both


def path(loss: AdversarialLoss, *, gamma: float = 0.0, alternating: bool = False) -> np.ndarray:
    """The states (g, d) of `STEPS` steps."""
    move = descent(loss, gamma)

    def simultaneous(state, _):
        state = state + STEP * move(state)
        return state, state

    def in_turn(state, _):
        state = state.at[1].add(STEP * move(state)[1])
        state = state.at[0].add(STEP * move(state)[0])
        return state, state

    step = in_turn if alternating else simultaneous
    states = jax.jit(lambda start: jax.lax.scan(step, start, None, STEPS)[1])(jnp.asarray(START))
    return np.concatenate([START[None], np.asarray(states, float)])


def eigenvalues(loss: AdversarialLoss, gamma: float) -> np.ndarray:
    """Eigenvalues of the Jacobian of the gradient flow at (0, 0), by imaginary part."""
    jacobian = jax.jacfwd(descent(loss, gamma))(jnp.zeros(2))
    found = np.linalg.eigvals(np.asarray(jacobian, float))
    return found[np.argsort(found.imag)]


def theory(name: str, gamma: float) -> np.ndarray:
    """-γ/2 ± sqrt(γ²/4 - f²)."""
    force = 1.0 if name == "wasserstein" else 0.5
    root = np.sqrt(complex(gamma**2 / 4 - force**2))
    return np.array([-gamma / 2 - root, -gamma / 2 + root])


def measure(out: Path | None = None) -> dict[str, float]:
    """Eigenvalues beside the theory's, and how far each way of playing ends from (0, 0)."""
    numbers: dict[str, float] = {}
    for name, loss in LOSSES.items():
        for gamma in (0.0, GAMMA):
            error = np.abs(eigenvalues(loss, gamma) - theory(name, gamma)).max()
            numbers[f"{name}, gamma {gamma}: error of the eigenvalues"] = float(error)
    played = {
        "simultaneous": path(wasserstein),
        "alternating": path(wasserstein, alternating=True),
        "with R1": path(wasserstein, gamma=GAMMA),
    }
    start = np.linalg.norm(START)
    for name, states in played.items():
        numbers[f"{name}: last distance over the first"] = np.linalg.norm(states[-1]) / start
    growth = (1 + STEP**2) ** (STEPS / 2)
    numbers["simultaneous, theory"] = growth
    average = played["alternating"].mean(axis=0)
    numbers["alternating, averaged: distance over the first"] = np.linalg.norm(average) / start
    if out is not None:
        draw(out, played)
    return {name: float(value) for name, value in numbers.items()}


def draw(out: Path, played: dict[str, np.ndarray]) -> None:
    """The paths in the plane of g and d."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, (name, states) in zip(figure.subplots(1, 3), played.items(), strict=True):
        axes.plot(*states.T, lw=0.8)
        axes.plot(0, 0, "k+")
        axes.set_title(name)
        axes.set_xlabel("g")
        axes.set_ylabel("d")
        axes.set_aspect("equal", "datalim")
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.4g}")
