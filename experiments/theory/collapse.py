"""Mode collapse, made on purpose.

    python experiments/theory/collapse.py [--out collapse.png]

It found 7 generators of 8 in one point each, at a maximum of D (.002 away) and none at the highest;
on the ring .9 modes held without R1, and 7.6 with it.

Against a fixed discriminator the generator's loss E softplus(-D(G(z))) is least where every latent
goes to one point, the argmax of D (Goodfellow et al. 2014, section 6; Metz et al. 2017, section 2).
Generators trained against a frozen one go to a point, though descent finds any maximum of D and not
always the highest, and may stay split between some. A discriminator that learns lowers D at that
point, and the generator hops to the next: on the ring of 8 Gaussians a GAN visits every mode and
holds few. With R1, all else equal, it spreads over all of them.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.data.builtin import MIXTURES
from jaxgan.games.adversarial import adversarial
from jaxgan.latent import prior
from jaxgan.losses import non_saturating
from jaxgan.metrics.modes import mixture_statistics
from jaxgan.networks.adapters import from_linen
from jaxgan.networks.mlp import MLPDiscriminator, MLPGenerator
from jaxgan.penalties import r1_penalty
from jaxgan.training.state import init_state
from jaxgan.training.step import make_train_step

CENTERS, STD = MIXTURES["ring"]
TICKS = np.linspace(-2, 2, 401)
D, G = MLPDiscriminator(width=64, depth=2), MLPGenerator((2,), width=64, depth=2)
GENERATORS, STEPS = 8, 600
FRAMES, STEPS_A_FRAME, R1 = 40, 60, 0.3
NEAR = 0.1  # Samples within 3 of it are a mode's: less than half the way to the next.
LATENTS = prior(2)


def ring(key: jax.Array, count: int) -> jax.Array:
    """Points of the ring, `[count, 2]`."""
    key, noise_key = jax.random.split(key)
    centers = jnp.asarray(CENTERS)[jax.random.randint(key, (count,), 0, len(CENTERS))]
    return centers + STD * jax.random.normal(noise_key, (count, 2))


def logits(params, x: jax.Array) -> jax.Array:
    return D.apply({"params": params}, x, train=True)


def descend(loss, look, params, key: jax.Array, steps: int, rate: float):
    """The params after Adam on `loss(params, key)`, and what `look` saw in them at every step."""
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def step(carry, key):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, key), state)
        return (optax.apply_updates(params, updates), state), look(params)

    start = params, optimizer.init(params)
    (params, _), seen = jax.lax.scan(step, start, jax.random.split(key, steps))
    return params, seen


def frozen() -> tuple[np.ndarray, np.ndarray]:
    """D on the grid, and samples `[step, generator, N, 2]` of generators trained against it."""
    d_key, g_key, look_key = jax.random.split(jax.random.key(0), 3)

    def of_discriminator(params, key):
        key, fake_key = jax.random.split(key)
        # Broad, so that D is low away from the ring, on both sides of it.
        fake = jax.random.uniform(fake_key, (512, 2), minval=-2, maxval=2)
        return non_saturating.discriminator(logits(params, ring(key, 512)), logits(params, fake))

    @jax.jit
    def discriminator(key):
        init_key, key = jax.random.split(key)
        params = D.init(init_key, jnp.ones((1, 2)), train=False)["params"]
        return descend(of_discriminator, lambda params: None, params, key, 2000, 3e-3)[0]

    @jax.jit
    def generator(judge, key, shown):
        def make(params, z):
            return G.apply({"params": params}, z, train=True)

        def loss(params, key):
            return non_saturating.generator(logits(judge, make(params, LATENTS(key, 128))))

        init_key, key = jax.random.split(key)
        params = G.init(init_key, shown, train=False)["params"]
        seen = descend(loss, lambda params: make(params, shown), params, key, STEPS, 3e-2)[1]
        return jnp.concatenate([make(params, shown)[None], seen])

    judge = discriminator(d_key)
    grid = jnp.asarray(np.stack(np.meshgrid(TICKS, TICKS), axis=-1), jnp.float32)
    every = jax.vmap(generator, (None, 0, None), out_axes=1)
    samples = every(judge, jax.random.split(g_key, GENERATORS), LATENTS(look_key, 256))
    return np.asarray(jax.lax.map(lambda row: logits(judge, row), grid)), np.asarray(samples)


def play(r1: float) -> np.ndarray:
    """Samples `[FRAMES, N, 2]` of a GAN on the ring as it trains."""
    game = adversarial(
        *(from_linen(G), from_linen(D), non_saturating),
        prior=LATENTS,
        penalty=(lambda d, real, fake, turn: r1 * r1_penalty(d, real)) if r1 else None,
    )
    optimizers = {"generator": optax.adam(3e-3), "discriminator": optax.adam(2e-3)}
    step = make_train_step(game, optimizers)
    root, data, first, shown = jax.random.split(jax.random.key(0), 4)

    def frame(state, key):
        def once(state, key):
            return step(state, {"real": ring(key, 128)}, root)[0], None

        state, _ = jax.lax.scan(once, state, jax.random.split(key, STEPS_A_FRAME))
        return state, game.sample(state.variables["generator"], latents)

    latents = LATENTS(shown, 1024)
    state = init_state(game, optimizers, {"real": ring(first, 128)}, root)
    run = jax.jit(lambda state, keys: jax.lax.scan(frame, state, keys)[1])
    return np.asarray(run(state, jax.random.split(data, FRAMES)))


def nearest(points: np.ndarray) -> np.ndarray:
    """The mode whose centre is nearest to each of the points `[..., 2]`."""
    return np.linalg.norm(points[..., None, :] - CENTERS, axis=-1).argmin(-1)


def against_frozen(scores: np.ndarray, samples: np.ndarray) -> dict[str, float]:
    """Where the generators end, beside the maxima of D on the grid."""
    grid = np.stack(np.meshgrid(TICKS, TICKS), axis=-1)
    tops = [np.where(nearest(grid) == k, scores, -np.inf) for k in range(len(CENTERS))]
    peaks = np.stack([grid.reshape(-1, 2)[top.argmax()] for top in tops])
    heights = np.array([top.max() for top in tops])
    spread = samples.std(axis=2).mean(axis=-1)  # [step, generator]
    one = spread[-1] < 0.02
    away = np.linalg.norm(samples[-1][one].mean(axis=1)[:, None] - peaks, axis=-1)
    return {
        "mean spread at the start": spread[0].mean(),
        "median spread at the end": np.median(spread[-1]),
        f"generators of {GENERATORS} that end in one point": one.sum(),
        "farthest of these points from a maximum of D": away.min(axis=1).max(),
        "how many are at the highest": (away.argmin(axis=1) == heights.argmax()).sum(),
        "D at the highest": heights.max(),
        "D at the lowest": heights.min(),
    }


def on_the_ring(frames: np.ndarray) -> dict[str, float]:
    """How many modes a GAN holds, and how often another leads."""
    counts = np.stack([np.bincount(nearest(x), minlength=len(CENTERS)) for x in frames])
    lead, share = counts.argmax(axis=1), counts.max(axis=1) / frames.shape[1]
    found = [mixture_statistics(x, CENTERS, NEAR) for x in frames]
    held, near = np.array([x.modes for x in found]), np.array([x.high_quality for x in found])
    late = slice(FRAMES // 2, None)
    return {
        "most modes held at once": held.max(),
        "modes held at the end": held[-1],
        "modes held, mean of the later half": held[late].mean(),
        "share of samples near a mode, later half": near[late].mean(),
        "share of the leading mode, later half": share[late].mean(),
        "modes that led": len(set(lead)),
        f"changes of the lead in {FRAMES - 1}": (np.diff(lead) != 0).sum(),
    }


def measure(out: Path | None = None) -> dict[str, float]:
    """Against a frozen discriminator, then the game without R1 and with it."""
    scores, samples = frozen()
    played = {"without R1": play(0.0), "with R1": play(R1)}
    if out is not None:
        draw(out, scores, samples, played)
    parts = {"frozen": against_frozen(scores, samples)}
    parts |= {name: on_the_ring(frames) for name, frames in played.items()}
    return {f"{part}: {k}": float(v) for part, found in parts.items() for k, v in found.items()}


def draw(out: Path, scores: np.ndarray, samples: np.ndarray, played: dict[str, np.ndarray]) -> None:
    """Samples over time: against the frozen D, without R1, with R1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), layout="constrained")
    rows = figure.subplots(3, 6, sharex=True, sharey=True)
    for axes, step in zip(rows[0], (0, 10, 30, 100, 300, STEPS), strict=True):
        axes.contourf(TICKS, TICKS, np.clip(scores, -20, None), 12, cmap="Greys", alpha=0.6)
        for points in samples[step]:
            axes.plot(*points.T, ".", ms=3)
        axes.set_title(f"step {step}")
    for row, frames in zip(rows[1:], played.values(), strict=True):
        for axes, i in zip(row, np.linspace(4, FRAMES - 1, 6).astype(int), strict=True):
            axes.plot(*CENTERS.T, "k+", ms=9)
            axes.plot(*frames[i].T, ".", ms=2, alpha=0.3)
            axes.set_title(f"step {(i + 1) * STEPS_A_FRAME}")
    labels = f"{GENERATORS} generators,\nD frozen (grey)", *(f"GAN {name}" for name in played)
    for row, label in zip(rows, labels, strict=True):
        row[0].set_ylabel(label)
    for axes in rows.flat:
        axes.set(xlim=(-1.8, 1.8), ylim=(-1.8, 1.8), aspect="equal", xticks=[], yticks=[])
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    for name, value in measure(parser.parse_args().out).items():
        print(f"{name}: {value:.4g}")
