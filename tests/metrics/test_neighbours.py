import numpy as np
import pytest

from jaxgan.metrics import nearest_neighbours, precision_recall_density_coverage


def points(seed, count, size=3, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((count, size))


def all_distances(a, b):
    return np.sqrt(((a[:, None].astype(np.float64) - b) ** 2).sum(axis=2))


def by_definition(real, fake, k):
    """The four figures, every distance taken by its differences."""

    def radii(x):
        distances = all_distances(x, x)
        np.fill_diagonal(distances, np.inf)
        return np.sort(distances, axis=1)[:, k - 1]

    between = all_distances(real, fake)
    in_real, in_fake = between <= radii(real)[:, None], between <= radii(fake)
    return (
        in_real.any(axis=0).mean(),
        in_fake.any(axis=1).mean(),
        in_real.sum() / (k * len(fake)),
        in_real.any(axis=1).mean(),
    )


def test_neighbours_by_hand():
    references = [[0, 0], [3, 4], [10, 0]]
    distances, indices = nearest_neighbours([[0, 0], [9, 0]], references, k=2)
    np.testing.assert_allclose(distances, [[0, 5], [1, np.sqrt(36 + 16)]])
    assert indices.tolist() == [[0, 1], [2, 1]]


@pytest.mark.parametrize("k", [1, 4, 50])
@pytest.mark.parametrize("block", [1, 130, 1 << 23])
def test_every_distance_sorted_agrees(k, block):
    queries, references = points(0, 40), points(1, 50)
    distances, indices = nearest_neighbours(queries, references, k, block=block)
    every = all_distances(queries, references)
    np.testing.assert_array_equal(indices, np.argsort(every, axis=1)[:, :k])
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :k], rtol=1e-14)


def test_a_sample_is_told_from_its_duplicates_by_its_index():
    a = np.repeat(points(0, 10, size=20), 2, axis=0)
    distances, indices = nearest_neighbours(a, a, exclude_self=True)
    np.testing.assert_array_equal(indices[:, 0], np.arange(20) ^ 1)
    np.testing.assert_array_equal(distances, 0)
    assert nearest_neighbours(a[::2], a[::2], exclude_self=True).distances.min() > 1


def test_near_neighbours_of_far_away_points_keep_their_digits():
    rng = np.random.default_rng(0)
    references = 1e4 + 10 * rng.standard_normal((60, 784))
    queries = references + 1e-3 * rng.standard_normal((60, 784))
    distances, indices = nearest_neighbours(queries, references)
    np.testing.assert_array_equal(indices[:, 0], np.arange(60))
    np.testing.assert_allclose(
        distances[:, 0], np.linalg.norm(queries - references, axis=1), rtol=1e-13
    )


def test_images_are_taken_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (30, 16), dtype=np.uint8)
    distances, indices = nearest_neighbours(images[:5], images, k=3)
    every = all_distances(np.float64(images[:5]), np.float64(images))
    assert indices[:, 0].tolist() == list(range(5))
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :3])


def test_bad_neighbours_are_named():
    a = points(0, 5)
    with pytest.raises(ValueError, match=r"k must be in \[1, 5\], .* not 6"):
        nearest_neighbours(a, a, 6)
    with pytest.raises(ValueError, match=r"k must be in \[1, 4\], .* not 5"):
        nearest_neighbours(a, a, 5, exclude_self=True)
    with pytest.raises(ValueError, match=r"are the references, not \[3, 3\] and \[5, 3\]"):
        nearest_neighbours(a[:3], a, exclude_self=True)
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        nearest_neighbours(a, a[:0])
    with pytest.raises(ValueError, match="NaN or infinite"):
        nearest_neighbours(a, a * np.nan)


def test_figures_by_hand():
    # On a line, k = 1. Reals 0, 1, 10 reach 1, 1, 9; fakes 2, 2.5, 100 reach .5, .5, 97.5.
    real, fake = [[0.0], [1.0], [10.0]], [[2.0], [2.5], [100.0]]
    found = precision_recall_density_coverage(real, fake, k=1)
    # Fake 2 is in the balls of 1 and 10, fake 2.5 in that of 10, fake 100 in none.
    # Real 10 is in the ball of 100, the others in none. The balls of 1 and 10 hold a fake.
    assert found == pytest.approx((2 / 3, 1 / 3, 3 / 3, 2 / 3))
    assert found._fields == ("precision", "recall", "density", "coverage")


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (points(0, 60), points(1, 60)),
        (points(0, 80, size=2), points(1, 30, size=2, scale=0.3) + 1),
        (points(0, 20, size=100), points(1, 40, size=100)),
        (np.float32(points(0, 50, scale=3)), np.float32(points(1, 50))),
    ],
)
def test_the_definition_agrees(real, fake, k):
    expected = by_definition(real, fake, k)
    for block in (1, 200, 1 << 23):
        assert precision_recall_density_coverage(real, fake, k, block=block) == expected
    shuffled = np.random.default_rng(0).permutation
    assert precision_recall_density_coverage(shuffled(real), shuffled(fake), k) == expected


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_definition_agrees_where_most_distances_tie(k):
    # On a grid of few whole numbers, surfaces of balls and duplicates are everywhere.
    rng = np.random.default_rng(k)
    real, fake = rng.integers(0, 4, (40, 3)), rng.integers(1, 5, (50, 3))
    assert precision_recall_density_coverage(real, fake, k) == by_definition(real, fake, k)
    moved = precision_recall_density_coverage(real + 0.3, fake + 0.3, k)
    assert moved == by_definition(real, fake, k)


def test_a_set_and_itself():
    a = points(0, 50, size=200)
    precision, recall, density, coverage = precision_recall_density_coverage(a, a[::-1], k=3)
    assert precision == recall == coverage == 1
    assert density == pytest.approx((3 + 1) / 3)  # A ball holds its centre and k others.


def test_one_distribution_has_density_1():
    found = precision_recall_density_coverage(points(0, 1500, 2), points(1, 1500, 2), k=5)
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 0.5**5, abs=0.02)  # Naeem et al., lemma 2
    assert min(found.precision, found.recall) > 0.95


def test_a_fake_that_is_always_the_same():
    real = points(0, 40)
    found = precision_recall_density_coverage(real, np.repeat(real[:1], 30, axis=0), k=5)
    assert found.precision == 1
    assert found.recall == 1 / 40  # Its ball is a point.
    assert found.coverage == by_definition(real, real[:1].repeat(30, axis=0), 5)[3] < 0.5


def test_constant_and_distant_sets():
    ones = np.ones((7, 3))
    assert precision_recall_density_coverage(ones, ones, k=2) == (1, 1, 7 / 2, 1)
    assert precision_recall_density_coverage(ones, 1.001 * ones, k=2) == (0, 0, 0, 0)
    far = precision_recall_density_coverage(points(0, 20), points(1, 20) + 100)
    assert far == (0, 0, 0, 0)


def test_bad_figures_are_named():
    a = points(0, 5)
    with pytest.raises(ValueError, match="below the number of samples, 5 real and 5 fake, not 5"):
        precision_recall_density_coverage(a, a)
    with pytest.raises(ValueError, match=r"at least 1 and below .* not 0"):
        precision_recall_density_coverage(a, a, k=0)
    with pytest.raises(ValueError, match=r"one D, not \[5, 3\] and \[5, 2\]"):
        precision_recall_density_coverage(a, a[:, :2], k=1)


def test_features_whose_squares_overflow_are_named():
    a = np.random.default_rng(0).normal(size=(6, 3))
    for large in (1e120, 1e200):
        for pair in ((a, large * a), (large * a, a)):
            with pytest.raises(ValueError, match=r"features must be at most 3.4e\+38 in magnitude"):
                precision_recall_density_coverage(*pair, k=2)
            with pytest.raises(ValueError, match=r"features must be at most 3.4e\+38 in magnitude"):
                nearest_neighbours(*pair)
    assert nearest_neighbours([[-3e38]], [[3e38]]).distances == pytest.approx(6e38)
