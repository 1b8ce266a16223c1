"""A run's page as Chromium shows it: curves that answer, pictures that play, and no requests."""

import math
import shutil
import threading

import numpy as np
import pytest

from jaxgan.data import Spec
from jaxgan.experiment import Experiment
from jaxgan.imaging import save_image
from jaxgan.runs import record
from jaxgan.runs.log import append_metrics
from jaxgan.runs.report import write_comparison, write_report
from jaxgan.runs.watch import address_of, open_server
from jaxgan.runs.writing import write_json

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (apt-get install)")
ALONE = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
NAME = "<b>odd</b>_&_loss"
"""Which Plotly would take for bold."""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=ALONE) as launched,
    ):
        yield launched


def log(run, step):
    losses = {"generator_loss": math.sin(step) + 2, "discriminator_loss": 1.0, NAME: 1.0}
    append_metrics(run, {"step": step, "images_seen": 64 * step, **losses})
    if step % 100 == 0:
        append_metrics(run, {"step": step, "frechet": 1000 / step})
        save_image(run / "samples" / f"step_{step:06d}.png", np.full((60, 50, 1), step // 4, "u1"))


def make_run(folder, seed):
    """A run of 300 steps, with three pictures."""
    record.create(folder, Experiment(steps=300, seed=seed), [Spec((8, 8, 1), 10)])
    for step in range(10, 301, 10):
        log(folder, step)
    write_json(folder / "evaluation.json", {"metrics": {}, "protocol": {}, "real": {"frechet": 1}})
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of one run, with a walk, and of two."""
    folder = tmp_path_factory.mktemp("pages")
    runs = [make_run(folder / name, seed) for seed, name in enumerate(("one", "two"))]
    walk = [np.full((30, 40, 3), grey, np.uint8) for grey in range(0, 250, 25)]
    write_report(folder / "one.html", runs[0], "None here.", walk)
    write_comparison(folder / "two.html", runs)
    return folder


class View:
    """An open page, with what it asked for and complained of."""

    def __init__(self, browser, url, size=DESKTOP, **options):
        self.asked, self.errors = [], []
        self.page = browser.new_page(viewport=size, **options)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.goto(url)
        self.wait("document.querySelectorAll('.js-plotly-plot .main-svg').length > 0")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.page.close()
        assert self.errors == []

    def wait(self, condition):
        """Until it holds; Playwright's own waiting would need `unsafe-eval`."""
        for _ in range(1_000):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(10)
        raise AssertionError(f"it is never true that {condition}")

    def plot(self, title):
        """A JavaScript expression of a figure."""
        return (
            "[...document.querySelectorAll('.figure')]"
            f".find((each) => each.firstChild.textContent === '{title}').lastChild"
        )

    def line(self, title, name):
        """The values of a line that is in the legend."""
        return self.page.evaluate(
            f"{self.plot(title)}.data.find((e) => e.name === '{name}' && e.showlegend).y"
        )

    def set(self, control, value):
        self.page.locator(control).fill(str(value))

    def shown(self, section):
        """What stands under the one picture that is to be seen."""
        (image,) = self.page.locator(f"#{section} .player img:visible").all()
        assert image.get_attribute("alt") == self.page.locator(f"#{section} output").inner_text()
        return image.get_attribute("alt")


@pytest.fixture(scope="module")
def opened(browser, pages):
    """The page of a run, for a reader who minds motion: the walk waits."""
    with View(browser, (pages / "one.html").as_uri(), reduced_motion="reduce") as view:
        yield view


@pytest.fixture
def one(opened):
    """The page of a run as a reader finds it, but for lines and figures: smooth, hidden, zoomed."""
    opened.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    opened.set("#smoothing", 0)
    opened.page.locator("#log").uncheck()
    for section in ("samples", "walk"):
        slider = opened.page.locator(f"#{section} input")
        slider.fill(slider.get_attribute("max"))
    yield opened
    assert opened.errors == []


def test_the_curves_are_drawn_and_nothing_is_asked_for(one, pages):
    one.wait("document.querySelectorAll('.js-plotly-plot').length === 2")
    titles = one.page.locator(".figure h3").all_inner_texts()
    assert titles == ["frechet", "loss"]
    assert one.line("frechet", "frechet") == pytest.approx([10, 5, 1000 / 300], rel=1e-4)
    assert one.line("frechet", "frechet of real data") == [1, 1]
    assert [url for url in one.asked if not url.startswith(("data:", "blob:"))] == [
        (pages / "one.html").as_uri()
    ]


def test_no_button_sends_a_chart_anywhere(one):
    buttons = one.page.locator("#metrics .modebar-btn").all()
    titles = [button.get_attribute("data-title") for button in buttons]
    assert titles == [
        *("Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Autoscale"),
    ]
    assert one.page.evaluate(f"{one.plot('loss')}._context.plotlyServerURL") == ""
    assert one.page.locator("a[href]:not([href^='#'])").count() == 0
    one.page.locator("#training .plot").hover()
    with one.page.expect_download(timeout=5_000) as loaded:
        one.page.locator("#training .modebar-btn").first.click()
    assert loaded.value.suggested_filename.endswith(".png")


def test_a_name_is_text_and_a_click_on_it_hides_its_line(one):
    names = one.page.locator("#training .legendtext")
    assert names.all_text_contents() == ["generator_loss", "discriminator_loss", NAME]
    hidden = f"{one.plot('loss')}.data.filter((each) => each.visible === 'legendonly').length"
    one.page.locator("#training .legendtoggle").first.click()
    one.wait(f"{hidden} === 2")  # The line, and the faint one behind it.
    one.set("#smoothing", 0.9)
    one.wait(f"{one.plot('loss')}.data[0].y[1] !== {one.plot('loss')}.data[1].y[1]")
    assert one.page.evaluate(hidden) == 2  # It stays so.


def test_smoothing_and_the_log_scale_change_the_figures(one):
    raw = one.line("loss", "generator_loss")
    one.set("#smoothing", 0.9)
    one.wait(f"{one.plot('loss')}.data[1].y[1] !== {raw[1]}")
    smooth = one.line("loss", "generator_loss")
    assert one.page.evaluate(f"{one.plot('loss')}.data[0].y") == raw  # Faint, behind it.
    assert smooth[0] == raw[0]
    assert smooth[1] == pytest.approx((0.9 * raw[0] + raw[1]) / 1.9)
    assert np.std(smooth) < np.std(raw) / 3
    one.page.locator("#log").check()
    for title in ("loss", "frechet"):
        one.wait(f"{one.plot(title)}.layout.yaxis.type === 'log'")


def test_all_figures_zoom_into_the_same_steps(one):
    area = one.page.locator("#training .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    one.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    one.page.mouse.down()
    one.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20, steps=4)
    one.page.mouse.up()
    ranges = [f"{one.plot(title)}.layout.xaxis.range" for title in ("loss", "frechet")]
    one.wait(f"Math.abs({ranges[0]}[0] - 97) < 20 && {ranges[0]}.join() === {ranges[1]}.join()")


def test_the_slider_shows_the_samples_of_each_step(one):
    assert one.shown("samples") == "step 300"
    one.page.locator("#samples img:visible").click()
    one.page.keyboard.press("ArrowLeft")
    assert one.shown("samples") == "step 200"
    one.page.locator("#samples input").fill("0")
    assert one.shown("samples") == "step 100"
    one.page.locator("#samples button").click()
    one.wait("document.querySelector('#samples output').textContent === 'step 300'")
    one.wait("document.querySelector('#samples button').ariaLabel === 'play'")  # It has ended.


def test_the_walk_plays_by_itself_where_motion_is_welcome(one, browser, pages):
    playing = "document.querySelector('#walk button').ariaLabel === 'pause'"
    assert not one.page.evaluate(playing)
    assert one.shown("walk") == "10 of 10"
    one.page.locator("#walk button").click()
    one.wait("document.querySelector('#walk output').textContent === '3 of 10'")
    one.page.locator("#walk button").click()
    assert not one.page.evaluate(playing)
    with View(browser, (pages / "one.html").as_uri()) as welcome:
        assert welcome.page.evaluate(playing)
        welcome.wait("document.querySelector('#walk output').textContent === '3 of 10'")


def test_dark_and_light(one):
    def colours():
        page = "getComputedStyle(document.body)"
        plot = f"{one.plot('loss')}.layout.font.color"
        one.wait(f"{plot} === {page}.color")  # The figures follow.
        return one.page.evaluate(f"[{page}.backgroundColor, {page}.color]")

    light = colours()
    one.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    one.wait(f"getComputedStyle(document.body).color !== '{light[1]}'")
    dark = colours()
    assert dark[0] != light[0]
    one.page.locator("#theme").click()
    assert colours() == light
    one.page.locator("#theme").click()
    assert colours() == dark
    one.page.evaluate("delete document.documentElement.dataset.theme")


@pytest.mark.parametrize("name", ["one.html", "two.html"])
def test_a_phone_scrolls_in_one_direction(browser, pages, name):
    options = {"is_mobile": True, "has_touch": True}
    with View(browser, (pages / name).as_uri(), PHONE, **options) as view:
        view.wait("document.querySelectorAll('.js-plotly-plot').length >= 2")
        assert view.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert view.page.locator("img:visible").first.bounding_box()["width"] > 300


def test_sections_fit_on_a_desktop_screen(one):
    for section in one.page.locator("section").all():
        assert section.bounding_box()["height"] < DESKTOP["height"]


def test_runs_lie_over_one_another(browser, pages):
    with View(browser, (pages / "two.html").as_uri()) as view:
        view.wait("document.querySelectorAll('.js-plotly-plot').length === 4")
        names = view.page.locator("#metrics .legendtext").all_text_contents()
        assert names == ["one", "two"]
        assert view.page.locator("#runs img:visible").count() == 2


def test_no_other_script_runs(one):
    one.page.evaluate(
        "() => { const script = document.createElement('script');"
        "script.textContent = 'window.intruded = true'; document.head.append(script); }"
    )
    assert one.page.evaluate("window.intruded") is None
    assert "Content Security Policy" in one.errors.pop()


def test_a_watched_run_updates_by_itself(browser, tmp_path):
    record.create(tmp_path / "run", Experiment(steps=300), [Spec((8, 8, 1), 10)])
    log(tmp_path / "run", 90)
    with open_server(tmp_path / "run", "0.0.0.0", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}/{server.token}/"
            assert address_of(server).endswith(f"/{server.token}/")
            with View(browser, url) as view:
                assert view.page.locator("#samples").text_content() == "SamplesNone yet."
                view.page.evaluate("window.loaded = 'once'")
                log(tmp_path / "run", 100)
                view.wait("document.querySelector('#samples output')?.textContent === 'step 100'")
                view.wait("document.querySelector('#samples img').naturalWidth === 50")
                view.wait("document.querySelectorAll('.js-plotly-plot').length === 2")
                view.wait(f"{view.plot('loss')}.data[1].x.join() === '90,100'")
                assert "100 of 300 steps" in view.page.locator("#top").inner_text()
                assert view.page.locator("#live").inner_text() == "live"
                log(tmp_path / "run", 200)
                view.wait("document.querySelector('#samples output').textContent === 'step 200'")
                view.page.locator("#samples input").fill("0")
                log(tmp_path / "run", 300)
                view.wait("document.querySelector('#samples input').max === '2'")
                assert view.shown("samples") == "step 100"  # What one looks at stays.
                assert view.page.evaluate("window.loaded") == "once"
                assert all(address.startswith((url, "data:")) for address in view.asked)
                server.shutdown()
                server.server_close()
                view.wait("document.querySelector('#live').textContent.endsWith('has ended')")
                assert "ERR_CONNECTION_REFUSED" in view.errors.pop()
        finally:
            server.shutdown()
            thread.join()
