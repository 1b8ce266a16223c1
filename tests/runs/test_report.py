"""A run's page: one file, whole, escaped, that loads nothing from anywhere."""

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import Spec
from jaxgan.data.source import ArraySource
from jaxgan.experiment import Experiment
from jaxgan.imaging import save_curves, save_image
from jaxgan.runs import record as run
from jaxgan.runs import report
from jaxgan.runs.log import append_metrics
from jaxgan.runs.report import closest, write_report
from jaxgan.runs.writing import write_json

NOISE = np.random.default_rng(0)
IMAGES = NOISE.integers(256, size=(30, 4, 4, 1), dtype=np.uint8)
VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """What a browser would see: tags in balance, attributes, text, pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
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
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def pictures(self):
        """The opened pictures; each lies in the page itself."""
        found = []
        for attributes in self.of("img"):
            head, data = attributes["src"].split(",")
            assert head in ("data:image/png;base64", "data:image/jpeg;base64")
            found.append(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))
        return found


def make_run(folder, kind=Experiment, **changes):
    """A run directory with three grids, curves and an evaluation."""
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
    save_curves(folder / "curves.png", {"step": [1, 2], "loss": [3.0, 4.0]})
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


def page_of(folder, neighbours="None of them here.") -> Page:
    write_report(folder / "report.html", folder, neighbours)
    return Page((folder / "report.html").read_text())


def test_everything_is_on_the_page_and_nothing_outside_it(tmp_path):
    page = page_of(make_run(tmp_path / "run"))
    for part in (
        "300 of 300 steps",
        "Diagnosis: discriminator too strong",
        "--discriminator.dropout 0.5",
        "protocol.samples",
        "frechetlower9.50.7",
        "12.3456",
        "generator_optimizer.learning_rate",
        "versions.jax",
        "None of them here.",
    ):
        assert part in page.text, part
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "a", "form", "svg")
        assert not {"href", "srcset", "action", "background"} & set(attributes)
        assert attributes.get("src", "data:").startswith("data:")
    text = (tmp_path / "run" / "report.html").read_text()
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert "url(" not in text
    assert page.of("meta")[1]["content"].startswith("default-src 'none'; img-src data:;")
    assert len(page.of("script")) == 1


def test_only_the_rules_of_the_kind_are_asked(tmp_path):
    page = page_of(make_run(tmp_path / "run", Quiet))
    assert "Diagnosis: healthy" in page.text
    assert "Options that address it" not in page.text


def test_the_course_of_the_metric_is_told(tmp_path):
    folder = make_run(tmp_path / "run", data="digits", evaluate_every=100, best_metric="frechet")
    append_metrics(folder, {"step": 300, "frechet": 30.0})
    assert "frechet: best 12.35 at step 300, last 30 at step 300; collapsed" in page_of(folder).text


def test_the_slider_goes_over_the_samples_and_starts_at_the_last(tmp_path):
    page = page_of(make_run(tmp_path / "run"))
    (slider,) = page.of("input")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "2")
    assert ["hidden" in figure for figure in page.of("figure")] == [True, True, False]
    greys = [np.asarray(picture)[0, 0] for picture in page.pictures()[:3]]
    assert greys == [100, 200, 300 % 256]
    assert "step 000300" in page.text


def test_what_files_say_is_text_and_no_markup(tmp_path):
    name = "<script>alert('&')<b>"
    folder = make_run(tmp_path / "run", name=name, data='"><img src=http:x>')
    write_json(
        folder / "evaluation.json", {"metrics": {"<b>": 1.0}, "protocol": {"<i>": "</table>&amp;"}}
    )
    page = page_of(folder, neighbours="no <em>data</em>")
    assert page.text.count(name) >= 2  # In the title, the heading and the options.
    for text in ('"><img src=http:x>', "<i>", "</table>&amp;", "no <em>data</em>"):
        assert text in page.text
    assert {"b", "i", "em"} & {tag for tag, _ in page.tags} == set()
    assert len(page.of("script")) == 1


def test_a_run_that_has_only_begun_has_a_page_too(tmp_path):
    run.create(tmp_path / "run", Experiment(), [Spec((8, 8, 1), 10)])
    page = page_of(tmp_path / "run")
    assert page.of("img") == []
    for part in ("0 of 3,000 steps", "too early to tell", "There are none yet", "Nothing is log"):
        assert part in page.text


def test_the_same_run_gives_the_same_page(tmp_path):
    folder = make_run(tmp_path / "run")
    page_of(folder)
    first = (folder / "report.html").read_bytes()
    page_of(folder)
    assert (folder / "report.html").read_bytes() == first


def test_many_or_large_pictures_are_shrunk_and_thinned(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "SIDE", 20)
    monkeypatch.setattr(report, "PICTURES", 2)
    folder = make_run(tmp_path / "run")
    page = page_of(folder)
    assert [picture.size for picture in page.pictures()[:2]] == [(16, 20), (16, 20)]
    assert "1 of the run's pictures are left out" in page.text
    assert [part in page.text for part in ("step 000100", "step 000200", "step 000300")] == [
        *(True, False, True)
    ]
    monkeypatch.setattr(report, "BUDGET", 1)
    assert "2 of the run's pictures are left out" in page_of(folder).text
    monkeypatch.setattr(report, "LARGE", 10)
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
        write_report(folder / "report.html", folder, "")
    assert not list(folder.glob("report*"))


def brute_force(samples, images):
    a, b = (x.reshape(len(x), -1) / 255 for x in (samples, images))
    return np.sqrt(np.square(a[:, None] - b[None]).sum(-1))


@pytest.mark.parametrize("block", [1, 16 * 7, 1 << 24])
def test_the_nearest_training_images_whatever_the_block(monkeypatch, block):
    monkeypatch.setattr(report, "BLOCK", block)
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
    monkeypatch.setattr(report, "COMPARED", 10)
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
