"""A critic with a Lipschitz constraint: clipped weights against the gradient penalty.

    python experiments/theory/lipschitz.py [--out lipschitz.png]

It found gaps over the largest norm of 1.12 (clipping) and 1.49 (penalty), where W = 1.502; all
clipped weights at the limit; and a mean norm of 1.075 with the penalty (theory: 1.075).

Real points are eight Gaussians on a ring, fake ones the same shrunk to r = 1/4. Their distance is
W = (1 - r) E|x|: to move every x to r x costs that, and the critic |x|, whose gradient has the norm
1, has that gap. No gap is larger than W times the largest norm of the gradient.

- Clipping to c = .01 (Arjovsky et al. 2017) allows two hidden layers of n units a norm of at most
  √2 c (c n)². Nearly all weights end at ±c, yet the norm stays well below that. The gap over the
  largest norm is less than W: of such weights comes too simple a function, a pyramid of few sides.
- The penalty λ E(‖∇D‖ - 1)² between real and fake (Gulrajani et al. 2017), λ = 10, leaves weights
  free and brings norms near 1. The best critic takes a little more for a larger gap: as long as
  its gradients point away from the centre, like those of |x|, their mean norm is 1 + W / (2 λ).
"""

import argparse
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import rice

from jaxgan.losses import wasserstein
from jaxgan.networks.mlp import MLPDiscriminator
from jaxgan.penalties import clip_weights, gradient_penalty

RADIUS, STD, SHRINK = 2.0, 0.1, 0.25
LIMIT, WEIGHT = 0.01, 10.0
WIDTH, STEPS, BATCH, SIDE = 64, 3000, 256, 201
NETWORK = MLPDiscriminator(width=WIDTH, depth=2)
falling = partial(optax.cosine_decay_schedule, decay_steps=STEPS)
CRITICS = {  # Clipped or not, and the optimizer of its paper, whose rates are 5e-5 and 1e-4.
    "clipping": (True, optax.rmsprop(falling(2e-4))),
    "gradient penalty": (False, optax.adam(falling(2e-3), b1=0.0, b2=0.9)),
}


def points(key: jax.Array, count: int) -> jax.Array:
    """Points of the ring, `[count, 2]`."""
    mode_key, noise_key = jax.random.split(key)
    angle = jnp.pi / 4 * jax.random.randint(mode_key, (count,), 0, 8)
    centres = RADIUS * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    return centres + STD * jax.random.normal(noise_key, (count, 2))


def logits(params, x: jax.Array) -> jax.Array:
    return NETWORK.apply({"params": params}, x, train=True)


@jax.jit
def norms(params, x: jax.Array) -> jax.Array:
    """The norm of the critic's gradient at each point."""
    slopes = jax.vmap(jax.grad(lambda point: logits(params, point[None])[0]))(x)
    return jnp.linalg.norm(slopes, axis=1)


def trained(clipped: bool, optimizer: optax.GradientTransformation):
    """The parameters of a critic."""

    def objective(params, key):
        real_key, fake_key, penalty_key = jax.random.split(key, 3)
        real, fake = points(real_key, BATCH), SHRINK * points(fake_key, BATCH)
        value = wasserstein.discriminator(logits(params, real), logits(params, fake))
        if clipped:
            return value
        return value + WEIGHT * gradient_penalty(partial(logits, params), real, fake, penalty_key)

    def step(carry, key):
        params, state = carry
        updates, state = optimizer.update(jax.grad(objective)(params, key), state)
        params = optax.apply_updates(params, updates)
        return (clip_weights(params, LIMIT) if clipped else params, state), None

    @jax.jit
    def run(params, key):
        keys = jax.random.split(key, STEPS)
        return jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0]

    params = NETWORK.init(jax.random.key(0), jnp.ones((1, 2)), train=False)["params"]
    return run(params, jax.random.key(1))


def plane() -> jax.Array:
    """A grid of points, `[SIDE², 2]`."""
    line = jnp.linspace(-3, 3, SIDE)
    return jnp.stack(jnp.meshgrid(line, line), axis=-1).reshape(-1, 2)


def measure(out: Path | None = None) -> dict[str, float]:
    """Trains both critics, and compares their gaps and gradients with the theory."""
    distance = (1 - SHRINK) * rice.mean(RADIUS / STD, scale=STD)
    numbers = {
        "W": distance,
        "clipping: norm allowed": 2**0.5 * LIMIT * (LIMIT * WIDTH) ** 2,
        "gradient penalty: 1 + W / (2 λ)": 1 + distance / (2 * WEIGHT),
    }
    real_key, fake_key, mix_key = jax.random.split(jax.random.key(2), 3)
    real, fake = points(real_key, 4096), SHRINK * points(fake_key, 4096)
    between = real + jax.random.uniform(mix_key, (4096, 1)) * (fake - real)
    critics = {}
    for name, how in CRITICS.items():
        params = critics[name] = trained(*how)
        # Over the same points, shrunk: of independent ones the gap would vary more.
        gap = -wasserstein.discriminator(logits(params, real), logits(params, SHRINK * real))
        largest = norms(params, jnp.concatenate([plane(), between])).max()
        sizes = np.abs(kernels(params))
        numbers[f"{name}: gap"] = gap
        numbers[f"{name}: mean norm between"] = norms(params, between).mean()
        numbers[f"{name}: largest norm"] = largest
        numbers[f"{name}: gap over the largest norm"] = gap / largest
        numbers[f"{name}: largest weight"] = sizes.max()
        numbers[f"{name}: share within 1 % of it"] = (sizes > 0.99 * sizes.max()).mean()
    if out is not None:
        draw(out, critics, np.asarray(real[:400]), np.asarray(fake[:400]))
    return {name: float(value) for name, value in numbers.items()}


def kernels(params) -> np.ndarray:
    """All weights but biases, flat."""
    leaves = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    return np.concatenate([np.ravel(leaf) for leaf in leaves])


def draw(out: Path, critics: dict, real: np.ndarray, fake: np.ndarray) -> None:
    """Level lines over the norm of the gradient, and histograms of the weights."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 6), layout="constrained")
    axes = figure.subplots(2, 2, height_ratios=(5, 2))
    for (above, below), (name, params) in zip(axes.T, critics.items(), strict=True):
        grid = plane()
        x, y, level, norm = (
            np.asarray(values).reshape(SIDE, SIDE)
            for values in (*grid.T, logits(params, grid), norms(params, grid))
        )
        colors = above.pcolormesh(x, y, norm, cmap="Blues", vmin=0, vmax=1.5 * norm.max())
        figure.colorbar(colors, ax=above, label="norm of the gradient")
        above.contour(x, y, level, 15, colors="k", linewidths=0.6, linestyles="solid")
        above.plot(*real.T, "C2.", ms=3, label="real")
        above.plot(*fake.T, "C3.", ms=3, label="fake")
        above.set_title(f"{name}: level lines")
        above.set_aspect("equal")
        weights = kernels(params)
        below.hist(weights, 61, log=True)
        below.set_xlim(*(1.2 * np.abs(weights).max() * np.array([-1, 1])))
        below.set_ylim(0.7, 5000)
        below.set_title(f"{name}: histogram of the weights")
    axes[0, 0].legend(loc="upper right")
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.4g}")
