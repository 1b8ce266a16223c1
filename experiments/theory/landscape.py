"""Real and fake far apart: what smooths the discriminator between them.

    python experiments/theory/landscape.py [--out landscape.png]

It found gradients at the fakes of 3e-5 (plain), .24 (noise; best D: .24) and .13 (penalty; best D:
.13); by least squares .09 while D is young and .001 at the end.

Real points are N(-2, s²), fake ones N(2, s²), s = 1/2. The best discriminator, p / (p + q), has the
logit -4x / s². It is a step, flat at the fakes: the minimax generator learns nothing (Arjovsky &
Bottou 2017, theorem 2.4). Three tricks, and the best D of each:

- least squares with targets 1 and 0 (Mao et al. 2017), where D is the raw value: p / (p + q) again;
- noise of deviation σ on real and fake (Sønderby et al. 2017): p / (p + q) of the noisy densities,
  with the logit -4x / (s² + σ²);
- the gradient penalty on the logit (Gulrajani et al. 2017), one-sided: as its weight grows, the
  logit -x, the steepest one it allows.

A fake is pulled by the gradient of the generator's loss: D times the slope of the logit by minimax,
(D - 1) times the slope of D by least squares. The latter tells much while D is young. Once it has
converged, ripples are left, which may point either way.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import norm

from jaxgan.augment import instance_noise
from jaxgan.losses import AdversarialLoss, least_squares, minimax
from jaxgan.networks.mlp import MLPDiscriminator
from jaxgan.penalties import gradient_penalty

REAL, FAKE, STD = -2.0, 2.0, 0.5
TRICKS = {  # The loss, the deviation of the noise, the weight of the penalty.
    "plain": (minimax, 0.0, 0.0),
    "least squares": (least_squares, 0.0, 0.0),
    "instance noise": (minimax, 1.5, 0.0),
    "gradient penalty": (minimax, 0.0, 10.0),
}
GRID = np.linspace(-5, 5, 501, dtype=np.float32)[:, None]
STEPS, BATCH, YOUNG = 2000, 512, 200

Scores = Callable[[jax.Array], jax.Array]


def seen(centre: float, sigma: float) -> norm:
    """What D sees of the points around a centre: with their noise."""
    return norm(centre, np.hypot(STD, sigma))


def best(loss: AdversarialLoss, sigma: float, weight: float) -> Scores:
    """The logits of the best D, or its values by least squares."""
    slope = 1 if weight else (FAKE - REAL) / (STD**2 + sigma**2)
    logits = lambda x: -slope * x[:, 0]  # noqa: E731
    return (lambda x: jax.nn.sigmoid(logits(x))) if loss is least_squares else logits


def pulls(scores: Scores, loss: AdversarialLoss, sigma: float) -> tuple[jax.Array, jax.Array]:
    """The mean size of the gradient at the fakes, and the share that it moves towards the real."""
    fakes = seen(FAKE, sigma).ppf((np.arange(256) + 0.5) / 256)
    one = lambda x: loss.generator(scores(x[None, None]))  # noqa: E731
    slopes = jax.vmap(jax.grad(one))(jnp.asarray(fakes, jnp.float32))
    return jnp.abs(slopes).mean(), (slopes > 0).mean()  # Descent moves them to the left.


def trained(loss: AdversarialLoss, sigma: float, weight: float) -> tuple[np.ndarray, ...]:
    """The scores of a discriminator on the grid, and `pulls` after each of its steps."""
    network = MLPDiscriminator(width=64, depth=2)
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, STEPS))
    logits = lambda params, x: network.apply({"params": params}, x, train=True)  # noqa: E731

    def objective(params, key):
        key, real_key, fake_key, penalty_key = jax.random.split(key, 4)
        real, fake = STD * jax.random.normal(key, (2, BATCH, 1))
        real = instance_noise(real + REAL, real_key, sigma)
        fake = instance_noise(fake + FAKE, fake_key, sigma)
        value = loss.discriminator(logits(params, real), logits(params, fake))
        if not weight:
            return value
        return value + weight * gradient_penalty(
            *(lambda x: logits(params, x), real, fake, penalty_key),
            one_sided=True,
        )

    def step(carry, key):
        params, state = carry
        updates, state = optimizer.update(jax.grad(objective)(params, key), state)
        params = optax.apply_updates(params, updates)
        return (params, state), pulls(lambda x: logits(params, x), loss, sigma)

    @jax.jit
    def run(params, key):
        keys = jax.random.split(key, STEPS)
        (params, _), told = jax.lax.scan(step, (params, optimizer.init(params)), keys)
        return logits(params, GRID), *told

    params = network.init(jax.random.key(0), jnp.ones((1, 1)), train=False)["params"]
    return tuple(map(np.asarray, run(params, jax.random.key(1))))


def measure(out: Path | None = None) -> dict[str, float]:
    """Trains D with each trick and compares it, and what it tells the generator, with the best."""
    numbers: dict[str, float] = {}
    curves = {}
    for name, trick in TRICKS.items():
        loss, sigma, _ = trick
        scores, sizes, shares = trained(*trick)
        found, theory = (
            np.asarray(values if loss is least_squares else jax.nn.sigmoid(values))
            for values in (scores, best(*trick)(GRID))
        )
        where = sum(seen(centre, sigma).pdf(GRID[:, 0]) for centre in (REAL, FAKE)) > 0.02
        told = pulls(best(*trick), loss, sigma)[0]
        numbers[f"{name}: largest error of D"] = np.abs(found - theory)[where].max()
        numbers[f"{name}: pull after {YOUNG} steps"] = sizes[YOUNG - 1]
        numbers[f"{name}: pull"] = sizes[-1]
        numbers[f"{name}: pull by the best D"] = told
        numbers[f"{name}: share pulled towards the real"] = shares[-1]
        curves[name] = found, theory, sizes, told
    if out is not None:
        draw(out, curves)
    return {name: float(value) for name, value in numbers.items()}


def draw(out: Path, curves: dict[str, tuple]) -> None:
    """D over x, and the pull over the discriminator's steps, beside the best ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for centre, color, name in ((REAL, "k", "real"), (FAKE, "r", "fake")):
        density = seen(centre, 0).pdf(GRID[:, 0])
        left.fill_between(GRID[:, 0], density, color=color, alpha=0.12, lw=0)
        left.text(centre, 0.45, name, color=color, ha="center")
    for i, (name, (found, theory, sizes, told)) in enumerate(curves.items()):
        left.plot(GRID, theory, f"C{i}", lw=5, alpha=0.25, zorder=1)
        left.plot(GRID, found, f"C{i}", label=name)
        right.axhline(told, color=f"C{i}", lw=5, alpha=0.25, zorder=1)
        right.loglog(np.arange(1, STEPS + 1), sizes, f"C{i}")
    left.set_title("D")
    left.set_xlabel("x")
    right.set_title("mean size of the generator's gradient at the fakes")
    right.set_xlabel("steps of the discriminator")
    left.plot([], [], "0.5", lw=5, alpha=0.4, label="of the best D")
    figure.legend(loc="outside lower center", ncols=5)
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.4g}")
