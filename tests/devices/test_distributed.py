"""What processes tell each other, with two threads for processes and one table for their wires."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from jaxgan.devices import distributed

COUNT = 2
LONG = {"text": "ä" * 10_000, "numbers": list(range(1000))}


@pytest.fixture
def in_each(monkeypatch):
    """A function that gives what `action(index)` gives in each of two processes, in their order."""
    own, wires, meeting = threading.local(), {}, threading.Barrier(COUNT, timeout=10)

    def process_allgather(array):
        wires[own.index] = np.array(array)
        meeting.wait()
        gathered = np.stack([wires[index] for index in range(COUNT)])  # Refuses unequal shapes.
        meeting.wait()
        return gathered

    monkeypatch.setattr(jax, "process_count", lambda: COUNT)
    monkeypatch.setattr(jax, "process_index", lambda: own.index)
    monkeypatch.setattr(multihost_utils, "process_allgather", process_allgather)

    def in_each(action):
        def run(index):
            own.index = index
            try:
                return action(index)
            except ValueError as error:
                return error

        with ThreadPoolExecutor(COUNT) as pool:
            return list(pool.map(run, range(COUNT)))

    return in_each


def test_all_get_what_the_first_has_however_long(in_each):
    assert len(json.dumps(LONG)) > 10_000
    calls = []

    def value():
        calls.append(jax.process_index())
        return LONG

    assert in_each(lambda index: distributed.from_first(value)) == [LONG, LONG]
    assert calls == [0]


@pytest.mark.parametrize("value", ["", "\0", "a\0\0", None, 0.1, "x" * 4096, "x" * 4097])
def test_what_the_first_has_arrives_as_it_is(in_each, value):
    own = [value, "its own"]
    assert in_each(lambda index: distributed.as_first(own[index])) == [value, value]


def test_one_refusal_is_heard_by_all_in_full(in_each):
    reason = "é" * 10_000

    def action(index):
        if index == 1:
            raise ValueError(reason)
        return index

    first, second = in_each(lambda index: distributed.together(lambda: action(index)))
    assert str(first) == f"process 1 had to stop: {reason}"
    assert str(second) == reason


def test_a_name_that_is_no_text_is_told_nevertheless(in_each):
    """As that of a file whose bytes are not UTF-8."""

    def action(index):
        if index == 0:
            raise OSError("cannot read \udcff")
        return index

    _, second = in_each(lambda index: _refusal(lambda: distributed.together(lambda: action(index))))
    assert second == r"process 0 had to stop: cannot read \udcff"


def _refusal(action):
    with pytest.raises((ValueError, OSError)) as caught:
        action()
    return str(caught.value)


@pytest.mark.parametrize("answers", [(True, True), (True, False), (False, False)])
def test_all_agree_only_when_each_does(in_each, answers):
    agreed = in_each(lambda index: distributed.all_agree(answers[index]))
    assert agreed == [all(answers)] * COUNT


def test_nothing_refused_gives_each_its_own(in_each):
    assert in_each(lambda index: distributed.together(lambda: index)) == [0, 1]
