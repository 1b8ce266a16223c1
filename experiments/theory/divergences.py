"""One Gaussian for two modes: which of them it takes is the divergence's choice.

    python experiments/theory/divergences.py [--out divergences.png]

It found N(-.57, 1.38²), the moments, by likelihood; N(-1.39, .51²), a mode, by reverse KL;
N(-.57, 1.35²) by the minimax GAN and N(-1.39, .51²) by the non-saturating one.

N(m, s²) is fitted to p, a mixture of two Gaussians on a line. Maximum likelihood minimises
KL(p ‖ q): it covers both, and m and s are the mean and the standard deviation of p. KL(q ‖ p) seeks
the heavier mode (Goodfellow 2016, section 3.2.5). A GAN whose discriminator is the best one
minimises JS(p, q) by the minimax loss (Goodfellow et al. 2014), and by the non-saturating one the
softened reverse KL((p + q) / 2 ‖ p) (Shannon et al. 2020, arXiv:2010.08029). From N(0, 1) the one
covers, the other seeks: GANs end where the divergence of their generator's loss says. JS is hardly
lower there than where it seeks. This model can only hold one mode; why GANs drop modes that they
could hold is another matter (the same section of Goodfellow, and collapse.py).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import minimize
from scipy.stats import norm

from jaxgan.likelihoods import gaussian_log_likelihood
from jaxgan.losses import AdversarialLoss, minimax, non_saturating
from jaxgan.networks.mlp import MLPDiscriminator

GRID = np.linspace(-10, 10, 2001)
WEIGHT, AWAY, STD = 0.7, 1.4, 0.5  # The mode at -AWAY has the weight.
MEAN = (1 - 2 * WEIGHT) * AWAY
MOMENTS = np.array([MEAN, np.sqrt(STD**2 + AWAY**2 - MEAN**2)])
LOG_P = np.logaddexp(
    np.log(WEIGHT) + norm(-AWAY, STD).logpdf(GRID),
    np.log(1 - WEIGHT) + norm(AWAY, STD).logpdf(GRID),
)
BATCH, STEPS, D_STEPS = 512, 1500, 5


def kl(log_p: np.ndarray, log_q: np.ndarray) -> float:
    """KL(p ‖ q) of densities on the grid, in nats."""
    return float(np.trapezoid(np.exp(log_p) * (log_p - log_q), GRID))


def middle(log_q: np.ndarray) -> np.ndarray:
    """log (p + q) / 2."""
    return np.logaddexp(LOG_P, log_q) - np.log(2)


DIVERGENCES: dict[str, Callable[[np.ndarray], float]] = {
    "KL(p, q)": lambda log_q: kl(LOG_P, log_q),
    "KL(q, p)": lambda log_q: kl(log_q, LOG_P),
    "JS": lambda log_q: (kl(LOG_P, middle(log_q)) + kl(log_q, middle(log_q))) / 2,
    "softened KL": lambda log_q: kl(middle(log_q), LOG_P),
}


def least(divergence: Callable[[np.ndarray], float]) -> np.ndarray:
    """The (m, s) where a divergence is least: the best of searches from starts all over."""
    value = lambda at: divergence(norm(at[0], np.exp(at[1])).logpdf(GRID))  # noqa: E731
    starts = [(m, np.log(s)) for m in (-AWAY, 0.0, AWAY) for s in (0.5, 1.5)]
    options = {"xatol": 1e-6, "fatol": 1e-12}
    found = [minimize(value, at, method="Nelder-Mead", options=options) for at in starts]
    m, log_s = min(found, key=lambda result: result.fun).x
    return np.array([m, np.exp(log_s)])


def target(key: jax.Array, count: int) -> jax.Array:
    """Samples of p, `[count, 1]`."""
    key, noise_key = jax.random.split(key)
    mode = jnp.where(jax.random.bernoulli(key, WEIGHT, (count, 1)), -AWAY, AWAY)
    return mode + STD * jax.random.normal(noise_key, (count, 1))


def descent(loss: Callable[[jax.Array], jax.Array]) -> np.ndarray:
    """The (m, s) of gradient descent from N(0, 1) on a loss of (m, log s)."""
    step = lambda _, at: at - 0.05 * jax.grad(loss)(at)  # noqa: E731
    m, log_s = jax.jit(lambda at: jax.lax.fori_loop(0, STEPS, step, at))(jnp.zeros(2))
    return np.array([m, np.exp(log_s)])


def by_likelihood() -> tuple[np.ndarray, np.ndarray]:
    """The (m, s) of most likelihood, and the moments of the samples that it is of."""
    samples = target(jax.random.key(0), 20_000)

    def loss(at):
        return -gaussian_log_likelihood(jnp.full_like(samples, at[0]), samples, at[1]).mean()

    return descent(loss), np.array([samples.mean(), samples.std()])


def by_reverse_kl() -> np.ndarray:
    """The (m, s) of descent on KL(q ‖ p), by integration."""
    grid, log_p = (jnp.asarray(values, jnp.float32)[:, None] for values in (GRID, LOG_P))

    def loss(at):
        log_q = gaussian_log_likelihood(jnp.full_like(grid, at[0]), grid, at[1])
        return jnp.trapezoid(jnp.exp(log_q) * (log_q - log_p[:, 0]), grid[:, 0])

    return descent(loss)


def by_gan(loss: AdversarialLoss) -> np.ndarray:
    """The (m, s) of the generator m + s z, which starts at N(0, 1)."""
    network = MLPDiscriminator(width=32, depth=2)
    adam, sgd = optax.adam(2e-3, b1=0.5), optax.sgd(optax.cosine_decay_schedule(0.05, STEPS))
    logits = lambda params, x: network.apply({"params": params}, x, train=True)  # noqa: E731
    fake = lambda at, key: at[0] + jnp.exp(at[1]) * jax.random.normal(key, (BATCH, 1))  # noqa: E731

    def sharpen(carry, key, at):
        params, state = carry
        key, fake_key = jax.random.split(key)
        real = target(key, BATCH)

        def objective(params):
            return loss.discriminator(logits(params, real), logits(params, fake(at, fake_key)))

        updates, state = adam.update(jax.grad(objective)(params), state)
        return (optax.apply_updates(params, updates), state), None

    def step(carry, key):
        judge, at, state = carry
        key, fake_key = jax.random.split(key)
        judge, _ = jax.lax.scan(
            lambda judge, key: sharpen(judge, key, at), judge, jax.random.split(key, D_STEPS)
        )
        slope = jax.grad(lambda at: loss.generator(logits(judge[0], fake(at, fake_key))))(at)
        updates, state = sgd.update(slope, state)
        return (judge, optax.apply_updates(at, updates), state), None

    @jax.jit
    def train(params, key):
        start = (params, adam.init(params)), jnp.zeros(2), sgd.init(jnp.zeros(2))
        return jax.lax.scan(step, start, jax.random.split(key, STEPS))[0][1]

    init_key, key = jax.random.split(jax.random.key(0))
    m, log_s = train(network.init(init_key, jnp.ones((1, 1)), train=False)["params"], key)
    return np.array([m, np.exp(log_s)])


def measure(out: Path | None = None) -> dict[str, float]:
    """All four fits, each beside what its divergence says."""
    likelihood, of_samples = by_likelihood()
    best = {name: least(divergence) for name, divergence in DIVERGENCES.items()}
    fits = {
        "likelihood": (likelihood, "moments of the samples", of_samples),
        "reverse KL": (by_reverse_kl(), "least KL(q, p)", best["KL(q, p)"]),
        "minimax GAN": (by_gan(minimax), "least JS", best["JS"]),
        "non-saturating GAN": (by_gan(non_saturating), "least softened KL", best["softened KL"]),
    }
    if out is not None:
        draw(out, fits)
    rows = {name: fit for name, (fit, _, _) in fits.items()}
    rows |= {theory: at for _, theory, at in fits.values()}
    rows |= {"moments of p": MOMENTS, "least KL(p, q)": best["KL(p, q)"]}
    numbers: dict[str, float] = {}
    for name, (m, s) in rows.items():
        numbers |= {f"{name}: m": float(m), f"{name}: s": float(s)}
    for name in ("minimax GAN", "non-saturating GAN"):
        numbers[f"{name}: JS"] = DIVERGENCES["JS"](norm(*rows[name]).logpdf(GRID))
    return numbers


def draw(out: Path, fits: dict[str, tuple[np.ndarray, str, np.ndarray]]) -> None:
    """Each fit over p, beside its divergence's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    shown = np.abs(GRID) < 5
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, (name, (fit, theory, best)) in zip(panels.flat, fits.items(), strict=True):
        axes.fill_between(GRID[shown], np.exp(LOG_P[shown]), alpha=0.3, label="p")
        axes.plot(GRID[shown], norm(*best).pdf(GRID[shown]), "k", lw=3, alpha=0.4, label=theory)
        axes.plot(GRID[shown], norm(*fit).pdf(GRID[shown]), "r--", label="found")
        axes.set_title(f"{name}: m = {fit[0]:.2f}, s = {fit[1]:.2f}")
        axes.legend()
    for axes in panels[1]:
        axes.set_xlabel("x")
    for axes in panels[:, 0]:
        axes.set_ylabel("density")
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.4f}")
