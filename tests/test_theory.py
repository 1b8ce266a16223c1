"""The programs of `experiments/theory`: their numbers against closed forms, and their pictures."""

import importlib.util
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.special import expit

FOLDER = Path(__file__).parents[1] / "experiments" / "theory"
PROGRAMS = (
    "collapse",
    "dirac",
    "disjoint",
    "divergences",
    "landscape",
    "lipschitz",
    "optimum",
    "saturation",
)


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"theory_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_are_here():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.py"))) == PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_opens_with_its_command_and_what_it_found(name):
    text = (FOLDER / f"{name}.py").read_text()
    command = f"    python experiments/theory/{name}.py [--out {name}.png]\n"
    assert f"{command}\nIt found" in text


def test_the_minimax_gradient_vanishes_and_the_other_does_not(tmp_path):
    found = program("saturation").measure(tmp_path / "a.png")
    assert found["minimax, D = 1/2"] == pytest.approx(-0.5)
    assert found["minimax, D = 1e-6"] == pytest.approx(-1e-6, rel=1e-3)
    assert found["non-saturating, D = 1e-6"] == pytest.approx(1e-6 - 1)
    for name in ("minimax", "non-saturating"):
        assert found[f"{name}, largest relative error"] < 1e-4
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (720, 420)


def test_the_bilinear_game_circles_and_r1_damps_it(tmp_path):
    dirac = program("dirac")
    found = dirac.measure(tmp_path / "a.png")
    for name, value in found.items():
        if "eigenvalues" in name:
            assert value < 1e-6, name
    growth = found["simultaneous, theory"]
    assert growth == pytest.approx((1 + 0.01) ** 250)
    assert found["simultaneous: last distance over the first"] == pytest.approx(growth, rel=1e-3)
    assert 0.5 < found["alternating: last distance over the first"] < 2
    assert found["alternating, averaged: distance over the first"] < 0.1
    assert found["with R1: last distance over the first"] < 1e-4
    assert (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_the_best_discriminator_is_p_over_p_plus_q(tmp_path):
    found = program("optimum").measure(tmp_path / "a.png")
    assert found["largest error of D"] < 0.03
    assert found["loss"] == pytest.approx(found["log 4 - 2 JS"], abs=2e-3)
    assert found["largest |D - 1/2| where p = q"] < 0.03
    assert found["loss where p = q"] == pytest.approx(found["log 4"], abs=2e-3)


@pytest.mark.slow
def test_disjoint_densities_tell_a_critic_the_way_and_minimax_nothing(tmp_path):
    disjoint = program("disjoint")
    found = disjoint.measure(tmp_path / "a.png")
    for d in disjoint.DISTANCES:
        assert found[f"d = {d}: W by SciPy"] == pytest.approx(d, abs=1e-9)
        assert found[f"d = {d}: W by a critic"] == pytest.approx(d, rel=0.1, abs=0.05)
    for d in (2.0, 3.0):
        assert found[f"d = {d}: JS by a discriminator"] == pytest.approx(0.6931, abs=0.01)
        assert abs(found[f"d = {d}: gradient of minimax"]) < 0.01
        assert found[f"d = {d}: gradient of Wasserstein"] == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("name", ["plain", "least squares", "instance noise"])
def test_the_best_discriminator_is_the_ratio_of_what_is_seen(name):
    landscape = program("landscape")
    loss, sigma, _ = landscape.TRICKS[name]
    p, q = (landscape.seen(c, sigma).pdf(landscape.GRID[:, 0]) for c in (-2, 2))
    scores = np.asarray(landscape.best(*landscape.TRICKS[name])(landscape.GRID))
    found = scores if loss is landscape.least_squares else expit(scores)
    np.testing.assert_allclose(found, p / (p + q), atol=1e-6)


def test_the_least_squares_loss_is_least_at_the_ratio():
    landscape = program("landscape")
    p, q = (landscape.seen(c, 0).pdf(landscape.GRID[:, 0]) for c in (-2, 2))
    best = landscape.best(*landscape.TRICKS["least squares"])(landscape.GRID)
    slope = jax.grad(landscape.least_squares.discriminator, argnums=(0, 1))
    real, fake = slope(best, best)  # Each over as many points, which the densities weigh.
    np.testing.assert_allclose(real * p + fake * q, 0, atol=1e-8)


def test_pulls_are_the_gradients_of_the_generators_losses():
    landscape = program("landscape")
    x = landscape.seen(2, 0).ppf((np.arange(256) + 0.5) / 256)
    size, share = landscape.pulls(lambda x: -3 * x[:, 0], landscape.minimax, 0.0)
    assert size == pytest.approx((3 * expit(-3 * x)).mean(), rel=1e-4)
    assert share == 1
    size, share = landscape.pulls(lambda x: 0.1 * x[:, 0], landscape.least_squares, 0.0)
    assert size == pytest.approx((0.1 * (1 - 0.1 * x)).mean(), rel=1e-4)
    assert share == 0  # D grows to the right, and so draws the fakes away.


@pytest.mark.slow
def test_noise_and_penalty_tell_fakes_the_way_and_least_squares_for_a_while(tmp_path):
    found = program("landscape").measure(tmp_path / "a.png")
    # Three seeds: at most .001, .010, .003, .006; the penalty's has a finite weight.
    for name in ("plain", "least squares", "instance noise", "gradient penalty"):
        assert found[f"{name}: largest error of D"] < 0.02, name
    for name in ("instance noise", "gradient penalty"):
        assert found[f"{name}: pull"] == pytest.approx(
            found[f"{name}: pull by the best D"], rel=0.05
        )
        assert found[f"{name}: share pulled towards the real"] == 1
        assert found[f"{name}: pull"] > 100 * found["plain: pull"]
    assert found["plain: pull"] < 1e-3
    assert found["least squares: pull"] < 0.01
    young = {name: found[f"{name}: pull after 200 steps"] for name in ("plain", "least squares")}
    assert young["least squares"] > 10 * young["plain"]
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1200, 480)


def test_shrunk_points_are_as_far_as_the_formula_says():
    lipschitz = program("lipschitz")
    real = np.asarray(lipschitz.points(jax.random.key(0), 400), float)
    fake = lipschitz.SHRINK * real
    costs = np.linalg.norm(real[:, None] - fake[None], axis=-1)
    assignment = costs[linear_sum_assignment(costs)].mean()
    shrunk = (1 - lipschitz.SHRINK) * np.linalg.norm(real, axis=1).mean()
    assert assignment == pytest.approx(shrunk, rel=1e-9)
    # The mean of 400 lengths has a deviation of .005.
    assert assignment == pytest.approx(0.75 * 2.0025, abs=0.015)


def test_the_norm_that_clipping_allows_is_reached():
    lipschitz = program("lipschitz")
    params = lipschitz.NETWORK.init(jax.random.key(0), jnp.ones((1, 2)), train=False)["params"]
    params = jax.tree.map(lambda leaf: jnp.full_like(leaf, lipschitz.LIMIT), params)
    norm = lipschitz.norms(params, jnp.ones((1, 2)))[0]
    assert norm == pytest.approx(2**0.5 * 0.01 * 0.64**2, rel=1e-5)


@pytest.mark.slow
def test_clipping_drives_weights_to_the_limit_and_the_penalty_norms_to_one(tmp_path):
    found = program("lipschitz").measure(tmp_path / "a.png")
    clipping, penalty = (
        {name.split(": ")[1]: value for name, value in found.items() if name.startswith(which)}
        for which in ("clipping", "gradient penalty")
    )
    assert found["W"] == pytest.approx(1.5019, abs=1e-4)
    assert clipping["largest weight"] == pytest.approx(0.01)
    assert clipping["share within 1 % of it"] > 0.9
    assert penalty["share within 1 % of it"] < 0.01
    assert clipping["largest norm"] < clipping["norm allowed"] / 2
    assert penalty["mean norm between"] == pytest.approx(penalty["1 + W / (2 λ)"], abs=0.01)
    # No gap is larger. Three seeds: .99 with the penalty, .67 to .75 with clipping.
    assert 0.6 < clipping["gap over the largest norm"] / found["W"] < 0.9
    assert 0.95 < penalty["gap over the largest norm"] / found["W"] <= 1
    assert (tmp_path / "a.png").exists()


def test_the_grid_minimiser_of_the_forward_divergence_is_the_moments():
    divergences = program("divergences")
    # Of the mixture by hand: -.4 · 1.4, and .25 + 1.96 - .3136.
    assert list(divergences.MOMENTS) == pytest.approx([-0.56, 1.8964**0.5])
    found = divergences.least(divergences.DIVERGENCES["KL(p, q)"])
    assert found == pytest.approx(divergences.MOMENTS, abs=1e-4)
    for divergence in divergences.DIVERGENCES.values():
        assert divergence(divergences.LOG_P) == pytest.approx(0, abs=1e-12)


def test_likelihood_finds_the_moments_and_the_reverse_divergence_a_mode():
    divergences = program("divergences")
    found, of_samples = divergences.by_likelihood()
    assert found == pytest.approx(of_samples, abs=1e-4)
    # 20,000 samples: three standard errors of the mean.
    assert of_samples == pytest.approx(divergences.MOMENTS, abs=3 * 1.377 / 20_000**0.5)
    found = divergences.by_reverse_kl()
    assert found == pytest.approx(divergences.least(divergences.DIVERGENCES["KL(q, p)"]), abs=1e-3)
    assert found == pytest.approx([-divergences.AWAY, divergences.STD], abs=0.02)


def test_collapse_counts_modes_and_finds_maxima():
    collapse = program("collapse")
    frames = np.stack([np.repeat(collapse.CENTERS[k : k + 1], 16, axis=0) for k in (0, 1, 1, 2)])
    found = collapse.on_the_ring(np.concatenate([frames] * 10))
    assert found["most modes held at once"] == found["modes held at the end"] == 1
    assert found["modes that led"] == 3
    assert found["changes of the lead in 39"] == 2 * 10 + 9
    assert found["share of the leading mode, later half"] == 1
    grid = np.stack(np.meshgrid(collapse.TICKS, collapse.TICKS), axis=-1)
    away = np.linalg.norm(grid[..., None, :] - collapse.CENTERS, axis=-1)
    heights = np.arange(8)  # The highest is the last, and each is at a centre.
    scores = (heights - 100 * away**2).max(axis=-1)
    ends = np.repeat(collapse.CENTERS[[7, 3], None], 16, axis=1)
    split = np.concatenate([ends[:1, :8], ends[1:, :8]], axis=1)
    found = collapse.against_frozen(scores, np.concatenate([ends, split])[None])
    assert found["generators of 8 that end in one point"] == 2
    assert found["how many are at the highest"] == 1
    assert found["farthest of these points from a maximum of D"] < 0.01  # The grid's step is .01.
    assert found["D at the highest"] == pytest.approx(7, abs=0.01)


@pytest.mark.slow
def test_each_gan_ends_where_the_divergence_of_its_loss_is_least(tmp_path):
    found = program("divergences").measure(tmp_path / "a.png")
    # Within the noise of batches of 512: measured .005 and .002 at most.
    for gan, theory in (("minimax", "least JS"), ("non-saturating", "least softened KL")):
        for number in ("m", "s"):
            expected = pytest.approx(found[f"{theory}: {number}"], abs=0.03)
            assert found[f"{gan} GAN: {number}"] == expected
    assert found["minimax GAN: s"] > 1.2
    assert found["non-saturating GAN: s"] < 0.6
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1080, 600)


@pytest.mark.slow
def test_generators_collapse_on_a_frozen_discriminator_and_hop_on_a_learning_one(tmp_path):
    found = program("collapse").measure(tmp_path / "a.png")
    assert found["frozen: mean spread at the start"] > 0.2
    assert found["frozen: median spread at the end"] < 0.01
    # Measured: 7, the other split among three maxima.
    assert found["frozen: generators of 8 that end in one point"] >= 5
    # The grid's step is .01.
    assert found["frozen: farthest of these points from a maximum of D"] < 0.02
    # Of four seeds, later half: .9 to 1.3 modes without R1, a lead of .78 to .84; 7.5 to 8 and .18
    # with it.
    assert found["without R1: most modes held at once"] <= 6
    assert found["without R1: modes held, mean of the later half"] < 3.5
    assert found["without R1: modes that led"] >= 6
    assert found["without R1: changes of the lead in 39"] > 20
    assert found["without R1: share of the leading mode, later half"] > 0.5
    assert found["with R1: modes held, mean of the later half"] > 6
    assert found["with R1: share of the leading mode, later half"] < 0.35
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1320, 744)
