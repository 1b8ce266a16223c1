"""The plan of indices: a pure function that uses every sample equally often."""

import numpy as np
import pytest

from jaxgan.data import batch_indices


def test_a_plan_depends_on_its_arguments_alone():
    first = batch_indices(3, 28, 4, 10)
    batch_indices(99, 2000, 2, 11)  # whatever else is asked in between
    np.testing.assert_array_equal(first, batch_indices(3, 28, 4, 10))
    assert first.dtype == np.int32
    assert first.shape == (4,)


def test_changing_a_batch_does_not_change_the_plan():
    expected = batch_indices(0, 0, 5, 5).copy()
    batch_indices(0, 0, 5, 5)[:] = -1
    np.testing.assert_array_equal(batch_indices(0, 0, 5, 5), expected)


@pytest.mark.parametrize(("batch_size", "size"), [(3, 10), (4, 10), (10, 10), (7, 9), (1, 1)])
def test_batches_run_across_the_borders_of_epochs(batch_size, size):
    # batch_size epochs hold exactly `size` batches; cut the stream into epochs again.
    starts = range(0, size * batch_size, batch_size)
    stream = np.concatenate([batch_indices(5, seen, batch_size, size) for seen in starts])
    epochs = stream.reshape(batch_size, size)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(size))


def test_the_batch_size_cuts_one_and_the_same_stream():
    by_two = np.concatenate([batch_indices(1, seen, 2, 7) for seen in range(0, 12, 2)])
    by_three = np.concatenate([batch_indices(1, seen, 3, 7) for seen in range(0, 12, 3)])
    np.testing.assert_array_equal(by_two, by_three)


@pytest.mark.parametrize("sizes", [[2, 3, 5, 1, 7, 7, 3], [7, 1, 1, 6, 2, 4, 7], [4] * 3 + [3] * 5])
def test_batches_whose_size_changes_in_mid_run_cut_one_stream_without_a_gap(sizes):
    """As phases do that train on larger images in smaller batches."""
    starts = np.cumsum([0, *sizes])
    cut = [batch_indices(1, seen, count, 7) for seen, count in zip(starts, sizes, strict=False)]
    assert [len(batch) for batch in cut] == sizes
    whole = np.concatenate([batch_indices(1, seen, 7, 7) for seen in range(0, starts[-1], 7)])
    np.testing.assert_array_equal(np.concatenate(cut), whole[: starts[-1]])
    for epoch in np.concatenate(cut)[: starts[-1] // 7 * 7].reshape(-1, 7):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(7))


def test_streams_have_orders_of_their_own():
    first, second = (batch_indices(0, 0, 50, 50, stream) for stream in (0, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.sort(second), np.arange(50))
    np.testing.assert_array_equal(first, batch_indices(0, 0, 50, 50))


def test_epochs_and_seeds_have_orders_of_their_own():
    size = 50
    orders = [batch_indices(seed, seen, size, size) for seed in (0, 1) for seen in (0, size)]
    assert len({tuple(order) for order in orders}) == 4


def test_a_plan_never_changes_between_versions():
    # A resumed run relies on these very numbers; the batch crosses the border of two epochs.
    np.testing.assert_array_equal(batch_indices(0, 4, 4, 6), [0, 1, 1, 4])


@pytest.mark.parametrize("batch_size", [0, -1, 11])
def test_a_batch_larger_than_the_data_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"from 1 to the 10 samples .* is {batch_size}"):
        batch_indices(0, 0, batch_size, 10)


@pytest.mark.parametrize(("seed", "seen"), [(0, -1), (-1, 0)])
def test_negative_numbers_and_seeds_are_refused(seed, seen):
    with pytest.raises(ValueError, match=f"must not be negative, and are {seen} and {seed}"):
        batch_indices(seed, seen, 2, 10)


def test_late_steps_do_not_overflow():
    indices = batch_indices(0, 2**40 * 64, 64, 60_000)
    assert 0 <= indices.min() <= indices.max() < 60_000
