"""Runs whose discriminators name classes or recognise codes, and what their commands do."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from silent import Silent

from jaxgan import codes, latent, load, train
from jaxgan.cli.main import main
from jaxgan.data import Spec
from jaxgan.experiment import (
    CodeOptions,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    LabelChoice,
)
from jaxgan.experiment.generation import sweeps
from jaxgan.matrices import names
from jaxgan.runs.log import digest

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = {"family": "mlp", "width": 8, "depth": 1, "normalization": "none"}
BATCH = SMALL | {"normalization": "batch"}
TINY = Experiment(
    name="tiny",
    steps=2,
    conditional=True,
    label_use="classifier",
    codes=CodeOptions(categorical=(3,), continuous=2, hidden=4),
    generator=GeneratorOptions(**BATCH, latent_size=4, spectral_norm=True),
    discriminator=DiscriminatorOptions(**SMALL, spectral_norm=True),
    **dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 1),
)
MIXED = codes.Codes((3,), 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(TINY, tmp_path_factory.mktemp("runs") / "tiny", reporter=Silent())


def test_both_players_log_what_they_pay(run):
    logged = run.metrics[0]
    for player in ("discriminator", "generator"):
        assert logged[f"{player}_classes"] > 0
        assert logged[f"{player}_codes"] > 0
    # Logits of 10 classes and of 3 categories that know nothing yet, and ½ E u² = 1/6 a number.
    assert logged["discriminator_classes"] == pytest.approx(np.log(10), rel=0.2)
    assert logged["discriminator_codes"] == pytest.approx(np.log(3) + 0.1 / 3, rel=0.2)


def goes_on_to_the_same_bits(run):
    """Whether a run without its last checkpoint, resumed, ends as it did."""
    expected = digest(run.state())
    shutil.rmtree(run.directory / "checkpoints" / "2")
    assert main(["resume", str(run.directory)]) == 0
    return digest(load(run.directory).state()) == expected


def test_a_resumed_run_is_the_same_to_the_bit(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run.directory, copy)
    assert goes_on_to_the_same_bits(load(copy))


@pytest.mark.slow
def test_a_resumed_biggan_with_all_it_can_have_is_the_same_to_the_bit(tmp_path):
    """Attention, spectral vectors of both sides, a classifier, codes, two discriminator steps."""
    experiment = dataclasses.replace(
        TINY,
        image_size=32,
        batch_size=8,
        discriminator_steps=2,
        generator=GeneratorOptions(
            *("biggan", 2), attention=16, latent_size=11, spectral_norm=True, orthogonal_weight=1e-4
        ),
        discriminator=DiscriminatorOptions(
            *("biggan", 2), attention=16, normalization="none", spectral_norm=True
        ),
        ema_start=1,
    )
    run = train(experiment, tmp_path / "run", reporter=Silent())
    for side in run.state().sides.values():
        leaves = jax.tree_util.tree_leaves_with_path(side.variables.params)
        scales = [
            leaf
            for path, leaf in leaves
            if names(path)[-1] == "scale" and "SelfAttention_0" in names(path)
        ]
        assert [bool(scale) for scale in scales] == [True]  # It started at 0, and has learnt.
    assert goes_on_to_the_same_bits(run)


@pytest.mark.parametrize("use", ["projection", "channels", "classifier"])
@pytest.mark.parametrize(
    ("family", "size"), [("dcgan", 8), ("resnet", 8), ("mlp", 8), ("biggan", 32)]
)
def test_every_family_uses_labels_in_every_way(use, family, size):
    experiment = dataclasses.replace(
        TINY,
        label_use=use,
        generator=GeneratorOptions(family=family, width=4, latent_size=3),  # 8 with the codes
        discriminator=DiscriminatorOptions(family=family, width=4),
    )
    spec = Spec((size, size, 1), 10)
    game = experiment.make_game(spec)
    batch = {"real": jnp.zeros((4, size, size, 1)), "label": jnp.arange(4)}
    sides, _ = jax.eval_shape(game.init, jax.random.key(0), batch)
    assert ("classes" in str(jax.tree.structure(sides["discriminator"].params))) is (
        use == "classifier"
    )
    drawn = experiment.inputs(spec).draw(jax.random.key(0), 2, LabelChoice())
    assert drawn[0].shape == (2, 3 + 3 + 2)
    assert jax.eval_shape(game.sample, sides["generator"], *drawn).shape == (2, size, size, 1)


def test_truncation_leaves_codes_alone(run):
    plain, cut = (run.draw(5, 0, LabelChoice(truncation=limit))[0] for limit in (None, 0.5))
    np.testing.assert_allclose(cut[:, :4], latent.truncated(plain[:, :4], 0.5))
    np.testing.assert_array_equal(cut[:, 4:], plain[:, 4:])


def test_standing_statistics_are_of_the_samples_that_are_asked_for(run, tmp_path):
    plain, cut = run.with_standing(4), run.with_standing(4, LabelChoice(label=3, truncation=0.1))
    assert (plain.standing, run.standing) == (4, 0)
    statistics = [r.variables.state["batch_stats"] for r in (run, plain, cut)]
    variances = [jax.tree.leaves(s)[-1].mean() for s in statistics]
    # Noise hardly varies then, and classes and codes do.
    assert 0 < variances[2] < variances[1] != variances[0]
    every_class = run.with_standing(4, LabelChoice(truncation=0.1))
    jax.tree.map(np.testing.assert_array_equal, cut.variables.state, every_class.variables.state)
    command = f"sample {run.directory} --count 3 --truncation 0.1 --standing 4 --out {{}}"
    assert main(command.format(tmp_path / "a.npz").split()) == 0
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], every_class.sample(3, truncation=0.1))
    assert not np.array_equal(every_class.sample(3), run.sample(3))


def test_a_generator_without_batch_statistics_has_no_standing_ones(run):
    plain = dataclasses.replace(TINY, generator=GeneratorOptions(**SMALL, latent_size=4))
    game = plain.make_game(run.spec)
    other = dataclasses.replace(run, experiment=plain, game=game._replace(network=None))
    with pytest.raises(ValueError, match="tiny has none"):
        other.with_standing()
    batch = {"real": jnp.zeros((2, 8, 8, 1)), "label": jnp.arange(2)}
    sides, _ = game.init(jax.random.key(0), batch)
    other = dataclasses.replace(other, game=game, variables=sides["generator"])
    with pytest.raises(ValueError, match="no batch statistics"):
        other.with_standing(2)


def test_walks_keep_noise_on_the_shell_and_codes_straight(run):
    (a, _), (b, _) = (run.draw(2, seed) for seed in (0, 1))
    way = run.inputs.walk(a, b, 3)
    np.testing.assert_allclose(way[..., :4], latent.spherical(a[:, :4], b[:, :4], 3), atol=1e-6)
    np.testing.assert_allclose(way[1, :, 4:], (a[:, 4:] + b[:, 4:]) / 2, atol=1e-6)


def test_sweeps_are_named_after_the_codes():
    assert list(sweeps(codes.Codes((10,), 1))) == ["category", "number"]
    names = ["category-1", "category-2", "number-1", "number-2"]
    assert list(sweeps(codes.Codes((2, 3), 2))) == names
    rows = codes.prior(4, MIXED)(jax.random.key(0), 4)
    found = sweeps(MIXED)["number-2"](rows)
    assert found.shape == (4, 10, 9)
    np.testing.assert_allclose(found[..., -1], np.tile(np.linspace(-2, 2, 10), (4, 1)), atol=1e-6)
    # A row shows each category in turn.
    np.testing.assert_array_equal(found[:, 0, 4:7], np.eye(3)[[0, 1, 2, 0]])
    np.testing.assert_array_equal(found[..., :4], np.tile(rows[:, None, :4], (1, 10, 1)))


def test_a_sheet_of_a_code(run, tmp_path, capfd):
    out = tmp_path / "sheet.npz"
    command = ["sample", str(run.directory), "--sweep", "category", "--count", "2", "--label", "7"]
    assert main([*command, "--out", str(out)]) == 0
    assert "6 samples of class 7" in capfd.readouterr().out
    with np.load(out) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    np.testing.assert_array_equal(labels, 7)
    latents = run.draw(2, 0, LabelChoice(7))[0]
    for row in range(2):
        changed = np.tile(latents[row], (3, 1))
        changed[:, 4:7] = np.eye(3)
        expected = run.game.sample(run.variables, jnp.asarray(changed), jnp.full(3, 7))
        shown = images[3 * row : 3 * row + 3].astype(float) / 127.5 - 1
        np.testing.assert_allclose(shown, expected, atol=0.005)
    assert main([*command, "--out", str(tmp_path / "sheet.png")]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[0] > sheet.size[1]  # Three categories across, two rows.


def test_a_walk_between_classes(run, tmp_path, monkeypatch):
    """The latent stays, and the label is mixed."""
    import jaxgan.experiment.sampling as sampling

    given = []

    def sampler(game):
        def sample(variables, latents, labels):
            given.append((latents, labels))
            return np.zeros((len(latents), 8, 8, 1), np.uint8)

        return sample

    monkeypatch.setattr(sampling, "make_sampler", sampler)
    command = ["interpolate", str(run.directory), "--labels", "3", "8", "--frames", "3"]
    assert main([*command, "--rows", "2", "--out", str(tmp_path / "a.png")]) == 0
    ((latents, labels),) = given
    np.testing.assert_allclose(latents, np.tile(run.draw(2, 0)[0], (3, 1)), atol=1e-6)
    eye = np.eye(10)
    expected = np.repeat([eye[3], (eye[3] + eye[8]) / 2, eye[8]], 2, axis=0)
    np.testing.assert_allclose(labels, expected, atol=1e-6)
    # A mixture that is all of one class is that class.
    pure = run.game.sample(run.variables, latents[:2], jnp.asarray(eye[[3, 3]], jnp.float32))
    named = run.game.sample(run.variables, latents[:2], jnp.array([3, 3]))
    np.testing.assert_allclose(pure, named, atol=1e-6)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sample --sweep size", "--sweep must be category or number-1 or number-2, not size"),
        ("sample --truncation 0", "latents are truncated at a limit above 0, not 0"),
        ("interpolate --labels 3", "a walk needs 2 --labels, 2 --frames and 1 --rows or more"),
        ("interpolate --labels 3 8 --label 1", "--label 1 and --labels ask for two things"),
        ("interpolate --labels 3 8 --seeds 1 2 3", "take one of --seeds, or one each, not 3"),
        ("interpolate --labels 3 11", "label 11 does not exist: labels are 0 to 9"),
    ],
)
def test_what_cannot_be_shown_is_refused(run, tmp_path, capfd, command, message):
    name, *options = command.split()
    out = ["--out", str(tmp_path / "a.png")]
    assert main([name, str(run.directory), *options, *out]) == 2
    assert message in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditional": False}, "label_use classifier needs labels"),
        ({"codes": CodeOptions(categorical=(1,))}, "2 categories or more, not 1"),
        (
            {"conditional": False, "label_use": "projection", "packing": 2},
            "packing 2 shows samples together, and codes are of each alone",
        ),
    ],
)
def test_options_that_do_not_fit(changes, message):
    from jaxgan.experiment import check

    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(TINY, **changes))
