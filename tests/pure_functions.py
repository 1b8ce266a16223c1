"""Calls every loss, penalty and other pure function of arrays, and prints what they give as JSON.

`test_flags` runs it in processes of their own, under JAX's flags.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import augment, codes, consistency, degrade, latent, losses, metrics, penalties
from jaxgan.data import minibatch
from jaxgan.games import pool, weighting
from jaxgan.layers import normalization, resample, spectral_norm
from jaxgan.layers.minibatch_deviation import minibatch_deviation

RNG = np.random.default_rng(0)
REAL, FAKE = (RNG.normal(size=(4, 3)).astype(np.float32) for _ in range(2))
IMAGES, OTHERS = (RNG.uniform(-1, 1, (4, 4, 4, 1)).astype(np.float32) for _ in range(2))
MASK = np.array([1, 0, 1, 1], np.int32)
KERNEL = RNG.normal(size=(3, 3, 1, 2)).astype(np.float32)
COLOURS = RNG.uniform(-1, 1, (4, 4, 4, 3)).astype(np.float32)
HOLES = np.eye(4, dtype=np.float32)[None, :, :, None].repeat(4, axis=0)
VGG = {"conv1_1": {"kernel": np.repeat(KERNEL, 3, 2), "bias": np.ones(2, np.float32)}}
"""A network of one layer, in place of the one trained on ImageNet."""


def discriminator(images):
    """Logits [B, 2, 2, 2] of images of any type."""
    kernel = jnp.asarray(KERNEL, images.dtype)
    dimensions = ("NHWC", "HWIO", "NHWC")
    features = jax.lax.conv_general_dilated(images, kernel, (1, 1), "VALID", None, None, dimensions)
    return jnp.tanh(features)


def key():
    return jax.random.key(1)


def calls():
    """`(name, function without arguments)` of everything."""
    for dtype in (jnp.float32, jnp.bfloat16):
        kind = jnp.dtype(dtype).name
        real, fake = jnp.asarray(REAL, dtype), jnp.asarray(FAKE, dtype)
        images, others = jnp.asarray(IMAGES, dtype), jnp.asarray(OTHERS, dtype)
        for name, loss in losses.ADVERSARIAL.items():
            for player, first, second in (
                ("discriminator", real, fake),
                ("generator", fake, real),
            ):
                function = getattr(loss, player)
                yield f"{name} {player} {kind}", lambda f=function, a=first, b=second: f(a, b)
                weights = {"real_weights": MASK, "fake_weights": MASK}
                yield (
                    f"{name} {player} {kind} weighted",
                    lambda f=function, a=first, b=second, w=weights: f(a, b, **w),
                )
        soft = losses.with_targets(
            losses.minimax, smoothing=0.1, noise=np.float64(0.2), flip=0.3, key=key()
        )
        yield f"targets {kind}", lambda s=soft, a=real, b=fake: s.discriminator(a, b)
        squares = losses.make_least_squares(real_target=np.float64(0.9))
        yield f"squares {kind}", lambda s=squares, a=real, b=fake: s.discriminator(a, b)
        scales = losses.multi_scale(losses.hinge)
        yield f"scales {kind}", lambda s=scales, a=real, b=fake: s.discriminator([a, a], [b, b])

        for plain in (False, True):
            by_gradients = {
                "gp": lambda a, b, p=plain: penalties.gradient_penalty(
                    discriminator, a, b, key(), plain=p, target=np.float64(0.5)
                ),
                "gp squared": lambda a, b, p=plain: penalties.gradient_penalty(
                    discriminator, a, b, key(), plain=p, squared_norm=True, one_sided=True
                ),
                "dragan": lambda a, b, p=plain: penalties.dragan_penalty(
                    discriminator, a, key(), plain=p
                ),
                "r1": lambda a, b, p=plain: penalties.r1_penalty(
                    discriminator, a, plain=p, weights=MASK
                ),
                "r2": lambda a, b, p=plain: penalties.r2_penalty(discriminator, b, plain=p),
            }
            for name, penalty in by_gradients.items():
                yield (
                    f"{name} {kind} {'plain' if plain else 'surrogate'}",
                    lambda f=penalty, a=images, b=others: jax.value_and_grad(f, argnums=(0, 1))(
                        a, b
                    ),
                )
        for penalty in (penalties.approximate_r1_penalty, penalties.approximate_r2_penalty):
            yield (
                f"{penalty.__name__} {kind}",
                lambda p=penalty, a=images: jax.value_and_grad(
                    lambda a: p(discriminator, a, key(), sigma=np.float64(0.5), weights=MASK)
                )(a),
            )
        yield (
            f"adaptive weight {kind}",
            lambda a=real, b=fake: weighting.adaptive_weight(a, b, epsilon=np.float64(0.1)),
        )
        yield (
            f"balanced {kind}",
            lambda a=real: weighting.balanced(jnp.sum, lambda p: jnp.square(p).sum(), a),
        )
        for rho in ("l1", "l2", "charbonnier"):
            yield (
                f"reconstruction {rho} {kind}",
                lambda r=rho, a=images, b=others: consistency.reconstruction_loss(
                    a, b, r, epsilon=np.float64(0.01), weights=MASK.reshape(4, 1, 1, 1)
                ),
            )
        for rho in ("l1", "l2"):
            yield (
                f"perceptual {rho} {kind}",
                lambda r=rho, a=images, b=others: consistency.perceptual_loss(
                    discriminator, a, b, r
                ),
            )
        yield (
            f"feature matching {kind}",
            lambda a=images, b=others: consistency.feature_matching_loss({"x": [a]}, {"x": [b]}),
        )
        yield (
            f"lpips {kind}",
            lambda a=images, b=others: metrics.lpips_from(
                VGG, {"relu1_1": np.ones(2, np.float32)}, a, b
            ),
        )
        colours = jnp.asarray(COLOURS, dtype)
        for function in (degrade.grey, degrade.edges):
            yield f"{function.__name__} {kind}", lambda f=function, a=colours: f(a)
        for function in (degrade.downscale, degrade.upscale):
            yield f"{function.__name__} {kind}", lambda f=function, a=colours: f(a, 2)
        yield (
            f"painted {kind}",
            lambda a=colours: degrade.paint_hole(a, HOLES, np.float64(0.3)),
        )
        yield f"composed {kind}", lambda a=colours: degrade.compose(a, -a, HOLES)
        maps = (
            *(minibatch_deviation, resample.average_pool),
            *(normalization.pixel_norm, normalization.instance_norm),
        )
        for function in maps:
            yield f"{function.__name__} {kind}", lambda f=function, a=images: f(a)
        yield f"drift {kind}", lambda a=real: penalties.drift_penalty(a, weights=MASK)
        yield (
            f"lecam {kind}",
            lambda a=real, b=fake: penalties.lecam_penalty(a, b, np.float64(0.1), jnp.float32(0.2)),
        )
        kernels = {"a": {"kernel": jnp.asarray(KERNEL, dtype)}, "bias": jnp.ones(3, dtype)}
        yield f"orthogonal {kind}", lambda p=kernels: penalties.orthogonal_penalty(p)
        yield f"clip {kind}", lambda p=kernels: penalties.clip_weights(p, np.float64(0.5))
        for update in (0, 1):
            yield (
                f"lazy {kind} {update}",
                lambda a=real, u=update: penalties.lazy(lambda: penalties.drift_penalty(a), u, 4),
            )

        def normalized(p):
            vectors = spectral_norm.init_vectors(key(), p)
            return spectral_norm.normalize_weights(p, spectral_norm.power_iteration(p, vectors))

        yield f"spectral norm {kind}", lambda p=kernels: normalized(p)
        for walk in (latent.linear, latent.spherical):
            yield f"{walk.__name__} {kind}", lambda w=walk, a=real, b=fake: w(a, b, 5)
        yield f"loop {kind}", lambda a=real: latent.loop(a, 3)
        yield (
            f"noise {kind}",
            lambda a=images: augment.instance_noise(a, key(), np.full(4, 0.1)),
        )
        yield f"pack {kind}", lambda a=images: augment.pack(a, 2)
        for function in (consistency.cycle_consistency_loss, consistency.identity_loss):
            yield f"{function.__name__} {kind}", lambda f=function, a=images, b=others: f(a, b)
        yield (
            f"kept pool {kind}",
            lambda a=images: pool.query(pool.init_pool(2, (4, 4, 1), a.dtype), a, key()),
        )
    for distribution in latent.DISTRIBUTIONS:
        yield distribution, lambda d=distribution: latent.draw_latents(key(), 3, 4, d)
    yield "annealed", lambda: augment.annealed(np.float64(0.3), 3, 10)
    whole = np.rint(127.5 * (IMAGES + 1)).astype(np.uint8)
    yield "flips", lambda: minibatch.prepare_batch({"real": jnp.asarray(whole)}, key(), flip=True)
    features = RNG.normal(size=(40, 6)), RNG.normal(size=(50, 6))
    yield "sliced", lambda: metrics.sliced_wasserstein(*features, key=key())
    yield "frechet", lambda: metrics.frechet_distance(*features)
    yield "kernel", lambda: metrics.kernel_distance(*features, key=key(), subset_size=20, subsets=3)
    pictures = RNG.integers(0, 256, (2, 4, 32, 32, 1), np.uint8)
    yield "patches", lambda: metrics.laplacian_sliced_wasserstein(*pictures, key=key())
    yield "neighbours", lambda: metrics.precision_recall_density_coverage(*features, k=3)
    yield "inception", lambda: metrics.inception_score(np.full((8, 4), 0.25), splits=2)
    yield "psnr", lambda: metrics.psnr(*pictures)
    yield "centre hole", lambda: degrade.centre_hole(2, 8, 8)
    yield "boxes", lambda: degrade.random_boxes(key(), 2, 8, 8)
    yield "strokes", lambda: degrade.strokes(key(), 2, 16, 16)
    yield "luminance", lambda: metrics.luminance(COLOURS, 1)
    yield "weight directions", lambda: latent.weight_directions(REAL, 2)
    few = features[0].astype(np.float32)
    yield "feature directions", lambda: latent.feature_directions(few, np.square(few), 2)
    yield "truncated", lambda: latent.truncated(REAL, 0.5)
    mixed = codes.Codes((3, 2), 1)
    coded = codes.prior(2, mixed)(key(), 4)
    parts = codes.take_apart(coded, mixed)
    yield "coded prior", lambda: coded
    yield "categorical loss", lambda: codes.categorical_loss(coded[:, 2:], parts)
    yield "continuous loss", lambda: codes.continuous_loss(coded[:, 2:], parts)
    yield "sweep", lambda: codes.sweep(coded[0], mixed, 2, steps=3)
    yield "without", lambda: latent.without(REAL[0], FAKE[:2])
    yield "diversity", lambda: metrics.sample_diversity(*features)


def main() -> None:
    found = {}
    for name, call in calls():
        leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(call())]
        if any(jnp.iscomplexobj(leaf) for leaf in leaves):
            raise TypeError(name)
        found[name] = [
            (str(leaf.dtype), np.asarray(leaf, np.float64).ravel().tolist()) for leaf in leaves
        ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
