"""Runs that make images of conditions: pairs, colours of grey, drawings, larger images."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from silent import Silent

from jaxgan import degrade, load, train
from jaxgan.cli.main import main
from jaxgan.data.paired import PairedSpec
from jaxgan.data.source import Spec
from jaxgan.experiment import (
    InpaintingExperiment,
    PairedExperiment,
    SuperResolutionExperiment,
    check,
)
from jaxgan.experiment.folders import in_tiles
from jaxgan.experiment.inpainting import eroded
from jaxgan.metrics import frechet_distance, laplacian_variance, luminance, psnr, reduced_pixels
from jaxgan.networks.cyclegan import PatchOptions
from jaxgan.networks.super_resolution import SRGANDiscriminatorOptions, SuperResolutionOptions
from jaxgan.networks.unet import UNetOptions
from jaxgan.runs.log import digest

pytestmark = pytest.mark.usefixtures("undrawn")
RNG = np.random.default_rng(0)
SPEC = PairedSpec(Spec((16, 16, 3), 0))
PATCHES = PatchOptions(width=4, layers=1, normalization="none", inner_bias=False)
TINY = PairedExperiment(
    name="tiny",
    steps=4,
    pretrain_steps=2,
    batch_size=4,
    flip=True,
    generator=UNetOptions(width=4, depth=2),
    discriminator=PATCHES,
    **dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 2),
)
ENLARGING = SuperResolutionExperiment(
    name="enlarging",
    steps=2,
    batch_size=4,
    patch_size=16,
    rotate=True,
    generator=SuperResolutionOptions(factor=2, blocks=1, width=4),
    discriminator=SRGANDiscriminatorOptions(width=2, hidden=4),
    **dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 2),
)


def write(path, *shape):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = RNG.integers(0, 256, shape, np.uint8)
    Image.fromarray(image).save(path)
    return image


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    for i in range(6):
        write(folder / "train" / f"{i}.png", 16, 32, 3)
    for i in range(3):
        write(folder / "val" / f"{i}.png", 16, 32, 3)
    return folder


@pytest.fixture(scope="module")
def run(pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "pairs"
    return train(dataclasses.replace(TINY, data=str(pairs)), out, reporter=Silent())


def test_pretraining_is_a_phase_without_a_discriminator(run):
    before, after = (line for line in run.metrics if "images_seen" in line)
    assert "discriminator_loss" not in before
    assert {"discriminator_loss", "adversarial", "reconstruction"} <= set(after)
    assert before["generator_loss"] == pytest.approx(100 * before["reconstruction"], rel=1e-5)
    first, second = run.experiment.phases() if run.experiment.pretrain_steps else TINY.phases()
    assert (first.steps, second.steps) == (2, 2)
    assert first.experiment.adversarial_weight == 0
    assert second.experiment.pretrain_steps == 0


@pytest.mark.parametrize(("pretrained", "kept"), [(3, 2), (2, 2), (2, 3)])
def test_a_resumed_run_is_the_same_in_a_phase_and_at_its_border(pairs, tmp_path, pretrained, kept):
    """Cut back to an earlier checkpoint, of which three are kept, and resumed."""
    experiment = dataclasses.replace(
        TINY, data=str(pairs), pretrain_steps=pretrained, checkpoint_every=1
    )
    whole = train(experiment, tmp_path / "run", reporter=Silent())
    for step in range(kept + 1, 5):
        shutil.rmtree(tmp_path / "run" / "checkpoints" / str(step))
    assert load(tmp_path / "run").step == kept
    assert main(["resume", str(tmp_path / "run")]) == 0
    again = load(tmp_path / "run")
    assert (again.step, digest(again.variables)) == (4, digest(whole.variables))


def test_a_folder_is_translated(run, pairs, tmp_path, capfd):
    image = write(tmp_path / "in" / "a.png", 16, 16, 3)
    command = ["translate", str(run.directory), "--input", str(tmp_path / "in"), "--output"]
    assert main([*command, str(tmp_path / "out")]) == 0
    out = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    np.testing.assert_array_equal(out, run.translate(image[None])[0])
    real = jnp.asarray(image[None], jnp.float32) / 127.5 - 1
    expected = run.game.sample(run.variables, real)[0]
    np.testing.assert_allclose(out, (expected + 1) * 127.5, atol=0.51)
    noisy = [run.translate(image[None], noise=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(noisy[0], noisy[1])
    capfd.readouterr()


def test_evaluations_compare_with_the_truth(run):
    metrics = run.evaluate()["metrics"]
    source = run.experiment.open_source("test")
    batch = {name: np.asarray(array) for name, array in source.take(np.arange(3)).items()}
    made = run.translate(batch["condition"])
    difference = made.astype(float) - batch["real"]
    assert metrics["l1"] == pytest.approx(np.abs(difference).mean() / 127.5, rel=1e-4)
    errors = np.square(difference / 255).mean((1, 2, 3))
    assert metrics["psnr"] == pytest.approx(-10 * np.log10(errors).mean(), rel=1e-4)
    assert set(run.experiment.metric_names(source.spec)) == {"l1", "psnr", "ssim"}
    assert metrics["sharpness"] == pytest.approx(laplacian_variance(made).mean(), rel=1e-5)
    a, b = (reduced_pixels(images) for images in (made, batch["real"]))
    assert metrics["frechet"] == pytest.approx(frechet_distance(a, b), rel=1e-5)


def test_evaluations_take_own_features(run):
    record = run.evaluate(lambda images: images.mean((1, 2), dtype=np.float64))
    truth = run.experiment.open_source("test").take(np.arange(3))["real"]
    assert record["real"]["sharpness"] == pytest.approx(laplacian_variance(truth).mean(), rel=1e-5)
    assert "lambda" in record["protocol"]["features"]
    with pytest.raises(ValueError, match="allowed are pixels and a function"):
        run.evaluate("classifier")


def test_the_command_evaluates(run, tmp_path, capfd):
    assert main(["evaluate", str(run.directory), "--out", str(tmp_path / "found.json")]) == 0
    out = capfd.readouterr().out
    assert "3 samples against" in out
    assert all(name in out for name in ("l1", "psnr", "ssim", "sharpness", "frechet", "real"))


def test_a_panel_shows_condition_result_and_truth(run):
    with Image.open(run.directory / "samples" / "step_000004.png") as picture:
        assert picture.size[0] > 3 * 16


@pytest.mark.parametrize("kind", ["grey", "edges", "noise"])
def test_conditions_are_made_of_images(kind):
    experiment = dataclasses.replace(TINY, degrade=kind, pretrain_steps=0)
    images = jnp.asarray(RNG.integers(0, 256, (4, 16, 16, 3), np.uint8))
    batch = experiment.prepare({"real": images}, jax.random.key(0))
    real, condition = batch["real"], batch["condition"]
    if kind == "noise":
        assert condition.shape == real.shape
        assert 0.1 < jnp.std(condition - real) < 0.2  # Clipped at white and black.
    else:
        np.testing.assert_allclose(condition, getattr(degrade, kind)(real), atol=1e-6)
    again = experiment.prepare({"real": images}, jax.random.key(0))
    np.testing.assert_array_equal(again["condition"], condition)
    reading = experiment.read(SPEC)
    assert reading.spec.shape == condition.shape[1:]
    assert reading.unit == 4


def test_halves_are_mirrored_together():
    images = jnp.asarray(RNG.integers(0, 256, (32, 16, 16, 3), np.uint8))
    batch = TINY.prepare({"real": images, "condition": images}, jax.random.key(0))
    np.testing.assert_array_equal(batch["real"], batch["condition"])
    mirrored = (batch["real"] != images.astype(jnp.float32) / 127.5 - 1).any((1, 2, 3))
    assert 0 < mirrored.sum() < 32


def test_images_are_enlarged_and_measured_on_luminance(tmp_path, capfd):
    for name, shape in {"train/a": (20, 33, 3), "test/b": (16, 17, 3)}.items():
        write(tmp_path / "photos" / f"{name}.png", *shape)
    experiment = dataclasses.replace(ENLARGING, data=str(tmp_path / "photos"))
    run = train(experiment, tmp_path / "run", reporter=Silent())
    small = write(tmp_path / "in" / "odd.png", 7, 9, 3)
    command = ["translate", str(tmp_path / "run"), "--input", str(tmp_path / "in"), "--output"]
    assert main([*command, str(tmp_path / "out")]) == 0
    assert "own size" in capfd.readouterr().out
    out = np.asarray(Image.open(tmp_path / "out" / "odd.png"))
    assert out.shape == (14, 18, 3)
    np.testing.assert_array_equal(out, run.translate(small[None])[0])

    record = run.evaluate()
    assert record["protocol"]["compared"] == "the Y channel without 2 pixels of each border"
    source = experiment.open_source("test")
    real = np.asarray(source.take(np.arange(len(source)))["real"])
    floats = jnp.asarray(real, jnp.float32) / 127.5 - 1
    low = np.rint((np.asarray(degrade.downscale(floats, 2)) + 1) * 127.5).astype(np.uint8)
    expected = psnr(luminance(run.translate(low), 2), luminance(real, 2)).mean()
    assert record["metrics"]["psnr"] == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("shape", [(5, 9), (16, 16), (17, 40), (31, 33), (64, 15)])
def test_tiles_are_joined_as_if_the_image_were_whole(shape):
    """By a function whose output depends on 2 pixels around, and enlarges twice."""

    def blurred(batch):
        assert max(batch.shape[1:3]) <= 16
        padded = np.pad(batch.astype(int), ((0, 0), (2, 2), (2, 2), (0, 0)))
        sums = sliding_window_view(padded, (5, 5), (1, 2)).sum((-1, -2)) // 25
        return sums.astype(np.uint8).repeat(2, 1).repeat(2, 2)

    batch = RNG.integers(0, 256, (2, *shape, 3), np.uint8)
    padded = np.pad(batch.astype(int), ((0, 0), (2, 2), (2, 2), (0, 0)))
    whole = (sliding_window_view(padded, (5, 5), (1, 2)).sum((-1, -2)) // 25).astype(np.uint8)
    found = in_tiles(blurred, batch, 16, 2)
    np.testing.assert_array_equal(found, whole.repeat(2, 1).repeat(2, 2))


def test_a_generator_depends_on_no_more_than_the_overlap():
    """The gradient of an output pixel reaches as far, and no further."""
    experiment = dataclasses.replace(
        ENLARGING, generator=SuperResolutionOptions(factor=4, blocks=2, width=4)
    )
    network = experiment.make_generator(SPEC)
    small = jax.random.normal(jax.random.key(0), (1, 41, 41, 3))
    variables = network.init(jax.random.key(1), small)

    def pixel(small):
        return network.apply(variables, small, train=False)[0][0, 82, 82].sum()

    rows = np.flatnonzero(np.abs(jax.grad(pixel)(small)).sum((0, 2, 3)))
    assert max(20 - rows[0], rows[-1] - 20) <= experiment.read(SPEC).overlap


HOLED = InpaintingExperiment(
    name="holed",
    steps=2,
    batch_size=4,
    unet=UNetOptions(width=4, depth=2),
    discriminator=PATCHES,
    conditional=True,
    **dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 2),
)


@pytest.mark.parametrize("hole", ["centre", "box", "strokes"])
def test_a_condition_has_a_hole_and_its_mask(hole):
    experiment = dataclasses.replace(HOLED, hole=hole)
    images = jnp.asarray(RNG.integers(0, 256, (4, 16, 16, 3), np.uint8))
    batch = experiment.prepare({"real": images}, jax.random.key(0))
    known, mask = batch["condition"][..., :3], batch["condition"][..., 3:]
    assert set(np.unique(mask)) == {-1, 1}
    np.testing.assert_array_equal(known, jnp.where(mask > 0, 0, batch["real"]))
    if hole == "centre":
        assert (mask[:, 4:12, 4:12] == 1).all()
        assert (mask == 1).mean() == 1 / 4
    else:
        assert len({each.tobytes() for each in np.asarray(mask)}) == 4  # Each its own.


def test_the_border_of_a_hole_weighs_more():
    """A hole of 8x8, of which all but the inner 4x4 is within 2 pixels of what is known."""
    experiment = dataclasses.replace(HOLED, border_weight=10.0, border=2)
    batch = experiment.prepare({"real": jnp.zeros((1, 16, 16, 1))}, jax.random.key(0))
    truth = jnp.zeros((1, 16, 16, 1))
    inner = truth.at[:, 7, 7].set(1.0)
    edge = truth.at[:, 4, 9].set(1.0)
    outside = truth.at[:, 0, 0].set(1.0)
    total = 16 + 10 * 48
    for images, expected in ((inner, 1 / total), (edge, 10 / total), (outside, 0)):
        found = experiment.reconstruct(images, truth, batch["condition"])
        assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_hole_at_the_frame_has_no_border_there():
    masks = jnp.zeros((1, 6, 6, 1)).at[:, :4].set(1)
    np.testing.assert_array_equal(eroded(masks, 1)[0, :, 0, 0], [1, 1, 1, 0, 0, 0])


def test_the_discriminator_may_see_the_hole_alone():
    experiment = dataclasses.replace(HOLED, judge_hole=True, conditional=False)
    game = experiment.make_game(SPEC)
    batch = {"real": jax.ShapeDtypeStruct((2, 16, 16, 3), jnp.uint8)}
    prepared = jax.eval_shape(experiment.prepare, batch, jax.random.key(0))
    window = experiment.game_options(SPEC)["window"]
    assert jax.eval_shape(window, prepared["real"]).shape == (2, 8, 8, 3)
    sides, _ = jax.eval_shape(game.init, jax.random.key(0), prepared)
    assert set(sides) == {"generator", "discriminator"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("holes")
    for split in ("train", "test"):
        for i in range(4):
            write(folder / "photos" / split / f"{i}.png", 16, 16, 3)
    experiment = dataclasses.replace(HOLED, data=str(folder / "photos"))
    return train(experiment, folder / "run", reporter=Silent())


def test_holes_are_filled_where_masks_are_light_or_images_transparent(filled, tmp_path, capfd):
    image = write(tmp_path / "in" / "a.png", 16, 16, 3)
    hole = np.zeros((16, 16), bool)
    hole[3:9, 5:15] = True
    (tmp_path / "masks").mkdir()
    for path in (tmp_path / "mask.png", tmp_path / "masks" / "a.png"):
        Image.fromarray(hole.astype(np.uint8) * 255).save(path)
    clear = np.concatenate([image, np.where(hole, 0, 255).astype(np.uint8)[..., None]], axis=-1)
    (tmp_path / "clear").mkdir()
    Image.fromarray(clear).save(tmp_path / "clear" / "a.png")

    def results(folder, *options):
        command = ["translate", str(filled.directory), "--input", str(tmp_path / folder)]
        out = tmp_path / "out"
        assert main([*command, "--output", str(out), "--overwrite", *options]) == 0
        return np.asarray(Image.open(out / "a.png"))

    by_mask = results("in", "--mask", str(tmp_path / "mask.png"))
    np.testing.assert_array_equal(by_mask[~hole], image[~hole])
    whole = np.concatenate([image, hole[..., None] * np.uint8(255)], axis=-1)[None]
    np.testing.assert_array_equal(by_mask, filled.translate(whole)[0])
    np.testing.assert_array_equal(results("in", "--mask", str(tmp_path / "masks")), by_mask)
    capfd.readouterr()
    np.testing.assert_array_equal(results("clear"), by_mask)
    assert "warning" not in capfd.readouterr().err


def test_images_without_a_hole_and_masks_without_a_use_are_refused(filled, run, tmp_path, capfd):
    write(tmp_path / "in" / "a.png", 16, 16, 3)
    command = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert main(["translate", str(filled.directory), *command]) == 1
    assert "has no hole: nothing of it is transparent or masked" in capfd.readouterr().err
    mask = ["--mask", str(tmp_path / "nowhere.png"), "--overwrite"]
    assert main(["translate", str(filled.directory), *command, *mask]) == 2
    assert "is neither an image nor a folder of images" in capfd.readouterr().err
    assert main(["translate", str(run.directory), *command, *mask]) == 2
    assert "--mask is of runs that fill holes" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (
            dataclasses.replace(
                TINY, adversarial_weight=0.0, reconstruction_weight=0.0, pretrain_steps=0
            ),
            "are all 0: nothing would be learnt",
        ),
        (dataclasses.replace(TINY, pretrain_steps=4), "pretrain_steps 4 must leave some of the 4"),
        (
            dataclasses.replace(TINY, penalty="r1", adversarial_weight=0.0),
            "penalty r1 needs a discriminator, and with adversarial_weight 0 there is none",
        ),
        (
            dataclasses.replace(TINY, reuse_fakes=True, adversarial_weight=0.0),
            "reuse_fakes shares images with a discriminator, and with adversarial_weight 0",
        ),
        (dataclasses.replace(TINY, degrade="grey", data_b="x"), "data_b x is of pairs, and with"),
        (
            dataclasses.replace(HOLED, judge_hole=True, hole="box"),
            "judge_hole needs a hole in the middle, and hole is box",
        ),
        (
            dataclasses.replace(HOLED, network="context_encoder"),
            "unet.width 4 has no use, as network is context_encoder",
        ),
        (dataclasses.replace(ENLARGING, image_size=16), "patch_size 16 cuts images as they are"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(experiment, message):
    with pytest.raises(ValueError, match=message):
        check(experiment)


def test_data_that_do_not_fit_are_refused(pairs):
    def refused(experiment, message):
        with pytest.raises(ValueError, match=message):
            experiment.check_source(experiment.open_source())

    refused(dataclasses.replace(TINY, data="digits", degrade="grey"), "'digits' are grey images")
    small = dataclasses.replace(TINY, data=str(pairs), load_size=8)
    refused(small, "load_size 8 is smaller than the 16 pixels")
    many = dataclasses.replace(TINY, data=str(pairs), batch_size=7)
    refused(many, "batch_size 7 is larger than the data set")
    odd = dataclasses.replace(ENLARGING, data=str(pairs / "train"), patch_size=15, rotate=False)
    refused(odd, "generator.factor 2 must divide the sides of the images, 15x15")
