"""`directions` and `edit`: what is found, kept, shown and refused."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import latent, load, train
from jaxgan.cli.main import main
from jaxgan.evaluation import judges
from jaxgan.experiment import (
    AutoencodingExperiment,
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
)
from jaxgan.networks.families import FAMILIES, first_kernel, make_generator
from jaxgan.runs.directions import read_directions

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = {"family": "mlp", "width": 8, "depth": 1, "normalization": "none"}
EVERY = dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 2)
GENERATOR = GeneratorOptions(**SMALL, latent_size=4)
TINY = Experiment(
    name="tiny",
    steps=2,
    conditional=True,
    generator=GENERATOR,
    discriminator=DiscriminatorOptions(**SMALL),
    **EVERY,
)
CODED = AutoencodingExperiment(
    name="coded", steps=2, encoder=DiscriminatorOptions(**SMALL), decoder=GENERATOR, **EVERY
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return {name: train(each, root / name) for name, each in (("gan", TINY), ("vae", CODED))}


@pytest.fixture(params=["gan", "vae"])
def run(runs, request):
    found = runs[request.param]
    (found.directory / "directions.npz").unlink(missing_ok=True)
    return found


def vectors(run):
    return {name: each.vector for name, each in read_directions(run.directory).items()}


def test_directions_of_the_weights_serve_gans_and_autoencoders(run, capfd):
    assert main(["directions", str(run.directory), "--number", "3"]) == 0
    assert "3 directions by weights, step 2: weights-0, weights-1" in capfd.readouterr().out
    variables = (
        run.variables["decoder"]
        if run is not None and hasattr(run.experiment, "decoder")
        else run.variables
    )
    kernel = variables.params["Dense_0"]["kernel"][:4]
    expected = latent.weight_directions(kernel, 3)
    np.testing.assert_allclose(np.stack(list(vectors(run).values())), expected, atol=1e-6)


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"biggan"}))  # Its latent has parts.
@pytest.mark.parametrize("classes", [0, 10])
def test_the_first_weights_are_those_that_latents_meet(family, classes):
    network = make_generator(GeneratorOptions(family=family, width=4), (8, 8, 1), classes)
    labels = jax.ShapeDtypeStruct((2,), "int32") if classes else None
    latents = jax.ShapeDtypeStruct((2, 100), "float32")
    params = jax.eval_shape(network.init, jax.random.key(0), latents, labels).params
    kernel = jax.eval_shape(lambda params: first_kernel(params, 100), params)
    assert kernel.shape[0] == 100
    assert kernel.size == 100 * (4 if family == "mlp" else 4 * 4 * kernel.shape[-1])


def test_directions_of_labelled_samples(run, tmp_path, capfd):
    """Samples are numbered as `jaxgan sample` draws them; here what is asked is a latent's sign."""
    latents = np.asarray(run.draw(60, 5)[0])
    lines = ["sample,positive,unsure"]
    for i, each in enumerate(latents):
        lines.append(f"{i},{int(each[1] > 0)},{int(each[2] > 0) if i % 2 else ''}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    command = ["directions", str(run.directory), "--labels", str(tmp_path / "labels.csv")]
    assert main([*command, "--seed", "5"]) == 0
    found = vectors(run)
    np.testing.assert_allclose(
        found["positive"], latent.attribute_direction(latents, latents[:, 1] > 0), atol=1e-6
    )
    expected = latent.attribute_direction(latents[1::2], latents[1::2, 2] > 0)
    np.testing.assert_allclose(found["unsure"], expected, atol=1e-6)
    apart = ["directions", str(run.directory), "--number", "1", "--orthogonal-to", "positive"]
    assert main(apart) == 0
    found = vectors(run)
    assert set(found) == {"positive", "unsure", "weights-0"}  # Those found before are kept.
    assert found["weights-0"] @ found["positive"] == pytest.approx(0, abs=1e-6)
    capfd.readouterr()


def test_directions_of_classes_and_of_images(runs, monkeypatch, capfd):
    run = runs["gan"]

    class Judge:
        def probabilities(self, images):
            bright = images.reshape(len(images), -1).mean(1)
            return np.eye(10)[np.where(bright > np.median(bright), 7, 2)]

    monkeypatch.setattr(judges, "judge_of", lambda train, test: Judge())
    command = ["directions", str(run.directory), "--count", "50", "--number", "2"]
    assert main([*command, "--by", "classes"]) == 0
    assert main([*command, "--by", "images"]) == 0
    assert {"class-2", "class-7", "images-0", "images-1"} <= set(vectors(run))
    two, seven = vectors(run)["class-2"], vectors(run)["class-7"]
    np.testing.assert_allclose(two, -seven, atol=1e-4)
    capfd.readouterr()


def test_samples_are_moved_along_a_direction(run, tmp_path, capfd):
    path = str(run.directory)
    assert main(["directions", path, "--number", "2"]) == 0
    names = ["--direction", "weights-0", "weights-1"]
    grid = ["edit", path, *names, "--strength", "-2", "0", "2", "--seeds", "1", "4"]
    assert main([*grid, "--out", str(tmp_path / "a.png")]) == 0
    assert "4 samples at 3 strengths" in capfd.readouterr().out
    assert main([*grid, "--out", str(tmp_path / "a.gif")]) == 0
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 2 * 60 - 2  # There and back, four seconds.
    unmoved = ["edit", path, *names[:2], "--strength", "0", "--seeds", "4"]
    assert main([*unmoved, "--out", str(tmp_path / "b.png")]) == 0
    assert (
        main(["sample", path, "--count", "1", "--seed", "4", "--out", str(tmp_path / "c.png")]) == 0
    )
    moved, plain = (np.asarray(Image.open(tmp_path / f"{n}.png").convert("L")) for n in "bc")
    side = len(plain)  # Beside them are their rows' names.
    np.testing.assert_array_equal(moved[:, -side:], plain[:, -side:])
    capfd.readouterr()


def test_a_direction_of_another_step_is_said_to_be_one(runs, tmp_path, capfd):
    run = runs["gan"]
    assert main(["directions", str(run.directory), "--number", "1"]) == 0
    longer = tmp_path / "longer"
    train(dataclasses.replace(TINY, steps=4), longer)
    (longer / "directions.npz").write_bytes((run.directory / "directions.npz").read_bytes())
    capfd.readouterr()
    edit = ["edit", str(longer), "--direction", "weights-0", "--out", str(tmp_path / "a.png")]
    assert main(edit) == 0
    assert "weights-0 were found for another step than 4" in capfd.readouterr().out
    assert load(longer).step == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample\n0\n", "must have a column `sample` and one for each attribute"),
        ("number,smile\n0,1\n", "must have a column `sample`"),
        ("sample,smile\nx,1\n", "line 2 of --labels .* has the sample 'x'"),
        ("sample,smile\n0,1\n1,yes\n", "line 3 of --labels .* has smile 'yes'; allowed are 0, 1"),
        ("sample,smile\n0,1\n1,1\n", "must have both 0 and 1 of smile"),
    ],
)
def test_tables_that_are_none_are_refused(runs, tmp_path, capfd, text, message):
    (tmp_path / "labels.csv").write_text(text)
    path = str(runs["gan"].directory)
    assert main(["directions", path, "--labels", str(tmp_path / "labels.csv")]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)
