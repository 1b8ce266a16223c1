"""Sources in memory: what they take, give and refuse."""

import gc
import json
import os

import jax
import numpy as np
import pytest

from jaxgan.data import ArraySource, PairSpec, Spec
from jaxgan.data import source as source_module
from jaxgan.data.stacked import StackedSpec

IMAGES = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3, 1)
LABELS = np.array([0, 2, 1, 2])


def test_the_spec_describes_one_sample():
    assert ArraySource("x", IMAGES).spec == Spec((2, 3, 1), 0)
    assert ArraySource("x", IMAGES, LABELS).spec == Spec((2, 3, 1), 3)
    named = ArraySource("x", IMAGES, LABELS, class_names=("a", "b", "c", "never seen"))
    assert named.spec == Spec((2, 3, 1), 4, ("a", "b", "c", "never seen"))
    assert named.spec.is_image
    assert not ArraySource("x", np.zeros((5, 2))).spec.is_image
    assert ArraySource("x", IMAGES, gauge="mixture").spec.gauge == "mixture"


@pytest.mark.parametrize(
    "spec",
    [
        Spec((2, 3, 1), 0),
        Spec((2,), 8, tuple("abcdefgh"), "mixture"),
        StackedSpec((2, 3, 3), 1000, gauge="stacked"),
        PairSpec(Spec((4, 4, 1), 0), Spec((4, 4, 3), 2, ("ä", "b"))),
    ],
)
def test_a_spec_is_recorded_as_json_and_read_back(spec):
    read = type(spec).from_record(json.loads(json.dumps(spec.to_record())))
    assert read == spec
    assert type(read) is type(spec)


@pytest.mark.parametrize(
    "change",
    [
        *({"shape": value} for value in (None, 3, [8, "8"], [8, -1], [8.0], [True])),
        *({"num_classes": value} for value in (None, -1, 1.0, "7", True)),
        *({"class_names": value} for value in (None, 5, [1])),
        *({"gauge": value} for value in (None, 3)),
    ],
)
def test_what_cannot_be_a_spec_is_damaged(change):
    sound = Spec((8, 8, 1), 1, ("a",)).to_record()
    with pytest.raises(ValueError, match="the spec of the data is damaged: "):
        Spec.from_record(sound | change)
    with pytest.raises(ValueError, match="the spec of the data is damaged: "):
        PairSpec.from_record({"x": sound, "y": sound | change})


@pytest.mark.parametrize("name", ["shape", "num_classes", "class_names", "gauge"])
def test_a_spec_lacks_nothing(name):
    sound = Spec((8, 8, 1), 1, ("a",)).to_record()
    with pytest.raises(ValueError, match="is damaged"):
        Spec.from_record({key: value for key, value in sound.items() if key != name})
    with pytest.raises(ValueError, match="is damaged"):
        PairSpec.from_record({"x": sound})


@pytest.mark.parametrize("device_limit", [1 << 30, 0])
def test_take_gives_the_asked_samples_as_device_arrays(device_limit):
    source = ArraySource("x", IMAGES, LABELS, device_limit=device_limit)
    assert (source.arrays is None) == (device_limit == 0)
    batch = source.take(np.array([3, 0, 3]))
    assert isinstance(batch["real"], jax.Array)
    assert batch["real"].dtype == np.uint8
    assert batch["label"].dtype == np.int32
    np.testing.assert_array_equal(batch["real"], IMAGES[[3, 0, 3]])
    np.testing.assert_array_equal(batch["label"], [2, 0, 2])


def test_what_fits_is_on_the_device_whole():
    source = ArraySource("x", IMAGES, LABELS, device_limit=IMAGES.nbytes)
    assert source.arrays is not None
    np.testing.assert_array_equal(source.arrays["real"], IMAGES)
    assert source.arrays is source.arrays  # copied once


def test_unlabelled_batches_have_no_label():
    assert set(ArraySource("x", IMAGES).take(np.array([0]))) == {"real"}


def test_points_become_float32():
    points = np.array([[0.5, 1.0], [2.0, 3.0]])
    batch = ArraySource("x", points).take(np.array([1]))
    assert batch["real"].dtype == np.float32
    np.testing.assert_array_equal(batch["real"], [[2.0, 3.0]])


def test_a_memory_map_is_read_where_it_lies(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    source = ArraySource("x", mapped, device_limit=0)
    np.testing.assert_array_equal(source.take(np.array([2]))["real"], IMAGES[[2]])


def mapped(folder, count=5000):
    """A memory map of several pages, its file, and what it holds."""
    images = np.random.default_rng(0).integers(256, size=(count, 2, 3, 1), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    return np.load(folder / "images.npy", mmap_mode="r"), folder / "images.npy", images


@pytest.mark.parametrize("part", [slice(None), slice(3000, 4000), slice(None, None, 2)])
def test_a_part_of_a_memory_map_is_that_part(tmp_path, part):
    array, _, images = mapped(tmp_path)
    source = ArraySource("x", array[part], device_limit=0)
    indices = np.array([0, 999, 7, 7])
    np.testing.assert_array_equal(source.take(indices)["real"], images[part][indices])


def test_points_are_read_from_a_memory_map_too(tmp_path):
    points = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    np.save(tmp_path / "points.npy", points)
    source = ArraySource("x", np.load(tmp_path / "points.npy", mmap_mode="r"), device_limit=0)
    np.testing.assert_array_equal(source.take(np.array([8, 0]))["real"], points[[8, 0]])


def test_a_file_cut_short_in_mid_run_is_an_error_and_no_crash(tmp_path):
    array, path, images = mapped(tmp_path)
    source = ArraySource("x", array, np.zeros(5000, int), device_limit=0)
    os.truncate(path, 5000)
    np.testing.assert_array_equal(source.take(np.array([10]))["real"], images[[10]])
    with pytest.raises(ValueError, match=r"images\.npy was cut short .*: sample 4999 is missing"):
        source.take(np.array([10, 4999]))


def test_what_is_on_the_device_needs_no_file(tmp_path):
    """A CPU's memory is the host's, and JAX takes aligned arrays as they lie."""
    array, path, images = mapped(tmp_path)
    source = ArraySource("x", array)
    assert source.arrays["real"].unsafe_buffer_pointer() != array.ctypes.data
    os.truncate(path, 0)
    np.testing.assert_array_equal(source.take(np.array([4999]))["real"], images[[4999]])


def test_a_deleted_file_is_read_on(tmp_path):
    array, path, images = mapped(tmp_path)
    source = ArraySource("x", array, device_limit=0)
    path.unlink()
    np.testing.assert_array_equal(source.take(np.array([4999]))["real"], images[[4999]])


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    array, path, _ = mapped(tmp_path)
    source = ArraySource("x", array, device_limit=0)

    def fail(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(ValueError, match=rf"{path} cannot be read: Input/output error"):
        source.take(np.array([0]))


def descriptors(path):
    """How many of this process's file descriptors are of this file."""
    count = 0
    for descriptor in os.listdir("/dev/fd"):
        try:
            count += os.path.samestat(os.fstat(int(descriptor)), os.stat(path))
        except OSError:  # The listing's own, closed by now.
            continue
    return count


def test_files_are_closed_with_their_source(tmp_path):
    array, path, _ = mapped(tmp_path)
    source = ArraySource("x", array, device_limit=0)
    assert descriptors(path) == 2  # The map's and the source's.
    del source
    gc.collect()
    assert descriptors(path) == 1


@pytest.mark.parametrize("device_limit", [1 << 30, 0])
@pytest.mark.parametrize("index", [-1, 4])
def test_an_index_out_of_range_is_refused(device_limit, index):
    source = ArraySource("x", IMAGES, device_limit=device_limit)
    with pytest.raises(ValueError, match=r"'x' must be from 0 to 3"):
        source.take(np.array([0, index]))


@pytest.mark.parametrize(
    "real",
    [
        IMAGES.astype(np.float32),
        IMAGES[..., 0],
        np.zeros((2, 4, 4, 2), np.uint8),
        np.zeros((2, 3, 8, 8), np.uint8),
        np.zeros((0, 4, 4, 1), np.uint8),
        np.zeros((3, 2), np.int32),
        np.zeros((0, 2)),
    ],
)
def test_arrays_that_are_neither_images_nor_points_are_refused(real):
    with pytest.raises(ValueError, match=r"'x' holds .* samples must be uint8"):
        ArraySource("x", real)


def test_points_must_be_finite():
    with pytest.raises(ValueError, match="not a number"):
        ArraySource("x", np.array([[0.0, np.nan]]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:3], r"int64 of shape \[3\]; they must be integers of shape \[4\]"),
        (LABELS.astype(float), "float64 of shape"),
        (LABELS - 1, "from -1 to 1; they must count from 0"),
        (LABELS + 2**40, "fit in 32 bits"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        ArraySource("x", IMAGES, labels)


def test_every_label_needs_a_name_when_there_are_names():
    with pytest.raises(ValueError, match="needs 3 class names, and there are 2"):
        ArraySource("x", IMAGES, LABELS, class_names=("a", "b"))


@pytest.mark.parametrize(("text", "limit"), [("max\n", None), ("1048576\n", 1 << 20)])
def test_memory_is_that_of_the_container(tmp_path, monkeypatch, text, limit):
    monkeypatch.setattr(source_module, "_LIMITS", ())
    machine = source_module.machine_memory()
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(source_module, "_LIMITS", (tmp_path / "memory.max", tmp_path / "missing"))
    assert source_module.machine_memory() == (limit or machine)
