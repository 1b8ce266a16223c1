import numpy as np
import pytest
from PIL import Image

from jaxgan import imaging
from jaxgan.imaging import grid, save_animation, save_curves, save_image, save_points, to_uint8

G = imaging.GAP_COLOR


def pictures(count, height=4, width=3, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def test_to_uint8_by_hand():
    values = [-1.0, 1.0, 0.0, 1 / 255, -3.0, 3.0, -1 + 1.2 / 255, -1 + 0.8 / 255]
    np.testing.assert_array_equal(to_uint8(values), [0, 255, 128, 128, 0, 255, 1, 0])


def test_to_uint8_inverts_the_scaling_of_real_images():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(np.float32(every) / 127.5 - 1), every)


def test_nan_is_no_grey():
    with pytest.raises(ValueError, match="2 values are NaN"):
        to_uint8([0.0, np.nan, np.nan])


def test_a_grid_by_hand():
    images = np.array([1, 2, 3], np.uint8).reshape(3, 1, 1, 1)
    np.testing.assert_array_equal(
        grid(images, columns=2, gap=1, scale=1)[..., 0],
        [[G, G, G, G, G], [G, 1, G, 2, G], [G, G, G, G, G], [G, 3, G, G, G], [G, G, G, G, G]],
    )
    np.testing.assert_array_equal(
        grid(images, columns=3, gap=0, scale=2)[..., 0], [[1, 1, 2, 2, 3, 3]] * 2
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_of_a_grid_is_in_its_place(channels):
    images = pictures(6, channels=channels)
    picture = grid(images, columns=3, gap=2, scale=1)
    assert picture.shape == (2 * 6 + 2, 3 * 5 + 2, channels)
    for index, image in enumerate(images):
        top, left = 2 + 6 * (index // 3), 2 + 5 * (index % 3)
        np.testing.assert_array_equal(picture[top : top + 4, left : left + 3], image)


@pytest.mark.parametrize(
    ("count", "side", "scale"),
    [(64, 8, 8), (64, 28, 3), (64, 32, 2), (64, 64, 1), (400, 8, 8), (1, 8, 64), (4, 28, 10)],
)
def test_small_images_and_pictures_are_enlarged(count, side, scale):
    """Images to about 64 pixels, and pictures to 512 or more."""
    across = round(count**0.5) * side * scale
    assert grid(pictures(count, side, side), gap=0).shape == (across, across, 1)


def test_row_labels_stand_at_the_left_of_their_rows():
    images = pictures(6, 8, 8, 3)
    plain = grid(images, columns=3)
    labelled = grid(images, row_labels=["cat", "aeroplane"])
    np.testing.assert_array_equal(labelled[:, -plain.shape[1] :], plain)
    margin = labelled[:, : -plain.shape[1], 0] != G
    upper, lower = margin[: len(margin) // 2], margin[len(margin) // 2 :]
    assert 0 < upper.sum() < lower.sum()
    swapped = grid(images, row_labels=["aeroplane", "cat"])
    assert not np.array_equal(swapped, labelled)


def test_bad_grids_are_named():
    with pytest.raises(ValueError, match=r"C 1 or 3, not uint8 \[2, 4, 3, 2\]"):
        grid(pictures(2, channels=2))
    with pytest.raises(ValueError, match="not float64"):
        grid(pictures(2) / 255)
    with pytest.raises(ValueError, match="at least 1 image"):
        grid(pictures(0))
    with pytest.raises(ValueError, match="columns=0"):
        grid(pictures(2), columns=0)
    with pytest.raises(ValueError, match="3 row labels were given for 2 rows"):
        grid(pictures(4), row_labels=["a", "b", "c"])


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_comes_back_from_its_file(tmp_path, channels):
    (picture,) = pictures(1, 9, 7, channels)
    path = tmp_path / "new" / "folder" / "picture.png"
    save_image(path, picture)
    with Image.open(path) as file:
        assert not file.info
        np.testing.assert_array_equal(np.asarray(file).reshape(9, 7, channels), picture)
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    save_image(path, pictures(1)[0])
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(imaging.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_image(path, pictures(1, seed=1)[0])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("channels", [1, 3])
def test_an_animation_holds_its_frames_and_repeats(tmp_path, channels):
    frames = pictures(3, 6, 5, channels)
    path = tmp_path / "walk.gif"
    save_animation(path, frames, fps=10)
    with Image.open(path) as file:
        assert (file.n_frames, file.info["loop"], file.info["duration"]) == (3, 0, 100)
        for index, frame in enumerate(frames):
            file.seek(index)
            shown = np.asarray(file.convert("RGB"))
            np.testing.assert_array_equal(shown, np.broadcast_to(frame, (6, 5, 3)))


def test_an_animation_has_30_frames_a_second(tmp_path):
    """In hundredths of a second, of which no single frame has the right number."""
    save_animation(tmp_path / "walk.gif", pictures(60))
    times = []
    with Image.open(tmp_path / "walk.gif") as file:
        for number in range(file.n_frames):
            file.seek(number)
            times.append(file.info["duration"])
    assert (len(times), sum(times), set(times)) == (60, 2000, {30, 40})


@pytest.mark.parametrize("channels", [1, 3])
def test_a_video_holds_its_frames(tmp_path, channels):
    av = pytest.importorskip("av")
    frames = [grid(each[None], gap=1, scale=16) for each in pictures(5, 4, 3, channels)]
    assert frames[0].shape == (66, 50, channels)
    odd = [np.pad(frame, ((0, 1), (0, 1), (0, 0))) for frame in frames]  # A video's are even.
    for name in ("first", "again"):
        save_animation(tmp_path / f"{name}.mp4", odd)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
    with av.open(tmp_path / "first.mp4") as file:
        stream = file.streams.video[0]
        assert (stream.average_rate, stream.pix_fmt) == (30, "yuv420p")
        shown = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
    assert [frame.shape for frame in shown] == [(68, 52, 3)] * 5
    if channels == 1:  # Colour is kept at half the size.
        for frame, wanted in zip(shown, frames, strict=True):
            assert np.abs(frame[:66, :50].astype(int) - wanted).mean() < 6


def test_a_video_needs_what_writes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(imaging, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs PyAV, .* pip install 'jaxgan\[video\]'"):
        save_animation(tmp_path / "walk.mp4", pictures(2))
    assert not list(tmp_path.iterdir())


def test_bad_files_are_named(tmp_path):
    frame = pictures(1)[0]
    with pytest.raises(ValueError, match=r"must end in \.png, not 'grid\.jpg'"):
        save_image(tmp_path / "grid.jpg", frame)
    with pytest.raises(ValueError, match=r"must end in \.gif or \.mp4, not 'walk\.png'"):
        save_animation(tmp_path / "walk.png", [frame])
    with pytest.raises(ValueError, match=r"uint8 \[H, W, C\] with C 1 or 3, not uint8 \[4, 3\]"):
        save_image(tmp_path / "grid.png", frame[..., 0])
    with pytest.raises(ValueError, match="at least 1 frame, and all of one shape"):
        save_animation(tmp_path / "walk.gif", [])
    with pytest.raises(ValueError, match="at least 1 frame, and all of one shape"):
        save_animation(tmp_path / "walk.gif", [frame, frame[1:]])
    with pytest.raises(ValueError, match="fps must be from 1 to 50, not 60"):
        save_animation(tmp_path / "walk.gif", [frame], fps=60)
    assert not list(tmp_path.iterdir())


COLUMNS = {
    "step": [0, 10, 20],
    "generator_loss": [0.5, None, 0.2],
    "discriminator_loss": [1.0, float("nan"), 0.8],
    "real_logits": [0.1, 0.2, float("inf")],
}


@pytest.mark.parametrize(
    "save",
    [
        lambda path, seed=0: save_image(path, pictures(1, seed=seed)[0]),
        lambda path, seed=0: save_curves(path, {**COLUMNS, "real_logits": [0.1, 0.2, seed]}),
        lambda path, seed=0: save_points(
            path, np.random.default_rng(seed).uniform(-1, 1, (50, 2)), centers=[[1.0, 0]]
        ),
    ],
    ids=["image", "curves", "points"],
)
def test_the_same_arrays_give_the_same_bytes(tmp_path, save):
    first, again, other = (tmp_path / f"{name}.png" for name in ("first", "again", "other"))
    save(first)
    save(again)
    save(other, seed=1)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    with Image.open(first) as file:
        assert not file.text


def drawn(monkeypatch):
    """The figures that are saved from here on, as Matplotlib's objects."""
    figures = []
    save = imaging._save_figure
    monkeypatch.setattr(
        imaging, "_save_figure", lambda path, figure: (figures.append(figure), save(path, figure))
    )
    return figures


def test_curves_of_a_kind_share_a_panel_and_gaps_are_bridged(tmp_path, monkeypatch):
    figures = drawn(monkeypatch)
    save_curves(tmp_path / "curves.png", COLUMNS)
    loss, logits = figures[0].axes
    assert [line.get_label() for line in loss.lines] == ["generator_loss", "discriminator_loss"]
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), [[0, 0.5], [20, 0.2]])
    np.testing.assert_array_equal(logits.lines[0].get_xydata(), [[0, 0.1], [10, 0.2]])
    assert logits.get_xlabel() == "step"


def test_legends_stand_beside_their_curves(tmp_path, monkeypatch):
    figures = drawn(monkeypatch)
    steps, few = np.arange(3.0), np.zeros(3)
    fifteen = [imaging.Curve(f"a rather long name, seed {i}", i, steps, few) for i in range(15)]
    short = [imaging.Curve("kl", 0, steps, few)]
    imaging.save_panels(tmp_path / "curves.png", {"frechet": fifteen, "kl": short})
    (figure,) = figures
    whole = figure.bbox
    for axes in figure.axes:
        beside = axes.get_legend().get_window_extent()
        assert axes.get_window_extent().x1 <= beside.x0
        assert beside.x1 <= whole.x1
    first, second = (axes.get_legend().get_window_extent() for axes in figure.axes)
    assert first.y0 >= second.y1


def test_what_was_measured_once_is_a_point(tmp_path, monkeypatch):
    figures = drawn(monkeypatch)
    save_curves(tmp_path / "curves.png", {"step": [1, 2], "kl": [None, 0.5], "loss": [1.0, 2.0]})
    once, often = (axes.lines[0] for axes in figures[0].axes)
    assert once.get_marker() == "o"
    assert once.get_markersize() > 2 * often.get_markersize()


def test_the_axes_of_points_do_not_follow_the_generated_ones(tmp_path, monkeypatch):
    figures = drawn(monkeypatch)
    path = tmp_path / "points.png"
    save_points(path, [[0.0, 0.0]], centers=[[0, 2.0]])
    save_points(path, [[9.0, 0.0], [0, 1]], real=[[1, 0.0]], centers=[[0, 2.0]])
    save_points(path, [[0.0, 0.0]])
    first, second, alone = (figure.axes[0] for figure in figures)
    assert first.get_xlim() == second.get_xlim() == second.get_ylim() == (-2.8, 2.8)
    assert second.get_title() == "2 points, 1 outside"
    assert alone.get_xlim() == (-1, 1)
    with Image.open(path) as file:
        assert file.size == (500, 500)


def test_drawing_leaves_no_global_figure(tmp_path):
    save_points(tmp_path / "points.png", [[0.0, 1.0]])
    from matplotlib import _pylab_helpers

    assert not _pylab_helpers.Gcf.figs


def test_bad_curves_and_points_are_named(tmp_path):
    path = tmp_path / "x.png"
    with pytest.raises(ValueError, match=r"a column 'step' and at least one more, not \['loss'\]"):
        save_curves(path, {"loss": [1.0]})
    with pytest.raises(ValueError, match=r"equally long, not \{'step': 2, 'loss': 1\}"):
        save_curves(path, {"step": [1, 2], "loss": [1.0]})
    with pytest.raises(ValueError, match=r"fake must be finite points \[N, 2\], not \[1, 3\]"):
        save_points(path, np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"fake must be finite points \[N, 2\]"):
        save_points(path, [[0.0, np.nan]])


def test_a_class_with_fewer_samples_leaves_places_empty():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    rows, classes = imaging.class_rows(images, np.array([0, 3, 0, 3, 3]))
    assert classes.tolist() == [0, 3]
    assert rows[:, 0, 0, 0].tolist() == [0, 2, G, 1, 3, 4]
