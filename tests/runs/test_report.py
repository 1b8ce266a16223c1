"""A run's page: one file, whole, escaped, that loads nothing from anywhere."""

import base64
import hashlib
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from jaxgan.data import Spec
from jaxgan.data.source import ArraySource
from jaxgan.experiment import Experiment
from jaxgan.imaging import save_image
from jaxgan.runs import neighbours, pictures
from jaxgan.runs import record as run
from jaxgan.runs.diagnosis import Diagnosis
from jaxgan.runs.log import append_metrics
from jaxgan.runs.neighbours import closest
from jaxgan.runs.report import write_comparison, write_report
from jaxgan.runs.writing import write_json

NOISE = np.random.default_rng(0)
IMAGES = NOISE.integers(256, size=(30, 4, 4, 1), dtype=np.uint8)
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """What a browser would see: tags in balance, attributes, text, pictures, scripts by type."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.text, self.scripts = [], [], "", {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            kind = self.of("script")[-1].get("type", "run")
            self.scripts[kind] = self.scripts.get(kind, "") + data
        elif self.open[-1:] != ["style"]:
            self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def figures(self):
        """What the curves are drawn from, by title."""
        found = json.loads(self.scripts["application/json"])["figures"]
        return {figure["title"]: figure["curves"] for figure in found}

    def pictures(self):
        """The opened pictures; each lies in the page itself."""
        found = []
        for attributes in self.of("img"):
            head, data = attributes["src"].split(",")
            assert head in ("data:image/png;base64", "data:image/jpeg;base64")
            found.append(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))
        return found


def make_run(folder, kind=Experiment, **changes):
    """A run directory with three grids and an evaluation."""
    experiment = kind(**{"name": "a", "steps": 300} | changes)
    run.create(folder, experiment, [Spec((4, 4, 1), 10)])
    for step in range(10, 301, 10):
        scalars = {"discriminator_loss": 1.0, "real_accuracy": 1.0, "fake_accuracy": 1.0}
        append_metrics(folder, {"step": step, "images_seen": 64 * step, **scalars})
    append_metrics(folder, {"step": 300, "frechet": 12.3456})
    for step in (100, 200, 300):
        save_image(
            folder / "samples" / f"step_{step:06d}.png", np.full((50, 40, 1), step % 256, np.uint8)
        )
    record = {
        "metrics": {"frechet": 9.5},
        "real": {"frechet": 0.7},
        "protocol": {"samples": 10_000},
    }
    write_json(folder / "evaluation.json", record)
    return folder


class Quiet(Experiment):
    """A kind of run in which nothing but divergence is looked for."""

    rules = ("divergence",)


def page_of(folder, neighbours="None of them here.", walk="No walk here.") -> Page:
    write_report(folder / "report.html", folder, neighbours, walk)
    return Page((folder / "report.html").read_text())


def test_everything_is_on_the_page_and_nothing_outside_it(tmp_path):
    page = page_of(make_run(tmp_path / "run"))
    for part in (
        "300 of 300 steps",
        "Diagnosis: ✗ discriminator too strong",
        "--discriminator.dropout 0.5",
        "protocol.samples",
        "frechetlower9.50.7",
        "12.3456",
        "generator_optimizer.learning_rate",
        "versions.jax",
        "None of them here.",
        "No walk here.",
    ):
        assert part in page.text, part
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base", "form", "svg")
        assert not {"srcset", "action", "background"} & set(attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith(("#", "data:"))
    own = (tmp_path / "run" / "report.html").read_text().replace(get_plotlyjs(), "")
    for word in ("http:", "https:", "@import", "url("):
        assert word not in own
    assert page.scripts.keys() == {"application/json", "text/plain", "run"}
    assert page.scripts["text/plain"] == get_plotlyjs()


def test_no_script_may_run_but_the_pages_own(tmp_path):
    page = page_of(make_run(tmp_path / "run"))
    (policy,) = (meta["content"] for meta in page.of("meta") if "http-equiv" in meta)
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    digests = {
        f"'sha256-{base64.b64encode(hashlib.sha256(page.scripts[kind].encode()).digest()).decode()}'"
        for kind in ("run", "text/plain")
    }
    assert set(parts.pop("script-src").split()) == digests
    assert parts == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_only_the_rules_of_the_kind_are_asked(tmp_path):
    page = page_of(make_run(tmp_path / "run", Quiet))
    assert "Diagnosis: … too early to tell" in page.text  # Without a fault, 300 steps are too few.
    assert "--discriminator" not in page.text


def test_the_course_of_the_metric_is_told(tmp_path):
    folder = make_run(tmp_path / "run", data="digits", evaluate_every=100, best_metric="frechet")
    append_metrics(folder, {"step": 300, "frechet": 30.0})
    assert "frechet: best 12.35 at step 300, last 30 at step 300; collapsed" in page_of(folder).text


def test_the_slider_goes_over_the_samples_and_starts_at_the_last(tmp_path):
    page = page_of(make_run(tmp_path / "run"))
    (slider,) = (each for each in page.of("input") if each.get("aria-label") == "picture")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "2")
    assert ["hidden" in image for image in page.of("img")] == [True, True, False]
    greys = [np.asarray(picture)[0, 0] for picture in page.pictures()[:3]]
    assert greys == [100, 200, 300 % 256]
    assert "step 300" in page.text


def test_a_walk_is_shown_by_the_same_player(tmp_path):
    frames = [np.full((4, 4, 1), grey, np.uint8) for grey in (10, 20)]
    page = page_of(make_run(tmp_path / "run"), walk=frames)
    assert [np.asarray(picture)[0, 0] for picture in page.pictures()[3:]] == [10, 20]
    assert ["data-looping" in div for div in page.of("div") if div.get("class") == "player"] == [
        *(False, True)
    ]
    assert "2 of 2" in page.text


@pytest.mark.parametrize(
    ("regime", "tone"),
    [
        ("healthy", "good ✓"),
        ("oscillation", "bad ✗"),
        ("divergence", "bad ✗"),
        ("too early to tell", "open …"),
    ],
)
def test_the_diagnosis_is_in_colour_and_never_by_colour_alone(tmp_path, monkeypatch, regime, tone):
    found = Diagnosis(regime, ["as was seen"], [("--some-option 3", "does it")])
    monkeypatch.setattr("jaxgan.runs.report.diagnose", lambda *_: found)
    page, (colour, mark) = page_of(make_run(tmp_path / "run")), tone.split()
    badges = [span["class"] for span in page.of("span") if "badge" in span.get("class", "")]
    assert badges == [f"badge {colour}"] * 2
    assert f"Diagnosis: {mark} {regime}" in page.text
    assert "as was seen" in page.text
    assert "--some-option 3does it" in page.text


def test_the_curves_are_on_the_page_with_what_real_data_score(tmp_path):
    found = page_of(make_run(tmp_path / "run")).figures()
    assert list(found) == ["frechet", "discriminator loss", "accuracy"]
    (frechet,) = found["frechet"]
    assert frechet == {"name": "frechet", "x": [300], "y": [12.3456], "best": [300, 12.3456]} | {
        "real": 0.7
    }
    assert [curve["name"] for curve in found["accuracy"]] == ["real_accuracy", "fake_accuracy"]
    assert found["accuracy"][0]["x"] == list(range(10, 301, 10))


def test_runs_side_by_side(tmp_path):
    """Runs of one folder name are told apart by the next, and each figure has both."""
    for seed, name in enumerate(("one", "<i>&two")):
        make_run(tmp_path / name / "run", seed=seed, steps=300 + 100 * seed, loss="hinge")
    write_comparison(tmp_path / "r.html", [tmp_path / "one" / "run", tmp_path / "<i>&two" / "run"])
    page = Page((tmp_path / "r.html").read_text())
    for part in (
        "2 runs side by side",
        "one/run ✗ discriminator too strong",
        "<i>&two/run ✗ discriminator too strong",
        "steps 400300 of 400 steps",
        "stepsseedsfrechet300012.35400112.35",
    ):
        assert part in page.text, part
    assert [np.asarray(picture)[0, 0] for picture in page.pictures()] == [300 % 256] * 2
    assert [curve["name"] for curve in page.figures()["real accuracy"]] == [
        "one/run",
        "<i>&two/run",
    ]
    assert "frechet" in page.figures()
    with pytest.raises(ValueError, match="one is named twice"):
        write_comparison(tmp_path / "r.html", [tmp_path / "one", tmp_path / "one" / "."])


def test_what_files_say_is_text_and_no_markup(tmp_path):
    name = "</script><script>alert('&\u2028')<b>"
    folder = make_run(tmp_path / "run", name=name, data='"><img src=http:x>')
    write_json(
        folder / "evaluation.json", {"metrics": {"<b>": 1.0}, "protocol": {"<i>": "</table>&amp;"}}
    )
    append_metrics(folder, {"step": 300, "<u>_metric</script>": 3.0})
    page = page_of(folder, neighbours="no <em>data</em>")
    assert page.figures()["<u> metric</script>"][0]["name"] == "<u>_metric</script>"
    assert page.text.count(name) >= 2  # In the title, the heading and the options.
    for text in ('"><img src=http:x>', "<i>", "</table>&amp;", "no <em>data</em>"):
        assert text in page.text
    assert {"b", "i", "u", "em"} & {tag for tag, _ in page.tags} == set()
    assert len(page.of("script")) == 3


def test_a_run_that_has_only_begun_has_a_page_too(tmp_path):
    run.create(tmp_path / "run", Experiment(), [Spec((8, 8, 1), 10)])
    page = page_of(tmp_path / "run")
    assert page.of("img") == []
    for part in ("0 of 3,000 steps", "too early to tell", "None yet.", "Nothing is log"):
        assert part in page.text


def test_the_same_run_gives_the_same_page(tmp_path):
    folder = make_run(tmp_path / "run")
    page_of(folder)
    first = (folder / "report.html").read_bytes()
    page_of(folder)
    assert (folder / "report.html").read_bytes() == first


def test_many_or_large_pictures_are_shrunk_and_thinned(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "SIDE", 20)
    monkeypatch.setattr(pictures, "PICTURES", 2)
    folder = make_run(tmp_path / "run")
    page = page_of(folder)
    assert [picture.size for picture in page.pictures()[:2]] == [(16, 20), (16, 20)]
    assert "1 of the run's pictures are left out" in page.text
    assert [image["alt"] for image in page.of("img")] == ["step 100", "step 300"]
    monkeypatch.setattr(pictures, "BUDGET", 1)
    assert "2 of the run's pictures are left out" in page_of(folder).text
    monkeypatch.setattr(pictures, "LARGE", 10)
    assert page_of(folder).pictures()[0].format == "JPEG"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evaluation.json", b"{"),
        ("evaluation.json", b"[1]"),
        ("samples/step_000200.png", b"\x89PNG and no more"),
        ("metrics.jsonl", b"nothing\n"),
        ("experiment.json", b"{}"),
    ],
)
def test_damaged_files_are_named_and_no_page_is_written(tmp_path, name, content):
    folder = make_run(tmp_path / "run")
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}.* (damaged|not the record)"):
        write_report(folder / "report.html", folder, "", "")
    assert not list(folder.glob("report*"))


def brute_force(samples, images):
    a, b = (x.reshape(len(x), -1) / 255 for x in (samples, images))
    return np.sqrt(np.square(a[:, None] - b[None]).sum(-1))


@pytest.mark.parametrize("block", [1, 16 * 7, 1 << 24])
def test_the_nearest_training_images_whatever_the_block(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    samples = NOISE.integers(256, size=(5, 4, 4, 1), dtype=np.uint8)
    samples[3] = IMAGES[17]
    found = closest(samples, ArraySource("noise", IMAGES))
    distances = brute_force(samples, IMAGES)
    np.testing.assert_array_equal(found.images, IMAGES[distances.argmin(1)])
    np.testing.assert_allclose(found.distances, distances.min(1), atol=1e-7)
    assert found.distances[3] == 0
    others = brute_force(IMAGES, IMAGES)
    np.fill_diagonal(others, np.inf)
    assert found.usual == pytest.approx(np.median(others.min(1)))
    assert (found.compared, found.total) == (30, 30)


def test_neighbours_are_shown_in_pairs_with_their_distances(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "COMPARED", 10)
    found = closest(IMAGES[:4], ArraySource("noise", IMAGES))
    page = page_of(make_run(tmp_path / "run"), found)
    assert "10 of 30" in page.text
    assert f"median {np.median(found.distances):.3g}" in page.text
    picture = np.asarray(page.pictures()[3])
    assert picture.shape == (66 + 2, 8 * 66 + 2)
    left = picture[2:66:16, 2:66:16]
    np.testing.assert_array_equal(left, IMAGES[0, ..., 0])
    np.testing.assert_array_equal(picture[2:66:16, 68:132:16], found.images[0, ..., 0])


def test_the_record_may_lack_versions(tmp_path):
    folder = make_run(tmp_path / "run")
    record = json.loads((folder / "experiment.json").read_text())
    del record["versions"]
    write_json(folder / "experiment.json", record)
    assert "versions.jax" not in page_of(folder).text
