"""Where densities do not overlap: one distance says nothing, the other tells the way.

    python experiments/theory/disjoint.py [--out disjoint.png]

It found, three apart, JS .6931 with a gradient of .0002, and W 3.045 with a gradient of 1.015.

A uniform density on [0, 1] is moved away from another by d. From d = 1 on they are disjoint: the
Jensen-Shannon divergence is log 2 and its derivative 0, whatever d is, while the Wasserstein
distance is d and its derivative 1 (Arjovsky et al. 2017, example 1). The same of discriminators
that are trained on samples: what the generator learns of d from each. The critic's penalty is
one-sided: on a line the usual one asks for a slope of 1 or -1, and holds a critic at the wrong one.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import wasserstein_distance

from jaxgan.losses import AdversarialLoss, minimax, wasserstein
from jaxgan.networks.mlp import MLPDiscriminator
from jaxgan.penalties import gradient_penalty

DISTANCES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
STEPS, BATCH = 1500, 512


def divergence(distance: float) -> float:
    """JS of U[0, 1] and U[d, d + 1]: the part that does not overlap, times log 2."""
    return min(distance, 1.0) * float(np.log(2))


def told(loss: AdversarialLoss, penalty_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """For each distance: minus the trained discriminator's loss, and the generator's d loss/d d."""
    network = MLPDiscriminator(width=64, depth=2)
    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, STEPS), b1=0.5)
    logits = lambda params, x: network.apply({"params": params}, x, train=True)  # noqa: E731

    def objective(params, distance, key):
        key, penalty_key = jax.random.split(key)
        real, fake = jax.random.uniform(key, (2, BATCH, 1))
        fake = fake + distance
        value = loss.discriminator(logits(params, real), logits(params, fake))
        if not penalty_weight:
            return value
        return value + penalty_weight * gradient_penalty(
            *(lambda x: logits(params, x), real, fake, penalty_key),
            one_sided=True,
        )

    def trained(distance):
        params = network.init(jax.random.key(0), jnp.ones((1, 1)), train=False)["params"]

        def step(carry, key):
            params, state = carry
            updates, state = optimizer.update(jax.grad(objective)(params, distance, key), state)
            return (optax.apply_updates(params, updates), state), None

        keys = jax.random.split(jax.random.key(1), STEPS)
        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), keys)
        points = jnp.linspace(0, 1, BATCH)[:, None]
        value = -loss.discriminator(logits(params, points), logits(params, points + distance))
        slope = jax.grad(lambda d: loss.generator(logits(params, points + d)))(distance)
        return value, slope

    values, slopes = jax.jit(jax.vmap(trained))(jnp.array(DISTANCES))
    return np.asarray(values), np.asarray(slopes)


def measure(out: Path | None = None) -> dict[str, float]:
    """Both distances, by closed forms, by SciPy and by trained discriminators."""
    points = np.linspace(0, 1, 2001)
    exact = [wasserstein_distance(points, points + d) for d in DISTANCES]
    js, of_js = told(minimax, 0.0)
    w, of_w = told(wasserstein, 100.0)
    js = (js + np.log(4)) / 2  # Minus the loss is 2 JS - log 4.
    if out is not None:
        draw(out, js, w, of_js, of_w)
    numbers: dict[str, float] = {}
    for i, d in enumerate(DISTANCES):
        numbers[f"d = {d}: JS"] = divergence(d)
        numbers[f"d = {d}: JS by a discriminator"] = float(js[i])
        numbers[f"d = {d}: W by SciPy"] = float(exact[i])
        numbers[f"d = {d}: W by a critic"] = float(w[i])
        numbers[f"d = {d}: gradient of minimax"] = float(of_js[i])
        numbers[f"d = {d}: gradient of Wasserstein"] = float(of_w[i])
    return numbers


def draw(out: Path, js: np.ndarray, w: np.ndarray, of_js: np.ndarray, of_w: np.ndarray) -> None:
    """Distances and gradients over d."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(DISTANCES, [divergence(d) for d in DISTANCES], "C0-", label="JS")
    left.plot(DISTANCES, js, "C0o", label="JS by a discriminator")
    left.plot(DISTANCES, DISTANCES, "C1-", label="Wasserstein")
    left.plot(DISTANCES, w, "C1o", label="Wasserstein by a critic")
    right.plot(DISTANCES, np.abs(of_js), "C0o-", label="minimax")
    right.plot(DISTANCES, np.abs(of_w), "C1o-", label="Wasserstein")
    for axes, title in ((left, "distance"), (right, "size of the generator's gradient")):
        axes.set_xlabel("d")
        axes.set_title(title)
        axes.legend()
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.4g}")
