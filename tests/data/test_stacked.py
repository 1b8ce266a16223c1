"""Stacked MNIST: which digits make a stack, and that a stack is the same wherever it is made."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data import ArraySource, StackedSource, catalog, list_sources, open_domain, open_source
from jaxgan.data.stacked import STACKS, stack
from jaxgan.data.tfds import Prepared

# Digit d is an image of 2x3 pixels of 20 d, but for the corner, which tells its row.
LABELS = np.arange(12) % 10
IMAGES = np.broadcast_to(20 * LABELS[:, None, None, None], (12, 2, 3, 1)).astype(np.uint8)
IMAGES[:, 0, 0, 0] = np.arange(12)
ROWS = np.array([[3, 0, 7], [11, 10, 1], [9, 9, 9], [0, 0, 5]])


def digits(**options) -> ArraySource:
    return ArraySource("mnist", IMAGES, LABELS, **options)


@pytest.mark.parametrize("device_limit", [1 << 30, 0])
def test_a_stack_is_three_digits_as_channels(device_limit):
    source = StackedSource(digits(device_limit=device_limit), ROWS)
    assert len(source) == 4
    assert source.spec == ((2, 3, 3), 1000, (), "stacked")
    assert (source.arrays is None) == (device_limit == 0)
    batch = source.take(np.array([1, 2]))
    assert batch["real"].dtype == np.uint8
    assert batch["real"].shape == (2, 2, 3, 3)
    np.testing.assert_array_equal(batch["real"][0, 0, 0], [11, 10, 1])  # The corners
    np.testing.assert_array_equal(batch["real"][0, 1, 2], [20, 0, 20])
    assert batch["label"].dtype == np.int32
    np.testing.assert_array_equal(batch["label"], [101, 999])
    with pytest.raises(ValueError, match="from 0 to 3"):
        source.take(np.array([4]))


def test_the_step_gathers_what_take_gives():
    source, indices = StackedSource(digits(), ROWS), np.array([3, 0, 3])
    gathered = source.spec.gather(source.arrays, jnp.asarray(indices))
    taken = source.take(indices)
    for name, array in source.host.items():
        np.testing.assert_array_equal(gathered[name], array[indices])
        np.testing.assert_array_equal(taken[name], array[indices])
        assert gathered[name].dtype == array.dtype
    # On the device lie the digits, not the stacks.
    assert {name: len(array) for name, array in source.arrays.items()} == {
        "real": 12,
        "label": 12,
        "rows": 4,
    }


def test_splits_are_drawn_from_fixed_seeds():
    train, again, test = (stack(digits(), split) for split in ("train", "train", "test"))
    assert (len(train), len(test)) == (128_000, 26_000)
    np.testing.assert_array_equal(train.rows, again.rows)
    assert (train.rows[:26_000] != test.rows).any()
    # Each of 12 images is in each channel a twelfth of the time: standard error .0008.
    for channel in train.rows.T:
        np.testing.assert_allclose(np.bincount(channel) / 128_000, 1 / 12, atol=0.004)
    assert abs(np.corrcoef(train.rows.T) - np.eye(3)).max() < 0.015  # Of its own in each channel


def test_it_is_opened_by_name_where_mnist_is_prepared(monkeypatch, tmp_path):
    asked = []
    prepared = Prepared("mnist", "", "3.0.1", tmp_path)

    def open_prepared(found, split, image_size, channels):
        asked.append((found, split, image_size, channels))
        return digits()

    monkeypatch.setattr(catalog.tfds, "find", lambda name, folder: prepared)
    monkeypatch.setattr(catalog.tfds, "open_prepared", open_prepared)
    monkeypatch.setattr(catalog.tfds, "prepared_sets", lambda folder: [prepared])
    monkeypatch.setattr(catalog.tfds, "describe", lambda found: "")
    for split, count in STACKS.items():
        source = open_source("stacked_mnist", split=split, image_size=32)
        assert len(source) == count
        assert asked.pop() == (prepared, split, 32, 1)
        assert f"{split} {count:,}" in dict(list_sources())["stacked_mnist"]
    with pytest.raises(ValueError, match="'stacked_mnist' has no split 'val'"):
        open_source("stacked_mnist", split="val")
    with pytest.raises(ValueError, match="a digit in each of 3 channels, and channels is 1"):
        open_source("stacked_mnist", channels=1)
    monkeypatch.setattr(catalog.stacked, "stack", lambda *_: StackedSource(digits(), ROWS))
    domain = open_domain("stacked_mnist")  # Whose images a pair gathers itself.
    assert domain.arrays["real"].shape == (4, 2, 3, 3)


def test_mnist_must_be_prepared(tmp_path):
    with pytest.raises(ValueError, match=r"is made of MNIST.*jaxgan data prepare mnist"):
        open_source("stacked_mnist", data_dir=tmp_path)
    assert "stacked_mnist" not in dict(list_sources(tmp_path))
    with pytest.raises(ValueError, match="nearest: stacked_mnist"):
        open_source("stacked_mnits", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("source", "rows", "message"),
    [
        (ArraySource("p", np.zeros((3, 2))), ROWS, "made of grey images, and 'p' holds others"),
        (ArraySource("u", IMAGES), ROWS, "10 classes, and 'u' has 0"),
        (digits(), ROWS[:, :2], r"rows must be integers \[N, 3\], not int64 \[4, 2\]"),
        (digits(), ROWS + 1, "rows into 'mnist' must be from 0 to 11, and reach from 1 to 12"),
    ],
)
def test_what_cannot_be_stacked(source, rows, message):
    with pytest.raises(ValueError, match=message):
        StackedSource(source, rows)
