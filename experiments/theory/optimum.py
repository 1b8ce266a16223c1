"""The best discriminator, and what its loss then says.

    python experiments/theory/optimum.py [--out optimum.png]

It found a discriminator at most .004 from p / (p + q), with a loss of .7585 where .7590 is least;
and for p = q one at most .002 from 1/2, with a loss of 1.3863.

For two known densities p and q a discriminator is trained to tell their samples apart. Theory
(Goodfellow et al. 2014, propositions 1 and 2): the best one gives p / (p + q) everywhere, its loss
is log 4 - 2 JS(p, q) with JS the Jensen-Shannon divergence, and where p = q it gives 1/2 and its
loss is log 4.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import norm

from jaxgan.losses import non_saturating
from jaxgan.networks.mlp import MLPDiscriminator

GRID = np.linspace(-4, 4, 401)
P, Q = norm(-0.8, 0.7), norm(0.8, 1.0)
STEPS, BATCH = 4000, 2048


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """JS(p, q) of densities on the grid, in nats."""
    mean = (p + q) / 2
    return float(np.trapezoid(p * np.log(p / mean) + q * np.log(q / mean), GRID) / 2)


def best_discriminator(p: norm, q: norm, seed: int = 0) -> tuple[np.ndarray, float]:
    """The probabilities on the grid of a discriminator trained on samples, and its loss."""
    network = MLPDiscriminator(width=64, depth=2)
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, STEPS))
    logits = lambda params, x: network.apply({"params": params}, x, train=True)  # noqa: E731

    def loss(params, key):
        noise = jax.random.normal(key, (2, BATCH, 1))
        real, fake = (d.mean() + d.std() * n for d, n in zip((p, q), noise, strict=True))
        return non_saturating.discriminator(logits(params, real), logits(params, fake))

    def step(carry, key):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, key), state)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def train(params, key):
        keys = jax.random.split(key, STEPS)
        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), keys)
        return params

    params = network.init(jax.random.key(seed), jnp.ones((1, 1)), train=False)["params"]
    params = train(params, jax.random.key(seed + 1))
    scores = logits(params, jnp.asarray(GRID, jnp.float32)[:, None])
    # Its loss by integration over both densities, and not over more samples.
    weights = np.stack([p.pdf(GRID), q.pdf(GRID)])
    terms = np.logaddexp(0, [-1, 1] * np.asarray(scores, float)[:, None]).T
    return np.asarray(jax.nn.sigmoid(scores)), float(np.trapezoid(weights * terms, GRID).sum())


def measure(out: Path | None = None) -> dict[str, float]:
    """Trains both, compares them with the theory, draws them where a file is named."""
    p, q = P.pdf(GRID), Q.pdf(GRID)
    theory, seen = p / (p + q), p + q > 0.02  # Where samples are.
    found, loss = best_discriminator(P, Q)
    equal, loss_of_equal = best_discriminator(P, P)
    if out is not None:
        draw(out, p, q, theory, found)
    return {
        "largest error of D": float(np.abs(found - theory)[seen].max()),
        "loss": loss,
        "log 4 - 2 JS": float(np.log(4) - 2 * divergence(p, q)),
        "largest |D - 1/2| where p = q": float(np.abs(equal - 0.5)[p > 0.02].max()),
        "loss where p = q": loss_of_equal,
        "log 4": float(np.log(4)),
    }


def draw(out: Path, p: np.ndarray, q: np.ndarray, theory: np.ndarray, found: np.ndarray) -> None:
    """Densities, and the discriminator beside p / (p + q)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(GRID, p, alpha=0.3, label="p")
    axes.fill_between(GRID, q, alpha=0.3, label="q")
    axes.plot(GRID, theory, "k", lw=3, alpha=0.4, label="p / (p + q)")
    axes.plot(GRID, found, "r--", label="trained discriminator")
    axes.legend()
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.4f}")
