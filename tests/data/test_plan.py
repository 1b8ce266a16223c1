"""The plan of indices: a pure function that uses every sample equally often."""

import numpy as np
import pytest

from jaxgan.data import batch_indices


def test_a_plan_depends_on_its_arguments_alone():
    first = batch_indices(3, 7, 4, 10)
    batch_indices(99, 1000, 2, 11)  # whatever else is asked in between
    np.testing.assert_array_equal(first, batch_indices(3, 7, 4, 10))
    assert first.dtype == np.int32
    assert first.shape == (4,)


def test_changing_a_batch_does_not_change_the_plan():
    expected = batch_indices(0, 0, 5, 5).copy()
    batch_indices(0, 0, 5, 5)[:] = -1
    np.testing.assert_array_equal(batch_indices(0, 0, 5, 5), expected)


@pytest.mark.parametrize(("batch_size", "size"), [(3, 10), (4, 10), (10, 10), (7, 9), (1, 1)])
def test_batches_run_across_the_borders_of_epochs(batch_size, size):
    # batch_size epochs hold exactly `size` batches; cut the stream into epochs again.
    stream = np.concatenate([batch_indices(5, step, batch_size, size) for step in range(size)])
    epochs = stream.reshape(batch_size, size)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(size))


def test_the_batch_size_cuts_one_and_the_same_stream():
    by_two = np.concatenate([batch_indices(1, step, 2, 7) for step in range(6)])
    by_three = np.concatenate([batch_indices(1, step, 3, 7) for step in range(4)])
    np.testing.assert_array_equal(by_two, by_three)


def test_epochs_and_seeds_have_orders_of_their_own():
    size = 50
    orders = [batch_indices(seed, epoch, size, size) for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_a_plan_never_changes_between_versions():
    # A resumed run relies on these very numbers; the batch crosses the border of two epochs.
    np.testing.assert_array_equal(batch_indices(0, 1, 4, 6), [0, 1, 1, 4])


@pytest.mark.parametrize("batch_size", [0, -1, 11])
def test_a_batch_larger_than_the_data_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"from 1 to the 10 samples .* is {batch_size}"):
        batch_indices(0, 0, batch_size, 10)


@pytest.mark.parametrize(("seed", "step"), [(0, -1), (-1, 0)])
def test_negative_steps_and_seeds_are_refused(seed, step):
    with pytest.raises(ValueError, match="must not be negative"):
        batch_indices(seed, step, 2, 10)


def test_late_steps_do_not_overflow():
    indices = batch_indices(0, 2**40, 64, 60_000)
    assert 0 <= indices.min() <= indices.max() < 60_000
