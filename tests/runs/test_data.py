"""A run knows its data: what differs is named, and what only moved is taken."""

from types import SimpleNamespace

import pytest

from jaxgan.data import Identity, Spec
from jaxgan.experiment import Experiment
from jaxgan.runs import record as run
from jaxgan.runs.data import (
    check_data,
    identities_of,
    recorded_identities,
    refuse_inside,
    refuse_other,
    to_record,
)

PHOTOS = Identity("photos", "/a/photos", 16, ("cat", "dog"), "0123")
SPEC = Spec((8, 8, 1), 2, ("cat", "dog"))


def source(*identities, spec=SPEC):
    return SimpleNamespace(name="photos", spec=spec, identities=identities)


@pytest.fixture
def recorded(tmp_path):
    """A run on photos, and its record."""
    folder = tmp_path / "run"
    run.create(folder, Experiment(), [SPEC], to_record([(PHOTOS,)]))
    return folder, run.read(folder)[1]


def test_who_the_data_are_is_recorded(recorded):
    folder, record = recorded
    assert recorded_identities(folder, record) == [(PHOTOS,)]
    assert record["data"][0][0]["place"] == "/a/photos"


def test_moved_data_are_taken(recorded):
    moved = PHOTOS._replace(name="moved", place="/b/moved")
    assert check_data(*recorded, [source(moved)]) == [(moved,)]


def test_other_data_are_named(recorded):
    grown = PHOTOS._replace(samples=30, digest="4567")
    says = "run cannot take these data: photos holds 30 samples, and the run was trained on 16"
    with pytest.raises(ValueError, match=f"{says}$"):
        check_data(*recorded, [source(grown)])


def test_of_a_pair_each_is_compared():
    refuse_other("run", (PHOTOS, PHOTOS), (PHOTOS, PHOTOS))
    with pytest.raises(ValueError, match="photos holds 3 samples"):
        refuse_other("run", (PHOTOS, PHOTOS), (PHOTOS, PHOTOS._replace(samples=3)))


def test_a_source_of_the_users_need_not_say_who_it_is(tmp_path):
    own = SimpleNamespace(name="own", spec=SPEC)
    assert identities_of([own]) == [None]
    run.create(tmp_path / "run", Experiment(), [SPEC], to_record([None]))
    assert check_data(tmp_path / "run", run.read(tmp_path / "run")[1], [own]) == [None]


def test_a_run_that_recorded_none_goes_on_with_a_warning(recorded):
    folder, record = recorded
    del record["data"]
    with pytest.warns(UserWarning, match="run recorded no identity of its data"):
        check_data(folder, record, [source(PHOTOS)])
    renumbered = SPEC._replace(class_names=("dog", "cat"))
    with (
        pytest.warns(UserWarning, match="recorded no identity"),
        pytest.raises(ValueError, match="number 0 is 'dog', and was 'cat'"),
    ):
        check_data(folder, record, [source(PHOTOS, spec=renumbered)])


@pytest.mark.parametrize("data", [3, [3], [[3]], {"a": 1}, [[{"name": "photos"}]]])
def test_a_damaged_identity_is_refused(recorded, data):
    folder, record = recorded
    with pytest.raises(
        ValueError, match=r"experiment\.json is damaged: the (identity of the )?data"
    ):
        recorded_identities(folder, record | {"data": data})


def test_a_run_may_not_lie_in_its_data(tmp_path):
    known = [(PHOTOS._replace(place=None),), None, (PHOTOS._replace(place=str(tmp_path / "x")),)]
    refuse_inside(tmp_path / "xy" / "run", known)
    (tmp_path / "link").symlink_to(tmp_path / "x")
    for inside in ("x/run", "x", "link/runs/run"):
        with pytest.raises(ValueError, match=r"lies in the data .*/x, which would be read as such"):
            refuse_inside(tmp_path / inside, known)
