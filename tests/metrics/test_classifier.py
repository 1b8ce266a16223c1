from functools import partial

import jax
import numpy as np
import pytest

from jaxgan.data import open_source
from jaxgan.data.tfds import default_data_dir, find
from jaxgan.metrics import (
    Classifier,
    classifier,
    fit_classifier,
    frechet_distance,
    load_or_fit,
)


def bars(count, classes=3, seed=0):
    """A bright row in noise; which row is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count)
    images = rng.integers(0, 60, (count, 5, 5, 1), dtype=np.uint8)
    images[np.arange(count), 2 * labels] += 150
    return images, labels


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Few epochs, in programs that XLA optimises: fitting runs for longer than it compiles."""
    level = {"xla_backend_optimization_level": "1"}
    monkeypatch.setattr(jax, "jit", partial(jax.jit, compiler_options=level))
    monkeypatch.setattr(classifier, "MAX_EPOCHS", 25)


def test_it_learns_and_says_what_it_is():
    judge = fit_classifier(*bars(600), *bars(100, seed=1), num_classes=3)
    images, labels = bars(50, seed=2)
    assert judge.test_accuracy > 0.95
    assert (judge.probabilities(images).argmax(axis=1) == labels).mean() > 0.95
    np.testing.assert_allclose(judge.probabilities(images).sum(axis=1), 1, rtol=1e-5)
    features = judge.features(images)
    assert features.shape == (50, 128)
    assert features.min() == 0 < features.max()
    assert judge.probabilities(images).dtype == features.dtype == np.float32


def test_it_is_the_same_every_time_and_the_digest_tells():
    train, test = bars(60), bars(10, seed=1)
    first, again = (fit_classifier(*train, *test, num_classes=3) for _ in range(2))
    other = fit_classifier(*bars(60, seed=5), *test, num_classes=3)
    assert first.digest == again.digest != other.digest
    assert len(first.digest) == 64


def test_without_shifts_it_is_another():
    data = (*bars(60), *bars(10, seed=1), 3)
    shifted, still = (fit_classifier(*data, shift=shift) for shift in (True, False))
    assert shifted.digest != still.digest


def test_two_classes_are_probabilities_of_two():
    judge = fit_classifier(*bars(400, 2), *bars(100, 2, seed=1), num_classes=2)
    assert judge.test_accuracy > 0.95
    assert judge.probabilities(bars(4)[0]).shape == (4, 2)


def test_a_class_without_images_is_known_and_unlikely():
    judge = fit_classifier(*bars(400, 2), *bars(100, 2, seed=1), num_classes=4)
    assert judge.probabilities(bars(4, 2)[0]).shape == (4, 4)
    assert judge.probabilities(bars(50, 2)[0])[:, 2:].mean() < 0.1


def test_layers_by_hand():
    layers = (
        (np.array([[255.0, -255.0]], np.float32), np.array([0, 2], np.float32)),
        (np.array([[0.0, 1.0], [0.0, 0.0]], np.float32), np.array([0, np.log(3)], np.float32)),
    )
    judge = Classifier(layers, 1.0)
    images = np.array([0, 3], np.uint8).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(judge.features(images), [[0, 2], [3, 0]], atol=1e-6)
    odds = 3 * np.exp([0, 3])
    np.testing.assert_allclose(judge.probabilities(images)[:, 1], odds / (1 + odds), rtol=1e-5)


def test_convolutions_by_hand():
    # The pixel to the right, less 3; its ReLU; the mean of 2x2, the odd column gone.
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[1, 2] = 255
    images = np.array([[9, 1, 4, 8, 5], [0, 3, 7, 2, 6]], np.uint8).reshape(1, 2, 5, 1)
    one = np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
    judge = Classifier(((kernel, np.array([-3], np.float32)), one, one), 1.0)
    # To the right of the first four columns are 1 4 8 5 and 3 7 2 6: 0 1 5 2 and 0 4 0 3 are left.
    np.testing.assert_allclose(judge.features(images), [[5 / 4, 10 / 4]], rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 7), (28, 28)])
def test_images_of_any_size_are_judged(size):
    images = np.zeros((4, *size, 2), np.uint8)
    judge = fit_classifier(images, np.arange(4) % 2, images, np.arange(4) % 2, 2)
    assert judge.features(images).shape == (4, 128)
    assert judge.test_accuracy == 0.5


def test_judging_does_not_depend_on_the_company(monkeypatch):
    judge = fit_classifier(*bars(60), *bars(10, seed=1), num_classes=3)
    images, _ = bars(50, seed=2)
    whole = judge.features(images)
    monkeypatch.setattr(classifier, "_BLOCK", 20)
    np.testing.assert_allclose(judge.features(images), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(judge.features(images[7:9]), whole[7:9], rtol=1e-5, atol=1e-6)
    assert judge.features(images[:0]).shape == (0, 128)


@pytest.mark.parametrize(("size", "reach"), [(5, 1), (28, 2)])
def test_shifts_move_half_of_the_images_by_a_fourteenth(size, reach):
    middle, moves = size // 2, 2 * reach + 1
    images = np.zeros((2000, size, size, 2), np.uint8)
    images[:, middle, middle] = 7, 9
    moved = classifier._shift(images, np.random.default_rng(0))
    assert (moved.reshape(2000, -1, 2).sum(axis=1) == (7, 9)).all()
    _, row, column = np.nonzero(moved[..., 0])
    assert set(row) == set(column) == set(range(middle - reach, middle + reach + 1))
    stayed = ((row == middle) & (column == middle)).mean()
    assert stayed == pytest.approx(1 / 2 + 1 / 2 / moves**2, abs=0.05)
    at_the_edge = classifier._shift(np.full((50, 4, 4, 1), 5, np.uint8), np.random.default_rng(0))
    assert set(np.unique(at_the_edge)) == {0, 5}


@pytest.fixture
def fits(monkeypatch):
    """How many judges were trained: with random weights here, the same for the same data."""
    calls = []

    def fit(images, labels, test_images, test_labels, num_classes, *, shift):
        calls.append(len(images))
        rng = np.random.default_rng(int(images.sum()))
        layers = classifier._init(images.shape[1:], num_classes, rng)
        return Classifier(layers, 0.75, images.shape[1:])

    monkeypatch.setattr(classifier, "fit_classifier", fit)
    return calls


def test_the_file_stands_in_for_training(tmp_path, fits):
    path = tmp_path / "cache" / "judge.npz"
    data = (*bars(60), *bars(10, seed=1), 3)
    trained = load_or_fit(path, *data)
    assert [file.name for file in path.parent.iterdir()] == ["judge.npz"]
    loaded = load_or_fit(path, *data)
    assert len(fits) == 1
    assert loaded.digest == trained.digest
    assert loaded.test_accuracy == trained.test_accuracy
    assert loaded.image_shape == (5, 5, 1)
    images, _ = bars(4)
    np.testing.assert_array_equal(loaded.features(images), trained.features(images))
    load_or_fit(path, *data, shift=False)
    assert len(fits) == 2  # It is another.


@pytest.mark.parametrize(
    "damage", ["cut", "flipped", "empty", "foreign", "other data", "other protocol"]
)
def test_a_file_that_does_not_hold_the_judge_is_replaced(tmp_path, fits, monkeypatch, damage):
    path = tmp_path / "judge.npz"
    data = (*bars(60), *bars(10, seed=1), 3)
    trained = load_or_fit(path, *data)
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        np.savez(path, kernel_0=np.array([{}], object))
    elif damage == "other data":
        load_or_fit(path, *bars(60, seed=7), *data[2:])
    else:
        with monkeypatch.context() as patch:
            patch.setattr(classifier, "PROTOCOL", "another")
            load_or_fit(path, *data)
    assert path.read_bytes() != whole
    before = len(fits)
    assert load_or_fit(path, *data).digest == trained.digest
    assert len(fits) == before + 1
    assert path.read_bytes() == whole


def test_bad_sets_are_named():
    images, labels = bars(10)
    with pytest.raises(ValueError, match=r"uint8 \[N, H, W, C\], not float32"):
        fit_classifier(np.float32(images), labels, images, labels, 3)
    with pytest.raises(ValueError, match=r"in \[0, 2\), not 0 to 2"):
        fit_classifier(images, labels, images, labels, 2)
    with pytest.raises(ValueError, match=r"label for each image, .* not int64 \[9\] for 10"):
        fit_classifier(images, labels[:9], images, labels, 3)
    with pytest.raises(ValueError, match="at least 2 classes, not 1"):
        fit_classifier(images, 0 * labels, images, labels, 1)
    judge = fit_classifier(images, labels, images, labels, 3)
    with pytest.raises(ValueError, match=r"trained on images of \[5, 5, 1\], not \[4, 4, 1\]"):
        judge.features(images[:, :4, :4])


def whole(name):
    """Images and labels of the training split, then of the test split."""
    data = []
    for split in ("train", "test"):
        source = open_source(name, split=split)
        batch = source.take(np.arange(len(source)))
        data += [np.asarray(batch["real"]), np.asarray(batch["label"])]
    return data


def test_digits_are_judged_well_even_after_few_epochs():
    data = whole("digits")
    judge = fit_classifier(*data, num_classes=10)
    assert judge.test_accuracy >= 0.9
    real, held_out = judge.features(data[0]), judge.features(data[2])
    assert 0 < frechet_distance(real, held_out) < 0.1 * frechet_distance(real, 0 * held_out)


@pytest.mark.slow
def test_digits_are_judged_well(monkeypatch):
    monkeypatch.undo()
    assert fit_classifier(*whole("digits"), num_classes=10).test_accuracy >= 0.985


@pytest.mark.slow
def test_mnist_is_judged_as_published_mode_counts_ask(monkeypatch):
    monkeypatch.undo()
    if find("mnist", default_data_dir()) is None:
        pytest.skip("MNIST is not prepared here")
    assert fit_classifier(*whole("mnist"), num_classes=10).test_accuracy >= 0.9925


def test_a_judge_that_cannot_be_kept_judges_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "MAX_EPOCHS", 1)
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file/judge\.npz \(.*JAXGAN_CACHE"):
        judge = load_or_fit(
            tmp_path / "file" / "judge.npz", *bars(60), *bars(30, seed=1), num_classes=3
        )
    assert judge.features(bars(5)[0]).shape == (5, 128)
