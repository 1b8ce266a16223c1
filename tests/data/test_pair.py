"""Two domains without pairs: where they lie, which images a step uses, what happens to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.data import ArraySource, PairSource, Spec, batch_indices, open_domain
from jaxgan.data.minibatch import jitter, prepare_pair


def counted(name, count, size=4, channels=1, **options):
    """Images whose every pixel is their number."""
    images = np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, size, size, channels)
    )
    return ArraySource(name, np.ascontiguousarray(images), **options)


def pair(x=5, y=12, **options):
    return PairSource(counted("few", x), counted("many", y, channels=3), **options)


def test_domains_keep_their_lengths_and_channels():
    source = pair()
    assert source.name == "few and many"
    assert source.spec == (Spec((4, 4, 1), 0), Spec((4, 4, 3), 0))
    assert len(source) == 12
    assert len(pair(epoch="shorter")) == 5
    assert {name: array.shape for name, array in source.arrays.items()} == {
        "x": (5, 4, 4, 1),
        "y": (12, 4, 4, 3),
    }
    example = source.spec.example(2)
    assert (example["x"].shape, example["y"].shape) == ((2, 4, 4, 1), (2, 4, 4, 3))
    assert set(example) == {"x", "y"}


def test_each_domain_goes_through_permutations_of_its_own():
    source = pair(5, 5)
    plan = np.concatenate([source.indices(3, 2 * n, 2) for n in range(5)])  # Two epochs
    assert plan.shape == (10, 2)
    for column in plan.T:
        for epoch in column.reshape(2, 5):
            assert sorted(epoch) == list(range(5))
    assert not np.array_equal(plan[:, 0], plan[:, 1])
    np.testing.assert_array_equal(plan[:2, 0], batch_indices(3, 0, 2, 5))
    np.testing.assert_array_equal(source.indices(3, 8, 2), plan[8:])


def test_the_shorter_domain_comes_round_more_often():
    source = pair(5, 12)
    plan = np.concatenate([source.indices(0, 4 * n, 4) for n in range(15)])  # 60 images of each
    np.testing.assert_array_equal(np.bincount(plan[:, 0]), [12] * 5)
    np.testing.assert_array_equal(np.bincount(plan[:, 1]), [5] * 12)


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_images_are_taken_by_a_column_a_domain(limit):
    source = PairSource(
        counted("few", 5, device_limit=limit), counted("many", 12, 4, 3, device_limit=limit)
    )
    assert (source.arrays is None) == (limit == 0)
    batch = source.take(np.array([[4, 11], [0, 3]]))
    assert batch["x"][:, 0, 0, 0].tolist() == [4, 0]
    assert batch["y"][:, 0, 0, 2].tolist() == [11, 3]
    assert source.take(np.arange(2))["y"][:, 0, 0, 0].tolist() == [0, 1]
    if source.arrays:
        gathered = jax.jit(source.spec.gather)(source.arrays, jnp.array([[4, 11], [0, 3]]))
        for name, images in batch.items():
            np.testing.assert_array_equal(gathered[name], images)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="different sizes, 4x4 and 6x6; choose an image_size"):
        PairSource(counted("a", 3), counted("b", 3, size=6))
    points = ArraySource("dots", np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match=r"only images .* and 'dots' holds points"):
        PairSource(counted("a", 3), points)


class TestWhereDomainsLie:
    @pytest.fixture
    def folder(self, tmp_path, random_image):
        """The common layout, with a different number and size of images in every part."""
        sizes = {"trainA": 3, "trainB": 5, "testA": 1, "testB": 2}
        for part, count in sizes.items():
            (tmp_path / "set" / part).mkdir(parents=True)
            for i in range(count):
                image = Image.fromarray(random_image(8 + i, 9, seed=i))
                image.save(tmp_path / "set" / part / f"{i}.png")
        return tmp_path / "set"

    def test_a_folder_of_both(self, folder):
        for split, domain, count in (("train", "A", 3), ("train", "B", 5), ("test", "B", 2)):
            source = open_domain(str(folder), domain, split=split, image_size=4)
            assert source.spec == Spec((4, 4, 3), 0)
            assert len(source) == count

    def test_a_margin_lies_around_what_was_resized(self, folder):
        plain = open_domain(str(folder), "A", image_size=4)
        padded = open_domain(str(folder), "A", image_size=8, margin=2)
        assert padded.spec == Spec((8, 8, 3), 0)
        np.testing.assert_array_equal(padded.host["real"][:, 2:6, 2:6], plain.host["real"])
        assert padded.host["real"].sum() == plain.host["real"].sum()  # Around it is black.

    def test_a_margin_keeps_labels(self, tfds_dir):
        plain = open_domain("tiny", data_dir=tfds_dir)
        padded = open_domain("tiny", data_dir=tfds_dir, margin=1)
        height, width, channels = plain.spec.shape
        assert padded.spec == plain.spec._replace(shape=(height + 2, width + 2, channels))
        np.testing.assert_array_equal(padded.host["label"], plain.host["label"])

    @pytest.mark.parametrize(("size", "margin"), [(8, 4), (8, -1), (None, -1)])
    def test_a_margin_that_leaves_nothing(self, folder, size, margin):
        with pytest.raises(ValueError, match=f"margin must be at least 0.*is {margin}"):
            open_domain(str(folder), "A", image_size=size, margin=margin)

    def test_a_relative_folder(self, folder, monkeypatch):
        monkeypatch.chdir(folder.parent)
        assert len(open_domain("set", "B", image_size=4)) == 5

    def test_one_domain_is_missing(self, folder):
        (folder / "testA" / "0.png").unlink()
        (folder / "testA").rmdir()
        with pytest.raises(ValueError, match=r"'testA'.* in splits or folders trainA and trainB"):
            open_domain(str(folder), "A", split="test", image_size=4)

    def test_a_tfds_set_of_both(self, two_domains_dir):
        name = "two_domains/tiny_pair"
        for split, domain, tone in (("train", "A", 30), ("train", "B", 200), ("test", "A", 30)):
            source = open_domain(name, domain, data_dir=two_domains_dir, split=split, image_size=8)
            assert source.spec.shape == (8, 8, 3)
            assert np.unique(source.host["real"]).tolist() == [tone]
        assert len(open_domain(name, "B", data_dir=two_domains_dir, image_size=8)) == 4

    def test_a_set_of_one_domain(self, tfds_dir):
        with pytest.raises(ValueError, match=r"no split 'trainA'.* splits or folders trainA and"):
            open_domain("tiny", "A", data_dir=tfds_dir)

    @pytest.mark.parametrize("name", ["b", "1"])
    def test_a_class_of_a_labelled_set(self, tfds_dir, name):
        source = open_domain("tiny", data_dir=tfds_dir, class_name=name)
        assert len(source) == 2
        assert np.unique(source.host["real"]).tolist() == [10]
        assert source.spec.num_classes == 0

    @pytest.mark.parametrize("name", ["d", "3", "-1"])
    def test_a_class_that_is_not_there(self, tfds_dir, name):
        with pytest.raises(ValueError, match=f"no class '{name}'; its classes are a, b, c"):
            open_domain("tiny", data_dir=tfds_dir, class_name=name)

    def test_a_class_of_unlabelled_images(self, folder):
        with pytest.raises(ValueError, match=r"class 'horse' was asked for, and .* has no labels"):
            open_domain(str(folder), "A", image_size=4, class_name="horse")


class TestInTheStep:
    def test_images_are_enlarged_and_cropped_at_random(self):
        """A ramp from -.75 to .75, whose enlargement is a ramp: its start tells the offset."""
        ramp = jnp.linspace(-0.75, 0.75, 16)
        images = jnp.broadcast_to(ramp[None, None, :, None], (400, 16, 16, 1))
        cropped = np.asarray(jax.jit(jitter, static_argnums=2)(images, jax.random.key(0), 20))
        assert cropped.shape == images.shape
        assert len(np.unique(cropped[:, 8, 8, 0].round(3))) == 5  # Offsets 0 to 4
        slopes = np.diff(cropped[:, 8, 6:10, 0], axis=1)
        np.testing.assert_allclose(slopes, 0.1 * 16 / 20, atol=2e-3)
        means = cropped.mean((1, 2, 3))
        assert abs(means.mean()) < 0.02  # About the centre, on average

    def test_both_directions_are_cropped_independently(self):
        images = jnp.arange(256.0).reshape(1, 16, 16, 1).repeat(300, 0) / 128 - 1
        cropped = np.asarray(jax.jit(jitter, static_argnums=2)(images, jax.random.key(1), 18))
        assert len(np.unique(cropped[:, 8, 8, 0].round(3))) == 9  # 3 rows, 3 columns

    def test_values_stay_in_range(self):
        edges = jnp.where(jnp.arange(8) < 4, -1.0, 1.0)[None, None, :, None].repeat(8, 1)
        cropped = jitter(edges, jax.random.key(0), 11)
        assert (float(cropped.min()), float(cropped.max())) == (-1, 1)

    def test_the_size_itself_changes_nothing(self):
        images = jax.random.uniform(jax.random.key(5), (2, 6, 8, 3), minval=-1)
        np.testing.assert_allclose(jitter(images, jax.random.key(0), 6), images, atol=1e-6)

    def test_a_smaller_size_is_refused(self):
        with pytest.raises(ValueError, match="load_size 5 is smaller than the images' 6 pixels"):
            jitter(jnp.ones((1, 6, 8, 3)), jax.random.key(0), 5)

    def test_domains_are_prepared_independently(self):
        """The same images twice: their draws have nothing to do with each other."""
        images = jnp.arange(16, dtype=jnp.uint8).reshape(1, 4, 4, 1).repeat(64, 0)
        batch = {"x": images, "y": images}
        plain = prepare_pair(batch, jax.random.key(0))
        np.testing.assert_allclose(plain["x"], images / 127.5 - 1, atol=1e-6)
        for options in ({"flip": True}, {"load_size": 6}):
            mixed = prepare_pair(batch, jax.random.key(0), **options)
            same = (mixed["x"] == mixed["y"]).all((1, 2, 3)).mean()
            assert 0 < same < 0.8
            again = prepare_pair(batch, jax.random.key(0), **options)
            np.testing.assert_array_equal(mixed["y"], again["y"])
